/* held.h: what the programs that measure for how long the exokernel can be held have in
 * common: a thread above all others that looks at the clock again and again. The longest
 * time between two looks is what it was kept waiting. Where instructions are counted
 * (./tess run --icount) that is exact, and has a limit. */
#pragma once

#define SCHED_WORKERS 1
#include "test/boot/native/sched.h"

enum {
	LOOK_NS = 50000,
	BOUND = 100000, /* instructions that the exokernel may be held for */
	URGENT = 60,
};

#define MAPPED_AT 0x400000000ul

static uint32_t own;

static volatile uint64_t longest;

static uint64_t ticks(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

_Noreturn static void look(uint64_t which, struct ring *ring)
{
	static const uint32_t never;
	uint64_t last = ticks();
	(void)which;
	for (;;) {
		(void)!ring_park(ring, &never, 0, LOOK_NS);
		uint64_t at = ticks();
		if (at - last > longest)
			longest = at - last;
		last = at;
	}
}

static bool counted;

/* Only a clock that counts instructions says the same again and again. */
static bool is_counted(void)
{
	uint64_t took[4];
	for (unsigned i = 0; i < 4; i++) {
		uint64_t before = ticks();
		(void)account_of(own);
		took[i] = ticks() - before;
	}
	return took[1] == took[2] && took[2] == took[3];
}

static void begin(void)
{
	nap(4 * LOOK_NS);
	longest = 0;
}

static void finish(const char *what, uint64_t limit)
{
	uint64_t before = longest;
	nap(4 * LOOK_NS);
	if (longest < before)
		longest = before;
	native_print(self, "held: %s: %lu\n", what, longest - LOOK_NS);
	if (counted)
		CHECK(&check, longest - LOOK_NS <= limit);
}

/* `slots`: the program's own table grows to so many, once and for all. */
static void start_held(struct native *given, const char *name, unsigned slots)
{
	static uint32_t held[4000];
	unsigned count = 0;
	start_sched(given, name);
	own = native_find(self, "ledger");
	CHECK(&check, slots <= sizeof held / sizeof held[0]);
	while (count < slots && native_allocate(self, pool, 1, &held[count]) == STATUS_OK)
		count++;
	while (count > 0)
		release(held[--count]);
}

/* From here on it looks. */
static void look_on(void)
{
	counted = is_counted();
	struct worker *w = make_worker_at(0, look);
	OK(create_context(control, SCHEDULING_INFINITE, 0, URGENT, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
}

/* -- processes with nothing in them -------------------------------------------------- */

static struct native_child empty_process(uint64_t bytes)
{
	struct native_child child = { 0 };
	struct request r = { .entry = 0x1000, .stack = 0x2000, .bytes = bytes };
	OK(create_raw(&r, &child));
	return child;
}

static void forget(const struct native_child *child)
{
	release(child->thread);
	release(child->space);
	release(child->process);
}
