/* transfer_fuzz.c: capabilities on their way between tables, in any order, with whatever
 * dies, is revoked or runs out meanwhile. transfer.c, domain.c and captable.c as shipped,
 * on tables of four pages with two slots and three generations.
 *
 * Beside them stands a model that knows only the promises: which capability is in which
 * table, and who holds what. After each step the tables, all reference counts and
 * what has ended must be as the model says; so a capability that was moved stands in
 * one table, and never in two. */
#define CAPTABLE_PAGE_BITS       1
#define CAPTABLE_INDEX_BITS      3
#define CAPTABLE_GENERATION_BITS 2

#include "core/captable.c"
#include "kernel/domain.c"
#include "kernel/account.h"
#include "kernel/ending.c"
#include "kernel/transfer.c"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What only looks teaches the fuzzer nothing. */
#define UNTRACED __attribute__((no_sanitize("coverage")))

enum { DOMAINS = 3, OBJECTS = 5, TRANSFERS = 3, NOBODY = -1, INPUT_MOST = 128 };

/* -- the model: what is promised ------------------------------------------- */

struct model_cap {
	int object;     /* NOBODY: the slot is free */
	uint32_t id, epoch;
	bool moving;
};

struct model_domain {
	bool is, owned;     /* owned: by the harness, or by an object that is */
	struct model_cap caps[CAPTABLE_SLOTS];
	struct domain *real;
};

/* Object i, while it is, owns domain i if owns_domain. */
struct model_object {
	bool is, held, owns_domain;
	uint32_t epoch;
	struct thing *real;
};

struct model_transfer {
	bool is;
	int from;
	unsigned count, moved;
	int objects[RING_CAPS];
	uint32_t ids[RING_CAPS], epochs[RING_CAPS];
	struct transfer *real;
};

static struct model_domain domains[DOMAINS];
static struct model_object objects[OBJECTS];
static struct model_transfer transfers[TRANSFERS];

UNTRACED static struct model_cap *cap_at(int d, uint32_t id)
{
	struct model_cap *cap = &domains[d].caps[id % CAPTABLE_SLOTS];

	return cap->object != NOBODY && cap->id == id ? cap : NULL;
}

UNTRACED static bool is_live(const struct model_cap *cap)
{
	return cap && !cap->moving && cap->epoch == objects[cap->object].epoch;
}

UNTRACED static uint32_t refs_of_domain(int d)
{
	uint32_t refs = domains[d].owned;

	for (int i = 0; i < TRANSFERS; i++)
		refs += transfers[i].is && transfers[i].from == d;
	return refs;
}

UNTRACED static void count_refs(uint32_t refs[OBJECTS])
{
	for (int o = 0; o < OBJECTS; o++)
		refs[o] = objects[o].held;
	for (int d = 0; d < DOMAINS; d++)
		for (int i = 0; domains[d].is && i < CAPTABLE_SLOTS; i++)
			if (domains[d].caps[i].object != NOBODY)
				refs[domains[d].caps[i].object]++;
	for (int i = 0; i < TRANSFERS; i++)
		for (unsigned k = 0; transfers[i].is && k < transfers[i].count; k++)
			refs[transfers[i].objects[k]] += !(transfers[i].moved >> k & 1);
}

/* Whom nobody holds ends, and then whom that one held. */
UNTRACED static void end_unheld(void)
{
	bool again = true;

	while (again) {
		uint32_t refs[OBJECTS];

		again = false;
		count_refs(refs);
		for (int o = 0; o < OBJECTS; o++) {
			if (!objects[o].is || refs[o])
				continue;
			objects[o].is = false;
			if (objects[o].owns_domain)
				domains[o].owned = false;
		}
		for (int d = 0; d < DOMAINS; d++) {
			if (!domains[d].is || refs_of_domain(d))
				continue;
			domains[d].is = false;
			again = true;
		}
	}
}

/* -- what the exokernel's code asks for ------------------------------------ */

struct thing {
	struct object object;
	int number;
};

bool leave_chores;
struct thread *thread_doomed;

void thread_end_doomed(void)
{
}

bool ledger_is_below(const struct ledger *ledger, const struct ledger *top)
{
	return ledger == top;
}

static unsigned pages_left; /* page_alloc gives so many */
static unsigned allocated;
static bool ended[OBJECTS];

UNTRACED static void expect(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "transfer_fuzz: %s\n", what);
		abort();
	}
}

_Noreturn void panic_false(const char *what)
{
	fprintf(stderr, "transfer_fuzz: %s\n", what);
	abort();
}

static void thing_end(struct object *o)
{
	struct thing *thing = (struct thing *)o;

	expect(!ended[thing->number], "an object ends twice");
	ended[thing->number] = true;
	/* A domain that this step has ended is so in the model when the step is done. */
	for (int d = 0; d < DOMAINS; d++)
		if (domains[d].is && domains[d].real)
			expect(!captable_check(&domains[d].real->table), "a table is broken inside a step");
	if (objects[thing->number].owns_domain)
		domain_drop(domains[thing->number].real);
	free(thing);
}
static const struct object_type thing_type = {.name = "thing", .destroy = thing_end};

void *page_alloc(struct ledger *ledger)
{
	(void)ledger;
	if (!pages_left)
		return NULL;
	pages_left--;
	allocated++;
	return calloc(CAPTABLE_PAGE_SLOTS, sizeof(struct capslot));
}

void page_free(void *page)
{
	allocated--;
	free(page);
}

void *block_alloc(struct ledger *ledger, size_t size)
{
	(void)ledger;
	allocated++;
	return calloc(1, size);
}

void block_free(void *block, size_t size, struct ledger *ledger)
{
	(void)size;
	(void)ledger;
	for (int d = 0; d < DOMAINS; d++)
		if (block == domains[d].real)
			domains[d].real = NULL;
	allocated--;
	free(block);
}

static struct account account;

struct ledger *ledger_create(struct ledger *parent, uint64_t limit)
{
	(void)parent;
	(void)limit;
	return &account.ledger;
}

void ledger_close(struct ledger *ledger)
{
	(void)ledger;
}

/* For domain_grant, which is not called. */
const struct object_type lease_type;
struct object *lease_target(const struct object *o)
{
	(void)o;
	abort();
}
uint64_t object_interface(const struct object *o)
{
	(void)o;
	abort();
}

/* -- is everything as promised? -------------------------------------------- */

UNTRACED static void compare_slot(int d, uint32_t index)
{
	const struct captable *t = &domains[d].real->table;
	const struct model_cap *cap = &domains[d].caps[index];
	const struct capslot *slot = NULL;

	if (index < (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS)
		slot = slot_at(t, index);
	if (cap->object == NOBODY) {
		expect(!slot || !slot->object, "a table has a capability too many");
		return;
	}
	expect(slot && slot->object, "a capability is lost");
	expect(slot->id == cap->id, "a capability has another id");
	expect(slot->object == &objects[cap->object].real->object, "an id names another object");
	expect(slot->epoch == (cap->moving ? CAPTABLE_MOVING : cap->epoch), "an epoch is wrong");
	expect(captable_lookup(t, cap->id) == (is_live(cap) ? slot->object : NULL),
	       "a capability is live that should not be, or dead");
}

/* What a step has left of tables that end: one capability at a time. The next step
 * may do all of its own, or next to nothing. */
static unsigned round;

static void end_the_rest(void)
{
	while (ending_first)
		ending_go_on(1);
	ending_left = ++round % 2 ? ENDING_WORK : 1;
}

UNTRACED static void check(void)
{
	uint32_t refs[OBJECTS];
	unsigned expected = 0;

	end_the_rest();
	expect(account.ending == 0, "something ends no more, and is counted");
	count_refs(refs);
	for (int d = 0; d < DOMAINS; d++) {
		const struct domain *real = domains[d].real;

		expect(domains[d].is == (real != NULL), "a domain ends too late, or too soon");
		if (!real)
			continue;
		expect(real->object.refs == refs_of_domain(d), "a domain's references are off");
		expect(!captable_check(&real->table), "a table is broken");
		for (uint32_t i = 0; i < CAPTABLE_SLOTS; i++)
			compare_slot(d, i);
		expected += 2 + real->table.page_count;
	}
	expect(allocated == expected, "memory is lost");
	for (int o = 0; o < OBJECTS; o++) {
		expect(objects[o].is == !ended[o], "an object ends too late, or too soon");
		if (objects[o].is)
			expect(objects[o].real->object.refs == refs[o],
			       "an object's references are off");
	}
}

/* -- the input ------------------------------------------------------------- */

static const uint8_t *input;
static size_t left;

static uint8_t next(void)
{
	return left ? left--, *input++ : 0;
}

/* Mostly of a slot that is used; else any, also with bits that no id has. */
static uint32_t next_id_of(int d)
{
	uint8_t b = next();

	if (b < 160)
		return domains[d].caps[b % CAPTABLE_SLOTS].id;
	return b < 224 ? b - 160u : (uint32_t)b << (b % 25);
}

static void make_object(int o)
{
	struct thing *thing = malloc(sizeof(*thing));

	object_init(&thing->object, &thing_type);
	/* Some are about to run out of epochs. */
	thing->object.epoch = next() % 4 ? 0 : CAPTABLE_MOVING - 2;
	thing->number = o;
	ended[o] = false;
	objects[o] = (struct model_object){
		.is = true, .held = true, .epoch = thing->object.epoch, .real = thing};
}

static void make_domain(int d)
{
	unsigned before = pages_left;

	pages_left = 1; /* the CapSet */
	domains[d] = (struct model_domain){.is = true, .owned = true};
	objects[d].owns_domain = false;
	domains[d].real = domain_create(NULL, 0);
	pages_left = before;
	for (int i = 0; i < CAPTABLE_SLOTS; i++)
		domains[d].caps[i].object = NOBODY;
}

/* -- steps ----------------------------------------------------------------- */

/* What is alive is let go; what is gone comes anew. */
static void step_object(int o)
{
	struct object *real = &objects[o].real->object;

	if (!objects[o].is) {
		make_object(o);
	} else if (objects[o].held) {
		objects[o].held = false;
		end_unheld();
		object_drop(real);
	}
}

static void step_domain(int d)
{
	if (!domains[d].is) {
		make_domain(d);
	} else if (domains[d].owned && !objects[d].owns_domain) {
		domains[d].owned = false;
		end_unheld();
		domain_drop(domains[d].real);
	}
}

/* A domain that ends with the object of its number, as a process's. */
static void step_own(int d)
{
	if (domains[d].is && domains[d].owned && objects[d].is)
		objects[d].owns_domain = true;
}

static void step_revoke(int o)
{
	if (!objects[o].is)
		return;
	object_revoke(&objects[o].real->object);
	expect(objects[o].real->object.epoch != CAPTABLE_MOVING, "an epoch is the reserved one");
	objects[o].epoch = objects[o].real->object.epoch;
}

static void model_insert(int d, int o, uint32_t id, uint32_t epoch)
{
	struct model_cap *cap = &domains[d].caps[id % CAPTABLE_SLOTS];

	expect(id && cap->object == NOBODY, "an id is given twice");
	*cap = (struct model_cap){.object = o, .id = id, .epoch = epoch};
}

static bool has_room(int d, unsigned count)
{
	const struct captable *t = &domains[d].real->table;
	unsigned slots = t->page_count * CAPTABLE_PAGE_SLOTS, most = CAPTABLE_PAGES - t->page_count;
	unsigned grow = pages_left < most ? pages_left : most;

	return slots + grow * CAPTABLE_PAGE_SLOTS - t->used >= count;
}

static void step_insert(int d, int o)
{
	struct object *real = &objects[o].real->object;
	enum status status;
	uint32_t id;
	bool fits;

	if (!domains[d].is || !objects[o].is)
		return;
	fits = has_room(d, 1);
	object_hold(real);
	status = domain_insert(domains[d].real, real, &id);
	expect(!status == fits, "an insert's status");
	if (!status)
		model_insert(d, o, id, objects[o].epoch);
}

static void step_remove(int d)
{
	uint32_t id = next_id_of(d);
	struct model_cap *cap;
	struct object *gone;

	if (!domains[d].is)
		return;
	cap = cap_at(d, id);
	gone = captable_remove(&domains[d].real->table, id);
	expect((gone != NULL) == (cap && !cap->moving), "what may be removed");
	if (!gone)
		return;
	expect(gone == &objects[cap->object].real->object, "another object is removed");
	cap->object = NOBODY;
	end_unheld();
	object_drop(gone);
}

static enum status model_take(struct model_transfer *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		struct model_cap *cap = cap_at(m->from, m->ids[i]);

		if (!is_live(cap)) {
			m->count = i;
			return STATUS_NO_CAP;
		}
		m->objects[i] = cap->object;
		m->epochs[i] = cap->epoch;
		cap->moving = m->moved >> i & 1;
	}
	return STATUS_OK;
}

static void model_undo(struct model_transfer *m)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->moved >> i & 1)
			cap_at(m->from, m->ids[i])->moving = false;
	m->is = false;
}

static void model_end_moved(struct model_transfer *m)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->moved >> i & 1)
			cap_at(m->from, m->ids[i])->object = NOBODY;
	m->is = false;
}

static void step_take(struct model_transfer *m, int d)
{
	uint8_t how = next();
	uint32_t ids[8];
	enum status status, expected;

	if (m->is || !domains[d].is)
		return;
	*m = (struct model_transfer){.is = true, .from = d, .count = how % 8u, .moved = how >> 3};
	if (how >= 192)
		m->moved &= (1u << m->count) - 1;
	for (unsigned i = 0; i < 8; i++)
		ids[i] = next_id_of(d);
	memcpy(m->ids, ids, sizeof(m->ids));
	m->real = malloc(sizeof(*m->real));
	status = transfer_take(m->real, domains[d].real, ids, m->count, m->moved);
	if (m->count > RING_CAPS || m->moved >> m->count) {
		expected = STATUS_INVALID;
		m->is = false;
	} else {
		expected = model_take(m);
		if (expected)
			model_undo(m);
	}
	expect(status == expected, "a take's status");
	if (status)
		free(m->real);
}

static void step_give(struct model_transfer *m, int d)
{
	uint32_t ids[RING_CAPS];
	enum status status;
	bool fits;

	if (!m->is || !domains[d].is || !domains[d].owned)
		return;
	fits = has_room(d, m->count);
	status = transfer_give(m->real, domains[d].real, ids);
	expect(!status == fits, "a give's status");
	if (status)
		return;
	model_end_moved(m);
	for (unsigned i = 0; i < m->count; i++)
		model_insert(d, m->objects[i], ids[i], m->epochs[i]);
	free(m->real);
	end_unheld();
}

static void step_undo(struct model_transfer *m)
{
	if (!m->is)
		return;
	model_undo(m);
	end_unheld();
	transfer_undo(m->real);
	free(m->real);
}

static void step_finish(struct model_transfer *m)
{
	if (!m->is)
		return;
	model_end_moved(m);
	end_unheld();
	transfer_finish(m->real);
	free(m->real);
}

static void step(void)
{
	uint8_t what = next(), which = next();
	int d = which % DOMAINS, o = which / DOMAINS % OBJECTS;
	struct model_transfer *m = &transfers[which / DOMAINS % TRANSFERS];

	switch (what % 16) {
	case 0: step_object(o); break;
	case 1: step_domain(d); break;
	case 2: step_own(d); break;
	case 3: step_revoke(o); break;
	case 4: pages_left = which % 8; break;
	case 5: step_remove(d); break;
	case 6: case 7: case 8: step_insert(d, o); break;
	case 9: case 10: case 11: step_take(m, d); break;
	case 12: case 13: step_give(m, d); break;
	case 14: step_undo(m); break;
	case 15: step_finish(m); break;
	}
}

/* All transfers end, all tables are emptied, all is let go: nothing is left. */
static void end_all(void)
{
	for (int i = 0; i < TRANSFERS; i++) {
		step_undo(&transfers[i]);
		check();
	}
	for (int d = 0; d < DOMAINS; d++) {
		for (int i = 0; domains[d].is && i < CAPTABLE_SLOTS; i++) {
			struct model_cap *cap = &domains[d].caps[i];
			struct object *gone;

			if (cap->object == NOBODY)
				continue;
			gone = captable_remove(&domains[d].real->table, cap->id);
			expect(gone != NULL, "a capability cannot be removed");
			cap->object = NOBODY;
			end_unheld();
			object_drop(gone);
		}
	}
	for (int o = 0; o < OBJECTS; o++)
		if (objects[o].is && objects[o].held)
			step_object(o);
	for (int d = 0; d < DOMAINS; d++)
		if (domains[d].is)
			step_domain(d);
	check();
	expect(!allocated, "memory is left at the end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	left = size < INPUT_MOST ? size : INPUT_MOST;
	round = 0;
	pages_left = 2 * CAPTABLE_PAGES;
	memset(transfers, 0, sizeof(transfers));
	for (int o = 0; o < OBJECTS; o++)
		make_object(o);
	for (int d = 0; d < DOMAINS; d++)
		make_domain(d);
	while (left) {
		step();
		check();
	}
	end_all();
	return 0;
}
