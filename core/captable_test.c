/* captable_test.c: ids name what they were given for, and nothing else.
 *
 * Runs at full size and, by captable_small_test.c, at one where all the edges
 * are near. Every step is followed by a walk through the whole table. */
#include "core/captable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 200000, OBJECTS = 16, GENERATION = CAPTABLE_SLOTS /* one, in an id */ };

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
	assert_null(captable_lookup(&t, GENERATION));
	assert_null(captable_remove(&t, GENERATION));
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
	assert_int_equal(second, first + GENERATION);
	assert_null(captable_lookup(&t, first));
	assert_ptr_equal(captable_lookup(&t, second), &objects[1]);
	check(&t);
	end(&t);
}

/* What an empty slot will be called next is no name for it yet. */
static void no_id_names_a_free_slot(void **state)
{
	struct captable t;
	uint32_t id;

	(void)state;
	captable_init(&t);
	grow(&t);
	assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_OK);
	assert_non_null(captable_remove(&t, id));
	for (uint32_t i = 0; i < CAPTABLE_SLOTS; i++)
		for (uint32_t generation = 0; generation < 4; generation++) {
			assert_null(captable_lookup(&t, generation * GENERATION + i));
			assert_null(captable_remove(&t, generation * GENERATION + i));
		}
	end(&t);
}

/* The generation wraps past 0, and not earlier than it must. */
static void no_reuse_yields_id_zero(void **state)
{
	struct captable t;
	uint32_t id, first;

	(void)state;
	captable_init(&t);
	grow(&t);
	assert_int_equal(captable_insert(&t, &objects[0], &first), STATUS_OK);
	assert_non_null(captable_remove(&t, first));
	for (unsigned i = 2; i < CAPTABLE_GENERATIONS; i++) {
		assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_OK);
		assert_int_not_equal(id / GENERATION, 0);
		assert_int_not_equal(id, first);
		assert_non_null(captable_remove(&t, id));
	}
	assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_OK);
	assert_int_equal(id, first);
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

static void a_reserved_capability_is_hidden(void **state)
{
	struct captable t;
	struct captable_move move, again;
	uint32_t id, other;

	(void)state;
	captable_init(&t);
	grow(&t);
	assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_OK);
	assert_int_equal(captable_reserve(&t, id + GENERATION, &move), STATUS_NO_CAP);
	assert_int_equal(captable_reserve(&t, id, &move), STATUS_OK);
	check(&t);
	assert_ptr_equal(move.object, &objects[0]);
	assert_null(captable_lookup(&t, id));
	assert_null(captable_remove(&t, id));
	assert_int_equal(captable_reserve(&t, id, &again), STATUS_NO_CAP);
	assert_int_equal(t.used, 1);
	for (unsigned i = 1; i < CAPTABLE_PAGE_SLOTS; i++) {
		assert_int_equal(captable_insert(&t, &objects[1], &other), STATUS_OK);
		assert_int_not_equal(other, id);
	}
	assert_false(captable_has_room(&t));
	check(&t);
	end(&t);
}

static void restore_brings_back_exactly_it(void **state)
{
	struct captable t;
	struct captable_move move;
	uint32_t id;

	(void)state;
	captable_init(&t);
	grow(&t);
	assert_int_equal(captable_insert(&t, &objects[3], &id), STATUS_OK);
	assert_int_equal(captable_reserve(&t, id, &move), STATUS_OK);
	captable_restore(&t, &move);
	check(&t);
	assert_ptr_equal(captable_lookup(&t, id), &objects[3]);
	assert_null(captable_commit(&t, &move));
	assert_ptr_equal(captable_lookup(&t, id), &objects[3]);
	assert_int_equal(captable_reserve(&t, id, &move), STATUS_OK);
	assert_ptr_equal(captable_commit(&t, &move), &objects[3]);
	check(&t);
	assert_null(captable_lookup(&t, id));
	assert_int_equal(t.used, 0);
	captable_restore(&t, &move);
	assert_null(captable_lookup(&t, id));
	check(&t);
	end(&t);
}

/* From one table to another: what was revoked on the way is dead on both sides. */
static void a_move_outlives_no_revocation(void **state)
{
	struct captable from, to;
	struct captable_move move;
	uint32_t id, there;

	(void)state;
	captable_init(&from);
	captable_init(&to);
	grow(&from);
	grow(&to);
	assert_int_equal(captable_insert(&from, &objects[4], &id), STATUS_OK);
	assert_int_equal(captable_reserve(&from, id, &move), STATUS_OK);
	object_revoke(&objects[4]);
	assert_int_equal(captable_insert_at(&to, move.object, move.epoch, &there), STATUS_OK);
	assert_null(captable_lookup(&to, there));
	assert_ptr_equal(captable_remove(&to, there), &objects[4]); /* the undo */
	check(&to);
	captable_restore(&from, &move);
	check(&from);
	assert_null(captable_lookup(&from, id));
	assert_int_equal(captable_reserve(&from, id, &move), STATUS_NO_CAP);
	assert_ptr_equal(captable_remove(&from, id), &objects[4]);
	end(&from);
	end(&to);
}

static void a_drained_table_has_nothing_to_commit(void **state)
{
	struct captable t;
	struct captable_move move;
	uint32_t id, cursor = 0;

	(void)state;
	captable_init(&t);
	grow(&t);
	assert_int_equal(captable_insert(&t, &objects[0], &id), STATUS_OK);
	assert_int_equal(captable_reserve(&t, id, &move), STATUS_OK);
	assert_ptr_equal(captable_drain(&t, &cursor), &objects[0]);
	assert_null(captable_drain(&t, &cursor));
	assert_null(captable_commit(&t, &move));
	captable_restore(&t, &move);
	assert_null(captable_lookup(&t, id));
	check(&t);
	end(&t);
}

/* No epoch is the mark of a reserved slot. */
static void revoking_never_makes_a_slot_look_reserved(void **state)
{
	struct object o = {.epoch = CAPTABLE_MOVING - 1};

	(void)state;
	object_revoke(&o);
	assert_int_equal(o.epoch, 0);
}

/* -- a long life, against a plain array of what is in ------------------------- */

enum { HELD = 300 };
struct held {
	uint32_t id, epoch;
	struct object *object;
	struct captable_move move;
	bool moving;
};

struct life {
	struct captable t;
	struct held held[HELD];
	unsigned count;
	uint32_t gone; /* an id that was once good */
};

static struct object *expected(const struct held *h)
{
	return !h->moving && h->epoch == h->object->epoch ? h->object : NULL;
}

static void give(struct life *life)
{
	struct held *h = &life->held[life->count];
	struct object *o = &objects[rand() % OBJECTS];

	if (life->count == HELD)
		return;
	if (!captable_has_room(&life->t)) {
		if (life->t.page_count == CAPTABLE_PAGES) {
			assert_int_equal(captable_insert(&life->t, o, &h->id), STATUS_NO_SLOT);
			return;
		}
		grow(&life->t);
	}
	*h = (struct held){.object = o, .epoch = o->epoch};
	assert_int_equal(captable_insert(&life->t, o, &h->id), STATUS_OK);
	life->count++;
}

static void lose(struct life *life, struct held *h)
{
	life->gone = h->id;
	*h = life->held[--life->count];
}

static void act_on(struct life *life, struct held *h)
{
	switch (rand() % 4) {
	case 0:
		assert_ptr_equal(captable_remove(&life->t, h->id), h->moving ? NULL : h->object);
		if (!h->moving)
			lose(life, h);
		break;
	case 1:
		assert_int_equal(captable_reserve(&life->t, h->id, &h->move),
		                 expected(h) ? STATUS_OK : STATUS_NO_CAP);
		h->moving |= expected(h) != NULL;
		break;
	case 2:
		captable_restore(&life->t, &h->move);
		h->moving = false;
		break;
	case 3:
		if (!h->moving)
			break;
		assert_ptr_equal(captable_commit(&life->t, &h->move), h->object);
		lose(life, h);
		break;
	}
}

static void a_long_random_life(void **state)
{
	struct life *life = calloc(1, sizeof(*life));
	uint32_t cursor = 0;

	(void)state;
	srand(1);
	captable_init(&life->t);
	for (unsigned step = 0; step < STEPS; step++) {
		if (rand() % 3 == 0)
			give(life);
		else if (life->count)
			act_on(life, &life->held[(unsigned)rand() % life->count]);
		if (rand() % 100 == 0)
			object_revoke(&objects[rand() % OBJECTS]);
		if (life->count) {
			struct held *h = &life->held[(unsigned)rand() % life->count];

			assert_ptr_equal(captable_lookup(&life->t, h->id), expected(h));
		}
		assert_null(captable_lookup(&life->t, life->gone));
		if (step % (CAPTABLE_SLOTS / 8) == 0)
			check(&life->t);
		assert_int_equal(life->t.used, life->count);
	}
	for (unsigned i = 0; i < life->count; i++)
		assert_ptr_equal(captable_lookup(&life->t, life->held[i].id), expected(&life->held[i]));
	while (captable_drain(&life->t, &cursor))
		life->count--;
	assert_int_equal(life->count, 0);
	check(&life->t);
	end(&life->t);
	free(life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_table_names_nothing),
		cmocka_unit_test(an_id_is_dead_once_removed),
		cmocka_unit_test(no_id_names_a_free_slot),
		cmocka_unit_test(no_reuse_yields_id_zero),
		cmocka_unit_test(a_revoked_object_is_not_found_but_can_be_dropped),
		cmocka_unit_test(it_fills_to_its_limit_and_no_further),
		cmocka_unit_test(a_reserved_capability_is_hidden),
		cmocka_unit_test(restore_brings_back_exactly_it),
		cmocka_unit_test(a_move_outlives_no_revocation),
		cmocka_unit_test(a_drained_table_has_nothing_to_commit),
		cmocka_unit_test(revoking_never_makes_a_slot_look_reserved),
		cmocka_unit_test(a_long_random_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
