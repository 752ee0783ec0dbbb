/* memory_share.c: what AddressSpace promises between two processes, whose threads
 * both go on running: hidden pages, shared and copied ones, and a space whose
 * ledger runs out. Every block runs twice, and must give back every page. */
#include "test/boot/native/memory_space.h"

#include "core/frames.h"

static void a_hidden_page_is_kept(void)
{
	run_other();
	OK(fresh(AT, 1, RW));
	WORD(AT) = 9;
	OK(protect(AT, 1, 0));
	CHECK(&check, access_at(AT) == 0 && !readable(AT) && !writable(AT));
	OK(fresh(AT, 1, RW)); /* it is there */
	CHECK(&check, access_at(AT) == 0);
	OK(protect(AT, 1, RW));
	CHECK(&check, WORD(AT) == 9 && access_at(AT) == RW);
	OK(native_fresh(self, other.space, AT, 1, RW));
	put_there(AT, 8);
	OK(native_protect(self, other.space, AT, 1, 0));
	OK(native_protect(self, other.space, AT, 1, ACCESS_READ));
	CHECK(&check, there(AT) == 8);
	OK(native_protect(self, other.space, AT, 1, 0));
	order(AT, false, 0);
	other_faulted(AT);
	OK(unmap(AT, 1));
}

/* -- share ----------------------------------------------------------- */

static void private_pages_are_copied_on_write_both_ways(void)
{
	run_other();
	for (unsigned there_first = 0; there_first < 2; there_first++) {
		OK(fresh(AT, 1, RW));
		WORD(AT) = 1;
		uint64_t before = available();
		OK(native_share(self, other.space, here, AT, 1));
		CHECK(&check, access_at(AT) == (ACCESS_READ | ACCESS_PRIVATE));
		CHECK(&check, access_in(other.space, AT) == (ACCESS_READ | ACCESS_PRIVATE));
		CHECK(&check, !writable(AT) && there(AT) == 1 && WORD(AT) == 1);
		/* The first has a copy; what the second then writes is not in it. */
		OK(native_resolve(self, there_first ? other.space : here, AT));
		OK(native_resolve(self, there_first ? here : other.space, AT));
		if (there_first) {
			WORD(AT) = 2;
			CHECK(&check, there(AT) == 1);
			put_there(AT, 3);
		} else {
			put_there(AT, 3);
			CHECK(&check, WORD(AT) == 1);
			WORD(AT) = 2;
		}
		CHECK(&check, WORD(AT) == 2 && there(AT) == 3);
		/* The second has the frame to itself: each holds one, in all. */
		CHECK(&check, before - available() == (there_first ? 0u : 1u));
		/* And back, over the page that is here. */
		OK(native_share(self, here, other.space, AT, 1));
		CHECK(&check, WORD(AT) == 3 && !writable(AT));
		OK(native_unmap(self, other.space, (void *)AT, 1));
		before = available();
		OK(resolve(AT)); /* nobody else has it: no copy */
		CHECK(&check, available() == before && writable(AT) && WORD(AT) == 3);
		OK(resolve(AT));
		OK(unmap(AT, 1));
	}
	kill_other();
}

static void a_write_without_resolve_faults(void)
{
	run_other();
	OK(native_fresh(self, other.space, AT, 1, RW));
	put_there(AT, 1);
	OK(native_share(self, here, other.space, AT, 1)); /* takes the write away there */
	order(AT, true, 2);
	other_faulted(AT);
	CHECK(&check, WORD(AT) == 1);
	OK(resolve(AT));
	WORD(AT) = 3;
	OK(unmap(AT, 1));
}

static void shared_pages_stay_shared(void)
{
	uint32_t object = allocate(2), facet = 0;
	run_other();
	OK(native_read_only(self, object, &facet));
	OK(map(object, 0, AT, 1, RW));
	OK(map(facet, 1, PAGE(2), 1, ACCESS_READ)); /* and a hole between them */
	WORD(AT) = 1;
	OK(native_fresh(self, other.space, AT, 3, RW));
	put_there(AT, 7), put_there(PAGE(1), 8), put_there(PAGE(2), 9);
	OK(native_share(self, other.space, here, AT, 3));
	CHECK(&check, access_at(AT) == RW && access_in(other.space, AT) == RW);
	CHECK(&check, there(AT) == 1 && there(PAGE(1)) == 8 && there(PAGE(2)) == 0);
	WORD(AT) = 2;
	CHECK(&check, there(AT) == 2);
	put_there(AT, 3);
	CHECK(&check, WORD(AT) == 3 && word(object, 0) == 3);
	OK(native_protect(self, other.space, AT, 3, RW)); /* sealed is sealed there too */
	CHECK(&check, access_in(other.space, PAGE(2)) == ACCESS_READ);
	REFUSED(DENIED, native_resolve(self, other.space, PAGE(2)));
	order(PAGE(2), true, 1);
	other_faulted(PAGE(2));
	OK(unmap(AT, 3));
	release(facet);
	release(object);
}

/* What a review once proved: the old page stayed in the TLB. */
static void a_share_over_a_page_is_seen_at_once(void)
{
	uint32_t object = allocate(1);
	spawn();
	put(object, 0, 2);
	OK(native_map(self, other.space, object, 0, (void *)AT, 1, RW));
	OK(fresh(AT, 1, RW));
	WORD(AT) = 1;
	OK(native_share(self, here, other.space, AT, 1));
	CHECK(&check, WORD(AT) == 2);
	WORD(AT) = 3;
	CHECK(&check, word(object, 0) == 3);
	OK(unmap(AT, 1));
	release_other();
	release(object);
}

/* A frame's writable mappings are counted in 15 bits: one more is refused, by whatever
 * call, until one of them goes. */
static void a_page_has_so_many_writable_mappings(void)
{
	enum { HALF = FRAME_WRITERS_MAX / 2 };
	uint32_t object = allocate(1);
	spawn();
	for (unsigned i = 0; i < HALF && check.failures == 0; i++)
		OK(map(object, 0, FAR_AT + (uint64_t)i * NATIVE_PAGE, 1, RW));
	OK(native_share(self, other.space, here, FAR_AT, HALF));
	OK(map(object, 0, AT, 1, RW));
	REFUSED(NO_SLOT, map(object, 0, PAGE(1), 1, RW));
	REFUSED(NO_SLOT, native_share(self, other.space, here, AT, 1));
	CHECK(&check, access_at(PAGE(1)) == NOT_MAPPED && access_in(other.space, AT) == NOT_MAPPED);
	OK(map(object, 0, PAGE(1), 1, ACCESS_READ));
	OK(protect(PAGE(1), 1, RW));
	CHECK(&check, access_at(PAGE(1)) == ACCESS_READ);
	OK(native_unmap(self, other.space, (void *)FAR_AT, 1));
	OK(native_share(self, other.space, here, AT, 1));
	CHECK(&check, access_in(other.space, AT) == RW);
	REFUSED(NO_SLOT, native_share(self, other.space, here, FAR_AT, 1));
	CHECK(&check, access_in(other.space, FAR_AT) == NOT_MAPPED);
	OK(unmap(FAR_AT, HALF));
	OK(unmap(AT, 2));
	release_other();
	release(object);
}

/* -- a ledger that runs out ------------------------------------------------------ */

/* Fresh pages in the other space until they are refused. */
static uint64_t fill(uint64_t from)
{
	uint64_t page = from;
	enum status status;
	while ((status = native_fresh(self, other.space, PAGE(page), 1, RW)) == STATUS_OK)
		page++;
	CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	return page;
}

static void a_space_that_cannot_pay_loses_nothing(void)
{
	uint32_t object = allocate(1);
	spawn();
	uint64_t before = available(), most = fill(0);
	CHECK(&check, most > LEDGER_PAGES / 2 && most < LEDGER_PAGES);
	for (unsigned round = 0; round < 2; round++) {
		REFUSED(NO_MEMORY, native_fresh(self, other.space, PAGE(0), most + 1, RW));
		OK(native_unmap(self, other.space, (void *)AT, most + 1));
		REFUSED(NO_MEMORY, native_fresh(self, other.space, AT, most + 1, RW));
		OK(native_unmap(self, other.space, (void *)AT, most + 1));
		CHECK(&check, fill(0) == most);
	}
	CHECK(&check, available() == before); /* not one of them is ours */

	/* No table for a mapping or a share; no copy of a page that both have. */
	REFUSED(NO_MEMORY, native_map(self, other.space, object, 0, (void *)FAR_AT, 1, RW));
	CHECK(&check, access_in(other.space, FAR_AT) == NOT_MAPPED);
	OK(fresh(FAR_AT, 1, RW));
	REFUSED(NO_MEMORY, native_share(self, other.space, here, FAR_AT, 1));
	OK(unmap(FAR_AT, 1));
	OK(fresh(PAGE(most), 1, RW));
	WORD(PAGE(most)) = 5;
	OK(native_share(self, other.space, here, PAGE(most), 1));
	REFUSED(NO_MEMORY, native_resolve(self, other.space, PAGE(most)));
	CHECK(&check, access_in(other.space, PAGE(most)) == (ACCESS_READ | ACCESS_PRIVATE));
	OK(native_unmap(self, other.space, (void *)AT, 1));
	OK(native_resolve(self, other.space, PAGE(most)));
	REFUSED(NO_MEMORY, native_fresh(self, other.space, AT, 1, RW));
	OK(resolve(PAGE(most)));
	CHECK(&check, WORD(PAGE(most)) == 5);
	OK(unmap(PAGE(most), 1));
	release_other();
	release(object);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_hidden_page_is_kept, private_pages_are_copied_on_write_both_ways,
		a_write_without_resolve_faults, shared_pages_stay_shared,
		a_share_over_a_page_is_seen_at_once,
		a_page_has_so_many_writable_mappings, a_space_that_cannot_pay_loses_nothing,
	};
	start_with_control(given, "memory_share");
	run(steps, sizeof steps / sizeof steps[0]);
}
