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

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		the_caller_pays, the_impatient_take_their_time_back, of_the_dead,
		of_the_exhausted, down_the_chain, its_own_is_there_after_the_callers,
		nothing_is_not_lent, a_server_dies,
	};

	start_sched(given, "sched_ipc");
	rule(TOP);
	run(steps, sizeof steps / sizeof steps[0]);
}
