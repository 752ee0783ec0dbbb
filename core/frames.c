/* frames.c: see frames.h. */
#include "core/frames.h"

void frames_init(struct frames *f, struct frame *table, uint32_t limit)
{
	*f = (struct frames){.table = table, .limit = limit};
}

enum status frames_add(struct frames *f, uint32_t start, uint32_t end)
{
	if (start == FRAMES_NONE || start >= end || end > f->limit)
		return STATUS_INVALID;
	if (f->region_count == FRAMES_REGIONS)
		return STATUS_NO_SLOT;
	f->regions[f->region_count++] = (struct frames_region){start, start, end};
	f->region_fresh = f->region_count;
	f->free_count += end - start;
	f->total += end - start;
	return STATUS_OK;
}

static uint32_t take_fresh(struct frames *f)
{
	while (f->region_fresh > 0) {
		struct frames_region *r = &f->regions[f->region_fresh - 1];

		if (r->fresh < r->end)
			return r->fresh++;
		f->region_fresh--;
	}
	return FRAMES_NONE;
}

static uint32_t take_listed(struct frames *f, uint32_t *head)
{
	uint32_t number = *head;

	if (number != FRAMES_NONE)
		*head = f->table[number].next_free;
	return number;
}

static uint32_t charge(struct frames *f, uint32_t number, uint16_t ledger)
{
	if (number == FRAMES_NONE)
		return FRAMES_NONE;
	f->free_count--;
	f->table[number] = (struct frame){.refs = 1, .ledger = ledger};
	return number;
}

uint32_t frames_take(struct frames *f, uint16_t ledger)
{
	uint32_t number = take_listed(f, &f->free_head);

	if (number == FRAMES_NONE)
		number = take_fresh(f);
	if (number == FRAMES_NONE)
		number = take_listed(f, &f->clean_head);
	return charge(f, number, ledger);
}

uint32_t frames_take_clean(struct frames *f, uint16_t ledger)
{
	return charge(f, take_listed(f, &f->clean_head), ledger);
}

void frames_adopt(struct frames *f, uint32_t number, uint16_t ledger)
{
	if (f->adopted.end == 0)
		f->adopted.start = number;
	f->adopted.fresh = f->adopted.end = number + 1;
	f->total++;
	f->table[number] = (struct frame){.refs = 1, .ledger = ledger};
}

static void put(struct frames *f, uint32_t number, uint32_t *head)
{
	f->table[number].next_free = *head;
	*head = number;
	f->free_count++;
}

bool frames_drop(struct frames *f, uint32_t number, uint16_t *ledger)
{
	struct frame *frame = &f->table[number];

	if (--frame->refs > 0)
		return false;
	*ledger = frame->ledger;
	put(f, number, &f->free_head);
	return true;
}

void frames_drop_clean(struct frames *f, uint32_t number, uint16_t *ledger)
{
	*ledger = f->table[number].ledger;
	f->table[number].refs = 0;
	put(f, number, &f->clean_head);
}

/* Counts the frames of one list. */
static const char *check_list(const struct frames *f, uint32_t head, uint32_t *listed)
{
	for (uint32_t n = head; n != FRAMES_NONE; n = f->table[n].next_free) {
		if (n >= f->limit)
			return "a free frame's number is out of range";
		if (f->table[n].refs != 0)
			return "a frame on a free list is referenced";
		if (++*listed > f->total)
			return "a free list has a cycle";
	}
	return NULL;
}

static void walk_region(const struct frames *f, const struct frames_region *r,
                        void (*each)(const struct frame *, void *), void *context)
{
	for (uint32_t n = r->start; n < r->fresh; n++)
		if (f->table[n].refs > 0)
			each(&f->table[n], context);
}

void frames_walk(const struct frames *f, void (*each)(const struct frame *, void *),
                 void *context)
{
	for (unsigned i = 0; i < f->region_count; i++)
		walk_region(f, &f->regions[i], each, context);
	walk_region(f, &f->adopted, each, context);
}

static void count(const struct frame *frame, void *context)
{
	(void)frame;
	++*(uint32_t *)context;
}

const char *frames_check(const struct frames *f)
{
	uint32_t listed = 0, taken = 0;
	const char *wrong = check_list(f, f->free_head, &listed);

	if (!wrong)
		wrong = check_list(f, f->clean_head, &listed);
	if (wrong)
		return wrong;
	for (unsigned i = 0; i < f->region_count; i++)
		listed += f->regions[i].end - f->regions[i].fresh;
	if (listed != f->free_count)
		return "the free count is off";
	frames_walk(f, count, &taken);
	return taken + listed == f->total ? NULL : "a frame is neither free nor taken";
}
