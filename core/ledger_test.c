/* ledger_test.c: no ledger promises what it has not got. */
#include "core/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_charge_stops_at_the_limit(void **state)
{
	struct ledger root = {.id = 4};

	(void)state;
	ledger_init_root(&root, 100);
	assert_int_equal(root.id, 4);
	assert_int_equal(ledger_charge(&root, 60), STATUS_OK);
	assert_int_equal(ledger_charge(&root, 41), STATUS_NO_MEMORY);
	assert_int_equal(root.used, 60);
	assert_int_equal(ledger_charge(&root, 40), STATUS_OK);
	assert_int_equal(ledger_left(&root), 0);
	assert_int_equal(ledger_charge(&root, UINT64_MAX), STATUS_NO_MEMORY);
	ledger_credit(&root, 100);
	assert_int_equal(root.used, 0);
	assert_int_equal(root.peak, 100);
}

static void a_child_takes_its_limit_from_the_parent(void **state)
{
	struct ledger root = {0}, child = {.id = 1}, grandchild = {.id = 2};

	(void)state;
	ledger_init_root(&root, 100);
	assert_int_equal(ledger_init_child(&child, &root, 101), STATUS_NO_MEMORY);
	assert_int_equal(root.used, 0);
	assert_int_equal(ledger_init_child(&child, &root, 70), STATUS_OK);
	assert_int_equal(ledger_left(&root), 30);
	assert_int_equal(ledger_init_child(&grandchild, &child, 70), STATUS_OK);
	assert_int_equal(ledger_charge(&child, 1), STATUS_NO_MEMORY);
	assert_int_equal(ledger_charge(&grandchild, 70), STATUS_OK);
	ledger_credit(&grandchild, 70);
	ledger_end(&grandchild);
	assert_int_equal(child.used, 0);
	assert_int_equal(ledger_charge(&grandchild, 1), STATUS_NO_MEMORY);
	ledger_end(&child);
	assert_int_equal(ledger_left(&root), 100);
}

/* -- donations, in a tree of this shape:   0
 *                                        1   2
 *                                       3 4   5
 *                                           6   (its limit is 0) */

enum { LEDGERS = 7, STEPS = 100000 };
struct tree {
	struct ledger ledgers[LEDGERS];
	uint64_t own[LEDGERS];
};

static void check(const struct tree *t)
{
	const struct ledger *all[LEDGERS];
	const char *wrong;

	for (unsigned i = 0; i < LEDGERS; i++)
		all[i] = &t->ledgers[i];
	wrong = ledger_check(all, t->own, LEDGERS);
	if (wrong)
		fail_msg("%s", wrong);
}

static void plant(struct tree *t)
{
	static const struct { unsigned parent; uint64_t limit; } shape[LEDGERS] = {
		[1] = { 0, 40 }, [2] = { 0, 40 }, [3] = { 1, 10 }, [4] = { 1, 10 }, [5] = { 2, 20 },
		[6] = { 5, 0 },
	};

	*t = (struct tree){0};
	ledger_init_root(&t->ledgers[0], 100);
	for (unsigned i = 1; i < LEDGERS; i++)
		assert_int_equal(ledger_init_child(&t->ledgers[i], &t->ledgers[shape[i].parent],
		                                   shape[i].limit), STATUS_OK);
	check(t);
}

/* `limits` and `used` of all, in order. */
static void expect(const struct tree *t, const uint64_t *limits, const uint64_t *used)
{
	check(t);
	for (unsigned i = 0; i < LEDGERS; i++) {
		assert_int_equal(t->ledgers[i].limit, limits[i]);
		assert_int_equal(t->ledgers[i].used, used[i]);
	}
}
#define EXPECT(t, ...) expect(t, ((const uint64_t[2][LEDGERS]){__VA_ARGS__})[0], \
                              ((const uint64_t[2][LEDGERS]){__VA_ARGS__})[1])

static void a_donation_goes_by_the_common_ancestor(void **state)
{
	struct tree t;
	struct ledger *l = t.ledgers;

	(void)state;
	plant(&t);
	EXPECT(&t, { 100, 40, 40, 10, 10, 20, 0 }, { 80, 20, 20, 0, 0, 0, 0 });
	assert_int_equal(ledger_donate(&l[3], &l[6], 7), STATUS_OK); /* across the root */
	EXPECT(&t, { 100, 33, 47, 3, 10, 27, 7 }, { 80, 13, 27, 0, 0, 7, 0 });
	assert_int_equal(l[5].peak, 7);
	assert_int_equal(ledger_donate(&l[3], &l[4], 3), STATUS_OK); /* between siblings */
	EXPECT(&t, { 100, 33, 47, 0, 13, 27, 7 }, { 80, 13, 27, 0, 0, 7, 0 });
	assert_int_equal(ledger_donate(&l[6], &l[2], 7), STATUS_OK); /* to an ancestor */
	EXPECT(&t, { 100, 33, 47, 0, 13, 20, 0 }, { 80, 13, 20, 0, 0, 0, 0 });
	assert_int_equal(ledger_donate(&l[0], &l[3], 20), STATUS_OK); /* to a descendant */
	EXPECT(&t, { 100, 53, 47, 20, 13, 20, 0 }, { 100, 33, 20, 0, 0, 0, 0 });
	assert_int_equal(ledger_donate(&l[3], &l[3], 20), STATUS_OK); /* to itself */
	EXPECT(&t, { 100, 53, 47, 20, 13, 20, 0 }, { 100, 33, 20, 0, 0, 0, 0 });
}

static void a_donation_is_all_or_nothing(void **state)
{
	struct tree t;
	struct ledger *l = t.ledgers, stranger = {0};

	(void)state;
	plant(&t);
	ledger_init_root(&stranger, 50);
	assert_int_equal(ledger_charge(&l[3], 4), STATUS_OK);
	t.own[3] = 4;
	assert_int_equal(ledger_donate(&l[3], &l[6], 7), STATUS_NO_MEMORY);
	assert_int_equal(ledger_donate(&l[3], &l[3], 7), STATUS_NO_MEMORY);
	assert_int_equal(ledger_donate(&l[0], &l[6], UINT64_MAX), STATUS_NO_MEMORY);
	assert_int_equal(ledger_donate(&l[3], &stranger, 1), STATUS_INVALID);
	assert_int_equal(ledger_donate(&stranger, &l[6], 1), STATUS_INVALID);
	EXPECT(&t, { 100, 40, 40, 10, 10, 20, 0 }, { 80, 20, 20, 4, 0, 0, 0 });
	assert_int_equal(stranger.limit, 50);
	assert_int_equal(stranger.used, 0);
}

static void a_parent_takes_back_what_is_unused(void **state)
{
	struct tree t;
	struct ledger *l = t.ledgers;

	(void)state;
	plant(&t);
	assert_int_equal(ledger_charge(&l[3], 4), STATUS_OK);
	t.own[3] = 4;
	assert_int_equal(ledger_reclaim(&l[3], 7), STATUS_NO_MEMORY);
	assert_int_equal(ledger_reclaim(&l[3], 6), STATUS_OK);
	EXPECT(&t, { 100, 40, 40, 4, 10, 20, 0 }, { 80, 14, 20, 4, 0, 0, 0 });
	assert_int_equal(ledger_reclaim(&l[0], 1), STATUS_INVALID);
	assert_int_equal(ledger_reclaim(&l[2], 20), STATUS_OK);
	EXPECT(&t, { 100, 40, 20, 4, 10, 20, 0 }, { 60, 14, 20, 4, 0, 0, 0 });
}

/* Nothing is made or lost: what all have left and what is charged stays 100. */
static void a_long_random_life(void **state)
{
	struct tree t;

	(void)state;
	srand(1);
	plant(&t);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rand() % LEDGERS, j = (unsigned)rand() % LEDGERS;
		struct ledger *l = &t.ledgers[i];
		uint64_t bytes = (uint64_t)rand() % 16, left = ledger_left(l), sum = 0;

		switch (rand() % 4) {
		case 0:
			if (ledger_charge(l, bytes) == STATUS_OK)
				t.own[i] += bytes;
			else
				assert_true(left < bytes);
			break;
		case 1:
			if (bytes <= t.own[i]) {
				ledger_credit(l, bytes);
				t.own[i] -= bytes;
			}
			break;
		case 2:
			assert_int_equal(ledger_donate(l, &t.ledgers[j], bytes),
			                 bytes <= left ? STATUS_OK : STATUS_NO_MEMORY);
			break;
		case 3:
			assert_int_equal(ledger_reclaim(l, bytes), i == 0 ? STATUS_INVALID :
			                 bytes <= left ? STATUS_OK : STATUS_NO_MEMORY);
			break;
		}
		check(&t);
		for (unsigned k = 0; k < LEDGERS; k++)
			sum += ledger_left(&t.ledgers[k]) + t.own[k];
		assert_int_equal(sum, 100);
	}
}

/* The checker sees what a donation without its climb would leave. */
static void the_checker_sees_a_limit_from_nowhere(void **state)
{
	struct tree t;
	const struct ledger *all[LEDGERS];

	(void)state;
	plant(&t);
	for (unsigned i = 0; i < LEDGERS; i++)
		all[i] = &t.ledgers[i];
	t.ledgers[6].limit++;
	assert_non_null(ledger_check(all, t.own, LEDGERS));
	t.ledgers[6].limit--;
	t.ledgers[1].used--;
	assert_non_null(ledger_check(all, t.own, LEDGERS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_charge_stops_at_the_limit),
		cmocka_unit_test(a_child_takes_its_limit_from_the_parent),
		cmocka_unit_test(a_donation_goes_by_the_common_ancestor),
		cmocka_unit_test(a_donation_is_all_or_nothing),
		cmocka_unit_test(a_parent_takes_back_what_is_unused),
		cmocka_unit_test(a_long_random_life),
		cmocka_unit_test(the_checker_sees_a_limit_from_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
