/* sched_ipc.c: on whose time servers work. Each server here is passive but for one
 * test: it has no context of its own, and runs on what its callers lend it. */
#include "test/boot/native/sched.h"

#include "abi/endpoint.capnp.h"

#define INTERFACE 0x5eed5eed5eed5eedull
#define SHORT (20 * MS)
#define LONG (20000 * MS)
#define LITTLE (MS / 10)

enum { FIRST, SECOND, A, B, PRIORITY = 40, TOP = 50, MESSAGE = 8 };

/* What a server or a client tells, and is told. */
struct actor {
	uint32_t endpoint; /* servers: where they receive */
	uint32_t facet;    /* clients, and servers that ask another one */
	uint64_t timeout;  /* clients: of the first wait */
	volatile uint32_t hold; /* servers: work until this is 0 */
	volatile uint32_t served, answers, gave_up;
	volatile enum status status;
	uint64_t inbox[MESSAGE], outbox[MESSAGE];
};

static struct actor actors[WORKERS];

static struct ring_sqe *entry(struct ring *ring, enum ring_op op, uint32_t cap)
{
	struct ring_sqe *e = ring_next(ring);

	*e = (struct ring_sqe){ .op = (uint8_t)op, .cap = cap };
	return e;
}

/* The caller gives up waiting once, if it has a timeout, and waits again when its
 * worker's `parked` is 0. */
static void ask(struct actor *a, struct worker *w, struct ring *ring)
{
	struct ring_sqe *e = entry(ring, RING_CALL, a->facet);
	const struct ring_cqe *cqe;
	uint64_t timeout = a->timeout ? a->timeout : RING_FOREVER;

	e->interface = INTERFACE;
	e->params = (uintptr_t)a->outbox;
	e->params_size = sizeof a->outbox;
	e->results = (uintptr_t)a->outbox;
	e->results_size = sizeof a->outbox;
	ring_push(ring);
	while (ring_enter(1, timeout) == STATUS_TIMEOUT) {
		a->gave_up++;
		while (w->parked)
			w->count++;
		timeout = RING_FOREVER;
	}
	cqe = ring_done(ring);
	a->status = cqe ? (enum status)cqe->status : STATUS_COUNT;
	a->answers++;
}

_Noreturn static void client(uint64_t which, struct ring *ring)
{
	ask(&actors[which], &workers[which], ring);
	ring_exit(0);
}

_Noreturn static void server(uint64_t which, struct ring *ring)
{
	struct actor *s = &actors[which];
	uint64_t token = 0;

	for (;;) {
		struct ring_sqe *e = entry(ring, RING_SERVE, s->endpoint);

		e->token = token;
		e->results = (uintptr_t)s->inbox;
		e->results_size = sizeof s->inbox + sizeof(struct ring_received);
		e->params = (uintptr_t)s->outbox;
		e->params_size = sizeof s->outbox;
		ring_push(ring);
		(void)!ring_enter(1, RING_FOREVER);
		if (ring_done(ring) == NULL)
			ring_exit(1);
		token = ((struct ring_received *)s->inbox)->token;
		if (s->facet)
			ask(s, &workers[which], ring);
		while (s->hold)
			workers[which].count++;
		s->served++;
	}
}

/* -- the cast --------------------------------------------------------------------------- */

static uint32_t made(uint32_t cap, uint64_t interface, uint16_t method)
{
	struct native_call call;

	native_call(&call, self, cap, interface, method);
	if (interface == ENDPOINT_ID)
		endpoint_facet_params_set_interface(endpoint_facet_params_build(&call.params),
		                                    INTERFACE);
	else
		(void)ledger_endpoint_params_build(&call.params);
	OK(native_send(&call));
	return call.caps[0];
}

static struct worker *act(unsigned i, void (*role)(uint64_t, struct ring *))
{
	struct worker *w = make_worker_at(i, role);

	actors[i].status = STATUS_COUNT;
	actors[i].served = actors[i].answers = actors[i].gave_up = 0;
	return w;
}

/* A server that waits for calls, without a context. `next`: whom it asks itself. */
static void start_server(unsigned i, uint32_t next)
{
	struct worker *w = act(i, server);

	actors[i].endpoint = made(native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	actors[i].facet = next;
	actors[i].hold = 1;
	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
	OK(unbind(w->context));
}

/* Budget 0: without limit. */
static void start_client(unsigned i, uint32_t facet, uint64_t budget, uint64_t timeout)
{
	struct worker *w = act(i, client);

	actors[i].facet = facet;
	actors[i].timeout = timeout;
	w->parked = 1;
	OK(create_context(control, budget ? budget : SCHEDULING_INFINITE, 0, PRIORITY,
	                  &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
}

static void end_server(unsigned i)
{
	end_worker(&workers[i]);
	release(actors[i].endpoint);
	actors[i] = (struct actor){ .endpoint = 0 };
}

static bool until(volatile uint32_t *value, uint32_t least)
{
	for (unsigned i = 0; i < 5000 && *value < least; i++)
		nap(MS);
	return *value >= least;
}

static bool until_moves(const struct worker *w)
{
	for (unsigned i = 0; i < 1000; i++)
		if (moves(w, 5 * MS))
			return true;
	return false;
}

/* It stands, and stays so. */
static bool stands(const struct worker *w)
{
	for (unsigned i = 0; i < 1000; i++)
		if (!moves(w, 20 * MS))
			return !moves(w, 20 * MS);
	return false;
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
