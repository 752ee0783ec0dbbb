/* lock_tsan_test.c: the exokernel's lock, as shipped (lock.c, lock.h), between threads
 * that are its CPUs. What is under the lock is plain memory: ThreadSanitizer tells
 * if two can be at it at once, or one does not see what another has done. */
#include "kernel/arch/x86_64/cpu.h"

/* A CPU's own area stands at one address on all of them: here, in one variable. */
static __thread struct cpu *self;
#undef this_cpu
#define this_cpu self

#define LOCK_PATIENCE 1000000000
#include "kernel/lock.c"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CPUS = 3, ROUNDS = 4000 };

static struct cpu cpu[CPUS];
struct cpu *cpus[MAX_CPUS] = {&cpu[0], &cpu[1], &cpu[2]};
unsigned cpu_count = CPUS;

static bool asked[CPUS];       /* struct cpu's flush */
static uint32_t own[CPUS];     /* what a CPU may touch when it is shared */
static uint32_t all;           /* what it may only read then */
static uint32_t flagged;       /* what it may touch with the flag */
static uint32_t flag;
static uint32_t refused[CPUS]; /* times that somebody else had the flag */
static uint32_t done;          /* CPUs that are */
static uint32_t diverted;      /* rounds that became exclusive as the lock was wanted, */
static uint32_t late;          /* and those where nobody came first */

/* tlb.c's: the loop in which a CPU waits for the lock answers. It also lets others
 * run, of whom there may be more than processors. */
void tlb_answer(void)
{
	__atomic_store_n(&asked[self->index], false, __ATOMIC_RELEASE);
	sched_yield();
}

/* tlb_sync: everybody else answers, from a program or from that loop. */
static void ask_all(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		if (i != self->index)
			__atomic_store_n(&asked[i], true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < CPUS; i++)
		while (i != self->index && __atomic_load_n(&asked[i], __ATOMIC_ACQUIRE))
			sched_yield();
}

static void exclusively(unsigned round)
{
	all++;
	for (unsigned i = 0; i < CPUS; i++)
		own[i]++;
	flagged++;
	if (round % 16 < 4)
		ask_all();
	kernel_unlock();
}

/* gcc holds that locking leaves a static as it was. */
static uint32_t now(const volatile uint32_t *counter)
{
	return *counter;
}

static void *run(void *argument)
{
	uint32_t seen = 0;

	self = argument;
	for (unsigned round = 0; round < ROUNDS; round++) {
		tlb_answer(); /* in a program: an interrupt */
		if (round % 4 == 3) {
			kernel_lock();
			exclusively(round);
			continue;
		}
		lock_shared_of(self);
		own[self->index]++;
		if (all < seen)
			own[self->index] = 0; /* a step back: the sum is wrong then */
		seen = all;
		if (flag_take(&flag)) {
			flagged++;
			flag_drop(&flag);
		} else {
			refused[self->index]++;
		}
		if (is_wanted(self)) { /* as fast_enter() looks: somebody else first */
			uint32_t before = now(&all);

			lock_upgrade();
			late += now(&all) == before;
			diverted += round % 4 != 2;
			exclusively(round);
		} else if (round % 4 == 2) {
			lock_upgrade();
			lock_upgrade(); /* nothing happens */
			exclusively(round);
		} else {
			kernel_unlock();
		}
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&done, __ATOMIC_RELAXED) < CPUS)
		tlb_answer();
	return NULL;
}

static void nobody_is_beside_who_is_exclusive(void **state)
{
	uint32_t exclusive, not_taken = 0;
	pthread_t threads[CPUS];

	(void)state;
	for (unsigned i = 0; i < CPUS; i++) {
		cpu[i].index = i;
		assert_int_equal(pthread_create(&threads[i], NULL, run, &cpu[i]), 0);
	}
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	exclusive = CPUS * ROUNDS / 2 + diverted;
	assert_int_equal(all, exclusive);
	assert_int_equal(late, 0);
	for (unsigned i = 0; i < CPUS; i++) {
		assert_int_equal(own[i], exclusive + ROUNDS * 3 / 4);
		not_taken += refused[i];
		assert_int_equal(cpu[i].lock, 0);
		assert_false(cpu[i].exclusive);
		assert_false(cpu[i].long_way);
	}
	assert_int_equal(flagged, exclusive + CPUS * ROUNDS * 3 / 4 - not_taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_beside_who_is_exclusive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
