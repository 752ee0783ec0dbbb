/* captable_slots.h: a slot of a capability table is filled, or emptied: what all of
 * captable.c comes down to, and what the exokernel's fast paths do in place. */
#pragma once

#include "core/captable.h"
#include "core/capslot.h"

/*@ requires laid_out(t) && index < slots(t);
    assigns \nothing;
    ensures \result == slot_of(t, index);
*/
static inline struct capslot *slot_at(const struct captable *t, uint32_t index)
{
	return &t->pages[index / CAPTABLE_PAGE_SLOTS][index % CAPTABLE_PAGE_SLOTS];
}

/*@ requires laid_out(t) && index < slots(t) && slot == slot_of(t, index);
    assigns *slot_of(t, index);
    ensures pages_stay{Pre, Post}(t);
    ensures laid_out(t);
    ensures slots_stay{Pre, Post}(t, index);
    ensures *slot_of(t, index) == to;
*/
/* `t` and `index` are for the contract. */
static inline void set_slot(const struct captable *t, uint32_t index, struct capslot *slot,
                            struct capslot to)
{
	(void)t;
	(void)index;
	capslot_set(slot, to);
}

/*@ assigns \nothing;
    ensures \result == generation_of(successor(id)) && 1 <= \result < CAPTABLE_GENERATIONS;
*/
/* Of a slot's next use. 0 is passed over, so that id 0 stays nobody's. */
static inline uint32_t next_generation(uint32_t id)
{
	uint32_t generation = (id / CAPTABLE_SLOTS + 1) % CAPTABLE_GENERATIONS;

	return generation ? generation : 1;
}

/*@ requires index < CAPTABLE_SLOTS;
    assigns \nothing;
    ensures generation_of(\result) == generation_of(id) && index_of(\result) == index;
*/
static inline uint32_t with_index(uint32_t id, uint32_t index)
{
	return id - id % CAPTABLE_SLOTS + index;
}

/*@ requires sound(t) && t->free_head != CAPTABLE_END;
    requires \valid_read(object) && epoch != CAPTABLE_MOVING;
    assigns t->free_head, t->used, *slot_of(t, t->free_head);
    ensures ok: sound(t);
    ensures new: \result != 0 && \result == \old(next_use(t, t->free_head)) &&
      !stands{Pre}(t, \result);
    ensures there: stands(t, \result) && object_of(t, \result) == object &&
      epoch_of(t, \result) == epoch;
    ensures others: others_stand{Pre, Post}(t, \result);
    ensures count: t->used == (uint16_t)(\old(t->used) + 1);
*/
/* captable_insert_at where there is room; gives the id. */
static inline uint32_t captable_fill(struct captable *t, struct object *object, uint32_t epoch)
{
	uint32_t index = t->free_head;
	struct capslot *slot = slot_at(t, index);
	uint32_t id = with_index(slot->id, index);

	t->free_head = (uint16_t)slot->epoch;
	t->used++;
	//@ assert laid_out(t) && pages_stay{Pre, Here}(t) && slots_stay{Pre, Here}(t, -1);
	set_slot(t, index, slot, (struct capslot){object, epoch, id});
	//@ assert slots_stay{Pre, Here}(t, index);
	//@ assert free_stay{Pre, Here}(t, index);
	//@ assert is_used(t, index) && index_of(id) == index && generation_of(id) >= 1;
	//@ assert used_numbered(t) && free_numbered(t);
	//@ assert head_free(t) && links_free(t) && links_differ(t);
	return id;
}

/*@ requires sound(t) && stands(t, slot->id) && slot == slot_of(t, index_of(slot->id));
    assigns t->free_head, t->used, *slot;
    ensures what: \result == \old(slot->object) && \result != \null;
    ensures gone: !stands(t, \old(slot->id)) &&
      next_use(t, index_of(\old(slot->id))) == successor(\old(slot->id));
    ensures others: others_stand{Pre, Post}(t, \old(slot->id)) && sound(t);
    ensures count: t->used == (uint16_t)(\old(t->used) - 1);
*/
/* Makes a used slot the first of the free ones; its object is the caller's to unref. */
static inline struct object *captable_empty(struct captable *t, struct capslot *slot)
{
	struct object *object = slot->object;
	uint32_t index = slot->id % CAPTABLE_SLOTS;
	uint32_t id = with_index(next_generation(slot->id) * CAPTABLE_SLOTS, CAPTABLE_SLOTS - 1 - index);

	set_slot(t, index, slot, (struct capslot){.epoch = t->free_head, .id = id});
	t->free_head = (uint16_t)index;
	t->used--;
	//@ assert laid_out(t) && pages_stay{Pre, Here}(t) && slots_stay{Pre, Here}(t, index);
	//@ assert free_stay{Pre, Here}(t, index);
	//@ assert is_free(t, index) && index_of(id) != index && generation_of(id) >= 1;
	//@ assert used_numbered(t) && free_numbered(t);
	//@ assert head_free(t) && links_free(t) && links_differ(t);
	return object;
}
