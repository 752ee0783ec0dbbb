/* timer.c: see timer.h. */
#include "kernel/timer.h"

#include "abi/timer.capnp.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/panic.h"
#include "kernel/ring.h"

static void cancel_sleep(struct pending *p)
{
	timeout_cancel(&p->timeout);
	pending_free(p);
}

static void slept(struct timeout *t)
{
	struct pending *p = (struct pending *)((char *)t - offsetof(struct pending, timeout));

	pending_answer(p, STATUS_OK, NULL, 0);
}

static enum status call_sleep(struct call *call)
{
	struct timer_sleep_params_reader params = {call->params};
	uint64_t until = timer_sleep_params_get_until(params);
	struct pending *p;

	if (until <= clock_now())
		return STATUS_OK;
	p = pending_create(call, cancel_sleep);
	if (!p)
		return STATUS_NO_MEMORY;
	timeout_set(&p->timeout, until, slept);
	return CALL_PENDING;
}

static enum status call_now(struct call *call)
{
	struct timer_now_results_builder results;

	results = timer_now_results_build(&call->results);
	timer_now_results_set_monotonic(results, clock_now());
	timer_now_results_set_realtime_offset(results, clock_wall_at_boot());
	return STATUS_OK;
}

static enum status quick_now(struct object *o, const uint64_t *params, uint64_t *results)
{
	struct timer_now_results_builder to = {{.data = (uint8_t *)results, .data_bytes = 16}};

	uint64_t wall = clock_wall_if_known();

	(void)o, (void)params;
	if (wall == 0)
		return STATUS_BUSY; /* it is to be read, which one CPU at a time may do */
	timer_now_results_set_monotonic(to, clock_read());
	timer_now_results_set_realtime_offset(to, wall);
	return STATUS_OK;
}

static const struct quick_method quick[] = {
	[TIMER_NOW] = {quick_now, 0, TIMER_NOW_RESULTS_DATA_WORDS},
};
_Static_assert(TIMER_NOW_RESULTS_DATA_WORDS == 2, "quick_now");

static enum status call_scale(struct call *call)
{
	struct timer_scale_results_builder results = timer_scale_results_build(&call->results);

	timer_scale_results_set_multiplier(results, clock_scale.mult);
	timer_scale_results_set_shift(results, clock_scale.shift);
	timer_scale_results_set_base(results, clock_scale.tsc_base);
	return STATUS_OK;
}

static enum status timer_call(struct object *o, struct call *call)
{
	(void)o;
	switch (call->method) {
	case TIMER_NOW:
		return call_now(call);
	case TIMER_SLEEP:
		return call_sleep(call);
	case TIMER_SCALE:
		return call_scale(call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void timer_destroy(struct object *o)
{
	(void)o;
	panic("the timer lost its last reference");
}

static const struct object_type timer_type = {
	.name = "timer",
	.interface = TIMER_ID,
	.call = timer_call,
	.destroy = timer_destroy,
	.quick = quick,
	.quick_count = ARRAY_SIZE(quick),
};

struct object *timer_object(void)
{
	static struct object object = {.type = &timer_type, .refs = 1};

	object_hold(&object);
	return &object;
}
