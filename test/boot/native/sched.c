/* sched.c: what priorities, SchedulingControl and SchedulingContext promise, on any
 * number of processors. How exactly a budget is kept: sched_budget.c. */
#include "test/boot/native/sched.h"

#define BUDGET (20 * MS)

enum { HOGS = 4, LOW = 4, PRIORITY = 40, TOP = 50 };

static bool have_run(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (workers[i].count == 0)
			return false;
	return true;
}

/* As many as there are processors, or more, and one below them. */
static void the_highest_run(void)
{
	uint64_t before;

	start_worker(LOW, SCHEDULING_INFINITE, 0, PRIORITY - 1);
	for (unsigned i = 0; i < HOGS; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, PRIORITY);
	until_state(&workers[LOW], THREAD_STATE_READY); /* its processor has heard of it */
	before = workers[LOW].count;
	for (unsigned i = 0; i < HOGS; i++)
		workers[i].count = 0;
	for (unsigned i = 0; i < 100 && !have_run(HOGS); i++)
		nap(50 * MS);
	CHECK(&check, have_run(HOGS)); /* equals take turns */
	CHECK(&check, workers[LOW].count == before);
	for (unsigned i = 0; i < HOGS; i++)
		OK(configure(workers[i].context, SCHEDULING_INFINITE, 0, PRIORITY - 2));
	CHECK(&check, until_moves(&workers[LOW]));
	for (unsigned i = 0; i <= HOGS; i++)
		end_worker(&workers[i]);
}

/* Beside us, who are above them all, never stop, and so leave them nothing here; and
 * nothing comes due anywhere. */
static void work_goes_to_idle_processors(void)
{
	unsigned others = processors() - 1;
	uint64_t begun = now();

	CHECK(&check, others <= HOGS);
	for (unsigned i = 0; i < others; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, PRIORITY);
	while (!have_run(others) && now() - begun < 10000 * MS)
		continue;
	CHECK(&check, have_run(others));
	for (unsigned i = 0; i < others; i++)
		end_worker(&workers[i]);
}

/* Woken above all that run, it runs at once; one of their own priority would wait
 * for its turn. We are out of the way. */
static void the_woken_runs_at_once(void)
{
	struct worker *w;

	for (unsigned i = 0; i < HOGS; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, PRIORITY);
	w = make_worker(LOW);
	w->parked = 1;
	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY + 1, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
	w->parked = 0;
	OK(ring_wake(self->ring, (const uint32_t *)&w->parked, 1));
	for (unsigned i = 0; i < HOGS; i++)
		workers[i].count = 0;
	CHECK(&check, until_moves(w));
	CHECK(&check, thread_state(w->thread) != THREAD_STATE_WAITING);
	for (unsigned i = 0; i <= HOGS; i++)
		end_worker(&workers[i]);
}

static void a_passive_thread_waits(void)
{
	struct worker *w = start_worker(0, SCHEDULING_INFINITE, 0, PRIORITY);
	uint32_t other;

	CHECK(&check, until_moves(w));
	CHECK(&check, query(w->context).bound);
	OK(unbind(w->context));
	CHECK(&check, !query(w->context).bound);
	until_state(w, THREAD_STATE_READY);
	CHECK(&check, !moves(w, 20 * MS));
	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY, &other));
	OK(bind(other, w->thread));
	release(other); /* bound is bound */
	CHECK(&check, until_moves(w));
	end_worker(w);
}

/* We run on measured time: what we make has none of its own. */
static void threads_bring_no_time(void)
{
	struct worker *w = make_worker(0);

	CHECK_STATUS(&check, STATUS_BUDGET, native_start(self, w->thread));
	nap(10 * MS);
	CHECK(&check, w->count == 0);
	CHECK(&check, thread_state(w->thread) == THREAD_STATE_FRESH);
	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	CHECK(&check, until_moves(w));
	end_worker(w);
}

static void the_end_of_a_budget_is_told(void)
{
	uint32_t event = notification();
	struct worker *w = make_worker(0);
	struct usage u;

	OK(create_context(control, BUDGET, 0, PRIORITY, &w->context));
	OK(notify(w->context, event, 1 << 3));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	CHECK(&check, bits_of(event, NOTIFICATION_WAIT, ~0ull) == 1 << 3);
	u = query(w->context);
	CHECK(&check, u.exhausted == 1);
	CHECK(&check, u.remaining == 0);
	CHECK(&check, u.consumed >= BUDGET);
	CHECK(&check, u.next == SCHEDULING_NEVER);
	CHECK(&check, w->count > 0);
	CHECK(&check, !moves(w, 20 * MS));
	OK(notify(w->context, event, 1 << 4)); /* it has run out already: told at once */
	CHECK(&check, bits_of(event, NOTIFICATION_POLL, ~0ull) == 1 << 4);
	OK(configure(w->context, BUDGET, 0, PRIORITY));
	CHECK(&check, bits_of(event, NOTIFICATION_WAIT, ~0ull) == 1 << 4);
	CHECK(&check, query(w->context).exhausted == 2);
	OK(notify(w->context, 0, 0));
	OK(configure(w->context, BUDGET, 0, PRIORITY));
	for (unsigned i = 0; i < 100 && query(w->context).exhausted < 3; i++)
		nap(50 * MS);
	CHECK(&check, query(w->context).exhausted == 3);
	CHECK(&check, bits_of(event, NOTIFICATION_POLL, ~0ull) == 0);
	end_worker(w);
	release(event);
}

/* -- refusals ------------------------------------------------------------------------ */

static void bad_budgets_are_refused(void)
{
	static const uint64_t bad[][3] = {
		{ 0, 0, 1 }, { 0, 10 * MS, 1 }, { 19999, 10 * MS, 1 }, { 10 * MS + 1, 10 * MS, 1 },
		{ ~0ull, 10 * MS, 1 }, { ~0ull, ~0ull, 1 }, { 1ull << 63, ~0ull, 1 },
		{ MS, 3600000 * MS + 1, 1 }, { ~0ull, 0, 64 }, { ~0ull, 0, ~0u },
	};
	uint32_t context, none;

	OK(create_context(control, ~0ull, 0, 5, &context));
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		REFUSED(INVALID, create_context(control, bad[i][0], bad[i][1], (uint32_t)bad[i][2],
		                                &none));
		REFUSED(INVALID, configure(context, bad[i][0], bad[i][1], (uint32_t)bad[i][2]));
	}
	release(context);
}

static void bad_threads_are_refused(void)
{
	struct worker *w = make_worker(0), *v = make_worker(1);
	uint32_t other;

	OK(create_context(control, ~0ull, 0, 5, &w->context));
	OK(create_context(control, ~0ull, 0, 5, &other));
	REFUSED(NOT_FOUND, unbind(w->context));
	REFUSED(NO_CAP, bind(w->context, 0));
	REFUSED(NO_CAP, bind(w->context, control));
	OK(bind(w->context, w->thread));
	REFUSED(BUSY, bind(w->context, w->thread));
	REFUSED(BUSY, bind(w->context, v->thread));
	REFUSED(BUSY, bind(other, w->thread));
	OK(unbind(w->context));
	OK(bind(other, w->thread));
	OK(kill(w->thread));
	REFUSED(GONE, bind(w->context, w->thread));
	REFUSED(NOT_FOUND, unbind(other));
	OK(bind(other, v->thread));
	release(other);
	end_worker(w);
	end_worker(v);
}

static void bad_events_are_refused(void)
{
	uint32_t context, event = notification();

	OK(create_context(control, ~0ull, 0, 5, &context));
	REFUSED(NO_CAP, notify(context, control, 1));
	REFUSED(INVALID, notify(context, event, 0));
	OK(notify(context, event, ~0ull));
	OK(notify(context, event, 1));
	release(event);
	OK(notify(context, 0, 0));
	REFUSED(NO_METHOD, plain_call(context, SCHEDULING_CONTEXT_ID, 5));
	REFUSED(NO_METHOD, plain_call(context, SCHEDULING_CONTROL_ID, 0));
	REFUSED(NO_METHOD, plain_call(control, SCHEDULING_CONTROL_ID, 3));
	release(context);
}

static void a_control_gives_what_it_has(void)
{
	uint32_t child, grandchild, context, more, none;

	REFUSED(INVALID, create_child(control, 64, 1, &none));
	REFUSED(INVALID, create_child(control, 40, 0, &none));
	OK(create_child(control, 40, 200000, &child));
	REFUSED(DENIED, create_child(child, 41, 1, &none));
	REFUSED(BUDGET, create_child(child, 40, 200001, &none));
	REFUSED(BUDGET, create_child(child, 40, SCHEDULING_NO_LIMIT, &none));
	REFUSED(DENIED, create_context(child, 2 * MS, 10 * MS, 41, &none));
	REFUSED(BUDGET, create_context(child, ~0ull, 0, 1, &none));
	REFUSED(BUDGET, create_context(child, MS, 0, 1, &none));
	REFUSED(BUDGET, create_context(child, 2 * MS + 1, 10 * MS, 1, &none));
	OK(create_context(child, MS, 10 * MS, 40, &context));
	CHECK(&check, share_used(child) == 100000);
	REFUSED(DENIED, configure(context, MS, 10 * MS, 41));
	REFUSED(BUDGET, configure(context, ~0ull, 0, 40));
	REFUSED(BUDGET, configure(context, 3 * MS, 10 * MS, 40));
	OK(configure(context, 2 * MS, 10 * MS, 40));
	REFUSED(BUDGET, create_context(child, 20000, 3600000 * MS, 1, &none));
	OK(configure(context, MS / 2, 10 * MS, 40));
	CHECK(&check, share_used(child) == 50000);
	OK(create_child(child, 30, 150000, &grandchild));
	REFUSED(BUDGET, create_context(child, MS, 10 * MS, 1, &none));
	OK(create_context(grandchild, 1500000, 10 * MS, 30, &more));
	release(grandchild);
	CHECK(&check, share_used(child) == 200000); /* its context keeps it */
	release(more);
	CHECK(&check, share_used(child) == 50000);
	release(context);
	CHECK(&check, share_used(child) == 0);
	release(child);
}

/* Each holds the one before it; the last to go takes all along. */
static void a_long_line_of_controls(void)
{
	enum { LONG = 3000 };
	uint32_t last = 0, next;

	OK(create_child(control, 40, 200000, &last));
	for (unsigned i = 0; i < LONG; i++) {
		OK(create_child(last, 40, 200000, &next));
		release(last);
		last = next;
	}
	release(last);
}

/* -- ends ---------------------------------------------------------------------------- */

/* In every state that a thread can be in; the harness looks for what is missing. */
static void the_dead_leave_nothing(void)
{
	struct worker *w;
	uint32_t event = notification();

	w = make_worker(0); /* bound, not started */
	OK(create_context(control, MS, 10 * MS, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	end_worker(w);
	w = make_worker(0); /* bound, let go before it started */
	OK(create_context(control, MS, 10 * MS, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	release(w->context);
	release(w->thread);
	w = start_worker(0, SCHEDULING_INFINITE, 0, PRIORITY); /* running, or ready */
	nap(MS);
	end_worker(w);
	w = start_worker(0, SCHEDULING_INFINITE, 0, PRIORITY); /* passive */
	OK(unbind(w->context));
	end_worker(w);
	w = start_worker(0, MS, 0, PRIORITY); /* out of time for good */
	OK(notify(w->context, event, 1));
	(void)bits_of(event, NOTIFICATION_WAIT, 1);
	end_worker(w);
	w = start_worker(0, MS, 1000 * MS, PRIORITY); /* out of time for a while */
	OK(notify(w->context, event, 1));
	(void)bits_of(event, NOTIFICATION_WAIT, 1);
	release(w->context); /* the thread keeps it, and with it the notification */
	w->context = 0;
	end_worker(w);
	w = make_worker(0); /* waiting */
	w->parked = 1;
	OK(create_context(control, MS, 10 * MS, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	nap(10 * MS);
	end_worker(w);
	release(event);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		the_highest_run, work_goes_to_idle_processors, the_woken_runs_at_once, a_passive_thread_waits,
		threads_bring_no_time, the_end_of_a_budget_is_told, bad_budgets_are_refused,
		bad_threads_are_refused, bad_events_are_refused, a_control_gives_what_it_has,
		a_long_line_of_controls, the_dead_leave_nothing,
	};

	start_sched(given, "sched");
	rule(TOP);
	run(steps, sizeof steps / sizeof steps[0]);
}
