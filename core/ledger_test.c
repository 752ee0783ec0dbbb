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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_charge_stops_at_the_limit),
		cmocka_unit_test(a_child_takes_its_limit_from_the_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
