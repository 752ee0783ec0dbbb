/* sched_ipc.c: on whose time servers work. Each server here is passive but for one
 * test: it has no context of its own, and runs on what its callers lend it. */
#include "test/boot/native/sched_cast.h"

#define LITTLE (MS / 10)

enum { FIRST, SECOND, A, B };

static void start_client(unsigned i, uint32_t facet, uint64_t budget, uint64_t timeout)
{
	start_client_at(i, facet, budget, timeout, PRIORITY);
}

/* -- what holds -------------------------------------------------------------------------- */

static void the_caller_pays(void)
{
	uint64_t before;
	uint32_t facet;

	start_server(FIRST, 0);
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	CHECK(&check, stands(&workers[FIRST]));
	before = query(workers[FIRST].context).consumed;
	start_client(A, facet, 0, 0);
	CHECK(&check, until_moves(&workers[FIRST]));
	nap(20 * MS);
	CHECK(&check, query(workers[A].context).consumed > 5 * MS);
	CHECK(&check, query(workers[FIRST].context).consumed == before);
	actors[FIRST].hold = 0;
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, actors[A].status == STATUS_OK);
	until_state(&workers[FIRST], THREAD_STATE_WAITING);
	end_worker(&workers[A]);
	end_server(FIRST);
	release(facet);
}

/* Who does not wait any longer takes its time along; and brings it again. */
static void the_impatient_take_their_time_back(void)
{
	uint32_t facet;

	start_server(FIRST, 0);
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_client(A, facet, 0, SHORT);
	CHECK(&check, until(&actors[A].gave_up, 1));
	CHECK(&check, until_moves(&workers[A]));
	CHECK(&check, stands(&workers[FIRST]));
	workers[A].parked = 0; /* it waits again */
	CHECK(&check, until_moves(&workers[FIRST]));
	actors[FIRST].hold = 0;
	CHECK(&check, until(&actors[A].answers, 1));
	end_worker(&workers[A]);
	end_server(FIRST);
	release(facet);
}

/* The caller dies, or its budget ends, in the middle of the call: the next caller
 * does not wait for ever. `chain`: the server waits for another one. `early`: the
 * next caller is there already. */
static void somebody_else_helps(bool chain, bool dies, bool early)
{
	unsigned last = chain ? SECOND : FIRST;
	uint32_t facet, inner = 0;

	if (chain) {
		start_server(SECOND, 0);
		inner = made(actors[SECOND].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	}
	start_server(FIRST, inner);
	actors[FIRST].hold = !chain;
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_client(A, facet, dies ? 0 : SHORT, 0);
	CHECK(&check, until_moves(&workers[last]));
	if (early)
		start_client(B, facet, 0, 0);
	if (dies) {
		end_worker(&workers[A]);
	} else {
		for (unsigned i = 0; i < 5000 && !query(workers[A].context).exhausted; i++)
			nap(MS);
		CHECK(&check, query(workers[A].context).exhausted == 1);
	}
	if (!early) {
		CHECK(&check, stands(&workers[last]));
		start_client(B, facet, 0, 0);
	}
	CHECK(&check, until_moves(&workers[last]));
	actors[last].hold = 0;
	CHECK(&check, until(&actors[B].answers, 1));
	CHECK(&check, actors[B].status == STATUS_OK);
	CHECK(&check, actors[FIRST].served == 2);
	if (!dies) {
		until_state(&workers[A], THREAD_STATE_READY); /* answered; it has no time */
		OK(configure(workers[A].context, SHORT, 0, PRIORITY));
		CHECK(&check, until(&actors[A].answers, 1));
		CHECK(&check, actors[A].status == STATUS_OK);
		end_worker(&workers[A]);
	}
	end_worker(&workers[B]);
	end_server(FIRST);
	release(facet);
	if (chain) {
		end_server(SECOND);
		release(inner);
	}
}

static void of_the_dead(void)
{
	somebody_else_helps(false, true, false);
	somebody_else_helps(false, true, true);
}

static void of_the_exhausted(void)
{
	somebody_else_helps(false, false, false);
	somebody_else_helps(false, false, true);
}

static void down_the_chain(void)
{
	for (unsigned i = 0; i < 4; i++)
		somebody_else_helps(true, i & 1, i & 2);
}

/* A server with time of its own does not stop when its caller's has run out. */
static void its_own_is_there_after_the_callers(void)
{
	uint32_t facet;

	start_server(FIRST, 0);
	OK(bind(workers[FIRST].context, workers[FIRST].thread));
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_client(A, facet, SHORT, 0);
	for (unsigned i = 0; i < 5000 && !query(workers[A].context).exhausted; i++)
		nap(MS);
	CHECK(&check, query(workers[A].context).exhausted == 1);
	CHECK(&check, until_moves(&workers[FIRST]));
	actors[FIRST].hold = 0;
	until_state(&workers[FIRST], THREAD_STATE_WAITING);
	CHECK(&check, actors[FIRST].served == 1);
	end_worker(&workers[A]);
	end_server(FIRST);
	release(facet);
}

/* The caller has nothing left when its call is received: the server has what it has. */
static void nothing_is_not_lent(void)
{
	struct worker *w;
	uint32_t facet;

	start_server(FIRST, 0);
	OK(bind(workers[FIRST].context, workers[FIRST].thread));
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_client(B, facet, 0, 0); /* keeps the server at work */
	CHECK(&check, until_moves(&workers[FIRST]));
	w = act(A, client);
	actors[A].facet = facet;
	actors[A].timeout = SHORT; /* then it works until `parked` is 0, and waits again */
	w->parked = 1;
	OK(create_context(control, LONG / 2, LONG, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	CHECK(&check, until(&actors[A].gave_up, 1) && until_moves(w));
	w->parked = 0;
	until_state(w, THREAD_STATE_WAITING);
	OK(configure(w->context, LITTLE, LONG, PRIORITY)); /* less than it has used */
	CHECK(&check, query(w->context).remaining == 0);
	CHECK(&check, thread_state(w->thread) == THREAD_STATE_WAITING);
	actors[FIRST].hold = 0;
	CHECK(&check, until(&actors[FIRST].served, 2));
	CHECK(&check, until(&actors[B].answers, 1));
	end_worker(&workers[A]);
	end_worker(&workers[B]);
	end_server(FIRST);
	release(facet);
}

/* Killed while it works on lent time, whoever lent it. */
static void a_server_dies(void)
{
	uint32_t facet, inner;

	start_server(SECOND, 0);
	inner = made(actors[SECOND].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_server(FIRST, inner);
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_client(A, facet, 0, 0);
	CHECK(&check, until_moves(&workers[SECOND]));
	end_server(FIRST); /* in the middle of the chain */
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, actors[A].status == STATUS_GONE);
	CHECK(&check, stands(&workers[SECOND]));
	end_worker(&workers[A]);
	start_client(A, inner, 0, 0); /* and its end, which is helped first */
	CHECK(&check, until_moves(&workers[SECOND]));
	end_server(SECOND);
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, actors[A].status == STATUS_GONE);
	end_worker(&workers[A]);
	release(facet);
	release(inner);
}

/* What is lent is unbound, and what is bound comes to who has lent, in the midst of
 * it all. */
static void contexts_change_hands(void)
{
	uint32_t facet, inner, other;
	uint64_t before;

	start_server(SECOND, 0);
	inner = made(actors[SECOND].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_server(FIRST, inner);
	actors[FIRST].hold = 0;
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_client(A, facet, 0, 0);
	CHECK(&check, until_moves(&workers[SECOND]));
	for (unsigned i = 0; i < 3; i++) {
		OK(unbind(workers[A].context));
		CHECK(&check, stands(&workers[SECOND]));
		if (i == 1) { /* it is nobody's now */
			release(workers[A].context);
			OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY,
			                  &workers[A].context));
		}
		OK(bind(workers[A].context, workers[A].thread));
		CHECK(&check, until_moves(&workers[SECOND]));
	}
	OK(bind(workers[FIRST].context, workers[FIRST].thread));
	before = query(workers[FIRST].context).consumed;
	CHECK(&check, until_moves(&workers[SECOND])); /* on A's, still */
	CHECK(&check, query(workers[FIRST].context).consumed == before);
	OK(unbind(workers[A].context)); /* on FIRST's */
	CHECK(&check, until_moves(&workers[SECOND]));
	OK(unbind(workers[FIRST].context));
	CHECK(&check, stands(&workers[SECOND]));
	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY, &other));
	OK(bind(other, workers[FIRST].thread));
	CHECK(&check, until_moves(&workers[SECOND]));
	OK(unbind(other));
	release(other);
	OK(bind(workers[A].context, workers[A].thread));
	actors[SECOND].hold = 0;
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, actors[A].status == STATUS_OK);
	end_worker(&workers[A]);
	end_server(FIRST);
	end_server(SECOND);
	release(facet);
	release(inner);
}

/* -- a server that never answers ---------------------------------------------------------- */

static struct {
	uint32_t event; /* told of the budget's end, and bound to the caller's ring; or 0 */
	bool goes_on;   /* waits again once it is told; else it takes its call back */
	volatile enum status told, answer;
	volatile uint32_t tellings;
} careful;

static void hear_here(struct ring *ring)
{
	struct ring_call call = {
		.cap = careful.event,
		.interface = NOTIFICATION_ID,
		.method = NOTIFICATION_BIND,
		.params = ring->area,
	};
	struct capnp_builder b;

	capnp_builder_start(&b, ring->area, sizeof ring->area);
	notification_bind_params_set_user_data(notification_bind_params_build(&b), 7);
	call.params_size = (uint32_t)capnp_builder_size(&b);
	careful.answer = ring_call(ring, &call);
}

/* True: the call's completion was there. */
static bool look(struct ring *ring)
{
	const struct ring_cqe *cqe;
	bool found = false;

	for (; (cqe = ring_first(ring)) != NULL; ring_consume(ring)) {
		if (cqe->flags & RING_POSTED || cqe->user_data != 0)
			continue;
		careful.answer = (enum status)cqe->status;
		found = true;
	}
	return found;
}

_Noreturn static void careful_client(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_sqe *e;

	if (careful.event)
		hear_here(ring);
	e = entry(ring, RING_CALL, a->facet);
	e->interface = INTERFACE;
	e->params = (uintptr_t)a->outbox;
	e->params_size = sizeof a->outbox;
	ring_push(ring);
	careful.told = ring_enter(1, RING_FOREVER);
	while (!look(ring)) {
		careful.tellings++;
		if (!careful.goes_on)
			cancel(ring);
		(void)!ring_enter(1, RING_FOREVER);
	}
	a->answers++;
	ring_exit(0);
}

static struct worker *start_careful(uint32_t facet, uint64_t budget, uint64_t period)
{
	struct worker *w = act(A, careful_client);

	actors[A].facet = facet;
	careful.told = careful.answer = STATUS_COUNT;
	careful.tellings = 0;
	OK(create_context(control, budget, period, PRIORITY, &w->context));
	if (careful.event)
		OK(notify(w->context, careful.event, 1));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	return w;
}

/* What it had is used up for good by a server that spins: whoever gives it more finds it
 * ready to go on, not waiting for that server. `goes_on`: it waits again, which lends
 * what it was given. */
static void told_of_the_end(bool goes_on)
{
	struct worker *w;
	uint32_t facet;

	careful.goes_on = goes_on;
	start_server(FIRST, 0);
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	w = start_careful(facet, SHORT, 0);
	for (unsigned i = 0; i < 5000 && !query(w->context).exhausted; i++)
		nap(MS);
	CHECK(&check, query(w->context).exhausted == 1);
	until_state(w, THREAD_STATE_READY);
	CHECK(&check, careful.told == STATUS_COUNT); /* it has no time to hear of it */
	CHECK(&check, stands(&workers[FIRST]));
	OK(configure(w->context, LONG, 0, PRIORITY));
	CHECK(&check, until(&careful.tellings, 1));
	CHECK(&check, careful.told == STATUS_BUDGET);
	if (goes_on) {
		CHECK(&check, until_moves(&workers[FIRST]));
		actors[FIRST].hold = 0;
	}
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, careful.answer == (goes_on ? STATUS_OK : STATUS_CANCELLED));
	CHECK(&check, goes_on || stands(&workers[FIRST]));
	end_worker(w);
	end_server(FIRST);
	release(facet);
}

static void a_budget_ends_for_good(void)
{
	told_of_the_end(false);
	told_of_the_end(true);
}

/* With a period, the server would have all of every period. The caller has asked to
 * hear of each end on its own ring, and so does not wait for ever. */
static void a_budget_ends_again_and_again(void)
{
	struct worker *w;
	uint32_t facet;

	careful.goes_on = false;
	careful.event = notification();
	start_server(FIRST, 0);
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	w = start_careful(facet, SHORT, 5 * SHORT);
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, careful.told == STATUS_OK); /* a completion was there */
	CHECK(&check, careful.tellings >= 1);
	CHECK(&check, careful.answer == STATUS_CANCELLED);
	CHECK(&check, query(w->context).exhausted >= 1);
	CHECK(&check, stands(&workers[FIRST]));
	end_worker(w);
	end_server(FIRST);
	release(facet);
	release(careful.event);
	careful.event = 0;
}

/* A caller's little budget ends while its server waits for another, a passive one. The
 * server has time of its own: that one goes on with it. */
static void its_own_is_there_for_others(uint64_t period)
{
	struct worker *w;
	uint32_t facet, inner;

	start_server(SECOND, 0);
	inner = made(actors[SECOND].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	start_server(FIRST, inner);
	OK(bind(workers[FIRST].context, workers[FIRST].thread));
	actors[FIRST].hold = 0;
	facet = made(actors[FIRST].endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	w = act(A, client);
	actors[A].facet = facet;
	OK(create_context(control, SHORT, period, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	for (unsigned i = 0; i < 5000 && !query(w->context).exhausted; i++)
		nap(MS);
	CHECK(&check, query(w->context).exhausted == 1);
	CHECK(&check, until_moves(&workers[SECOND]));
	actors[SECOND].hold = 0;
	CHECK(&check, until(&actors[FIRST].served, 1));
	end_worker(w);
	end_server(FIRST);
	end_server(SECOND);
	release(facet);
	release(inner);
}

static void down_the_chain_too(void)
{
	its_own_is_there_for_others(0);
	its_own_is_there_for_others(LONG);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		the_caller_pays, the_impatient_take_their_time_back, of_the_dead,
		of_the_exhausted, down_the_chain, its_own_is_there_after_the_callers,
		nothing_is_not_lent, a_server_dies, contexts_change_hands,
		a_budget_ends_for_good, a_budget_ends_again_and_again, down_the_chain_too,
	};

	start_sched(given, "sched_ipc");
	rule(TOP);
	run(steps, sizeof steps / sizeof steps[0]);
}
