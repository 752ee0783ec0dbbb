/* sched.h: calls to SchedulingControl and SchedulingContext, and threads that do
 * nothing but run, for the programs that test scheduling. */
#pragma once

#include "test/boot/native/ledger.h"
#include "test/boot/native/spawn.h"

#include "abi/notification.capnp.h"
#include "abi/scheduling.capnp.h"
#include "abi/timer.capnp.h"

#define MS 1000000ul

#ifndef SCHED_WORKERS /* a test may need more */
#define SCHED_WORKERS 6
#endif
enum { WORKERS = SCHED_WORKERS, STACK_WORDS = 1024 };

static uint32_t control, timer;

/* -- calls ------------------------------------------------------------------------ */

MUST_CHECK static inline enum status create_context(uint32_t from, uint64_t budget, uint64_t period,
                                                    uint32_t priority, uint32_t *context)
{
	struct native_call call;
	native_call(&call, self, from, SCHEDULING_CONTROL_ID, SCHEDULING_CONTROL_CREATE);
	struct scheduling_control_create_params_builder p =
	        scheduling_control_create_params_build(&call.params);
	scheduling_control_create_params_set_budget_ns(p, budget);
	scheduling_control_create_params_set_period_ns(p, period);
	scheduling_control_create_params_set_priority(p, priority);
	enum status status = native_send(&call);
	*context = call.caps[0];
	return status;
}

MUST_CHECK static inline enum status create_child(uint32_t from, uint32_t priority, uint32_t share,
                                                  uint32_t *child)
{
	struct native_call call;
	native_call(&call, self, from, SCHEDULING_CONTROL_ID, SCHEDULING_CONTROL_CHILD);
	struct scheduling_control_child_params_builder p =
	        scheduling_control_child_params_build(&call.params);
	scheduling_control_child_params_set_max_priority(p, priority);
	scheduling_control_child_params_set_share(p, share);
	enum status status = native_send(&call);
	*child = call.caps[0];
	return status;
}

static inline uint32_t share_used(uint32_t of)
{
	struct native_call call;
	struct scheduling_control_info_results_reader r;
	native_call(&call, self, of, SCHEDULING_CONTROL_ID, SCHEDULING_CONTROL_INFO);
	(void)scheduling_control_info_params_build(&call.params);
	OK(native_send(&call));
	OK(scheduling_control_info_results_read(call.results, call.results_size, &r));
	return scheduling_control_info_results_get_used(r);
}

MUST_CHECK static inline enum status configure(uint32_t context, uint64_t budget, uint64_t period,
                                               uint32_t priority)
{
	struct native_call call;
	native_call(&call, self, context, SCHEDULING_CONTEXT_ID, SCHEDULING_CONTEXT_CONFIGURE);
	struct scheduling_context_configure_params_builder p =
	        scheduling_context_configure_params_build(&call.params);
	scheduling_context_configure_params_set_budget_ns(p, budget);
	scheduling_context_configure_params_set_period_ns(p, period);
	scheduling_context_configure_params_set_priority(p, priority);
	return native_send(&call);
}

/* `thread` 0: no capability at all. */
MUST_CHECK static inline enum status bind(uint32_t context, uint32_t thread)
{
	struct native_call call;
	native_call(&call, self, context, SCHEDULING_CONTEXT_ID, SCHEDULING_CONTEXT_BIND);
	struct scheduling_context_bind_params_builder p =
	        scheduling_context_bind_params_build(&call.params);
	if (thread)
		scheduling_context_bind_params_set_thread(p, native_attach(&call, thread));
	return native_send(&call);
}

MUST_CHECK static inline enum status unbind(uint32_t context)
{
	struct native_call call;
	native_call(&call, self, context, SCHEDULING_CONTEXT_ID, SCHEDULING_CONTEXT_UNBIND);
	(void)scheduling_context_unbind_params_build(&call.params);
	return native_send(&call);
}

struct usage {
	uint64_t consumed, remaining, exhausted, next;
	bool bound;
};

static inline struct usage query(uint32_t context)
{
	struct native_call call;
	struct scheduling_context_query_results_reader r;
	native_call(&call, self, context, SCHEDULING_CONTEXT_ID, SCHEDULING_CONTEXT_QUERY);
	(void)scheduling_context_query_params_build(&call.params);
	OK(native_send(&call));
	OK(scheduling_context_query_results_read(call.results, call.results_size, &r));
	return (struct usage){
		scheduling_context_query_results_get_consumed_ns(r),
		scheduling_context_query_results_get_remaining_ns(r),
		scheduling_context_query_results_get_exhausted(r),
		scheduling_context_query_results_get_next_ns(r),
		scheduling_context_query_results_get_bound(r),
	};
}

/* `signaller` 0: a null pointer. */
MUST_CHECK static inline enum status notify(uint32_t context, uint32_t signaller, uint64_t bits)
{
	struct native_call call;
	native_call(&call, self, context, SCHEDULING_CONTEXT_ID, SCHEDULING_CONTEXT_NOTIFY);
	struct scheduling_context_notify_params_builder p =
	        scheduling_context_notify_params_build(&call.params);
	if (signaller)
		scheduling_context_notify_params_set_signaller(p, native_attach(&call, signaller));
	scheduling_context_notify_params_set_bits(p, bits);
	return native_send(&call);
}

static inline uint32_t notification(void)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_NOTIFICATION);
	(void)ledger_notification_params_build(&call.params);
	OK(native_send(&call));
	return call.caps[0];
}

/* Notification.wait or .poll, whose shapes are the same. */
static inline uint64_t bits_of(uint32_t notification, uint16_t method, uint64_t mask)
{
	struct native_call call;
	struct notification_poll_results_reader r;
	native_call(&call, self, notification, NOTIFICATION_ID, method);
	notification_poll_params_set_mask(notification_poll_params_build(&call.params), mask);
	OK(native_send(&call));
	OK(notification_poll_results_read(call.results, call.results_size, &r));
	return notification_poll_results_get_bits(r);
}

/* As cpuid has it: all of QEMU's are cores of one package. */
static inline unsigned processors(void)
{
	enum { SEVERAL = 1u << 28 };
	uint32_t a = 1, b, c = 0, d;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d & SEVERAL ? b >> 16 & 0xff : 1;
}

static inline uint64_t now(void)
{
	struct native_call call;
	struct timer_now_results_reader r;
	native_call(&call, self, timer, TIMER_ID, TIMER_NOW);
	(void)timer_now_params_build(&call.params);
	OK(native_send(&call));
	OK(timer_now_results_read(call.results, call.results_size, &r));
	return timer_now_results_get_monotonic(r);
}

static inline uint32_t own_thread(void)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "thread"), THREAD_CONTROL_ID,
	            THREAD_CONTROL_THREAD);
	(void)thread_control_thread_params_build(&call.params);
	OK(native_send(&call));
	return call.caps[0];
}

static inline enum status kill(uint32_t thread)
{
	struct native_call call;
	native_call(&call, self, thread, THREAD_ID, THREAD_KILL);
	(void)thread_kill_params_build(&call.params);
	return native_send(&call);
}

/* -- threads ------------------------------------------------------------------------ */

/* One that counts for as long as it runs; `parked` first, if that is 1. */
struct worker {
	volatile uint64_t count;
	volatile uint32_t parked;
	uint32_t thread, context;
	uint64_t stack[STACK_WORDS] __attribute__((aligned(64)));
};

static struct worker workers[WORKERS];

_Noreturn static void work(uint64_t which, struct ring *ring)
{
	struct worker *w = &workers[which];

	if (w->parked)
		(void)!ring_park(ring, (const uint32_t *)&w->parked, 1, RING_FOREVER);
	for (;;)
		w->count++;
}

/* Not started. */
static inline struct worker *make_worker_at(unsigned i, void (*entry)(uint64_t, struct ring *))
{
	struct worker *w = &workers[i];
	struct native_call call;

	*w = (struct worker){ .count = 0 };
	native_call(&call, self, native_find(self, "self"), PROCESS_ID, PROCESS_THREAD);
	struct thread_start_builder start =
	        process_thread_params_init_start(process_thread_params_build(&call.params));
	thread_start_set_entry(start, (uintptr_t)entry);
	thread_start_set_stack(start, (uintptr_t)&w->stack[STACK_WORDS - 1]);
	thread_start_set_argument(start, i);
	OK(native_send(&call));
	w->thread = call.caps[0];
	return w;
}

static inline struct worker *make_worker(unsigned i)
{
	return make_worker_at(i, work);
}

static inline struct worker *start_worker(unsigned i, uint64_t budget, uint64_t period,
                                          uint32_t priority)
{
	struct worker *w = make_worker(i);

	OK(create_context(control, budget, period, priority, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	return w;
}

/* What another processor does takes its time. */
static inline void until_state(const struct worker *w, uint32_t state)
{
	uint32_t is = thread_state(w->thread);

	for (unsigned i = 0; i < 5000 && is != state; i++) {
		nap(MS);
		is = thread_state(w->thread);
	}
	CHECK(&check, is == state); /* as it was seen: it may go on */
}

static inline void end_worker(struct worker *w)
{
	OK(kill(w->thread));
	until_state(w, THREAD_STATE_ENDED);
	release(w->thread);
	if (w->context)
		release(w->context);
	w->thread = w->context = 0;
}

/* Whether it runs while we do not, for so long. */
static inline bool moves(const struct worker *w, uint64_t nanoseconds)
{
	uint64_t before = w->count;

	nap(nanoseconds);
	return w->count != before;
}

static inline bool until_moves(const struct worker *w)
{
	for (unsigned i = 0; i < 1000; i++)
		if (moves(w, 5 * MS))
			return true;
	return false;
}

/* We decide, whoever else wants to run: as nobody can take it away again, this is
 * done once. */
static inline void rule(uint32_t priority)
{
	uint32_t context, thread = own_thread();

	OK(create_context(control, SCHEDULING_INFINITE, 0, priority, &context));
	OK(bind(context, thread));
	release(context);
	release(thread);
}

static inline void start_sched(struct native *given, const char *name)
{
	start(given, name);
	control = native_find(self, "scheduling");
	timer = native_find(self, "timer");
}
