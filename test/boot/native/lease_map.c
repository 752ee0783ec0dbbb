/* lease_map.c: mappings made through leases. Revoking takes away what still shows
 * the object, wherever it was mapped and whoever shared it on, while another CPU
 * uses it if there is one; and nothing else. Every step runs twice, and must give
 * back every page. */
#include "test/boot/native/memory_space.h"
#include "test/boot/native/revoker.h"

enum {
	SPACE_MAPPINGS = 63, REVOKER_MAPPINGS = 1024, REVOKER_PAGES = 65536,
	SPACES = REVOKER_MAPPINGS / SPACE_MAPPINGS + 1,
	BIG = 2048, /* pages */
};

static void revoke_unmaps(void)
{
	uint32_t revoker = revoker_new(), object = allocate(4);
	uint32_t lease = lease_of(revoker, object);
	OK(map(lease, 0, AT, 4, RW));
	for (unsigned i = 0; i < 4; i++)
		WORD(PAGE(i)) = i + 1;
	CHECK(&check, word(object, 3) == 4);
	OK(protect(PAGE(1), 1, ACCESS_READ));
	OK(protect(PAGE(2), 1, 0));
	revoke(revoker);
	for (unsigned i = 0; i < 4; i++)
		CHECK(&check, access_at(PAGE(i)) == NOT_MAPPED && !readable(PAGE(i)));
	REFUSED(GONE, map(lease, 0, AT, 4, RW));
	CHECK(&check, access_at(AT) == NOT_MAPPED && word(object, 0) == 1);
	OK(map(object, 0, AT, 4, RW)); /* the object itself is as it was */
	CHECK(&check, WORD(PAGE(3)) == 4);
	revoke(revoker);
	WORD(AT) = 9;
	OK(unmap(AT, 4));
	release(lease);
	release(object);
	release(revoker);
}

static void what_was_mapped_over_it_stays(void)
{
	uint32_t revoker = revoker_new(), over = revoker_new();
	uint32_t object = allocate(6), mine = allocate(1);
	uint32_t lease = lease_of(revoker, object), second = lease_of(over, object);
	OK(map(lease, 0, AT, 6, RW));
	OK(map(mine, 0, PAGE(1), 1, RW));
	OK(unmap(PAGE(2), 2));
	OK(fresh(PAGE(2), 1, RW));
	OK(map(second, 4, PAGE(4), 1, RW));
	WORD(PAGE(1)) = 1, WORD(PAGE(2)) = 2, WORD(PAGE(4)) = 4;
	revoke(revoker);
	CHECK(&check, access_at(PAGE(0)) == NOT_MAPPED && access_at(PAGE(5)) == NOT_MAPPED);
	CHECK(&check, access_at(PAGE(3)) == NOT_MAPPED);
	CHECK(&check, WORD(PAGE(1)) == 1 && WORD(PAGE(2)) == 2 && WORD(PAGE(4)) == 4);
	revoke(over);
	CHECK(&check, access_at(PAGE(4)) == NOT_MAPPED && access_at(PAGE(1)) == RW);
	OK(unmap(AT, 6));
	release(lease), release(second), release(mine), release(object);
	release(revoker), release(over);
}

static void copies_already_made_stay(void)
{
	uint32_t revoker = revoker_new(), object = allocate(3);
	uint32_t lease = lease_of(revoker, object);
	put(object, 0, 5), put(object, 1, 6), put(object, 2, 7);
	OK(map(lease, 0, AT, 3, RW | ACCESS_PRIVATE));
	OK(resolve(AT));
	WORD(AT) = 8;
	CHECK(&check, WORD(PAGE(1)) == 6);
	revoke(revoker);
	CHECK(&check, WORD(AT) == 8 && word(object, 0) == 5);
	CHECK(&check, access_at(PAGE(1)) == NOT_MAPPED && access_at(PAGE(2)) == NOT_MAPPED);
	OK(unmap(AT, 3));
	release(lease), release(object), release(revoker);
}

/* A private page whose frame is nobody else's any more is copied all the same:
 * its owner has paid for it. */
static void a_page_left_alone_is_copied_too(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1), child = 0;
	uint32_t lease = lease_of(revoker, object);
	put(object, 0, 1);
	OK(map(lease, 0, AT, 1, RW | ACCESS_PRIVATE));
	OK(native_child(self, object, 0, 1, &child));
	put(object, 0, 2); /* the object has moved on */
	release(child);
	CHECK(&check, WORD(AT) == 1);
	OK(resolve(AT));
	WORD(AT) = 3;
	revoke(revoker);
	CHECK(&check, WORD(AT) == 3 && word(object, 0) == 2);
	OK(unmap(AT, 1));
	release(lease), release(object), release(revoker);
}

static void an_old_frame_is_unmapped_as_well(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1), child = 0;
	uint32_t lease = lease_of(revoker, object);
	put(object, 0, 1);
	OK(map(lease, 0, AT, 1, ACCESS_READ));
	OK(native_child(self, object, 0, 1, &child));
	put(object, 0, 2);
	CHECK(&check, WORD(AT) == 1 && word(object, 0) == 2);
	revoke(revoker);
	CHECK(&check, access_at(AT) == NOT_MAPPED && word(child, 0) == 1);
	release(child), release(lease), release(object), release(revoker);
}

static void either_link_of_a_chain_unmaps(void)
{
	for (unsigned cut = 0; cut < 3; cut++) {
		uint32_t revokers[2] = { revoker_new(), revoker_new() };
		uint32_t object = allocate(1), inner = lease_of(revokers[0], object);
		uint32_t outer = lease_of(cut == 2 ? revokers[0] : revokers[1], inner);
		OK(map(outer, 0, AT, 1, RW));
		WORD(AT) = 1;
		release(outer); /* the mapping does not need it */
		revoke(revokers[cut % 2]);
		CHECK(&check, access_at(AT) == NOT_MAPPED);
		revoke(revokers[(cut + 1) % 2]);
		release(inner), release(object);
		release(revokers[0]), release(revokers[1]);
	}
}

static void a_revoker_that_goes_unmaps(void)
{
	uint32_t revoker = revoker_new(), object = allocate(2), facet = 0;
	uint32_t lease = lease_of(revoker, object);
	OK(native_read_only(self, lease, &facet));
	OK(map(facet, 0, AT, 2, ACCESS_READ));
	REFUSED(DENIED, map(facet, 0, PAGE(2), 1, RW));
	OK(protect(AT, 2, RW));
	CHECK(&check, access_at(AT) == ACCESS_READ);
	release(lease), release(facet);
	release(revoker);
	CHECK(&check, access_at(AT) == NOT_MAPPED && access_at(PAGE(1)) == NOT_MAPPED);
	release(object);
}

/* -- another process --------------------------------------------------------- */

/* One page of text: writes there until it cannot, and says that it does. */
__attribute__((noinline, aligned(256))) static void keep_writing(uint64_t argument)
{
	for (;;) {
		WORD(AT) = ++argument;
		CONTROL->value = argument;
	}
}

static void a_user_on_another_cpu_faults(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1);
	uint32_t lease = lease_of(revoker, object);
	struct native_call call;
	spawn_at((uintptr_t)keep_writing);
	OK(native_share(self, other.space, here,
	                (uintptr_t)keep_writing & ~(uintptr_t)(NATIVE_PAGE - 1), 1));
	OK(native_fresh(self, other.space, STACK_TOP - NATIVE_PAGE, 1, RW));
	OK(native_map(self, other.space, control, 0, CONTROL, 1, RW));
	OK(native_map(self, other.space, lease, 0, (void *)AT, 1, RW));
	CONTROL->value = 0;
	native_call(&call, self, other.thread, THREAD_ID, THREAD_START);
	OK(native_send(&call));
	for (unsigned i = 0; CONTROL->value < 1000 && i < PATIENCE; i++)
		nap(NAP);
	CHECK(&check, CONTROL->value >= 1000);
	revoke(revoker);
	uint64_t last = word(object, 0);
	for (unsigned i = 0; i < 3; i++)
		nap(NAP);
	CHECK(&check, word(object, 0) == last); /* not one write came after */
	CONTROL->turn = 1, CONTROL->done = 0;
	other_faulted(AT);
	release(lease), release(object), release(revoker);
}

static void what_was_shared_on_is_unmapped_there_too(void)
{
	uint32_t revoker = revoker_new(), object = allocate(3);
	uint32_t lease = lease_of(revoker, object);
	run_other();
	OK(map(lease, 0, AT, 2, RW));
	OK(map(lease, 2, PAGE(2), 1, RW | ACCESS_PRIVATE));
	OK(fresh(PAGE(3), 1, RW));
	OK(native_share(self, other.space, here, AT, 4));
	put_there(AT, 1), put_there(PAGE(1), 2);
	CHECK(&check, WORD(PAGE(1)) == 2 && there(PAGE(2)) == 0);
	OK(unmap(AT, 3)); /* here it is gone already */
	OK(native_resolve(self, other.space, PAGE(2)));
	put_there(PAGE(2), 3);
	revoke(revoker);
	CHECK(&check, access_in(other.space, AT) == NOT_MAPPED);
	CHECK(&check, access_in(other.space, PAGE(1)) == NOT_MAPPED);
	CHECK(&check, there(PAGE(2)) == 3);
	CHECK(&check, access_in(other.space, PAGE(3)) == (ACCESS_READ | ACCESS_PRIVATE));
	order(PAGE(1), true, 4);
	other_faulted(PAGE(1));
	CHECK(&check, word(object, 1) == 2);
	OK(unmap(PAGE(3), 1));
	release(lease), release(object), release(revoker);
}

/* Else what it shows would be kept when the lease is gone. Into it is another matter: that
 * stays with the space. */
static void a_leased_space_is_no_source(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1), lease;
	spawn();
	lease = lease_of(revoker, other.space);
	OK(native_map(self, lease, object, 0, (void *)AT, 1, RW));
	REFUSED(DENIED, native_share(self, here, lease, AT, 1));
	CHECK(&check, access_at(AT) == NOT_MAPPED);
	revoke(revoker);
	REFUSED(GONE, native_share(self, here, lease, AT, 1));
	OK(native_share(self, here, other.space, AT, 1));
	OK(unmap(AT, 1));
	release(lease), release(object), release(revoker);
	release_other();
}

/* One record of what is shown, however many pages. */
static void much_is_shared_on_at_once(void)
{
	enum { MUCH = 8192 };
	uint32_t revoker = revoker_new(), object = allocate(MUCH), lease = lease_of(revoker, object);
	spawn();
	OK(map(lease, 0, AT, MUCH, RW));
	OK(native_share(self, other.space, here, AT, MUCH));
	revoke(revoker);
	CHECK(&check, access_at(AT) == NOT_MAPPED);
	CHECK(&check, access_at(AT + (MUCH - 1ul) * NATIVE_PAGE) == NOT_MAPPED);
	release(lease), release(object), release(revoker);
	release_other();
}

static void a_space_that_ends_takes_its_records_along(void)
{
	uint32_t revoker = revoker_new(), object = allocate(2);
	uint32_t lease = lease_of(revoker, object);
	for (unsigned i = 0; i < 3; i++) {
		spawn();
		OK(native_map(self, other.space, lease, 0, (void *)AT, 2, RW));
		OK(native_map(self, other.space, lease, 0, (void *)PAGE(1), 2, RW));
		if (i == 1)
			revoke(revoker);
		if (i == 1)
			release(lease), lease = lease_of(revoker, object);
		release_other();
	}
	revoke(revoker);
	release(lease), release(object), release(revoker);
}

/* -- limits --------------------------------------------------------------------- */

static void a_space_has_so_many(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1);
	uint32_t lease = lease_of(revoker, object);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < SPACE_MAPPINGS; i++)
			OK(map(lease, 0, PAGE(i), 1, RW));
		REFUSED(NO_SLOT, map(lease, 0, PAGE(SPACE_MAPPINGS), 1, RW));
		CHECK(&check, access_at(PAGE(SPACE_MAPPINGS)) == NOT_MAPPED);
		OK(unmap(PAGE(5), 1)); /* a record goes with its last page */
		OK(map(lease, 0, PAGE(SPACE_MAPPINGS), 1, RW));
		if (round == 1)
			OK(unmap(AT, SPACE_MAPPINGS + 1));
		else
			revoke(revoker);
		CHECK(&check, access_at(PAGE(6)) == NOT_MAPPED);
		release(lease);
		lease = lease_of(revoker, object);
	}
	/* One replaced again and again is one. */
	for (unsigned i = 0; i < 4 * SPACE_MAPPINGS; i++)
		OK(map(lease, 0, AT, 1, RW));
	revoke(revoker);
	CHECK(&check, access_at(AT) == NOT_MAPPED);
	release(lease), release(object), release(revoker);
}

static void a_revoker_has_so_many_pages(void)
{
	uint32_t revoker = revoker_new(), object = allocate(BIG);
	uint32_t lease = lease_of(revoker, object);
	for (unsigned i = 0; i < REVOKER_PAGES / BIG; i++)
		OK(map(lease, 0, FAR_AT + i * (uintptr_t)BIG * NATIVE_PAGE, BIG, ACCESS_READ));
	REFUSED(NO_SLOT, map(lease, 0, AT, 1, ACCESS_READ));
	OK(unmap(FAR_AT, BIG));
	OK(map(lease, 0, AT, 1, ACCESS_READ));
	revoke(revoker);
	CHECK(&check, access_at(AT) == NOT_MAPPED);
	CHECK(&check, access_at(FAR_AT + (REVOKER_PAGES - 1) * (uintptr_t)NATIVE_PAGE) == NOT_MAPPED);
	release(lease), release(object), release(revoker);
}

static void a_revoker_has_so_many_mappings(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1);
	uint32_t lease = lease_of(revoker, object);
	unsigned made = 0;
	uint32_t libos = 0, caps[SPACES][3];
	OK(load_with("spaces", 0, SPACES * 32, &libos));
	for (unsigned i = 0; i < SPACES; i++) {
		struct native_call call;
		native_call(&call, self, libos, LIBOS_ID, LIBOS_SPAWN);
		thread_start_set_entry(libos_spawn_params_init_start(
		                               libos_spawn_params_build(&call.params)), AT);
		OK(native_send(&call));
		for (unsigned c = 0; c < 3; c++)
			caps[i][c] = call.caps[c];
		enum status status = STATUS_OK;
		for (unsigned n = 0; n < SPACE_MAPPINGS && status == STATUS_OK; n++) {
			status = native_map(self, caps[i][1], lease, 0, (void *)PAGE(n), 1, RW);
			made += status == STATUS_OK;
		}
		CHECK_STATUS(&check, i < SPACES - 1 ? STATUS_OK : STATUS_NO_SLOT, status);
	}
	CHECK(&check, made == REVOKER_MAPPINGS);
	revoke(revoker);
	for (unsigned i = 0; i < SPACES; i++)
		CHECK(&check, access_in(caps[i][1], AT) == NOT_MAPPED);
	for (unsigned i = 0; i < SPACES; i++)
		for (unsigned c = 0; c < 3; c++)
			release(caps[i][c]);
	release(libos);
	release(lease), release(object), release(revoker);
}

/* A map or a share that runs out of memory on the way leaves a record of what it
 * did show, or none. */
static void a_space_that_cannot_pay(void)
{
	uint32_t revoker = revoker_new(), object = allocate(2);
	uint32_t lease = lease_of(revoker, object);
	uint64_t page = 1;
	uintptr_t edge = AT + 511 * (uintptr_t)NATIVE_PAGE; /* the next page has another table */
	spawn();
	OK(native_map(self, other.space, lease, 0, (void *)AT, 1, RW));
	while (native_fresh(self, other.space, PAGE(page), 1, RW) == STATUS_OK)
		page++;
	CHECK(&check, page > 2 && page < 511);
	REFUSED(NO_MEMORY, native_map(self, other.space, lease, 0, (void *)edge, 2, RW));
	OK(map(lease, 0, edge, 2, RW));
	REFUSED(NO_MEMORY, native_share(self, other.space, here, edge, 2));
	revoke(revoker);
	CHECK(&check, access_in(other.space, AT) == NOT_MAPPED);
	CHECK(&check, access_in(other.space, edge) == NOT_MAPPED);
	CHECK(&check, access_at(edge) == NOT_MAPPED);
	release_other();
	release(lease), release(object), release(revoker);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		revoke_unmaps, what_was_mapped_over_it_stays, copies_already_made_stay,
		a_page_left_alone_is_copied_too, an_old_frame_is_unmapped_as_well,
		either_link_of_a_chain_unmaps, a_revoker_that_goes_unmaps,
		a_user_on_another_cpu_faults, what_was_shared_on_is_unmapped_there_too,
		a_leased_space_is_no_source, much_is_shared_on_at_once,
		a_space_that_ends_takes_its_records_along, a_space_has_so_many,
		a_revoker_has_so_many_pages, a_revoker_has_so_many_mappings,
		a_space_that_cannot_pay,
	};
	start_with_control(given, "lease_map");
	run(steps, sizeof steps / sizeof steps[0]);
}
