/* space_walk.h: the page tables of an address space, for the files of space.h only:
 * from an address to its bottom-level entry, and through a range.
 * Four-level paging: Intel SDM 3A, chapter 4.5. */
#pragma once

#include "kernel/arch/x86_64/x86.h"
#include "kernel/ring.h"
#include "kernel/space.h"

/* Software bits of a bottom-level entry; see space.h. */
#define PTE_COPY (1ul << 9)
#define PTE_SHARED (1ul << 10)
#define PTE_SEALED (1ul << 11)
#define PTE_LEASE_SHIFT 52
#define PTE_LEASE ((uint64_t)(SPACE_LEASED_MAX) << PTE_LEASE_SHIFT)
#define PTE_MAY_WRITE (1ul << 58)

enum {
	TABLE_ENTRIES = 512,
	TABLE_SKIPS = 16, /* empty ones in a row take as long as one that is not */
};

static inline uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(paddr(entry & PTE_ADDRESS));
}

static inline uint32_t frame_of(uint64_t entry)
{
	return (uint32_t)((entry & PTE_ADDRESS) >> PAGE_SHIFT);
}

static inline struct frame *table_frame(const uint64_t *entry)
{
	return frames_at(&kmem_frames, virt_to_frame(entry));
}

/* A table's frame remembers which of its entries may be in use, so that walks
 * pass over the rest: pairs first to last, none if first > last. */
static inline void table_reset(uint64_t *table)
{
	struct frame *frame = table_frame(table);

	frame->first = UINT8_MAX;
	frame->last = 0;
}

static inline void table_note(uint64_t *entry)
{
	struct frame *frame = table_frame(entry);
	uint8_t pair = (uint8_t)((uint64_t)entry % PAGE_SIZE / (2 * sizeof(*entry)));

	if (pair < frame->first)
		frame->first = pair;
	if (pair > frame->last)
		frame->last = pair;
}

static inline unsigned table_first(const uint64_t *table)
{
	return table_frame(table)->first * 2u;
}

static inline unsigned table_end(const uint64_t *table)
{
	return table_frame(table)->last * 2u + 2;
}

/* The bottom-level entry for `address`. NULL: a table is missing (and, with
 * `create`, cannot be paid for). */
uint64_t *entry_at(const struct space *s, uint64_t address, bool create);

/* Walks the bottom-level entries of a range, table by table. */
struct walk {
	const struct space *space;
	uint64_t address, end;
	uint64_t limit;  /* `entry` is right for addresses below this */
	uint64_t *entry; /* of `address` */
	uint64_t left;   /* entries that it may still come to, or as much; not with create */
	bool create;
};

static inline struct walk walk_range(const struct space *s, uint64_t address, uint64_t pages,
                                     bool create)
{
	return (struct walk){
		.space = s,
		.address = address,
		.end = address + (pages << PAGE_SHIFT),
		.left = UINT64_MAX,
		.create = create,
	};
}

/* The same, for as much of the range as is to be done at a time: then walk_rest() is
 * where to go on. */
static inline struct walk walk_some(const struct space *s, uint64_t address, uint64_t pages)
{
	struct walk w = walk_range(s, address, pages, false);

	w.left = ring_may_pause() ? SPACE_STEP : SPACE_CALL_PAGES;
	return w;
}

static inline uint64_t walk_rest(const struct walk *w)
{
	return w->address < w->end ? w->address : 0;
}

/* Moves to the first table at or after w->address that has entries in use, and
 * to the first of them. False: there is none before the end, or w->left is used
 * up. */
bool walk_find(struct walk *w);

/* Moves to w->address's table, making what is missing. False: no memory. */
bool walk_make(struct walk *w);

/* The next entry that exists, with walk->address at its page; NULL: the end, or
 * (with create) no memory for a table, when address < end. */
static inline uint64_t *walk_next(struct walk *w)
{
	if (w->address < w->limit)
		return w->entry;
	if (w->address >= w->end)
		return NULL;
	return (w->create ? walk_make(w) : walk_find(w)) ? w->entry : NULL;
}

static inline void walk_step(struct walk *w)
{
	w->address += PAGE_SIZE;
	w->entry++;
}

/* Goes on at `address`, which lies further on. */
static inline void walk_jump(struct walk *w, uint64_t address)
{
	w->entry += (address - w->address) >> PAGE_SHIFT;
	w->address = address;
}

static inline unsigned leased_number(uint64_t entry)
{
	return (unsigned)((entry & PTE_LEASE) >> PTE_LEASE_SHIFT);
}

/* An entry with a number no longer shows what was mapped (space_lease.c). */
void leased_gone(struct space *s, uint64_t entry);

/* Fills an empty entry. The caller has taken the reference, and counted the entry
 * if it has a number. */
static inline void entry_fill(uint64_t *entry, uint64_t value)
{
	if (value & PTE_WRITE)
		frames_at(&kmem_frames, frame_of(value))->writers++;
	table_note(entry);
	*entry = value;
}

/* Lets go of what an entry held that showed a page. */
static inline void entry_release(struct space *s, uint64_t old)
{
	if (old & PTE_WRITE)
		frames_at(&kmem_frames, frame_of(old))->writers--;
	page_drop(frame_of(old));
	if (__builtin_expect((old & PTE_LEASE) != 0, 0))
		leased_gone(s, old);
}

/* Empties an entry that shows a page. */
static inline void entry_clear(struct space *s, uint64_t *entry)
{
	uint64_t old = *entry;

	*entry = 0;
	entry_release(s, old);
}
