/* object_tsan_test.c: references that are counted shared (object.h), as shipped, between
 * threads that are CPUs. What an object holds is plain memory: whoever finds the last
 * reference must see what the others did while they had theirs. */
#include "kernel/object.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CPUS = 3, ROUNDS = 20000 };

static struct held {
	struct object object;
	uint32_t by[CPUS]; /* each written by whoever holds a reference, its own only */
} held;

static uint32_t dropped[CPUS], last[CPUS];

void panic_false(const char *what)
{
	(void)what;
	abort();
}

/* Holds and drops; at the end it drops what it was given, unless that is the last. */
static void *run(void *argument)
{
	unsigned me = (unsigned)(uintptr_t)argument;

	for (unsigned i = 0; i < ROUNDS; i++) {
		object_hold_shared(&held.object);
		held.by[me]++;
		if (!object_drop_shared(&held.object))
			abort(); /* the one that was given is there */
		if (i % 512 == 0)
			sched_yield();
	}
	dropped[me] = object_drop_shared(&held.object);
	last[me] = !dropped[me];
	return NULL;
}

static void one_is_the_last(void **state)
{
	pthread_t threads[CPUS];
	uint32_t sum = 0, lasts = 0, drops = 0;

	(void)state;
	held = (struct held){.object = {.refs = CPUS}};
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < CPUS; i++) {
		sum += held.by[i];
		lasts += last[i];
		drops += dropped[i];
	}
	assert_int_equal(held.object.refs, 1);
	assert_int_equal(lasts, 1);
	assert_int_equal(drops, CPUS - 1);
	assert_int_equal(sum, CPUS * ROUNDS);
}

/* Two at once, of two references: one of them is told that it is the last, always. */
static void *drop_one(void *argument)
{
	*(bool *)argument = object_drop_shared(&held.object);
	return NULL;
}

static void never_to_zero(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		pthread_t threads[2];
		bool good[2] = {false, false};

		held.object.refs = 2;
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, drop_one, &good[i]), 0);
		for (unsigned i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(held.object.refs, 1);
		assert_int_equal(good[0] + good[1], 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_the_last),
		cmocka_unit_test(never_to_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
