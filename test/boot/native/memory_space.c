/* memory_space.c: what AddressSpace promises and refuses, for this process's own
 * space and for a module region. Every block runs twice, and must give back every
 * page that it was charged for. (What two spaces share: memory_share.c.) */
#include "test/boot/native/memory_space.h"

/* -- refusals -------------------------------------------------------------------- */

static void bad_ranges_are_refused(void)
{
	static const struct { uint64_t address, pages; } bad[] = {
		{ AT + 1, 1 }, { AT + 8, 1 }, { AT + NATIVE_PAGE / 2, 1 }, { AT, 0 }, { AT, ~0ull },
		{ AT, 1ull << 52 }, { AT, (1ull << 52) + 1 }, { AT, (1ull << 52) - AT / NATIVE_PAGE + 1 },
		{ AT, (PROGRAM_END - AT) / NATIVE_PAGE + 1 }, { PROGRAM_END - NATIVE_PAGE, 2 },
		{ PROGRAM_END, 1 }, { 1ull << 47, 1 }, { 0xffff800000000000, 1 }, { MODULE_REGION, 1 },
		{ 0xffffff0000000000, 1 }, { 0xffffffff80000000, 1 }, { 0ull - NATIVE_PAGE, 1 },
		{ 0ull - NATIVE_PAGE, 2 },
	};
	uint32_t object = allocate(4), access;
	spawn();
	uint64_t before = available();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint64_t address = bad[i].address, pages = bad[i].pages;
		REFUSED(INVALID, map(object, 0, address, pages, ACCESS_READ));
		REFUSED(INVALID, fresh(address, pages, RW));
		REFUSED(INVALID, unmap(address, pages));
		REFUSED(INVALID, protect(address, pages, ACCESS_READ));
		REFUSED(INVALID, native_share(self, here, other.space, address, pages));
		if (address < PROGRAM_END)
			continue;
		REFUSED(INVALID, resolve(address));
		REFUSED(INVALID, native_query(self, here, address, &access));
	}
	REFUSED(INVALID, fresh(AT, CALL_MOST + 1, RW));
	REFUSED(INVALID, native_share(self, here, here, AT, 1));
	for (unsigned page = 0; page < 4; page++)
		CHECK(&check, access_at(PAGE(page)) == NOT_MAPPED);
	CHECK(&check, available() == before);
	OK(fresh(PROGRAM_END - NATIVE_PAGE, 1, RW)); /* the last page of the half */
	WORD(PROGRAM_END - 8) = 1;
	OK(unmap(PROGRAM_END - NATIVE_PAGE, 1));
	release_other();
	release(object);
}

static void bad_accesses_are_refused(void)
{
	static const uint32_t bad[] = {
		ACCESS_WRITE, ACCESS_EXECUTE, ACCESS_WRITE | ACCESS_EXECUTE,
		ACCESS_WRITE | ACCESS_PRIVATE, 16, 16 | RW, 1u << 31, ~0u,
	};
	uint32_t object = allocate(1);
	OK(fresh(PAGE(1), 1, RW));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		REFUSED(INVALID, map(object, 0, AT, 1, bad[i]));
		REFUSED(INVALID, fresh(AT, 1, bad[i]));
		REFUSED(INVALID, protect(PAGE(1), 1, bad[i]));
	}
	CHECK(&check, access_at(AT) == NOT_MAPPED && access_at(PAGE(1)) == RW);
	OK(protect(PAGE(1), 1, RW | ACCESS_EXECUTE)); /* a program may */
	CHECK(&check, access_at(PAGE(1)) == (RW | ACCESS_EXECUTE));
	OK(unmap(PAGE(1), 1));
	release(object);
}

static void only_the_right_objects_are_taken(void)
{
	struct native_call call;
	uint32_t object = allocate(3);
	REFUSED(NO_CAP, map(pool, 0, AT, 1, ACCESS_READ));
	REFUSED(NO_CAP, map(here, 0, AT, 1, ACCESS_READ));
	REFUSED(NO_CAP, map(object + 0x1000, 0, AT, 1, ACCESS_READ));
	REFUSED(NO_CAP, native_share(self, here, object, AT, 1));
	native_call(&call, self, here, ADDRESS_SPACE_ID, ADDRESS_SPACE_MAP);
	(void)address_space_map_params_build(&call.params);
	REFUSED(NO_CAP, native_send(&call));
	native_call(&call, self, here, ADDRESS_SPACE_ID, 99);
	REFUSED(NO_METHOD, native_send(&call));
	REFUSED(INVALID, map(object, 0, AT, 4, ACCESS_READ));
	REFUSED(INVALID, map(object, 3, AT, 1, ACCESS_READ));
	REFUSED(INVALID, map(object, 2, AT, 2, ACCESS_READ));
	REFUSED(INVALID, map(object, ~0ull, AT, 1, ACCESS_READ));
	REFUSED(INVALID, map(object, ~0ull, AT, 2, ACCESS_READ));
	REFUSED(INVALID, map(object, 1ull << 32, AT, 1, ACCESS_READ));
	CHECK(&check, access_at(AT) == NOT_MAPPED);
	release(object);
}

/* -- map, fresh, unmap, protect -------------------------------------------------- */

static void fresh_is_zero_and_leaves_what_is_there(void)
{
	uint64_t before = available();
	OK(fresh(PAGE(1), 1, RW));
	WORD(PAGE(1)) = 5;
	OK(protect(PAGE(1), 1, ACCESS_READ));
	OK(fresh(AT, 3, RW));
	CHECK(&check, before - available() == 3);
	CHECK(&check, WORD(PAGE(1)) == 5 && access_at(PAGE(1)) == ACCESS_READ);
	CHECK(&check, access_at(AT) == RW && access_at(PAGE(2)) == RW);
	for (size_t i = 0; i < WORDS; i++) {
		CHECK(&check, WORD(AT + i * 8) == 0 && WORD(PAGE(2) + i * 8) == 0);
		WORD(AT + i * 8) = WORD(PAGE(2) + i * 8) = ~0ull;
	}
	OK(fresh(AT, 3, RW));
	CHECK(&check, WORD(AT) == ~0ull && before - available() == 3);
	OK(unmap(AT, 3));
	CHECK(&check, available() == before);
	OK(fresh(AT, 3, RW)); /* the same frames, as likely as not */
	CHECK(&check, WORD(AT) == 0 && WORD(PAGE(1)) == 0 && WORD(PAGE(2) + NATIVE_PAGE - 8) == 0);
	OK(unmap(AT, 3));
}

static void holes_are_passed_over(void)
{
	uint64_t before = available();
	uint64_t all = (FAR_AT - AT) / NATIVE_PAGE + 1;
	for (unsigned page = 0; page < 5; page += 2)
		OK(fresh(PAGE(page), 1, RW));
	OK(fresh(FAR_AT, 1, RW));
	WORD(PAGE(4)) = 4, WORD(FAR_AT) = 6;
	OK(protect(AT, all, ACCESS_READ));
	CHECK(&check, access_at(PAGE(4)) == ACCESS_READ && access_at(FAR_AT) == ACCESS_READ);
	CHECK(&check, access_at(PAGE(1)) == NOT_MAPPED && access_at(FAR_AT / 2) == NOT_MAPPED);
	CHECK(&check, readable(FAR_AT) && !writable(FAR_AT));
	OK(protect(PAGE(1), all - 1, RW));
	CHECK(&check, access_at(AT) == ACCESS_READ && access_at(PAGE(2)) == RW);
	CHECK(&check, WORD(PAGE(4)) == 4 && ++WORD(FAR_AT) == 7);
	OK(unmap(PAGE(1), all - 2));
	CHECK(&check, access_at(PAGE(4)) == NOT_MAPPED && access_at(AT) == ACCESS_READ);
	CHECK(&check, WORD(FAR_AT) == 7);
	OK(unmap(AT, all));
	CHECK(&check, access_at(AT) == NOT_MAPPED && access_at(FAR_AT) == NOT_MAPPED);
	OK(unmap(AT, all));
	OK(fresh(FAR_AT, 1, RW));
	CHECK(&check, WORD(FAR_AT) == 0);
	OK(unmap(FAR_AT, 1));
	CHECK(&check, available() <= before);
}

static void shared_private_and_sealed(void)
{
	uint32_t object = allocate(3), facet = 0;
	OK(native_read_only(self, object, &facet));
	put(object, 1, 1);
	uint64_t before = available();
	OK(map(object, 1, AT, 2, RW));
	CHECK(&check, access_at(AT) == RW && WORD(AT) == 1);
	WORD(AT) = 2;
	CHECK(&check, word(object, 1) == 2);
	put(object, 2, 3);
	CHECK(&check, WORD(PAGE(1)) == 3);

	OK(map(object, 1, PAGE(2), 1, RW | ACCESS_PRIVATE));
	CHECK(&check, access_at(PAGE(2)) == (ACCESS_READ | ACCESS_PRIVATE) && WORD(PAGE(2)) == 2);
	CHECK(&check, readable(PAGE(2)) && !writable(PAGE(2)) && available() == before);
	OK(protect(PAGE(2), 1, RW)); /* comes with resolve */
	CHECK(&check, !writable(PAGE(2)));
	OK(resolve(PAGE(2)));
	CHECK(&check, access_at(PAGE(2)) == RW && before - available() == 1);
	WORD(PAGE(2)) = 9;
	put(object, 1, 4);
	CHECK(&check, WORD(PAGE(2)) == 9 && WORD(AT) == 4 && word(object, 1) == 4);

	REFUSED(DENIED, map(facet, 1, PAGE(3), 1, RW));
	CHECK(&check, access_at(PAGE(3)) == NOT_MAPPED);
	OK(map(facet, 1, PAGE(3), 1, ACCESS_READ));
	CHECK(&check, WORD(PAGE(3)) == 4);
	OK(protect(PAGE(3), 1, RW));
	CHECK(&check, access_at(PAGE(3)) == ACCESS_READ && !writable(PAGE(3)));
	REFUSED(DENIED, resolve(PAGE(3)));
	OK(map(facet, 1, PAGE(3), 1, RW | ACCESS_PRIVATE)); /* a copy is one's own */
	OK(resolve(PAGE(3)));
	WORD(PAGE(3)) = 10;
	CHECK(&check, word(object, 1) == 4 && before - available() == 2);
	OK(unmap(AT, 4));
	CHECK(&check, available() == before);
	release(facet);
	release(object);
}

static void a_map_replaces_what_stood_there(void)
{
	uint32_t one = allocate(2), two = allocate(2);
	uint64_t before = available();
	OK(fresh(AT, 2, RW));
	WORD(AT) = 1, WORD(PAGE(1)) = 2;
	put(one, 0, 3), put(two, 1, 4);
	OK(map(one, 0, AT, 2, RW));
	CHECK(&check, WORD(AT) == 3 && WORD(PAGE(1)) == 0 && available() == before);
	WORD(PAGE(1)) = 5;
	OK(map(two, 1, AT, 1, ACCESS_READ));
	CHECK(&check, WORD(AT) == 4 && access_at(AT) == ACCESS_READ && word(one, 0) == 3);
	OK(map(one, 1, PAGE(1), 1, ACCESS_READ)); /* the same page again */
	CHECK(&check, WORD(PAGE(1)) == 5 && access_at(PAGE(1)) == ACCESS_READ);
	release(one);
	release(two);
	CHECK(&check, WORD(AT) == 4 && WORD(PAGE(1)) == 5);
	OK(unmap(AT, 2));
}

/* -- resolve -------------------------------------------------------------------- */

static void resolve_says_why_not(void)
{
	uint32_t object = allocate(1);
	uint64_t before = available();
	REFUSED(NOT_FOUND, resolve(AT));
	REFUSED(NOT_FOUND, resolve(FAR_AT * 2)); /* not even a table */
	OK(fresh(AT, 1, ACCESS_READ));
	REFUSED(DENIED, resolve(AT));
	OK(protect(AT, 1, RW));
	OK(resolve(AT + 123)); /* any address of the page; it is writable already */
	OK(map(object, 0, PAGE(1), 1, ACCESS_READ));
	REFUSED(DENIED, resolve(PAGE(1)));
	OK(map(object, 0, PAGE(1), 1, RW | ACCESS_PRIVATE));
	release(object); /* it has the frame to itself now: still charged, as it was */
	OK(resolve(PAGE(1)));
	WORD(PAGE(1)) = 1;
	OK(unmap(AT, 2));
	CHECK(&check, available() - before == 1 || available() - before == 2);
}

/* -- a module region ------------------------------------------------------------- */

/* The least image that loads: one page, readable and executable; with its head there, and
 * that stack. */
static uint32_t module_with(uint64_t head, uint64_t stack)
{
	struct module_image {
		uint8_t ident[16];
		uint16_t type, machine;
		uint32_t version;
		uint64_t entry, phoff, shoff;
		uint32_t flags;
		uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
		uint32_t kind, access;
		uint64_t offset, vaddr, paddr, filesz, memsz, align;
		uint64_t code[6], stack; /* the head; nobody runs it */
	} image = {
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .type = 2, .machine = 62, .version = 1,
		.entry = head ? head : MODULE_REGION + offsetof(struct module_image, code), .phoff = 64,
		.ehsize = 64, .phentsize = 56, .phnum = 1,
		.kind = 1, .access = 5, .vaddr = MODULE_REGION, .filesz = NATIVE_PAGE,
		.memsz = NATIVE_PAGE, .stack = stack,
	};
	uint32_t object = allocate(1);
	OK(native_put(self, object, MEMORY_OBJECT_ID, 0, &image, sizeof image));
	return object;
}

static uint32_t least_module(void)
{
	return module_with(0, MODULE_REGION + 0x20000);
}

/* Unloaded soon, as nobody starts under it. */
static enum status load_for_a_moment(const char *id, uint32_t image, uint32_t *libos)
{
	struct libos_table_load_params_builder params;
	struct native_call call;
	enum status status;

	native_call(&call, self, native_find(self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, capnp_text_from(id));
	libos_table_load_params_set_image(params, native_attach(&call, image));
	libos_table_load_params_set_size(params, NATIVE_PAGE);
	libos_table_load_params_set_pages(params, LEDGER_PAGES);
	libos_table_load_params_set_timeout_ns(params, 300 * 1000000);
	status = native_send(&call);
	*libos = call.caps[0];
	return status;
}

/* Whose head is not 8-aligned, or not in one page, does not load; whose stack is no place
 * in the region loads, and has no process. */
static void bad_heads_are_refused(void)
{
	static const uint64_t heads[] = { MODULE_REGION + 124, MODULE_REGION + NATIVE_PAGE - 8,
	                                  MODULE_REGION + NATIVE_PAGE - 48 };
	static const uint64_t stacks[] = { 0, AT, MODULE_REGION, MODULE_REGION + 0x20008,
	                                   MODULE_CAPSET + 64, MODULE_REGION_END, ~0ull };
	static const uint32_t never;
	uint64_t before = available();
	struct native_call call;
	uint32_t libos;

	for (unsigned i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		uint32_t image = module_with(heads[i], MODULE_REGION + 0x20000);
		REFUSED(BAD_MESSAGE, load("region", image, &libos));
		release(image);
	}
	for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
		char id[] = { 's', (char)('0' + i), '\0' };
		uint32_t image = module_with(0, stacks[i]);
		enum status status;
		OK(load_for_a_moment(id, image, &libos));
		native_call(&call, self, libos, LIBOS_ID, LIBOS_SPAWN);
		(void)libos_spawn_params_init_start(libos_spawn_params_build(&call.params));
		status = native_send(&call);
		CHECK(&check, status == STATUS_INVALID || status == STATUS_GONE /* so late */);
		release(image);
		release(libos);
	}
	for (unsigned i = 0; i < PATIENCE && available() != before; i++)
		(void)!ring_park(self->ring, &never, 0, NAP);
}

static void no_page_of_a_region_is_writable_and_executable(void)
{
	static const uint64_t at = MODULE_REGION + 0x100000;
	uint32_t image = least_module(), object = allocate(1), region, access;
	struct native_call call;
	spawn_under("region", image, 0);
	native_call(&call, self, other.libos, LIBOS_ID, LIBOS_SPACE);
	OK(native_send(&call));
	region = call.caps[0];
	CHECK(&check, access_in(region, MODULE_REGION) == RX);
	CHECK(&check, access_in(region, MODULE_CAPSET) == ACCESS_READ);
	for (uint32_t wx = RW | ACCESS_EXECUTE; wx < 16; wx += ACCESS_PRIVATE) {
		REFUSED(INVALID, native_fresh(self, region, at, 1, wx));
		REFUSED(INVALID, native_map(self, region, object, 0, (void *)at, 1, wx));
		REFUSED(INVALID, native_protect(self, region, MODULE_REGION, 1, wx));
	}
	REFUSED(INVALID, native_fresh(self, region, at, 1, 0)); /* nothing hides there */
	REFUSED(INVALID, native_fresh(self, region, AT, 1, RW));
	REFUSED(INVALID, native_fresh(self, region, MODULE_REGION - NATIVE_PAGE, 1, RW));
	REFUSED(INVALID, native_fresh(self, region, MODULE_REGION_END, 1, RW));
	REFUSED(INVALID, native_fresh(self, region, MODULE_REGION_END - NATIVE_PAGE, 2, RW));
	REFUSED(INVALID, native_query(self, region, AT, &access));
	REFUSED(INVALID, native_share(self, region, here, at, 1));
	REFUSED(INVALID, native_share(self, here, region, at, 1));
	CHECK(&check, access_in(region, at) == NOT_MAPPED);
	/* The ways round: by resolve, by protect. The CapSet is sealed. */
	OK(native_map(self, region, object, 0, (void *)at, 1, RX | ACCESS_PRIVATE));
	REFUSED(DENIED, native_resolve(self, region, at));
	CHECK(&check, access_in(region, at) == (RX | ACCESS_PRIVATE));
	OK(native_protect(self, region, at, 1, RW));
	OK(native_resolve(self, region, at));
	CHECK(&check, access_in(region, at) == RW);
	OK(native_protect(self, region, at, 1, RX));
	CHECK(&check, access_in(region, at) == RX);
	OK(native_protect(self, region, MODULE_CAPSET, 1, RW));
	CHECK(&check, access_in(region, MODULE_CAPSET) == ACCESS_READ);
	OK(native_unmap(self, region, (void *)at, 1));
	release(object);
	release(image);
	release(region);
	release_other();
}

/* Also if the call pauses in between. */
static void an_answer_may_stand_where_its_params_did(void)
{
	enum { MANY = 2000 };
	struct native_call call;
	OK(fresh(FAR_AT, MANY, RW));
	native_call(&call, self, here, ADDRESS_SPACE_ID, ADDRESS_SPACE_UNMAP);
	struct address_space_unmap_params_builder params =
	        address_space_unmap_params_build(&call.params);
	address_space_unmap_params_set_address(params, FAR_AT);
	address_space_unmap_params_set_pages(params, MANY);
	struct ring_call ring = {
		.cap = here, .method = ADDRESS_SPACE_UNMAP, .interface = ADDRESS_SPACE_ID,
		.params = self->ring->area,
		.params_size = (uint32_t)capnp_builder_size(&call.params),
		.results = self->ring->area, .results_size = NATIVE_MESSAGE_MAX,
	};
	OK(ring_call(self->ring, &ring));
	for (uintptr_t i = 0; i < MANY; i++)
		CHECK(&check, access_in(here, FAR_AT + i * NATIVE_PAGE) == NOT_MAPPED);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		bad_ranges_are_refused, bad_accesses_are_refused, only_the_right_objects_are_taken,
		fresh_is_zero_and_leaves_what_is_there, holes_are_passed_over,
		shared_private_and_sealed, a_map_replaces_what_stood_there, resolve_says_why_not,
		bad_heads_are_refused, no_page_of_a_region_is_writable_and_executable,
		an_answer_may_stand_where_its_params_did,
	};
	start_with_control(given, "memory_space");
	run(steps, sizeof steps / sizeof steps[0]);
}
