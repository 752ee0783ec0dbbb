/* ipc_depth.c: calls that wait at an endpoint carry the next endpoint, whose calls
 * carry the next: all of them end when the first does, however many they are. */
#define SCHED_WORKERS 16
#include "test/boot/native/sched.h"

#include "abi/endpoint.capnp.h"

#define INTERFACE 0xdee9dee9ull
#include "test/boot/native/made.h"
enum { CALLERS = 16, CALLS = 28, DEPTH = CALLERS * CALLS, TURN = 14 };

static uint32_t endpoints[DEPTH + 1], facets[DEPTH];

/* Each call is refused once its endpoint has ended. */
_Noreturn static void caller(uint64_t which, struct ring *ring)
{
	for (unsigned i = 0; i < CALLS; i++) {
		unsigned at = (unsigned)which * CALLS + i;
		struct ring_sqe *e = ring_next(ring);

		*e = (struct ring_sqe){
			.op = RING_CALL, .cap = facets[at], .interface = INTERFACE,
			.caps_count = 1, .caps = {endpoints[at + 1]},
		};
		ring_push(ring);
		if (i % TURN == TURN - 1)
			(void)!ring_enter(0, 0);
	}
	workers[which].count = 1;
	(void)!ring_enter(CALLS, RING_FOREVER);
	for (unsigned i = 0; i < CALLS; i++) {
		const struct ring_cqe *cqe = ring_done(ring);

		if (!cqe || cqe->status != STATUS_GONE)
			ring_exit(1);
	}
	workers[which].count = 2;
	ring_exit(0);
}

static void all_end_with_the_first(void)
{
	for (unsigned i = 0; i <= DEPTH; i++)
		endpoints[i] = made(native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	for (unsigned i = 0; i < DEPTH; i++)
		facets[i] = made(endpoints[i], ENDPOINT_ID, ENDPOINT_FACET);
	for (unsigned i = 0; i < CALLERS; i++) {
		struct worker *w = make_worker_at(i, caller);

		OK(native_start(self, w->thread));
		for (unsigned tries = 0; tries < 5000 && !w->count; tries++)
			nap(MS);
		until_state(w, THREAD_STATE_WAITING);
	}
	for (unsigned i = DEPTH + 1; i-- > 0;)
		release(endpoints[i]);
	for (unsigned i = 0; i < CALLERS; i++) {
		until_state(&workers[i], THREAD_STATE_ENDED);
		CHECK(&check, workers[i].count == 2);
		release(workers[i].thread);
	}
	for (unsigned i = 0; i < DEPTH; i++)
		release(facets[i]);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {all_end_with_the_first};

	start_sched(given, "ipc_depth");
	run(steps, sizeof steps / sizeof steps[0]);
}
