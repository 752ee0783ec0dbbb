/* trap.h: entries into the exokernel. */
#pragma once

#include "kernel/thread.h"

/* A system call, in full. The shared lock is held. */
_Noreturn void trap_syscall(struct thread *t, unsigned ring, uint64_t number, uint64_t first,
                            uint64_t second);
