/* runqueue_test.c: the highest first, and within a priority whoever came first. */
#include "core/runqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 12, STEPS = 200000 };

static struct runqueue q;
static struct runqueue_node nodes[NODES];

static void check(void)
{
	const char *wrong = runqueue_check(&q);

	if (wrong)
		fail_msg("%s", wrong);
}

static int start(void **state)
{
	(void)state;
	memset(&q, 0xff, sizeof q);
	memset(nodes, 0, sizeof nodes);
	runqueue_init(&q);
	return 0;
}

static void append(unsigned i, unsigned priority)
{
	runqueue_append(&q, &nodes[i], priority);
	check();
}

/* Takes the first off, which must be node `i`. */
static void expect(unsigned i)
{
	assert_ptr_equal(runqueue_first(&q), &nodes[i]);
	runqueue_remove(&q, &nodes[i]);
	assert_false(runqueue_has(&nodes[i]));
	check();
}

static void nobody_is_first_of_none(void **state)
{
	(void)state;
	check();
	assert_null(runqueue_first(&q));
	assert_false(runqueue_reaches(&q, 0));
}

static void the_highest_comes_first(void **state)
{
	(void)state;
	append(0, 31);
	append(1, 0);
	append(2, 63);
	append(3, 32);
	assert_true(runqueue_reaches(&q, 63));
	expect(2);
	assert_false(runqueue_reaches(&q, 33));
	assert_true(runqueue_reaches(&q, 32));
	expect(3);
	expect(0);
	expect(1);
	assert_null(runqueue_first(&q));
}

static void equals_are_served_in_turn(void **state)
{
	(void)state;
	append(0, 5);
	append(1, 5);
	append(2, 5);
	expect(0);
	append(0, 5);
	expect(1);
	runqueue_prepend(&q, &nodes[1], 5);
	check();
	expect(1);
	expect(2);
	expect(0);
}

static void one_leaves_from_the_middle(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		append(i, 7);
	runqueue_remove(&q, &nodes[2]);
	check();
	expect(0);
	runqueue_remove(&q, &nodes[3]);
	check();
	expect(1);
	assert_int_equal(q.bits, 0);
}

/* --- against a plain list ---------------------------------------------------- */

struct model {
	unsigned order[NODES], count; /* in the order of coming, first to last */
};

static void model_take(struct model *m, unsigned i)
{
	unsigned at = 0;

	while (m->order[at] != i)
		at++;
	memmove(&m->order[at], &m->order[at + 1], (--m->count - at) * sizeof m->order[0]);
}

static void model_put(struct model *m, unsigned i, bool first)
{
	if (!first) {
		m->order[m->count++] = i;
		return;
	}
	memmove(&m->order[1], &m->order[0], m->count++ * sizeof m->order[0]);
	m->order[0] = i;
}

static struct runqueue_node *model_first(const struct model *m)
{
	struct runqueue_node *best = NULL;

	for (unsigned at = 0; at < m->count; at++)
		if (!best || nodes[m->order[at]].priority > best->priority)
			best = &nodes[m->order[at]];
	return best;
}

static void as_a_plain_list_would(void **state)
{
	static const unsigned priorities[] = {0, 1, 31, 32, 62, 63};
	struct model model = {.count = 0};

	(void)state;
	srand(1);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rand() % NODES;
		unsigned priority = priorities[(unsigned)rand() % 6];
		bool first = rand() % 4 == 0;

		if (runqueue_has(&nodes[i])) {
			runqueue_remove(&q, &nodes[i]);
			model_take(&model, i);
		} else {
			(first ? runqueue_prepend : runqueue_append)(&q, &nodes[i], priority);
			model_put(&model, i, first);
		}
		check();
		assert_int_equal(q.count, model.count);
		assert_ptr_equal(runqueue_first(&q), model_first(&model));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_is_first_of_none, start),
		cmocka_unit_test_setup(the_highest_comes_first, start),
		cmocka_unit_test_setup(equals_are_served_in_turn, start),
		cmocka_unit_test_setup(one_leaves_from_the_middle, start),
		cmocka_unit_test_setup(as_a_plain_list_would, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
