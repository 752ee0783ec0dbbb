/* handover.c: a libOS's module that looks about once PID 1 has become its first
 * process: NONE is gone from the table, the IIS's capabilities are gone with
 * it, and what the manifest and the IIS gave is there, and no more. Booted by
 * the real IIS with handover.capnp; libos_table.c has seen the table before. */
#include "abi/console.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/module.h"
#include "abi/power.capnp.h"
#include "abi/process.capnp.h"
#include "rt/capset.h"
#include "rt/module_string.h"
#include "rt/ring.h"

/* The module's head: it is entered at the start, and nowhere else. */
__asm__(".section .head, \"ax\", @progbits\n"
        ".globl module_head\n"
        ".balign 16\n"
        "module_head: jmp handover_start\n"
        ".balign 16\n ud2\n"
        ".balign 16\n ud2\n"
        ".balign 16\n .quad handover_stack + 16384\n"
        ".text");

_Alignas(64) uint8_t handover_stack[16384];
_Noreturn void handover_start(uint64_t argument);

static struct ring *const ring = (struct ring *)MODULE_FIRST_RING;
static const struct capset *const capset = (const struct capset *)MODULE_CAPSET;
static uint64_t params[64], results[512];
static uint32_t failures;

static uint32_t find(const char *name)
{
	return capset_find(capset, name);
}

static enum status call(const char *name, uint64_t interface, uint16_t method, size_t size,
                        uint32_t *results_size)
{
	struct ring_call c = {
		.cap = find(name), .method = method, .interface = interface, .params = params,
		.params_size = (uint32_t)size, .results = results, .results_size = sizeof results,
	};
	enum status status = ring_call(ring, &c);
	*results_size = c.results_size;
	return status;
}

static void print(const char *text)
{
	struct capnp_builder b;
	uint32_t size;
	capnp_builder_start(&b, params, sizeof params);
	console_write_params_set_data(console_write_params_build(&b),
	                              capnp_data_from(text, strlen(text)));
	(void)!call("console", CONSOLE_ID, CONSOLE_WRITE, capnp_builder_size(&b), &size);
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	failures++;
	print("handover: wrong: ");
	print(what);
	print("\n");
}

static void only_this_libos_is_left(void)
{
	struct libos_table_list_results_reader table;
	struct capnp_list entries = { .count = 0 };
	struct capnp_text id = { "", 0 };
	uint32_t size;
	check(call("table", LIBOS_TABLE_ID, LIBOS_TABLE_LIST, 0, &size) == STATUS_OK &&
	      libos_table_list_results_read(results, size, &table) == STATUS_OK &&
	      libos_table_list_results_get_entries(table, &entries) == STATUS_OK,
	      "the table can be listed");
	check(entries.count == 1, "one libOS is left");
	struct libos_entry_reader entry = libos_entry_list_get(entries, 0);
	check(libos_entry_get_id(entry, &id) == STATUS_OK && strcmp(id.bytes, "probe") == 0,
	      "it is this one");
	check(libos_entry_get_processes(entry) == 1, "it has one process");
	check(libos_entry_get_module_bytes(entry) > 0, "it has a module");
	check(libos_entry_get_capabilities(entry) == capset->count, "it holds what is in the CapSet");
}

static void this_is_pid_1(void)
{
	struct process_info_results_reader info = { .s = { .data = NULL } };
	struct capnp_text libos = { "", 0 };
	uint32_t size;
	check(call("self", PROCESS_ID, PROCESS_INFO, 0, &size) == STATUS_OK &&
	      process_info_results_read(results, size, &info) == STATUS_OK,
	      "the process can be asked");
	check(process_info_results_get_pid(info) == 1, "it is PID 1");
	check(process_info_results_get_threads(info) == 1, "it has one thread");
	check(process_info_results_get_libos(info, &libos) == STATUS_OK &&
	      strcmp(libos.bytes, "probe") == 0, "it is under this libOS");
}

static void what_was_given_is_there(void)
{
	static const char *const given[] = {
		"console", "table", "power", "initrd", "start", "libos", "self", "space", "thread",
		"inspector",
		"module", "modules",
	};
	enum { COUNT = sizeof given / sizeof given[0] };
	for (size_t i = 0; i < COUNT; i++)
		check(find(given[i]) != 0, given[i]);
	check(capset->count == COUNT, "nothing else was given");
}

/* "start" begins with the sizes of the initrd and of the manifest. */
static void the_start_says_how_much(void)
{
	struct capnp_builder b;
	struct memory_object_read_results_reader reader;
	struct capnp_data data = { NULL, 0 };
	uint32_t size;
	capnp_builder_start(&b, params, sizeof params);
	memory_object_read_params_set_count(memory_object_read_params_build(&b), 16);
	check(call("start", MEMORY_OBJECT_ID, MEMORY_OBJECT_READ, capnp_builder_size(&b), &size) ==
	              STATUS_OK &&
	      memory_object_read_results_read(results, size, &reader) == STATUS_OK &&
	      memory_object_read_results_get_data(reader, &data) == STATUS_OK && data.size == 16,
	      "start can be read");
	uint64_t sizes[2] = { 0, 0 };
	memcpy(sizes, data.bytes, data.size <= sizeof sizes ? data.size : 0);
	check(sizes[0] > 110 && sizes[1] > 32 && sizes[1] % 8 == 0, "start holds two sizes");
}

_Noreturn void handover_start(uint64_t argument)
{
	struct capnp_builder b;
	uint32_t size;
	(void)argument;
	only_this_libos_is_left();
	this_is_pid_1();
	what_was_given_is_there();
	the_start_says_how_much();
	print(failures == 0 ? "handover: ok\n" : "handover: FAILED\n");
	capnp_builder_start(&b, params, sizeof params);
	power_off_params_set_status(power_off_params_build(&b), failures != 0);
	(void)!call("power", POWER_ID, POWER_OFF, capnp_builder_size(&b), &size);
	ring_exit(1);
}
