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

/* -- what is proved, in words that the contracts below share ------------------- */

/*@ logic struct capslot *slot_of{L}(struct captable *t, integer i) =
      t->pages[i / CAPTABLE_PAGE_SLOTS] + i % CAPTABLE_PAGE_SLOTS;
    logic integer slots{L}(struct captable *t) = t->page_count * CAPTABLE_PAGE_SLOTS;
    logic integer index_of(integer id) = id % CAPTABLE_SLOTS;
    logic integer generation_of(integer id) = id / CAPTABLE_SLOTS;

    // The pages are there, and nothing overlaps.
    predicate laid_out{L}(struct captable *t) =
      \valid(t) && t->page_count <= CAPTABLE_PAGES &&
      (\forall integer p; 0 <= p < t->page_count ==>
        \valid(t->pages[p] + (0 .. CAPTABLE_PAGE_SLOTS - 1)) &&
        \separated(t, t->pages[p] + (0 .. CAPTABLE_PAGE_SLOTS - 1))) &&
      (\forall integer p, q; 0 <= p < t->page_count && 0 <= q < t->page_count && p != q ==>
        \separated(t->pages[p] + (0 .. CAPTABLE_PAGE_SLOTS - 1),
                   t->pages[q] + (0 .. CAPTABLE_PAGE_SLOTS - 1)));
    predicate apart{L}(struct captable *t, uint32_t *word) =
      \separated(t, word) && \forall integer p; 0 <= p < t->page_count ==>
        \separated(t->pages[p] + (0 .. CAPTABLE_PAGE_SLOTS - 1), word);

    predicate apart_move{L}(struct captable *t, struct captable_move *m) =
      \separated(t, m) && \forall integer p; 0 <= p < t->page_count ==>
        \separated(t->pages[p] + (0 .. CAPTABLE_PAGE_SLOTS - 1), m);

    predicate apart_page{L}(struct captable *t, struct capslot *page) =
      \separated(t, page + (0 .. CAPTABLE_PAGE_SLOTS - 1)) &&
      \forall integer p; 0 <= p < t->page_count ==>
        \separated(t->pages[p] + (0 .. CAPTABLE_PAGE_SLOTS - 1),
                   page + (0 .. CAPTABLE_PAGE_SLOTS - 1));

    predicate is_free{L}(struct captable *t, integer i) =
      0 <= i < slots(t) && slot_of(t, i)->object == \null;
    predicate is_used{L}(struct captable *t, integer i) =
      0 <= i < slots(t) && slot_of(t, i)->object != \null;

    // A used slot's id is one of its own index, a free one's is not; no generation is 0.
    predicate used_numbered{L}(struct captable *t) =
      \forall integer i; is_used(t, i) ==> \valid_read(slot_of(t, i)->object) &&
        index_of(slot_of(t, i)->id) == i && generation_of(slot_of(t, i)->id) >= 1;
    predicate free_numbered{L}(struct captable *t) =
      \forall integer i; is_free(t, i) ==>
        index_of(slot_of(t, i)->id) != i && generation_of(slot_of(t, i)->id) >= 1;

    // The head of the free list and all links are free slots; no two lead to the same.
    predicate head_free{L}(struct captable *t) =
      t->free_head == CAPTABLE_END || is_free(t, t->free_head);
    predicate links_free{L}(struct captable *t) =
      \forall integer i; is_free(t, i) && slot_of(t, i)->epoch != CAPTABLE_END ==>
        is_free(t, slot_of(t, i)->epoch) && slot_of(t, i)->epoch != t->free_head;
    predicate links_differ{L}(struct captable *t) =
      \forall integer i, j; is_free(t, i) && is_free(t, j) && i != j &&
        slot_of(t, i)->epoch != CAPTABLE_END ==>
        slot_of(t, i)->epoch != slot_of(t, j)->epoch;

    predicate sound{L}(struct captable *t) = laid_out(t) && used_numbered(t) &&
      free_numbered(t) && head_free(t) && links_free(t) && links_differ(t);

    // What an id names.
    logic struct object *object_of{L}(struct captable *t, integer id) =
      slot_of(t, index_of(id))->object;
    logic integer epoch_of{L}(struct captable *t, integer id) = slot_of(t, index_of(id))->epoch;
    predicate stands{L}(struct captable *t, integer id) =
      is_used(t, index_of(id)) && slot_of(t, index_of(id))->id == id;
    predicate is_live{L}(struct captable *t, integer id) =
      stands(t, id) && epoch_of(t, id) == object_of(t, id)->epoch;
    predicate is_moving{L}(struct captable *t, integer id) =
      stands(t, id) && epoch_of(t, id) == CAPTABLE_MOVING;

    predicate free_stay{A, B}(struct captable *t, integer but) =
      \forall integer i; i != but ==> (is_free{A}(t, i) <==> is_free{B}(t, i));

    // What a free slot will be called, and what a used one will be when it was emptied.
    logic integer next_use{L}(struct captable *t, integer i) =
      generation_of(slot_of(t, i)->id) * CAPTABLE_SLOTS + i;
    logic integer successor(integer id) =
      (generation_of(id) + 1 == CAPTABLE_GENERATIONS ? 1 : generation_of(id) + 1)
        * CAPTABLE_SLOTS + index_of(id);

    // The table is where it was; so is all that it holds, save one slot's content.
    predicate pages_stay{A, B}(struct captable *t) =
      \at(t->page_count, A) == \at(t->page_count, B) &&
      \forall integer p; 0 <= p < CAPTABLE_PAGES ==> \at(t->pages[p], A) == \at(t->pages[p], B);
    predicate slots_stay{A, B}(struct captable *t, integer but) =
      pages_stay{A, B}(t) &&
      \forall integer i; 0 <= i < slots{A}(t) && i != but ==>
        \at(slot_of(t, i)->object, A) == \at(slot_of(t, i)->object, B) &&
        \at(slot_of(t, i)->epoch, A) == \at(slot_of(t, i)->epoch, B) &&
        \at(slot_of(t, i)->id, A) == \at(slot_of(t, i)->id, B);

    // Every id but one means what it meant, and no free slot's next id changed.
    predicate ids_stand{A, B}(struct captable *t, integer but) =
      \forall integer k; 0 <= k <= UINT32_MAX && k != but ==>
        (stands{A}(t, k) <==> stands{B}(t, k)) &&
        (stands{A}(t, k) ==> object_of{A}(t, k) == object_of{B}(t, k) &&
                             epoch_of{A}(t, k) == epoch_of{B}(t, k));
    predicate next_uses_stand{A, B}(struct captable *t) =
      \forall integer i; is_free{A}(t, i) && is_free{B}(t, i) ==>
        next_use{A}(t, i) == next_use{B}(t, i);
    predicate others_stand{A, B}(struct captable *t, integer id) =
      ids_stand{A, B}(t, id) && next_uses_stand{A, B}(t);
    predicate all_stand{A, B}(struct captable *t) = others_stand{A, B}(t, 0); // 0 is nobody's

    lemma two_places: \forall integer i, j; 0 <= i && 0 <= j && i != j ==>
      i / CAPTABLE_PAGE_SLOTS != j / CAPTABLE_PAGE_SLOTS ||
      i % CAPTABLE_PAGE_SLOTS != j % CAPTABLE_PAGE_SLOTS;
    lemma pages_apart{L}: \forall struct captable *t, integer p, q, a, b; laid_out(t) &&
      0 <= p < t->page_count && 0 <= q < t->page_count && p != q &&
      0 <= a < CAPTABLE_PAGE_SLOTS && 0 <= b < CAPTABLE_PAGE_SLOTS ==>
      \separated(t->pages[p] + a, t->pages[q] + b);
    lemma slots_apart{L}: \forall struct captable *t, integer i, j; laid_out(t) &&
      0 <= i < slots(t) && 0 <= j < slots(t) && i != j ==> \separated(slot_of(t, i), slot_of(t, j));
    lemma slots_there{L}: \forall struct captable *t, integer i; laid_out(t) &&
      0 <= i < slots(t) ==> \valid(slot_of(t, i)) && \separated(t, slot_of(t, i));
    lemma slots_apart_from{L}: \forall struct captable *t, uint32_t *word, integer i; laid_out(t) &&
      apart(t, word) && 0 <= i < slots(t) ==> \separated(slot_of(t, i), word);
    lemma slots_apart_from_page{L}: \forall struct captable *t, struct capslot *page, integer i, k;
      laid_out(t) && apart_page(t, page) && 0 <= i < slots(t) && 0 <= k < CAPTABLE_PAGE_SLOTS ==>
      \separated(slot_of(t, i), page + k);
    lemma slots_apart_from_move{L}: \forall struct captable *t, struct captable_move *m, integer i;
      laid_out(t) && apart_move(t, m) && 0 <= i < slots(t) ==> \separated(slot_of(t, i), m);
*/

/*@ requires \valid(t);
    assigns t->page_count, t->free_head, t->used;
    ensures sound(t) && t->page_count == 0 && t->used == 0;
*/
void captable_init(struct captable *t);

/*@ requires sound(t);
    requires t->page_count < CAPTABLE_PAGES ==>
      \valid(page + (0 .. CAPTABLE_PAGE_SLOTS - 1)) && apart_page(t, page);
    assigns t->pages[0 .. CAPTABLE_PAGES - 1], t->page_count, t->free_head;
    assigns page[0 .. CAPTABLE_PAGE_SLOTS - 1];
    ensures \result == (\old(t->page_count) == CAPTABLE_PAGES ? STATUS_NO_SLOT : STATUS_OK);
    ensures sound(t);
    ensures others: all_stand{Pre, Post}(t);
*/
/* Adds `page` (CAPTABLE_PAGE_SLOTS zeroed slots), which the table then uses.
 * NO_SLOT: it has all it may have. */
enum status captable_grow(struct captable *t, struct capslot *page) MUST_CHECK;

/* True: an insert will succeed without growing. */
/*@ requires \valid_read(t);
    assigns \nothing;
    ensures \result <==> t->free_head != CAPTABLE_END;
*/
static inline bool captable_has_room(const struct captable *t)
{
	return t->free_head != CAPTABLE_END;
}

/*@ requires sound(t) && \valid(id) && apart(t, id);
    requires \valid_read(object) && object->epoch != CAPTABLE_MOVING;
    assigns t->free_head, t->used, *id, *slot_of(t, t->free_head);
    behavior full:
      assumes t->free_head == CAPTABLE_END;
      ensures \result == STATUS_NO_SLOT && all_stand{Pre, Post}(t) && sound(t);
      ensures t->used == \old(t->used);
    behavior room:
      assumes t->free_head != CAPTABLE_END;
      ensures ok: \result == STATUS_OK && sound(t);
      ensures new: *id != 0 && *id == \old(next_use(t, t->free_head)) && !stands{Pre}(t, *id);
      ensures there: stands(t, *id) && object_of(t, *id) == object && epoch_of(t, *id) == \old(object->epoch);
      ensures others: others_stand{Pre, Post}(t, *id);
      ensures count: t->used == (uint16_t)(\old(t->used) + 1);
    complete behaviors; disjoint behaviors;
*/
/* Puts `object` in; the caller has taken a reference for the slot. To undo it,
 * captable_remove. NO_SLOT: no room. */
enum status captable_insert(struct captable *t, struct object *object,
                            uint32_t *id) MUST_CHECK;

/*@ requires sound(t) && \valid(id) && apart(t, id);
    requires \valid_read(object) && epoch != CAPTABLE_MOVING;
    assigns t->free_head, t->used, *id, *slot_of(t, t->free_head);
    behavior full:
      assumes t->free_head == CAPTABLE_END;
      ensures \result == STATUS_NO_SLOT && all_stand{Pre, Post}(t) && sound(t);
      ensures t->used == \old(t->used);
    behavior room:
      assumes t->free_head != CAPTABLE_END;
      ensures ok: \result == STATUS_OK && sound(t);
      ensures new: *id != 0 && *id == \old(next_use(t, t->free_head)) && !stands{Pre}(t, *id);
      ensures there: stands(t, *id) && object_of(t, *id) == object && epoch_of(t, *id) == epoch;
      ensures others: others_stand{Pre, Post}(t, *id);
      ensures count: t->used == (uint16_t)(\old(t->used) + 1);
    complete behaviors; disjoint behaviors;
*/
/* The same for a capability that was found earlier, when its object was at
 * `epoch`: if that was revoked meanwhile, the new id is as dead as the old. */
enum status captable_insert_at(struct captable *t, struct object *object,
                               uint32_t epoch, uint32_t *id) MUST_CHECK;

/*@ requires sound(t);
    assigns \nothing;
    ensures stands(t, id) ==> \result == slot_of(t, index_of(id));
    ensures !stands(t, id) ==> \result == \null;
*/
/* The slot that stands at `id`: live, revoked or reserved. */
static inline struct capslot *captable_slot(const struct captable *t, uint32_t id)
{
	uint32_t index = id % CAPTABLE_SLOTS;
	struct capslot *slot;

	if (index >= (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS)
		return NULL;
	slot = &t->pages[index / CAPTABLE_PAGE_SLOTS][index % CAPTABLE_PAGE_SLOTS];
	return slot->id == id ? slot : NULL;
}

/*@ requires sound(t);
    assigns \nothing;
    ensures is_live(t, id) ==> \result == object_of(t, id);
    ensures !is_live(t, id) ==> \result == \null;
*/
/* The live object that `id` names, or NULL. Takes no reference. */
static inline struct object *captable_lookup(const struct captable *t, uint32_t id)
{
	struct capslot *slot = captable_slot(t, id);

	return slot && slot->epoch == slot->object->epoch ? slot->object : NULL;
}

/*@ requires sound(t);
    assigns t->free_head, t->used, *slot_of(t, index_of(id));
    behavior there:
      assumes stands(t, id) && !is_moving(t, id);
      ensures what: \result == \old(object_of(t, id)) && \result != \null;
      ensures gone: !stands(t, id) && next_use(t, index_of(id)) == successor(id);
      ensures others: others_stand{Pre, Post}(t, id) && sound(t);
      ensures count: t->used == (uint16_t)(\old(t->used) - 1);
    behavior nothing:
      assumes !stands(t, id) || is_moving(t, id);
      assigns \nothing;
      ensures \result == \null;
    complete behaviors; disjoint behaviors;
*/
/* Empties the slot; its object, live or revoked, is the caller's to unref.
 * NULL: `id` names nothing, or is reserved. */
struct object *captable_remove(struct captable *t, uint32_t id);

/*@ requires sound(t) && \valid(move) && apart_move(t, move);
    assigns slot_of(t, index_of(id))->epoch, *move;
    behavior live:
      assumes is_live(t, id);
      ensures what: \result == STATUS_OK && move->id == id &&
        move->object == \old(object_of(t, id)) && move->epoch == \old(epoch_of(t, id));
      ensures hidden: is_moving(t, id) && object_of(t, id) == move->object;
      ensures others: others_stand{Pre, Post}(t, id) && sound(t);
    behavior dead:
      assumes !is_live(t, id);
      assigns \nothing;
      ensures \result == STATUS_NO_CAP;
    complete behaviors; disjoint behaviors;
*/
/* Hides a live capability, so that it can be moved: until commit or restore, `id`
 * names nothing and its slot goes to nobody else. NO_CAP: `id` is not live. */
enum status captable_reserve(struct captable *t, uint32_t id,
                             struct captable_move *move) MUST_CHECK;

/*@ requires sound(t) && \valid_read(move) && apart_move(t, move);
    assigns t->free_head, t->used, *slot_of(t, index_of(move->id));
    behavior reserved:
      assumes is_moving(t, move->id);
      ensures what: \result == \old(object_of(t, move->id)) && \result != \null;
      ensures gone: !stands(t, move->id) &&
        next_use(t, index_of(move->id)) == successor(move->id);
      ensures others: others_stand{Pre, Post}(t, move->id) && sound(t);
      ensures count: t->used == (uint16_t)(\old(t->used) - 1);
    behavior drained:
      assumes !is_moving(t, move->id);
      assigns \nothing;
      ensures \result == \null;
    complete behaviors; disjoint behaviors;
*/
/* Ends a move: the slot is empty, its reference is the caller's. NULL: the table
 * was drained meanwhile, so nothing has moved. */
struct object *captable_commit(struct captable *t, const struct captable_move *move);

/*@ requires sound(t) && \valid_read(move) && apart_move(t, move);
    requires move->epoch != CAPTABLE_MOVING;
    assigns slot_of(t, index_of(move->id))->epoch;
    behavior reserved:
      assumes is_moving(t, move->id);
      ensures back: stands(t, move->id) && epoch_of(t, move->id) == move->epoch &&
        object_of(t, move->id) == \old(object_of(t, move->id));
      ensures others: others_stand{Pre, Post}(t, move->id) && sound(t);
    behavior drained:
      assumes !is_moving(t, move->id);
      assigns \nothing;
    complete behaviors; disjoint behaviors;
*/
/* Undoes a move: `id` is what it was, live unless its object was revoked meanwhile. */
void captable_restore(struct captable *t, const struct captable_move *move);

/*@ requires sound(t) && \valid(cursor) && apart(t, cursor);
    assigns *cursor, t->free_head, t->used;
    assigns {*slot_of(t, i) | integer i; 0 <= i < slots(t)};
    ensures some: \result != \null ==> is_used{Pre}(t, *cursor) && is_free(t, *cursor) &&
      \result == \at(slot_of(t, \at(*cursor, Post))->object, Pre) && sound(t) &&
      others_stand{Pre, Post}(t, \at(slot_of(t, \at(*cursor, Post))->id, Pre)) &&
      t->used == (uint16_t)(\old(t->used) - 1);
    ensures none: \result == \null ==> sound(t) && all_stand{Pre, Post}(t) &&
      t->used == \old(t->used) &&
      \forall integer i; \old(*cursor) <= i < slots(t) ==> is_free(t, i);
*/
/* Empties any one slot, reserved ones too, and returns its object; NULL: none is
 * left. For ending a table: linear in all. `*cursor` starts at 0. */
struct object *captable_drain(struct captable *t, uint32_t *cursor);

/*@ requires \valid(o);
    assigns o->epoch;
    ensures o->epoch != \old(o->epoch) && o->epoch != CAPTABLE_MOVING;
*/
/* Every capability to `o` so far is dead. */
static inline void object_revoke(struct object *o)
{
	if (++o->epoch == CAPTABLE_MOVING)
		o->epoch = 0;
}

//@ requires laid_out(t); assigns \nothing;
/* Walks everything; NULL, or what is wrong. For tests. */
const char *captable_check(const struct captable *t);
