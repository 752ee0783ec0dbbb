/* actor.h: one who takes part in the chaos test: a thread with its ring, the
 * capabilities it knows of, and the entries it waits for.
 *
 * An actor makes one entry after the other (a step each), of random operations
 * with random arguments that are plausible: what it names is mostly alive and of
 * the right kind, so that most operations are accepted and the next ones find
 * something to work on. Some are then spoiled. It never waits for one entry alone:
 * whatever does not come is cancelled.
 *
 * Everything is drawn from one generator, so an actor's seed decides what it does,
 * as far as the answers are the same. */
#pragma once

#include "test/boot/chaos/board.h"

#include "abi/capset.h"
#include "abi/ring.h"
#include "abi/status.h"
#include "core/capnp.h"
#include "rt/ring.h"

#include "abi/endpoint.capnp.h"
#include "abi/entropy.capnp.h"
#include "abi/inspector.capnp.h"
#include "abi/ledger.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/messages.capnp.h"
#include "abi/notification.capnp.h"
#include "abi/process.capnp.h"
#include "abi/revoker.capnp.h"
#include "abi/scheduling.capnp.h"
#include "abi/space.capnp.h"
#include "abi/spawner.capnp.h"
#include "abi/timer.capnp.h"

#define CHAOS_INTERFACE UINT64_C(0xc4a05c4a05c4a050)
#define CANARY_INTERFACE UINT64_C(0xca7a41ca7a41ca70)

/* What a capability is. The first ones travel between actors. */
enum kind {
	K_NONE, K_LEDGER, K_POOL, K_MEMORY, K_READONLY, K_BUFFER, K_SPACE, K_ENDPOINT, K_FACET,
	K_NOTIFICATION, K_SIGNALLER, K_REVOKER, K_PARKSPACE, K_PROCESS, K_HANDLE, K_THREAD,
	K_CONTROL, K_CONTEXT, K_LIBOS, K_TIMER, K_ENTROPY, K_SPAWNER, K_TABLE, K_CANARY,
	K_TRAVEL, /* below this */
	K_OWNTHREAD = K_TRAVEL, K_INSPECTOR, K_MESSAGES,
	K_BOARD, K_SELF, K_OWNLIBOS, K_HERE, /* by name only */
	KINDS
};

static const uint64_t interface_of[K_BOARD] = {
	[K_LEDGER] = LEDGER_ID, [K_POOL] = MEMORY_POOL_ID, [K_MEMORY] = MEMORY_OBJECT_ID,
	[K_READONLY] = READ_ONLY_MEMORY_ID, [K_BUFFER] = SHARED_BUFFER_ID,
	[K_SPACE] = ADDRESS_SPACE_ID, [K_ENDPOINT] = ENDPOINT_ID, [K_FACET] = CHAOS_INTERFACE,
	[K_NOTIFICATION] = NOTIFICATION_ID, [K_SIGNALLER] = SIGNALLER_ID, [K_REVOKER] = REVOKER_ID,
	[K_PARKSPACE] = PARK_SPACE_ID, [K_PROCESS] = PROCESS_ID, [K_HANDLE] = PROCESS_HANDLE_ID,
	[K_THREAD] = THREAD_ID, [K_CONTROL] = SCHEDULING_CONTROL_ID,
	[K_CONTEXT] = SCHEDULING_CONTEXT_ID, [K_LIBOS] = LIBOS_ID, [K_TIMER] = TIMER_ID,
	[K_ENTROPY] = ENTROPY_ID, [K_SPAWNER] = PROCESS_SPAWNER_ID, [K_TABLE] = LIBOS_TABLE_ID,
	[K_CANARY] = CANARY_INTERFACE, [K_OWNTHREAD] = THREAD_CONTROL_ID,
	[K_INSPECTOR] = INSPECTOR_ID, [K_MESSAGES] = MESSAGE_BUFFER_ID,
};

enum {
	SLOTS = 24,         /* entries awaited */
	KEPT = 6,           /* capabilities known, of each kind */
	PARAMS_WORDS = 32,
	RESULTS_WORDS = 72,
	GARBAGE = 64,       /* to be released */
	PLACES = 8,         /* mapped lately */
	ARENA_PAGES = 64,
};
#define ARENA UINT64_C(0x600000000)
#define ARENA_MODULE UINT64_C(0xffffc02000000000)

struct held {
	uint32_t cap;
	uint8_t info; /* memory: its pages; else whether it was started or bound */
	bool fixed;   /* stays, come what may */
};

struct used {
	uint8_t kind;
	bool moved;
	struct held held;
};

struct slot {
	bool busy, meant;  /* meant to succeed */
	bool receives;     /* a call may come of it */
	uint8_t brood;     /* brood.h's */
	uint8_t op, info;
	uint8_t gives[RING_CAPS];
	uint8_t used_count;
	struct used used[RING_CAPS + 1]; /* what it named */
	uint64_t user_data, note;
	uint64_t params[PARAMS_WORDS], results[RESULTS_WORDS];
};

struct place {
	uint32_t space;
	uint64_t address;
};

/* A process in the making: see brood.h. */
struct brood {
	uint8_t stage;
	bool busy;
	uint32_t process, space, thread;
};

struct actor {
	struct ring *ring;
	const struct capset *capset;
	uint64_t random;
	uint32_t cell, serial;
	bool module;
	void (*beside)(struct actor *a); /* what it does now and then besides; or NULL */
	struct held pool[KINDS][KEPT];
	uint8_t count[KINDS];
	struct slot slots[SLOTS];
	unsigned busy;
	uint64_t tokens[RING_SERVED];
	unsigned token_count;
	uint32_t garbage[GARBAGE];
	unsigned garbage_count;
	struct place places[PLACES], reserved;
	uint32_t parent, child; /* the last ledger that was made of another */
	uint64_t now;
	struct brood brood;
	uint8_t chain_kind;   /* of the capability that a chained entry would name */
	uint32_t chain;
	const uint8_t *last_gives; /* by the entry before, in this batch */
};

static volatile struct board *board;

/* -- chance ------------------------------------------------------------------------ */

static uint64_t chaos_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (x ^ x >> 31) | 1;
}

static uint64_t next(struct actor *a)
{
	a->random ^= a->random >> 12;
	a->random ^= a->random << 25;
	a->random ^= a->random >> 27;
	return a->random * 0x2545f4914f6cdd1d;
}

static uint64_t below(struct actor *a, uint64_t limit)
{
	return (next(a) >> 11) % limit;
}

static bool one_in(struct actor *a, uint64_t n)
{
	return below(a, n) == 0;
}

/* -- telling ------------------------------------------------------------------------- */

static void chaos_failed(const char *what, uint64_t seed, uint32_t op, uint32_t status,
                         uint64_t extra)
{
	uint32_t i = __atomic_fetch_add(&board->failures, 1, __ATOMIC_SEQ_CST);
	volatile struct failure *f = &board->failure[i % BOARD_FAILURES];

	if (i >= BOARD_FAILURES)
		return;
	for (unsigned n = 0; n < sizeof f->what - 1 && what[n] != '\0'; n++)
		f->what[n] = what[n];
	f->seed = seed;
	f->op = op;
	f->status = status;
	f->extra = extra;
}

/* -- capabilities that are known --------------------------------------------------- */

static void throw_away(struct actor *a, uint32_t cap)
{
	if (cap != 0 && a->garbage_count < GARBAGE)
		a->garbage[a->garbage_count++] = cap;
}

static void keep(struct actor *a, unsigned kind, struct held h)
{
	unsigned i = a->count[kind];

	if (kind == K_NONE || kind >= KINDS) {
		throw_away(a, h.cap);
		return;
	}
	if (i == KEPT) {
		i = (unsigned)below(a, KEPT);
		if (a->pool[kind][i].fixed) {
			throw_away(a, h.cap);
			return;
		}
		throw_away(a, a->pool[kind][i].cap);
	} else {
		a->count[kind]++;
	}
	a->pool[kind][i] = h;
}

static void forget(struct actor *a, unsigned kind, uint32_t cap)
{
	for (unsigned i = 0; i < a->count[kind]; i++)
		if (a->pool[kind][i].cap == cap) {
			a->pool[kind][i] = a->pool[kind][--a->count[kind]];
			return;
		}
}

static const struct held *pick(struct actor *a, unsigned kind)
{
	return a->count[kind] ? &a->pool[kind][below(a, a->count[kind])] : NULL;
}

/* One whose info is that; NULL: none was found. */
static const struct held *pick_with(struct actor *a, unsigned kind, uint8_t info)
{
	for (unsigned i = 0; i < 2 * KEPT; i++) {
		const struct held *h = pick(a, kind);

		if (h && h->info == info)
			return h;
	}
	return NULL;
}

static void set_info(struct actor *a, unsigned kind, uint32_t cap, uint8_t info)
{
	for (unsigned i = 0; i < a->count[kind]; i++)
		if (a->pool[kind][i].cap == cap)
			a->pool[kind][i].info = info;
}

/* Some kind of which there is one, that may travel. */
static unsigned some_kind(struct actor *a)
{
	for (unsigned i = 0; i < 32; i++) {
		unsigned kind = 1 + (unsigned)below(a, K_TRAVEL - 1);

		if (a->count[kind])
			return kind;
	}
	return K_NONE;
}

static bool named(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return *a == *b;
}

static unsigned kind_of_entry(const struct capset_entry *e)
{
	if (named(e->name, "board"))
		return K_BOARD;
	for (unsigned kind = 1; kind < K_BOARD; kind++)
		if (interface_of[kind] == e->interface)
			return kind;
	return K_NONE;
}

static void learn_capset(struct actor *a)
{
	for (uint32_t i = 0; i < a->capset->count && i < CAPSET_MAX; i++) {
		const struct capset_entry *e = &a->capset->entries[i];
		unsigned kind = kind_of_entry(e);

		if (kind != K_NONE)
			keep(a, kind, (struct held){ .cap = e->cap, .info = 1, .fixed = true });
		if (named(e->name, "space"))
			keep(a, K_HERE, (struct held){ .cap = e->cap, .fixed = true });
		if (named(e->name, "self"))
			keep(a, K_SELF, (struct held){ .cap = e->cap, .fixed = true });
		if (named(e->name, "libos") && kind == K_LIBOS)
			keep(a, K_OWNLIBOS, (struct held){ .cap = e->cap, .fixed = true });
	}
}

/* -- an entry in the making ---------------------------------------------------------- */

struct request {
	struct slot *slot;
	struct ring_sqe e;
	struct capnp_builder b;
};

struct op {
	const char *name;
	uint8_t weight, target; /* the kind it is called on */
	uint8_t gives[RING_CAPS];
	bool (*make)(struct actor *a, struct request *q);
	/* Or NULL: what is to be done when it was answered OK. */
	void (*done)(struct actor *a, struct slot *slot, const struct ring_cqe *cqe);
};

static void note_used(struct request *q, unsigned kind, const struct held *h, bool moved)
{
	if (q->slot->used_count <= RING_CAPS)
		q->slot->used[q->slot->used_count++] = (struct used){ (uint8_t)kind, moved, *h };
}

static bool target(struct actor *a, struct request *q, unsigned kind)
{
	const struct held *h;

	if (a->chain_kind == kind) {
		q->e.cap = a->chain;
		q->e.chained = 1;
		return true;
	}
	h = pick(a, kind);
	if (h == NULL)
		return false;
	q->e.cap = h->cap;
	note_used(q, kind, h, false);
	return true;
}

/* Begins a CALL on `h`, if there is one. */
static bool call_chosen(struct actor *a, struct request *q, unsigned kind, uint16_t method,
                        const struct held *h)
{
	if (h == NULL || a->chain_kind)
		return false;
	q->e.op = RING_CALL;
	q->e.cap = h->cap;
	q->e.interface = interface_of[kind];
	q->e.method = method;
	note_used(q, kind, h, false);
	return true;
}

/* Begins a CALL on something of that kind. */
static bool call_on(struct actor *a, struct request *q, unsigned kind, uint16_t method)
{
	if (!target(a, q, kind))
		return false;
	q->e.op = RING_CALL;
	q->e.interface = interface_of[kind];
	q->e.method = method;
	capnp_builder_start(&q->b, q->slot->params, sizeof q->slot->params);
	return true;
}

/* Sends one along, copied or, if `move` says so, moved; its index in the message.
 * There must be one. */
static uint32_t attach_held(struct request *q, unsigned kind, const struct held *h, bool move)
{
	unsigned i = q->e.caps_count;

	q->e.caps[i] = h->cap;
	q->e.caps_count = (i + 1) & 7;
	if (move)
		q->e.caps_move |= 1u << i;
	note_used(q, kind, h, move);
	return i;
}

static bool has(const struct actor *a, unsigned kind)
{
	return a->count[kind] != 0;
}

static uint32_t attach(struct actor *a, struct request *q, unsigned kind)
{
	const struct held *h = pick(a, kind);

	return attach_held(q, kind, h, !h->fixed && one_in(a, 24));
}
