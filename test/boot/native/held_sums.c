/* held_sums.c: for how long a program can keep the exokernel to itself by much that is
 * short or has a limit for itself, and comes together (held.c is of what is long). */
#include "test/boot/native/held.h"
#include "test/boot/native/revoker.h"

enum {
	REVOKERS = 16,
	LEASED = 8192,     /* pages of an object, */
	EACH = 2,          /* and how often each revoker's leases show it */
	REVOKE = LEASED * EACH * 90, /* instructions: one revoker's limit is 65,536 pages */
	ENTRIES = RING_SQ_ENTRIES,
	POLL_NS = 20000,
	STEP = 256,        /* pages that are done without a pause */
	EMPTY = 8000,      /* page tables without an entry */
	FAR = 60,          /* tables of the third level */
};

static uint32_t revokers[REVOKERS];
static struct native_child shows;

static char *named(unsigned number)
{
	static char name[] = "r..";
	name[1] = (char)('a' + number / 26);
	name[2] = (char)('a' + number % 26);
	return name;
}

/* Each of the revokers can undo as many mappings. */
static void lease_much(uint32_t object)
{
	uint64_t at = MAPPED_AT;
	shows = empty_process((LEASED * EACH * REVOKERS / 512 + 400) * (uint64_t)NATIVE_PAGE);
	for (unsigned i = 0; i < REVOKERS; i++) {
		revokers[i] = revoker_new();
		uint32_t lease = lease_of(revokers[i], object);
		for (unsigned n = 0; n < EACH; n++, at += LEASED * NATIVE_PAGE)
			OK(native_map(self, shows.space, lease, 0, (void *)at, LEASED, ACCESS_READ));
		release(lease);
	}
}

static void revokers_end_with_their_process(void)
{
	uint64_t before = left(own);
	uint32_t object = allocate(LEASED);
	struct native_child holder = empty_process(200 * (uint64_t)NATIVE_PAGE);
	lease_much(object);
	for (unsigned i = 0; i < REVOKERS; i++) {
		OK(native_grant(self, holder.process, named(i), revokers[i]));
		release(revokers[i]);
	}
	begin();
	forget(&holder);
	finish("a process with many revokers ends", 2 * REVOKE); /* ours, and the next exit's */
	forget(&shows);
	release(object);
	CHECK(&check, left(own) == before);
}

static void revokers_are_let_go_of_by_one_entry(void)
{
	uint64_t before = left(own);
	uint32_t object = allocate(LEASED);
	lease_much(object);
	begin();
	for (unsigned i = 0; i < REVOKERS; i++) {
		*ring_next(self->ring) = (struct ring_sqe){ .op = RING_RELEASE, .cap = revokers[i] };
		ring_push(self->ring);
	}
	OK(ring_run(self->ring, REVOKERS));
	while (ring_done(self->ring))
		;
	finish("many revokers are released", REVOKE);
	forget(&shows);
	release(object);
	CHECK(&check, left(own) == before);
}

/* What the revokers end with is what their leases stood for. */
static void dead_leases_of_revokers(void)
{
	uint64_t before = left(own);
	uint32_t object = allocate(LEASED), outer = revoker_new(), leases[REVOKERS];
	lease_much(object);
	for (unsigned i = 0; i < REVOKERS; i++) {
		leases[i] = lease_of(outer, revokers[i]);
		release(revokers[i]);
	}
	begin();
	revoke(outer);
	finish("many leases of revokers are revoked", 2 * REVOKE);
	for (unsigned i = 0; i < REVOKERS; i++)
		release(leases[i]);
	release(outer);
	forget(&shows);
	release(object);
	CHECK(&check, left(own) == before);
}

/* As many calls of MemoryObject.share or .child as the ring takes, which have no pauses. */
static void many_buffers(uint16_t method, const char *what)
{
	enum { SHARED = 2048 };
	static uint64_t params[8];
	uint64_t before = left(own);
	uint32_t object = allocate(SHARED);
	struct memory_object_share_params_builder p;
	struct capnp_builder b;
	_Static_assert((int)MEMORY_OBJECT_SHARE_PARAMS_DATA_WORDS ==
	               (int)MEMORY_OBJECT_CHILD_PARAMS_DATA_WORDS, "of one shape");
	for (uint64_t i = 0; i < SHARED; i++)
		put(object, i, i);
	capnp_builder_start(&b, params, sizeof params);
	p = memory_object_share_params_build(&b);
	memory_object_share_params_set_page(p, 0);
	memory_object_share_params_set_pages(p, SHARED);
	begin();
	for (unsigned i = 0; i < ENTRIES; i++) {
		*ring_next(self->ring) = (struct ring_sqe){
			.op = RING_CALL, .cap = object, .interface = MEMORY_OBJECT_ID,
			.method = method, .params = (uintptr_t)params,
			.params_size = (uint32_t)capnp_builder_size(&b),
		};
		ring_push(self->ring);
	}
	OK(ring_run(self->ring, ENTRIES));
	uint32_t made[ENTRIES];
	for (unsigned i = 0; i < ENTRIES; i++) {
		const struct ring_cqe *done = ring_done(self->ring);
		OK((enum status)done->status);
		made[i] = done->caps[0];
	}
	finish(what, SHARED * 150);
	for (unsigned i = 0; i < ENTRIES; i++)
		release(made[i]);
	release(object);
	CHECK(&check, left(own) == before);
}

static void many_objects(void)
{
	many_buffers(MEMORY_OBJECT_SHARE, "many shared buffers");
	many_buffers(MEMORY_OBJECT_CHILD, "many children");
}

static void poll(uint64_t every)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "thread"), THREAD_CONTROL_ID, THREAD_CONTROL_POLL);
	thread_control_poll_params_set_every_ns(thread_control_poll_params_build(&call.params), every);
	OK(native_send(&call));
}

static struct native_child ranges_in;

static void ask_for_ranges(uint64_t pages, uint64_t every)
{
	static uint64_t params[ENTRIES][8];
	struct address_space_fresh_params_builder p;
	struct capnp_builder b;
	ranges_in = empty_process((ENTRIES * pages + 400) * NATIVE_PAGE);
	begin();
	poll(every);
	for (unsigned i = 0; i < ENTRIES; i++) {
		capnp_builder_start(&b, params[i], sizeof params[i]);
		p = address_space_fresh_params_build(&b);
		address_space_fresh_params_set_address(p, MAPPED_AT + i * pages * NATIVE_PAGE);
		address_space_fresh_params_set_pages(p, pages);
		address_space_fresh_params_set_access(p, RW);
		*ring_entry(self->ring, self->ring->sq_tail + i) = (struct ring_sqe){
			.op = RING_CALL, .cap = ranges_in.space, .interface = ADDRESS_SPACE_ID,
			.method = ADDRESS_SPACE_FRESH, .params = (uintptr_t)params[i],
			.params_size = (uint32_t)capnp_builder_size(&b),
		};
	}
	ring_push_all(self->ring, ENTRIES);
}

static void have_ranges(const char *what, uint64_t limit)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		OK((enum status)ring_done(self->ring)->status);
	finish(what, limit);
	forget(&ranges_in);
}

static void many_ranges(void)
{
	uint64_t before = left(own);
	ask_for_ranges(STEP, 0);
	OK(ring_run(self->ring, ENTRIES));
	have_ranges("many ranges at once", BOUND);
	CHECK(&check, left(own) == before);
}

/* Short ones, and such as take many looks. */
static void many_ranges_on_a_polled_ring(void)
{
	uint64_t before = left(own);
	for (uint64_t pages = STEP; pages <= 8 * STEP; pages *= 8) {
		ask_for_ranges(pages, POLL_NS);
		while (ring_ready(self->ring) < ENTRIES)
			;
		have_ranges("many ranges on a polled ring", 2 * BOUND); /* two looks */
	}
	poll(0);
	CHECK(&check, left(own) == before);
}

/* A table that is made for a page for which there is then no frame stays. */
static void tables_without_entries(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, 64 * NATIVE_PAGE), shop, object = 0;
	struct native_child child = empty_process((EMPTY + 200) * (uint64_t)NATIVE_PAGE);
	OK(ledger_make(purse, LEDGER_MEMORY, &shop));
	OK(native_allocate(self, shop, 9, &object));
	OK(ledger_donate(purse, own, left(purse)));
	for (uint64_t i = 0; i < EMPTY; i++)
		REFUSED(NO_MEMORY, native_map(self, child.space, object, 0,
		                              (void *)(MAPPED_AT + (i << 21)), 1, ACCESS_READ));
	begin();
	OK(native_unmap(self, child.space, (void *)MAPPED_AT, EMPTY * 512));
	finish("unmap, of empty tables", BOUND);
	forget(&child);
	release(object);
	release(shop);
	release(purse);
	CHECK(&check, left(own) == before);
}

/* Each table has a first entry and a last one, down to the pages. */
static void tables_far_between(void)
{
	uint64_t before = left(own);
	uint32_t object = allocate(1);
	struct native_child child = empty_process((FAR * 8 + 200) * (uint64_t)NATIVE_PAGE);
	for (uint64_t i = 0; i < FAR * 4; i++)
		OK(native_map(self, child.space, object, 0,
		              (void *)((i / 4 + 1) << 39 | (i / 2 % 2 * 511) << 30 | (i % 2 * 511) << 21),
		              1, ACCESS_READ));
	begin();
	OK(native_unmap(self, child.space, (void *)(1ul << 39), (uint64_t)FAR << 27));
	finish("unmap, of sparse tables", BOUND);
	begin();
	forget(&child);
	finish("a space of sparse tables ends", BOUND);
	release(object);
	CHECK(&check, left(own) == before);
}

/* Who asks what is left of a ledger has what was charged there end first, not what others
 * have let go of since. */
static void others_garbage_is_left_behind(void)
{
	enum { OWN = 3000, OTHERS = 16384, TIMES = 16, ROUNDS = 10 };
	uint64_t before = left(own), began, took;
	uint32_t purse = child(own, (OWN + 400) * (uint64_t)NATIVE_PAGE), object = allocate(OTHERS);
	struct native_child mine = { 0 }, other;
	struct request r = { .entry = 0x1000, .stack = 0x2000, .ledger = purse,
		             .bytes = (OWN + 200) * (uint64_t)NATIVE_PAGE };
	OK(create_raw(&r, &mine));
	OK(native_fresh(self, mine.space, MAPPED_AT, OWN, RW));
	other = empty_process((OTHERS * TIMES / 512 + 400) * (uint64_t)NATIVE_PAGE);
	for (uint64_t i = 0; i < TIMES; i++)
		OK(native_map(self, other.space, object, 0,
		              (void *)(MAPPED_AT + i * OTHERS * NATIVE_PAGE), OTHERS, ACCESS_READ));
	forget(&mine);
	forget(&other);
	began = ticks();
	CHECK(&check, account_of(purse).used == 0);
	took = ticks() - began;
	native_print(self, "held: a question behind others' garbage: %lu\n", took);
	if (counted)
		CHECK(&check, took < ROUNDS * BOUND);
	release(purse);
	release(object);
	CHECK(&check, left(own) == before);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		revokers_end_with_their_process, revokers_are_let_go_of_by_one_entry,
		dead_leases_of_revokers, many_objects, many_ranges, many_ranges_on_a_polled_ring,
		tables_without_entries,
		tables_far_between, others_garbage_is_left_behind,
	};
	start_sched(given, "held_sums");
	own = native_find(self, "ledger");
	/* The program's own tables grow once. */
	static uint32_t held[1000];
	unsigned count = 0;
	while (count < 1000 && native_allocate(self, pool, 1, &held[count]) == STATUS_OK)
		count++;
	while (count > 0)
		release(held[--count]);
	look_on();
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
		steps[i]();
	check_end(&check);
}
