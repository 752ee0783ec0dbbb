/* schedctx.c: see schedctx.h and sched.h: contexts in use: charged, run out, filled
 * again, lent and taken back. What their capabilities do: schedcontrol.c. */
#include "kernel/schedctx.h"

#include "kernel/arch/x86_64/clock.h"
#include "kernel/endpoint.h"
#include "kernel/notification.h"
#include "kernel/panic.h"
#include "kernel/revoker.h"
#include "kernel/ring.h"
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
	if (!sched_has_time(t))
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
static void seek_help(struct thread *t);

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
	else if (c->user && c->user->state == THREAD_WAITING)
		sched_lend(endpoint_call_of(c->user));
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
		seek_help(t);
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

/* Who would go on if `t` could: what it lent is there. */
static struct thread *last_borrower(struct thread *t)
{
	while (t->borrower)
		t = t->borrower;
	return t;
}

/* It goes on with its own, if it has one. */
static void take_from(struct thread *t)
{
	t->lender = NULL;
	t->borrower = NULL;
	t->lent_for = NULL;
	t->context = t->own_context;
	if (t->own_context)
		t->own_context->user = t;
}

/* `t` has again what it lent. */
static void take_back(struct thread *t)
{
	struct thread *last = last_borrower(t);
	struct sched_context *c = last->context;

	for (struct thread *b = t->borrower, *next; b; b = next) {
		next = b->borrower;
		take_from(b);
	}
	KASSERT(c);
	t->borrower = NULL;
	t->lent_for = NULL;
	t->context = c;
	c->user = t;
	if (last != this_cpu->current)
		look_again(last, clock_now());
}

/* Who serves the call, or will have to before anybody else can. */
static struct thread *server_of(const struct pending *call)
{
	const struct facet *facet = call->call.facet;
	struct thread *server = call->call.server;

	if (!server && facet) /* NULL: the call is about to end */
		server = facet->endpoint->server;
	return server && server->state != THREAD_ENDED ? server : NULL;
}

/* True: `to` can take a context. One that has lent what it had, or works on what it
 * was lent, can if that has run out of time: then all of it goes back first. */
static bool make_room(struct thread *to)
{
	if (!to->lender && !to->borrower)
		return true;
	if (sched_has_time(last_borrower(to)))
		return false;
	while (to->lender)
		to = to->lender;
	take_back(to);
	return true;
}

/* Whom it went to; NULL: it did not. Who is out of time lends nothing: a server that
 * has a context of its own goes on with that, and go_on() lends when there is more. A
 * call that nobody has received is not the server's work yet: only one that is out of
 * time is helped along. No circle comes about: who waits for `from`, directly or not,
 * has `from` for its last borrower, and that has time; or lent nothing. */
static struct thread *lend(struct pending *call)
{
	struct thread *from = call->thread, *to = server_of(call);

	if (!to || to == from || !sched_has_time(from))
		return NULL;
	if (!call->call.server && sched_has_time(last_borrower(to)))
		return NULL;
	if (!make_room(to) || !sched_has_time(from))
		return NULL;
	sched_donate(from, to, call);
	if (to != this_cpu->current)
		look_again(to, clock_now());
	return to;
}

void sched_lend(struct pending *call)
{
	while (call) {
		struct thread *to = lend(call);

		call = to && to->state == THREAD_WAITING ? endpoint_call_of(to) : NULL;
	}
}

/* `t`, or who waits for it, stopped for want of time: whoever waits for one of them
 * to receive its call may help. */
static void seek_help(struct thread *t)
{
	for (; t && !sched_has_time(last_borrower(t)); t = t->lender) {
		struct pending *call = t->serves ? t->serves->calls.head : NULL;

		while (call && (call->thread->state != THREAD_WAITING ||
		                !sched_has_time(call->thread)))
			call = call->next;
		if (call)
			sched_lend(call);
	}
}

void sched_recall(struct thread *t)
{
	struct thread *first = t->borrower, *last;

	if (!first)
		return;
	last = last_borrower(t);
	take_back(t);
	seek_help(first);
	seek_help(last);
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
	const struct thread *maker = ring_asker();

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
	seek_help(t);
	object_drop(&c->object);
}

void sched_succeed(struct thread *from, struct thread *to)
{
	struct sched_context *c = from->own_context;

	KASSERT(c);
	if (c == &from->first)
		return;
	object_hold(&c->object);
	sched_unbind(c);
	sched_bind(c, to);
	object_drop(&c->object);
}
