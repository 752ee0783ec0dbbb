/* timer.c: the one clock, asked for, slept on and read without a call. (Methods past the
 * last: extremes.c; a sleep with nothing left: poor.c; taken back: ipc.c.) */
#include "test/boot/native/memory.h"

#include "abi/timer.capnp.h"
#include "rt/ring.h"

#define MS 1000000ul

static uint32_t timer;

static uint64_t now(uint64_t *wall_at_boot)
{
	struct native_call call;
	struct timer_now_results_reader r;

	native_call(&call, self, timer, TIMER_ID, TIMER_NOW);
	OK(native_send(&call));
	OK(timer_now_results_read(call.results, call.results_size, &r));
	*wall_at_boot = timer_now_results_get_realtime_offset(r);
	return timer_now_results_get_monotonic(r);
}

static uint64_t counter(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Whichever processor answers, and whichever counts. */
static void it_is_read_without_a_call(void)
{
	struct native_call call;
	struct timer_scale_results_reader r = { 0 };
	uint64_t wall, first, before, after, multiplier, base;
	uint32_t shift;

	native_call(&call, self, timer, TIMER_ID, TIMER_SCALE);
	OK(native_send(&call));
	OK(timer_scale_results_read(call.results, call.results_size, &r));
	multiplier = timer_scale_results_get_multiplier(r);
	shift = timer_scale_results_get_shift(r);
	base = timer_scale_results_get_base(r);
	before = now(&first);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t ticks = counter() - base;
		uint64_t read = (uint64_t)((unsigned __int128)ticks * multiplier >> shift);

		after = now(&wall);
		CHECK(&check, before <= read && read <= after);
		CHECK(&check, wall == first);
		before = after;
	}
}

static void sleep_until(uint64_t until)
{
	struct native_call call;

	native_call(&call, self, timer, TIMER_ID, TIMER_SLEEP);
	timer_sleep_params_set_until(timer_sleep_params_build(&call.params), until);
	OK(native_send(&call));
}

/* Nor for ever, if the moment has passed. */
static void nobody_wakes_early(void)
{
	uint64_t wall, begun = now(&wall);

	for (unsigned i = 0; i < 10; i++) {
		uint64_t until = now(&wall) + i * MS / 3;

		sleep_until(until);
		CHECK(&check, now(&wall) >= until);
	}
	sleep_until(0);
	sleep_until(begun);
}

/* The later one, asked for first, comes last. */
static void each_wakes_in_its_time(void)
{
	static uint64_t message[2][4];
	uint64_t wall, at = now(&wall);

	for (unsigned i = 0; i < 2; i++) {
		struct ring_sqe *e = ring_next(self->ring);
		struct capnp_builder b;

		capnp_builder_start(&b, message[i], sizeof message[i]);
		timer_sleep_params_set_until(timer_sleep_params_build(&b), at + (2 - i) * 10 * MS);
		*e = (struct ring_sqe){
			.op = RING_CALL, .cap = timer, .interface = TIMER_ID, .method = TIMER_SLEEP,
			.params = (uintptr_t)message[i],
			.params_size = (uint32_t)capnp_builder_size(&b), .user_data = i,
		};
		ring_push(self->ring);
	}
	OK(ring_enter(2, RING_FOREVER));
	for (uint64_t i = 0; i < 2; i++) {
		const struct ring_cqe *cqe = ring_first(self->ring);

		CHECK(&check, cqe && cqe->status == STATUS_OK && cqe->user_data == 1 - i);
		ring_consume(self->ring);
	}
	CHECK(&check, now(&wall) >= at + 20 * MS);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		it_is_read_without_a_call, nobody_wakes_early, each_wakes_in_its_time,
	};

	start(given, "timer");
	timer = native_find(self, "timer");
	run(steps, sizeof steps / sizeof steps[0]);
}
