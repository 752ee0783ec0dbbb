/* captable.c: see captable.h. */
#include "core/captable.h"

#include "core/captable_slots.h"

void captable_init(struct captable *t)
{
	t->page_count = 0;
	t->free_head = CAPTABLE_END;
	t->used = 0;
}

/* Free slots stand in ascending order, so ids are small and easy to read. */
enum status captable_grow(struct captable *t, struct capslot *page)
{
	uint32_t first = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;

	if (t->page_count == CAPTABLE_PAGES)
		return STATUS_NO_SLOT;
	/*@ loop invariant 0 <= i <= CAPTABLE_PAGE_SLOTS && laid_out(t) && apart_page(t, page);
	    loop invariant slots_stay{Pre, Here}(t, -1);
	    loop invariant \forall integer k; 0 <= k < i ==> page[k].object == \null &&
	      page[k].epoch == (k == CAPTABLE_PAGE_SLOTS - 1 ? t->free_head : first + k + 1) &&
	      generation_of(page[k].id) == 1 &&
	      index_of(page[k].id) == CAPTABLE_SLOTS - 1 - (first + k);
	    loop assigns i, page[0 .. CAPTABLE_PAGE_SLOTS - 1];
	    loop variant CAPTABLE_PAGE_SLOTS - i;
	*/
	for (uint32_t i = 0; i < CAPTABLE_PAGE_SLOTS; i++) {
		bool last = i == CAPTABLE_PAGE_SLOTS - 1;

		page[i] = (struct capslot){.epoch = last ? t->free_head : first + i + 1,
		                           .id = with_index(next_generation(0) * CAPTABLE_SLOTS, CAPTABLE_SLOTS - 1 - (first + i))};
	}
	t->pages[t->page_count++] = page;
	t->free_head = (uint16_t)first;
	//@ assert laid_out(t);
	/*@ assert \forall integer i; 0 <= i < first ==> slot_of(t, i) == slot_of{Pre}(t, i) &&
	      (is_free(t, i) <==> is_free{Pre}(t, i)) && (is_used(t, i) <==> is_used{Pre}(t, i)) &&
	      slot_of(t, i)->id == \at(slot_of(t, i)->id, Pre) &&
	      slot_of(t, i)->epoch == \at(slot_of(t, i)->epoch, Pre); */
	//@ assert \forall integer k; 0 <= k < CAPTABLE_PAGE_SLOTS ==> slot_of(t, first + k) == page + k;
	/*@ assert \forall integer i; first <= i < slots(t) ==> slot_of(t, i) == page + (i - first) &&
	      is_free(t, i) && index_of(slot_of(t, i)->id) != i && generation_of(slot_of(t, i)->id) == 1 &&
	      slot_of(t, i)->epoch == (i == slots(t) - 1 ? \at(t->free_head, Pre) : i + 1); */
	//@ assert used_numbered(t) && free_numbered(t);
	//@ assert head_free(t) && links_free(t) && links_differ(t);
	//@ assert ids_stand{Pre, Here}(t, 0);
	//@ assert next_uses_stand{Pre, Here}(t);
	return STATUS_OK;
}

enum status captable_insert_at(struct captable *t, struct object *object,
                               uint32_t epoch, uint32_t *id)
{
	if (!captable_has_room(t))
		return STATUS_NO_SLOT;
	*id = captable_fill(t, object, epoch);
	//@ assert laid_out(t) && pages_stay{Pre, Here}(t);
	//@ assert used_numbered(t) && free_numbered(t);
	//@ assert head_free(t) && links_free(t) && links_differ(t);
	return STATUS_OK;
}

enum status captable_insert(struct captable *t, struct object *object, uint32_t *id)
{
	return captable_insert_at(t, object, object->epoch, id);
}

struct object *captable_remove(struct captable *t, uint32_t id)
{
	struct capslot *slot = captable_slot(t, id);

	return slot && slot->epoch != CAPTABLE_MOVING ? captable_empty(t, slot) : NULL;
}

enum status captable_reserve(struct captable *t, uint32_t id, struct captable_move *move)
{
	struct capslot *slot = captable_slot(t, id);

	if (!slot || slot->epoch != slot->object->epoch)
		return STATUS_NO_CAP;
	*move = (struct captable_move){.id = id, .epoch = slot->epoch, .object = slot->object};
	//@ assert pages_stay{Pre, Here}(t);
	//@ assert laid_out(t);
	//@ assert slots_stay{Pre, Here}(t, -1);
	capslot_set_epoch(slot, CAPTABLE_MOVING);
	//@ assert laid_out(t) && pages_stay{Pre, Here}(t) && slots_stay{Pre, Here}(t, index_of(id));
	//@ assert used_numbered(t) && free_numbered(t);
	//@ assert head_free(t) && links_free(t) && links_differ(t);
	return STATUS_OK;
}

/*@ requires sound(t) && \valid_read(move);
    assigns \nothing;
    ensures is_moving(t, move->id) ==> \result == slot_of(t, index_of(move->id));
    ensures !is_moving(t, move->id) ==> \result == \null;
*/
static struct capslot *reserved(const struct captable *t, const struct captable_move *move)
{
	struct capslot *slot = captable_slot(t, move->id);

	return slot && slot->epoch == CAPTABLE_MOVING ? slot : NULL;
}

struct object *captable_commit(struct captable *t, const struct captable_move *move)
{
	struct capslot *slot = reserved(t, move);

	return slot ? captable_empty(t, slot) : NULL;
}

void captable_restore(struct captable *t, const struct captable_move *move)
{
	struct capslot *slot = reserved(t, move);

	if (!slot)
		return;
	capslot_set_epoch(slot, move->epoch);
	//@ assert laid_out(t) && pages_stay{Pre, Here}(t) && slots_stay{Pre, Here}(t, index_of(move->id));
	//@ assert used_numbered(t) && free_numbered(t);
	//@ assert head_free(t) && links_free(t) && links_differ(t);
}

struct object *captable_drain(struct captable *t, uint32_t *cursor)
{
	uint32_t end = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS, i = *cursor;

	/*@ loop invariant \at(*cursor, Pre) <= i;
	    loop invariant \forall integer k; \at(*cursor, Pre) <= k < i && k < end ==> is_free(t, k);
	    loop assigns i;
	    loop variant end - i;
	*/
	while (i < end && !slot_at(t, i)->object)
		i++;
	*cursor = i;
	//@ assert pages_stay{Pre, Here}(t);
	//@ assert laid_out(t);
	//@ assert slots_stay{Pre, Here}(t, -1);
	//@ assert used_numbered(t) && free_numbered(t);
	//@ assert head_free(t) && links_free(t) && links_differ(t);
	return i < end ? captable_empty(t, slot_at(t, i)) : NULL;
}

//@ requires \valid_read(slot); assigns \nothing;
static const char *check_slot(const struct capslot *slot, uint32_t index)
{
	uint32_t low = slot->object ? index : CAPTABLE_SLOTS - 1 - index;
	uint32_t generation = slot->id / CAPTABLE_SLOTS;

	if (slot->id % CAPTABLE_SLOTS != low)
		return slot->object ? "a slot has another's id" : "a free slot's id could match";
	return generation && generation < CAPTABLE_GENERATIONS ? NULL : "a generation is out of range";
}

const char *captable_check(const struct captable *t)
{
	uint32_t end = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;
	uint32_t free = 0, used = 0;

	/*@ loop invariant free <= end;
	    loop assigns i, free;
	    loop variant end - free;
	*/
	for (uint32_t i = t->free_head; i != CAPTABLE_END; i = slot_at(t, i)->epoch) {
		if (i >= end)
			return "a free slot's index is out of range";
		if (slot_at(t, i)->object)
			return "a slot on the free list is in use";
		if (++free > end)
			return "the free list has a cycle";
	}
	//@ loop invariant i <= end; loop assigns i, used; loop variant end - i;
	for (uint32_t i = 0; i < end; i++) {
		const char *wrong = check_slot(slot_at(t, i), i);

		if (wrong)
			return wrong;
		used += slot_at(t, i)->object != NULL;
	}
	if (used != t->used)
		return "the used count is off";
	return used + free == end ? NULL : "a slot is neither free nor used";
}
