/* syscall.h: the system calls: one function each, named sys_NAME, declared from
 * the one table (syscalls.def). Arguments come as the program gave them, 64
 * bits each; the answer is a value or a negated errno. */
#pragma once

#include "os/linux/frame.h"

#define SYSCALL_ARGUMENTS_0 void
#define SYSCALL_ARGUMENTS_1 uint64_t
#define SYSCALL_ARGUMENTS_2 uint64_t, uint64_t
#define SYSCALL_ARGUMENTS_3 uint64_t, uint64_t, uint64_t
#define SYSCALL_ARGUMENTS_4 uint64_t, uint64_t, uint64_t, uint64_t
#define SYSCALL_ARGUMENTS_5 uint64_t, uint64_t, uint64_t, uint64_t, uint64_t
#define SYSCALL_ARGUMENTS_6 uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t

#define PLAIN(number, name, count)  int64_t sys_##name(SYSCALL_ARGUMENTS_##count);
#define LOCKED(number, name, count) int64_t sys_##name(SYSCALL_ARGUMENTS_##count);
#define FULL(number, name)          int64_t sys_##name(struct regs *);
#define MISSING(number, name)
#include "os/linux/syscalls.def"
#undef PLAIN
#undef LOCKED
#undef FULL
#undef MISSING

enum { SIZE_RUSAGE = 144 };

/* entry.S: goes to the program as `regs` says. */
_Noreturn void regs_enter(struct regs *regs);
