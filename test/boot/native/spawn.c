/* spawn.c: what ProcessSpawner, Process and Thread promise a native program that
 * makes others: what a child is given, what it is refused, what it costs, and
 * that all of it comes back, however it ends. */
#include "test/boot/native/spawn.h"

#include "core/bundle.h"
#include "lib/cpio/cpio.h"
#include "test/boot/native/ledger.h"
#include "test/boot/native/memory_space.h"
#include "test/boot/native/revoker.h"

#define BUNDLE_AT ((uint8_t *)0x100000000)

enum {
	MANY_THREADS = 5000, /* more than there are places for rings */
	FEW_BYTES = 8192,    /* too few for a process */
	CHILDREN = 4,
	SPINS = 1000000,
};

static volatile uint32_t shared_word;

/* -- what children do ----------------------------------------------------------- */

static int child_doubles(struct native *me)
{
	return (int)me->argument * 2;
}

static int child_tells_data(struct native *me)
{
	(void)me;
	return (int)shared_word++;
}

static int child_faults(struct native *me)
{
	*(volatile uint8_t *)me->argument = 1;
	return 0;
}

static int child_waits(struct native *me)
{
	static uint32_t word;
	while (ring_park(me->ring, &word, 0, RING_FOREVER) == STATUS_OK)
		;
	return 1;
}

/* Its CapSet: what the exokernel puts in, what the library grants, and what the
 * parent said. */
static int child_counts_caps(struct native *me)
{
	static const char *const names[] = {
		"inspector", "self", "space", "console", "thread", "clock",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (native_find(me, names[i]) == 0)
			return -(int)i;
	return (int)me->capset->count;
}

/* A child that makes children of its own, out of what it has. */
static int child_spends(struct native *me)
{
	struct native_child grandchild;
	struct native_end end = { -1, 0 };
	if (native_spawn_self(me, child_doubles, 5, me->argument, &grandchild) != STATUS_NO_MEMORY)
		return 1;
	if (native_spawn_self(me, child_doubles, 5, me->argument / 3, &grandchild) != STATUS_OK)
		return 2;
	if (native_start(me, grandchild.thread) != STATUS_OK ||
	    native_wait(me, grandchild.process, &end) != STATUS_OK || end.code != 10)
		return 3;
	native_forget(me, &grandchild);
	return 0;
}

/* One that leaves a child behind that nobody can name but itself. */
static int child_litters(struct native *me)
{
	struct native_child grandchild;
	if (native_spawn_self(me, child_waits, 0, me->argument / 3, &grandchild) != STATUS_OK ||
	    native_grant(me, grandchild.process, "thread-of-mine", grandchild.thread) != STATUS_OK)
		return 1;
	native_forget(me, &grandchild);
	return 0;
}

/* -- steps ----------------------------------------------------------------------- */

static void a_child_runs(void)
{
	struct native_child child = spawned(child_doubles, 21);
	CHECK(&check, child.pid > 1);
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_EXITED, 42);
}

static void it_has_the_data_as_it_was(void)
{
	shared_word = 77;
	struct native_child child = spawned(child_tells_data, 0);
	shared_word = 78;
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_EXITED, 77);
	CHECK(&check, shared_word == 78);
}

static void it_ends_by_a_fault(void)
{
	struct native_child child = spawned(child_faults, 0x123456789000);
	OK(native_start(self, child.thread));
	fault_at(child.process, 0x123456789000, child_faults);
	ended(&child, END_REASON_FAULTED, -1);
}

static void it_is_killed(void)
{
	struct native_child child = spawned(child_waits, 0);
	OK(native_start(self, child.thread));
	OK(native_kill(self, child.process, 9));
	ended(&child, END_REASON_KILLED, 9);
}

static void grants_are_seen(void)
{
	struct native_child child = spawned(child_counts_caps, 0);
	OK(native_grant(self, child.process, "clock", native_find(self, "timer")));
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_EXITED, 6);
}

/* Another CPU may be running it. */
static void kill_and_wait(const struct native_child *child)
{
	struct native_end end;

	OK(native_kill(self, child->process, 1));
	OK(native_wait(self, child->process, &end));
}

static void grants_are_refused(void)
{
	uint32_t timer = native_find(self, "timer");
	struct native_child child = spawned(child_waits, 0);
	REFUSED(EXISTS, native_grant(self, child.process, "self", timer));
	REFUSED(INVALID, native_grant(self, child.process, "", timer)); /* not a process */
	REFUSED(INVALID, native_grant(self, child.process,
	                              "a-name-of-forty-bytes-is-one-too-long-by", timer));
	REFUSED(NO_CAP, native_grant(self, child.process, "nothing", 0));
	REFUSED(NO_CAP, native_grant(self, child.process, "nothing", 0xffffff));
	for (unsigned i = 5; i < CAPSET_MAX; i++) {
		char name[] = { 'n', (char)('0' + i / 10), (char)('0' + i % 10), '\0' };
		OK(native_grant(self, child.process, name, timer));
	}
	REFUSED(NO_SLOT, native_grant(self, child.process, "one-more", timer));
	OK(native_start(self, child.thread));
	REFUSED(DENIED, native_grant(self, child.process, "late", timer));
	REFUSED(DENIED, native_grant(self, child.process, "", native_find(self, "self")));
	kill_and_wait(&child);
	REFUSED(GONE, native_grant(self, child.process, "late", timer));
	ended(&child, END_REASON_KILLED, 1);
}

/* Which of these it has; and its own `self`, not another's. */
static int child_inherits(struct native *me)
{
	static const char *const names[] = { "clock", "taken-back", "leased" };
	struct native_call call;
	struct process_info_results_reader results;
	int found = 0;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		found |= (native_find(me, names[i]) != 0) << i;
	native_call(&call, me, native_find(me, "self"), PROCESS_ID, PROCESS_INFO);
	(void)process_info_params_build(&call.params);
	if (native_send(&call) != STATUS_OK ||
	    process_info_results_read(call.results, call.results_size, &results) != STATUS_OK ||
	    process_info_results_get_threads(results) != 1)
		found |= 64; /* the other has ended */
	return found;
}

/* Grants without a name: all that another has by name. */
static void names_are_inherited(void)
{
	struct native_child from = spawned(child_waits, 0), to = spawned(child_counts_caps, 0);
	struct native_child inherits = spawned(child_inherits, 0);
	uint32_t timer = native_find(self, "timer"), lease, dead, of_process;
	uint32_t revoker = revoker_new(), other = revoker_new();
	OK(native_lease(self, revoker, timer, &dead));
	OK(native_lease(self, other, timer, &lease));
	OK(native_lease(self, other, from.process, &of_process));
	OK(native_grant(self, from.process, "clock", timer));
	OK(native_grant(self, from.process, "taken-back", dead));
	OK(native_grant(self, from.process, "leased", lease));
	OK(native_revoke(self, revoker));
	OK(native_grant(self, inherits.process, "", of_process));
	OK(native_grant(self, inherits.process, "", from.process)); /* there is nothing new */
	REFUSED(EXISTS, native_grant(self, inherits.process, "clock", timer));
	OK(native_kill(self, from.process, 0));
	OK(native_grant(self, to.process, "", from.process)); /* nothing is left to inherit */
	native_forget(self, &from);
	OK(native_start(self, to.thread));
	ended(&to, END_REASON_EXITED, -5); /* no clock */
	OK(native_start(self, inherits.thread));
	ended(&inherits, END_REASON_EXITED, 1 | 4);
	release(of_process);
	release(lease);
	release(dead);
	release(revoker);
	release(other);
}

static void starts_are_refused(void)
{
	struct native_child child = spawned(child_waits, 0);
	OK(native_start(self, child.thread));
	REFUSED(BUSY, native_start(self, child.thread));
	kill_and_wait(&child);
	REFUSED(GONE, native_start(self, child.thread));
	ended(&child, END_REASON_KILLED, 1);
}

static void processes_are_refused(void)
{
	static const uint64_t nowhere[] = {
		USER_LIMIT, 0x800000000000, 0xffff800000000000, 0xffffc00000000000, UINT64_MAX,
	};
	struct request good = { .entry = 0x400000, .stack = 0x500000, .bytes = NATIVE_CHILD_BYTES };
	struct native_child child;
	struct request r = good;
	r.bytes = UINT64_MAX;
	REFUSED(NO_MEMORY, create_raw(&r, &child));
	r.bytes = (available() + 1) * NATIVE_PAGE;
	REFUSED(NO_MEMORY, create_raw(&r, &child));
	for (r.bytes = 0; r.bytes < FEW_BYTES; r.bytes += 64)
		REFUSED(NO_MEMORY, create_raw(&r, &child));
	r = good, r.pid = 1;
	REFUSED(EXISTS, create_raw(&r, &child));
	r.pid = 4096;
	CHECK(&check, create_raw(&r, &child) != STATUS_OK);
	r.pid = UINT32_MAX;
	CHECK(&check, create_raw(&r, &child) != STATUS_OK);
	for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
		r = good, r.entry = nowhere[i];
		REFUSED(INVALID, create_raw(&r, &child));
		r = good, r.stack = nowhere[i] | 1;
		REFUSED(INVALID, create_raw(&r, &child));
		r = good, r.fs_base = nowhere[i];
		REFUSED(INVALID, create_raw(&r, &child));
	}
	r = good, r.pid = 4095;
	OK(create_raw(&r, &child));
	CHECK(&check, child.pid == 4095);
	native_forget(self, &child);
}

/* From the least that is refused to the least that is enough, every amount
 * between ends in a refusal or a process, and none costs anything. */
static void every_shortage_is_survived(void)
{
	struct request r = { .entry = 0x400000, .stack = 0x500000, .bytes = FEW_BYTES };
	struct native_child child;
	enum status status;
	while ((status = create_raw(&r, &child)) == STATUS_NO_MEMORY && r.bytes < NATIVE_CHILD_BYTES)
		r.bytes += 256;
	OK(status);
	native_forget(self, &child);
	for (uint64_t bytes = r.bytes; bytes < 4 * r.bytes; bytes += 4 * 1024) {
		status = native_spawn_self(self, child_waits, 0, bytes, &child);
		CHECK(&check, status == STATUS_NO_MEMORY || status == STATUS_OK);
		if (status == STATUS_OK)
			native_forget(self, &child);
	}
}

/* The ledger that is sent along pays, and no other. */
static void another_ledger_pays(void)
{
	struct request r = { .entry = 0x400000, .stack = 0x500000, .bytes = NATIVE_CHILD_BYTES };
	struct native_child child;
	OK(ledger_child(native_find(self, "ledger"), 2 * NATIVE_CHILD_BYTES, &r.ledger));
	uint64_t before = available();
	OK(create_raw(&r, &child));
	struct account account = { 0 };
	OK(native_account(r.ledger, &account));
	CHECK(&check, account.used >= NATIVE_CHILD_BYTES);
	CHECK(&check, available() == before);
	native_forget(self, &child);
	OK(native_account(r.ledger, &account));
	CHECK(&check, account.used == 0);
	r.bytes = 2 * NATIVE_CHILD_BYTES;
	REFUSED(NO_MEMORY, create_raw(&r, &child));
	release(r.ledger);
	r.bytes = NATIVE_CHILD_BYTES;
	REFUSED(NO_CAP, create_raw(&r, &child));
	r.ledger = native_find(self, "timer"); /* no ledger */
	REFUSED(NO_CAP, create_raw(&r, &child));
}

static void one_that_never_starts_ends(void)
{
	struct native_child child = spawned(child_waits, 0);
	CHECK(&check, threads_of(child.process) == 1);
	release(child.thread);
	CHECK(&check, threads_of(child.process) == 0);
	release(child.space);
	release(child.process);
}

static int child_ends(struct native *me)
{
	return (int)me->argument;
}

/* It ends where it runs, on its own page tables, and goes with them at once: nobody else
 * names its space. Who is next there has been in no call meanwhile. */
static void its_space_ends_under_it(void)
{
	uint64_t before = available();
	for (unsigned i = 0; i < CHILDREN; i++) {
		struct native_child child = spawned(child_ends, i);
		OK(native_start(self, child.thread));
		native_forget(self, &child);
	}
	for (unsigned n = 0; n < PATIENCE && available() != before; n++)
		for (volatile unsigned spins = 0; spins < SPINS; spins++)
			;
	CHECK(&check, available() == before);
}

static void children_spend_their_own(void)
{
	uint64_t bytes = 4 * NATIVE_CHILD_BYTES;
	struct native_child child = spawned_with(child_spends, bytes, bytes);
	OK(native_grant(self, child.process, "spawner", native_find(self, "spawner")));
	OK(native_grant(self, child.process, "memory", native_find(self, "memory")));
	uint64_t before = available();
	OK(native_start(self, child.thread));
	ended_but(&child, END_REASON_EXITED, 0);
	CHECK(&check, available() >= before); /* not one page of ours */
	native_forget(self, &child);
}

static void litter_is_collected(void)
{
	uint64_t bytes = 4 * NATIVE_CHILD_BYTES, before = available();
	struct native_child child = spawned_with(child_litters, bytes, bytes);
	OK(native_grant(self, child.process, "spawner", native_find(self, "spawner")));
	OK(native_grant(self, child.process, "memory", native_find(self, "memory")));
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_EXITED, 0);
	CHECK(&check, available() == before);
}

static void a_handle_only_watches(void)
{
	struct native_child child = spawned(child_waits, 0);
	uint32_t handle = handle_of(child.process);
	CHECK(&check, handle != 0);
	for (uint16_t method = PROCESS_GRANT; method < PROCESS_HANDLE + 2; method++)
		REFUSED(NO_METHOD, plain_call(handle, PROCESS_HANDLE_ID, method));
	REFUSED(NO_METHOD, plain_call(handle, PROCESS_ID, PROCESS_INFO));
	REFUSED(NO_METHOD, plain_call(child.process, PROCESS_ID, PROCESS_HANDLE + 1));
	OK(native_start(self, child.thread));
	REFUSED(NOT_FOUND, plain_call(handle, PROCESS_HANDLE_ID, PROCESS_HANDLE_FAULT));
	OK(plain_call(handle, PROCESS_HANDLE_ID, PROCESS_HANDLE_INFO));
	OK(plain_call(handle, PROCESS_HANDLE_ID, PROCESS_HANDLE_KILL));
	OK(plain_call(handle, PROCESS_HANDLE_ID, PROCESS_HANDLE_WAIT));
	ended(&child, END_REASON_KILLED, 0);
	release(handle);
}

/* -- another program ---------------------------------------------------------------- */

/* The file of the initrd, in the bundle as it is mapped. */
static struct capnp_data find_file(const char *path)
{
	struct capnp_data found = { NULL, 0 };
	struct bundle bundle;
	struct bundle_entry initrd;
	struct cpio_reader reader;
	struct cpio_entry entry;
	size_t length = __builtin_strlen(path);
	OK(bundle_open(BUNDLE_AT, self->argument, &bundle));
	OK(bundle_find(&bundle, "initrd", &initrd));
	cpio_start(&reader, BUNDLE_AT + initrd.offset, initrd.size);
	while (cpio_next(&reader, &entry) == STATUS_OK)
		if (entry.path_length == length && __builtin_memcmp(entry.path, path, length) == 0)
			found = capnp_data_from(entry.content, entry.content_size);
	return found;
}

static void another_program_runs(void)
{
	uint64_t pages = native_pages(self->argument);
	struct native_child child;
	OK(native_map(self, here, native_find(self, "bundle"), 0, BUNDLE_AT, pages, ACCESS_READ));
	struct capnp_data elf = find_file("spawned");
	CHECK(&check, elf.size > 0);
	OK(native_spawn_image(self, elf.bytes, elf.size, 1000, NATIVE_CHILD_BYTES, &child));
	OK(native_grant(self, child.process, "clock", native_find(self, "timer")));
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_EXITED, 1234);
	REFUSED(BAD_MESSAGE, native_spawn_image(self, elf.bytes, elf.size / 2, 0,
	                                        NATIVE_CHILD_BYTES, &child));
	REFUSED(BAD_MESSAGE, native_spawn_image(self, BUNDLE_AT + 64, 4096, 0, NATIVE_CHILD_BYTES,
	                                        &child));
	REFUSED(NO_MEMORY, native_spawn_image(self, elf.bytes, elf.size, 0, 16 * NATIVE_PAGE,
	                                      &child));
	OK(native_unmap(self, here, BUNDLE_AT, pages));
}

/* -- threads ------------------------------------------------------------------------ */

static uint8_t stacks[4][NATIVE_STACK];

static int thread_adds(struct native *me)
{
	__atomic_fetch_add(&shared_word, (uint32_t)me->argument, __ATOMIC_SEQ_CST);
	(void)!ring_wake(me->ring, (uint32_t *)&shared_word, 1);
	return 0;
}

static void wait_for(uint32_t value)
{
	uint32_t now;
	while ((now = shared_word) != value)
		(void)!ring_park(self->ring, (uint32_t *)&shared_word, now, RING_FOREVER);
}

static void until_ended(uint32_t thread)
{
	while (thread_state(thread) != THREAD_STATE_ENDED)
		nap(100000);
}

static void threads_share_a_program(void)
{
	uint32_t threads[4];
	shared_word = 0;
	for (unsigned i = 0; i < 4; i++)
		OK(native_thread(self, thread_adds, 1u << i, stacks[i], NATIVE_STACK, &threads[i]));
	wait_for(15);
	for (unsigned i = 0; i < 4; i++) {
		until_ended(threads[i]);
		release(threads[i]);
	}
	CHECK(&check, threads_of(native_find(self, "self")) == 1);
}

/* Each is made before the one before it ends: places for rings are used again,
 * also below those that are in use. */
static void many_threads_take_turns(void)
{
	uint32_t before = 0, thread = 0;
	for (uint32_t i = 0; i < MANY_THREADS && check.failures == 0; i++) {
		before = thread;
		OK(thread_raw(native_find(self, "self"), 0x1000, 0x1000, 0, &thread));
		if (before != 0)
			release(before);
	}
	release(thread);
	CHECK(&check, threads_of(native_find(self, "self")) == 1);
}

static void threads_are_refused(void)
{
	struct native_child child = spawned(child_waits, 0);
	uint32_t thread;
	REFUSED(INVALID, thread_raw(child.process, USER_LIMIT, 0x1000, 0, &thread));
	REFUSED(INVALID, thread_raw(child.process, 0x1000, USER_LIMIT + 1, 0, &thread));
	REFUSED(INVALID, thread_raw(child.process, 0x1000, 0x1000, 0x800000000000, &thread));
	OK(thread_raw(child.process, 0x1000, 0x1000, 0x7000, &thread));
	release(thread);
	OK(native_kill(self, child.process, 0));
	REFUSED(GONE, thread_raw(child.process, 0x1000, 0x1000, 0, &thread));
	ended(&child, END_REASON_KILLED, 0);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_child_runs, it_has_the_data_as_it_was, it_ends_by_a_fault, it_is_killed,
		grants_are_seen, grants_are_refused, names_are_inherited, starts_are_refused, processes_are_refused,
		every_shortage_is_survived, another_ledger_pays, one_that_never_starts_ends,
		its_space_ends_under_it, children_spend_their_own,
		litter_is_collected, a_handle_only_watches, another_program_runs,
		threads_share_a_program, many_threads_take_turns, threads_are_refused,
	};
	start(given, "spawn");
	run(steps, sizeof steps / sizeof steps[0]);
}
