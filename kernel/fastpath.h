/* fastpath.h: what threads do all the time, with this CPU's lock only (lock.h).
 *
 * This is where native threads' cap_enter comes in: what modules ask for is mostly
 * memory, which is not for here. A fast path serves what is simple as ring.c
 * and endpoint.c would, or leaves it to them untouched. It has no policy of its
 * own. */
#pragma once

#include "kernel/types.h"

struct cpu;
struct thread;
struct thread_ring;

enum quick { QUICK_ALL, QUICK_BUT_LAST, QUICK_NOT };

/* A cap_enter that does not just wait for its one entry: serves what is queued, as
 * long as that are CALLs of quick methods (object.h). ALL: there is nothing left, nor to
 * wait for. BUT_LAST: the last entry is left, and to wait for its completion. NOT:
 * anything else. */
enum quick quick_enter(uint64_t least, uint64_t timeout_ns, struct thread_ring *r);

/* cap_enter by a native thread, this CPU's current one. rdx and rcx are as they
 * came. */
_Noreturn void fast_enter(uint64_t least, uint64_t timeout_ns, uint64_t rdx, uint64_t rcx,
                          struct cpu *cpu, struct thread *t);
