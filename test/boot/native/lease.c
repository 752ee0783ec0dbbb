/* lease.c: what Revoker promises of calls through leases: they do what the object
 * does until they are revoked, however they were passed on, and nothing that came
 * of them does anything after that. Every step runs twice, and must give back
 * every page. (Mappings made through leases: lease_map.) */
#include "test/boot/native/ledger.h"
#include "test/boot/native/memory_space.h"
#include "test/boot/native/revoker.h"

enum { DEPTH = 8, MANY = 200 };

static void a_lease_does_what_the_object_does(void)
{
	uint32_t revoker = revoker_new(), object = allocate(3);
	uint32_t lease = lease_of(revoker, object);
	uint64_t pages = 0;
	put(lease, 1, 5);
	CHECK(&check, word(object, 1) == 5);
	put(object, 1, 6);
	CHECK(&check, word(lease, 1) == 6);
	OK(native_size(self, lease, MEMORY_OBJECT_ID, &pages));
	CHECK(&check, pages == 3);
	REFUSED(NO_METHOD, native_size(self, lease, READ_ONLY_MEMORY_ID, &pages));
	REFUSED(NO_METHOD, native_size(self, lease, REVOKER_ID, &pages));
	REFUSED(INVALID, native_put(self, lease, MEMORY_OBJECT_ID, 3 * NATIVE_PAGE, &pages, 1));
	release(lease);
	CHECK(&check, word(object, 1) == 6);
	release(object);
	release(revoker);
}

static void revoking_kills_every_lease_and_no_later_one(void)
{
	uint32_t revoker = revoker_new(), other_revoker = revoker_new();
	uint32_t object = allocate(1);
	uint32_t a = lease_of(revoker, object), b = lease_of(revoker, object);
	uint32_t c = lease_of(other_revoker, object);
	revoke(revoker);
	REFUSED(GONE, alive(a));
	REFUSED(GONE, alive(b));
	OK(alive(c));
	OK(alive(object));
	uint32_t d = lease_of(revoker, object);
	OK(alive(d));
	REFUSED(GONE, alive(a));
	revoke(revoker);
	revoke(revoker);
	REFUSED(GONE, alive(d));
	OK(alive(c));
	uint32_t all[] = { a, b, c, d, object, revoker, other_revoker };
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		release(all[i]);
	REFUSED(NO_CAP, alive(a)); /* nothing stands there any more */
}

/* Each link made by a revoker of its own. */
static void a_chain_is_as_long_as_its_weakest_link(void)
{
	uint32_t object = allocate(1);
	for (unsigned cut = 0; cut < DEPTH; cut++) {
		uint32_t revokers[DEPTH], leases[DEPTH], refused = 0;
		for (unsigned i = 0; i < DEPTH; i++) {
			revokers[i] = revoker_new();
			leases[i] = lease_of(revokers[i], i == 0 ? object : leases[i - 1]);
		}
		REFUSED(INVALID, native_lease(self, revokers[0], leases[DEPTH - 1], &refused));
		put(leases[DEPTH - 1], 0, cut + 1);
		CHECK(&check, word(object, 0) == cut + 1);
		revoke(revokers[cut]);
		for (unsigned i = 0; i < DEPTH; i++)
			CHECK_STATUS(&check, i < cut ? STATUS_OK : STATUS_GONE, alive(leases[i]));
		REFUSED(GONE, native_lease(self, revokers[cut], leases[DEPTH - 1], &refused));
		for (unsigned i = 0; i < DEPTH; i++) { /* the inner ones first or last */
			release(leases[cut % 2 ? i : DEPTH - 1 - i]);
			release(revokers[i]);
		}
	}
	OK(alive(object));
	release(object);
}

static void leases_end_with_their_revoker(void)
{
	uint32_t revoker = revoker_new(), object = allocate(64);
	uint32_t lease = lease_of(revoker, object);
	release(object);
	OK(alive(lease)); /* it keeps its target */
	release(revoker);
	REFUSED(GONE, alive(lease));
	release(lease);
}

/* Whoever keeps a dead lease keeps nothing alive by it. */
static void a_dead_lease_holds_no_memory(void)
{
	uint32_t revoker = revoker_new();
	uint64_t before = available();
	uint32_t object = allocate(64);
	uint32_t lease = lease_of(revoker, object);
	uint32_t over = revoker_new();
	uint32_t second = lease_of(over, lease);
	release(object);
	CHECK(&check, before - available() >= 64);
	revoke(revoker);
	CHECK(&check, before - available() < 2);
	REFUSED(GONE, alive(second));
	release(second);
	release(lease);
	release(over);
	release(revoker);
}

/* More than one exit from the kernel lets go of; each its own object. */
static void many_targets_are_let_go_in_turn(void)
{
	static uint32_t leases[MANY];
	uint32_t revoker = revoker_new();
	uint64_t before = available();
	for (unsigned i = 0; i < MANY; i++) {
		uint32_t object = allocate(2);
		leases[i] = lease_of(revoker, object);
		release(object);
	}
	CHECK(&check, before - available() >= 2 * MANY);
	revoke(revoker);
	for (unsigned i = MANY; i-- > 0;) /* all at once, whichever is let go first */
		REFUSED(GONE, alive(leases[i]));
	CHECK(&check, before - available() < MANY / 8);
	for (unsigned i = 0; i < MANY; i++)
		release(leases[i]);
	release(revoker);
}

/* A ledger with room for one object of so many pages, and one there. */
enum { LENT = 32 };

static uint32_t lend(uint32_t *purse, uint32_t *shop)
{
	uint32_t object = 0;
	OK(ledger_child(native_find(self, "ledger"), (LENT + 8) * NATIVE_PAGE, purse));
	OK(ledger_make(*purse, LEDGER_MEMORY, shop));
	OK(native_allocate(self, *shop, LENT, &object));
	return object;
}

/* At once, however many leases of it there were. */
static void what_was_lent_can_be_spent_again(void)
{
	static uint32_t leases[MANY];
	uint32_t purse, shop, again = 0, object = lend(&purse, &shop), revoker = revoker_new();
	for (unsigned i = 0; i < MANY; i++)
		leases[i] = lease_of(revoker, object);
	release(object);
	REFUSED(NO_MEMORY, native_allocate(self, shop, LENT, &again));
	revoke(revoker);
	OK(native_allocate(self, shop, LENT, &again));
	release(again);
	for (unsigned i = 0; i < MANY; i++)
		release(leases[i]);
	release(revoker);
	release(shop);
	release(purse);
}

static void others_dead_leases_are_in_nobodys_way(void)
{
	static uint32_t leases[MANY];
	uint32_t purse, shop, object = lend(&purse, &shop), other = allocate(1);
	uint32_t revoker = revoker_new(), others = revoker_new(), lease = lease_of(revoker, object);
	for (unsigned i = 0; i < MANY; i++)
		leases[i] = lease_of(others, other);
	release(object);
	CHECK(&check, account_of(purse).used > LENT * NATIVE_PAGE);
	revoke(others);
	revoke(revoker);
	CHECK(&check, account_of(purse).used < LENT * NATIVE_PAGE);
	for (unsigned i = 0; i < MANY; i++)
		release(leases[i]);
	uint32_t all[] = { lease, others, revoker, other, shop, purse };
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		release(all[i]);
}

static void released_while_it_waits_to_be_let_go(void)
{
	static uint32_t leases[MANY];
	uint32_t revoker = revoker_new(), object = allocate(1);
	for (unsigned i = 0; i < MANY; i++)
		leases[i] = lease_of(revoker, object);
	release(object);
	release(revoker);
	for (unsigned i = MANY; i-- > 0;)
		release(leases[i]);
}

static void what_a_lease_answers_is_leased(void)
{
	uint32_t revoker = revoker_new(), object = allocate(4);
	uint32_t lease = lease_of(revoker, object), child = 0, facet = 0, pool_lease, more = 0;
	uint64_t pages;
	put(object, 1, 7);
	OK(native_child(self, lease, 0, 4, &child));
	OK(native_read_only(self, lease, &facet));
	pool_lease = lease_of(revoker, pool);
	OK(native_allocate(self, pool_lease, 2, &more));
	CHECK(&check, word(child, 1) == 7);
	put(child, 1, 8);
	CHECK(&check, word(object, 1) == 7);
	OK(native_size(self, facet, READ_ONLY_MEMORY_ID, &pages));
	put(more, 0, 1);
	revoke(revoker);
	REFUSED(GONE, alive(child));
	REFUSED(GONE, native_size(self, facet, READ_ONLY_MEMORY_ID, &pages));
	REFUSED(GONE, alive(more));
	REFUSED(GONE, native_allocate(self, pool_lease, 1, &more));
	OK(alive(object));
	uint32_t all[] = { lease, child, facet, pool_lease, more, object, revoker };
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		release(all[i]);
}

/* Through a lease of a lease: dead when either is. */
static void what_a_chain_answers_is_leased_by_all_of_it(void)
{
	for (unsigned cut = 0; cut < 2; cut++) {
		uint32_t revokers[2] = { revoker_new(), revoker_new() };
		uint32_t object = allocate(2), facet = 0;
		uint32_t inner = lease_of(revokers[0], object);
		uint32_t outer = lease_of(revokers[1], inner);
		uint64_t pages;
		OK(native_read_only(self, outer, &facet));
		OK(native_size(self, facet, READ_ONLY_MEMORY_ID, &pages));
		revoke(revokers[cut]);
		REFUSED(GONE, native_size(self, facet, READ_ONLY_MEMORY_ID, &pages));
		uint32_t all[] = { facet, outer, inner, object, revokers[0], revokers[1] };
		for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
			release(all[i]);
	}
}

static void a_revoker_may_be_leased_but_not_by_itself(void)
{
	uint32_t revoker = revoker_new(), over = revoker_new(), refused = 0;
	uint32_t object = allocate(1);
	REFUSED(INVALID, native_lease(self, revoker, revoker, &refused));
	uint32_t lease = lease_of(over, revoker);
	REFUSED(INVALID, native_lease(self, revoker, lease, &refused));
	uint32_t leased = lease_of(lease, object); /* by `revoker`, and then by `over` */
	OK(alive(leased));
	revoke(lease);
	REFUSED(GONE, alive(leased));
	release(leased);
	leased = lease_of(lease, object);
	revoke(over);
	REFUSED(GONE, alive(leased));
	REFUSED(GONE, native_revoke(self, lease));
	release(leased);
	release(lease);
	/* Leases through leases of a revoker nest too. */
	uint32_t chain[DEPTH], at = revoker;
	for (unsigned i = 0; i < DEPTH - 1; i++)
		at = chain[i] = lease_of(over, at);
	leased = lease_of(at, object);
	OK(alive(leased));
	REFUSED(INVALID, native_lease(self, over, leased, &refused));
	chain[DEPTH - 1] = lease_of(over, at);
	REFUSED(INVALID, native_lease(self, chain[DEPTH - 1], object, &refused));
	for (unsigned i = 0; i < DEPTH; i++)
		release(chain[i]);
	release(leased);
	release(object);
	release(over);
	release(revoker);
}

static enum status grant(uint32_t libos, const char *name, uint32_t object)
{
	struct native_call call;
	native_call(&call, self, libos, LIBOS_ID, LIBOS_GRANT);
	struct libos_grant_params_builder params = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(params, capnp_text_from(name));
	libos_grant_params_set_object(params, native_attach(&call, object));
	return native_send(&call);
}

/* The libOS keeps its capability; what it named is gone from it all the same. */
static void a_granted_lease_is_a_lease(void)
{
	uint32_t revoker = revoker_new(), libos = 0;
	uint32_t object = allocate(64), lease = lease_of(revoker, object);
	OK(load("holder", 0, &libos));
	OK(grant(libos, "leased", lease));
	release(lease);
	release(object);
	uint64_t before = available();
	revoke(revoker);
	CHECK(&check, available() - before >= 64);
	object = allocate(1);
	lease = lease_of(revoker, object);
	revoke(revoker);
	REFUSED(GONE, grant(libos, "dead", lease));
	release(lease);
	release(object);
	release(revoker);
	/* An empty libOS ends with its first process. */
	struct native_call call;
	native_call(&call, self, libos, LIBOS_ID, LIBOS_SPAWN);
	struct thread_start_builder start =
	        libos_spawn_params_init_start(libos_spawn_params_build(&call.params));
	thread_start_set_entry(start, 0x400000);
	OK(native_send(&call));
	for (unsigned i = 0; i < RING_CAPS; i++)
		if (call.caps[i])
			release(call.caps[i]);
	release(libos);
}

static void arguments(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1), lease = 0, dead;
	REFUSED(NO_CAP, native_lease(self, revoker, 0, &lease));
	REFUSED(NO_CAP, native_lease(self, revoker, 0xfffff, &lease));
	struct native_call call;
	native_call(&call, self, revoker, REVOKER_ID, REVOKER_LEASE);
	revoker_lease_params_set_object(revoker_lease_params_build(&call.params), 3);
	REFUSED(NO_CAP, native_send(&call)); /* an index past what travels */
	native_call(&call, self, revoker, REVOKER_ID, 2);
	REFUSED(NO_METHOD, native_send(&call));
	native_call(&call, self, revoker, LEDGER_ID, REVOKER_REVOKE);
	REFUSED(NO_METHOD, native_send(&call));
	dead = lease_of(revoker, object);
	revoke(revoker);
	/* A dead one is refused as an argument whatever the method makes of it. */
	REFUSED(GONE, native_lease(self, revoker, dead, &lease));
	REFUSED(GONE, map(dead, 0, AT, 1, RW));
	native_call(&call, self, pool, MEMORY_POOL_ID, MEMORY_POOL_AVAILABLE);
	(void)native_attach(&call, dead);
	REFUSED(GONE, native_send(&call));
	release(dead);
	release(object);
	release(revoker);
}

/* The same, all that goes along being moved. */
static enum status lease_moved(uint32_t revoker, uint32_t object, uint32_t beside, uint32_t *lease)
{
	struct ring *ring = self->ring;
	const struct ring_cqe *cqe;
	struct capnp_builder b;
	capnp_builder_start(&b, ring->area, 256);
	revoker_lease_params_set_object(revoker_lease_params_build(&b), 0);
	*ring_next(ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = revoker, .interface = REVOKER_ID, .method = REVOKER_LEASE,
		.params = (uintptr_t)ring->area, .params_size = (uint32_t)capnp_builder_size(&b),
		.results = (uintptr_t)ring->area + 256, .results_size = 256,
		.caps_count = beside ? 2 : 1, .caps_move = beside ? 3 : 1, .caps = { object, beside },
	};
	ring_push(ring);
	OK(ring_enter(1, RING_FOREVER));
	cqe = ring_done(ring);
	*lease = cqe->caps[0];
	return (enum status)cqe->status;
}

/* What an object of the exokernel accepts is its own; what it refuses, or is refused
 * before it is asked, is where it was. */
static void what_is_moved_stays_if_it_is_refused(void)
{
	uint32_t revoker = revoker_new(), other = revoker_new(), object = allocate(1);
	uint32_t dead = lease_of(other, object), lease;
	revoke(other);
	REFUSED(INVALID, lease_moved(revoker, revoker, 0, &lease));
	revoke(revoker);
	REFUSED(GONE, lease_moved(revoker, object, dead, &lease));
	OK(alive(object));
	REFUSED(GONE, alive(dead));
	OK(lease_moved(revoker, object, 0, &lease));
	OK(alive(lease));
	REFUSED(NO_CAP, alive(object));
	REFUSED(NO_CAP, ring_release(self->ring, object));
	uint32_t all[] = { lease, dead, revoker, other };
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		release(all[i]);
}

/* A ledger that can pay for some, and then for none. */
static void what_cannot_be_paid_is_refused(void)
{
	enum { MOST = 512 };
	static uint32_t revokers[MOST];
	struct native_call call;
	uint32_t small, count = 0;
	enum status status = STATUS_OK;
	native_call(&call, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_CHILD);
	ledger_child_params_set_bytes(ledger_child_params_build(&call.params), 4 * NATIVE_PAGE);
	OK(native_send(&call));
	small = call.caps[0];
	while (count < MOST && (status = native_revoker(self, small, &revokers[count])) == STATUS_OK)
		count++;
	CHECK(&check, status == STATUS_NO_MEMORY && count > 0);
	uint32_t object = allocate(1), lease = lease_of(revokers[0], object);
	release(small); /* closed; the revokers that it paid for are still good */
	OK(alive(lease));
	revoke(revokers[0]);
	REFUSED(GONE, alive(lease));
	release(lease);
	while (count > 0)
		release(revokers[--count]);
	release(object);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_lease_does_what_the_object_does, revoking_kills_every_lease_and_no_later_one,
		a_chain_is_as_long_as_its_weakest_link, leases_end_with_their_revoker,
		a_dead_lease_holds_no_memory, many_targets_are_let_go_in_turn,
		what_was_lent_can_be_spent_again, others_dead_leases_are_in_nobodys_way,
		released_while_it_waits_to_be_let_go, what_a_lease_answers_is_leased,
		what_a_chain_answers_is_leased_by_all_of_it,
		a_revoker_may_be_leased_but_not_by_itself, a_granted_lease_is_a_lease, arguments,
		what_is_moved_stays_if_it_is_refused,
		what_cannot_be_paid_is_refused,
	};
	start_with_control(given, "lease");
	run(steps, sizeof steps / sizeof steps[0]);
}
