/* schedctx.h: scheduling contexts: processor time that one thread at a time runs
 * on.
 *
 * A context is a priority and a budget (core/budget.h). Every thread is born with
 * one of its own, of the default priority and without limit; another can be bound
 * in its place, by a SchedulingContext capability. A thread that waits for another
 * lends it its context (sched.h), so `user` is not always `home`.
 *
 * What always holds: c->user->context == c where there is a user; no two threads
 * have the same context; a context with an exhausted budget is on no run queue,
 * and its `refill` is set if more will come. */
#pragma once

#include "core/budget.h"
#include "core/runqueue.h"
#include "kernel/object.h"
#include "kernel/timeout.h"

struct thread;
struct ledger;
struct sched_control;

enum {
	SCHED_PRIORITY_DEFAULT = 31,
	SCHED_SLICE_NS = 4000000,
	SCHED_LENDERS = 32, /* in a line; and endpoints of a server that are looked at */
};

struct sched_context {
	struct object object;
	struct budget budget;
	uint64_t slice;       /* ns left of its turn; 0: a whole one */
	uint64_t consumed;    /* ns, ever */
	uint64_t exhaustions; /* how often its budget ran out */
	struct thread *user;  /* runs on it now; NULL: nobody */
	struct thread *home;  /* whose own it is; NULL: it is not bound */
	uint8_t priority;
	bool exhausted;
	struct timeout refill;
	struct object *notification; /* of the budget's end; may be a lease; or NULL */
	uint64_t bits;
	struct sched_control *control; /* NULL: a thread's first */
	uint32_t share, wanted;        /* what it takes of the control's, and needs */
	struct timeout settle;         /* when the first becomes the second */
	struct ledger *ledger;
};

/* Tells whoever asked to hear of it that the budget has run out. */
void sched_context_signal(const struct sched_context *c);
