/* captable_test.c: ids name what they were given for, and nothing else. */
#include "core/captable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 200000, OBJECTS = 16 };

static struct object objects[OBJECTS];

static void check(const struct captable *t)
{
	const char *wrong = captable_check(t);

	if (wrong)
		fail_msg("%s", wrong);
}

static void grow(struct captable *t)
{
	void *page = calloc(CAPTABLE_PAGE_SLOTS, sizeof(struct capslot));

	assert_int_equal(captable_grow(t, page), STATUS_OK);
	check(t);
}

static void end(struct captable *t)
{
	for (unsigned i = 0; i < t->page_count; i++)
		free(t->pages[i]);
}

static void empty_table_names_nothing(void **state)
{
	struct captable t;
	uint32_t id;

	(void)state;
	captable_init(&t);
	check(&t);
	assert_null(captable_lookup(&t, 0));
	assert_null(captable_lookup(&t, 0x10000));
	assert_null(captable_remove(&t, 0x10000));
	assert_false(captable_has_room(&t));
	assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_NO_SLOT);
}

static void an_id_is_dead_once_removed(void **state)
{
	struct captable t;
	uint32_t first, second;

	(void)state;
	captable_init(&t);
	grow(&t);
	assert_int_equal(captable_insert(&t, &objects[0], &first), STATUS_OK);
	assert_ptr_equal(captable_lookup(&t, first), &objects[0]);
	assert_ptr_equal(captable_remove(&t, first), &objects[0]);
	assert_null(captable_lookup(&t, first));
	assert_null(captable_remove(&t, first));
	assert_int_equal(captable_insert(&t, &objects[1], &second), STATUS_OK);
	assert_int_equal(first & 0xffff, second & 0xffff);
	assert_int_not_equal(first, second);
	assert_null(captable_lookup(&t, first));
	assert_ptr_equal(captable_lookup(&t, second), &objects[1]);
	check(&t);
	end(&t);
}

/* The generation wraps without ever making an id 0. */
static void no_reuse_yields_id_zero(void **state)
{
	struct captable t;
	uint32_t id;

	(void)state;
	captable_init(&t);
	grow(&t);
	for (unsigned i = 0; i < 70000; i++) {
		assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_OK);
		assert_int_not_equal(id >> 16, 0);
		assert_non_null(captable_remove(&t, id));
	}
	check(&t);
	end(&t);
}

static void a_revoked_object_is_not_found_but_can_be_dropped(void **state)
{
	struct captable t;
	uint32_t id;

	(void)state;
	captable_init(&t);
	grow(&t);
	objects[2].epoch = 7;
	assert_int_equal(captable_insert(&t, &objects[2], &id), STATUS_OK);
	objects[2].epoch++;
	assert_null(captable_lookup(&t, id));
	assert_ptr_equal(captable_remove(&t, id), &objects[2]);
	check(&t);
	end(&t);
}

static void it_fills_to_its_limit_and_no_further(void **state)
{
	struct captable t;
	uint32_t id, last = 0;
	void *page = calloc(CAPTABLE_PAGE_SLOTS, sizeof(struct capslot));

	(void)state;
	captable_init(&t);
	for (unsigned i = 0; i < CAPTABLE_PAGES; i++)
		grow(&t);
	assert_int_equal(captable_grow(&t, page), STATUS_NO_SLOT);
	free(page);
	for (unsigned i = 0; i < CAPTABLE_SLOTS; i++) {
		assert_int_equal(captable_insert(&t, &objects[i % OBJECTS], &id), STATUS_OK);
		last = id;
	}
	assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_NO_SLOT);
	assert_non_null(captable_lookup(&t, last));
	check(&t);
	end(&t);
}

/* Against a plain array of what is in. */
static void a_long_random_life(void **state)
{
	struct captable t;
	uint32_t ids[300], count = 0, cursor = 0;
	struct object *held[300];

	(void)state;
	srand(1);
	captable_init(&t);
	grow(&t);
	for (unsigned step = 0; step < STEPS; step++) {
		if (count < 300 && rand() % 2) {
			struct object *o = &objects[rand() % OBJECTS];

			if (!captable_has_room(&t))
				grow(&t);
			assert_int_equal(captable_insert(&t, o, &ids[count]), STATUS_OK);
			held[count++] = o;
		} else if (count > 0) {
			uint32_t at = (uint32_t)rand() % count;

			assert_ptr_equal(captable_lookup(&t, ids[at]), held[at]);
			assert_ptr_equal(captable_remove(&t, ids[at]), held[at]);
			ids[at] = ids[--count];
			held[at] = held[count];
		}
		assert_null(captable_lookup(&t, (uint32_t)rand() << 16 | 0xfff0));
		if (step % 1000 == 0)
			check(&t);
	}
	assert_int_equal(t.used, count);
	while (captable_drain(&t, &cursor))
		count--;
	assert_int_equal(count, 0);
	check(&t);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_table_names_nothing),
		cmocka_unit_test(an_id_is_dead_once_removed),
		cmocka_unit_test(no_reuse_yields_id_zero),
		cmocka_unit_test(a_revoked_object_is_not_found_but_can_be_dropped),
		cmocka_unit_test(it_fills_to_its_limit_and_no_further),
		cmocka_unit_test(a_long_random_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
