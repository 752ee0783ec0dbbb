/* inspect.c: a libOS that was given the table of libOSes, memory and an
 * Inspector, but not all that NONE holds, and wants to start a libOS that holds
 * more. It asks the Inspector everything, as a module and by the authority of its
 * own domain, and grants the new libOS every number it was told. Only what it
 * holds itself passes, and that it could have granted without asking.
 * Booted by the real IIS with inspect.capnp. */
#include "abi/console.capnp.h"
#include "abi/entropy.capnp.h"
#include "abi/inspector.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/module.h"
#include "abi/power.capnp.h"
#include "abi/space.capnp.h"
#include "rt/capset.h"
#include "rt/module_string.h"
#include "rt/ring.h"

/* The module's head: it is entered at the start, and nowhere else. */
__asm__(".section .head, \"ax\", @progbits\n"
        ".globl module_head\n"
        ".balign 16\n"
        "module_head: jmp inspect_start\n"
        ".balign 16\n ud2\n"
        ".balign 16\n ud2\n"
        ".balign 16\n .quad inspect_stack + 16384\n"
        ".text");

enum { NUMBERS_MAX = 2048, PAGES = 128 };

_Alignas(64) uint8_t inspect_stack[16384];
_Noreturn void inspect_start(uint64_t argument);

static struct ring *const ring = (struct ring *)MODULE_FIRST_RING;
static const struct capset *const capset = (const struct capset *)MODULE_CAPSET;
static uint64_t params[64], results[512];
static uint32_t numbers[NUMBERS_MAX];
static uint32_t number_count, failures;

static uint32_t find(const char *name)
{
	return capset_find(capset, name);
}

/* `with` 0: nothing travels. *came: the capability that the answer brings. */
static enum status call(uint32_t cap, uint64_t interface, uint16_t method, size_t size,
                        uint32_t with, uint32_t *came, uint32_t *results_size)
{
	struct ring_call c = {
		.cap = cap, .method = method, .interface = interface, .params = params,
		.params_size = (uint32_t)size, .results = results, .results_size = sizeof results,
		.caps_count = with != 0, .caps = { with },
	};
	enum status status = ring_call(ring, &c);

	*came = c.caps[0];
	*results_size = c.results_size;
	return status;
}

static void print(const char *text)
{
	struct capnp_builder b;
	uint32_t came, size;

	capnp_builder_start(&b, params, sizeof params);
	console_write_params_set_data(console_write_params_build(&b),
	                              capnp_data_from(text, strlen(text)));
	(void)!call(find("console"), CONSOLE_ID, CONSOLE_WRITE, capnp_builder_size(&b), 0, &came,
	            &size);
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	failures++;
	print("inspect: wrong: ");
	print(what);
	print("\n");
}

static void keep(uint32_t number)
{
	for (uint32_t i = 0; i < number_count; i++)
		if (numbers[i] == number)
			return;
	if (number != 0 && number_count < NUMBERS_MAX)
		numbers[number_count++] = number;
}

/* Asks, and keeps each number of the answer: itself, and as slots of a table. */
static uint32_t ask(uint16_t method, uint64_t parameter)
{
	uint32_t came, size;
	enum status status;

	params[0] = (uint64_t)1 << 32;
	params[1] = parameter;
	status = call(find("inspector"), INSPECTOR_ID, method, 16, 0, &came, &size);
	check(status == STATUS_OK, "the Inspector answers");
	check(came == 0, "no capability comes with an answer");
	for (uint32_t i = 0; i < size / 8; i++)
		for (unsigned shift = 0; shift < 64; shift += 32) {
			keep((uint32_t)(results[i] >> shift));
			keep(1u << 12 | (uint16_t)(results[i] >> shift));
			keep(2u << 12 | (uint16_t)(results[i] >> shift));
		}
	return size;
}

/* How many of these a libOS holds, as the table tells it; -1: there is none. */
static int64_t capabilities_of(const char *id)
{
	struct libos_table_list_results_reader table;
	struct capnp_list entries = { .count = 0 };
	uint32_t came, size;

	if (call(find("table"), LIBOS_TABLE_ID, LIBOS_TABLE_LIST, 0, 0, &came, &size) != STATUS_OK ||
	    libos_table_list_results_read(results, size, &table) != STATUS_OK ||
	    libos_table_list_results_get_entries(table, &entries) != STATUS_OK)
		return -1;
	for (uint32_t i = 0; i < entries.count; i++) {
		struct libos_entry_reader entry = libos_entry_list_get(entries, i);
		struct capnp_text text;
		if (libos_entry_get_id(entry, &text) == STATUS_OK && strcmp(text.bytes, id) == 0)
			return libos_entry_get_capabilities(entry);
	}
	return -1;
}

/* A module sees its own region, and is told that all processes show it. */
static void look_at_the_region(void)
{
	struct inspector_page_results_reader answer;
	struct page_description_reader page = { .s = { .data = NULL } };
	uint32_t size = ask(INSPECTOR_PAGE, (uintptr_t)params);

	check(inspector_page_results_read(results, size, &answer) == STATUS_OK &&
	      inspector_page_results_get_page(answer, &page) == STATUS_OK &&
	      page_description_get_mapped(page) &&
	      page_description_get_access(page) == (ACCESS_READ | ACCESS_WRITE),
	      "the module's data is mapped");
	check(!page_description_get_exclusive(page), "no page of a region is exclusive");
}

/* All interfaces that it is told of are those of what was given. */
static void look(void)
{
	struct inspector_kinds_results_reader answer;
	struct capnp_list kinds = { .count = 0 };
	uint32_t size;

	(void)ask(INSPECTOR_LIBOS, 0);
	(void)ask(INSPECTOR_PROCESS, 0);
	(void)ask(INSPECTOR_CAPABILITIES, 0);
	look_at_the_region();
	size = ask(INSPECTOR_KINDS, 0);
	check(inspector_kinds_results_read(results, size, &answer) == STATUS_OK &&
	      inspector_kinds_results_get_kinds(answer, &kinds) == STATUS_OK && kinds.count > 5 &&
	      inspector_kinds_results_get_next(answer) == 0, "the kinds can be listed");
	for (uint32_t i = 0; i < kinds.count; i++)
		check(kind_get_interface(kind_list_get(kinds, i)) != ENTROPY_ID,
		      "what was not given is not held");
}

static uint32_t load(const char *id)
{
	struct capnp_builder b;
	uint32_t came, size;
	enum status status;

	capnp_builder_start(&b, params, sizeof params);
	struct libos_table_load_params_builder p = libos_table_load_params_build(&b);
	libos_table_load_params_set_id(p, capnp_text_from(id));
	libos_table_load_params_set_pages(p, PAGES);
	libos_table_load_params_set_timeout_ns(p, UINT64_MAX);
	status = call(find("table"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD, capnp_builder_size(&b), 0,
	              &came, &size);
	check(status == STATUS_OK, "a libOS can be loaded");
	return came;
}

static enum status grant(uint32_t libos, uint32_t number)
{
	char name[] = "c00000000";
	struct capnp_builder b;
	uint32_t came, size;

	for (unsigned i = 0; i < 8; i++)
		name[1 + i] = "0123456789abcdef"[number >> (28 - 4 * i) & 15];
	capnp_builder_start(&b, params, sizeof params);
	struct libos_grant_params_builder p = libos_grant_params_build(&b);
	libos_grant_params_set_name(p, capnp_text_from(name));
	libos_grant_params_set_object(p, 0);
	return call(libos, LIBOS_ID, LIBOS_GRANT, capnp_builder_size(&b), number, &came, &size);
}

static bool is_ours(uint32_t number, uint32_t hostile)
{
	for (uint32_t i = 0; i < capset->count; i++)
		if (capset->entries[i].cap == number)
			return true;
	return number == hostile;
}

static void launch(void)
{
	uint32_t hostile = load("hostile"), granted = 0;

	check(capabilities_of("hostile") == 0, "it starts with nothing");
	for (uint32_t i = 0; i < number_count; i++) {
		enum status status = grant(hostile, numbers[i]);
		bool ours = is_ours(numbers[i], hostile);
		check(status == (ours ? STATUS_OK : STATUS_NO_CAP), "only what is held can be granted");
		granted += status == STATUS_OK;
	}
	check(capabilities_of("hostile") == granted, "it holds what it was granted");
	check(granted > 0, "its own can be granted");
	check(granted <= capset->count + 1, "it holds no more than we do");
	check(number_count > 50, "enough was tried");
	/* The grants do work: with what is ours, not with what was never given. */
	check(grant(hostile, 0x7fff0001) == STATUS_NO_CAP, "no capability, no grant");
	check(find("entropy") == 0 && find("bundle") == 0, "there is something to want");
}

_Noreturn void inspect_start(uint64_t argument)
{
	struct capnp_builder b;
	uint32_t came, size;

	(void)argument;
	look();
	launch();
	print(failures == 0 ? "inspect: ok\n" : "inspect: FAILED\n");
	capnp_builder_start(&b, params, sizeof params);
	power_off_params_set_status(power_off_params_build(&b), failures != 0);
	(void)!call(find("power"), POWER_ID, POWER_OFF, capnp_builder_size(&b), 0, &came, &size);
	ring_exit(1);
}
