/* sched.h: which thread runs where, and on whose time.
 *
 * Each CPU has a run queue (core/runqueue.h). The ready thread of the highest
 * priority runs; one that becomes ready goes to an idle CPU, else to where it
 * may run at once, else it waits here; a CPU takes from another's queue what is
 * more urgent than all in its own. Equals take turns. The timer runs only when an
 * equal waits, a budget is limited, or a timeout is set.
 *
 * A thread runs on a scheduling context (schedctx.h), its own or one that was
 * lent to it. READY without a context, or with an exhausted one, it is on no
 * queue. Time is charged to contexts, not to threads: struct cpu has the context
 * whose time is running and since when, and as long as that stays the same,
 * threads may take over from one another without a look at the clock.
 *
 * What always holds when a CPU leaves the exokernel: cpu->context is its current
 * thread's. All but the functions marked so need the exclusive lock (lock.h). */
#pragma once

#include "kernel/panic.h"
#include "kernel/thread.h"

/* What a thread competes with. It has a context. */
static inline unsigned sched_priority(const struct thread *t)
{
	unsigned own = t->context->priority;

	return t->boost > own ? t->boost : own;
}

/* True: with a processor it could go on. Also shared. */
static inline bool sched_has_time(const struct thread *t)
{
	return t->context && !t->context->exhausted;
}

/* --- lending ---------------------------------------------------------------
 *
 * `from` waits for `to`, and gives it its context until sched_return. If `to`
 * already works on a lent one, or `from` has nothing to give, nothing changes:
 * `to` goes on as it is, and the next return is the time to ask again. A lent
 * context can be lent on. Whoever stops waiting by itself (timeout, interrupt,
 * end) takes its context back from wherever it is: thread_wake and thread_end see
 * to that.
 *
 * No clock, no queue, no timer: as the processor changes from `from` to `to`, the
 * context whose time is running stays the same. Shared, if both are this CPU's to
 * touch. `to` waits or is this CPU's current; for any other state: sched_lend. */
static inline void sched_donate(struct thread *from, struct thread *to)
{
	struct sched_context *c = from->context;

	if (!c || to->lender)
		return;
	if (to->context)
		to->context->user = NULL; /* its own, which rests */
	from->context = NULL;
	from->borrower = to;
	to->lender = from;
	to->context = c;
	c->user = to;
}

/* `from` has done what `to` waited for: the context goes back, if it is that
 * one's. `from` runs on its own again; if it has none, only until it leaves the
 * exokernel: a passive server answers and receives in one entry. */
static inline void sched_return(struct thread *from, struct thread *to)
{
	struct sched_context *c = from->context;

	if (from->lender != to || !to)
		return;
	KASSERT(c && to->borrower == from);
	from->lender = NULL;
	to->borrower = NULL;
	to->context = c;
	c->user = to;
	from->context = from->own;
	if (from->own)
		from->own->user = from;
}

/* The same as sched_donate for a `to` in any state: one that stopped for want of
 * time goes on. */
void sched_lend(struct thread *from, struct thread *to);

/* `t` takes back what it lent, also if that was lent on. Those who had it go on
 * with their own contexts. */
void sched_reclaim(struct thread *t);

/* The highest priority of those who wait for `t`, whose context they have not
 * given it; 0: of nobody. */
void sched_boost(struct thread *t, unsigned priority);

/* --- ready and running ----------------------------------------------------- */

/* A READY thread will run as soon as it can. */
void sched_enqueue(struct thread *t);
/* The contrary. */
void sched_dequeue(struct thread *t);

/* Makes the CPU that runs `t` enter the kernel. */
void sched_kick(struct thread *t);

/* Leaves the kernel: runs the current thread on, or another, or idles. Drops
 * the lock. The kernel stack's content ends here. Also shared. */
_Noreturn void sched_leave(void);

/* What is to be done when the timer has fired. */
void sched_tick(void);

/* --- contexts -------------------------------------------------------------- */

/* A new thread's context: one of its own without limit. But if whoever makes it
 * runs on measured time, it gets none: time is not made by making threads. */
void sched_thread_init(struct thread *t);

/* Takes the thread out of all of this. */
void sched_thread_end(struct thread *t);

/* Makes `c`, which is nobody's, the thread's own; what that was must be its first
 * or none. */
void sched_bind(struct sched_context *c, struct thread *t);
/* Its thread has none of its own from now on. */
void sched_unbind(struct sched_context *c);

/* Charges what has been used up to `now`. */
void sched_charge(struct sched_context *c, uint64_t now);

/* Budget or priority have changed. */
void sched_changed(struct sched_context *c, uint64_t now);
