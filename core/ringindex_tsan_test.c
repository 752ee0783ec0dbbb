/* ringindex_tsan_test.c: a ring between two threads, as shipped: the thread's side
 * (rt/ring.h) against the exokernel's (core/ringindex.h, as kernel/ring.c uses it).
 * ThreadSanitizer tells if anything is read or reused before it may be; the test
 * tells if anything is lost, doubled or torn. */
#include "core/ringindex.h"
#include "rt/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 100000, POSTS = 100000 };

static struct ring ring;

/* Something that shows whether an entry is whole. */
static uint64_t mix(uint64_t n)
{
	return n * 0x9e3779b97f4a7c15u;
}

/* -- the exokernel's side: struct thread_ring, consume() and post() of kernel/ring.c -- */

struct kernel_side {
	uint32_t sq_head, cq_tail, posts, wrong;
	bool posting;
};

static void post(struct kernel_side *k, uint64_t user_data, uint16_t flags)
{
	ring.cq[k->cq_tail % RING_CQ_ENTRIES] = (struct ring_cqe){
		.user_data = user_data,
		.flags = flags,
		.results_size = (uint32_t)mix(user_data),
	};
	k->cq_tail++;
	ringindex_posted(&ring, k->cq_tail);
}

static bool has_place(const struct kernel_side *k)
{
	return ringindex_has_places(ringindex_unconsumed(&ring, k->cq_tail), 0, 1);
}

static void consume(struct kernel_side *k)
{
	uint32_t queued = ringindex_queued(&ring, k->sq_head);

	if (queued > RING_SQ_ENTRIES)
		k->wrong++;
	for (; queued && has_place(k); queued--) {
		struct ring_sqe sqe = ring.sq[k->sq_head % RING_SQ_ENTRIES];

		k->sq_head++;
		ringindex_consumed(&ring, k->sq_head);
		if (sqe.interface != mix(sqe.user_data) || sqe.params != ~sqe.user_data)
			k->wrong++;
		post(k, sqe.user_data, 0);
	}
}

static void *serve(void *argument)
{
	struct kernel_side *k = argument;

	while (k->sq_head < ENTRIES || (k->posting && k->posts < POSTS)) {
		consume(k);
		if (k->posting && k->posts < POSTS && has_place(k))
			post(k, k->posts++, RING_POSTED);
		sched_yield();
	}
	return NULL;
}

/* -- the thread's side ------------------------------------------------------------------ */

static void push(uint64_t n)
{
	struct ring_sqe *e = ring_next(&ring);

	e->op = RING_NOP;
	e->user_data = n;
	e->interface = mix(n);
	e->params = ~n;
	ring_push(&ring);
}

static bool has_space(void)
{
	return ring.sq_tail - __atomic_load_n(&ring.sq_head, __ATOMIC_ACQUIRE) < RING_SQ_ENTRIES;
}

/* Entries in flight never need more completions than there are places for, so that
 * what ring_done() gave stays good until the next push. */
static void answers_come_whole_and_in_order(void **state)
{
	struct kernel_side k = {0};
	uint64_t pushed = 0, answered = 0;
	const struct ring_cqe *cqe;
	pthread_t thread;

	(void)state;
	memset(&ring, 0, sizeof ring);
	assert_int_equal(pthread_create(&thread, NULL, serve, &k), 0);
	while (answered < ENTRIES) {
		while (pushed < ENTRIES && pushed - answered < RING_CQ_ENTRIES && has_space())
			push(pushed++);
		while ((cqe = ring_done(&ring))) {
			assert_int_equal(cqe->user_data, answered);
			assert_int_equal(cqe->results_size, (uint32_t)mix(answered));
			answered++;
		}
		sched_yield();
	}
	pthread_join(thread, NULL);
	assert_int_equal(k.wrong, 0);
	assert_null(ring_done(&ring));
}

/* On a ring that others post to, a place is given back only after it was read. */
static void posts_come_whole_beside_answers(void **state)
{
	struct kernel_side k = {.posting = true};
	uint64_t pushed = 0, next[2] = {0, 0};
	const struct ring_cqe *cqe;
	pthread_t thread;

	(void)state;
	memset(&ring, 0, sizeof ring);
	assert_int_equal(pthread_create(&thread, NULL, serve, &k), 0);
	while (next[0] < ENTRIES || next[1] < POSTS) {
		while (pushed < ENTRIES && has_space())
			push(pushed++);
		while ((cqe = ring_first(&ring))) {
			uint64_t *expected = &next[cqe->flags == RING_POSTED];

			assert_int_equal(cqe->user_data, *expected);
			assert_int_equal(cqe->results_size, (uint32_t)mix(*expected));
			(*expected)++;
			ring_consume(&ring);
		}
		sched_yield();
	}
	pthread_join(thread, NULL);
	assert_int_equal(k.wrong, 0);
}

static void a_place_is_kept_until_it_is_given_back(void **state)
{
	struct kernel_side k = {0};

	(void)state;
	memset(&ring, 0, sizeof ring);
	for (uint64_t n = 0; n < RING_CQ_ENTRIES; n++) {
		assert_true(has_place(&k));
		post(&k, n, RING_POSTED);
	}
	for (uint64_t n = 0; n < 2 * RING_CQ_ENTRIES; n++) {
		const struct ring_cqe *cqe = ring_first(&ring);

		assert_false(has_place(&k));
		assert_int_equal(cqe->user_data, n);
		ring_consume(&ring);
		assert_true(has_place(&k));
		post(&k, RING_CQ_ENTRIES + n, RING_POSTED);
	}
}

/* Whatever the thread writes to its indices: nothing is counted that is not there. */
static void nonsense_leaves_no_place(void **state)
{
	static const uint32_t tails[] = {0, 1, 31, 32, 33, UINT32_MAX, UINT32_MAX - 31};

	(void)state;
	for (unsigned i = 0; i < sizeof tails / sizeof *tails; i++)
		for (uint32_t away = 0; away < 80; away++)
			for (uint32_t pending = 0; pending <= RING_CQ_ENTRIES; pending++) {
				ring.cq_head = tails[i] - away;
				assert_int_equal(ringindex_unconsumed(&ring, tails[i]), away);
				assert_int_equal(ringindex_has_places(away, pending, 1),
				                 away + pending < RING_CQ_ENTRIES);
			}
	assert_false(ringindex_has_places(UINT32_MAX, 1, 1));
	assert_false(ringindex_has_places(UINT32_MAX, RING_CQ_ENTRIES, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_whole_and_in_order),
		cmocka_unit_test(posts_come_whole_beside_answers),
		cmocka_unit_test(a_place_is_kept_until_it_is_given_back),
		cmocka_unit_test(nonsense_leaves_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
