/* capslot_tsan_test.c: a slot that is read without a lock while the table changes.
 *
 * One thread fills, reserves, empties and restores a slot, again and again; another
 * asks for the ids that the slot has, had and will have. It must find the object
 * that stands by that id or nothing, never one that was hidden, gone or revoked
 * before it asked. Runs with ThreadSanitizer, and without, faster, by
 * capslot_race_test.c. */
#include "core/capslot.h"

/* As source: what is linked otherwise is not looked at by the sanitizer. */
#include "core/captable.c"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#ifndef ROUNDS
#define ROUNDS 100000
#endif

static struct captable table;
static struct capslot page[CAPTABLE_PAGE_SLOTS];

/* One for each use of slot 0, made just before. While that is free, its epoch is the
 * next free slot's index: 1, which must not be taken for the object's epoch. */
static struct object objects[ROUNDS + 2];
enum { EPOCH = 1 };

/* Each REVOKED_th capability was revoked on its way to the slot. */
enum { REVOKED = 5 };

/* What a reader can be sure of. */
static uint32_t hidden; /* the last use that is over, or will be by commit */
static uint32_t shown;  /* the last use that was whole, and has not been hidden yet */
static uint32_t asked, found, wrong;

/* So that neither is done before the other has begun: now and then the one that
 * changes waits, the slot in use, until the other has asked. */
static void let_ask(void)
{
	uint32_t before = __atomic_load_n(&asked, __ATOMIC_RELAXED);

	while (__atomic_load_n(&asked, __ATOMIC_RELAXED) - before < 4)
		sched_yield();
}

static uint32_t id_of(uint32_t use)
{
	return use * CAPTABLE_SLOTS;
}

static bool is_revoked(uint32_t use)
{
	return use % REVOKED == 0;
}

static void one_use(uint32_t use)
{
	struct object *o = &objects[use];
	struct captable_move move;
	uint32_t id = 0;

	*o = (struct object){.refs = use, .epoch = EPOCH};
	wrong += captable_insert_at(&table, o, EPOCH - is_revoked(use), &id) || id != id_of(use);
	__atomic_store_n(&shown, use, __ATOMIC_RELEASE);
	if (use % 1024 == 1)
		let_ask();
	if (!is_revoked(use) && use % 2) {
		wrong += captable_reserve(&table, id, &move);
		if (use % 4 == 1) {
			captable_restore(&table, &move);
			wrong += captable_reserve(&table, id, &move);
		}
		__atomic_store_n(&hidden, use, __ATOMIC_RELEASE);
		wrong += captable_commit(&table, &move) != o;
	} else {
		wrong += captable_remove(&table, id) != o;
		__atomic_store_n(&hidden, use, __ATOMIC_RELEASE);
	}
}

static void *change(void *argument)
{
	(void)argument;
	for (uint32_t use = 1; use <= ROUNDS; use++)
		one_use(use);
	return NULL;
}

static void ask(struct capslot *slot, uint32_t use)
{
	uint32_t over = __atomic_load_n(&hidden, __ATOMIC_ACQUIRE);
	struct object *o = NULL;

	if (capslot_has(slot, id_of(use)))
		o = capslot_read(slot, id_of(use));
	if (__atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) % 64 == 0)
		sched_yield();
	if (!o)
		return;
	found++;
	if (o != &objects[use] || o->refs != use || is_revoked(use) || use <= over)
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

static void what_is_found_stands_there(void **state)
{
	struct capslot *slot;
	pthread_t thread;
	uint32_t use;

	(void)state;
	assert_int_equal(captable_grow((captable_init(&table), &table), page), STATUS_OK);
	slot = &page[0];
	assert_int_equal(pthread_create(&thread, NULL, change, NULL), 0);
	do {
		use = __atomic_load_n(&shown, __ATOMIC_ACQUIRE);
		if (use)
			ask(slot, use);
		ask(slot, use + 1);
	} while (use < ROUNDS);
	pthread_join(thread, NULL);
	assert_int_equal(wrong, 0);
	assert_true(found > 0);
	assert_null(captable_check(&table));
}

/* Alone, it finds what captable_lookup() finds. */
static void alone_it_is_a_lookup(void **state)
{
	struct captable_move move;
	struct object o = {.epoch = 7};
	struct captable t;
	uint32_t id;

	(void)state;
	captable_init(&t);
	memset(page, 0, sizeof page);
	assert_int_equal(captable_grow(&t, page), STATUS_OK);
	assert_int_equal(captable_insert(&t, &o, &id), STATUS_OK);
	assert_ptr_equal(capslot_read(captable_slot(&t, id), id), &o);
	assert_false(capslot_has(page, id + CAPTABLE_SLOTS));
	assert_int_equal(captable_reserve(&t, id, &move), STATUS_OK);
	assert_null(capslot_read(page, id));
	captable_restore(&t, &move);
	assert_ptr_equal(capslot_read(page, id), &o);
	object_revoke(&o);
	assert_null(capslot_read(page, id));
	assert_ptr_equal(captable_remove(&t, id), &o);
	assert_null(capslot_read(page, id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_found_stands_there),
		cmocka_unit_test(alone_it_is_a_lookup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
