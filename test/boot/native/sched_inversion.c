/* sched_inversion.c: who is urgent does not wait for whoever is not. Low, middle, high:
 * a server works for a low caller, those in the middle take all processors, and a high
 * one calls: its call waits, and the server works on the high one's time and at its
 * priority, for as long as that waits and no longer. Nothing here moves without. */
#define SCHED_WORKERS 50
#include "test/boot/native/sched_cast.h"

enum {
	FIRST, SECOND, A, B, C, D,
	HOG, HOGS = 4, /* as many as there are processors, or more */
	LINE = HOG + HOGS, LONGEST = WORKERS - LINE, FOLLOWED = 32,
	LOW = 10, LOWER = 20, MIDDLE = 30, HIGHER = 35, HIGH = 40,
};

static uint32_t facet, inner;

static void start_hogs(void)
{
	for (unsigned i = HOG; i < HOG + HOGS; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, MIDDLE);
}

static void end_hogs(void)
{
	for (unsigned i = HOG; i < HOG + HOGS; i++)
		end_worker(&workers[i]);
}

static uint32_t facet_of(uint32_t endpoint)
{
	return made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
}

/* FIRST works for A and is held up; `chain`: SECOND is, which FIRST has asked. */
static unsigned low_and_middle(bool chain)
{
	unsigned last = chain ? SECOND : FIRST;

	if (chain) {
		start_active_server(SECOND, new_endpoint(), 0, LOW);
		inner = facet_of(actors[SECOND].endpoint);
	}
	start_active_server(FIRST, new_endpoint(), chain ? inner : 0, LOW);
	actors[FIRST].hold = !chain;
	facet = facet_of(actors[FIRST].endpoint);
	start_client_at(A, facet, 0, 0, LOW);
	CHECK(&check, until_moves(&workers[last]));
	start_hogs();
	CHECK(&check, stands(&workers[last]));
	return last;
}

static void end_all(bool chain)
{
	end_hogs();
	end_worker(&workers[A]);
	end_server(FIRST);
	release(facet);
	if (chain) {
		end_server(SECOND);
		release(inner);
	}
}

static bool pays(unsigned client)
{
	for (unsigned i = 0; i < 1000 && query(workers[client].context).consumed < MS; i++)
		nap(MS);
	return query(workers[client].context).consumed >= MS;
}

/* Whom the high one waits for goes on at once; and it gets its answer. */
static void the_high_is_served(bool chain, bool passive)
{
	unsigned last = low_and_middle(chain);

	if (passive)
		OK(unbind(workers[last].context));
	start_client_at(B, facet, 0, 0, HIGH);
	CHECK(&check, until_moves(&workers[last]));
	CHECK(&check, pays(B));
	actors[last].hold = 0;
	CHECK(&check, until(&actors[B].answers, 1));
	CHECK(&check, actors[B].status == STATUS_OK);
	CHECK(&check, actors[FIRST].who[0] == A && actors[FIRST].who[1] == B);
	end_hogs();
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, actors[A].status == STATUS_OK);
	start_hogs();
	end_worker(&workers[B]);
	end_all(chain);
}

static void one_server(void)
{
	the_high_is_served(false, false);
	the_high_is_served(false, true);
}

static void a_chain_of_servers(void)
{
	the_high_is_served(true, false);
	the_high_is_served(true, true);
}

/* FIRST's own call waits in SECOND's queue: that works for D first. And it is as urgent
 * there as who waits for it, before C that came later but more urgent than A. */
static void a_queue_in_the_chain(void)
{
	start_active_server(SECOND, new_endpoint(), 0, LOW);
	inner = facet_of(actors[SECOND].endpoint);
	start_client_at(D, inner, 0, 0, LOW);
	CHECK(&check, until_moves(&workers[SECOND]));
	start_active_server(FIRST, new_endpoint(), inner, LOW);
	actors[FIRST].hold = 0;
	facet = facet_of(actors[FIRST].endpoint);
	start_client_at(A, facet, 0, 0, LOW);
	until_state(&workers[FIRST], THREAD_STATE_WAITING);
	start_client_at(C, inner, 0, 0, LOWER);
	until_state(&workers[C], THREAD_STATE_WAITING);
	start_hogs();
	CHECK(&check, stands(&workers[SECOND]));
	start_client_at(B, facet, 0, 0, HIGH);
	CHECK(&check, until_moves(&workers[SECOND]));
	actors[SECOND].hold = 0;
	CHECK(&check, until(&actors[B].answers, 1));
	CHECK(&check, actors[SECOND].who[0] == D && actors[SECOND].who[1] == FIRST);
	end_hogs();
	CHECK(&check, until(&actors[C].answers, 1));
	start_hogs();
	for (unsigned i = B; i <= D; i++)
		end_worker(&workers[i]);
	end_all(true);
}

/* A line of servers, each waiting for the next. So many are followed, and no more; what
 * is farther gets its turn when there is time. */
static void a_line(unsigned length)
{
	unsigned last = LINE + length - 1;
	uint32_t facets[LONGEST];

	for (unsigned i = length; i-- > 0;) {
		uint32_t next = i + 1 < length ? facets[i + 1] : 0;

		start_active_server(LINE + i, new_endpoint(), next, LOW);
		actors[LINE + i].hold = next == 0;
		facets[i] = facet_of(actors[LINE + i].endpoint);
	}
	start_client_at(A, facets[0], 0, 0, LOW);
	CHECK(&check, until_moves(&workers[last]));
	start_hogs();
	CHECK(&check, stands(&workers[last]));
	start_client_at(B, facets[0], 0, 0, HIGH);
	until_state(&workers[B], THREAD_STATE_WAITING);
	if (length <= FOLLOWED)
		CHECK(&check, until_moves(&workers[last]));
	else
		CHECK(&check, stands(&workers[last]));
	end_hogs();
	actors[last].hold = 0;
	CHECK(&check, until(&actors[B].answers, 1));
	CHECK(&check, actors[B].status == STATUS_OK);
	end_worker(&workers[A]);
	end_worker(&workers[B]);
	for (unsigned i = 0; i < length; i++) {
		end_server(LINE + i);
		release(facets[i]);
	}
}

static void long_lines(void)
{
	a_line(FOLLOWED);
	a_line(FOLLOWED + 1);
	a_line(LONGEST);
}

/* Two servers wait for each other. Nobody gets an answer, and nothing else stops. */
static void a_circle(void)
{
	uint32_t outer;

	inner = new_endpoint();
	outer = new_endpoint();
	facet = facet_of(outer);
	start_active_server(SECOND, inner, facet, LOW);
	inner = facet_of(inner);
	start_active_server(FIRST, outer, inner, LOW);
	start_client_at(A, facet, 0, 0, LOW);
	until_state(&workers[SECOND], THREAD_STATE_WAITING);
	until_state(&workers[A], THREAD_STATE_WAITING);
	start_client_at(B, facet, 0, SHORT, HIGH);
	workers[B].parked = 0;
	start_client_at(C, inner, 0, SHORT, HIGHER);
	workers[C].parked = 0;
	CHECK(&check, until(&actors[B].gave_up, 1));
	CHECK(&check, until(&actors[C].gave_up, 1));
	until_state(&workers[B], THREAD_STATE_WAITING);
	end_worker(&workers[B]);
	CHECK(&check, actors[A].answers == 0 && actors[C].answers == 0);
	start_hogs();
	end_worker(&workers[C]);
	end_all(true);
}

/* What ends the high one's call, or its wait, ends what the server has of it. */
static void nobody_waits_nobody_hurries(bool chain)
{
	unsigned last = low_and_middle(chain);

	start_client_at(B, facet, 0, SHORT, HIGH);
	CHECK(&check, until(&actors[B].gave_up, 1));
	CHECK(&check, stands(&workers[last])); /* B works itself */
	workers[B].parked = 0;
	CHECK(&check, until_moves(&workers[last]));
	end_worker(&workers[B]); /* killed while it waits */
	CHECK(&check, stands(&workers[last]));
	actors[B].cancels = true;
	start_client_at(B, facet, 0, SHORT, HIGH);
	workers[B].parked = 0;
	CHECK(&check, until(&actors[B].answers, 1));
	CHECK(&check, actors[FIRST].served == 0);
	CHECK(&check, stands(&workers[last]));
	actors[B].cancels = false;
	end_worker(&workers[B]);
	start_client_at(B, facet, SHORT, 0, HIGH); /* it has so much, and no more */
	for (unsigned i = 0; i < 5000 && !query(workers[B].context).exhausted; i++)
		nap(MS);
	CHECK(&check, query(workers[B].context).exhausted == 1);
	CHECK(&check, stands(&workers[last]));
	start_client_at(D, facet, 0, 0, MIDDLE + 1); /* others have */
	CHECK(&check, until_moves(&workers[last]));
	start_client_at(C, facet, 0, 0, HIGHER);
	until_state(&workers[C], THREAD_STATE_WAITING);
	CHECK(&check, until_moves(&workers[last]));
	OK(configure(workers[C].context, SCHEDULING_INFINITE, 0, LOWER));
	CHECK(&check, until_moves(&workers[last])); /* D waits too */
	end_worker(&workers[D]);
	CHECK(&check, stands(&workers[last]));
	OK(configure(workers[C].context, SCHEDULING_INFINITE, 0, HIGHER));
	CHECK(&check, until_moves(&workers[last]));
	end_worker(&workers[B]);
	end_worker(&workers[C]);
	end_all(chain);
}

static void no_longer_than_it_waits(void)
{
	nobody_waits_nobody_hurries(false);
	nobody_waits_nobody_hurries(true);
}

/* The highest of those who wait decides; when it is gone, the next. */
static void the_highest_of_many(void)
{
	unsigned last = low_and_middle(false);

	start_client_at(D, facet, 0, 0, MIDDLE + 1);
	CHECK(&check, until_moves(&workers[last]));
	start_client_at(C, facet, 0, 0, HIGHER);
	until_state(&workers[C], THREAD_STATE_WAITING);
	start_client_at(B, facet, 0, 0, HIGH);
	until_state(&workers[B], THREAD_STATE_WAITING);
	CHECK(&check, until_moves(&workers[last]));
	OK(configure(workers[D].context, SCHEDULING_INFINITE, 0, LOWER));
	OK(configure(workers[A].context, SCHEDULING_INFINITE, 0, HIGHER + 1));
	end_worker(&workers[C]);
	end_worker(&workers[B]); /* now it is A, whom it works for */
	CHECK(&check, until_moves(&workers[last]));
	actors[last].hold = 0;
	CHECK(&check, until(&actors[A].answers, 1));
	end_worker(&workers[D]);
	end_all(false);
}

/* SECOND receives where FIRST did, at once if it is urgent enough. */
static void receive_too(uint32_t priority)
{
	struct worker *w = act(SECOND, server);

	actors[SECOND].endpoint = actors[FIRST].endpoint;
	actors[SECOND].facet = 0;
	actors[SECOND].hold = 1;
	OK(create_context(control, SCHEDULING_INFINITE, 0, priority, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
}

/* A server that ends, and an endpoint that does, while a call waits. */
static void ends(void)
{
	unsigned last = low_and_middle(false);

	start_client_at(B, facet, 0, 0, HIGH);
	CHECK(&check, until_moves(&workers[last]));
	OK(kill(workers[FIRST].thread)); /* B's call waits for another server */
	until_state(&workers[FIRST], THREAD_STATE_ENDED);
	until_state(&workers[B], THREAD_STATE_WAITING);
	CHECK(&check, actors[B].answers == 0);
	receive_too(HIGHER);
	CHECK(&check, until_moves(&workers[SECOND]));
	CHECK(&check, actors[SECOND].who[0] == B);
	OK(configure(workers[SECOND].context, SCHEDULING_INFINITE, 0, LOW));
	start_client_at(C, facet, 0, 0, HIGH + 1);
	CHECK(&check, until_moves(&workers[SECOND]));
	release(actors[FIRST].endpoint);
	actors[FIRST].endpoint = 0;
	CHECK(&check, until(&actors[C].answers, 1));
	CHECK(&check, actors[C].status == STATUS_GONE);
	CHECK(&check, until_moves(&workers[SECOND])); /* B waits */
	end_worker(&workers[B]);
	CHECK(&check, stands(&workers[SECOND]));
	end_worker(&workers[C]);
	end_worker(&workers[SECOND]);
	end_hogs();
	end_worker(&workers[A]);
	end_worker(&workers[FIRST]);
	release(facet);
}

/* Somebody else receives the call: what was lent to the first goes to the second. */
static void another_receives(void)
{
	unsigned last = low_and_middle(false);

	start_client_at(B, facet, 0, 0, HIGH);
	CHECK(&check, until_moves(&workers[last]));
	receive_too(HIGH + 1);
	CHECK(&check, until_moves(&workers[SECOND]));
	CHECK(&check, actors[SECOND].who[0] == B);
	CHECK(&check, stands(&workers[last]));
	actors[SECOND].hold = 0;
	CHECK(&check, until(&actors[B].answers, 1));
	end_worker(&workers[SECOND]);
	end_worker(&workers[B]);
	end_all(false);
}

/* The server works for A, of whom it received last; B calls where it received before. */
static void an_endpoint_of_several(bool passive)
{
	uint32_t other = new_endpoint(), front = facet_of(other);

	actors[FIRST].before = other;
	start_active_server(FIRST, new_endpoint(), 0, LOW);
	actors[FIRST].before = 0;
	start_client_at(C, front, 0, 0, HIGH);
	CHECK(&check, until(&actors[C].answers, 1));
	facet = facet_of(actors[FIRST].endpoint);
	start_client_at(A, facet, 0, 0, LOW);
	CHECK(&check, until_moves(&workers[FIRST]));
	start_client_at(B, front, 0, 0, passive ? LOW : HIGH);
	start_hogs();
	if (passive) { /* nobody else has time for it */
		end_hogs();
		until_state(&workers[B], THREAD_STATE_WAITING);
		OK(unbind(workers[FIRST].context));
		end_worker(&workers[A]);
	}
	CHECK(&check, until_moves(&workers[FIRST]));
	if (passive) {
		start_client_at(A, facet, SHORT, 0, LOW);
		start_hogs();
	}
	end_worker(&workers[B]);
	CHECK(&check, stands(&workers[FIRST]));
	end_worker(&workers[C]);
	end_all(false);
	release(front);
	release(other);
}

static void several_endpoints(void)
{
	an_endpoint_of_several(false);
	an_endpoint_of_several(true);
}

/* Two passive servers, asked at once: each gets its turn on the caller's time. */
_Noreturn static void asks_two(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];

	for (unsigned i = 0; i < 2; i++) {
		struct ring_sqe *e = entry(ring, RING_CALL, i ? inner : facet);

		e->interface = INTERFACE;
		e->params = (uintptr_t)a->outbox;
		e->params_size = sizeof a->outbox;
		ring_push(ring);
	}
	a->status = ring_enter(2, RING_FOREVER);
	a->answers++;
	ring_exit(0);
}

static void two_at_once(void)
{
	struct worker *w;

	start_server(FIRST, 0);
	start_server(SECOND, 0);
	actors[FIRST].hold = actors[SECOND].hold = 0;
	facet = facet_of(actors[FIRST].endpoint);
	inner = facet_of(actors[SECOND].endpoint);
	w = act(A, asks_two);
	OK(create_context(control, SCHEDULING_INFINITE, 0, HIGH, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	CHECK(&check, until(&actors[A].answers, 1));
	CHECK(&check, actors[A].status == STATUS_OK);
	start_hogs();
	end_all(true);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		one_server, a_chain_of_servers, a_queue_in_the_chain, a_circle,
		no_longer_than_it_waits, the_highest_of_many, ends, another_receives,
		several_endpoints, two_at_once, long_lines,
	};

	start_sched(given, "sched_inversion");
	rule(TOP);
	run(steps, sizeof steps / sizeof steps[0]);
}
