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

/* What a thread competes with; one that has lent its context, with what it had. */
static inline unsigned sched_priority(const struct thread *t)
{
	const struct sched_context *c = t->context ? t->context : t->own_context;

	return c ? c->priority : 0;
}

/* True: with a processor it could go on. Also shared. */
static inline bool sched_has_time(const struct thread *t)
{
	return t->context && !t->context->exhausted;
}

/* --- lending ---------------------------------------------------------------
 *
 * A thread that waits for the answer to a call lends the server its context until
 * that comes. A lent context can be lent on. Whoever stops waiting otherwise
 * (timeout, interrupt, end) takes its context back from wherever it is, and those
 * who had it go on with their own, or with what another who waits for them lends.
 *
 * A thread works on what the highest of those lends it who wait for it, directly or
 * not, also for it to receive their calls: so no priority goes without the time that
 * it came with, and none is there longer than who brought it waits. Lines of more
 * than SCHED_LENDERS are not followed.
 *
 * The first two are for the direct way from caller to server and back: no clock,
 * no queue, no timer. As the processor changes from one to the other, the context
 * whose time is running stays the same. Shared, if both threads are this CPU's to
 * touch. */

/* The same where it is known that `from` has a context and `to` a lender not. */
static inline void sched_hand_context(struct thread *from, struct thread *to,
                                      struct pending *call)
{
	struct sched_context *c = from->context;

	if (to->own_context)
		to->own_context->user = NULL; /* it rests */
	from->context = NULL;
	from->borrower = to;
	from->lent_for = call;
	to->lender = from;
	to->context = c;
	c->user = to;
}

/* `from`, which waits for the answer to `call`, gives its context to `to`, which
 * waits, or is this CPU's current thread. If `to` works on a lent one already, or
 * `from` has none, nothing changes. */
static inline void sched_donate(struct thread *from, struct thread *to, struct pending *call)
{
	if (from->context && !to->lender)
		sched_hand_context(from, to, call);
}

/* The same where it is known that `from` has what it runs on from `to`. */
static inline void sched_hand_back(struct thread *from, struct thread *to)
{
	struct sched_context *c = from->context, *own = from->own_context;

	from->lender = NULL;
	to->borrower = NULL;
	to->lent_for = NULL;
	to->context = c;
	c->user = to;
	from->context = own;
	if (own)
		own->user = from;
}

/* `from`, which is this CPU's current thread, has answered `to`: what it had from
 * that goes back. It runs on its own again; if it has none, only until it leaves
 * the exokernel: a passive server answers and receives in one entry. */
static inline void sched_return(struct thread *from, struct thread *to)
{
	if (!to || from->lender != to)
		return;
	KASSERT(from->context && to->borrower == from);
	sched_hand_back(from, to);
}

/* The caller waits for this call (NULL: for none): it lends its context to who
 * serves it, whatever state that is in, and if that waits itself, on from there. Of
 * one who works on another's time, or has not received the call, that is true only if
 * its priority is lower or its time is up. Who has not received it is who received
 * last at its endpoint. */
void sched_lend(struct pending *call);

/* Another waits for `t`, or what it was lent has changed: the highest of those who
 * wait for it lends. */
void sched_help(struct thread *t);

/* The call is answered, or is nobody's any more, on no queue and in no slot: what was
 * lent for it goes back. */
void sched_give_back(struct pending *call);

/* `t` does not wait any more: it takes back what it lent, also if that was lent
 * on. */
void sched_recall(struct thread *t);

/* --- ready and running ----------------------------------------------------- */

/* A READY thread will run as soon as it can. */
void sched_enqueue(struct thread *t);

/* True: it would be this CPU where it did, as far as can be seen. Shared. */
bool sched_wants_here(const struct thread *t);
/* The same for one that is to be this CPU's. Shared. */
void sched_enqueue_here(struct thread *t);

/* The contrary. */
void sched_dequeue(struct thread *t);

/* Makes the CPU that runs `t` enter the kernel. */
void sched_kick(struct thread *t);

/* Leaves the kernel: runs the current thread on, or another, or idles. Drops
 * the lock. The kernel stack's content ends here. */
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

/* `to`, which is new, goes on in place of `from`, which has a context of its own: what
 * that was bound to is bound to `to` now. */
void sched_succeed(struct thread *from, struct thread *to);

/* Charges what has been used up to `now`. */
void sched_charge(struct sched_context *c, uint64_t now);

/* What this CPU does from now on is done for `t`, which runs, maybe on another one, and
 * pays; until sched_paid, which takes what this gives. */
uint64_t sched_pay(const struct thread *t);
void sched_paid(struct thread *t, uint64_t since);

/* Budget or priority have changed. */
void sched_changed(struct sched_context *c, uint64_t now);
