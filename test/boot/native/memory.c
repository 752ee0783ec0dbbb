/* memory.c: what MemoryPool, MemoryObject and ReadOnlyMemory promise, and what
 * they refuse. Every block runs twice: the second time it must leave the ledger
 * exactly as it found it (page tables and the table of capabilities grow once). */
#include "test/boot/native/memory.h"

enum {
	SMALL = 8,             /* pages of an object without slot tables */
	MOST = 512 * 1024,     /* pages of the largest object */
	CHILD_MOST = 65536,
	NEVER_A_METHOD = 99,
	FAMILY = 12, FAMILY_PAGES = SMALL + 2, FAMILY_STEPS = 3000,
};

#define AT ((volatile uint64_t *)0x10000000)
#define CHILD_AT ((volatile uint64_t *)0x10100000)
#define LOOK_AT ((volatile uint64_t *)0x10200000)
#define FAMILY_AT(i) ((volatile uint64_t *)(uintptr_t)(0x10300000 + (i) * 0x10000))

static uint64_t seed;

static uint32_t child_of(uint32_t object, uint64_t page, uint64_t pages)
{
	uint32_t child = 0;
	OK(native_child(self, object, page, pages, &child));
	return child;
}

static void map(uint32_t object, volatile uint64_t *address, uint64_t pages, uint32_t access)
{
	OK(native_map(self, here, object, 0, (void *)address, pages, access));
}

static void unmap(volatile uint64_t *address, uint64_t pages)
{
	OK(native_unmap(self, here, (void *)address, pages));
}

static uint64_t size(uint32_t object)
{
	uint64_t pages = 0;
	OK(native_size(self, object, MEMORY_OBJECT_ID, &pages));
	return pages;
}

static enum status try_put(uint32_t object, uint64_t page, uint64_t value)
{
	return native_put(self, object, MEMORY_OBJECT_ID, page * NATIVE_PAGE, &value, sizeof value);
}

static bool is_zero(volatile const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i] != 0)
			return false;
	return true;
}

/* -- pages and bytes ------------------------------------------------------------- */

static void memory_comes_zeroed(void)
{
	for (unsigned round = 0; round < 3; round++) {
		uint32_t object = allocate(SMALL);
		uint64_t bytes[32];
		for (uint64_t at = 0; at < NATIVE_PAGE; at += sizeof bytes) {
			OK(native_read(self, object, MEMORY_OBJECT_ID, at, bytes, sizeof bytes));
			CHECK(&check, is_zero(bytes, sizeof bytes / sizeof bytes[0]));
		}
		map(object, AT, SMALL, RW);
		CHECK(&check, is_zero(AT, SMALL * WORDS));
		for (size_t i = 0; i < SMALL * WORDS; i++)
			AT[i] = ~0ull;
		release(object);
		CHECK(&check, AT[0] == ~0ull); /* a mapping keeps what it shows */
		unmap(AT, SMALL);
	}
}

static void sizes(void)
{
	static const uint64_t good[] = { 1, 2, SMALL, SMALL + 1, 1024, 1025, 4096 };
	static const uint64_t bad[] = { MOST + 1, 1ull << 32, 1ull << 52, (1ull << 52) + 1, ~0ull };
	uint64_t before = available();
	uint32_t object;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		object = allocate(good[i]);
		CHECK(&check, size(object) == good[i]);
		put(object, good[i] - 1, good[i]);
		CHECK(&check, word(object, good[i] - 1) == good[i]);
		REFUSED(INVALID, try_put(object, good[i], 1));
		release(object);
	}
	CHECK(&check, native_allocate(self, pool, 0, &object) != STATUS_OK);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		REFUSED(NO_MEMORY, native_allocate(self, pool, bad[i], &object));
	REFUSED(NO_MEMORY, native_allocate(self, pool, before + 1, &object));
	CHECK(&check, available() == before);
}

static void read_and_write_at_the_edges(void)
{
	static const struct { uint64_t offset; uint32_t count; bool good; } edges[] = {
		{ 0, 0, true }, { 0, 200, true }, { NATIVE_PAGE - 100, 200, true },
		{ 2 * NATIVE_PAGE - 200, 200, true }, { 2 * NATIVE_PAGE - 1, 1, true },
		{ 2 * NATIVE_PAGE, 0, true }, { 2 * NATIVE_PAGE, 1, false },
		{ 2 * NATIVE_PAGE - 199, 200, false }, { 2 * NATIVE_PAGE + 1, 0, false },
		{ ~0ull, 1, false }, { ~0ull - 99, 200, false }, { 1ull << 32, 1, false },
		{ 1ull << 44, 0, false },
	};
	uint32_t object = allocate(2), facet = 0;
	uint8_t out[200], in[200];
	OK(native_read_only(self, object, &facet));
	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
		uint32_t count = edges[i].count;
		enum status wanted = edges[i].good ? STATUS_OK : STATUS_INVALID;
		for (size_t b = 0; b < sizeof out; b++)
			out[b] = (uint8_t)(b + i * 7 + 1), in[b] = 0;
		CHECK_STATUS(&check, wanted, native_put(self, object, MEMORY_OBJECT_ID, edges[i].offset,
		                                        out, count));
		CHECK_STATUS(&check, wanted, native_read(self, object, MEMORY_OBJECT_ID, edges[i].offset,
		                                         in, count));
		CHECK(&check, !edges[i].good || __builtin_memcmp(in, out, count) == 0);
		CHECK_STATUS(&check, wanted, native_read(self, facet, READ_ONLY_MEMORY_ID,
		                                         edges[i].offset, in, count));
	}
	/* The write that began inside and ended past the end left no byte behind. */
	OK(native_read(self, object, MEMORY_OBJECT_ID, 2 * NATIVE_PAGE - 1, in, 1));
	CHECK(&check, in[0] == (uint8_t)(0 + 4 * 7 + 1));
	/* More than the message or the buffer takes is refused, not cut. */
	REFUSED(TOO_SMALL, native_read(self, object, MEMORY_OBJECT_ID, 0, in, NATIVE_PAGE));
	REFUSED(TOO_SMALL, native_read(self, object, MEMORY_OBJECT_ID, 0, in, NATIVE_MESSAGE_MAX));
	release(facet);
	release(object);
}

static void read_only_is_the_same_frames_and_no_more(void)
{
	uint32_t object = allocate(2), facet = 0;
	uint64_t pages = 0, value = 0;
	put(object, 1, 5);
	OK(native_read_only(self, object, &facet));
	OK(native_size(self, facet, READ_ONLY_MEMORY_ID, &pages));
	CHECK(&check, pages == 2);
	put(object, 1, 6);
	REFUSED(NO_METHOD, native_put(self, facet, MEMORY_OBJECT_ID, 0, &value, sizeof value));
	REFUSED(NO_METHOD, native_put(self, facet, READ_ONLY_MEMORY_ID, 0, &value, sizeof value));
	REFUSED(NO_METHOD, native_read(self, facet, MEMORY_OBJECT_ID, 0, &value, sizeof value));
	REFUSED(NO_METHOD, native_read(self, object, READ_ONLY_MEMORY_ID, 0, &value, sizeof value));
	for (uint16_t method = MEMORY_OBJECT_WRITE; method <= NEVER_A_METHOD; method++) {
		struct native_call call;
		native_call(&call, self, facet, READ_ONLY_MEMORY_ID, method);
		REFUSED(NO_METHOD, native_send(&call));
	}
	release(object); /* the facet keeps the memory */
	OK(native_read(self, facet, READ_ONLY_MEMORY_ID, NATIVE_PAGE, &value, sizeof value));
	CHECK(&check, value == 6);
	release(facet);
}

static void unknown_methods_are_refused(void)
{
	uint32_t object = allocate(1);
	struct native_call call;
	native_call(&call, self, object, MEMORY_OBJECT_ID, NEVER_A_METHOD);
	REFUSED(NO_METHOD, native_send(&call));
	native_call(&call, self, pool, MEMORY_POOL_ID, NEVER_A_METHOD);
	REFUSED(NO_METHOD, native_send(&call));
	native_call(&call, self, object, MEMORY_POOL_ID, MEMORY_POOL_AVAILABLE);
	REFUSED(NO_METHOD, native_send(&call));
	release(object);
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE);
	REFUSED(NO_CAP, native_send(&call));
}

/* -- copy-on-write children ------------------------------------------------------ */

static void children_of_no_range_are_refused(void)
{
	static const struct { uint64_t page, pages; } bad[] = {
		{ 0, 0 }, { 4, 0 }, { 0, 5 }, { 4, 1 }, { 3, 2 }, { 5, 1 }, { ~0ull, 1 }, { 1, ~0ull },
		{ ~0ull, 2 }, { 1ull << 32, 1 }, { 0, 1ull << 32 },
	};
	uint64_t before = available();
	uint32_t object = allocate(4), large = allocate(CHILD_MOST + 1), child;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		REFUSED(INVALID, native_child(self, object, bad[i].page, bad[i].pages, &child));
	REFUSED(INVALID, native_child(self, large, 0, CHILD_MOST + 1, &child));
	release(large);
	release(object);
	CHECK(&check, available() == before);
}

/* How a side writes: by `write`, through a mapping made before the split, or
 * through one made after it. */
enum way { BY_CALL, MAPPED_BEFORE, MAPPED_AFTER, WAYS };

static void write_side(uint32_t object, uint64_t pages, uint64_t page, enum way way,
                       volatile uint64_t *address, uint64_t value)
{
	if (way == BY_CALL) {
		put(object, page, value);
		return;
	}
	if (way == MAPPED_AFTER)
		map(object, address, pages, RW);
	address[page * WORDS] = value;
}

/* The child holds pages 1 and 2 of three; page 2 was never touched. */
static void isolated(enum way parent_way, enum way child_way, bool parent_first, bool released)
{
	uint32_t parent = allocate(3);
	put(parent, 0, 100), put(parent, 1, 101);
	if (parent_way == MAPPED_BEFORE)
		map(parent, AT, 3, RW);
	uint32_t child = child_of(parent, 1, 2);
	CHECK(&check, size(child) == 2);
	for (unsigned step = 0; step < 2; step++)
		if ((step == 0) == parent_first)
			write_side(parent, 3, 1, parent_way, AT, 201);
		else
			write_side(child, 2, 0, child_way, CHILD_AT, 301);
	CHECK(&check, word(parent, 0) == 100 && word(parent, 1) == 201 && word(parent, 2) == 0);
	CHECK(&check, word(child, 0) == 301 && word(child, 1) == 0);
	put(child, 1, 302);
	CHECK(&check, word(parent, 2) == 0);
	CHECK(&check, parent_way == BY_CALL || (AT[0] == 100 && AT[WORDS] == 201));
	CHECK(&check, child_way == BY_CALL || (CHILD_AT[0] == 301 && CHILD_AT[WORDS] == 302));
	release(released ? parent : child);
	CHECK(&check, released ? word(child, 0) == 301 && word(child, 1) == 302
	                       : word(parent, 1) == 201 && word(parent, 2) == 0);
	release(released ? child : parent);
	unmap(AT, 3);
	unmap(CHILD_AT, 2);
}

static void both_sides_of_a_split_are_isolated(void)
{
	for (unsigned i = 0; i < WAYS * 2 * 4; i++)
		isolated(i / 8 % WAYS, i / 4 % 2 ? MAPPED_AFTER : BY_CALL, i / 2 % 2, i % 2);
}

static void a_child_has_what_was_there(void)
{
	for (unsigned first = 0; first < 2; first++) {
		uint32_t parent = allocate(2);
		put(parent, 0, 1), put(parent, 1, 2);
		uint32_t child = child_of(parent, 0, 2), grandchild = child_of(child, 1, 1);
		release(first ? parent : child); /* nobody has written yet */
		put(grandchild, 0, 3);
		CHECK(&check, word(first ? child : parent, 0) == 1);
		CHECK(&check, word(first ? child : parent, 1) == 2);
		uint32_t again = child_of(grandchild, 0, 1);
		put(grandchild, 0, 4);
		CHECK(&check, word(again, 0) == 3 && word(grandchild, 0) == 4);
		release(first ? child : parent);
		CHECK(&check, word(again, 0) == 3 && word(grandchild, 0) == 4);
		release(grandchild);
		CHECK(&check, word(again, 0) == 3);
		release(again);
	}
}

/* -- any history: a family of objects against a model ---------------------------- */

static struct member {
	uint32_t object, pages;
	bool mapped;
	uint64_t holds[FAMILY_PAGES]; /* the first and the last word of each page */
} family[FAMILY];

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % below;
}

static void born(struct member *m, const struct member *parent)
{
	bool orphan = parent->object == 0; /* or m itself */
	uint32_t page = 0;
	if (!orphan) {
		page = any(parent->pages);
		m->pages = 1 + any(parent->pages - page);
		m->object = child_of(parent->object, page, m->pages);
	} else {
		m->pages = 1 + any(FAMILY_PAGES);
		m->object = allocate(m->pages);
	}
	for (uint32_t i = 0; i < m->pages; i++)
		m->holds[i] = orphan ? 0 : parent->holds[page + i];
}

static bool shows(const struct member *m, volatile const uint64_t *address)
{
	for (uint32_t i = 0; i < m->pages; i++)
		if (address[i * WORDS] != m->holds[i] || address[i * WORDS + WORDS - 1] != m->holds[i])
			return false;
	return true;
}

static void unmap_member(struct member *m)
{
	if (m->mapped) {
		CHECK(&check, shows(m, FAMILY_AT(m - family)));
		unmap(FAMILY_AT(m - family), m->pages);
	}
	m->mapped = false;
}

static void dies(struct member *m)
{
	release(m->object);
	unmap_member(m);
	m->object = 0;
}

static void written(struct member *m, uint64_t value)
{
	uint32_t page = any(m->pages);
	put(m->object, page, value);
	OK(native_put(self, m->object, MEMORY_OBJECT_ID, page * NATIVE_PAGE + NATIVE_PAGE - 8,
	              &value, sizeof value));
	m->holds[page] = value;
}

static void written_in_place(struct member *m, uint64_t value)
{
	volatile uint64_t *address = FAMILY_AT(m - family);
	uint32_t page = any(m->pages);
	if (!m->mapped)
		map(m->object, address, m->pages, RW);
	m->mapped = true;
	address[page * WORDS] = address[page * WORDS + WORDS - 1] = m->holds[page] = value;
}

static void looked_at(struct member *m)
{
	uint32_t page = any(m->pages);
	CHECK(&check, word(m->object, page) == m->holds[page]);
	if (any(4) == 0) {
		map(m->object, LOOK_AT, m->pages, ACCESS_READ);
		CHECK(&check, shows(m, LOOK_AT));
		unmap(LOOK_AT, m->pages);
	}
}

static void any_history(void)
{
	seed += 0x9e3779b97f4a7c15;
	for (uint64_t step = 1; step <= FAMILY_STEPS && check.failures == 0; step++) {
		struct member *m = &family[any(FAMILY)];
		switch (m->object == 0 ? 99 : any(8)) {
		case 99: born(m, &family[any(FAMILY)]); break;
		case 0: dies(m); break;
		case 1: case 2: written(m, step); break;
		case 3: case 4: written_in_place(m, step); break;
		case 5: unmap_member(m); break;
		default: looked_at(m);
		}
		if (check.failures > 0)
			native_print(self, "any_history: at step %lu\n", step);
	}
	for (struct member *m = family; m < family + FAMILY; m++)
		if (m->object != 0) {
			map(m->object, LOOK_AT, m->pages, ACCESS_READ);
			CHECK(&check, shows(m, LOOK_AT));
			unmap(LOOK_AT, m->pages);
			dies(m);
		}
}

/* -- what a review once proved --------------------------------------------------- */

/* The split of page 0 took the reservation of page 1: a panic. */
static void a_split_pays_for_itself(void)
{
	uint32_t object = allocate(2);
	put(object, 0, 7);
	uint32_t child = child_of(object, 0, 1);
	map(object, AT, 2, RW);
	AT[0] = 8, AT[WORDS] = 9;
	CHECK(&check, word(child, 0) == 7 && word(object, 0) == 8 && word(object, 1) == 9);
	release(child);
	release(object);
	unmap(AT, 2);
}

/* A mapping made before the split became writable by `protect`. */
static void an_old_mapping_does_not_write_into_a_child(void)
{
	uint32_t object = allocate(1), access = 0;
	put(object, 0, 1);
	for (unsigned round = 0; round < 2; round++) { /* once readable, once writable before */
		map(object, AT, 1, round == 0 ? ACCESS_READ : RW);
		OK(native_protect(self, here, (uintptr_t)AT, 1, ACCESS_READ));
		uint32_t child = child_of(object, 0, 1);
		OK(native_protect(self, here, (uintptr_t)AT, 1, RW));
		OK(native_query(self, here, (uintptr_t)AT, &access));
		CHECK(&check, access == ACCESS_READ);
		REFUSED(DENIED, native_resolve(self, here, (uintptr_t)AT));
		put(object, 0, 2); /* goes elsewhere: the mapping shows what it was made with */
		CHECK(&check, AT[0] == 1 && word(child, 0) == 1 && word(object, 0) == 2);
		map(object, AT, 1, RW);
		AT[0] = 1;
		CHECK(&check, word(child, 0) == 1 && word(object, 0) == 1);
		put(child, 0, 3);
		CHECK(&check, AT[0] == 1);
		release(child);
		unmap(AT, 1);
	}
	release(object);
}

/* -- the ledger ------------------------------------------------------------------ */

static void charges_are_exact(void)
{
	uint64_t before = available();
	uint32_t one = allocate(1);
	uint64_t cost_of_one = before - available();
	CHECK(&check, cost_of_one == 1 || cost_of_one == 2); /* the object's own bytes */
	release(one);
	CHECK(&check, available() == before);
	for (uint64_t pages = 2; pages <= SMALL; pages++) {
		uint32_t object = allocate(pages);
		uint64_t after = available();
		CHECK(&check, before - after == cost_of_one + pages - 1);
		put(object, pages - 1, 1); /* paid for already */
		map(object, AT, pages, RW);
		CHECK(&check, available() == after);
		unmap(AT, pages);
		uint32_t child = child_of(object, pages - 1, 1);
		CHECK(&check, after - available() == 1 || after - available() == 2);
		after = available();
		put(child, 0, 2);
		CHECK(&check, available() == after);
		release(child);
		child = child_of(object, pages - 1, 1);
		put(object, pages - 1, 2); /* the frame that was paid for is the child's now */
		CHECK(&check, available() == after - 1);
		release(object);
		release(child);
		CHECK(&check, available() == before);
	}
}

static void the_limit_stays(void)
{
	struct native_call call;
	struct memory_pool_available_results_reader results;
	uint64_t limit[2] = { 0, 1 };
	uint32_t object = 0;
	for (unsigned i = 0; i < 2; i++) {
		native_call(&call, self, pool, MEMORY_POOL_ID, MEMORY_POOL_AVAILABLE);
		OK(native_send(&call));
		OK(memory_pool_available_results_read(call.results, call.results_size, &results));
		limit[i] = memory_pool_available_results_get_limit(results);
		CHECK(&check, memory_pool_available_results_get_pages(results) < limit[i]);
		if (i == 0)
			object = allocate(100);
	}
	CHECK(&check, limit[0] == limit[1]);
	release(object);
}

static void a_ledger_that_runs_out_loses_nothing(void)
{
	uint32_t object = allocate(2), extra = 0, refused;
	uint64_t spare = 0;
	put(object, 0, 1);
	uint32_t child = child_of(object, 0, 2);
	OK(native_fresh(self, here, (uintptr_t)AT, 1, RW)); /* the page table */
	uint32_t most = allocate(available() - 6);
	OK(native_allocate(self, pool, 1, &extra));
	while (spare < 16 && native_fresh(self, here, (uintptr_t)CHILD_AT + spare * NATIVE_PAGE, 1,
	                                  RW) == STATUS_OK)
		spare++;
	CHECK(&check, spare > 0 && spare < 16 && available() == 0);

	REFUSED(NO_MEMORY, native_allocate(self, pool, 1, &refused));
	REFUSED(NO_MEMORY, native_child(self, object, 0, 1, &refused));
	REFUSED(NO_MEMORY, native_fresh(self, here, (uintptr_t)LOOK_AT, 1, RW));
	REFUSED(NO_MEMORY, try_put(object, 0, 2));
	REFUSED(NO_MEMORY, native_map(self, here, object, 0, (void *)LOOK_AT, 1, RW));
	CHECK(&check, word(object, 0) == 1 && word(child, 0) == 1 && available() == 0);
	put(object, 1, 3); /* what was paid for is there */
	put(extra, 0, 3);
	put(child, 0, 4);
	put(object, 0, 5); /* nobody else has the frame now */
	CHECK(&check, word(object, 0) == 5 && word(child, 0) == 4 && word(child, 1) == 0);
	release(extra);
	CHECK(&check, available() >= 1);
	extra = allocate(1);
	release(extra);
	release(most);
	release(child);
	release(object);
	unmap(CHILD_AT, spare);
	unmap(AT, 1);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		memory_comes_zeroed, sizes, read_and_write_at_the_edges,
		read_only_is_the_same_frames_and_no_more, unknown_methods_are_refused,
		children_of_no_range_are_refused, both_sides_of_a_split_are_isolated,
		a_child_has_what_was_there, any_history, a_split_pays_for_itself,
		an_old_mapping_does_not_write_into_a_child, charges_are_exact, the_limit_stays,
		a_ledger_that_runs_out_loses_nothing,
	};
	start(given, "memory");
	run(steps, sizeof steps / sizeof steps[0]);
}
