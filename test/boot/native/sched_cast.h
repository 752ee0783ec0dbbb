/* sched_cast.h: servers and clients for the programs that test on whose time, and how
 * urgently, servers work. A client asks once and ends; a server works on each call for
 * as long as it is told to, or asks another one. */
#pragma once

#include "test/boot/native/sched.h"

#include "abi/endpoint.capnp.h"

#define INTERFACE 0x5eed5eed5eed5eedull
#include "test/boot/native/made.h"
#define SHORT (20 * MS)
#define LONG (20000 * MS)

enum { PRIORITY = 40, TOP = 50, MESSAGE = 8, ORDER = 8 };

/* What a server or a client tells, and is told. */
struct actor {
	uint32_t endpoint; /* servers: where they receive */
	uint32_t facet;    /* clients, and servers that ask another one */
	uint32_t before;   /* servers: where they receive one call first; or 0 */
	uint64_t timeout;  /* clients: of the first wait */
	bool cancels;      /* clients: their call, after the first wait */
	volatile uint32_t hold; /* servers: work until this is 0 */
	volatile uint32_t served, answers, gave_up;
	volatile enum status status;
	volatile uint64_t who[ORDER]; /* servers: whose calls came, first to last */
	uint64_t inbox[4 + MESSAGE], outbox[MESSAGE]; /* a header first */
};

static struct actor actors[WORKERS];

static struct ring_sqe *entry(struct ring *ring, enum ring_op op, uint32_t cap)
{
	struct ring_sqe *e = ring_next(ring);

	*e = (struct ring_sqe){ .op = (uint8_t)op, .cap = cap };
	return e;
}

static void cancel(struct ring *ring)
{
	entry(ring, RING_CANCEL, 0)->user_data = 1; /* target 0: the call */
	ring_push(ring);
}

/* The caller gives up waiting once, if it has a timeout, and waits again when its
 * worker's `parked` is 0. */
static void ask(struct actor *a, struct worker *w, struct ring *ring)
{
	struct ring_sqe *e = entry(ring, RING_CALL, a->facet);
	const struct ring_cqe *cqe;
	uint64_t timeout = a->timeout ? a->timeout : RING_FOREVER;

	e->interface = INTERFACE;
	a->outbox[0] = (uint64_t)(w - workers);
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
		if (a->cancels)
			cancel(ring);
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
		bool first = s->before && s->served == 0 && token == 0;
		struct ring_sqe *e = entry(ring, RING_SERVE, first ? s->before : s->endpoint);

		e->token = token;
		e->results = (uintptr_t)s->inbox;
		e->results_size = sizeof s->inbox;
		e->params = (uintptr_t)s->outbox;
		e->params_size = sizeof s->outbox;
		ring_push(ring);
		(void)!ring_enter(1, RING_FOREVER);
		if (ring_done(ring) == NULL)
			ring_exit(1);
		token = ((struct ring_received *)s->inbox)->token;
		s->who[s->served % ORDER] = s->inbox[4];
		if (first) {
			s->served++;
			continue;
		}
		if (s->facet)
			ask(s, &workers[which], ring);
		while (s->hold)
			workers[which].count++;
		s->served++;
	}
}

/* -- the cast --------------------------------------------------------------------------- */

static struct worker *act(unsigned i, void (*role)(uint64_t, struct ring *))
{
	struct worker *w = make_worker_at(i, role);

	actors[i].status = STATUS_COUNT;
	actors[i].served = actors[i].answers = actors[i].gave_up = 0;
	return w;
}

static uint32_t new_endpoint(void)
{
	return made(native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
}

/* A server that waits for calls. `next`: whom it asks itself. */
static void start_active_server(unsigned i, uint32_t endpoint, uint32_t next, uint32_t priority)
{
	struct worker *w = act(i, server);

	actors[i].endpoint = endpoint;
	actors[i].facet = next;
	actors[i].hold = 1;
	OK(create_context(control, SCHEDULING_INFINITE, 0, priority, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
}

/* The same without a context. */
static inline void start_server(unsigned i, uint32_t next)
{
	start_active_server(i, new_endpoint(), next, PRIORITY);
	OK(unbind(workers[i].context));
}

/* Budget 0: without limit. */
static inline void start_client_at(unsigned i, uint32_t facet, uint64_t budget, uint64_t timeout,
                            uint32_t priority)
{
	struct worker *w = act(i, client);

	actors[i].facet = facet;
	actors[i].timeout = timeout;
	w->parked = 1;
	OK(create_context(control, budget ? budget : SCHEDULING_INFINITE, 0, priority,
	                  &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
}

static inline void end_server(unsigned i)
{
	end_worker(&workers[i]);
	release(actors[i].endpoint);
	actors[i] = (struct actor){ .endpoint = 0 };
}

static inline bool until(volatile uint32_t *value, uint32_t least)
{
	for (unsigned i = 0; i < 5000 && *value < least; i++)
		nap(MS);
	return *value >= least;
}

/* It stands, and stays so: after what another processor still has to hear of. */
static inline bool stands(const struct worker *w)
{
	for (unsigned i = 0; i < 300; i++)
		if (!moves(w, 20 * MS) && !moves(w, 20 * MS))
			return true;
	return false;
}
