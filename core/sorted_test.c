/* sorted_test.c: all come in order, and none costs much. */
#include "core/sorted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 100000, FEW = 60, STEPS = 20000, DEPTH_MOST = 64 };

static struct sorted_node nodes[MANY];

static void check(const struct sorted *d)
{
	const char *wrong = sorted_check(d);

	if (wrong)
		fail_msg("%s", wrong);
}

static unsigned depth(const struct sorted_node *node)
{
	unsigned steps = 0;

	for (; node; node = node->parent)
		steps++;
	return steps;
}

static void equal_keys_come_in_order_of_insertion(void **state)
{
	struct sorted d = {.random = 1};

	(void)state;
	for (unsigned i = 0; i < FEW; i++)
		sorted_insert(&d, &nodes[i], i % 3);
	check(&d);
	for (unsigned key = 0; key < 3; key++)
		for (unsigned i = key; i < FEW; i += 3) {
			assert_ptr_equal(d.first, &nodes[i]);
			sorted_remove(&d, &nodes[i]);
			assert_false(nodes[i].in);
			check(&d);
		}
	assert_null(d.first);
	assert_null(d.root);
}

/* As an attacker would choose them: rising, falling, all the same. */
static void no_order_makes_the_tree_deep(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct sorted d = {.random = 0x9e3779b97f4a7c15};
		unsigned deepest = 0;

		for (unsigned i = 0; i < MANY; i++)
			sorted_insert(&d, &nodes[i], kind == 0 ? i : kind == 1 ? MANY - i : 7);
		check(&d);
		for (unsigned i = 0; i < MANY; i++)
			if (depth(&nodes[i]) > deepest)
				deepest = depth(&nodes[i]);
		assert_true(deepest < DEPTH_MOST);
	}
}

static void the_first_of_a_key_is_found(void **state)
{
	struct sorted d = {.random = 7};
	const struct sorted_node *node;

	(void)state;
	for (unsigned i = 0; i < FEW; i++)
		sorted_insert(&d, &nodes[i], i % 7 * 2);
	for (unsigned key = 0; key < 7; key++) {
		assert_null(sorted_find(&d, key * 2 + 1));
		node = sorted_find(&d, key * 2);
		for (unsigned i = key; i < FEW; i += 7) {
			assert_ptr_equal(node, &nodes[i]);
			node = sorted_next(node);
		}
		assert_true(key == 6 ? !node : node->key == key * 2 + 2);
	}
}

static uint64_t least_of(const bool *set)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < FEW; i++)
		if (set[i] && nodes[i].key < least)
			least = nodes[i].key;
	return least;
}

static void a_long_random_life(void **state)
{
	struct sorted d = {.random = 42};
	bool set[FEW] = {false};

	(void)state;
	srand(1);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rand() % FEW;

		if (set[i])
			sorted_remove(&d, &nodes[i]);
		else
			sorted_insert(&d, &nodes[i], (uint64_t)rand() % 40);
		set[i] = !set[i];
		check(&d);
		if (d.first)
			assert_int_equal(d.first->key, least_of(set));
		else
			assert_int_equal(least_of(set), UINT64_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_keys_come_in_order_of_insertion),
		cmocka_unit_test(no_order_makes_the_tree_deep),
		cmocka_unit_test(the_first_of_a_key_is_found),
		cmocka_unit_test(a_long_random_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
