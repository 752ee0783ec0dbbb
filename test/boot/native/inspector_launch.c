/* inspector_launch.c: a process under NONE, whose domain holds everything there
 * is, was given the table of libOSes and memory and means to start a libOS with
 * all of it. It asks the Inspector about NONE, and uses every number as a
 * capability of its own: to grant it to the new libOS, to pass it to its parent,
 * to switch the machine off. What it ends up with is what it was given. */
#include "test/boot/native/spawn.h"

#include "abi/inspector.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/power.capnp.h"
#include "core/captable.h"
#include "rt/module_string.h"

enum {
	NUMBERS_MAX = 4096, CHILD_BYTES = 4 << 20, HOSTILE_PAGES = 64,
	DONE = 0, /* as an exit code; else the line of what was wrong */
};

static uint32_t numbers[NUMBERS_MAX], number_count;
static uint64_t buffer[512];

static void keep(uint32_t number)
{
	for (uint32_t i = 0; i < number_count; i++)
		if (numbers[i] == number)
			return;
	if (number != 0 && number_count < NUMBERS_MAX)
		numbers[number_count++] = number;
}

/* A word of an answer: its halves, and the slots that they could stand for. */
static void keep_all_of(uint64_t word)
{
	for (unsigned shift = 0; shift < 64; shift += 32) {
		uint32_t half = (uint32_t)(word >> shift);
		keep(half);
		for (uint32_t generation = 0; generation < 4; generation++)
			keep(generation << CAPTABLE_INDEX_BITS | (half & (CAPTABLE_SLOTS - 1)));
	}
}

/* The size of the answer, in bytes; 0: none, or one with a capability. */
static uint32_t ask(struct native *me, uint16_t method, uint64_t value)
{
	uint64_t *params = (uint64_t *)me->ring->area;
	struct ring_call call = {
		.cap = native_find(me, "inspector"), .method = method, .interface = INSPECTOR_ID,
		.params = params, .params_size = 16, .results = buffer, .results_size = sizeof buffer,
	};
	params[0] = (uint64_t)1 << 32;
	params[1] = value;
	if (ring_call(me->ring, &call) != STATUS_OK)
		return 0;
	for (unsigned i = 0; i < RING_CAPS; i++)
		if (call.caps[i] != 0)
			return 0;
	for (uint32_t i = 0; i < call.results_size / 8; i++)
		keep_all_of(buffer[i]);
	return call.results_size;
}

/* Through both lists. What NONE holds and this process was not given is seen. */
static int look(struct native *me)
{
	bool power = false;

	if (ask(me, INSPECTOR_LIBOS, 0) == 0 || ask(me, INSPECTOR_PROCESS, 0) == 0 ||
	    ask(me, INSPECTOR_PAGE, (uintptr_t)buffer) == 0 || ask(me, INSPECTOR_KINDS, 0) == 0)
		return __LINE__;
	for (uint32_t first = 0, size; (size = ask(me, INSPECTOR_CAPABILITIES, first)) != 0;) {
		struct inspector_capabilities_results_reader results;
		struct capnp_list held;
		if (inspector_capabilities_results_read(buffer, size, &results) != STATUS_OK ||
		    inspector_capabilities_results_get_held(results, &held) != STATUS_OK)
			return __LINE__;
		for (uint32_t i = 0; i < held.count; i++)
			power |= held_get_interface(held_list_get(held, i)) == POWER_ID;
		first = inspector_capabilities_results_get_next(results);
		if (first == 0)
			return power && number_count > 50 ? DONE : __LINE__;
	}
	return __LINE__;
}

static uint32_t load(struct native *me)
{
	struct native_call call;
	native_call(&call, me, native_find(me, "table"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder p = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(p, capnp_text_from("hostile"));
	libos_table_load_params_set_pages(p, HOSTILE_PAGES);
	libos_table_load_params_set_timeout_ns(p, UINT64_MAX);
	return native_send(&call) == STATUS_OK ? call.caps[0] : 0;
}

static enum status grant(struct native *me, uint32_t libos, uint32_t number)
{
	char name[] = "c00000000";
	struct native_call call;
	for (unsigned i = 0; i < 8; i++)
		name[1 + i] = "0123456789abcdef"[number >> (28 - 4 * i) & 15];
	native_call(&call, me, libos, LIBOS_ID, LIBOS_GRANT);
	struct libos_grant_params_builder p = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(p, capnp_text_from(name));
	libos_grant_params_set_object(p, native_attach(&call, number));
	return native_send(&call);
}

static bool is_mine(const struct native *me, uint32_t number, uint32_t hostile)
{
	for (uint32_t i = 0; i < me->capset->count; i++)
		if (me->capset->entries[i].cap == number)
			return true;
	return number == hostile;
}

static enum status switch_off(struct native *me, uint32_t number)
{
	struct native_call call;
	native_call(&call, me, number, POWER_ID, POWER_OFF);
	power_off_params_set_status(power_off_params_build(&call.params), 77);
	return native_send(&call);
}

/* How much "hostile" holds, as the table tells it. */
static uint32_t held_by_hostile(struct native *me)
{
	struct native_call call;
	struct libos_table_list_results_reader results;
	struct capnp_list entries;
	struct capnp_text id;
	native_call(&call, me, native_find(me, "table"), LIBOS_TABLE_ID, LIBOS_TABLE_LIST);
	if (native_send(&call) != STATUS_OK ||
	    libos_table_list_results_read(call.results, call.results_size, &results) != STATUS_OK ||
	    libos_table_list_results_get_entries(results, &entries) != STATUS_OK)
		return UINT32_MAX;
	for (uint32_t i = 0; i < entries.count; i++) {
		struct libos_entry_reader entry = libos_entry_list_get(entries, i);
		if (libos_entry_get_id(entry, &id) == STATUS_OK && strcmp(id.bytes, "hostile") == 0)
			return libos_entry_get_capabilities(entry);
	}
	return UINT32_MAX;
}

/* Its first process, which ends at once, and it with that. */
static enum status launch(struct native *me, uint32_t hostile)
{
	struct native_call call;
	enum status status;
	native_call(&call, me, hostile, LIBOS_ID, LIBOS_SPAWN);
	thread_start_set_entry(libos_spawn_params_init_start(libos_spawn_params_build(&call.params)),
	                       0x400000);
	status = native_send(&call);
	return status == STATUS_OK ? native_kill(me, call.caps[0], 0) : status;
}

static int child_launches(struct native *me)
{
	uint32_t hostile, granted = 0;
	int wrong = look(me);

	if (wrong != DONE)
		return wrong;
	hostile = load(me);
	if (hostile == 0 || held_by_hostile(me) != 0)
		return __LINE__;
	for (uint32_t i = 0; i < number_count; i++) {
		bool mine = is_mine(me, numbers[i], hostile);
		enum status status = grant(me, hostile, numbers[i]);
		if (status != (mine ? STATUS_OK : STATUS_NO_CAP)) {
			native_print(me, "%x: %s\n", numbers[i], native_status(status));
			return __LINE__;
		}
		granted += status == STATUS_OK;
		if (!mine && switch_off(me, numbers[i]) != STATUS_NO_CAP)
			return __LINE__;
	}
	if (granted == 0 || granted > me->capset->count + 1 || held_by_hostile(me) != granted)
		return __LINE__;
	if (launch(me, hostile) != STATUS_OK || held_by_hostile(me) != UINT32_MAX)
		return __LINE__;
	return DONE;
}

static void it_launches_what_it_holds(void)
{
	struct native_child child = spawned_with(child_launches, 0, CHILD_BYTES);

	OK(native_grant(self, child.process, "table", native_find(self, "libos")));
	OK(native_grant(self, child.process, "memory", native_find(self, "memory")));
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_EXITED, DONE);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { it_launches_what_it_holds };

	start(given, "inspector_launch");
	run(steps, sizeof steps / sizeof steps[0]);
}
