/* budget_test.c: never more than was promised, and all of what was. */
#include "core/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS 1000000ull
#define S (1000 * MS)

static void check(const struct budget *b)
{
	const char *wrong = budget_check(b);

	if (wrong)
		fail_msg("%s", wrong);
}

static struct budget make(uint64_t budget, uint64_t period)
{
	struct budget b;

	assert_int_equal(budget_init(&b, budget, period), STATUS_OK);
	check(&b);
	return b;
}

static void hostile_values_are_refused(void **state)
{
	static const uint64_t bad[][2] = {
		{0, 0}, {0, 10 * MS}, {1, 10 * MS}, {1, 0}, {10 * MS, 10 * MS - 1},
		{UINT64_MAX, 10 * MS}, {UINT64_MAX, UINT64_MAX}, {20000, UINT64_MAX},
		{20000, 3600 * S + 1}, {UINT64_MAX - 1, UINT64_MAX - 1}, {20000, 1}, {19999, 20000},
	};
	struct budget b = make(2 * MS, 10 * MS), same = b;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(budget_init(&b, bad[i][0], bad[i][1]), STATUS_INVALID);
		assert_int_equal(budget_set(&b, bad[i][0], bad[i][1], 5), STATUS_INVALID);
		assert_memory_equal(&b, &same, sizeof b);
	}
	make(20000, 20000);
	make(3600 * S, 3600 * S);
	make(UINT64_MAX, 0);
	make(UINT64_MAX - 1, 0);
}

static void it_runs_out_and_comes_back(void **state)
{
	struct budget b = make(2 * MS, 8 * MS); /* a cell is 1 ms */

	(void)state;
	assert_int_equal(budget_left(&b, 100 * MS), 2 * MS);
	budget_charge(&b, 100 * MS, 102 * MS);
	assert_int_equal(budget_left(&b, 102 * MS), 0);
	assert_int_equal(budget_next(&b, 102 * MS), 108 * MS);
	assert_int_equal(budget_left(&b, 108 * MS - 1), 0);
	assert_int_equal(budget_left(&b, 108 * MS), MS); /* and while that is used, */
	budget_charge(&b, 108 * MS, 109 * MS);
	assert_int_equal(budget_left(&b, 109 * MS), MS); /* the rest */
	assert_int_equal(budget_left(&b, 3600 * S), 2 * MS);
	check(&b);
}

static void one_shot_does_not_come_back(void **state)
{
	struct budget b = make(2 * MS, 0);

	(void)state;
	budget_charge(&b, 5 * MS, 6 * MS);
	assert_int_equal(budget_left(&b, 3600 * S), MS);
	budget_charge(&b, 7 * MS, 3600 * S);
	check(&b);
	assert_int_equal(budget_left(&b, UINT64_MAX), 0);
	assert_int_equal(budget_next(&b, 10 * MS), BUDGET_NEVER);
	assert_int_equal(budget_set(&b, 2 * MS, 0, 10 * MS), STATUS_OK);
	assert_int_equal(budget_left(&b, 10 * MS), 2 * MS);
}

static void infinite_is_not_counted(void **state)
{
	struct budget b = make(BUDGET_INFINITE, 0);

	(void)state;
	budget_charge(&b, 0, UINT64_MAX);
	check(&b);
	assert_int_equal(budget_left(&b, UINT64_MAX), BUDGET_INFINITE);
	assert_int_equal(budget_next(&b, 7), 7);
	assert_int_equal(budget_whole(&b, 7), 7);
}

static void no_setting_gives_back_what_was_used(void **state)
{
	struct budget b = make(100 * MS, 500 * MS);

	(void)state;
	budget_charge(&b, S, S + 100 * MS);
	assert_int_equal(budget_set(&b, 101 * MS, 500 * MS, S + 100 * MS), STATUS_OK);
	assert_int_equal(budget_left(&b, S + 100 * MS), MS);
	assert_int_equal(budget_set(&b, 2 * MS, 10 * MS, S + 100 * MS), STATUS_OK);
	check(&b);
	assert_int_equal(budget_left(&b, S + 100 * MS), 0);
	assert_int_equal(budget_next(&b, S + 100 * MS), S + 562500000);
	assert_int_equal(budget_set(&b, 100 * MS, 500 * MS, S + 110 * MS), STATUS_OK);
	assert_int_equal(budget_left(&b, S + 562499999), 0);
	assert_int_equal(budget_left(&b, S + 562500000), 100 * MS);
}

/* The clock's end, and a clock that seems to go back. */
static void no_time_is_too_late(void **state)
{
	struct budget b = make(2 * MS, 10 * MS);

	(void)state;
	budget_charge(&b, UINT64_MAX - 2 * MS, UINT64_MAX);
	check(&b);
	assert_int_equal(budget_left(&b, UINT64_MAX), 0);
	assert_int_equal(budget_next(&b, UINT64_MAX), BUDGET_NEVER);
	budget_charge(&b, 5, 1);
	budget_charge(&b, 1, 5);
	check(&b);
	assert_int_equal(budget_left(&b, 7), 0);
	b = make(2 * MS, 10 * MS);
	budget_charge(&b, 0, UINT64_MAX);
	check(&b);
	assert_int_equal(budget_left(&b, UINT64_MAX), 0);
}

/* --- the promise, against a record of every millisecond --------------------------- */

enum { SLOTS = 400000 };

static uint8_t record[SLOTS]; /* 1: that tenth of a millisecond was used */

static const uint64_t tenth = MS / 10;

/* Runs when it wants to and may, on a machine where it gets in at any time. */
static void live(struct budget *b, unsigned wants)
{
	bool running = false;
	unsigned stretch = 0;

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		uint64_t now = 7 * S + slot * tenth;

		if (stretch-- == 0) {
			running = (unsigned)rand() % 100 < wants;
			stretch = (unsigned)rand() % 40;
		}
		record[slot] = running && budget_left(b, now) >= tenth;
		if (record[slot])
			budget_charge(b, now, now + tenth);
		check(b);
	}
}

static unsigned most_in(unsigned length)
{
	unsigned sum = 0, most = 0;

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		sum += record[slot];
		if (slot >= length)
			sum -= record[slot - length];
		most = sum > most ? sum : most;
	}
	return most;
}

static unsigned total(void)
{
	unsigned sum = 0;

	for (unsigned slot = 0; slot < SLOTS; slot++)
		sum += record[slot];
	return sum;
}

static void never_more_than_promised(void **state)
{
	(void)state;
	srand(3);
	for (unsigned wants = 5; wants <= 100; wants += 19) {
		struct budget b = make(30 * MS, 80 * MS); /* 300 tenths in 800 */

		live(&b, wants);
		assert_in_range(most_in(700), 1, 300);
		assert_in_range(total(), 1, SLOTS / 8 * 3 + 300);
	}
}

static void all_of_what_was_promised(void **state)
{
	(void)state;
	for (uint64_t budget = MS; budget <= 80 * MS; budget += 79 * MS / 5) {
		struct budget b = make(budget, 80 * MS);
		unsigned due = (unsigned)(budget / tenth * (SLOTS / 800));

		live(&b, 100);
		assert_in_range(total(), due - due / 50, due + 800);
	}
}

/* What is used past the end is paid for later. */
static void an_overrun_is_paid_back(void **state)
{
	struct budget b = make(2 * MS, 10 * MS);
	uint64_t now = S, ran = 0;

	(void)state;
	while (now < 11 * S) {
		uint64_t part = budget_left(&b, now);

		if (!part) {
			now = budget_next(&b, now) + 40000; /* late in, and late out */
			continue;
		}
		budget_charge(&b, now, now + part + 30000);
		now += part + 30000;
		ran += part + 30000;
		check(&b);
	}
	assert_in_range(ran, 1900 * MS, 2050 * MS);
}

static void no_pause_is_too_short(void **state)
{
	struct budget b = make(2 * MS, 8 * MS);

	(void)state;
	budget_charge(&b, S, S + 2 * MS);
	assert_int_equal(budget_run(&b, S + 8 * MS - 20001), 0);
	assert_int_equal(budget_run(&b, S + 8 * MS - 20000), 20000);
	assert_int_equal(budget_run(&b, S + 8 * MS), MS);
	b = make(2 * MS, 0);
	budget_charge(&b, S, S + 2 * MS);
	assert_int_equal(budget_run(&b, S + 2 * MS), 0);
	assert_int_equal(budget_run(&b, UINT64_MAX - 1), 0);
	b = make(BUDGET_INFINITE, 0);
	assert_int_equal(budget_run(&b, S), BUDGET_INFINITE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_values_are_refused),
		cmocka_unit_test(it_runs_out_and_comes_back),
		cmocka_unit_test(one_shot_does_not_come_back),
		cmocka_unit_test(infinite_is_not_counted),
		cmocka_unit_test(no_setting_gives_back_what_was_used),
		cmocka_unit_test(no_time_is_too_late),
		cmocka_unit_test(never_more_than_promised),
		cmocka_unit_test(all_of_what_was_promised),
		cmocka_unit_test(an_overrun_is_paid_back),
		cmocka_unit_test(no_pause_is_too_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
