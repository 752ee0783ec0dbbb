/* calls.h: what a call costs, by the same code for a module's thread and a native one:
 * an empty one to a server, and Timer.now. Counts of the time-stamp counter. */
#pragma once

#include "abi/timer.capnp.h"
#include "rt/ring.h"

#define CALLS_INTERFACE UINT64_C(0xca11ca11ca110000)

enum { CALLS = 64 };

/* The least of many: without a tick of the timer. 0: one was refused. */
static inline uint64_t calls_least(struct ring *ring, struct ring_call call)
{
	const struct ring_call same = call;
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < CALLS; i++) {
		uint64_t begin = __builtin_ia32_rdtsc(), ticks;

		call = same;
		if (ring_call(ring, &call) != STATUS_OK)
			return 0;
		ticks = __builtin_ia32_rdtsc() - begin;
		if (ticks < least)
			least = ticks;
	}
	return least;
}

static inline uint64_t calls_of_server(struct ring *ring, uint32_t facet)
{
	return calls_least(ring, (struct ring_call){ .cap = facet, .method = 1,
	                                             .interface = CALLS_INTERFACE });
}

/* Both messages in the ring's area. */
static inline uint64_t calls_of_timer(struct ring *ring, uint32_t timer)
{
	return calls_least(ring, (struct ring_call){
		.cap = timer, .method = TIMER_NOW, .interface = TIMER_ID,
		.results = ring->area + 512, .results_size = TIMER_NOW_RESULTS_MESSAGE_BYTES });
}

/* Both, in one exit code. */
enum { CALLS_SHIFT = 15 };
static inline int32_t calls_told(uint64_t server, uint64_t timer)
{
	return (int32_t)(server << CALLS_SHIFT | timer);
}
