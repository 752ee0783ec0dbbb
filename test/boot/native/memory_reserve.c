/* memory_reserve.c: reserve, unreserve and commit of AddressSpace; and the limits
 * of unmap, protect and share, and what resolve may write to. Every step runs
 * twice, and must give back every page. */
#include "test/boot/native/memory_space.h"

enum {
	RESERVED_MAX = 256, TABLE = 512, CALL_PAGES = 65536,
	SHOWN = 1024, TIMES = CALL_PAGES / SHOWN + 2,
};
#define LOW ((uintptr_t)0x0000010000000000)
#define HIGH ((uintptr_t)0x00007fff00000000)

static enum status reserve(uint32_t space, uint64_t pages, uintptr_t *address)
{
	struct native_call call;
	struct address_space_reserve_results_reader results;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_RESERVE);
	address_space_reserve_params_set_pages(address_space_reserve_params_build(&call.params),
	                                       pages);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = address_space_reserve_results_read(call.results, call.results_size,
		                                            &results);
	if (status == STATUS_OK)
		*address = address_space_reserve_results_get_address(results);
	return status;
}

static enum status unreserve(uint32_t space, uintptr_t address)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_UNRESERVE);
	address_space_unreserve_params_set_address(
		address_space_unreserve_params_build(&call.params), address);
	return native_send(&call);
}

static enum status commit(uint32_t space, uintptr_t address, uint64_t pages, uint32_t access)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_COMMIT);
	struct address_space_commit_params_builder params =
	        address_space_commit_params_build(&call.params);
	address_space_commit_params_set_address(params, address);
	address_space_commit_params_set_pages(params, pages);
	address_space_commit_params_set_access(params, access);
	return native_send(&call);
}

static uintptr_t reserved(uint64_t pages)
{
	uintptr_t address = 0;
	OK(reserve(here, pages, &address));
	CHECK(&check, address >= LOW && address % NATIVE_PAGE == 0 &&
	              pages <= (HIGH - address) / NATIVE_PAGE);
	return address;
}

static bool apart(uintptr_t a, uint64_t a_pages, uintptr_t b, uint64_t b_pages)
{
	return a + a_pages * NATIVE_PAGE <= b || b + b_pages * NATIVE_PAGE <= a;
}

static void ranges_are_apart(void)
{
	uintptr_t a = reserved(10), b = reserved(1), c = reserved(1ull << 30);
	CHECK(&check, apart(a, 10, b, 1) && apart(b, 1, c, 1ull << 30) && apart(a, 10, c, 1ull << 30));
	CHECK(&check, access_at(a) == NOT_MAPPED);
	OK(unreserve(here, b));
	uintptr_t d = reserved(2), e = reserved(1);
	CHECK(&check, apart(d, 2, a, 10) && apart(d, 2, c, 1ull << 30));
	CHECK(&check, e == b); /* the hole is used again */
	OK(unreserve(here, a));
	REFUSED(NOT_FOUND, unreserve(here, a));
	REFUSED(NOT_FOUND, unreserve(here, c + NATIVE_PAGE));
	REFUSED(NOT_FOUND, unreserve(here, 0));
	uintptr_t f = reserved(10);
	CHECK(&check, f == a);
	OK(unreserve(here, f)), OK(unreserve(here, e)), OK(unreserve(here, d));
	OK(unreserve(here, c));
}

static void what_is_mapped_is_passed_over(void)
{
	uintptr_t a = reserved(4);
	OK(unreserve(here, a));
	OK(fresh(a + 2 * NATIVE_PAGE, 1, RW));
	uintptr_t b = reserved(4), c = reserved(2);
	CHECK(&check, apart(b, 4, a + 2 * NATIVE_PAGE, 1) && apart(c, 2, a + 2 * NATIVE_PAGE, 1));
	CHECK(&check, apart(b, 4, c, 2));
	OK(unmap(a + 2 * NATIVE_PAGE, 1));
	OK(unreserve(here, b)), OK(unreserve(here, c));
}

static void commit_is_fresh_inside(void)
{
	uintptr_t a = reserved(4);
	REFUSED(NOT_FOUND, commit(here, AT, 1, RW));
	REFUSED(NOT_FOUND, commit(here, a - NATIVE_PAGE, 1, RW));
	REFUSED(NOT_FOUND, commit(here, a - NATIVE_PAGE, 2, RW));
	REFUSED(NOT_FOUND, commit(here, a + 4 * NATIVE_PAGE, 1, RW));
	REFUSED(NOT_FOUND, commit(here, a + 3 * NATIVE_PAGE, 2, RW));
	REFUSED(NOT_FOUND, commit(here, a, 5, RW));
	REFUSED(INVALID, commit(here, a, 0, RW));
	REFUSED(INVALID, commit(here, a, ~0ull, RW));
	REFUSED(INVALID, commit(here, a + 1, 1, RW));
	REFUSED(INVALID, commit(here, a, 1, 16));
	REFUSED(INVALID, commit(here, a, 1, ACCESS_WRITE));
	CHECK(&check, access_at(a) == NOT_MAPPED);
	OK(commit(here, a + NATIVE_PAGE, 2, RW));
	WORD(a + NATIVE_PAGE) = 5;
	OK(commit(here, a, 4, ACCESS_READ)); /* what is there stays */
	CHECK(&check, WORD(a + NATIVE_PAGE) == 5 && access_at(a + NATIVE_PAGE) == RW);
	CHECK(&check, WORD(a) == 0 && access_at(a) == ACCESS_READ);
	uintptr_t b = reserved(2);
	if (b == a + 4 * NATIVE_PAGE) /* two that touch are not one */
		REFUSED(NOT_FOUND, commit(here, a + 3 * NATIVE_PAGE, 2, RW));
	OK(unreserve(here, b));
	OK(unreserve(here, a));
	CHECK(&check, WORD(a + NATIVE_PAGE) == 5); /* and outlives it */
	REFUSED(NOT_FOUND, commit(here, a, 1, RW));
	OK(unmap(a, 4));
}

static void reserve_refuses(void)
{
	static uintptr_t all[RESERVED_MAX];
	uintptr_t address = 0;
	REFUSED(INVALID, reserve(here, 0, &address));
	REFUSED(INVALID, reserve(here, ~0ull, &address));
	REFUSED(INVALID, reserve(here, (HIGH - LOW) / NATIVE_PAGE + 1, &address));
	uintptr_t whole = reserved((HIGH - LOW) / NATIVE_PAGE);
	REFUSED(NO_SLOT, reserve(here, 1, &address));
	OK(unreserve(here, whole));
	for (unsigned i = 0; i < RESERVED_MAX; i++)
		all[i] = reserved(1 + i % 3);
	REFUSED(NO_SLOT, reserve(here, 1, &address));
	for (unsigned i = 0; i < RESERVED_MAX; i++) /* from both ends */
		OK(unreserve(here, all[i % 2 ? i : RESERVED_MAX - 2 - i]));
	spawn();
	OK(reserve(other.space, 7, &address));
	REFUSED(NOT_FOUND, commit(here, address, 1, RW));
	OK(commit(other.space, address, 1, RW));
	for (uint64_t i = 0; i < RESERVED_MAX - 1; i++)
		OK(reserve(other.space, i + 1, &address));
	uint64_t page = 0;
	while (native_fresh(self, other.space, PAGE(page), 1, RW) == STATUS_OK)
		page++;
	OK(unreserve(other.space, address)); /* 64 bytes, that the next one needs */
	OK(reserve(other.space, 1, &address));
	release_other(); /* with all that it has reserved */
}

/* -- long ranges -------------------------------------------------------------- */

static enum status range_call(uint16_t method, uint32_t source, uint32_t space,
                              uintptr_t address, uint64_t pages, uint64_t *next)
{
	struct native_call call;
	struct address_space_unmap_results_reader results;
	native_call(&call, self, space, ADDRESS_SPACE_ID, method);
	if (method == ADDRESS_SPACE_UNMAP) {
		struct address_space_unmap_params_builder params =
		        address_space_unmap_params_build(&call.params);
		address_space_unmap_params_set_address(params, address);
		address_space_unmap_params_set_pages(params, pages);
	} else if (method == ADDRESS_SPACE_PROTECT) {
		struct address_space_protect_params_builder params =
		        address_space_protect_params_build(&call.params);
		address_space_protect_params_set_address(params, address);
		address_space_protect_params_set_pages(params, pages);
		address_space_protect_params_set_access(params, ACCESS_READ);
	} else {
		struct address_space_share_params_builder params =
		        address_space_share_params_build(&call.params);
		address_space_share_params_set_source(params, native_attach(&call, source));
		address_space_share_params_set_address(params, address);
		address_space_share_params_set_pages(params, pages);
	}
	enum status status = native_send(&call);
	*next = 0;
	if (status == STATUS_OK)
		status = address_space_unmap_results_read(call.results, call.results_size,
		                                          &results);
	if (status == STATUS_OK)
		*next = address_space_unmap_results_get_next(results);
	return status;
}

/* One object's pages, shown again and again, and then two that lie far apart. */
static void long_ranges_take_several_calls(void)
{
	uint32_t object = allocate(SHOWN), libos = 0;
	uintptr_t end = FAR_AT + ((uintptr_t)TIMES * SHOWN + (1ull << 20)) * NATIVE_PAGE;
	uint64_t pages = (end - FAR_AT) / NATIVE_PAGE, next = 0;
	struct native_call call;
	OK(load_with("long", 0, 512, &libos));
	native_call(&call, self, libos, LIBOS_ID, LIBOS_SPAWN);
	thread_start_set_entry(libos_spawn_params_init_start(
	                               libos_spawn_params_build(&call.params)), AT);
	OK(native_send(&call));
	uint32_t process = call.caps[0], space = call.caps[1], thread = call.caps[2];
	for (unsigned i = 0; i < TIMES; i++)
		OK(map(object, 0, FAR_AT + (uintptr_t)i * SHOWN * NATIVE_PAGE, SHOWN, RW));
	OK(map(object, 0, end - NATIVE_PAGE, 1, RW));

	static const uint16_t methods[] = {
		ADDRESS_SPACE_SHARE, ADDRESS_SPACE_PROTECT, ADDRESS_SPACE_UNMAP,
	};
	for (unsigned i = 0; i < 3; i++) {
		unsigned calls = 1;
		uintptr_t at = FAR_AT;
		OK(range_call(methods[i], here, i == 0 ? space : here, at, CALL_PAGES, &next));
		CHECK(&check, next == 0); /* a range no longer than that is one call */
		for (;;) {
			OK(range_call(methods[i], here, i == 0 ? space : here, at,
			              (end - at) / NATIVE_PAGE, &next));
			if (next == 0 || calls > 4)
				break;
			CHECK(&check, next > at && next < end && next % NATIVE_PAGE == 0);
			at = next;
			calls++;
		}
		CHECK(&check, calls == 2);
		for (unsigned n = 0; n < TIMES; n++) {
			uintptr_t page = FAR_AT + ((uintptr_t)n * SHOWN + SHOWN - 1) * NATIVE_PAGE;
			CHECK(&check, access_in(space, page) == RW);
			CHECK(&check, access_at(page) == (i == 0 ? RW : i == 1 ? ACCESS_READ : NOT_MAPPED));
		}
		CHECK(&check, access_in(space, end - NATIVE_PAGE) == RW);
		CHECK(&check, access_at(end - NATIVE_PAGE) ==
		              (i == 0 ? RW : i == 1 ? ACCESS_READ : NOT_MAPPED));
	}
	OK(range_call(ADDRESS_SPACE_UNMAP, 0, space, FAR_AT, pages, &next));
	CHECK(&check, next > FAR_AT && access_in(space, next - NATIVE_PAGE) == NOT_MAPPED);
	CHECK(&check, access_in(space, next) == RW);
	OK(range_call(ADDRESS_SPACE_UNMAP, 0, space, next, (end - next) / NATIVE_PAGE, &next));
	CHECK(&check, next == 0 && access_in(space, end - NATIVE_PAGE) == NOT_MAPPED);
	release(thread), release(space), release(process), release(libos);
	release(object);
}

/* -- resolve ---------------------------------------------------------------------- */

static void resolve_gives_no_write_that_was_taken(void)
{
	uint32_t object = allocate(2);
	put(object, 0, 1);
	OK(map(object, 0, AT, 1, ACCESS_READ | ACCESS_PRIVATE));
	REFUSED(DENIED, resolve(AT));
	OK(protect(AT, 1, RW));
	CHECK(&check, access_at(AT) == (ACCESS_READ | ACCESS_PRIVATE));
	OK(protect(AT, 1, ACCESS_READ));
	REFUSED(DENIED, resolve(AT));
	OK(protect(AT, 1, RW));
	OK(resolve(AT));
	WORD(AT) = 2;
	CHECK(&check, word(object, 0) == 1);
	OK(protect(AT, 1, ACCESS_READ));
	REFUSED(DENIED, resolve(AT));
	OK(unmap(AT, 1));
	spawn();
	for (unsigned i = 0; i < 2; i++) { /* writable when it is shared, or not */
		OK(fresh(AT, 1, RW));
		WORD(AT) = 3;
		if (i == 1)
			OK(protect(AT, 1, ACCESS_READ));
		OK(native_share(self, other.space, here, AT, 1));
		for (unsigned n = 0; n < 2; n++) {
			uint32_t space = n ? here : other.space;
			if (i == 1)
				REFUSED(DENIED, native_resolve(self, space, AT));
			OK(native_protect(self, space, AT, 1, ACCESS_READ));
			REFUSED(DENIED, native_resolve(self, space, AT));
			OK(native_protect(self, space, AT, 1, RW));
			OK(native_resolve(self, space, AT));
			CHECK(&check, access_in(space, AT) == RW);
		}
		OK(unmap(AT, 1));
		OK(native_unmap(self, other.space, (void *)AT, 1));
	}
	release_other();
	release(object);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		ranges_are_apart, what_is_mapped_is_passed_over, commit_is_fresh_inside,
		reserve_refuses, long_ranges_take_several_calls,
		resolve_gives_no_write_that_was_taken,
	};
	start_with_control(given, "memory_reserve");
	run(steps, sizeof steps / sizeof steps[0]);
}
