/* sched_budget.c: how exactly budgets are kept. For a machine of one processor whose
 * clock counts instructions (tess run --icount): elsewhere the host takes part. */
#include "test/boot/native/sched.h"

enum { PRIORITY = 40, TOP = 50 };

static uint64_t percent(uint64_t part, uint64_t whole)
{
	return part * 100 / whole;
}

/* `a` is `b`, give or take 5%. */
static bool about(uint64_t a, uint64_t b)
{
	return a * 100 >= b * 95 && a * 100 <= b * 105;
}

/* 2 ms in 10 are 2 ms in 10, and who is below has the rest. */
static void a_budget_is_kept(void)
{
	struct worker *w = start_worker(0, 2 * MS, 10 * MS, PRIORITY);
	struct worker *rest = start_worker(1, SCHEDULING_INFINITE, 0, PRIORITY - 1);
	uint64_t start = now(), end;
	struct usage u;

	nap(1000 * MS);
	end = now();
	u = query(w->context);
	native_print(self, "  2 ms in 10: %lu us in %lu ms, %lu times\n", u.consumed / 1000,
	             (unsigned long)((end - start) / MS), u.exhausted);
	CHECK(&check, about(u.consumed, (end - start) / 5));
	CHECK(&check, u.exhausted >= 99 && u.exhausted <= 202); /* in one piece or two */
	CHECK(&check, about(query(rest->context).consumed, (end - start) / 5 * 4));
	end_worker(w);
	end_worker(rest);
}

/* Equals get the same, down to a few turns. */
static void equals_get_the_same(void)
{
	for (unsigned i = 0; i < 4; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, PRIORITY);
	nap(400 * MS);
	for (unsigned i = 0; i < 4; i++)
		CHECK(&check, about(query(workers[i].context).consumed, 100 * MS));
	for (unsigned i = 0; i < 4; i++)
		end_worker(&workers[i]);
}

/* Who is often interrupted for a moment loses nothing to its equals by that, and
 * they nothing to it. */
static void an_interrupted_turn_goes_on(void)
{
	for (unsigned i = 0; i < 3; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, PRIORITY);
	for (unsigned i = 0; i < 600; i++)
		nap(MS / 2);
	for (unsigned i = 0; i < 3; i++)
		CHECK(&check, about(query(workers[i].context).consumed * 3,
		                    query(workers[0].context).consumed +
		                    query(workers[1].context).consumed +
		                    query(workers[2].context).consumed));
	for (unsigned i = 0; i < 3; i++)
		end_worker(&workers[i]);
}

/* Wakes us up all the time. */
_Noreturn static void pester(uint64_t which, struct ring *ring)
{
	for (;;)
		if (++workers[which].count % 10000 == 0)
			(void)!ring_wake(ring, (const uint32_t *)&workers[which].parked, 1);
}

/* It is we who interrupt, but always the same one: its turn goes on after that. */
static void waking_is_not_yielding(void)
{
	struct worker *w = make_worker_at(0, pester);

	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	start_worker(1, SCHEDULING_INFINITE, 0, PRIORITY);
	for (uint64_t end = now() + 200 * MS; now() < end;)
		(void)!ring_park(self->ring, (const uint32_t *)&w->parked, 0, 5 * MS);
	CHECK(&check, about(query(w->context).consumed, query(workers[1].context).consumed));
	end_worker(w);
	end_worker(&workers[1]);
}

static uint32_t child_of_a_fifth(void)
{
	uint32_t child;

	OK(create_child(control, PRIORITY, 200000, &child));
	return child;
}

static bool is_out(uint32_t context)
{
	struct usage u = query(context);

	return u.remaining == 0;
}

/* The most that a fifth of a processor comes to, whatever its holder does: one
 * context after another, each with a budget of its own; what it got in 2 s, percent. */
static uint64_t loot_by_new_contexts(struct worker *w, uint32_t child)
{
	uint64_t start = now(), used = 0;
	uint32_t context;

	while (now() - start < 2000 * MS) {
		if (create_context(child, 100 * MS, 500 * MS, PRIORITY, &context)) {
			nap(MS);
			continue;
		}
		OK(bind(context, w->thread));
		if (thread_state(w->thread) == THREAD_STATE_FRESH)
			OK(native_start(self, w->thread));
		while (!is_out(context))
			nap(MS);
		OK(unbind(context));
		used += query(context).consumed;
		release(context);
	}
	return percent(used, now() - start);
}

/* ... and one context whose settings change. */
static uint64_t loot_by_settings(struct worker *w, uint32_t child, bool same_period)
{
	uint64_t start = now(), used;
	uint32_t context;

	OK(create_context(child, 100 * MS, 500 * MS, PRIORITY, &context));
	OK(bind(context, w->thread));
	while (now() - start < 2000 * MS) {
		while (!is_out(context))
			nap(MS);
		OK(configure(context, 2 * MS, same_period ? 500 * MS : 10 * MS, PRIORITY));
		OK(configure(context, 100 * MS, 500 * MS, PRIORITY));
		nap(MS);
	}
	used = query(context).consumed;
	OK(unbind(context));
	release(context);
	return percent(used, now() - start);
}

/* ... and several whose shares go up and down in turn. */
static uint64_t loot_in_turn(uint32_t child)
{
	uint64_t start = now(), used = 0;

	for (unsigned i = 0; i < 2; i++) {
		OK(create_context(child, 20000, 500 * MS, PRIORITY, &workers[i + 1].context));
		OK(bind(workers[i + 1].context, make_worker(i)->thread));
		workers[i].context = workers[i + 1].context;
		OK(native_start(self, workers[i].thread));
	}
	while (now() - start < 2000 * MS)
		for (unsigned i = 0; i < 2; i++) {
			if (configure(workers[i].context, 99 * MS, 500 * MS, PRIORITY) == STATUS_OK)
				while (!is_out(workers[i].context))
					nap(MS);
			OK(configure(workers[i].context, 20000, 500 * MS, PRIORITY));
			nap(MS);
		}
	for (unsigned i = 0; i < 2; i++) {
		used += query(workers[i].context).consumed;
		end_worker(&workers[i]);
	}
	return percent(used, now() - start);
}

static void no_trick_gets_more(void)
{
	struct worker *w = make_worker(4);
	uint32_t child = child_of_a_fifth();
	uint64_t loot;

	loot = loot_by_new_contexts(w, child);
	native_print(self, "  a fifth, by new contexts: %lu%%\n", loot);
	CHECK(&check, loot >= 15 && loot <= 25);
	nap(600 * MS);
	for (unsigned same = 0; same < 2; same++) {
		loot = loot_by_settings(w, child, same);
		native_print(self, "  a fifth, by settings: %lu%%\n", loot);
		CHECK(&check, loot >= 10 && loot <= 25);
		nap(600 * MS);
	}
	loot = loot_in_turn(child);
	native_print(self, "  a fifth, in turn: %lu%%\n", loot);
	CHECK(&check, loot >= 10 && loot <= 25);
	nap(600 * MS);
	CHECK(&check, share_used(child) == 0);
	release(child);
	end_worker(w);
}

/* What has been used stays counted after its context has gone, and then comes back. */
static void a_used_share_comes_back_later(void)
{
	uint32_t child = child_of_a_fifth(), none;
	struct worker *w = make_worker(0);

	OK(create_context(child, 2 * MS, 10 * MS, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	nap(MS);
	end_worker(w);
	CHECK(&check, share_used(child) == 200000);
	REFUSED(BUDGET, create_context(child, 2 * MS, 10 * MS, PRIORITY, &none));
	nap(12 * MS);
	CHECK(&check, share_used(child) == 0);
	release(child);
}

/* Under the TSC of an instruction count: a Timer.now costs so many. */
static void what_a_call_costs(void)
{
	uint32_t low, high;
	uint64_t start, end;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	start = (uint64_t)high << 32 | low;
	for (unsigned i = 0; i < 1000; i++)
		(void)now();
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	end = (uint64_t)high << 32 | low;
	native_print(self, "  Timer.now: %lu instructions with all around it\n",
	             (end - start) / 1000);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_budget_is_kept, equals_get_the_same, an_interrupted_turn_goes_on,
		waking_is_not_yielding,
		no_trick_gets_more, a_used_share_comes_back_later, what_a_call_costs,
	};

	start_sched(given, "sched_budget");
	rule(TOP);
	run(steps, sizeof steps / sizeof steps[0]);
}
