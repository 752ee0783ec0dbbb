/* memobject.c: see memobject.h. */
#include "kernel/memobject.h"

#include "kernel/ending.h"
#include "kernel/panic.h"
#include "kernel/string.h"

/* A slot: a frame number, whether another object's slot may have it too, and
 * whether another object's reservation paid for it: its own is then unused. */
enum { SLOT_SHARED = 1u << 31, SLOT_FOREIGN = 1u << 30 };

static uint32_t number_of(uint32_t slot)
{
	return slot & ~((uint32_t)SLOT_SHARED | SLOT_FOREIGN);
}

/* From a slice and its page to the object that has the frame. */
static void to_whole(struct memobject **m, uint32_t *page)
{
	if (!(*m)->part)
		return;
	*page += (*m)->first;
	*m = (*m)->whole;
}

static bool is_small(const struct memobject *m)
{
	return m->pages <= MEMOBJECT_INLINE;
}

/* The slot of `page`. NULL: its table is not there (and, with `create`, cannot
 * be paid for). */
static uint32_t *slot_of(struct memobject *m, uint32_t page, bool create)
{
	uint32_t **table;

	if (is_small(m))
		return &m->slots[page];
	table = &m->tables[page / MEMOBJECT_SLOTS];
	if (!*table && create)
		*table = page_alloc(m->ledger);
	return *table ? &(*table)[page % MEMOBJECT_SLOTS] : NULL;
}

static struct memobject *create_bare(struct ledger *ledger, uint64_t pages)
{
	struct memobject *m;

	if (pages == 0 || pages > MEMOBJECT_PAGES_MAX)
		return NULL;
	m = block_alloc(ledger, sizeof(*m));
	if (!m)
		return NULL;
	object_init(&m->object, &memobject_type);
	m->ledger = ledger;
	m->pages = (uint32_t)pages;
	if (is_small(m))
		return m;
	m->tables = page_alloc(ledger);
	if (m->tables)
		return m;
	block_free(m, sizeof(*m), ledger);
	return NULL;
}

static void free_bare(struct memobject *m)
{
	if (!is_small(m)) {
		for (unsigned i = 0; i < MEMOBJECT_TABLES; i++)
			if (m->tables[i])
				page_free(m->tables[i]);
		page_free(m->tables);
	}
	block_free(m, sizeof(*m), m->ledger);
}

__attribute__((cold))
struct memobject *memobject_create(struct ledger *ledger, uint64_t pages)
{
	struct memobject *m;

	if (pages > MEMOBJECT_PAGES_MAX || page_reserve(ledger, pages))
		return NULL;
	m = create_bare(ledger, pages);
	if (!m)
		page_unreserve(ledger, pages);
	return m;
}

__attribute__((cold))
struct memobject *memobject_adopt(struct ledger *ledger, struct paddr start, uint64_t pages)
{
	struct memobject *m = create_bare(ledger, pages);
	uint32_t first = (uint32_t)(start.v >> PAGE_SHIFT);

	for (uint32_t i = 0; m && i < m->pages; i++) {
		uint32_t *slot = slot_of(m, i, true);

		KASSERT(slot); /* boot: memory cannot be this short */
		page_adopt(first + i, ledger);
		*slot = first + i;
		m->own++;
	}
	return m;
}

/* Its frames; `own` says how far that is done. */
static bool end(struct object *o)
{
	struct memobject *m = (struct memobject *)o;

	while (m->own < m->pages) {
		uint32_t *slot = slot_of(m, m->own, false);

		if (ending_left-- <= 0)
			return false;
		if (!slot) {
			m->own = (m->own / MEMOBJECT_SLOTS + 1) * MEMOBJECT_SLOTS;
			continue;
		}
		if (*slot)
			page_drop(number_of(*slot));
		m->own++;
	}
	free_bare(m);
	return true;
}

void memobject_destroy(struct object *o)
{
	struct memobject *m = (struct memobject *)o;
	uint64_t unused = m->pages - m->own;

	if (m->part) {
		object_drop(&m->whole->object);
		block_free(m, sizeof(*m), m->ledger);
		return;
	}
	if (unused)
		page_unreserve(m->ledger, unused);
	m->own = 0;
	ending_add(o, end);
}

/* A frame for an empty or a split slot; the reservation pays. */
static uint32_t take_own(struct memobject *m)
{
	KASSERT(m->own < m->pages);
	m->own++;
	return page_take_reserved(m->ledger);
}

/* The slot's frame is another object's too: this object takes its own copy. A
 * slot whose shared frame came from this object's own reservation leaves that
 * charge with the frame and has to pay for the copy anew. */
static enum status split(struct memobject *m, uint32_t *slot)
{
	uint32_t old = number_of(*slot);
	uint32_t new;

	if (frames_at(&kmem_frames, old)->refs == 1) {
		frames_at(&kmem_frames, old)->split = false;
		*slot &= ~(uint32_t)SLOT_SHARED;
		return STATUS_OK;
	}
	if (*slot & SLOT_FOREIGN) {
		new = take_own(m);
	} else {
		new = page_take_dirty(m->ledger);
		if (new == FRAMES_NONE)
			return STATUS_NO_MEMORY;
	}
	page_copy(frame_to_virt(new), frame_to_virt(old));
	*slot = new;
	page_drop(old);
	return STATUS_OK;
}

enum status memobject_frame(struct memobject *m, uint32_t page, bool write,
                            uint32_t *number)
{
	uint32_t *slot;
	enum status status;

	to_whole(&m, &page);
	slot = slot_of(m, page, true);
	if (!slot)
		return STATUS_NO_MEMORY;
	if (!*slot) {
		*slot = take_own(m);
		page_zero(frame_to_virt(*slot));
	} else if (write && (*slot & SLOT_SHARED)) {
		status = split(m, slot);
		if (status)
			return status;
	}
	*number = number_of(*slot);
	return STATUS_OK;
}

enum status memobject_copy(struct memobject *m, uint64_t offset, void *bytes,
                           size_t size, bool write)
{
	while (size > 0) {
		size_t in_page = offset % PAGE_SIZE;
		size_t step = size < PAGE_SIZE - in_page ? size : PAGE_SIZE - in_page;
		uint32_t number;
		enum status status =
			memobject_frame(m, (uint32_t)(offset >> PAGE_SHIFT), write, &number);

		if (status)
			return status;
		if (write)
			memcpy((char *)frame_to_virt(number) + in_page, bytes, step);
		else
			memcpy(bytes, (char *)frame_to_virt(number) + in_page, step);
		bytes = (char *)bytes + step;
		offset += step;
		size -= step;
	}
	return STATUS_OK;
}

static enum status child_page(struct memobject *parent, uint32_t page,
                              struct memobject *child, uint32_t at)
{
	uint32_t number, *from, *to;

	to_whole(&parent, &page);
	from = slot_of(parent, page, false);
	if (!from || !*from)
		return STATUS_OK; /* zeroes on both sides */
	to = slot_of(child, at, true);
	if (!to)
		return STATUS_NO_MEMORY;
	number = number_of(*from);
	if (frames_at(&kmem_frames, number)->writers > 0) {
		*to = take_own(child);
		page_copy(frame_to_virt(*to), frame_to_virt(number));
		return STATUS_OK;
	}
	frames_hold(&kmem_frames, number);
	frames_at(&kmem_frames, number)->split = true;
	*from |= SLOT_SHARED;
	*to = number | SLOT_SHARED | SLOT_FOREIGN;
	return STATUS_OK;
}

__attribute__((cold))
enum status memobject_child(struct memobject *parent, struct ledger *ledger, uint64_t page,
                            uint64_t pages, struct memobject **child)
{
	if (pages == 0 || pages > MEMOBJECT_CHILD_PAGES || page > parent->pages ||
	    pages > parent->pages - page)
		return STATUS_INVALID;
	*child = memobject_create(ledger, pages);
	if (!*child)
		return STATUS_NO_MEMORY;
	ending_left -= (int)pages;
	for (uint32_t i = 0; i < pages; i++) {
		enum status status = child_page(parent, (uint32_t)page + i, *child, i);

		if (status) {
			object_drop(&(*child)->object);
			return status;
		}
	}
	return STATUS_OK;
}

__attribute__((cold))
enum status memobject_slice(struct memobject *m, struct ledger *ledger, uint64_t page,
                            uint64_t pages, const struct object_type *type,
                            struct memobject **out)
{
	struct memobject *slice;
	uint32_t first = (uint32_t)page;

	if (pages == 0 || page > m->pages || pages > m->pages - page)
		return STATUS_INVALID;
	slice = block_alloc(ledger, sizeof(*slice));
	if (!slice)
		return STATUS_NO_MEMORY;
	to_whole(&m, &first);
	object_hold(&m->object);
	object_init(&slice->object, type);
	slice->ledger = ledger;
	slice->pages = (uint32_t)pages;
	slice->part = true;
	slice->whole = m;
	slice->first = first;
	*out = slice;
	return STATUS_OK;
}
