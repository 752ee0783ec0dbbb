/* captable.h: a domain's capabilities.
 *
 * A flat table. An id is a slot's index (low 16 bits) and its generation (high
 * 16 bits): a slot that is emptied changes its generation, so an id that was
 * kept too long names nothing. Id 0 never names anything.
 *
 * A slot also keeps the object's epoch at the time of insertion: revoking is
 * one increment in the object, and every older slot is dead.
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
	uint32_t epoch; /* revoking increments it */
};

enum {
	CAPTABLE_PAGE_SLOTS = 256,
	CAPTABLE_PAGES = 16,
	CAPTABLE_SLOTS = CAPTABLE_PAGE_SLOTS * CAPTABLE_PAGES,
	CAPTABLE_END = 0xffff, /* no further free slot */
};

struct capslot {
	struct object *object; /* NULL: free */
	uint32_t epoch;
	uint16_t generation;
	uint16_t next_free; /* free slots only */
};
_Static_assert(sizeof(struct capslot) == 16, "a page holds 256");

struct captable {
	struct capslot *pages[CAPTABLE_PAGES];
	uint16_t page_count;
	uint16_t free_head;
	uint16_t used;
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

/* Puts `object` in; the caller has taken a reference for the slot. */
enum status captable_insert(struct captable *t, struct object *object,
                            uint32_t *id) MUST_CHECK;

static inline struct capslot *captable_slot(const struct captable *t, uint32_t id)
{
	uint32_t index = id & 0xffff;
	struct capslot *slot;

	if (index >= (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS)
		return NULL;
	slot = &t->pages[index / CAPTABLE_PAGE_SLOTS][index % CAPTABLE_PAGE_SLOTS];
	return slot->object && slot->generation == id >> 16 ? slot : NULL;
}

/* The live object that `id` names, or NULL. Takes no reference. */
static inline struct object *captable_lookup(const struct captable *t, uint32_t id)
{
	struct capslot *slot = captable_slot(t, id);

	return slot && slot->epoch == slot->object->epoch ? slot->object : NULL;
}

/* Empties the slot; its object, live or revoked, is the caller's to unref.
 * NULL: `id` names nothing. */
struct object *captable_remove(struct captable *t, uint32_t id);

/* Empties any one slot and returns its object; NULL: none is left. For ending a
 * table: linear in all. `*cursor` starts at 0. */
struct object *captable_drain(struct captable *t, uint32_t *cursor);

/* Walks everything; NULL, or what is wrong. For tests. */
const char *captable_check(const struct captable *t);
