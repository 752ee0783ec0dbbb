/* fastpath.h: what threads do all the time, with this CPU's lock only (lock.h).
 *
 * A fast path serves what is simple as ring.c and endpoint.c would, or leaves it
 * to them untouched. It holds no policy of its own. */
#pragma once

#include "kernel/thread.h"

/* cap_enter, shared. True: all that was queued is done, and the thread goes on.
 * False: the rest is for ring_enter, exclusively; nothing is half done. A call
 * that hands the CPU over to its server, or back, does not return. */
bool fast_enter(struct thread *t, unsigned ring, uint64_t least, uint64_t timeout_ns);
