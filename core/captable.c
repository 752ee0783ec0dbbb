/* captable.c: see captable.h. */
#include "core/captable.h"

static struct capslot *slot_at(const struct captable *t, uint32_t index)
{
	return &t->pages[index / CAPTABLE_PAGE_SLOTS][index % CAPTABLE_PAGE_SLOTS];
}

void captable_init(struct captable *t)
{
	*t = (struct captable){.free_head = CAPTABLE_END};
}

/* Free slots stand in ascending order, so ids are small and easy to read. */
enum status captable_grow(struct captable *t, void *page)
{
	struct capslot *slots = page;
	uint32_t first = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;

	if (t->page_count == CAPTABLE_PAGES)
		return STATUS_NO_SLOT;
	t->pages[t->page_count++] = slots;
	for (uint32_t i = CAPTABLE_PAGE_SLOTS; i-- > 0;) {
		slots[i] = (struct capslot){.generation = 1, .next_free = t->free_head};
		t->free_head = (uint16_t)(first + i);
	}
	return STATUS_OK;
}

enum status captable_insert(struct captable *t, struct object *object, uint32_t *id)
{
	uint32_t index = t->free_head;
	struct capslot *slot;

	if (index == CAPTABLE_END)
		return STATUS_NO_SLOT;
	slot = slot_at(t, index);
	t->free_head = slot->next_free;
	t->used++;
	slot->object = object;
	slot->epoch = object->epoch;
	*id = (uint32_t)slot->generation << 16 | index;
	return STATUS_OK;
}

/* Generation 0 is passed over, so that id 0 stays nobody's. */
static struct object *empty(struct captable *t, struct capslot *slot, uint32_t index)
{
	struct object *object = slot->object;

	slot->object = NULL;
	if (++slot->generation == 0)
		slot->generation = 1;
	slot->next_free = t->free_head;
	t->free_head = (uint16_t)index;
	t->used--;
	return object;
}

struct object *captable_remove(struct captable *t, uint32_t id)
{
	struct capslot *slot = captable_slot(t, id);

	return slot ? empty(t, slot, id & 0xffff) : NULL;
}

struct object *captable_drain(struct captable *t, uint32_t *cursor)
{
	uint32_t end = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;

	for (; *cursor < end; (*cursor)++) {
		struct capslot *slot = slot_at(t, *cursor);

		if (slot->object)
			return empty(t, slot, *cursor);
	}
	return NULL;
}

const char *captable_check(const struct captable *t)
{
	uint32_t end = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;
	uint32_t free = 0, used = 0;

	for (uint32_t i = t->free_head; i != CAPTABLE_END; i = slot_at(t, i)->next_free) {
		if (i >= end)
			return "a free slot's index is out of range";
		if (slot_at(t, i)->object)
			return "a slot on the free list is in use";
		if (++free > end)
			return "the free list has a cycle";
	}
	for (uint32_t i = 0; i < end; i++) {
		used += slot_at(t, i)->object != NULL;
		if (slot_at(t, i)->generation == 0)
			return "a slot has generation 0";
	}
	if (used != t->used)
		return "the used count is off";
	return used + free == end ? NULL : "a slot is neither free nor used";
}
