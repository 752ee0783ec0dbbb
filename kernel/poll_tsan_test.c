/* poll_tsan_test.c: the exokernel stops looking at a ring (poll.c) while its thread
 * pushes (rt/ring.h), both as shipped, between two threads. Each writes one word and
 * reads the other's: one of them must see the other, or the entry lies there for ever.
 * ThreadSanitizer tells if an access is no atomic one; what two processors' store
 * buffers do to each other is seen without it, by poll_race_test.c. */
#include "kernel/arch/x86_64/cpu.h"

static struct cpu here;
#undef this_cpu
#define this_cpu (&here)

#include "kernel/poll.c"

#include "core/ringindex.h"

#define ring_enter thread_ring_enter /* the exokernel has one of that name */
#include "rt/ring.h"
#undef ring_enter

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#ifndef ROUNDS
#define ROUNDS 20000
#endif

static struct ring ring;
static struct thread polled, other;
static struct sched_context low = {.priority = 1}, high = {.priority = 2};
static uint32_t torn; /* entries that were not whole */

static uint64_t mix(uint64_t n)
{
	return n * 0x9e3779b97f4a7c15u;
}

/* -- what of the exokernel poll.c needs --------------------------------------------------- */

uint64_t clock_now(void)
{
	return 1;
}

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *))
{
	t->deadline.key = at;
	t->deadline.in = true;
	t->expire = expire;
}

void timeout_remove(struct timeout *t)
{
	t->deadline.in = false;
}

uint64_t sched_pay(const struct thread *t)
{
	(void)t;
	return 0;
}

void sched_paid(struct thread *t, uint64_t since)
{
	(void)t;
	(void)since;
}

/* ring_poll() and consume() of ring.c. */
bool ring_poll(struct thread *t, unsigned kind)
{
	struct thread_ring *r = &t->rings[kind];
	uint32_t sq = r->sq_head, queued = ringindex_queued(r->page, sq);

	for (; queued; queued--) {
		struct ring_sqe sqe = r->page->sq[r->sq_head % RING_SQ_ENTRIES];

		r->sq_head++;
		ringindex_consumed(r->page, r->sq_head);
		torn += sqe.params != mix(sqe.user_data);
		r->page->cq[r->cq_tail % RING_CQ_ENTRIES] =
			(struct ring_cqe){.user_data = sqe.user_data};
		r->cq_tail++;
		ringindex_posted(r->page, r->cq_tail);
	}
	return r->sq_head != sq;
}

/* The timer, when the ring is to be looked at: after that it is quiet enough to sleep. */
static void timer(void)
{
	polled.poll.quiet = QUIET_MOST - 1;
	timeout_cancel(&polled.poll.next);
	due(&polled.poll.next);
}

/* ring_enter(), with nothing to wait for. */
static void enter(void)
{
	if (polled.asleep)
		poll_wake(&polled);
	(void)!ring_poll(&polled, RING_PROGRAM);
}

static bool is_lost(void)
{
	return polled.asleep && ringindex_queued(&ring, polled.rings[RING_PROGRAM].sq_head);
}

static void reset(void)
{
	memset(&ring, 0, sizeof ring);
	torn = 0;
	polled = (struct thread){.state = THREAD_RUNNING, .context = &low};
	polled.rings[RING_PROGRAM].page = &ring;
	assert_int_equal(poll_ask(&polled, RING_PROGRAM, LEAST_NS), STATUS_OK);
}

/* -- the thread ------------------------------------------------------------------------------ */

static void push(uint64_t n)
{
	struct ring_sqe *e = ring_next(&ring);

	e->op = RING_NOP;
	e->user_data = n;
	e->params = mix(n);
	ring_push(&ring);
}

static bool take(uint64_t n)
{
	const struct ring_cqe *cqe = ring_first(&ring);

	if (!cqe)
		return false;
	torn += cqe->user_data != n;
	ring_consume(&ring);
	return true;
}

/* -- at the same moment ------------------------------------------------------------------------ */

static uint32_t arrived[2];

static void meet(unsigned me, uint32_t round)
{
	__atomic_store_n(&arrived[me], round, __ATOMIC_RELEASE);
	for (unsigned i = 1; __atomic_load_n(&arrived[!me], __ATOMIC_ACQUIRE) < round; i++)
		if (i % 1024 == 0)
			sched_yield();
}

enum { COLD = 1 << 23, STORES = 32 };
static volatile uint8_t cold[COLD];

/* So many stores to where no cache has anything, that the next one has to wait for: what
 * is loaded after it comes before it, unless somebody sees to the order. */
__attribute__((no_sanitize("address", "thread"))) static void fill_store_buffer(uint32_t round)
{
	for (uint32_t i = 0; i < STORES; i++)
		cold[(round * STORES + i) * 61 * 64 % COLD] = 1;
}

static void wait_steps(uint32_t steps)
{
	for (volatile uint32_t i = 0; i < steps; i++)
		;
}

static void *fall_asleep(void *argument)
{
	(void)argument;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		meet(1, 2 * round);
		wait_steps(round / 32 % 32);
		if (round % 2)
			fill_store_buffer(round);
		timer();
		meet(1, 2 * round + 1);
	}
	return NULL;
}

/* With somebody of a higher priority at the processor there is only the last look. */
static void one_sees_the_other(void **state)
{
	uint32_t lost = 0;
	pthread_t thread;

	(void)state;
	reset();
	other.context = &high;
	here.current = &other;
	assert_int_equal(pthread_create(&thread, NULL, fall_asleep, NULL), 0);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		bool asleep;

		meet(0, 2 * round);
		wait_steps(round % 32);
		if (round % 2 == 0)
			fill_store_buffer(round);
		push(round);
		asleep = ring_is_asleep(&ring);
		meet(0, 2 * round + 1);
		lost += is_lost() && !asleep;
		enter();
		torn += !take(round);
	}
	pthread_join(thread, NULL);
	here.current = NULL;
	assert_int_equal(lost, 0);
	assert_int_equal(torn, 0);
}

/* -- each as it likes ---------------------------------------------------------------------------- */

static pthread_mutex_t kernel = PTHREAD_MUTEX_INITIALIZER;
static bool stop;

static void *look_again(void *argument)
{
	bool end = false;

	(void)argument;
	while (!end) {
		pthread_mutex_lock(&kernel);
		if (timeout_is_set(&polled.poll.next))
			timer();
		end = stop;
		pthread_mutex_unlock(&kernel);
		sched_yield();
	}
	return NULL;
}

/* It looks once after each push: what is not seen then comes without it. */
static void every_push_is_answered(void **state)
{
	uint32_t lost = 0, roused = 0;
	pthread_t thread;

	(void)state;
	reset();
	timer();
	assert_true(ring.flags == RING_ASLEEP);
	assert_int_equal(pthread_create(&thread, NULL, look_again, NULL), 0);
	for (uint64_t n = 0; n < ROUNDS && !lost; n++) {
		push(n);
		if (ring_is_asleep(&ring)) {
			pthread_mutex_lock(&kernel);
			enter();
			pthread_mutex_unlock(&kernel);
			roused++;
		}
		while (!take(n) && !lost) {
			pthread_mutex_lock(&kernel);
			lost += is_lost();
			pthread_mutex_unlock(&kernel);
			sched_yield();
		}
	}
	pthread_mutex_lock(&kernel);
	stop = true;
	pthread_mutex_unlock(&kernel);
	pthread_join(thread, NULL);
	assert_int_equal(lost, 0);
	assert_int_equal(torn, 0);
	assert_true(roused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_sees_the_other),
		cmocka_unit_test(every_push_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
