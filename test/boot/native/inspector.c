/* inspector.c: what the Inspector tells NONE's process, against what the other
 * interfaces say; and what it refuses. No answer may bring a capability. */
#include "test/boot/native/memory_space.h"
#include "test/boot/native/revoker.h"

#include "abi/endpoint.capnp.h"
#include "abi/inspector.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/module.h"
#include "abi/process.capnp.h"
#include "rt/module_string.h"

#define FREE_AT 0x20000000ul
enum { LIST_MOST = 128, SMALL = 256 };

static uint32_t inspector;
static uint64_t buffer[512];

static struct native_call last;

/* One call with `room` for the answer. */
static enum status ask(uint16_t method, uint64_t value, uint32_t room)
{
	uint64_t *params = (uint64_t *)self->ring->area;
	struct ring_call call = {
		.cap = inspector, .method = method, .interface = INSPECTOR_ID,
		.params = params, .params_size = 16, .results = buffer, .results_size = room,
	};
	enum status status;

	params[0] = (uint64_t)1 << 32; /* a struct of one word */
	params[1] = value;
	status = ring_call(self->ring, &call);
	for (unsigned i = 0; i < RING_CAPS; i++)
		CHECK(&check, call.caps[i] == 0);
	last = (struct native_call){
		.results = buffer, .results_size = call.results_size, .status = status,
	};
	return status;
}

static struct libos_description_reader libos(void)
{
	struct inspector_libos_results_reader results;
	struct libos_description_reader d = { 0 };

	OK(ask(INSPECTOR_LIBOS, 0, sizeof buffer));
	OK(inspector_libos_results_read(buffer, last.results_size, &results));
	OK(inspector_libos_results_get_libos(results, &d));
	return d;
}

static struct process_description_reader process(void)
{
	struct inspector_process_results_reader results;
	struct process_description_reader d = { 0 };

	OK(ask(INSPECTOR_PROCESS, 0, sizeof buffer));
	OK(inspector_process_results_read(buffer, last.results_size, &results));
	OK(inspector_process_results_get_process(results, &d));
	return d;
}

static struct page_description_reader page(uint64_t address)
{
	struct inspector_page_results_reader results;
	struct page_description_reader d = { 0 };

	OK(ask(INSPECTOR_PAGE, address, sizeof buffer));
	OK(inspector_page_results_read(buffer, last.results_size, &results));
	OK(inspector_page_results_get_page(results, &d));
	return d;
}

struct entry { char type[40], name[40]; uint64_t interface, pages; uint32_t count; bool leased; };
static struct { uint32_t count; struct entry at[LIST_MOST]; } table;

static void keep_text(char *to, enum status status, struct capnp_text text)
{
	OK(status);
	CHECK(&check, text.length < 40);
	for (size_t i = 0; i <= text.length && i < 40; i++)
		to[i] = text.bytes[i];
}

/* Both lists, in parts of what fits into `room`. */
static void list(uint16_t method, uint32_t room)
{
	uint32_t first = 0;

	table.count = 0;
	do {
		struct inspector_kinds_results_reader results;
		struct capnp_list entries = { .count = 0 };
		OK(ask(method, first, room));
		/* The two answers have the same shape. */
		OK(inspector_kinds_results_read(buffer, last.results_size, &results));
		OK(inspector_kinds_results_get_kinds(results, &entries));
		CHECK(&check, entries.count > 0);
		for (uint32_t i = 0; i < entries.count && table.count < LIST_MOST; i++) {
			struct entry *e = &table.at[table.count++];
			struct kind_reader kind = kind_list_get(entries, i);
			struct held_reader held = held_list_get(entries, i);
			struct capnp_text text;
			*e = (struct entry){ .count = 1 };
			if (method == INSPECTOR_KINDS) {
				keep_text(e->type, kind_get_type(kind, &text), text);
				e->interface = kind_get_interface(kind);
				e->pages = kind_get_pages(kind);
				e->count = kind_get_count(kind);
			} else {
				keep_text(e->type, held_get_type(held, &text), text);
				keep_text(e->name, held_get_name(held, &text), text);
				e->interface = held_get_interface(held);
				e->pages = held_get_pages(held);
				e->leased = held_get_leased(held);
			}
		}
		CHECK(&check, inspector_kinds_results_get_next(results) == 0 ||
		              inspector_kinds_results_get_next(results) == first + entries.count);
		first = inspector_kinds_results_get_next(results);
	} while (first != 0 && check.failures == 0);
}

static struct entry kind_of(uint64_t interface)
{
	list(INSPECTOR_KINDS, sizeof buffer);
	for (uint32_t i = 0; i < table.count; i++)
		if (table.at[i].interface == interface)
			return table.at[i];
	return (struct entry){ .count = 0 };
}

static uint32_t load_empty(const char *id, uint64_t pages)
{
	struct native_call call;

	native_call(&call, self, native_find(self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, capnp_text_from(id));
	libos_table_load_params_set_pages(params, pages);
	libos_table_load_params_set_timeout_ns(params, UINT64_MAX);
	OK(native_send(&call));
	return call.caps[0];
}

static void spawn_in(uint32_t libos_cap, uint32_t caps[RING_CAPS])
{
	struct native_call call;

	native_call(&call, self, libos_cap, LIBOS_ID, LIBOS_SPAWN);
	struct libos_spawn_params_builder params = libos_spawn_params_build(&call.params);
	thread_start_set_entry(libos_spawn_params_init_start(params), 0x400000);
	OK(native_send(&call));
	for (unsigned i = 0; i < RING_CAPS; i++)
		caps[i] = call.caps[i];
}

static void end_all(const uint32_t caps[RING_CAPS])
{
	struct native_call call;

	native_call(&call, self, caps[0], PROCESS_ID, PROCESS_KILL);
	OK(native_send(&call));
	for (unsigned i = 0; i < 3; i++)
		release(caps[i]);
}

static void it_describes_the_libos(void)
{
	struct libos_description_reader d;
	struct capnp_text id = { "", 0 };
	uint64_t left = available(), limit, used;
	uint32_t object, held;

	d = libos();
	OK(libos_description_get_id(d, &id));
	CHECK(&check, id.length == 4 && strcmp(id.bytes, "NONE") == 0);
	CHECK(&check, !libos_description_get_isolated(d));
	CHECK(&check, libos_description_get_processes(d) == 1);
	CHECK(&check, libos_description_get_threads(d) == 1);
	CHECK(&check, libos_description_get_module_bytes(d) == 0);
	CHECK(&check, libos_description_get_others(d) == 0);
	CHECK(&check, libos_description_get_processors(d) > 0);
	limit = libos_description_get_limit(d);
	used = libos_description_get_used(d);
	held = libos_description_get_capabilities(d);
	CHECK(&check, (limit - used) / NATIVE_PAGE == left);
	CHECK(&check, used <= libos_description_get_peak(d) &&
	              libos_description_get_peak(d) <= limit);
	CHECK(&check, held >= self->capset->count);

	object = allocate(5);
	d = libos();
	CHECK(&check, libos_description_get_capabilities(d) == held + 1);
	CHECK(&check, libos_description_get_used(d) >= used + 5 * NATIVE_PAGE);
	CHECK(&check, libos_description_get_limit(d) == limit);
	release(object);
	CHECK(&check, libos_description_get_capabilities(libos()) == held);
}

/* Of other libOSes it tells that they are there. */
static void other_liboses_are_a_number(void)
{
	uint32_t other = load_empty("other", 64), caps[RING_CAPS];
	struct libos_description_reader d = libos();

	CHECK(&check, libos_description_get_others(d) == 1);
	spawn_in(other, caps);
	d = libos();
	CHECK(&check, libos_description_get_others(d) == 1);
	CHECK(&check, libos_description_get_processes(d) == 1);
	CHECK(&check, libos_description_get_threads(d) == 1);
	end_all(caps);
	CHECK(&check, libos_description_get_others(libos()) == 0);
	release(other);
}

static void it_describes_the_process(void)
{
	struct process_description_reader d = process();

	CHECK(&check, process_description_get_pid(d) == 1);
	CHECK(&check, process_description_get_threads(d) == 1);
	CHECK(&check, !process_description_get_own_domain(d));
	CHECK(&check, process_description_get_capabilities(d) ==
	              libos_description_get_capabilities(libos()));
	CHECK(&check, process_description_get_space_holders(process()) == 1); /* "space" */
}

static void kinds_add_up(void)
{
	uint32_t object, held = libos_description_get_capabilities(libos()), counted = 0;
	struct entry before = kind_of(MEMORY_OBJECT_ID), after;

	for (uint32_t i = 0; i < table.count; i++)
		counted += table.at[i].count;
	CHECK(&check, counted == held);
	CHECK(&check, before.count > 0 && before.pages >= self->argument / NATIVE_PAGE);
	CHECK(&check, strcmp(before.type, "memory object") == 0);
	object = allocate(7);
	after = kind_of(MEMORY_OBJECT_ID);
	CHECK(&check, after.count == before.count + 1 && after.pages == before.pages + 7);
	release(object);
	after = kind_of(MEMORY_OBJECT_ID);
	CHECK(&check, after.count == before.count && after.pages == before.pages);
	CHECK(&check, kind_of(READ_ONLY_MEMORY_ID).count == 0);
}

/* Narrower objects name as much memory as can be reached through them. */
static void memory_is_counted_as_what_it_is(void)
{
	struct memory_object_share_params_builder params;
	uint32_t object = allocate(9), facet = 0;
	struct native_call call;

	OK(native_read_only(self, object, &facet));
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SHARE);
	params = memory_object_share_params_build(&call.params);
	memory_object_share_params_set_page(params, 2);
	memory_object_share_params_set_pages(params, 5);
	OK(native_send(&call));
	CHECK(&check, kind_of(READ_ONLY_MEMORY_ID).pages == 9);
	CHECK(&check, kind_of(SHARED_BUFFER_ID).pages == 5);
	release(call.caps[0]);
	release(facet);
	release(object);
}

/* Every entry of the CapSet, once, as what it is; and no name that is not there. */
static void names_are_the_capsets(void)
{
	uint32_t named = 0;

	list(INSPECTOR_CAPABILITIES, sizeof buffer);
	for (uint32_t i = 0; i < table.count; i++)
		named += table.at[i].name[0] != '\0';
	CHECK(&check, named == self->capset->count);
	for (uint32_t c = 0; c < self->capset->count; c++) {
		uint32_t found = 0;
		for (uint32_t i = 0; i < table.count; i++)
			found += strcmp(table.at[i].name, self->capset->entries[c].name) == 0 &&
			         table.at[i].interface == self->capset->entries[c].interface;
		CHECK(&check, found == 1);
	}
}

/* In whatever portions, with free slots between those in use. */
static void lists_come_whole_in_parts(void)
{
	uint32_t objects[40], held;

	for (uint32_t i = 0; i < 40; i++)
		objects[i] = allocate(1);
	for (uint32_t i = 0; i < 40; i += 2)
		release(objects[i]);
	held = libos_description_get_capabilities(libos());
	for (uint32_t room = SMALL; room <= sizeof buffer; room = room * 3 / 2 & ~7u) {
		uint32_t memory = 0, named = 0;
		list(INSPECTOR_CAPABILITIES, room);
		CHECK(&check, table.count == held);
		for (uint32_t i = 0; i < table.count; i++) {
			memory += table.at[i].interface == MEMORY_OBJECT_ID && table.at[i].pages == 1;
			named += table.at[i].name[0] != '\0';
		}
		CHECK(&check, memory >= 20 && named == self->capset->count);
		list(INSPECTOR_KINDS, room);
		for (uint32_t i = 0, counted = 0; i < table.count; i++) {
			counted += table.at[i].count;
			CHECK(&check, i + 1 < table.count || counted == held);
		}
	}
	for (uint32_t i = 1; i < 40; i += 2)
		release(objects[i]);
}

/* How many memory objects of `pages` are listed as leased, or as not. */
static uint32_t listed(uint64_t pages, bool leased)
{
	uint32_t found = 0;
	list(INSPECTOR_CAPABILITIES, sizeof buffer);
	for (uint32_t i = 0; i < table.count; i++)
		found += table.at[i].interface == MEMORY_OBJECT_ID && table.at[i].pages == pages &&
		         table.at[i].leased == leased && strcmp(table.at[i].type, "memory object") == 0;
	return found;
}

/* A lease is what it stands for, while it does. */
static void leases_are_seen_through(void)
{
	uint32_t object = allocate(11), revoker = revoker_new(), lease = lease_of(revoker, object);

	CHECK(&check, listed(11, false) == 1 && listed(11, true) == 1);
	revoke(revoker);
	CHECK(&check, listed(11, false) == 1 && listed(11, true) == 0);
	release(lease);
	release(revoker);
	release(object);
	CHECK(&check, listed(11, false) == 0);
}

/* Each speaks its own interface; they are one kind. */
static void facets_are_what_they_speak(void)
{
	static const uint64_t one = 0x8123456789abcdef, other = 0x9123456789abcdef;
	uint32_t endpoint, facets[2], found = 0;
	struct native_call call;

	native_call(&call, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	OK(native_send(&call));
	endpoint = call.caps[0];
	for (unsigned i = 0; i < 2; i++) {
		native_call(&call, self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
		endpoint_facet_params_set_interface(endpoint_facet_params_build(&call.params),
		                                    i ? one : other);
		OK(native_send(&call));
		facets[i] = call.caps[0];
	}
	list(INSPECTOR_CAPABILITIES, sizeof buffer);
	for (uint32_t i = 0; i < table.count; i++)
		found += strcmp(table.at[i].type, "facet") == 0 &&
		         (table.at[i].interface == one || table.at[i].interface == other);
	CHECK(&check, found == 2);
	list(INSPECTOR_KINDS, sizeof buffer);
	for (uint32_t i = 0; i < table.count; i++)
		if (strcmp(table.at[i].type, "facet") == 0)
			CHECK(&check, table.at[i].count == 2 && table.at[i].interface == 0);
	release(facets[0]);
	release(facets[1]);
	release(endpoint);
}

static void past_the_end_is_nothing(void)
{
	for (unsigned i = 0; i < 2; i++) {
		uint16_t method = i ? INSPECTOR_KINDS : INSPECTOR_CAPABILITIES;
		static const uint32_t firsts[] = { 4096, 65536, UINT32_MAX };
		for (unsigned j = 0; j < 3; j++) {
			struct inspector_kinds_results_reader results;
			struct capnp_list entries = { .count = 1 };
			OK(ask(method, firsts[j], 64));
			OK(inspector_kinds_results_read(buffer, last.results_size, &results));
			OK(inspector_kinds_results_get_kinds(results, &entries));
			CHECK(&check, entries.count == 0);
			CHECK(&check, inspector_kinds_results_get_next(results) == 0);
		}
	}
}

#define PAGE_IS(address, access_, holders_, writers_, exclusive_) do { \
	struct page_description_reader d_ = page(address); \
	CHECK(&check, page_description_get_mapped(d_)); \
	CHECK(&check, page_description_get_access(d_) == (access_)); \
	CHECK(&check, page_description_get_holders(d_) == (holders_)); \
	CHECK(&check, page_description_get_writers(d_) == (writers_)); \
	CHECK(&check, page_description_get_exclusive(d_) == (exclusive_)); \
} while (0)

static void a_page_of_ones_own_is_exclusive(void)
{
	CHECK(&check, !page_description_get_mapped(page(FREE_AT)));
	CHECK(&check, !page_description_get_exclusive(page(FREE_AT)));
	OK(native_fresh(self, here, FREE_AT, 1, RW));
	PAGE_IS(FREE_AT, RW, 0, 0, true);
	PAGE_IS(FREE_AT + 4095, RW, 0, 0, true);
	OK(native_protect(self, here, FREE_AT, 1, ACCESS_READ));
	PAGE_IS(FREE_AT, ACCESS_READ, 0, 0, true);
	OK(native_unmap(self, here, (void *)FREE_AT, 1));
	CHECK(&check, !page_description_get_mapped(page(FREE_AT)));
}

static void a_page_of_an_object_is_not(void)
{
	uint32_t object = allocate(1), child;

	OK(native_map(self, here, object, 0, (void *)FREE_AT, 1, RW));
	PAGE_IS(FREE_AT, RW, 1, 0, false);
	OK(native_map(self, here, object, 0, (void *)(FREE_AT + 4096), 1, ACCESS_READ));
	PAGE_IS(FREE_AT, RW, 2, 0, false);
	PAGE_IS(FREE_AT + 4096, ACCESS_READ, 2, 1, false);
	OK(native_unmap(self, here, (void *)FREE_AT, 1));
	PAGE_IS(FREE_AT + 4096, ACCESS_READ, 1, 0, false);
	OK(native_child(self, object, 0, 1, &child));
	PAGE_IS(FREE_AT + 4096, ACCESS_READ, 2, 0, false);
	/* With nobody left who could show it elsewhere, it is. */
	release(object);
	PAGE_IS(FREE_AT + 4096, ACCESS_READ, 1, 0, false);
	release(child);
	PAGE_IS(FREE_AT + 4096, ACCESS_READ, 0, 0, true);
	OK(native_unmap(self, here, (void *)(FREE_AT + 4096), 1));
}

static void a_page_that_another_space_shows_is_not(void)
{
	uint32_t other = load_empty("other", 64), caps[RING_CAPS], object;

	spawn_in(other, caps);
	OK(native_fresh(self, here, FREE_AT, 1, RW));
	PAGE_IS(FREE_AT, RW, 0, 0, true);
	OK(native_share(self, caps[1], here, FREE_AT, 1));
	PAGE_IS(FREE_AT, ACCESS_READ | ACCESS_PRIVATE, 1, 0, false);
	OK(native_unmap(self, caps[1], (void *)FREE_AT, 1));
	PAGE_IS(FREE_AT, ACCESS_READ | ACCESS_PRIVATE, 0, 0, true);
	OK(native_resolve(self, here, FREE_AT));
	PAGE_IS(FREE_AT, RW, 0, 0, true);
	OK(native_unmap(self, here, (void *)FREE_AT, 1));

	object = allocate(1);
	OK(native_map(self, here, object, 0, (void *)FREE_AT, 1, RW));
	OK(native_map(self, caps[1], object, 0, (void *)0x500000, 1, RW));
	release(object);
	PAGE_IS(FREE_AT, RW, 1, 1, false);
	end_all(caps); /* its address space goes with it */
	PAGE_IS(FREE_AT, RW, 0, 0, true);
	OK(native_unmap(self, here, (void *)FREE_AT, 1));
	release(other);
}

static void the_exokernels_pages_are_not(void)
{
	CHECK(&check, !page_description_get_exclusive(page((uintptr_t)self->ring)));
	CHECK(&check, !page_description_get_exclusive(page(PROGRAM_CAPSET)));
	CHECK(&check, page_description_get_mapped(page(PROGRAM_CAPSET)));
	CHECK(&check, page_description_get_access(page(PROGRAM_CAPSET)) == ACCESS_READ);
}

static void it_looks_nowhere_else(void)
{
	static const uint64_t outside[] = {
		PROGRAM_END, 0x800000000000, 0x900000000000, MODULE_REGION, MODULE_CAPSET,
		MODULE_REGION_END, 0xffff800000000000, 0xffffffff80100000, UINT64_MAX,
	};

	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		REFUSED(INVALID, ask(INSPECTOR_PAGE, outside[i], sizeof buffer));
		CHECK(&check, strcmp(native_reason(&last),
		                     "not in your part of the address space") == 0);
	}
	CHECK(&check, !page_description_get_mapped(page(0)));
	CHECK(&check, !page_description_get_mapped(page(PROGRAM_END - 1)));
}

static void it_refuses(void)
{
	struct native_call call;

	REFUSED(TOO_SMALL, ask(INSPECTOR_KINDS, 0, 0));
	REFUSED(TOO_SMALL, ask(INSPECTOR_KINDS, 0, 64));
	CHECK(&check, strcmp(native_reason(&last), "no room for one kind") == 0);
	REFUSED(TOO_SMALL, ask(INSPECTOR_CAPABILITIES, 0, 64));
	CHECK(&check, strcmp(native_reason(&last), "no room for one capability") == 0);
	REFUSED(TOO_SMALL, ask(INSPECTOR_LIBOS, 0, 16));
	REFUSED(TOO_SMALL, ask(INSPECTOR_PROCESS, 0, 16));
	REFUSED(TOO_SMALL, ask(INSPECTOR_PAGE, FREE_AT, 8));
	REFUSED(NO_METHOD, ask(INSPECTOR_PAGE + 1, 0, sizeof buffer));
	REFUSED(NO_METHOD, ask(UINT16_MAX, 0, sizeof buffer));
	native_call(&call, self, inspector, LIBOS_ID, 0);
	REFUSED(NO_METHOD, native_send(&call));
	native_call(&call, self, inspector, INSPECTOR_ID, INSPECTOR_PAGE);
	(void)capnp_init_root(&call.params, 1, 0);
	call.params.used -= 8;
	REFUSED(BAD_MESSAGE, native_send(&call));
	native_call(&call, self, inspector, INSPECTOR_ID, INSPECTOR_LIBOS);
	(void)native_attach(&call, 0x7fff7fff);
	REFUSED(NO_CAP, native_send(&call));
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		it_describes_the_libos, other_liboses_are_a_number, it_describes_the_process,
		kinds_add_up, memory_is_counted_as_what_it_is, names_are_the_capsets, lists_come_whole_in_parts,
		leases_are_seen_through, facets_are_what_they_speak,
		past_the_end_is_nothing, a_page_of_ones_own_is_exclusive,
		a_page_of_an_object_is_not, a_page_that_another_space_shows_is_not,
		the_exokernels_pages_are_not, it_looks_nowhere_else, it_refuses,
	};
	start(given, "inspector");
	inspector = native_find(self, "inspector");
	run(steps, sizeof steps / sizeof steps[0]);
}
