/* canary.h: a service that must go on whatever happens beside it, and its client,
 * which must be answered, in time and correctly. Those who make chaos may call it
 * too, and send it what they like. */
#pragma once

#include "test/boot/chaos/actor.h"

#include "rt/native.h"

enum { CANARY_PAGES = 8 };

/* Must succeed, for the canary: or it is told, once. */
static void canary_must(enum status status, const char *what)
{
	if (status != STATUS_OK)
		chaos_failed(what, 0, 0, status, 0);
}

/* -- the service --------------------------------------------------------------------------- */

static uint64_t inbox[(sizeof(struct ring_received) + RING_MESSAGE_MAX) / 8], outbox[2];

/* One entry that answers the last call and receives the next; what came beside the
 * last one is released first. */
static unsigned push_serve(struct ring *ring, uint32_t endpoint, uint64_t token,
                           const uint32_t *caps)
{
	unsigned entries = 1;

	for (unsigned i = 0; i < RING_CAPS; i++) {
		if (caps[i] == 0)
			continue;
		*ring_next(ring) = (struct ring_sqe){ .op = RING_RELEASE, .cap = caps[i] };
		ring_push(ring);
		entries++;
	}
	*ring_next(ring) = (struct ring_sqe){
		.op = RING_SERVE, .cap = endpoint, .user_data = 1, .token = token,
		.params = (uintptr_t)outbox, .params_size = sizeof outbox,
		.results = (uintptr_t)inbox, .results_size = sizeof inbox,
	};
	ring_push(ring);
	return entries;
}

_Noreturn static void canary_serves(struct native *me)
{
	uint32_t endpoint = native_find(me, "endpoint"), caps[RING_CAPS] = { 0 };
	const struct ring_received *r = (const struct ring_received *)inbox;
	uint64_t token = 0;

	board = BOARD;
	for (;;) {
		unsigned entries = push_serve(me->ring, endpoint, token, caps);
		const struct ring_cqe *done;

		while (entries > 0) {
			canary_must(ring_enter(1, RING_FOREVER), "the canary cannot wait");
			while ((done = ring_done(me->ring)) != NULL) {
				entries--;
				canary_must((enum status)done->status, done->user_data
				            ? "the canary cannot serve" : "the canary cannot release");
				if (done->user_data)
					for (unsigned i = 0; i < RING_CAPS; i++)
						caps[i] = done->caps[i];
			}
		}
		token = r->token;
		outbox[0] = chaos_mix(r->params_size >= 24 ? inbox[sizeof *r / 8 + 2] : 0);
		outbox[1]++;
	}
}

static int canary_server(struct native *me)
{
	canary_serves(me);
}

/* -- its client ---------------------------------------------------------------------------- */

static uint64_t canary_now(struct native *me, uint32_t timer)
{
	struct native_call call;
	struct timer_now_results_reader r;

	native_call(&call, me, timer, TIMER_ID, TIMER_NOW);
	canary_must(native_send(&call), "the canary is not told the time");
	canary_must(timer_now_results_read(call.results, call.results_size, &r), "no time came");
	return timer_now_results_get_monotonic(r);
}

static void canary_call(struct native *me, uint32_t facet, uint64_t x)
{
	static const uint64_t patience = 20000000000;
	static uint64_t question[3], answer[2];
	const struct ring_cqe *done;

	question[2] = x;
	*ring_next(me->ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = facet, .interface = CANARY_INTERFACE,
		.params = (uintptr_t)question, .params_size = sizeof question,
		.results = (uintptr_t)answer, .results_size = sizeof answer,
	};
	ring_push(me->ring);
	if (ring_enter(1, patience) == STATUS_TIMEOUT) {
		chaos_failed("the canary was not answered in time", 0, 0, 0, x);
		(void)!ring_enter(1, RING_FOREVER);
	}
	done = ring_done(me->ring);
	if (done == NULL)
		chaos_failed("the canary has no completion", 0, 0, 0, x);
	else if (done->status != STATUS_OK || answer[0] != chaos_mix(x))
		chaos_failed("the canary's client got a wrong answer", 0, 0, done->status, answer[0]);
}

/* Memory of its own: zeroed when it comes, and what it put there after that. */
static void canary_memory(struct native *me, uint64_t x)
{
	static uint32_t held[CANARY_PAGES];
	static uint64_t written[CANARY_PAGES];
	uint64_t *at = (uint64_t *)(ARENA + 4096 * (x % CANARY_PAGES));
	uint32_t *object = &held[x % CANARY_PAGES], space = native_find(me, "space");

	if (*object) {
		for (unsigned i = 0; i < 512; i++)
			if (at[i] != written[x % CANARY_PAGES] + i)
				chaos_failed("the canary's memory has changed", 0, 0, i, at[i]);
		canary_must(native_unmap(me, space, at, 1), "the canary cannot unmap");
		canary_must(ring_release(me->ring, *object), "the canary cannot release memory");
	}
	canary_must(native_allocate(me, native_find(me, "memory"), 1, object),
	            "the canary gets no memory");
	canary_must(native_map(me, space, *object, 0, at, 1, ACCESS_READ | ACCESS_WRITE),
	            "the canary cannot map");
	for (unsigned i = 0; i < 512; i++) {
		if (at[i] != 0)
			chaos_failed("new memory is not zeroed", 0, 0, i, at[i]);
		at[i] = x + i;
	}
	written[x % CANARY_PAGES] = x;
}

_Noreturn static void canary_calls(struct native *me)
{
	static uint32_t never;
	uint32_t facet = native_find(me, "facet"), timer = native_find(me, "timer");

	board = BOARD;
	for (uint64_t x = 1;; x++) {
		uint64_t before = canary_now(me, timer), took;

		canary_call(me, facet, x);
		canary_memory(me, x);
		took = canary_now(me, timer) - before;
		if (took > board->canary_worst)
			board->canary_worst = took;
		board->canary_calls++;
		(void)!ring_park(me->ring, &never, 0, 200000);
	}
}

static int canary_client(struct native *me)
{
	canary_calls(me);
}
