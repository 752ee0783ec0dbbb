/* stages.h: programs of other libOSes, for tests. The test program is its own
 * second stage: started again under another libOS, with an argument that is no
 * bundle's size, its native_main() goes to a stage instead of the steps. Stages
 * and steps see one page in common, the board. */
#pragma once

#include "test/boot/native/spawn.h"

#include "abi/libos.capnp.h"

#define STAGE(number, value) (0x5700000000000000 | (uint64_t)(number) << 48 | (value))
#define IS_STAGE(argument) ((argument) >> 56 == 0x57)
#define STAGE_NUMBER(argument) ((argument) >> 48 & 0xff)
#define STAGE_VALUE(argument) ((argument) & 0xffffffffffff)

struct board {
	volatile uint32_t done, go;
	volatile uint32_t status[16], number[16];
	volatile char text[64];
};
#define BOARD ((struct board *)0x200000000)

enum { STAGE_PAGES = 128 };

static const uint64_t ten_seconds = 10000000000;
static uint32_t board_object;

struct load {
	const char *id;
	uint32_t image;
	uint64_t size, pages, timeout;
	bool isolated;
	uint32_t pids, liboses, ledger;
	unsigned count;
	const char *names[RING_CAPS];
	uint32_t caps[RING_CAPS];
};

MUST_CHECK static inline enum status load_by(struct native *me, const struct load *l,
                                             uint32_t *libos)
{
	struct native_call call;
	native_call(&call, me, native_find(me, "libos-table") ? native_find(me, "libos-table")
	                                                      : native_find(me, "libos"),
	            LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, capnp_text_from(l->id));
	if (l->image != 0)
		libos_table_load_params_set_image(params, native_attach(&call, l->image));
	libos_table_load_params_set_size(params, l->size);
	libos_table_load_params_set_pages(params, l->pages ? l->pages : STAGE_PAGES);
	libos_table_load_params_set_timeout_ns(params, l->timeout ? l->timeout : ten_seconds);
	libos_table_load_params_set_isolated(params, l->isolated);
	libos_table_load_params_set_pids(params, l->pids);
	libos_table_load_params_set_liboses(params, l->liboses);
	if (l->ledger != 0)
		libos_table_load_params_set_ledger(params, native_attach(&call, l->ledger));
	if (l->count > 0) {
		struct capnp_list_builder list =
		        libos_table_load_params_init_capabilities(params, l->count);
		for (unsigned i = 0; i < l->count; i++) {
			struct named_capability_builder named = named_capability_list_build(list, i);
			named_capability_set_name(named, capnp_text_from(l->names[i]));
			if (l->caps[i] != 0)
				named_capability_set_object(named, native_attach(&call, l->caps[i]));
		}
	}
	enum status status = native_send(&call);
	*libos = call.caps[0];
	return status;
}

struct row {
	uint32_t count; /* of the whole table */
	uint32_t processes, capabilities, pids, liboses;
	bool found, isolated;
};

static inline struct row row_of(const char *id)
{
	struct native_call call;
	struct libos_table_list_results_reader results;
	struct capnp_list entries = { .count = 0 };
	struct row row = { 0 };
	native_call(&call, self, native_find(self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LIST);
	(void)libos_table_list_params_build(&call.params);
	OK(native_send(&call));
	OK(libos_table_list_results_read(call.results, call.results_size, &results));
	OK(libos_table_list_results_get_entries(results, &entries));
	row.count = entries.count;
	for (uint32_t i = 0; i < entries.count; i++) {
		struct libos_entry_reader entry = libos_entry_list_get(entries, i);
		struct capnp_text name = { "", 0 };
		OK(libos_entry_get_id(entry, &name));
		if (__builtin_strcmp(name.bytes, id) != 0)
			continue;
		row.found = true;
		row.processes = libos_entry_get_processes(entry);
		row.capabilities = libos_entry_get_capabilities(entry);
		row.pids = libos_entry_get_pids(entry);
		row.liboses = libos_entry_get_liboses(entry);
		row.isolated = libos_entry_get_isolated(entry);
	}
	return row;
}

static inline void until_gone(const char *id)
{
	for (unsigned tries = 0; row_of(id).found; tries++) {
		if (tries == 20000) {
			CHECK(&check, !row_of(id).found);
			return;
		}
		nap(1000000);
	}
}

/* `program` 0: none. */
MUST_CHECK static inline enum status become(struct native *me, uint32_t libos, uint64_t argument,
                                            uint32_t pid, uint32_t program, uint64_t size)
{
	struct native_call call;
	native_call(&call, me, libos, LIBOS_ID, LIBOS_BECOME);
	struct libos_become_params_builder params = libos_become_params_build(&call.params);
	libos_become_params_set_argument(params, argument);
	libos_become_params_set_pid(params, pid);
	libos_become_params_set_size(params, size);
	if (program != 0)
		libos_become_params_set_program(params, native_attach(&call, program));
	return native_send(&call);
}

MUST_CHECK static inline enum status grant_libos(uint32_t libos, const char *name,
                                                 uint32_t object)
{
	struct native_call call;
	native_call(&call, self, libos, LIBOS_ID, LIBOS_GRANT);
	struct libos_grant_params_builder params = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(params, capnp_text_from(name));
	if (object != 0)
		libos_grant_params_set_object(params, native_attach(&call, object));
	return native_send(&call);
}

MUST_CHECK static inline enum status spawn_under(uint32_t libos, uint32_t pid, uint64_t entry,
                                                 struct native_child *child)
{
	struct native_call call;
	native_call(&call, self, libos, LIBOS_ID, LIBOS_SPAWN);
	struct libos_spawn_params_builder params = libos_spawn_params_build(&call.params);
	struct thread_start_builder start = libos_spawn_params_init_start(params);
	thread_start_set_entry(start, entry);
	thread_start_set_stack(start, 0x500000);
	libos_spawn_params_set_pid(params, pid);
	enum status status = native_send(&call);
	struct libos_spawn_results_reader results;
	if (status == STATUS_OK)
		status = libos_spawn_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		*child = (struct native_child){ call.caps[0], call.caps[1], call.caps[2],
			libos_spawn_results_get_pid(results) };
	return status;
}

/* What a child does that is to be a stage: it goes over. */
static inline int goes_over(struct native *me)
{
	uint64_t argument = me->argument & ~(0xffull << 40);
	uint32_t pid = me->argument >> 40 & 0xff;
	return (int)become(me, native_find(me, "target"), argument, pid,
	                   native_find(me, "program"), STAGE_VALUE(argument));
}

/* A child that goes over to the libOS, as stage `number`: its value is the
 * bundle's size. The old process is waited for. */
static inline void send_over(uint32_t libos, unsigned number, uint32_t pid)
{
	struct native_child child =
	        spawned(goes_over, STAGE(number, self->argument | (uint64_t)pid << 40));
	OK(native_grant(self, child.process, "target", libos));
	OK(native_grant(self, child.process, "program", native_find(self, "bundle")));
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_MOVED, 0);
}

/* A libOS with an empty module, and stage `number` running under it with the
 * board and what else is named. */
static inline uint32_t stage_under(struct load *l, unsigned number)
{
	uint32_t libos = 0;
	l->names[l->count] = "board";
	l->caps[l->count++] = board_object;
	OK(load_by(self, l, &libos));
	send_over(libos, number, l->isolated);
	return libos;
}

static inline void stage_start(struct native *me)
{
	self = me;
	if (native_map(me, native_find(me, "space"), native_find(me, "board"), 0, BOARD, 1, RW) !=
	    STATUS_OK)
		ring_exit(99);
}

static inline void board_start(void)
{
	board_object = allocate(1);
	OK(native_map(self, here, board_object, 0, BOARD, 1, RW));
}

static inline void board_clear(void)
{
	__builtin_memset((void *)BOARD, 0, sizeof *BOARD);
}

static inline void until_set(volatile uint32_t *flag)
{
	for (unsigned tries = 0; *flag == 0 && tries < 20000; tries++)
		nap(1000000);
	CHECK(&check, *flag != 0);
}

static inline uint32_t pid_of(struct native *me)
{
	struct native_call call;
	struct process_info_results_reader results;
	native_call(&call, me, native_find(me, "self"), PROCESS_ID, PROCESS_INFO);
	(void)process_info_params_build(&call.params);
	if (native_send(&call) != STATUS_OK ||
	    process_info_results_read(call.results, call.results_size, &results) != STATUS_OK)
		return 0;
	return process_info_results_get_pid(results);
}
