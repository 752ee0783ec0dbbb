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
static void out_of_time(struct thread *t, bool for_good);
static void help_up(struct thread *t);

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

void sched_run_out(struct sched_context *c, uint64_t now)
{
	wait_for_more(c, now);
	c->exhaustions++;
	if (c->user)
		out_of_time(c->user, !timeout_is_set(&c->refill));
	sched_context_signal(c);
}

void sched_charge(struct sched_context *c, uint64_t now)
{
	struct thread *t = c->user;

	if (t && t->state == THREAD_RUNNING && cpus[t->cpu]->context == c)
		sched_clock_charge(cpus[t->cpu], now);
}

uint64_t sched_pay(const struct thread *t)
{
	uint64_t now = clock_now();

	if (this_cpu->context)
		sched_clock_charge(this_cpu->self, now);
	if (t->context)
		sched_charge(t->context, now);
	return now;
}

void sched_paid(struct thread *t, uint64_t since)
{
	struct sched_context *c = t->context;
	uint64_t now = clock_now();

	if (t == this_cpu->current)
		return; /* its own clock runs */
	if (this_cpu->context && this_cpu->since < now)
		this_cpu->since = now;
	if (!c || t->state != THREAD_RUNNING || now <= since)
		return;
	c->consumed += now - since;
	budget_charge(&c->budget, since, now);
	if (!budget_run(&c->budget, now))
		stop_elsewhere(t, now);
}

void sched_changed(struct sched_context *c, uint64_t now)
{
	if (!budget_run(&c->budget, now))
		wait_for_more(c, now);
	else if (c->exhausted)
		go_on(c);
	if (!c->user)
		return;
	look_again(c->user, now);
	help_up(c->user);
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

/* Who works on what `to` has; NULL: the line is too long. */
static struct thread *last_of_few(struct thread *to)
{
	for (unsigned n = 0; n < SCHED_LENDERS; n++, to = to->borrower)
		if (!to->borrower)
			return to;
	return NULL;
}

/* True: `to` has no time, or works on another's of lower priority, or has not lent
 * and works on its own, for this very call. */
static bool takes(struct thread *to, const struct pending *call)
{
	const struct thread *last = last_of_few(to);

	if (!last)
		return false;
	if (!sched_has_time(last) || sched_priority(call->thread) > sched_priority(last))
		return true;
	return call->call.server && !to->lender && !to->borrower;
}

/* Whom it went to; NULL: it did not. What `to` was lent, or lent itself, goes back
 * first. Who is out of time lends nothing: a server that has a context of its own goes
 * on with that, and go_on() lends when there is more. No circle comes about: who waits
 * for `from`, directly or not, has `from` for its last borrower, whose priority is not
 * above itself; or lent nothing. */
static struct thread *lend(struct pending *call)
{
	struct thread *from = call->thread, *to = server_of(call);

	if (!to || to == from || !sched_has_time(from) || !takes(to, call))
		return NULL;
	if (to->lender)
		take_back(to->lender);
	else if (to->borrower)
		take_back(to);
	if (!call->call.server)
		endpoint_raise_call(call, sched_priority(from));
	sched_donate(from, to, call);
	if (to != this_cpu->current)
		look_again(to, clock_now());
	return to;
}

void sched_lend(struct pending *call)
{
	for (unsigned n = 0; call && n < SCHED_LENDERS; n++) {
		struct thread *to = lend(call);

		call = to && to->state == THREAD_WAITING ? endpoint_call_of(to) : NULL;
	}
}

static bool could_lend(const struct pending *call, const struct thread *but)
{
	const struct thread *t = call->thread;

	return t != but && t->state == THREAD_WAITING && sched_has_time(t) &&
	       endpoint_call_of(t) == call;
}

static void prefer(struct pending **best, struct pending *call)
{
	if (!*best || sched_priority(call->thread) > sched_priority((*best)->thread))
		*best = call;
}

/* Whose context `t` should have, of those who wait for it, `but` not, which waits no
 * more; NULL: nobody's. */
static struct pending *best_caller(const struct thread *t, const struct thread *but)
{
	struct pending *best = NULL, *call;
	unsigned endpoints = 0;

	for (unsigned slots = t->slots_used; slots; slots &= slots - 1) {
		call = t->served[__builtin_ctz(slots)].call;
		if (call && call != SERVED_GONE && could_lend(call, but))
			prefer(&best, call);
	}
	for (struct link *l = t->serves.prev; l != &t->serves && endpoints < SCHED_LENDERS;
	     l = l->prev, endpoints++) {
		call = link_owner(l, struct endpoint, served)->calls.head;
		while (call && !could_lend(call, but))
			call = call->next;
		if (call)
			prefer(&best, call);
	}
	return best;
}

static void help(struct thread *t, const struct thread *but)
{
	sched_lend(best_caller(t, but));
	if (t->state == THREAD_WAITING)
		sched_lend(endpoint_call_of(t));
}

void sched_help(struct thread *t)
{
	help(t, NULL);
}

/* It, and whose time it works on. */
static void help_up(struct thread *t)
{
	for (unsigned n = 0; t && n < SCHED_LENDERS; n++) {
		struct thread *lender = t->lender;

		sched_help(t);
		t = lender;
	}
}

/* What it works on is used up. A server that has a context of its own goes on with
 * that, and so do those who work for it. Who lent what will never come back waits no
 * more: there is nothing to wait with. */
static void out_of_time(struct thread *t, bool for_good)
{
	struct thread *lender = t->lender;

	sched_dequeue(t);
	for (struct thread *u = t; lender && (for_good ? lender->lender != NULL : !u->own_context);
	     lender = u->lender)
		u = lender;
	if (lender && for_good)
		thread_wake(lender, STATUS_BUDGET);
	else if (lender)
		sched_recall(lender);
	help_up(lender ? lender : t);
}

/* Those who had it may be lent something else. */
void sched_recall(struct thread *t)
{
	struct thread *had[SCHED_LENDERS];
	unsigned n = 0;

	for (struct thread *b = t->borrower; b; b = b->borrower)
		had[n < SCHED_LENDERS ? n++ : n - 1] = b;
	if (n == 0)
		return;
	take_back(t);
	for (unsigned i = 0; i < n; i++)
		help(had[i], t);
}

void sched_give_back(struct pending *call)
{
	if (call->thread->lent_for == call)
		sched_recall(call->thread);
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
	sched_recall(t);
	let_go(t);
	t->own_context = c;
	c->home = t;
	if (!t->context) { /* else what was lent to it; its own comes after */
		t->context = c;
		c->user = t;
		look_again(t, clock_now());
	}
	sched_help(t);
}

void sched_unbind(struct sched_context *c)
{
	struct thread *t = c->home;
	uint64_t now = clock_now();

	sched_recall(t);
	sched_charge(c, now);
	let_go(t);
	look_again(t, now);
	help_up(t);
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
