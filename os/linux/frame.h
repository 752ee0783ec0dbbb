/* frame.h: what a thread's module stack looks like, for C and assembly.
 *
 * Each thread of the module stands on a block of 16 KiB, 16 KiB-aligned. Its
 * struct task is the block's last TASK_SIZE bytes; the stack grows down from
 * there, to an unmapped page below the block. So the task follows from rsp by
 * masking, and the top of the stack that the exokernel enters the module on is
 * the address of the task.
 *
 * While a program is in the module, its registers are the struct regs that
 * ends at the task. A system call that needs no more than its arguments saves
 * only the part from r11 up. */
#pragma once

#define STACK_SIZE 16384
#define TASK_SIZE  1024
#define TASK_WORK  0      /* offset of task->work */

#define REGS_RAX    48
#define REGS_CS     136
#define REGS_SIZE   168
#define REGS_CALLER 112   /* from r11 up: what a plain system call saves */

#define SYSCALL_LIMIT 464 /* numbers from here on do not exist */

#define RFLAGS_AC  0x40000

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, rax;
	uint64_t r11, r10, r9, r8, rcx, rdx, rsi, rdi;
	uint64_t nr; /* the system call's number, or -1 in a trap */
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct regs) == REGS_SIZE, "entry.S");
_Static_assert(offsetof(struct regs, rax) == REGS_RAX, "entry.S");
_Static_assert(offsetof(struct regs, cs) == REGS_CS, "entry.S");
_Static_assert(REGS_SIZE - offsetof(struct regs, r11) == REGS_CALLER, "entry.S");
#endif
