/* held_sums.c: for how long a program can keep the exokernel to itself by much that is
 * short or has a limit for itself, and comes together (held.c is of what is long). */
#include "test/boot/native/held.h"
#include "test/boot/native/revoker.h"

#define INTERFACE 0x4e1d5e4e1d5ull
#include "test/boot/native/made.h"

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

/* AddressSpace.fresh of the range of that number. */
static struct ring_sqe range(unsigned number, uint64_t pages)
{
	static uint64_t params[ENTRIES][8];
	struct address_space_fresh_params_builder p;
	struct capnp_builder b;
	capnp_builder_start(&b, params[number], sizeof params[number]);
	p = address_space_fresh_params_build(&b);
	address_space_fresh_params_set_address(p, MAPPED_AT + number * pages * NATIVE_PAGE);
	address_space_fresh_params_set_pages(p, pages);
	address_space_fresh_params_set_access(p, RW);
	return (struct ring_sqe){
		.op = RING_CALL, .cap = ranges_in.space, .interface = ADDRESS_SPACE_ID,
		.method = ADDRESS_SPACE_FRESH, .params = (uintptr_t)params[number],
		.params_size = (uint32_t)capnp_builder_size(&b),
	};
}

static void ask_for_ranges(uint64_t pages, uint64_t every)
{
	ranges_in = empty_process((ENTRIES * pages + 400) * NATIVE_PAGE);
	begin();
	poll(every);
	for (unsigned i = 0; i < ENTRIES; i++)
		*ring_entry(self->ring, self->ring->sq_tail + i) = range(i, pages);
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

static uint32_t completed(void)
{
	const struct ring_cqe *cqe = ring_done(self->ring);
	OK(cqe ? (enum status)cqe->status : STATUS_NOT_FOUND);
	return cqe ? cqe->caps[0] : 0;
}

/* We call ourselves; one answer, which brings the address space, makes as many calls ready
 * as wait for it. They do not pause, but each has its own exit. */
static void ranges_chained_to_one_answer(void)
{
	enum { CHAINED = ENTRIES - 2, LONG = 2048 };
	static uint64_t inbox[8], answer[8], brings[] = { 1ul << 48, 3 };
	uint64_t before = left(own);
	uint32_t endpoint = made(own, LEDGER_ID, LEDGER_ENDPOINT);
	uint32_t facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	ranges_in = empty_process((CHAINED * LONG + 400) * NATIVE_PAGE);
	*ring_next(self->ring) = (struct ring_sqe){
		.op = RING_RECV, .cap = endpoint, .results = (uintptr_t)inbox, .results_size = sizeof inbox,
	};
	ring_push(self->ring);
	*ring_next(self->ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = facet, .interface = INTERFACE,
		.results = (uintptr_t)answer, .results_size = sizeof answer,
	};
	ring_push(self->ring);
	for (unsigned i = 0; i < CHAINED; i++) {
		struct ring_sqe *e = ring_next(self->ring);
		*e = range(i, LONG);
		e->chained = 1;
		e->cap = RING_CHAIN(1 + i, 0);
		ring_push(self->ring);
	}
	OK(ring_run(self->ring, 1));
	(void)completed();
	begin();
	*ring_next(self->ring) = (struct ring_sqe){
		.op = RING_RETURN, .token = inbox[0], .params = (uintptr_t)brings,
		.params_size = sizeof brings, .caps_count = 1, .caps = { ranges_in.space },
	};
	ring_push(self->ring);
	OK(ring_run(self->ring, CHAINED + 2));
	for (unsigned i = 0; i < CHAINED + 2; i++) {
		uint32_t came = completed();
		if (came != 0)
			release(came);
	}
	finish("long ranges that wait for one answer", 2 * LONG * 300); /* one on each side of the interrupt */
	forget(&ranges_in);
	release(facet);
	release(endpoint);
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
		ranges_chained_to_one_answer, tables_without_entries, tables_far_between,
		others_garbage_is_left_behind,
	};
	start_held(given, "held_sums", 1000);
	look_on();
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
		steps[i]();
	check_end(&check);
}
