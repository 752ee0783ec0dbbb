/* blocks_test.c: no unit is given twice, none is lost, and empty pages go. */
#include "core/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES = 24, PAGE = 4096, LIVE_MOST = 400, STEPS = 200000 };

struct live {
	unsigned char *at;
	unsigned units;
	unsigned char fill;
};

static unsigned char memory[PAGES][PAGE] __attribute__((aligned(PAGE)));
static bool given[PAGES];
static unsigned given_count;

static bool add(struct blocks *b)
{
	for (unsigned i = 0; i < PAGES; i++) {
		if (given[i])
			continue;
		given[i] = true;
		given_count++;
		blocks_add(b, memory[i]);
		return true;
	}
	return false;
}

static void *take(struct blocks *b, unsigned units)
{
	void *block = blocks_take(b, units);

	if (!block && add(b))
		block = blocks_take(b, units);
	return block;
}

static void put(struct blocks *b, void *block, unsigned units)
{
	unsigned char *page;

	assert_true(blocks_has(b, block, units));
	page = blocks_put(b, block, units);
	if (!page)
		return;
	assert_true(given[(page - memory[0]) / PAGE]);
	given[(page - memory[0]) / PAGE] = false;
	given_count--;
}

static void check(const struct blocks *b)
{
	const char *wrong = blocks_check(b);

	if (wrong)
		fail_msg("%s", wrong);
}

static int start(void **state)
{
	(void)state;
	memset(memory, 0xaa, sizeof(memory)); /* nothing relies on cleared pages */
	memset(given, 0, sizeof(given));
	given_count = 0;
	return 0;
}

static void sizes_share_a_page(void **state)
{
	struct blocks b = {0};
	void *blocks[4];
	unsigned units[] = {16, 1, 30, 16};

	(void)state;
	assert_null(blocks_take(&b, 1));
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(blocks[i] = take(&b, units[i]));
	assert_int_equal(given_count, 1);
	assert_null(blocks_take(&b, 1)); /* 63 units were all */
	check(&b);
	for (unsigned i = 0; i < 4; i++)
		put(&b, blocks[i], units[i]);
	assert_int_equal(given_count, 0);
	assert_null(b.head);
}

static void a_block_is_freed_once_and_by_its_owner(void **state)
{
	struct blocks b = {0}, other = {0};
	char *first, *second;

	(void)state;
	first = take(&b, 2);
	second = take(&b, 2);
	assert_false(blocks_has(&other, first, 2));
	assert_false(blocks_has(&b, second, 3));
	put(&b, first, 2);
	assert_false(blocks_has(&b, first, 2));
	assert_false(blocks_has(&b, first, 1));
	put(&b, second, 2);
}

/* Holes of one unit in every page: nothing longer fits, and the search for it
 * gives up after a few pages. */
static void a_search_is_short_however_many_pages(void **state)
{
	struct blocks b = {0};
	void *units[PAGES - 1][BLOCKS_LONGEST], *long_one;

	(void)state;
	for (unsigned p = 0; p < PAGES - 1; p++)
		for (unsigned i = 0; i < BLOCKS_LONGEST; i++)
			assert_non_null(units[p][i] = take(&b, 1));
	for (unsigned p = 0; p < PAGES - 1; p++)
		for (unsigned i = 0; i < BLOCKS_LONGEST; i += 2)
			put(&b, units[p][i], 1);
	assert_int_equal(given_count, PAGES - 1);
	check(&b);
	assert_null(blocks_take(&b, 2));
	assert_non_null(long_one = take(&b, BLOCKS_LONGEST));
	assert_int_equal(given_count, PAGES);
	put(&b, long_one, BLOCKS_LONGEST);
	for (unsigned p = 0; p < PAGES - 1; p++)
		for (unsigned i = 1; i < BLOCKS_LONGEST; i += 2)
			put(&b, units[p][i], 1);
	assert_int_equal(given_count, 0);
}

/* Every block is filled with its own byte, which nobody else may change. */
static void forget(struct blocks *b, struct live *l)
{
	for (unsigned i = 0; i < l->units * BLOCKS_UNIT; i++)
		assert_int_equal(l->at[i], l->fill);
	put(b, l->at, l->units);
	l->at = NULL;
}

static void blocks_never_overlap(void **state)
{
	struct live live[LIVE_MOST] = {0};
	struct blocks b = {0};

	(void)state;
	srand(1);
	for (unsigned step = 0; step < STEPS; step++) {
		struct live *l = &live[rand() % LIVE_MOST];

		if (l->at) {
			forget(&b, l);
		} else {
			l->units = 1 + (unsigned)rand() % (rand() % 8 ? 4 : BLOCKS_LONGEST);
			l->fill = (unsigned char)step;
			l->at = take(&b, l->units);
			if (l->at)
				memset(l->at, l->fill, l->units * BLOCKS_UNIT);
		}
		check(&b);
	}
	for (unsigned i = 0; i < LIVE_MOST; i++)
		if (live[i].at)
			forget(&b, &live[i]);
	assert_int_equal(given_count, 0);
	assert_null(b.head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sizes_share_a_page, start),
		cmocka_unit_test_setup(a_block_is_freed_once_and_by_its_owner, start),
		cmocka_unit_test_setup(a_search_is_short_however_many_pages, start),
		cmocka_unit_test_setup(blocks_never_overlap, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
