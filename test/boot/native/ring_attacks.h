/* ring_attacks.h: what ring_garbage.c submits. An attack makes an entry of random
 * bytes wrong in one chosen way, or right, and returns the statuses that may
 * answer it, one bit each. */
#pragma once

#include "test/boot/native/check.h"

#include "abi/console.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/power.capnp.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"
#include "abi/timer.capnp.h"
#include "rt/ring.h"

enum {
	SLOTS = 64,      /* entries whose answers are awaited; a power of two */
	OBJECT_PAGES = 4,
	WORDS = RING_MESSAGE_MAX / 8 + 64,
};

/* The object shown at SCRATCH; the page after it stays unmapped. */
#define SCRATCH ((uint8_t *)0x200000000)
#define SCRATCH_END (SCRATCH + OBJECT_PAGES * NATIVE_PAGE)

#define MAY(status) (1u << (status))
#define ANY ((1u << STATUS_COUNT) - 1)
#define ANY_REFUSAL (ANY & ~MAY(STATUS_OK))

struct garbage {
	struct check check;
	struct native *self;
	struct ring *ring;
	uint64_t random;
	uint32_t pool, space, timer, object;
	uint32_t stale;                 /* an id that was released */
	uint32_t sq, cq;                /* entries made, completions taken, so far */
	struct { uint64_t user_data; uint32_t may; bool waiting; } slots[SLOTS];
	uint32_t next_slot, waiting;
	struct { const char *what; int32_t status; uint32_t may; } trouble; /* told after a batch */
	uint64_t message[WORDS], results[WORDS];
	uint64_t refused, answered;
};

static uint64_t next(struct garbage *g)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return g->random * 0x2545f4914f6cdd1d;
}

static uint64_t below(struct garbage *g, uint64_t limit)
{
	return (next(g) >> 11) % limit;
}

/* -- what garbage is made of ------------------------------------------------ */

/* Where nothing of the program's is, or where `size` bytes run out of it. */
static uint64_t unmapped(struct garbage *g, uint32_t size)
{
	static const uint64_t holes[] = {
		0, 8, 0x1000, 0x700000000000, 0x00007ffffffff000, 0x00007ffffffffff8,
		0x0000800000000000, 0x8000000000000000, 0xffff7ffffffffff8,
		0xffff800000000000, 0xffffc00000000000, 0xffffc07fffe00000, 0xffffc07fffe01000,
		0xffffffff80000000, 0xffffffff80100000, 0xfffffffffffff000, 0xfffffffffffffff8,
	};
	switch (below(g, 4)) {
	case 0:
		return (uintptr_t)SCRATCH_END;
	case 1:
		return (uintptr_t)SCRATCH_END - below(g, size);
	case 2: /* the kernel's half, or no address at all */
		return next(g) | (uint64_t)1 << 47;
	default:
		return holes[below(g, sizeof holes / sizeof holes[0])];
	}
}

/* The same, and what may be read only. */
static uint64_t unwritable(struct garbage *g, uint32_t size)
{
	switch (below(g, 4)) {
	case 0:
		return (uintptr_t)g->self->capset + (below(g, 64) << 3);
	case 1:
		return (uintptr_t)&native_main & ~(uint64_t)7;
	default:
		return unmapped(g, size);
	}
}

/* Every capability there is: its id, its interface, how many methods it has. */
static struct known { uint32_t cap; uint64_t interface; uint16_t methods; }
any_capability(struct garbage *g)
{
	static const struct { const char *name; uint64_t interface; uint16_t methods; } known[] = {
		{ "console", CONSOLE_ID, 2 },      { "timer", TIMER_ID, 3 },
		{ "memory", MEMORY_POOL_ID, 2 },   { "power", POWER_ID, 1 },
		{ "libos", LIBOS_TABLE_ID, 2 },    { "bundle", MEMORY_OBJECT_ID, 7 },
		{ "space", ADDRESS_SPACE_ID, 10 },  { "self", PROCESS_ID, 7 },
	};
	uint64_t i = below(g, sizeof known / sizeof known[0]);
	return (struct known){ native_find(g->self, known[i].name), known[i].interface,
	                       known[i].methods };
}

static bool live(const struct garbage *g, uint32_t cap)
{
	const struct capset *capset = g->self->capset;
	for (uint32_t i = 0; i < capset->count; i++)
		if (capset->entries[i].cap == cap)
			return true;
	return cap == g->object;
}

static uint32_t dead_id(struct garbage *g)
{
	uint32_t cap = (uint32_t)next(g);
	switch (below(g, 4)) {
	case 0:
		cap = g->stale;
		break;
	case 1: /* another generation, or another index */
		cap = any_capability(g).cap ^ 1u << below(g, 32);
		break;
	case 2:
		cap = (uint32_t)below(g, 256);
		break;
	}
	return live(g, cap) ? UINT32_MAX : cap;
}

/* A call that does no harm whatever becomes of it, and needs no params. */
static void harmless(struct garbage *g, struct ring_sqe *e)
{
	const struct { uint32_t cap; uint64_t interface; uint16_t method; } calls[] = {
		{ g->object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE },
		{ g->pool, MEMORY_POOL_ID, MEMORY_POOL_AVAILABLE },
		{ g->timer, TIMER_ID, TIMER_NOW },
		{ native_find(g->self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LIST },
	};
	uint64_t i = below(g, sizeof calls / sizeof calls[0]);
	e->op = RING_CALL;
	e->caps_how = 0;
	e->cap = calls[i].cap;
	e->interface = calls[i].interface;
	e->method = calls[i].method;
	e->params_size = 0;
	e->results = (uintptr_t)g->results;
	e->results_size = sizeof g->results;
}

/* -- attacks ---------------------------------------------------------------- */

static uint32_t unknown_op(struct garbage *g, struct ring_sqe *e)
{
	e->op = (uint8_t)(RING_OP_COUNT + below(g, 256 - RING_OP_COUNT));
	return MAY(STATUS_INVALID);
}

static uint32_t no_capability(struct garbage *g, struct ring_sqe *e)
{
	e->op = below(g, 2) ? RING_CALL : RING_RELEASE;
	e->chained = 0;
	e->cap = dead_id(g);
	return MAY(STATUS_NO_CAP) | MAY(STATUS_INVALID);
}

static uint32_t wrong_interface(struct garbage *g, struct ring_sqe *e)
{
	struct known known = any_capability(g);
	e->op = RING_CALL;
	e->chained = 0;
	e->cap = known.cap;
	if (below(g, 2))
		e->interface = any_capability(g).interface;
	if (e->interface == known.interface)
		e->interface ^= (uint64_t)1 << below(g, 64);
	return MAY(STATUS_NO_METHOD) | MAY(STATUS_INVALID);
}

static uint32_t wrong_method(struct garbage *g, struct ring_sqe *e)
{
	struct known known = any_capability(g);
	e->op = RING_CALL;
	e->cap = known.cap;
	e->interface = known.interface;
	e->method = (uint16_t)(known.methods + below(g, 65536 - known.methods));
	e->caps_how = 0;
	e->params_size = 0;
	e->results_size = 0;
	return MAY(STATUS_NO_METHOD);
}

static uint32_t bad_params(struct garbage *g, struct ring_sqe *e)
{
	harmless(g, e);
	e->params_size = 8 * (1 + (uint32_t)below(g, RING_MESSAGE_MAX / 8));
	e->params = unmapped(g, e->params_size);
	return MAY(STATUS_FAULT);
}

static uint32_t long_params(struct garbage *g, struct ring_sqe *e)
{
	harmless(g, e);
	e->params_size = RING_MESSAGE_MAX + 1 + (uint32_t)below(g, UINT32_MAX - RING_MESSAGE_MAX);
	return MAY(STATUS_INVALID);
}

static uint32_t bad_results(struct garbage *g, struct ring_sqe *e)
{
	harmless(g, e);
	e->results_size = 1 + (uint32_t)below(g, RING_MESSAGE_MAX);
	e->results = unwritable(g, e->results_size);
	return MAY(STATUS_FAULT) | MAY(STATUS_TOO_SMALL);
}

static uint32_t short_results(struct garbage *g, struct ring_sqe *e)
{
	harmless(g, e);
	e->results_size = 1 + (uint32_t)below(g, 15);
	return MAY(STATUS_TOO_SMALL);
}

static uint32_t too_many_caps(struct garbage *g, struct ring_sqe *e)
{
	harmless(g, e);
	e->caps_how = (uint8_t)(RING_CAPS + 1 + below(g, 3));
	return MAY(STATUS_INVALID);
}

static uint32_t dead_caps(struct garbage *g, struct ring_sqe *e)
{
	harmless(g, e);
	e->caps_how = (uint8_t)(1 + below(g, RING_CAPS));
	for (uint32_t i = 0; i < RING_CAPS; i++)
		e->caps[i] = dead_id(g);
	return MAY(STATUS_NO_CAP);
}

/* Random words as a message; half of them with a plausible root pointer. */
static uint32_t noise(struct garbage *g, struct ring_sqe *e)
{
	harmless(g, e);
	uint64_t words = 1 + below(g, 32);
	for (uint64_t i = 0; i < words; i++)
		g->message[i] = next(g) & next(g);
	if (below(g, 2))
		g->message[0] = below(g, 4) << 48 | below(g, 8) << 32 | below(g, 8) << 2;
	if (e->cap == g->object)
		e->method = (uint16_t)below(g, 5);
	e->params = (uintptr_t)g->message;
	e->params_size = (uint32_t)(words * 8 - (below(g, 8) == 0 ? below(g, 8) : 0));
	return ANY;
}

static struct capnp_builder params_for(struct garbage *g, struct ring_sqe *e, uint32_t cap,
                                       uint64_t interface, uint16_t method)
{
	struct capnp_builder b;
	e->op = RING_CALL;
	e->cap = cap;
	e->interface = interface;
	e->method = method;
	e->caps_how = 0;
	e->params = (uintptr_t)g->message;
	e->results = (uintptr_t)g->results;
	e->results_size = sizeof g->results;
	capnp_builder_start(&b, g->message, sizeof g->message);
	return b;
}

/* A well-formed message that reaches past the object's end. */
static uint32_t outside_object(struct garbage *g, struct ring_sqe *e)
{
	uint64_t end = OBJECT_PAGES * NATIVE_PAGE;
	uint64_t offset = below(g, 2) ? end - below(g, 64) : next(g) | end;
	struct capnp_builder b;
	switch (below(g, 3)) {
	case 0:
		b = params_for(g, e, g->object, MEMORY_OBJECT_ID, MEMORY_OBJECT_READ);
		struct memory_object_read_params_builder read = memory_object_read_params_build(&b);
		memory_object_read_params_set_offset(read, offset);
		memory_object_read_params_set_count(read, 64 + (uint32_t)below(g, UINT32_MAX - 64));
		break;
	case 1:
		b = params_for(g, e, g->object, MEMORY_OBJECT_ID, MEMORY_OBJECT_WRITE);
		struct memory_object_write_params_builder write = memory_object_write_params_build(&b);
		memory_object_write_params_set_offset(write, offset);
		(void)memory_object_write_params_init_data(write, 64);
		break;
	default:
		b = params_for(g, e, g->object, MEMORY_OBJECT_ID, MEMORY_OBJECT_CHILD);
		struct memory_object_child_params_builder child = memory_object_child_params_build(&b);
		uint64_t page = 1 + below(g, OBJECT_PAGES);
		memory_object_child_params_set_page(child, page);
		memory_object_child_params_set_pages(child, below(g, 2) ? OBJECT_PAGES + 1 : -page);
	}
	e->params_size = (uint32_t)capnp_builder_size(&b);
	return ANY_REFUSAL;
}

/* AddressSpace, where no program's page may be, or with a capability that is
 * no memory, or none. */
static uint32_t outside_space(struct garbage *g, struct ring_sqe *e)
{
	static const uint64_t places[] = {
		0x0000800000000000, 0x00007ffffffff000, 0xffff800000000000, 0xffffc00000000000,
		0xffffffff80000000, 0xfffffffffffff000, 0x200000001, 0x2000007ff,
	};
	uint64_t address = places[below(g, sizeof places / sizeof places[0])];
	uint64_t pages = below(g, 2) ? 1 + below(g, 3) : next(g);
	struct capnp_builder b = params_for(g, e, g->space, ADDRESS_SPACE_ID,
	                                    below(g, 2) ? ADDRESS_SPACE_MAP : ADDRESS_SPACE_FRESH);
	e->caps_how = 1;
	e->caps[0] = g->object;
	if (e->method == ADDRESS_SPACE_FRESH) {
		struct address_space_fresh_params_builder fresh = address_space_fresh_params_build(&b);
		address_space_fresh_params_set_address(fresh, address);
		address_space_fresh_params_set_pages(fresh, pages);
		address_space_fresh_params_set_access(fresh, (uint32_t)next(g));
	} else {
		struct address_space_map_params_builder map = address_space_map_params_build(&b);
		bool good_place = below(g, 2);
		address_space_map_params_set_object(map, 0);
		address_space_map_params_set_address(map, good_place ? 0x300000000 : address);
		address_space_map_params_set_pages(map, good_place ? 1 : pages);
		address_space_map_params_set_page(map, good_place ? 0 : next(g));
		address_space_map_params_set_access(map, 1 + (uint32_t)below(g, 3));
		if (good_place && below(g, 2))
			e->caps[0] = g->timer;
		else if (good_place)
			address_space_map_params_set_object(map, 1 + (uint32_t)next(g) % 9);
	}
	e->params_size = (uint32_t)capnp_builder_size(&b);
	return ANY_REFUSAL;
}

static uint32_t bad_word(struct garbage *g, struct ring_sqe *e)
{
	e->op = below(g, 2) ? RING_PARK : RING_WAKE;
	e->cap = 0;
	e->word = unmapped(g, 4);
	e->timeout = below(g, 1000);
	if (e->word >= (uintptr_t)SCRATCH && e->word < (uintptr_t)SCRATCH_END)
		e->word |= 1; /* in SCRATCH, so make it unaligned */
	return MAY(STATUS_FAULT) | MAY(STATUS_INVALID);
}

/* A ParkSpace that is none. */
static uint32_t bad_park_space(struct garbage *g, struct ring_sqe *e)
{
	e->op = below(g, 2) ? RING_PARK : RING_WAKE;
	e->cap = below(g, 2) ? dead_id(g) : any_capability(g).cap;
	e->word = (uintptr_t)SCRATCH + 4 * below(g, 64);
	e->timeout = below(g, 1000);
	return e->cap ? MAY(STATUS_NO_CAP) : MAY(STATUS_OK) | MAY(STATUS_AGAIN) | MAY(STATUS_TIMEOUT);
}

static uint32_t good_park(struct garbage *g, struct ring_sqe *e)
{
	bool same = below(g, 2);
	e->op = RING_PARK;
	e->cap = 0;
	e->word = (uintptr_t)SCRATCH + 2 * NATIVE_PAGE + 4 * below(g, 64);
	e->expected = *(uint32_t *)e->word + !same;
	e->timeout = below(g, 2000);
	return same ? MAY(STATUS_TIMEOUT) : MAY(STATUS_AGAIN);
}

static uint32_t good_wake(struct garbage *g, struct ring_sqe *e)
{
	e->op = RING_WAKE;
	e->cap = 0;
	e->word = (uintptr_t)SCRATCH + NATIVE_PAGE + 4 * below(g, 64);
	return MAY(STATUS_OK);
}

static uint32_t nothing(struct garbage *g, struct ring_sqe *e)
{
	(void)g;
	e->op = RING_NOP;
	return MAY(STATUS_OK);
}

/* Takes memory, sometimes with nowhere to put the answer. */
static uint32_t allocate(struct garbage *g, struct ring_sqe *e)
{
	bool huge = below(g, 2);
	struct capnp_builder b = params_for(g, e, g->pool, MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE);
	memory_pool_allocate_params_set_pages(memory_pool_allocate_params_build(&b),
	                                      huge ? next(g) | (uint64_t)1 << 40
	                                           : 1 + below(g, 20));
	e->params_size = (uint32_t)capnp_builder_size(&b);
	if (huge)
		return ANY_REFUSAL;
	if (below(g, 2))
		return MAY(STATUS_OK);
	e->results_size = 16 + (uint32_t)below(g, 64);
	e->results = unwritable(g, 16);
	return ANY_REFUSAL;
}

/* These fill the shared message buffers and may bring capabilities, whose ids
 * others might guess: only one may stand in a batch, as the last. */
static uint32_t (*const with_message[])(struct garbage *, struct ring_sqe *) = {
	noise, outside_object, outside_space, allocate,
};

static uint32_t (*const without_message[])(struct garbage *, struct ring_sqe *) = {
	unknown_op, no_capability, wrong_interface, wrong_method, bad_params, long_params,
	bad_results, short_results, too_many_caps, dead_caps, bad_word, bad_park_space, good_park,
	good_wake,
	nothing,
};

