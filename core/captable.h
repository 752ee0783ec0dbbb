/* captable.h: a domain's capabilities.
 *
 * A flat table. An id is a slot's index (low 12 bits) and its generation (high
 * 20 bits): a slot that is emptied changes its generation, so an id that was
 * kept too long names nothing (until the slot has been used a million times
 * more). Id 0 never names anything.
 *
 * A slot also keeps the object's epoch at the time of insertion: revoking is
 * one increment in the object, and every older slot is dead.
 *
 * A capability moves to another table in three steps: the sender's slot is
 * reserved, which hides it; the receiver's table takes the object; then the
 * slot is emptied for good (commit) or is again what it was (restore).
 *
 * The memory for slots comes in pages from the caller (captable_grow).
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"

/* What a capability names. The kernel's objects begin with one. */
struct object {
	const struct object_type *type;
	uint32_t refs;  /* capabilities and kernel structures that hold it */
	uint32_t epoch; /* object_revoke increments it; never CAPTABLE_MOVING */
};

/* A test may make the table small before it includes this. */
#ifndef CAPTABLE_PAGE_BITS
#define CAPTABLE_PAGE_BITS       8
#define CAPTABLE_INDEX_BITS      12
#define CAPTABLE_GENERATION_BITS 20
#endif

enum {
	CAPTABLE_PAGE_SLOTS = 1 << CAPTABLE_PAGE_BITS,
	CAPTABLE_SLOTS = 1 << CAPTABLE_INDEX_BITS,
	CAPTABLE_PAGES = CAPTABLE_SLOTS / CAPTABLE_PAGE_SLOTS,
	CAPTABLE_INDEX = CAPTABLE_SLOTS - 1, /* those bits of an id */
	CAPTABLE_GENERATIONS = 1 << CAPTABLE_GENERATION_BITS,
	CAPTABLE_END = 0xffff, /* no further free slot */
};
#define CAPTABLE_MOVING UINT32_MAX /* the epoch of a reserved slot */

struct capslot {
	struct object *object; /* NULL: free */
	uint32_t epoch;        /* free: the next free slot's index */
	uint32_t id;           /* free: its next id, index bits inverted, so that no id matches */
};
_Static_assert(sizeof(struct capslot) == 16, "a page of 4096 bytes holds 256");

struct captable {
	struct capslot *pages[CAPTABLE_PAGES];
	uint16_t page_count;
	uint16_t free_head;
	uint16_t used; /* reserved ones included */
};

/* A capability that is on its way out of a table. */
struct captable_move {
	uint32_t id;
	uint32_t epoch;
	struct object *object;
};

void captable_init(struct captable *t);

/* Adds `page` (CAPTABLE_PAGE_SLOTS zeroed slots), which the table then uses.
 * NO_SLOT: it has all it may have. */
enum status captable_grow(struct captable *t, void *page) MUST_CHECK;

/* True: an insert will succeed without growing. */
static inline bool captable_has_room(const struct captable *t)
{
	return t->free_head != CAPTABLE_END;
}

/* Puts `object` in; the caller has taken a reference for the slot. To undo it,
 * captable_remove. NO_SLOT: no room. */
enum status captable_insert(struct captable *t, struct object *object,
                            uint32_t *id) MUST_CHECK;

/* The same for a capability that was found earlier, when its object was at
 * `epoch`: if that was revoked meanwhile, the new id is as dead as the old. */
enum status captable_insert_at(struct captable *t, struct object *object,
                               uint32_t epoch, uint32_t *id) MUST_CHECK;

/* The slot that stands at `id`: live, revoked or reserved. */
static inline struct capslot *captable_slot(const struct captable *t, uint32_t id)
{
	uint32_t index = id & CAPTABLE_INDEX;
	struct capslot *slot;

	if (index >= (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS)
		return NULL;
	slot = &t->pages[index / CAPTABLE_PAGE_SLOTS][index % CAPTABLE_PAGE_SLOTS];
	return slot->id == id ? slot : NULL;
}

/* The live object that `id` names, or NULL. Takes no reference. */
static inline struct object *captable_lookup(const struct captable *t, uint32_t id)
{
	struct capslot *slot = captable_slot(t, id);

	return slot && slot->epoch == slot->object->epoch ? slot->object : NULL;
}

/* Empties the slot; its object, live or revoked, is the caller's to unref.
 * NULL: `id` names nothing, or is reserved. */
struct object *captable_remove(struct captable *t, uint32_t id);

/* Hides a live capability, so that it can be moved: until commit or restore, `id`
 * names nothing and its slot goes to nobody else. NO_CAP: `id` is not live. */
enum status captable_reserve(struct captable *t, uint32_t id,
                             struct captable_move *move) MUST_CHECK;

/* Ends a move: the slot is empty, its reference is the caller's. NULL: the table
 * was drained meanwhile, so nothing has moved. */
struct object *captable_commit(struct captable *t, const struct captable_move *move);

/* Undoes a move: `id` is what it was, live unless its object was revoked meanwhile. */
void captable_restore(struct captable *t, const struct captable_move *move);

/* Empties any one slot, reserved ones too, and returns its object; NULL: none is
 * left. For ending a table: linear in all. `*cursor` starts at 0. */
struct object *captable_drain(struct captable *t, uint32_t *cursor);

/* Every capability to `o` so far is dead. */
static inline void object_revoke(struct object *o)
{
	if (++o->epoch == CAPTABLE_MOVING)
		o->epoch = 0;
}

/* Walks everything; NULL, or what is wrong. For tests. */
const char *captable_check(const struct captable *t);
