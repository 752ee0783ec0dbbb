/* deadlines_test.c: all come, in order of time, and none costs much. */
#include "core/deadlines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 100000, FEW = 60, STEPS = 20000, DEPTH_MOST = 64 };

static struct deadline nodes[MANY];

static void check(const struct deadlines *d)
{
	const char *wrong = deadlines_check(d);

	if (wrong)
		fail_msg("%s", wrong);
}

static unsigned depth(const struct deadline *node)
{
	unsigned steps = 0;

	for (; node; node = node->parent)
		steps++;
	return steps;
}

static void equal_times_come_in_order_of_setting(void **state)
{
	struct deadlines d = {.random = 1};

	(void)state;
	for (unsigned i = 0; i < FEW; i++)
		deadlines_set(&d, &nodes[i], i % 3);
	check(&d);
	for (unsigned time = 0; time < 3; time++)
		for (unsigned i = time; i < FEW; i += 3) {
			assert_ptr_equal(d.first, &nodes[i]);
			deadlines_clear(&d, &nodes[i]);
			assert_false(nodes[i].set);
			check(&d);
		}
	assert_null(d.first);
	assert_null(d.root);
}

static void those_of_one_time_are_found_in_order(void **state)
{
	struct deadlines d = {.random = 5};

	(void)state;
	assert_null(deadlines_find(&d, 0));
	for (unsigned i = 0; i < FEW; i++)
		deadlines_set(&d, &nodes[i], 2 * (i * 7 % 10));
	for (unsigned time = 0; time < 20; time++) {
		struct deadline *node = deadlines_find(&d, time);
		unsigned count = 0;

		for (unsigned i = 0; i < FEW; i++) {
			if (nodes[i].at != time)
				continue;
			assert_ptr_equal(node, &nodes[i]);
			node = deadlines_next(node);
			count++;
		}
		assert_int_equal(count, time % 2 ? 0 : FEW / 10);
		assert_true(!count || !node || node->at > time);
	}
	for (unsigned i = 0; i < FEW; i++)
		deadlines_clear(&d, &nodes[i]);
}

/* As an attacker would set them: rising, falling, all the same. */
static void no_order_makes_the_tree_deep(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct deadlines d = {.random = 0x9e3779b97f4a7c15};
		unsigned deepest = 0;

		for (unsigned i = 0; i < MANY; i++)
			deadlines_set(&d, &nodes[i], kind == 0 ? i : kind == 1 ? MANY - i : 7);
		check(&d);
		for (unsigned i = 0; i < MANY; i++)
			if (depth(&nodes[i]) > deepest)
				deepest = depth(&nodes[i]);
		assert_true(deepest < DEPTH_MOST);
	}
}

static uint64_t earliest(const bool *set)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < FEW; i++)
		if (set[i] && nodes[i].at < least)
			least = nodes[i].at;
	return least;
}

static void a_long_random_life(void **state)
{
	struct deadlines d = {.random = 42};
	bool set[FEW] = {false};

	(void)state;
	srand(1);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rand() % FEW;

		if (set[i])
			deadlines_clear(&d, &nodes[i]);
		else
			deadlines_set(&d, &nodes[i], (uint64_t)rand() % 40);
		set[i] = !set[i];
		check(&d);
		if (d.first)
			assert_int_equal(d.first->at, earliest(set));
		else
			assert_int_equal(earliest(set), UINT64_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_times_come_in_order_of_setting),
		cmocka_unit_test(those_of_one_time_are_found_in_order),
		cmocka_unit_test(no_order_makes_the_tree_deep),
		cmocka_unit_test(a_long_random_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
