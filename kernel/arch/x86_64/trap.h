/* trap.h: entries into the exokernel. */
#pragma once

#include "kernel/thread.h"

/* A system call by a module; or by a native thread, that is not cap_enter. */
_Noreturn void trap_syscall(uint64_t first, uint64_t second, struct thread *t, uint64_t number);

/* A native thread's cap_enter in full. The shared lock is held. */
_Noreturn void trap_enter(uint64_t least, uint64_t timeout_ns, struct thread *t);
