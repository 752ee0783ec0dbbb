/* module.h: what a libOS's module and the exokernel agree on.
 *
 * A module is a static ELF64 linked inside the module region. Its e_entry
 * points at a `struct module_head`: three code slots of 16 bytes (a jump each)
 * and one word. The exokernel enters the module in ring 1 at
 *
 *   start    the first thread of the first process (Libos.become): rdi = the
 *            argument given, rsp = head.stack_top
 *   syscall  the program executed `syscall`: rsp = the thread's moduleStack,
 *            rcx = return address, r11 = the program's rsp, rflags = the
 *            program's (IF set, AC set, TF and NT clear; DF as the program left
 *            it), all other registers as the program left them
 *   trap     the program trapped (any exception, int 0x80, an interrupt that
 *            Thread.interrupt asked for, or that it has left), or module code took a
 *            page fault:
 *            rsp points at a `struct module_trap`; all other registers as they
 *            were. From ring 3 it stands at the top of moduleStack; from ring 1
 *            below the interrupted rsp, 16-aligned: compile modules with
 *            -mno-red-zone. rflags: AC set, DF as it was.
 *
 * A program leaves behind its module's back, by vector 0x90: with `exit`, or to
 * another libOS (Libos.become). Its thread then stands in the module with vector
 * MODULE_VECTOR_LEFT, as `error` the reason (EndReason) and as `address` the exit
 * code's 32 bits, and it is the module's to close what the program had and to end
 * the thread. Of a program that has moved nothing is left there but this process,
 * under another PID.
 *
 * The module goes back to the program by its own iretq (CS, SS below). It
 * calls the exokernel by `syscall` (see ring.h). Any exception in module code
 * other than a page fault ends every process of the libOS. AC stays set in module code, so
 * that it reaches program memory; program memory is not executable for it.
 *
 * A moduleStack is a multiple of 64, so a struct module_trap at its top never
 * crosses a page. The threads of a module share the module region; so do all its processes. */
#pragma once

#define MODULE_REGION       0xffffc00000000000  /* first byte */
#define MODULE_REGION_END   0xffffc08000000000
#define MODULE_CAPSET       0xffffc07fffe00000  /* r--: struct capset of the libOS's domain */
#define MODULE_FIRST_RING   0xffffc07fffe01000  /* rw-: ring of the first thread */

#define MODULE_CODE_SELECTOR 0x19 /* ring 1 */
#define MODULE_DATA_SELECTOR 0x21
#define PROGRAM_CODE_SELECTOR 0x33 /* ring 3 */
#define PROGRAM_DATA_SELECTOR 0x2b
#define PROGRAM_END         0x00007ffffffff000  /* no program page at or above */

/* The exokernel's part of the program half, the same for native programs. */
#define PROGRAM_CAPSET      0x00007ffff0000000  /* r--: struct capset of its domain */
#define PROGRAM_RINGS       0x00007ffff0001000  /* rw-: rings, in order of making */
#define PROGRAM_RINGS_MAX   4096
#define PROGRAM_STACK_TOP   0x00007fffefff0000  /* native: of the first thread */
#define PROGRAM_STACK_SIZE  0x10000

#define MODULE_HEAD_START   0
#define MODULE_HEAD_SYSCALL 16
#define MODULE_HEAD_TRAP    32
#define MODULE_HEAD_STACK   48
#define MODULE_HEAD_SIZE    56

#define MODULE_VECTOR_INTERRUPT 0x100 /* not a CPU vector: Thread.interrupt */
#define MODULE_VECTOR_LEFT      0x101 /* nor this: the program has left the module */

#ifndef __ASSEMBLER__
#include <stdint.h>

struct module_trap {
	uint64_t address; /* CR2, for page faults */
	uint64_t vector;
	uint64_t error;   /* the processor's error code, or 0 */
	uint64_t rip, cs, rflags, rsp, ss; /* ready for iretq */
};
_Static_assert(sizeof(struct module_trap) == 64, "ABI");
#endif
