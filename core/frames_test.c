/* frames_test.c: no frame is lost, and none is given twice. */
#include "core/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LIMIT = 64, STEPS = 100000 };

static struct frame table[LIMIT];

static void check(const struct frames *f)
{
	const char *wrong = frames_check(f);

	if (wrong)
		fail_msg("%s", wrong);
}

static void start(struct frames *f)
{
	memset(table, 0xaa, sizeof(table)); /* nothing relies on a cleared table */
	frames_init(f, table, LIMIT);
	assert_int_equal(frames_add(f, 1, 9), STATUS_OK);
	assert_int_equal(frames_add(f, 20, 30), STATUS_OK);
	assert_int_equal(f->free_count, 18);
	check(f);
}

static void bad_regions_are_refused(void **state)
{
	struct frames f;

	(void)state;
	frames_init(&f, table, LIMIT);
	assert_int_equal(frames_add(&f, 0, 5), STATUS_INVALID);
	assert_int_equal(frames_add(&f, 5, 5), STATUS_INVALID);
	assert_int_equal(frames_add(&f, 6, 5), STATUS_INVALID);
	assert_int_equal(frames_add(&f, 5, LIMIT + 1), STATUS_INVALID);
	for (unsigned i = 0; i < FRAMES_REGIONS; i++)
		assert_int_equal(frames_add(&f, i + 1, i + 2), STATUS_OK);
	assert_int_equal(frames_add(&f, 50, 51), STATUS_NO_SLOT);
	check(&f);
}

static void each_frame_is_given_once(void **state)
{
	struct frames f;
	bool seen[LIMIT] = {false};
	uint32_t n;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < 18; i++) {
		n = frames_take(&f, 3);
		assert_int_not_equal(n, FRAMES_NONE);
		assert_true((n >= 1 && n < 9) || (n >= 20 && n < 30));
		assert_false(seen[n]);
		seen[n] = true;
		assert_int_equal(frames_at(&f, n)->refs, 1);
		assert_int_equal(frames_at(&f, n)->writers, 0);
	}
	assert_int_equal(frames_take(&f, 3), FRAMES_NONE);
	assert_int_equal(f.free_count, 0);
	check(&f);
}

static void the_last_reference_frees_and_names_the_payer(void **state)
{
	struct frames f;
	uint16_t ledger = 99;
	uint32_t n;

	(void)state;
	start(&f);
	n = frames_take(&f, 5);
	frames_hold(&f, n);
	assert_false(frames_drop(&f, n, &ledger));
	assert_int_equal(ledger, 99);
	assert_true(frames_drop(&f, n, &ledger));
	assert_int_equal(ledger, 5);
	assert_int_equal(f.free_count, 18);
	check(&f);
}

static void an_adopted_frame_joins_the_pool(void **state)
{
	struct frames f;
	uint16_t ledger;

	(void)state;
	start(&f);
	frames_adopt(&f, 40, 7);
	assert_int_equal(f.total, 19);
	assert_int_equal(f.free_count, 18);
	check(&f);
	assert_true(frames_drop(&f, 40, &ledger));
	assert_int_equal(ledger, 7);
	assert_int_equal(f.free_count, 19);
	assert_int_equal(frames_take(&f, 1), 40);
	check(&f);
}

static void clean_frames_are_told_apart_and_not_lost(void **state)
{
	struct frames f;
	uint16_t ledger;
	uint32_t n;

	(void)state;
	start(&f);
	assert_int_equal(frames_take_clean(&f, 1), FRAMES_NONE);
	n = frames_take(&f, 6);
	frames_drop_clean(&f, n, &ledger);
	assert_int_equal(ledger, 6);
	check(&f);
	assert_int_equal(frames_take_clean(&f, 2), n);
	assert_int_equal(frames_at(&f, n)->ledger, 2);
	frames_drop_clean(&f, n, &ledger);
	for (unsigned i = 0; i < 17; i++)
		assert_int_not_equal(frames_take(&f, 1), n); /* kept for last */
	assert_int_equal(frames_take(&f, 1), n);
	assert_int_equal(frames_take(&f, 1), FRAMES_NONE);
	check(&f);
}

static void sum(const struct frame *frame, void *context)
{
	*(unsigned *)context += frame->ledger;
}

static void taken_frames_are_walked_and_a_lost_one_is_missed(void **state)
{
	struct frames f;
	unsigned total = 0;
	uint16_t ledger;
	uint32_t n;

	(void)state;
	start(&f);
	(void)frames_take(&f, 1);
	n = frames_take(&f, 10);
	frames_adopt(&f, 40, 100);
	frames_adopt(&f, 41, 1000);
	frames_walk(&f, sum, &total);
	assert_int_equal(total, 1111);
	frames_at(&f, n)->refs = 0;
	assert_non_null(frames_check(&f));
	frames_at(&f, n)->refs = 1;
	assert_null(frames_check(&f));
	assert_true(frames_drop(&f, 41, &ledger));
	total = 0;
	frames_walk(&f, sum, &total);
	assert_int_equal(total, 111);
	check(&f);
}

static void a_long_random_life(void **state)
{
	struct frames f;
	uint32_t held[18], count = 0, refs = 0;

	(void)state;
	srand(1);
	start(&f);
	for (unsigned step = 0; step < STEPS; step++) {
		uint16_t ledger;
		uint32_t at = count ? (uint32_t)rand() % count : 0;

		switch (rand() % 3) {
		case 0:
			if (count < 18) {
				held[count] = frames_take(&f, (uint16_t)count);
				assert_int_not_equal(held[count], FRAMES_NONE);
				count++;
				refs++;
			}
			break;
		case 1:
			if (count) {
				frames_hold(&f, held[at]);
				refs++;
			}
			break;
		default:
			if (count) {
				refs--;
				if (frames_drop(&f, held[at], &ledger))
					held[at] = held[--count];
			}
		}
		assert_int_equal(f.free_count, 18 - count);
		if (step % 500 == 0)
			check(&f);
	}
	assert_true(refs >= count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_regions_are_refused),
		cmocka_unit_test(each_frame_is_given_once),
		cmocka_unit_test(the_last_reference_frees_and_names_the_payer),
		cmocka_unit_test(an_adopted_frame_joins_the_pool),
		cmocka_unit_test(clean_frames_are_told_apart_and_not_lost),
		cmocka_unit_test(taken_frames_are_walked_and_a_lost_one_is_missed),
		cmocka_unit_test(a_long_random_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
