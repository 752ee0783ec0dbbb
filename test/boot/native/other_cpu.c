/* other_cpu.c: a second process that works against the first while it runs, on
 * another CPU if there is one. It scribbles over messages in flight: every call
 * must be answered, and none lead the exokernel astray. It goes on using memory
 * that is being taken from it: the moment the call that took it has been
 * answered, it must have faulted. At the end no memory is missing. */
#include "test/boot/native/check.h"

#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"
#include "abi/timer.capnp.h"
#include "rt/ring.h"

enum {
	LEDGER_PAGES = 128,
	ROUNDS = 20000,
	TAKINGS = 50,
	EXITED = 0, FAULTED = 2, PAGE_FAULT = 14,
};

/* Both processes see the object here; the other's stack is below STACK_TOP. */
struct shared {
	uint64_t params[NATIVE_PAGE / 8];  /* what is scribbled over */
	uint64_t results[NATIVE_PAGE / 8];
	volatile uint64_t stop, turns;
	uint64_t rest[NATIVE_PAGE / 8 - 2];
	volatile uint64_t taken;           /* on the page that is taken away */
};
#define SHARED ((struct shared *)0x200000000)
#define TAKEN_AT ((uint8_t *)&SHARED->taken)
#define STACK_TOP ((uint8_t *)0x300000000)
enum { SHARED_PAGES = 4 };
_Static_assert(__builtin_offsetof(struct shared, taken) == 3 * NATIVE_PAGE, "a page of its own");

struct other {
	uint32_t libos, process, space, thread, pid;
};

static struct check check;
static uint32_t pool, object;
static uint64_t seed;

/* -- what the other process runs: one page of text, no data but SHARED --------- */

#define IN_ONE_PAGE __attribute__((noinline, aligned(256)))

__attribute__((always_inline)) static inline uint64_t scramble(uint64_t x)
{
	x ^= x >> 12;
	x ^= x << 25;
	return x ^ x >> 27;
}

IN_ONE_PAGE static void scribble(uint64_t random)
{
	while (!SHARED->stop) {
		random = scramble(random);
		SHARED->params[(random >> 20) % 16] = random & scramble(random);
		SHARED->results[(random >> 30) % 16] = random;
		SHARED->turns++;
	}
	__asm__ volatile("syscall" : : "a"((uint64_t)SYS_EXIT), "D"((uint64_t)0) : "memory");
}

IN_ONE_PAGE static void keep_reading(uint64_t argument)
{
	for (;;) {
		(void)SHARED->taken;
		SHARED->turns = ++argument;
	}
}

IN_ONE_PAGE static void keep_writing(uint64_t argument)
{
	for (;;) {
		SHARED->taken = ++argument;
		SHARED->turns = argument;
	}
}

/* -- its life ----------------------------------------------------------------- */

static enum status load(const char *id, uint32_t *libos)
{
	struct native_call call;
	struct libos_table_load_results_reader results;
	uint32_t index;
	native_call(&call, check.self, native_find(check.self, "libos"), LIBOS_TABLE_ID,
	            LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, capnp_text_from(id));
	libos_table_load_params_set_pages(params, LEDGER_PAGES);
	libos_table_load_params_set_timeout_ns(params, 1000000000);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = libos_table_load_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		status = libos_table_load_results_get_libos(results, &index);
	if (status == STATUS_OK)
		*libos = call.caps[index % RING_CAPS];
	return status;
}

static enum status spawn(struct other *other, void (*entry)(uint64_t))
{
	struct native_call call;
	struct libos_spawn_results_reader results;
	uint32_t process, space, thread;
	native_call(&call, check.self, other->libos, LIBOS_ID, LIBOS_SPAWN);
	struct thread_start_builder start =
	        libos_spawn_params_init_start(libos_spawn_params_build(&call.params));
	thread_start_set_entry(start, (uintptr_t)entry);
	thread_start_set_stack(start, (uintptr_t)STACK_TOP - 8);
	thread_start_set_argument(start, seed = scramble(seed));
	enum status status = native_send(&call);
	if (status != STATUS_OK)
		return status;
	if (libos_spawn_results_read(call.results, call.results_size, &results) != STATUS_OK ||
	    libos_spawn_results_get_process(results, &process) != STATUS_OK ||
	    libos_spawn_results_get_space(results, &space) != STATUS_OK ||
	    libos_spawn_results_get_thread(results, &thread) != STATUS_OK)
		return STATUS_BAD_MESSAGE;
	other->process = call.caps[process % RING_CAPS];
	other->space = call.caps[space % RING_CAPS];
	other->thread = call.caps[thread % RING_CAPS];
	return STATUS_OK;
}

/* Shows the other process the text that it runs, at the address it has here. */
static enum status share_text(uint32_t space, void (*entry)(uint64_t))
{
	struct native_call call;
	native_call(&call, check.self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_SHARE);
	struct address_space_share_params_builder params =
	        address_space_share_params_build(&call.params);
	address_space_share_params_set_source(params,
	                                      native_attach(&call, native_find(check.self, "space")));
	address_space_share_params_set_address(params,
	                                       (uintptr_t)entry & ~(uint64_t)(NATIVE_PAGE - 1));
	address_space_share_params_set_pages(params, 1);
	return native_send(&call);
}

static enum status fresh_stack(uint32_t space)
{
	struct native_call call;
	native_call(&call, check.self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH);
	struct address_space_fresh_params_builder params =
	        address_space_fresh_params_build(&call.params);
	address_space_fresh_params_set_address(params, (uintptr_t)STACK_TOP - NATIVE_PAGE);
	address_space_fresh_params_set_pages(params, 1);
	address_space_fresh_params_set_access(params, ACCESS_READ | ACCESS_WRITE);
	return native_send(&call);
}

static enum status protect(uint32_t space, void *address, uint32_t access)
{
	struct native_call call;
	native_call(&call, check.self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_PROTECT);
	struct address_space_protect_params_builder params =
	        address_space_protect_params_build(&call.params);
	address_space_protect_params_set_address(params, (uintptr_t)address);
	address_space_protect_params_set_pages(params, 1);
	address_space_protect_params_set_access(params, access);
	return native_send(&call);
}

static void nap(uint64_t nanoseconds)
{
	static uint32_t word;
	(void)!ring_park(check.self->ring, &word, 0, nanoseconds);
}

static void start(struct other *other, void (*entry)(uint64_t))
{
	struct native_call call;
	SHARED->stop = SHARED->turns = 0;
	CHECK_STATUS(&check, STATUS_OK, load("other", &other->libos));
	CHECK_STATUS(&check, STATUS_OK, spawn(other, entry));
	CHECK_STATUS(&check, STATUS_OK, share_text(other->space, entry));
	CHECK_STATUS(&check, STATUS_OK, fresh_stack(other->space));
	CHECK_STATUS(&check, STATUS_OK,
	             native_map(check.self, other->space, object, 0, SHARED, SHARED_PAGES,
	                        ACCESS_READ | ACCESS_WRITE));
	native_call(&call, check.self, other->thread, THREAD_ID, THREAD_START);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	while (SHARED->turns == 0 && check.failures == 0)
		nap(1000000);
}

/* Waits for its end, and says how it came. */
static void end(struct other *other, uint32_t *reason, int32_t *code)
{
	struct native_call call;
	struct process_wait_results_reader results;
	*reason = ~0u;
	native_call(&call, check.self, other->process, PROCESS_ID, PROCESS_WAIT);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	if (process_wait_results_read(call.results, call.results_size, &results) == STATUS_OK) {
		*reason = process_wait_results_get_reason(results);
		*code = process_wait_results_get_code(results);
	}
}

static void release(struct other *other)
{
	const uint32_t caps[] = { other->thread, other->space, other->process, other->libos };
	for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++)
		CHECK_STATUS(&check, STATUS_OK, ring_release(check.self->ring, caps[i]));
}

/* -- scribbling over messages in flight ---------------------------------------- */

/* A call whose params and results stand in SHARED; whatever it then says must
 * do no harm. */
static void submit(struct ring_call *call, uint64_t round)
{
	struct capnp_builder b;
	*call = (struct ring_call){
		.params = SHARED->params, .results = SHARED->results, .results_size = 2048,
	};
	capnp_builder_start(&b, SHARED->params, sizeof SHARED->params);
	switch (round % 5) {
	case 0:
		call->cap = object, call->interface = MEMORY_OBJECT_ID, call->method = MEMORY_OBJECT_READ;
		memory_object_read_params_set_count(memory_object_read_params_build(&b), 64);
		break;
	case 1:
		call->cap = object, call->interface = MEMORY_OBJECT_ID, call->method = MEMORY_OBJECT_CHILD;
		memory_object_child_params_set_pages(memory_object_child_params_build(&b), 1);
		break;
	case 2:
		call->cap = pool, call->interface = MEMORY_POOL_ID, call->method = MEMORY_POOL_ALLOCATE;
		memory_pool_allocate_params_set_pages(memory_pool_allocate_params_build(&b), 3);
		break;
	case 3:
		call->cap = native_find(check.self, "libos"), call->interface = LIBOS_TABLE_ID;
		call->method = LIBOS_TABLE_LIST;
		break;
	default:
		call->cap = native_find(check.self, "space"), call->interface = ADDRESS_SPACE_ID;
		call->method = ADDRESS_SPACE_QUERY;
		address_space_query_params_set_address(address_space_query_params_build(&b),
		                                       (uintptr_t)SHARED);
	}
	call->params_size = (uint32_t)capnp_builder_size(&b);
}

static void messages_in_flight(void)
{
	struct other other;
	uint32_t reason;
	int32_t code = -1;
	uint64_t answered[2] = { 0, 0 };
	start(&other, scribble);
	for (uint64_t round = 0; round < ROUNDS && check.failures == 0; round++) {
		struct ring_call call;
		submit(&call, round);
		enum status status = ring_call(check.self->ring, &call);
		CHECK(&check, (uint32_t)status < STATUS_COUNT);
		answered[status == STATUS_OK]++;
		for (size_t i = 0; i < RING_CAPS; i++)
			if (call.caps[i] != 0)
				CHECK_STATUS(&check, STATUS_OK,
				             ring_release(check.self->ring, call.caps[i]));
	}
	SHARED->stop = 1;
	end(&other, &reason, &code);
	CHECK(&check, reason == EXITED && code == 0);
	native_print(check.self, "other_cpu: %lu turns against %lu answers, %lu of them refusals\n",
	             SHARED->turns, answered[0] + answered[1], answered[0]);
	release(&other);
}

/* -- memory taken from a running process --------------------------------------- */

static void fault_of(struct other *other, uint64_t address)
{
	struct native_call call;
	struct process_fault_results_reader results;
	uint32_t reason;
	int32_t code;
	end(other, &reason, &code);
	CHECK(&check, reason == FAULTED);
	native_call(&call, check.self, other->process, PROCESS_ID, PROCESS_FAULT);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	CHECK_STATUS(&check, STATUS_OK,
	             process_fault_results_read(call.results, call.results_size, &results));
	CHECK(&check, process_fault_results_get_vector(results) == PAGE_FAULT);
	CHECK(&check, process_fault_results_get_address(results) == address);
}

/* `unmap`, or else take away the right to write. Nothing that happens after the
 * answer may come through the old mapping. */
static void take(bool unmap)
{
	struct other other;
	start(&other, unmap ? keep_reading : keep_writing);
	CHECK_STATUS(&check, STATUS_OK,
	             unmap ? native_unmap(check.self, other.space, TAKEN_AT, 1)
	                   : protect(other.space, TAKEN_AT, ACCESS_READ));
	/* One turn may have been under way. */
	uint64_t turns = SHARED->turns + 1, taken = SHARED->taken;
	nap(200000);
	CHECK(&check, SHARED->turns <= turns);
	CHECK(&check, SHARED->taken == taken);
	if (check.failures > 0) /* it may never end */
		check_end(&check);
	fault_of(&other, (uintptr_t)TAKEN_AT);
	release(&other);
}

static uint64_t available(void)
{
	uint64_t pages = 0;
	CHECK_STATUS(&check, STATUS_OK, native_available(check.self, pool, &pages));
	return pages;
}

int native_main(struct native *self)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	seed = ((uint64_t)high << 32 | low) | 1;
	check = (struct check){ self, "other_cpu", 0 };
	pool = native_find(self, "memory");
	CHECK_STATUS(&check, STATUS_OK, native_allocate(self, pool, SHARED_PAGES, &object));
	CHECK_STATUS(&check, STATUS_OK,
	             native_map(self, native_find(self, "space"), object, 0, SHARED, SHARED_PAGES,
	                        ACCESS_READ | ACCESS_WRITE));
	uint64_t before = 0;
	for (unsigned round = 0; round < TAKINGS && check.failures == 0; round++) {
		if (round == 2) /* the exokernel's own caches have settled */
			before = available();
		if (round % (TAKINGS / 2) == 0)
			messages_in_flight();
		take(round % 2);
	}
	CHECK(&check, available() == before);
	check_end(&check);
}
