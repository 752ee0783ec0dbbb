/* attack_native.c: a native program that abuses its system calls, its ring's
 * page and the ids of its capabilities. (Garbage in the ring: ring_garbage.c.) */
#include "test/boot/native/attack.h"

#include "abi/console.capnp.h"

#define SCRATCH ((uint8_t *)0x20000000)
#define WIDE ((uint8_t *)0x200000000)

static struct judge judge;

static void say(const char *name, bool passed)
{
	struct ending none = { .hung = false };

	judge_say(&judge, "native", name, passed, &none);
}

static uint64_t enter(uint64_t number, uint64_t least, uint64_t timeout, bool by_vector)
{
	uint64_t at = 0;

	if (by_vector)
		__asm__ volatile("int $0x90" : "+a"(number), "+D"(least), "+S"(timeout), "+d"(at)
		                 : : "rcx", "r8", "r9", "r10", "r11", "memory");
	else
		__asm__ volatile("syscall" : "+a"(number), "+D"(least), "+S"(timeout), "+d"(at)
		                 : : "rcx", "r8", "r9", "r10", "r11", "memory");
	if (number == STATUS_OK && at != (uint64_t)judge.self->ring)
		say("ring address", false);
	return number;
}

static void system_calls(void)
{
	for (unsigned by_vector = 0; by_vector < 2; by_vector++) {
		bool passed = true;

		for (uint64_t bit = 2; bit; bit <<= 1)
			passed &= enter(bit, 0, 0, by_vector) == STATUS_INVALID &&
			          enter(bit | 1, 0, 0, by_vector) == STATUS_INVALID;
		passed &= enter(UINT64_MAX, UINT64_MAX, UINT64_MAX, by_vector) == STATUS_INVALID;
		say(by_vector ? "numbers_by_vector" : "numbers", passed);
		passed = enter(SYS_CAP_ENTER, UINT64_MAX, 0, by_vector) == STATUS_INVALID;
		for (uint64_t least = 33; least; least <<= 1)
			passed &= enter(SYS_CAP_ENTER, least, RING_FOREVER, by_vector) == STATUS_INVALID;
		passed &= enter(SYS_CAP_ENTER, 1, 0, by_vector) == STATUS_TIMEOUT;
		passed &= enter(SYS_CAP_ENTER, 32, 1, by_vector) == STATUS_TIMEOUT;
		passed &= enter(SYS_CAP_ENTER, 1, 1000000, by_vector) == STATUS_TIMEOUT;
		passed &= enter(SYS_CAP_ENTER, 0, RING_FOREVER, by_vector) == STATUS_OK;
		say(by_vector ? "cap_enter_by_vector" : "cap_enter", passed);
	}
}

/* Timeouts near the end of time must neither fire nor confuse those that do. */
static void huge_timeouts(void)
{
	static const uint64_t timeouts[] = {
		UINT64_MAX - 1, 1ul << 63, (1ul << 63) - 1, UINT64_MAX / 2, UINT64_MAX / 2 - 1, 1ul << 62,
	};
	bool passed = true;

	for (unsigned i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
		static uint32_t word;
		struct ring *ring = judge.self->ring;
		const struct ring_cqe *cqe;

		*ring_next(ring) = (struct ring_sqe){
			.op = RING_PARK, .word = (uint64_t)&word, .timeout = timeouts[i], .user_data = i,
		};
		ring_push(ring);
		passed &= enter(SYS_CAP_ENTER, 1, 1000000, false) == STATUS_TIMEOUT;
		*ring_next(ring) = (struct ring_sqe){
			.op = RING_WAKE, .word = (uint64_t)&word, .expected = 1, .user_data = 100 };
		ring_push(ring);
		passed &= enter(SYS_CAP_ENTER, 2, timeouts[i], false) == STATUS_OK;
		passed &= (cqe = ring_done(ring)) && cqe->user_data == i && cqe->status == STATUS_OK;
		passed &= (cqe = ring_done(ring)) && cqe->results_size == 1;
	}
	judge_sleep(&judge, 1000000);
	say("huge_timeouts", passed);
}

/* Ids that are another domain's, or nobody's, or once were ours. */
static void foreign_ids(void)
{
	uint32_t libos = judge_load(&judge, "hostile"), gone;
	struct victim v;
	struct ending end;
	bool passed = true;

	for (uint32_t index = 0; index < 0x1000; index++) {
		passed &= ring_release(judge.self->ring, index) == STATUS_NO_CAP; /* generation 0 */
		if (index > 1024)
			passed &= ring_release(judge.self->ring, 1u << 12 | index) == STATUS_NO_CAP;
		passed &= ring_release(judge.self->ring, 0xfff00u << 12 | index) == STATUS_NO_CAP;
	}
	say("made_up_ids", passed);
	CHECK_STATUS(&judge.check, STATUS_OK, native_allocate(judge.self, judge.memory, 1, &gone));
	judge_release(&judge, gone);
	passed = ring_release(judge.self->ring, gone) == STATUS_NO_CAP &&
	         native_map(judge.self, judge.space, gone, 0, SCRATCH, 1, ACCESS_READ) ==
	                 STATUS_NO_CAP &&
	         judge_simple(&judge, gone, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE) == STATUS_NO_CAP;
	say("released_id", passed);
	/* The right object by the wrong interface, and methods that there are none. */
	passed = judge_simple(&judge, judge.memory, CONSOLE_ID, CONSOLE_WRITE) == STATUS_NO_METHOD &&
	         judge_simple(&judge, judge.memory, MEMORY_POOL_ID, 2) == STATUS_NO_METHOD &&
	         judge_simple(&judge, judge.memory, MEMORY_POOL_ID, 0xffff) == STATUS_NO_METHOD &&
	         judge_simple(&judge, judge.table, LIBOS_TABLE_ID, 2) == STATUS_NO_METHOD;
	say("wrong_interface", passed);
	CHECK_STATUS(&judge.check, STATUS_OK,
	             judge_spawn(&judge, libos, (struct judge_start){ .argument = 0 }, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	end = judge_wait(&judge, v.process);
	say("spawn_after_it", judge_exited(&end, CANARY));
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
}

/* Where the ring was, something else is; the exokernel goes on with its page.
 * Nothing can be printed after that: the exit code tells. */
_Noreturn static void ring_remapped(void)
{
	struct ring *ring = judge.self->ring;
	struct address_space_map_params_builder p;
	struct capnp_builder b;
	uint32_t object;
	bool passed = true;

	CHECK_STATUS(&judge.check, STATUS_OK, native_allocate(judge.self, judge.memory, 1, &object));
	capnp_builder_start(&b, ring->area, 512);
	p = address_space_map_params_build(&b);
	address_space_map_params_set_object(p, 0);
	address_space_map_params_set_address(p, (uint64_t)ring);
	address_space_map_params_set_pages(p, 1);
	address_space_map_params_set_access(p, ACCESS_READ | ACCESS_WRITE);
	*ring_next(ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = judge.space, .interface = ADDRESS_SPACE_ID,
		.method = ADDRESS_SPACE_MAP, .params = (uint64_t)ring->area,
		.params_size = (uint32_t)capnp_builder_size(&b), .caps_count = 1, .caps = { object },
	};
	ring_push(ring);
	passed &= enter(SYS_CAP_ENTER, 1, RING_FOREVER, false) == STATUS_OK;
	passed &= *(volatile uint32_t *)&ring->sq_tail == 0; /* the object's zeroes */
	memset(ring, 0xff, sizeof *ring);
	/* One completion, the map's, is there and cannot be consumed. */
	for (unsigned i = 0; i < 100; i++)
		passed &= enter(SYS_CAP_ENTER, 1, 0, i & 1) == STATUS_OK;
	passed &= enter(SYS_CAP_ENTER, 2, 0, false) == STATUS_TIMEOUT;
	ring_exit(passed ? 0 : 77);
}

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* How long a ring full of calls takes, with so much room for each answer. */
static uint64_t time_calls(uint32_t results_size)
{
	struct ring *ring = judge.self->ring;
	const struct ring_cqe *cqe;
	struct capnp_builder b;
	uint64_t start;

	capnp_builder_start(&b, ring->area, 256);
	(void)timer_now_params_build(&b);
	for (unsigned i = 0; i < RING_SQ_ENTRIES; i++) {
		*ring_next(ring) = (struct ring_sqe){
			.op = RING_CALL, .cap = judge.timer, .interface = TIMER_ID, .method = TIMER_NOW,
			.params = (uint64_t)ring->area, .params_size = (uint32_t)capnp_builder_size(&b),
			.results = (uint64_t)WIDE, .results_size = results_size,
		};
		ring_push(ring);
	}
	start = ticks();
	CHECK_STATUS(&judge.check, STATUS_OK,
	             enter(SYS_CAP_ENTER, RING_SQ_ENTRIES, RING_FOREVER, false));
	start = ticks() - start;
	while ((cqe = ring_done(ring)))
		CHECK(&judge.check, cqe->status == STATUS_OK);
	return start;
}

/* Room for an answer that is far more than any answer needs costs no more. */
static void wide_buffers(void)
{
	enum { PAGES = 1024, TIMES = 64 };
	static const uint64_t slack = 20000000;
	uint64_t narrow, wide;
	uint32_t object;

	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_allocate(judge.self, judge.memory, PAGES, &object));
	for (uint64_t i = 0; i < TIMES; i++)
		CHECK_STATUS(&judge.check, STATUS_OK,
		             native_map(judge.self, judge.space, object, 0, WIDE + i * PAGES * 4096,
		                        PAGES, ACCESS_READ | ACCESS_WRITE));
	narrow = time_calls(256);
	wide = time_calls(TIMES * PAGES * 4096);
	native_print(judge.self, "  a ring of calls: %lu ticks; with 256 MiB for each answer: %lu\n",
	             narrow, wide);
	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_unmap(judge.self, judge.space, WIDE, TIMES * PAGES));
	judge_release(&judge, object);
	say("wide_buffers", wide < 20 * narrow + slack);
}

int native_main(struct native *self)
{
	judge_start(&judge, self, "attack_native");
	judge_canary(&judge);
	uint64_t before;
	system_calls();
	huge_timeouts();
	wide_buffers();
	before = judge_available(&judge); /* page tables stay with the space */
	wide_buffers();
	foreign_ids();
	judge_after(&judge, "native", "all", before);
	native_print(self, "%u passed, %u failed\n", judge.passed, judge.check.failures);
	if (judge.check.failures)
		check_end(&judge.check);
	native_print(self, "attack_native: ok\n");
	ring_remapped();
}
