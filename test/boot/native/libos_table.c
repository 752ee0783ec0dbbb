/* libos_table.c: what LibosTable and Libos promise, seen from NONE: loading,
 * refusing, unloading after the timeout, isolation, and no memory lost by any
 * of it. (Going over to a libOS is seen by handover, a module.) */
#include "test/boot/native/check.h"

#include "abi/libos.capnp.h"
#include "abi/process.capnp.h"
#include "abi/timer.capnp.h"
#include "rt/ring.h"

enum { TABLE_MOST = 64, LEDGER_PAGES = 64 };

static const uint64_t soon = 50000000, later = 10000000000; /* 50 ms, 10 s */

struct table {
	uint32_t count;
	struct { char id[32]; uint32_t processes; uint64_t module_bytes; bool isolated; } entries[TABLE_MOST];
};

static struct check check;
static struct table table;

static void list(void)
{
	struct native_call call;
	struct libos_table_list_results_reader results;
	struct capnp_list entries = { .count = 0 };
	native_call(&call, check.self, native_find(check.self, "libos"), LIBOS_TABLE_ID,
	            LIBOS_TABLE_LIST);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	CHECK_STATUS(&check, STATUS_OK,
	             libos_table_list_results_read(call.results, call.results_size, &results));
	CHECK_STATUS(&check, STATUS_OK, libos_table_list_results_get_entries(results, &entries));
	table.count = entries.count;
	for (uint32_t i = 0; i < entries.count && i < TABLE_MOST; i++) {
		struct libos_entry_reader entry = libos_entry_list_get(entries, i);
		struct capnp_text id;
		CHECK_STATUS(&check, STATUS_OK, libos_entry_get_id(entry, &id));
		for (size_t c = 0; c <= id.length && c < sizeof table.entries[i].id; c++)
			table.entries[i].id[c] = id.bytes[c];
		table.entries[i].processes = libos_entry_get_processes(entry);
		table.entries[i].module_bytes = libos_entry_get_module_bytes(entry);
		table.entries[i].isolated = libos_entry_get_isolated(entry);
	}
}

static bool listed(const char *id)
{
	list();
	for (uint32_t i = 0; i < table.count; i++)
		if (__builtin_strcmp(table.entries[i].id, id) == 0)
			return true;
	return false;
}

/* `image` 0: an empty module. */
static enum status load(const char *id, uint32_t image, uint64_t size, uint64_t pages,
                        uint64_t timeout, bool isolated, uint32_t *libos)
{
	struct native_call call;
	struct libos_table_load_results_reader results;
	uint32_t index;
	native_call(&call, check.self, native_find(check.self, "libos"), LIBOS_TABLE_ID,
	            LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, capnp_text_from(id));
	if (image != 0)
		libos_table_load_params_set_image(params, native_attach(&call, image));
	libos_table_load_params_set_size(params, size);
	libos_table_load_params_set_pages(params, pages);
	libos_table_load_params_set_timeout_ns(params, timeout);
	libos_table_load_params_set_isolated(params, isolated);
	enum status status = native_send(&call);
	if (status != STATUS_OK)
		return status;
	if (libos_table_load_results_read(call.results, call.results_size, &results) != STATUS_OK ||
	    libos_table_load_results_get_libos(results, &index) != STATUS_OK)
		return STATUS_BAD_MESSAGE;
	*libos = call.caps[index % RING_CAPS];
	return STATUS_OK;
}

static enum status grant(uint32_t libos, const char *name, uint32_t object)
{
	struct native_call call;
	native_call(&call, check.self, libos, LIBOS_ID, LIBOS_GRANT);
	struct libos_grant_params_builder params = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(params, capnp_text_from(name));
	if (object != 0)
		libos_grant_params_set_object(params, native_attach(&call, object));
	return native_send(&call);
}

static enum status space_of(uint32_t libos)
{
	struct native_call call;
	native_call(&call, check.self, libos, LIBOS_ID, LIBOS_SPACE);
	return native_send(&call);
}

/* `process` 0: none comes along. */
static enum status thread_of(uint32_t libos, uint32_t process)
{
	struct native_call call;
	native_call(&call, check.self, libos, LIBOS_ID, LIBOS_THREAD);
	struct libos_thread_params_builder params = libos_thread_params_build(&call.params);
	(void)libos_thread_params_init_start(params);
	if (process != 0)
		libos_thread_params_set_process(params, native_attach(&call, process));
	return native_send(&call);
}

static enum status become(uint32_t libos)
{
	struct native_call call;
	native_call(&call, check.self, libos, LIBOS_ID, LIBOS_BECOME);
	(void)libos_become_params_build(&call.params);
	return native_send(&call);
}

/* A process that is never started; its capabilities: process, space, thread. */
static enum status spawn(uint32_t libos, uint32_t pid, uint32_t *caps)
{
	struct native_call call;
	native_call(&call, check.self, libos, LIBOS_ID, LIBOS_SPAWN);
	struct libos_spawn_params_builder params = libos_spawn_params_build(&call.params);
	struct thread_start_builder start = libos_spawn_params_init_start(params);
	thread_start_set_entry(start, 0x400000);
	libos_spawn_params_set_pid(params, pid);
	enum status status = native_send(&call);
	for (uint32_t i = 0; i < RING_CAPS; i++)
		caps[i] = call.caps[i];
	return status;
}

static enum status kill(uint32_t process)
{
	struct native_call call;
	native_call(&call, check.self, process, PROCESS_ID, PROCESS_KILL);
	process_kill_params_set_code(process_kill_params_build(&call.params), 9);
	return native_send(&call);
}

static void sleep(uint64_t nanoseconds)
{
	struct native_call call;
	struct timer_now_results_reader now;
	uint32_t timer = native_find(check.self, "timer");
	native_call(&call, check.self, timer, TIMER_ID, TIMER_NOW);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	CHECK_STATUS(&check, STATUS_OK, timer_now_results_read(call.results, call.results_size, &now));
	uint64_t until = timer_now_results_get_monotonic(now) + nanoseconds;
	native_call(&call, check.self, timer, TIMER_ID, TIMER_SLEEP);
	timer_sleep_params_set_until(timer_sleep_params_build(&call.params), until);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
}

static void release(uint32_t cap)
{
	CHECK_STATUS(&check, STATUS_OK, ring_release(check.self->ring, cap));
}

static uint64_t available(void)
{
	uint64_t pages = 0;
	CHECK_STATUS(&check, STATUS_OK,
	             native_available(check.self, native_find(check.self, "memory"), &pages));
	return pages;
}

static void at_first_there_is_none(void)
{
	list();
	CHECK(&check, table.count == 1);
	CHECK(&check, listed("NONE"));
	CHECK(&check, table.entries[0].processes == 1);
	CHECK(&check, table.entries[0].module_bytes == 0);
	CHECK(&check, !table.entries[0].isolated);
}

static void a_name_can_be_taken_once(void)
{
	uint32_t libos, second;
	CHECK_STATUS(&check, STATUS_OK, load("probe", 0, 0, LEDGER_PAGES, soon, false, &libos));
	CHECK(&check, listed("probe") && table.count == 2);
	CHECK_STATUS(&check, STATUS_EXISTS, load("probe", 0, 0, LEDGER_PAGES, soon, false, &second));
	CHECK_STATUS(&check, STATUS_EXISTS, load("NONE", 0, 0, LEDGER_PAGES, soon, false, &second));
	list();
	CHECK(&check, table.count == 2);
	sleep(2 * soon);
	CHECK(&check, !listed("probe"));
	CHECK_STATUS(&check, STATUS_GONE, grant(libos, "x", native_find(check.self, "timer")));
	release(libos);
}

static void bad_ids_are_refused(void)
{
	uint32_t libos;
	CHECK_STATUS(&check, STATUS_INVALID, load("", 0, 0, LEDGER_PAGES, soon, false, &libos));
	CHECK_STATUS(&check, STATUS_INVALID, load("a b", 0, 0, LEDGER_PAGES, soon, false, &libos));
	CHECK_STATUS(&check, STATUS_INVALID, load("a/b", 0, 0, LEDGER_PAGES, soon, false, &libos));
	CHECK_STATUS(&check, STATUS_INVALID,
	             load("a-name-that-is-much-too-long-for-the-table-of-library-systems", 0, 0,
	                  LEDGER_PAGES, soon, false, &libos));
	CHECK(&check, (list(), table.count == 1));
}

static void bad_images_are_refused(void)
{
	uint32_t libos, zeroes;
	CHECK_STATUS(&check, STATUS_OK,
	             native_allocate(check.self, native_find(check.self, "memory"), 2, &zeroes));
	CHECK_STATUS(&check, STATUS_BAD_MESSAGE,
	             load("bad", zeroes, 8192, LEDGER_PAGES, soon, false, &libos));
	CHECK(&check, load("bad", zeroes, 8193, LEDGER_PAGES, soon, false, &libos) != STATUS_OK);
	CHECK(&check, load("bad", zeroes, 0, LEDGER_PAGES, soon, false, &libos) != STATUS_OK);
	CHECK(&check, load("bad", zeroes, UINT64_MAX, LEDGER_PAGES, soon, false, &libos) != STATUS_OK);
	CHECK(&check, load("bad", native_find(check.self, "timer"), 4096, LEDGER_PAGES, soon, false,
	                   &libos) != STATUS_OK);
	/* This program itself: an image, but not for the module region. */
	CHECK_STATUS(&check, STATUS_BAD_MESSAGE,
	             load("bad", native_find(check.self, "bundle"), 65536, LEDGER_PAGES, soon, false,
	                  &libos));
	CHECK(&check, (list(), table.count == 1));
	release(zeroes);
}

static void more_memory_than_there_is_is_refused(void)
{
	uint32_t libos;
	CHECK_STATUS(&check, STATUS_NO_MEMORY,
	             load("big", 0, 0, available() + 1, soon, false, &libos));
	CHECK_STATUS(&check, STATUS_NO_MEMORY, load("big", 0, 0, UINT64_MAX, soon, false, &libos));
	CHECK(&check, (list(), table.count == 1));
}

static void grants_have_names_of_their_own(void)
{
	uint32_t libos, timer = native_find(check.self, "timer");
	CHECK_STATUS(&check, STATUS_OK, load("probe", 0, 0, LEDGER_PAGES, soon, false, &libos));
	CHECK_STATUS(&check, STATUS_OK, grant(libos, "clock", timer));
	CHECK_STATUS(&check, STATUS_EXISTS, grant(libos, "clock", timer));
	CHECK_STATUS(&check, STATUS_NO_CAP, grant(libos, "nothing", 0));
	CHECK(&check, grant(libos, "", timer) != STATUS_OK);
	CHECK(&check, grant(libos, "a-name-that-is-longer-than-a-CapSet-has-room-for", timer) !=
	                      STATUS_OK);
	sleep(2 * soon);
	release(libos);
}

/* Its CapSet keeps places for what the exokernel names itself: seven of 63. */
static void a_capset_fills(void)
{
	uint32_t libos, own = native_find(check.self, "memory"), count = 0, caps[RING_CAPS];
	enum status status = STATUS_OK;

	CHECK_STATUS(&check, STATUS_OK, load("full", 0, 0, LEDGER_PAGES, ~0ull, false, &libos));
	while (count < CAPSET_MAX && status == STATUS_OK) {
		char name[] = { 'n', (char)('a' + count / 26), (char)('a' + count % 26), '\0' };

		status = grant(libos, name, own);
		count += status == STATUS_OK;
	}
	CHECK_STATUS(&check, STATUS_NO_SLOT, status);
	CHECK(&check, count == CAPSET_MAX - 7);
	CHECK_STATUS(&check, STATUS_NO_CAP, grant(libos, "none", 0));
	CHECK_STATUS(&check, STATUS_NOT_FOUND, space_of(libos));
	CHECK_STATUS(&check, STATUS_NO_CAP, thread_of(libos, 0));
	CHECK_STATUS(&check, STATUS_NO_CAP, thread_of(libos, own));
	CHECK_STATUS(&check, STATUS_DENIED, thread_of(libos, native_find(check.self, "self")));
	CHECK_STATUS(&check, STATUS_OK, spawn(libos, 0, caps));
	CHECK_STATUS(&check, STATUS_DENIED, grant(libos, "late", own));
	for (unsigned i = 0; i < 3; i++)
		release(caps[i]);
	CHECK(&check, !listed("full"));
	release(libos);
}

static void nothing_becomes_an_empty_module(void)
{
	uint32_t libos;
	CHECK_STATUS(&check, STATUS_OK, load("probe", 0, 0, LEDGER_PAGES, soon, false, &libos));
	CHECK(&check, become(libos) != STATUS_OK);
	sleep(2 * soon);
	release(libos);
}

static void isolated_libos_starts_with_pid_1(void)
{
	uint32_t libos, caps[RING_CAPS];
	CHECK_STATUS(&check, STATUS_OK, load("alone", 0, 0, LEDGER_PAGES, later, true, &libos));
	CHECK(&check, listed("alone") && table.entries[1].isolated);
	CHECK(&check, spawn(libos, 2, caps) != STATUS_OK);
	CHECK_STATUS(&check, STATUS_OK, spawn(libos, 1, caps));
	CHECK(&check, listed("alone") && table.entries[1].processes == 1);
	CHECK_STATUS(&check, STATUS_OK, kill(caps[0]));
	CHECK(&check, !listed("alone"));
	for (uint32_t i = 0; i < 3; i++)
		release(caps[i]);
	release(libos);
}

static void the_table_fills_and_empties(void)
{
	uint32_t libos[TABLE_MOST], count = 0;
	enum status status = STATUS_OK;
	while (count < TABLE_MOST) {
		char id[] = { 'p', (char)('a' + count / 26), (char)('a' + count % 26), '\0' };
		status = load(id, 0, 0, LEDGER_PAGES, 10 * soon, false, &libos[count]);
		if (status != STATUS_OK)
			break;
		count++;
	}
	CHECK_STATUS(&check, STATUS_NO_SLOT, status);
	sleep(20 * soon);
	CHECK(&check, (list(), table.count == 1));
	while (count > 0)
		release(libos[--count]);
}

int native_main(struct native *self)
{
	static void (*const steps[])(void) = {
		at_first_there_is_none, a_name_can_be_taken_once, bad_ids_are_refused,
		bad_images_are_refused, more_memory_than_there_is_is_refused,
		grants_have_names_of_their_own, a_capset_fills, nothing_becomes_an_empty_module,
		isolated_libos_starts_with_pid_1, the_table_fills_and_empties,
	};
	check = (struct check){ self, "libos_table", 0 };
	for (unsigned round = 0; round < 2; round++) {
		uint64_t before = available();
		for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
			steps[i]();
		/* The exokernel's caches may grow once, but not again. */
		if (round > 0)
			CHECK(&check, available() == before);
	}
	check_end(&check);
}
