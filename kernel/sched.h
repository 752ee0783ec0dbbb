/* sched.h: which thread runs where.
 *
 * Each CPU has a queue of ready
 * threads, served in turn; a thread that becomes ready goes to an idle CPU if
 * there is one. The timer runs only when somebody waits for the CPU or a
 * timeout is set. */
#pragma once

#include "kernel/thread.h"

enum { SCHED_SLICE_NS = 4000000 };

/* Puts a READY thread on a queue. */
void sched_enqueue(struct thread *t);
/* Takes a READY thread off its queue. */
void sched_dequeue(struct thread *t);

/* Makes the CPU that runs `t` enter the kernel. */
void sched_kick(struct thread *t);

/* Leaves the kernel: runs the current thread on, or another, or idles. Drops
 * the lock. The kernel stack's content ends here. */
_Noreturn void sched_leave(void);

/* What is to be done when the timer has fired. */
void sched_tick(void);

/* LEND STUB: to be replaced by scheduling contexts */
static inline unsigned sched_priority(const struct thread *t) { (void)t; return 0; }
static inline void sched_lend(struct pending *p) { (void)p; }
static inline void sched_give_back(struct pending *p) { (void)p; }
static inline void sched_recall(struct thread *t) { (void)t; }
