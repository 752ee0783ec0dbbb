/* fastpath.h: what threads do all the time, with this CPU's lock only (lock.h).
 *
 * This is where cap_enter comes in. A fast path serves what is simple as ring.c
 * and endpoint.c would, or leaves it to them untouched. It has no policy of its
 * own. */
#pragma once

#include "kernel/types.h"

struct thread;
struct thread_ring;

/* Serves entries up to `tail`, as long as they are CALLs of quick methods (object.h).
 * True: all. There are places for their completions. */
bool quick_serve(struct thread_ring *r, uint32_t tail);

/* What cap_enter tells, in rax and rdx. */
struct syscall_result {
	uint64_t status, ring;
};

/* cap_enter by a native thread, this CPU's current one. Returns if that goes on at once. */
struct syscall_result fast_enter(uint64_t least, uint64_t timeout_ns, struct thread *t);

/* By a module. */
_Noreturn void fast_enter_module(uint64_t least, uint64_t timeout_ns, struct thread *t);
