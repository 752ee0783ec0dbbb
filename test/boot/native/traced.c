/* traced.c: a native program whose run is recorded and replayed (trace_test.sh).
 *
 * What it does depends on what it is answered: it prints the time, how much memory
 * there is and what it reads, waits, queues several entries at once, is refused,
 * and looks at memory that it shares with an object. It exits with a code of its
 * own, so that the recording has an end. */
#include "test/boot/native/check.h"

#include "abi/memory.capnp.h"
#include "abi/space.capnp.h"
#include "abi/timer.capnp.h"
#include "rt/ring.h"

enum { EXIT_CODE = 0 };

#define SHARED ((volatile uint64_t *)0x200000000)
#define FRESH ((volatile uint64_t *)0x300000000)

static struct native *self;
static struct check check;

static uint64_t now(void)
{
	struct native_call call;
	struct timer_now_results_reader results;

	native_call(&call, self, native_find(self, "timer"), TIMER_ID, TIMER_NOW);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	CHECK_STATUS(&check, STATUS_OK,
	             timer_now_results_read(call.results, call.results_size, &results));
	return timer_now_results_get_monotonic(results);
}

static void sleep_until(uint64_t until)
{
	struct native_call call;

	native_call(&call, self, native_find(self, "timer"), TIMER_ID, TIMER_SLEEP);
	timer_sleep_params_set_until(timer_sleep_params_build(&call.params), until);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
}

static enum status fresh(const volatile void *at, uint64_t pages, uint32_t access)
{
	struct native_call call;
	struct address_space_fresh_params_builder params;

	native_call(&call, self, native_find(self, "space"), ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH);
	params = address_space_fresh_params_build(&call.params);
	address_space_fresh_params_set_address(params, (uintptr_t)at);
	address_space_fresh_params_set_pages(params, pages);
	address_space_fresh_params_set_access(params, access);
	return native_send(&call);
}

/* What the program wrote is seen through the object, and the other way round. */
static void share_memory(void)
{
	struct native_call call;
	struct memory_object_read_results_reader read;
	struct memory_object_write_params_builder write;
	struct memory_object_read_params_builder params;
	uint64_t word = 0x1122334455667788;
	struct capnp_data data;
	uint32_t object = 0;

	CHECK_STATUS(&check, STATUS_OK,
	             native_allocate(self, native_find(self, "memory"), 4, &object));
	CHECK_STATUS(&check, STATUS_OK, native_map(self, native_find(self, "space"), object, 1,
	                                           (void *)SHARED, 2, ACCESS_READ | ACCESS_WRITE));
	CHECK(&check, SHARED[0] == 0);
	SHARED[0] = 0x600dcafe;
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_READ);
	params = memory_object_read_params_build(&call.params);
	memory_object_read_params_set_offset(params, NATIVE_PAGE);
	memory_object_read_params_set_count(params, 8);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	CHECK_STATUS(&check, STATUS_OK,
	             memory_object_read_results_read(call.results, call.results_size, &read));
	CHECK_STATUS(&check, STATUS_OK, memory_object_read_results_get_data(read, &data));
	CHECK(&check, data.size == 8 && data.bytes[0] == 0xfe && data.bytes[3] == 0x60);
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_WRITE);
	write = memory_object_write_params_build(&call.params);
	memory_object_write_params_set_offset(write, 2 * NATIVE_PAGE);
	memory_object_write_params_set_data(write, capnp_data_from(&word, sizeof word));
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	CHECK(&check, SHARED[NATIVE_PAGE / 8] == word);
	CHECK_STATUS(&check, STATUS_OK, ring_release(self->ring, object));
	SHARED[1] = 1; /* what is mapped stays */
	CHECK_STATUS(&check, STATUS_OK,
	             native_unmap(self, native_find(self, "space"), (void *)SHARED, 2));
}

/* Several entries at once: refusals, and a wait that ends last, or not, as time
 * has it: what came is printed. */
static void queue_several(void)
{
	static uint32_t word = 7;
	struct ring *ring = self->ring;
	uint64_t seen = 0;
	const struct ring_cqe *done;

	*ring_next(ring) = (struct ring_sqe){ .op = RING_PARK, .user_data = 1, .word = (uintptr_t)&word,
	                                      .expected = 7, .timeout = 10000000 };
	ring_push(ring);
	*ring_next(ring) = (struct ring_sqe){ .op = RING_NOP, .user_data = 2 };
	ring_push(ring);
	*ring_next(ring) = (struct ring_sqe){ .op = RING_CALL, .user_data = 3, .cap = 0xdead,
	                                      .interface = TIMER_ID };
	ring_push(ring);
	*ring_next(ring) = (struct ring_sqe){ .op = 77, .user_data = 4 };
	ring_push(ring);
	CHECK_STATUS(&check, STATUS_OK, ring_run(ring, 3));
	while ((done = ring_done(ring)) != NULL)
		seen = seen << 8 | done->user_data << 4 | done->status;
	(void)!ring_enter(1, 0);
	CHECK_STATUS(&check, STATUS_TIMEOUT, ring_enter(2, 30000000)); /* there is one more at most */
	while ((done = ring_done(ring)) != NULL)
		seen = seen << 8 | done->user_data << 4 | done->status;
	native_print(self, "traced: answers %lx\n", seen);
	CHECK_STATUS(&check, STATUS_INVALID, ring_enter(RING_CQ_ENTRIES + 1, 0));
}

static void map_fresh_pages(void)
{
	CHECK_STATUS(&check, STATUS_OK, fresh(FRESH, 2, ACCESS_READ | ACCESS_WRITE));
	FRESH[0] = 5;
	CHECK_STATUS(&check, STATUS_OK, fresh(FRESH, 4, ACCESS_READ | ACCESS_WRITE));
	CHECK(&check, FRESH[0] == 5 && FRESH[3 * NATIVE_PAGE / 8] == 0);
	CHECK(&check, fresh(FRESH, 0, ACCESS_READ) == STATUS_INVALID);
}

int native_main(struct native *given)
{
	uint64_t pages = 0;

	self = given;
	check = (struct check){ .self = self, .name = "traced" };
	native_print(self, "traced: at %lu ns\n", now());
	sleep_until(now() + 1000000);
	CHECK_STATUS(&check, STATUS_OK,
	             native_available(self, native_find(self, "memory"), &pages));
	native_print(self, "traced: %lu pages\n", pages);
	share_memory();
	queue_several();
	map_fresh_pages();
	native_print(self, "traced: %s\n", check.failures == 0 ? "ok" : "FAILED");
	return EXIT_CODE + (int)check.failures;
}
