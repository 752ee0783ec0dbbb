/* domain_tsan_test.c: a CapSet that grows (domain_grant) while a program looks for
 * names in it (native_find), both as shipped, between two threads. ThreadSanitizer
 * tells if an entry can be read before it is whole. */
#include "core/capnp.c"
#include "core/captable.c"
#include "kernel/domain.c"
#include "rt/native_call.c"
#include "rt/ring.c"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROUNDS = 300, LAST = CAPSET_MAX - 1 };

static struct capset capset;
static struct domain domain = {.capset = &capset};
static struct capslot slots[CAPTABLE_PAGE_SLOTS];
static struct object granted[CAPSET_MAX];
static struct native program = {.capset = &capset};

/* -- what else is linked, and not needed --------------------------------------------------- */

const struct object_type lease_type;
int ending_left;

void ending_add(struct object *o, bool (*step)(struct object *))
{
	(void)o;
	(void)step;
	abort();
}

int native_main(struct native *self)
{
	(void)self;
	abort();
}

void panic_false(const char *what)
{
	(void)what;
	abort();
}

struct object *lease_target(const struct object *o)
{
	(void)o;
	abort();
}

uint64_t object_interface(const struct object *o)
{
	return (uintptr_t)o;
}

struct ledger *ledger_create(struct ledger *parent, uint64_t limit)
{
	(void)parent;
	(void)limit;
	abort();
}

void ledger_close(struct ledger *ledger)
{
	(void)ledger;
	abort();
}

void *block_alloc(struct ledger *ledger, size_t size)
{
	(void)ledger;
	(void)size;
	abort();
}

void block_free(void *block, size_t size, struct ledger *ledger)
{
	(void)block;
	(void)size;
	(void)ledger;
	abort();
}

void *page_alloc(struct ledger *ledger)
{
	(void)ledger;
	abort();
}

void page_free(void *page)
{
	(void)page;
	abort();
}

/* -- one grants, one looks ----------------------------------------------------------------- */

static void name_of(unsigned i, char *name)
{
	memset(name, 'x', CAPSET_NAME - 1);
	name[0] = (char)('0' + i / 10);
	name[1] = (char)('0' + i % 10);
	name[CAPSET_NAME - 1] = '\0';
}

static void *grant(void *refused)
{
	for (unsigned i = 0; i < CAPSET_MAX; i++) {
		char name[CAPSET_NAME];

		name_of(i, name);
		if (domain_grant(&domain, name, CAPSET_NAME - 1, &granted[i]))
			++*(uint32_t *)refused;
		sched_yield();
	}
	return NULL;
}

static void reset(void)
{
	memset(&capset, 0, sizeof capset);
	memset(slots, 0, sizeof slots);
	captable_init(&domain.table);
	assert_int_equal(captable_grow(&domain.table, slots), STATUS_OK);
	for (unsigned i = 0; i < CAPSET_MAX; i++)
		granted[i] = (struct object){.refs = 1};
}

/* Names come in order: what is asked for last is asked for while all others come. */
static void look(void)
{
	uint32_t found[CAPSET_MAX] = {0};
	char name[CAPSET_NAME];

	for (unsigned i = 0; i < CAPSET_MAX; i++) {
		name_of(i, name);
		while (!(found[i] = native_find(&program, name)))
			sched_yield();
	}
	for (unsigned i = 0; i < CAPSET_MAX; i++)
		assert_ptr_equal(captable_lookup(&domain.table, found[i]), &granted[i]);
}

static void a_name_is_found_whole(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t refused = 0;
		pthread_t thread;

		reset();
		assert_int_equal(pthread_create(&thread, NULL, grant, &refused), 0);
		look();
		pthread_join(thread, NULL);
		assert_int_equal(refused, 0);
	}
}

/* Nothing else is found: not what stands behind the last name, nor a part of one. */
static void what_was_not_granted_is_not_found(void **state)
{
	char name[CAPSET_NAME];
	uint32_t refused = 0;

	(void)state;
	reset();
	(void)grant(&refused);
	assert_int_equal(refused, 0);
	assert_int_equal(native_find(&program, ""), 0);
	name_of(LAST, name);
	assert_int_not_equal(native_find(&program, name), 0);
	name[CAPSET_NAME - 2] = '\0';
	assert_int_equal(native_find(&program, name), 0);
	name_of(LAST, name);
	capset.count = LAST;
	assert_int_equal(native_find(&program, name), 0);
	capset.count = UINT32_MAX;
	assert_int_not_equal(native_find(&program, name), 0);
	name_of(CAPSET_MAX, name);
	assert_int_equal(native_find(&program, name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_whole),
		cmocka_unit_test(what_was_not_granted_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
