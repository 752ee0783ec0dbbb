/* regs.h: a thread's registers, as gate.S saves and loads them. */
#pragma once

#define REGS_RAX 0
#define REGS_RBX 8
#define REGS_RCX 16
#define REGS_RDX 24
#define REGS_RSI 32
#define REGS_RDI 40
#define REGS_RBP 48
#define REGS_R8 56
#define REGS_R9 64
#define REGS_R10 72
#define REGS_R11 80
#define REGS_R12 88
#define REGS_R13 96
#define REGS_R14 104
#define REGS_R15 112
#define REGS_RIP 120
#define REGS_CS 128
#define REGS_RFLAGS 136
#define REGS_RSP 144
#define REGS_SS 152
#define REGS_FULL 160

#define THREAD_RING 672 /* in struct thread: where its program's ring is seen */

#ifndef __ASSEMBLER__
#include "kernel/types.h"

struct thread_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, cs, rflags, rsp, ss;
	uint64_t full; /* 0: at a system call; caller-saved ones are not kept */
	uint64_t fs_base, gs_base;
	uint64_t module_stack; /* 0: the thread has no module */
};
_Static_assert(offsetof(struct thread_regs, rip) == REGS_RIP, "gate.S");
_Static_assert(offsetof(struct thread_regs, r15) == REGS_R15, "gate.S");
_Static_assert(offsetof(struct thread_regs, full) == REGS_FULL, "gate.S");
#endif
