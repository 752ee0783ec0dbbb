/* captable.c: see captable.h. */
#include "core/captable.h"

#include "core/capslot.h"

static struct capslot *slot_at(const struct captable *t, uint32_t index)
{
	return &t->pages[index / CAPTABLE_PAGE_SLOTS][index % CAPTABLE_PAGE_SLOTS];
}

void captable_init(struct captable *t)
{
	*t = (struct captable){.free_head = CAPTABLE_END};
}

/* The id of a slot's next use. Generation 0 is passed over, so that id 0 stays
 * nobody's. */
static uint32_t next_id(uint32_t id)
{
	uint32_t index = id & CAPTABLE_INDEX;
	uint32_t generation = (id / CAPTABLE_SLOTS + 1) % CAPTABLE_GENERATIONS;

	return (generation ? generation : 1) * CAPTABLE_SLOTS + index;
}

/* Makes the slot the first of the free ones. */
static void put_free(struct captable *t, uint32_t index, uint32_t id)
{
	capslot_clear(slot_at(t, index), t->free_head, id ^ CAPTABLE_INDEX);
	t->free_head = (uint16_t)index;
}

/* Free slots stand in ascending order, so ids are small and easy to read. */
enum status captable_grow(struct captable *t, void *page)
{
	uint32_t first = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;

	if (t->page_count == CAPTABLE_PAGES)
		return STATUS_NO_SLOT;
	t->pages[t->page_count++] = page;
	for (uint32_t i = CAPTABLE_PAGE_SLOTS; i-- > 0;)
		put_free(t, first + i, next_id(first + i));
	return STATUS_OK;
}

enum status captable_insert_at(struct captable *t, struct object *object,
                               uint32_t epoch, uint32_t *id)
{
	uint32_t index = t->free_head;
	struct capslot *slot;

	if (index == CAPTABLE_END)
		return STATUS_NO_SLOT;
	slot = slot_at(t, index);
	t->free_head = (uint16_t)slot->epoch;
	t->used++;
	*id = slot->id ^ CAPTABLE_INDEX;
	capslot_fill(slot, object, epoch, *id);
	return STATUS_OK;
}

enum status captable_insert(struct captable *t, struct object *object, uint32_t *id)
{
	return captable_insert_at(t, object, object->epoch, id);
}

static struct object *empty(struct captable *t, struct capslot *slot)
{
	struct object *object = slot->object;

	put_free(t, slot->id & CAPTABLE_INDEX, next_id(slot->id));
	t->used--;
	return object;
}

struct object *captable_remove(struct captable *t, uint32_t id)
{
	struct capslot *slot = captable_slot(t, id);

	return slot && slot->epoch != CAPTABLE_MOVING ? empty(t, slot) : NULL;
}

enum status captable_reserve(struct captable *t, uint32_t id, struct captable_move *move)
{
	struct capslot *slot = captable_slot(t, id);

	if (!slot || slot->epoch != slot->object->epoch)
		return STATUS_NO_CAP;
	*move = (struct captable_move){.id = id, .epoch = slot->epoch, .object = slot->object};
	capslot_set_epoch(slot, CAPTABLE_MOVING);
	return STATUS_OK;
}

static struct capslot *reserved(const struct captable *t, const struct captable_move *move)
{
	struct capslot *slot = captable_slot(t, move->id);

	return slot && slot->epoch == CAPTABLE_MOVING ? slot : NULL;
}

struct object *captable_commit(struct captable *t, const struct captable_move *move)
{
	struct capslot *slot = reserved(t, move);

	return slot ? empty(t, slot) : NULL;
}

void captable_restore(struct captable *t, const struct captable_move *move)
{
	struct capslot *slot = reserved(t, move);

	if (slot)
		capslot_set_epoch(slot, move->epoch);
}

struct object *captable_drain(struct captable *t, uint32_t *cursor)
{
	uint32_t end = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;

	for (; *cursor < end; (*cursor)++) {
		struct capslot *slot = slot_at(t, *cursor);

		if (slot->object)
			return empty(t, slot);
	}
	return NULL;
}

static const char *check_slot(const struct capslot *slot, uint32_t index)
{
	uint32_t low = slot->object ? index : index ^ CAPTABLE_INDEX;
	uint32_t generation = slot->id / CAPTABLE_SLOTS;

	if ((slot->id & CAPTABLE_INDEX) != low)
		return slot->object ? "a slot has another's id" : "a free slot's id could match";
	return generation && generation < CAPTABLE_GENERATIONS ? NULL : "a generation is out of range";
}

const char *captable_check(const struct captable *t)
{
	uint32_t end = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;
	uint32_t free = 0, used = 0;

	for (uint32_t i = t->free_head; i != CAPTABLE_END; i = slot_at(t, i)->epoch) {
		if (i >= end)
			return "a free slot's index is out of range";
		if (slot_at(t, i)->object)
			return "a slot on the free list is in use";
		if (++free > end)
			return "the free list has a cycle";
	}
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
