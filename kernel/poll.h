/* poll.h: rings that the exokernel looks at by itself, for threads that asked for it
 * (ThreadControl.poll).
 *
 * Only while the thread runs, so there are no more of them at a time than CPUs. It is
 * looked at by any CPU that does nothing more urgent, in the thread's time; an idle one
 * takes its entries from it while it goes on. Each look serves at most what one
 * cap_enter would. What is not looked at is said to be (RING_ASLEEP). */
#pragma once

#include "kernel/thread.h"

/* Looks at that ring every so many ns; 0: no more. INVALID. */
enum status poll_ask(struct thread *t, unsigned ring, uint64_t every) MUST_CHECK;

/* It is asleep, and enters the exokernel. */
void poll_wake(struct thread *t);
