/* fastpath.h: what threads do all the time, with this CPU's lock only (lock.h).
 *
 * This is where system calls come in. A fast path serves what is simple as ring.c
 * and endpoint.c would, or leaves it to them untouched. It has no policy of its
 * own. */
#pragma once

#include "kernel/types.h"

/* What cap_enter tells, in rax and rdx. */
struct syscall_result {
	uint64_t status, ring;
};

/* By a native thread. Returns if that goes on at once. */
struct syscall_result fast_syscall(uint64_t first, uint64_t second, uint64_t number);

/* By a module. */
_Noreturn void fast_syscall_module(uint64_t first, uint64_t second, uint64_t number);
