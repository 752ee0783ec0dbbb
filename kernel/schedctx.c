/* schedctx.c: see schedctx.h and sched.h: contexts in use: charged, run out, filled
 * again, lent and taken back. What their capabilities do: schedcontrol.c. */
#include "kernel/schedctx.h"

#include "kernel/arch/x86_64/clock.h"
#include "kernel/notification.h"
#include "kernel/panic.h"
#include "kernel/revoker.h"
#include "kernel/schedclock.h"

/* --- the clock ------------------------------------------------------------- */

bool sched_clock_extend(struct cpu *cpu, uint64_t now)
{
	uint64_t left;

	if (!cpu->context)
		return false;
	sched_clock_charge(cpu, now);
	left = budget_run(&cpu->context->budget, now);
	sched_clock_end(cpu, left, now);
	return left > 0;
}

/* A running thread must look again at what it runs on. In between its CPU uses
 * nobody's time: for as long as it takes to tell it. */
static void stop_elsewhere(struct thread *t, uint64_t now)
{
	struct cpu *cpu = cpus[t->cpu];

	sched_clock_hold(cpu, now);
	if (!t->context)
		cpu->reschedule = true;
	sched_kick(t);
}

/* Its context, or what that has, has changed. */
static void look_again(struct thread *t, uint64_t now)
{
	if (t->state == THREAD_RUNNING) {
		stop_elsewhere(t, now);
		return;
	}
	if (t->state != THREAD_READY)
		return;
	sched_dequeue(t);
	sched_enqueue(t);
}

/* --- running out ------------------------------------------------------------ */

static void refilled(struct timeout *timeout);

void sched_context_signal(const struct sched_context *c)
{
	struct object *o = c->notification ? object_resolve(c->notification) : NULL;

	if (o)
		notification_signal(o, c->bits);
}

/* No time is left: until there is some, or for good. */
static void wait_for_more(struct sched_context *c, uint64_t now)
{
	uint64_t next = budget_next(&c->budget, now);

	c->exhausted = true;
	c->slice = 0;
	if (next != BUDGET_NEVER)
		timeout_set(&c->refill, next, refilled);
	else
		timeout_cancel(&c->refill);
}

static void go_on(struct sched_context *c)
{
	c->exhausted = false;
	timeout_cancel(&c->refill);
	if (c->user && c->user->state == THREAD_READY)
		sched_enqueue(c->user);
}

static void refilled(struct timeout *timeout)
{
	struct sched_context *c = (struct sched_context *)((char *)timeout -
	                                                   offsetof(struct sched_context, refill));
	uint64_t now = clock_now();

	if (budget_run(&c->budget, now))
		go_on(c);
	else
		wait_for_more(c, now);
}

/* A server that has a context of its own goes on with that when its client's has
 * run out. */
void sched_run_out(struct sched_context *c, uint64_t now)
{
	struct thread *t = c->user;

	wait_for_more(c, now);
	c->exhaustions++;
	if (t) {
		sched_dequeue(t);
		if (t->lender && t->own_context)
			sched_return(t, t->lender);
		if (t->state == THREAD_READY)
			sched_enqueue(t);
	}
	sched_context_signal(c);
}

void sched_charge(struct sched_context *c, uint64_t now)
{
	struct thread *t = c->user;

	if (t && t->state == THREAD_RUNNING && cpus[t->cpu]->context == c)
		sched_clock_charge(cpus[t->cpu], now);
}

void sched_changed(struct sched_context *c, uint64_t now)
{
	if (!budget_run(&c->budget, now))
		wait_for_more(c, now);
	else if (c->exhausted)
		go_on(c);
	if (c->user)
		look_again(c->user, now);
}

/* --- lending ---------------------------------------------------------------- */

void sched_lend(struct pending *call)
{
	struct thread *from = call->thread, *to = call->call.server;

	if (!to || to == from || to->lender || !from->context)
		return;
	sched_donate(from, to, call);
	if (to != this_cpu->current)
		look_again(to, clock_now());
}

/* Takes a lent context out of the hands of whoever has it. */
static struct sched_context *take_from(struct thread *t)
{
	struct sched_context *c = t->context;

	t->lender = NULL;
	t->borrower = NULL;
	t->lent_for = NULL;
	t->context = t->own_context;
	if (t->own_context)
		t->own_context->user = t;
	return c;
}

void sched_recall(struct thread *t)
{
	struct thread *b = t->borrower, *last = NULL;
	struct sched_context *c = NULL;

	if (!b)
		return;
	while (b) {
		struct thread *next = b->borrower;

		last = b;
		c = take_from(b);
		b = next;
	}
	KASSERT(c);
	t->borrower = NULL;
	t->lent_for = NULL;
	t->context = c;
	c->user = t;
	if (last != this_cpu->current)
		look_again(last, clock_now());
}

void sched_give_back(struct pending *call)
{
	if (call->thread->lent_for == call)
		sched_recall(call->thread);
}

void sched_boost(struct thread *t, unsigned priority)
{
	struct cpu *cpu = cpus[t->cpu];

	if (t->boost == priority)
		return;
	t->boost = (uint8_t)priority;
	if (t->state == THREAD_READY) {
		sched_dequeue(t);
		sched_enqueue(t);
	} else if (t->state == THREAD_RUNNING && t->context &&
	           runqueue_exceeds(&cpu->queue, sched_priority(t))) {
		cpu->reschedule = true;
		sched_kick(t);
	}
}

/* --- whose it is ------------------------------------------------------------- */

static void init_first(struct sched_context *c)
{
	if (budget_init(&c->budget, BUDGET_INFINITE, 0))
		panic("a budget without limit is refused");
	c->priority = SCHED_PRIORITY_DEFAULT;
}

void sched_thread_init(struct thread *t)
{
	const struct thread *maker = this_cpu->current;

	init_first(&t->first);
	if (maker && maker->own_context != &maker->first)
		return;
	t->own_context = t->context = &t->first;
	t->first.user = t->first.home = t;
}

/* Its own context is nobody's. */
static void let_go(struct thread *t)
{
	struct sched_context *c = t->own_context;

	t->own_context = NULL;
	if (!c)
		return;
	c->home = NULL;
	if (t->context == c) {
		t->context = NULL;
		c->user = NULL;
	}
}

void sched_thread_end(struct thread *t)
{
	struct sched_context *own = t->own_context;

	sched_dequeue(t);
	if (t->borrower)
		sched_recall(t);
	if (t->lender)
		sched_return(t, t->lender);
	let_go(t);
	for (unsigned i = 0; i < cpu_count && own; i++)
		if (cpus[i]->context == own)
			sched_clock_hold(cpus[i], clock_now());
	if (own && own != &t->first)
		object_drop(&own->object);
}

void sched_bind(struct sched_context *c, struct thread *t)
{
	KASSERT(!c->home && !c->user && (!t->own_context || t->own_context == &t->first));
	object_hold(&c->object);
	if (t->borrower)
		sched_recall(t);
	let_go(t);
	t->own_context = c;
	c->home = t;
	if (t->context)
		return; /* what was lent to it; its own comes after */
	t->context = c;
	c->user = t;
	look_again(t, clock_now());
}

void sched_unbind(struct sched_context *c)
{
	struct thread *t = c->home;
	uint64_t now = clock_now();

	if (t->borrower)
		sched_recall(t);
	sched_charge(c, now);
	let_go(t);
	look_again(t, now);
	object_drop(&c->object);
}
