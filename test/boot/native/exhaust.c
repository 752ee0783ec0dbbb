/* exhaust.c: a program that takes until it is refused: memory, ledgers, domains,
 * threads that wait. While it holds all that, what others do takes no longer than
 * before; when it lets go, everything is back. Both sides are played here: the
 * greedy one spends a child ledger or a libOS's, and the calls that are timed
 * spend the program's own. */
#include "test/boot/native/ledger.h"

#include "abi/libos.capnp.h"
#include "abi/process.capnp.h"
#include "abi/timer.capnp.h"

enum {
	PURSE = 8 << 20,          /* bytes that the greedy one has */
	SAMPLES = 300,
	COUNTED_PERCENT = 150,    /* of what a call took before: in instructions, */
	TIMED_PERCENT = 300,      /* or in time, on a machine with other work */
	DOMAINS = 1000,
	PATIENCE = 5000,          /* milliseconds */
	DOMAIN_PAGES = 38,        /* a small program costs less, with four processors too */
	GREEDY_PAGES = 2048,
	NANOSECONDS_A_DAY = 86400,
	PARKED = 30,              /* a thread's entries that wait */
};

#define STACK_TOP 0x300000000ull

/* -- how long calls take --------------------------------------------------------- */

static uint32_t own, timer;

static uint64_t ticks(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void query(void)
{
	(void)account_of(own);
}

static void take_memory(void)
{
	uint32_t object = allocate(1);
	put(object, 0, 1);
	release(object);
}

static void take_ledger(void)
{
	release(child(own, NATIVE_PAGE));
}

static void wake_nobody(void)
{
	static uint32_t word;
	OK(ring_wake(self->ring, &word, 1));
}

/* Sets a timeout in a day, and takes it back. */
static void sleep_and_cancel(void)
{
	static const uint64_t sleeper = 5, canceller = 6;
	struct native_call call;
	native_call(&call, self, timer, TIMER_ID, TIMER_SLEEP);
	timer_sleep_params_set_until(timer_sleep_params_build(&call.params),
	                             NANOSECONDS_A_DAY * 1000000000ull);
	*ring_next(self->ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = timer, .interface = TIMER_ID, .method = TIMER_SLEEP,
		.user_data = sleeper, .params = (uintptr_t)self->ring->area,
		.params_size = (uint32_t)capnp_builder_size(&call.params),
	};
	ring_push(self->ring);
	*ring_next(self->ring) = (struct ring_sqe){
		.op = RING_CANCEL, .user_data = canceller, .target = sleeper,
	};
	ring_push(self->ring);
	OK(ring_run(self->ring, 2));
	for (unsigned i = 0; i < 2; i++) {
		const struct ring_cqe *done = ring_done(self->ring);
		CHECK(&check, done && done->status == (done->user_data == sleeper ? STATUS_CANCELLED
		                                                                  : STATUS_OK));
	}
}

static void (*const timed[])(void) = {
	query, take_memory, take_ledger, wake_nobody, sleep_and_cancel,
};
enum { TIMED = sizeof timed / sizeof timed[0] };

/* The shortest of many: what else the machine does is not in it. */
static uint64_t shortest(void (*what)(void))
{
	uint64_t least = ~0ull;
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t before = ticks();
		what();
		uint64_t took = ticks() - before;
		if (took < least)
			least = took;
	}
	return least;
}

static uint64_t times_before[TIMED], left_before, percent;

/* Only a clock that counts instructions says the same three times over. */
static bool is_counted(void)
{
	uint64_t took = shortest(query);
	return shortest(query) == took && shortest(query) == took;
}

static void note(void)
{
	for (unsigned i = 0; i < TIMED; i++)
		times_before[i] = shortest(timed[i]);
	left_before = left(own);
	percent = is_counted() ? COUNTED_PERCENT : TIMED_PERCENT;
}

static void nobody_is_slower(const char *when)
{
	for (unsigned i = 0; i < TIMED; i++) {
		uint64_t now = shortest(timed[i]);
		if (now * 100 <= times_before[i] * percent)
			continue;
		native_print(self, "exhaust: %s: call %u took %lu ticks, and now %lu\n", when, i,
		             times_before[i], now);
		CHECK(&check, !"a call has become slower");
	}
}

/* -- a purse that is spent ----------------------------------------------------------- */

static uint32_t held[4096], held_count;

static void let_go(void)
{
	while (held_count > 0)
		release(held[--held_count]);
}

static void memory_until_refused(void)
{
	uint32_t purse = child(own, PURSE), shop, object;
	enum status status;
	OK(ledger_make(purse, LEDGER_MEMORY, &shop));
	uint64_t mine = left(own);
	while ((status = native_allocate(self, shop, 1, &object)) == STATUS_OK &&
	       held_count < sizeof held / sizeof held[0]) {
		put(object, 0, held_count);
		held[held_count++] = object;
	}
	CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	CHECK(&check, held_count > PURSE / NATIVE_PAGE * 9 / 10);
	CHECK(&check, left(purse) < 2 * NATIVE_PAGE);
	CHECK(&check, left(own) == mine);
	nobody_is_slower("with a purse spent on memory");
	CHECK(&check, left(own) == mine);
	let_go();
	release(shop);
	release(purse);
	CHECK(&check, comes_back(own, left_before, PATIENCE));
}

static void ledgers_until_refused(void)
{
	uint32_t purse = child(own, PURSE), made;
	enum status status;
	uint64_t mine = left(own);
	while (held_count < sizeof held / sizeof held[0] &&
	       (status = ledger_child(purse, 0, &made)) == STATUS_OK)
		held[held_count++] = made;
	CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	CHECK(&check, held_count > 100);
	CHECK(&check, left(own) == mine);
	nobody_is_slower("with a purse spent on ledgers");
	let_go();
	release(purse);
	CHECK(&check, comes_back(own, left_before, PATIENCE));
}

/* Small objects of every kind and size, then every second one goes: pages half
 * empty are the greedy one's own loss. */
static void objects_until_refused(void)
{
	uint32_t purse = child(own, PURSE / 8), made, count = 0;
	enum status status = STATUS_OK;
	uint64_t mine = left(own);
	while (held_count < 3000 && status == STATUS_OK) {
		status = held_count % 2 ? ledger_make(purse, LEDGER_MEMORY, &made)
		                        : ledger_child(purse, 0, &made);
		if (status == STATUS_OK)
			held[held_count++] = made;
	}
	CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	for (uint32_t i = 0; i < held_count; i++)
		if (i % 2)
			release(held[i]);
		else
			held[count++] = held[i];
	held_count = count;
	CHECK(&check, left(own) == mine);
	nobody_is_slower("with half of many objects gone");
	let_go();
	CHECK(&check, account_of(purse).used == 0);
	release(purse);
	CHECK(&check, comes_back(own, left_before, PATIENCE));
}

/* -- domains -------------------------------------------------------------------------- */

static uint32_t load(uint64_t pages)
{
	struct native_call call;
	struct libos_table_load_results_reader results;
	uint32_t index = 0;
	native_call(&call, self, native_find(self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, capnp_text_from("greedy"));
	libos_table_load_params_set_pages(params, pages);
	libos_table_load_params_set_pids(params, DOMAINS + 1);
	libos_table_load_params_set_timeout_ns(params, UINT64_MAX);
	OK(native_send(&call));
	OK(libos_table_load_results_read(call.results, call.results_size, &results));
	OK(libos_table_load_results_get_libos(results, &index));
	return call.caps[index % RING_CAPS];
}

struct other {
	uint32_t process, thread;
};
static struct other others[DOMAINS];
static uint32_t other_count;

/* All of it is here: one page of text, no data but its ring. */
__attribute__((noinline, aligned(256))) static void park_for_ever(uint64_t argument,
                                                                  struct ring *ring)
{
	(void)argument;
	for (uint32_t i = 0; i < PARKED; i++) {
		struct ring_sqe *entry = ring_next(ring);
		entry->op = RING_PARK;
		entry->cap = 0;
		entry->word = (uintptr_t)ring->area;
		entry->expected = 0;
		entry->timeout = (NANOSECONDS_A_DAY + i) * 1000000000ull;
		ring_push(ring);
		if (i % RING_SQ_ENTRIES == RING_SQ_ENTRIES - 1)
			(void)!ring_enter(0, 0);
	}
	for (;;)
		(void)!ring_enter(1, RING_FOREVER);
}

/* A process under the libOS. `whole`: it has text and a stack too. */
static enum status spawn(uint32_t libos, struct other *other, bool whole)
{
	struct native_call call;
	uint32_t space;
	uint64_t text = (uintptr_t)park_for_ever & ~(uint64_t)(NATIVE_PAGE - 1);
	native_call(&call, self, libos, LIBOS_ID, LIBOS_SPAWN);
	struct thread_start_builder start =
	        libos_spawn_params_init_start(libos_spawn_params_build(&call.params));
	thread_start_set_entry(start, (uintptr_t)park_for_ever);
	thread_start_set_stack(start, STACK_TOP - 8);
	enum status status = native_send(&call);
	if (status != STATUS_OK)
		return status;
	other->process = call.caps[0];
	space = call.caps[1];
	other->thread = call.caps[2];
	if (whole)
		status = native_share(self, space, here, text, 2);
	if (whole && status == STATUS_OK)
		status = native_fresh(self, space, STACK_TOP - NATIVE_PAGE, 1, RW);
	release(space);
	return status;
}

static void kill(const struct other *other)
{
	struct native_call call;
	native_call(&call, self, other->process, PROCESS_ID, PROCESS_KILL);
	process_kill_params_set_code(process_kill_params_build(&call.params), 9);
	OK(native_send(&call));
	release(other->thread);
	release(other->process);
}

static void domains_until_refused(void)
{
	uint32_t libos = load(GREEDY_PAGES);
	enum status status = STATUS_OK;
	uint64_t mine = left(own);
	while (other_count < DOMAINS &&
	       (status = spawn(libos, &others[other_count], false)) == STATUS_OK)
		other_count++;
	CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	CHECK(&check, other_count > GREEDY_PAGES / DOMAIN_PAGES);
	CHECK(&check, left(own) == mine);
	nobody_is_slower("with a libOS full of domains");
	while (other_count > 0)
		kill(&others[--other_count]);
	release(libos);
	CHECK(&check, comes_back(own, left_before, PATIENCE));
}

static void start_thread(uint32_t thread)
{
	struct native_call call;
	native_call(&call, self, thread, THREAD_ID, THREAD_START);
	OK(native_send(&call));
}

/* A thousand domains, each with a thread that waits for many things at once. */
static void a_thousand_domains(void)
{
	uint64_t pages = (uint64_t)DOMAINS * DOMAIN_PAGES;
	uint32_t libos = load(pages);
	uint64_t mine = left(own);
	for (; other_count < DOMAINS && check.failures == 0; other_count++)
		OK(spawn(libos, &others[other_count], true));
	for (uint32_t i = 0; i < other_count; i++)
		start_thread(others[i].thread);
	nap(500000000);
	CHECK(&check, left(own) == mine);
	nobody_is_slower("with a thousand domains that wait");
	while (other_count > 0)
		kill(&others[--other_count]);
	release(libos);
	CHECK(&check, comes_back(own, left_before, PATIENCE));
	nobody_is_slower("after all that");
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		memory_until_refused, ledgers_until_refused, objects_until_refused,
		domains_until_refused, a_thousand_domains,
	};
	start(given, "exhaust");
	own = native_find(self, "ledger");
	timer = native_find(self, "timer");
	/* The table of capabilities grows to its full size once. */
	while (held_count < sizeof held / sizeof held[0] &&
	       native_allocate(self, pool, 1, &held[held_count]) == STATUS_OK)
		held_count++;
	let_go();
	note();
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && check.failures == 0; i++)
		steps[i]();
	check_end(&check);
}
