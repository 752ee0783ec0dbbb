/* fast_race_test.c: a waiting thread is claimed (fast.h, as shipped) by threads that are
 * CPUs, as fastpath.c does it: one has it at a time, and sees what the last one wrote.
 * Without ThreadSanitizer, which does not see what claim() does in assembly. */
#include "kernel/fast.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CPUS = 3, ROUNDS = 400000 };

/* What the thread waits for, and a record of its that somebody else looks at. */
static struct pending right, stale;

static struct thread waiting;
static uint32_t inside, claims; /* plain: of whoever has claimed it */

static struct cpu_counts {
	uint32_t claimed, wrong;
} counts[CPUS];

static void has_it(struct cpu_counts *c)
{
	if (inside++ || waiting.state != THREAD_RUNNING || waiting.direct != &right)
		c->wrong++;
	waiting.direct = NULL;
	claims++;
	c->claimed++;
	waiting.direct = &right;
	inside--;
	__atomic_store_n(&waiting.state, THREAD_WAITING, __ATOMIC_RELEASE); /* hand_over() */
}

static void *run(void *argument)
{
	struct cpu_counts *c = argument;

	for (unsigned round = 0; round < ROUNDS; round++) {
		if (round % 4 == 3)
			c->wrong += claim(&waiting, &stale);
		else if (claim(&waiting, &right))
			has_it(c);
		if (round % 4096 == 0)
			sched_yield();
	}
	return NULL;
}

static void one_has_it_at_a_time(void **state)
{
	pthread_t threads[CPUS];
	uint32_t sum = 0;

	(void)state;
	waiting = (struct thread){.state = THREAD_WAITING, .direct = &right};
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, &counts[i]), 0);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < CPUS; i++) {
		assert_int_equal(counts[i].wrong, 0);
		sum += counts[i].claimed;
	}
	assert_int_equal(claims, sum);
	assert_true(claims > 0);
	assert_int_equal(waiting.state, THREAD_WAITING);
	assert_true(claim(&waiting, &right));
}

/* Only one that waits, for that and nothing else; else it stays what it is. */
static void nobody_else_is_claimed(void **state)
{
	static const enum thread_state states[] = {
		THREAD_NEW, THREAD_READY, THREAD_RUNNING, THREAD_SUSPENDED, THREAD_ENDED,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		waiting = (struct thread){.state = states[i], .direct = &right};
		assert_false(claim(&waiting, &right));
		assert_int_equal(waiting.state, states[i]);
	}
	waiting.state = THREAD_WAITING;
	assert_false(claim(&waiting, &stale));
	assert_int_equal(waiting.state, THREAD_WAITING);
	waiting.suspended = true;
	assert_false(claim(&waiting, &right));
	assert_int_equal(waiting.state, THREAD_WAITING);
	waiting.suspended = false;
	waiting.direct = NULL;
	assert_false(claim(&waiting, &right));
	waiting.direct = &right;
	assert_true(claim(&waiting, &right));
	assert_int_equal(waiting.state, THREAD_RUNNING);
	assert_false(claim(&waiting, &right));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_else_is_claimed),
		cmocka_unit_test(one_has_it_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
