/* space.c: see space.h. Four-level paging: Intel SDM 3A, chapter 4.5. */
#include "kernel/space.h"

#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/window.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/panic.h"

#define PTE_COPY (1ul << 9)
#define PTE_SHARED (1ul << 10)
#define PTE_SEALED (1ul << 11)

enum { TABLE_ENTRIES = 512 };

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(paddr(entry & PTE_ADDRESS));
}

static uint32_t frame_of(uint64_t entry)
{
	return (uint32_t)((entry & PTE_ADDRESS) >> PAGE_SHIFT);
}

static unsigned index_at(uint64_t address, unsigned level)
{
	return (address >> (PAGE_SHIFT + 9 * level)) % TABLE_ENTRIES;
}

/* Bytes that one entry of a level-`level` table spans. */
static uint64_t span(unsigned level)
{
	return (uint64_t)PAGE_SIZE << (9 * level);
}

static struct frame *table_frame(const uint64_t *entry)
{
	return frames_at(&kmem_frames, virt_to_frame(entry));
}

/* A table's frame remembers which of its entries may be in use, so that walks
 * pass over the rest: pairs first to last, none if first > last. */
static void table_reset(uint64_t *table)
{
	struct frame *frame = table_frame(table);

	frame->first = UINT8_MAX;
	frame->last = 0;
}

static void table_note(uint64_t *entry)
{
	struct frame *frame = table_frame(entry);
	uint8_t pair = (uint8_t)((uint64_t)entry % PAGE_SIZE / (2 * sizeof(*entry)));

	if (pair < frame->first)
		frame->first = pair;
	if (pair > frame->last)
		frame->last = pair;
}

static unsigned table_first(const uint64_t *table)
{
	return table_frame(table)->first * 2u;
}

static unsigned table_end(const uint64_t *table)
{
	return table_frame(table)->last * 2u + 2;
}

static uint64_t table_flags(const struct space *s)
{
	return PTE_PRESENT | PTE_WRITE | (space_is_region(s) ? 0 : PTE_USER);
}

/* A new table under `entry`; at the top level every CPU's table gets it. */
static uint64_t *add_table(struct space *s, uint64_t *entry, uint64_t address,
                           unsigned level)
{
	uint32_t number = page_take(s->ledger);
	uint64_t value = ((uint64_t)number << PAGE_SHIFT) | table_flags(s);

	if (number == FRAMES_NONE)
		return NULL;
	table_reset(frame_to_virt(number));
	table_note(entry);
	*entry = value;
	if (level == 3)
		for (unsigned i = 0; i < MAX_CPUS; i++)
			if (s->top[i])
				s->top[i][index_at(address, 3)] = value;
	return table_of(value);
}

static uint64_t *top_table(const struct space *s)
{
	return space_is_region(s) ? s->region : s->top[0];
}

static unsigned top_level(const struct space *s)
{
	return space_is_region(s) ? 2 : 3;
}

/* The table under `table`'s entry for `address`; NULL stays NULL. */
static inline uint64_t *next_table(struct space *s, uint64_t *table, uint64_t address,
                                   unsigned level, bool create)
{
	uint64_t *entry;

	if (!table)
		return NULL;
	entry = &table[index_at(address, level)];
	if (*entry & PTE_PRESENT)
		return table_of(*entry);
	return create ? add_table(s, entry, address, level) : NULL;
}

/* The bottom-level entry for `address`. NULL: a table is missing (and, with
 * `create`, cannot be paid for). */
static uint64_t *entry_at(const struct space *cs, uint64_t address, bool create)
{
	struct space *s = (struct space *)(uintptr_t)cs;
	uint64_t *table = top_table(s);

	if (!space_is_region(s))
		table = next_table(s, table, address, 3, create);
	table = next_table(s, table, address, 2, create);
	table = next_table(s, table, address, 1, create);
	return table ? &table[index_at(address, 0)] : NULL;
}

/* Walks the bottom-level entries of a range, table by table. */
struct walk {
	const struct space *space;
	uint64_t address, end;
	uint64_t limit;  /* `entry` is right for addresses below this */
	uint64_t *entry; /* of `address` */
	bool create;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Moves to the first table at or after w->address that has entries in use, and
 * to the first of them. False: there is none before the end. */
static bool walk_find(struct walk *w)
{
	unsigned top = top_level(w->space), level = top;
	uint64_t *table = top_table(w->space);

	while (w->address < w->end) {
		unsigned index = index_at(w->address, level);
		unsigned first = table_first(table), end = table_end(table);
		uint64_t base = w->address & ~(span(level + 1) - 1);

		if (index < first) {
			index = first;
			w->address = base + first * span(level);
		}
		while (level > 0 && index < end && !(table[index] & PTE_PRESENT)) {
			index++;
			w->address = base + index * span(level);
		}
		if (index >= end) { /* nothing more here: on, from the top */
			if (level == top)
				return false;
			w->address = base + span(level + 1);
			level = top;
			table = top_table(w->space);
		} else if (level == 0) {
			w->entry = &table[index];
			w->limit = least(w->end, base + end * span(0));
			return w->address < w->end;
		} else {
			table = table_of(table[index]);
			level--;
		}
	}
	return false;
}

/* The next entry that exists, with walk->address at its page; NULL: the end, or
 * (with create) no memory for a table, when address < end. */
static inline uint64_t *walk_next(struct walk *w)
{
	if (w->address < w->limit)
		return w->entry;
	if (w->address >= w->end)
		return NULL;
	if (!w->create)
		return walk_find(w) ? w->entry : NULL;
	w->entry = entry_at(w->space, w->address, true);
	if (w->entry)
		w->limit = least(w->end, (w->address | (span(1) - 1)) + 1);
	return w->entry;
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

static struct walk walk_range(const struct space *s, uint64_t address, uint64_t pages,
                              bool create)
{
	return (struct walk){s, address, address + (pages << PAGE_SHIFT), 0, NULL, create};
}

bool space_range_ok(const struct space *s, uint64_t address, uint64_t pages)
{
	uint64_t low = space_is_region(s) ? MODULE_BASE : 0;
	uint64_t high = space_is_region(s) ? MODULE_END : USER_END;

	return address % PAGE_SIZE == 0 && address >= low && address < high &&
	       pages > 0 && pages <= (high - address) >> PAGE_SHIFT;
}

/* No page of a region is both writable and executable. */
static bool access_ok(const struct space *s, uint32_t access)
{
	uint32_t both = ACCESS_WRITE | ACCESS_EXECUTE;

	if (space_is_region(s))
		return access < 16 && (access & ACCESS_READ) && (access & both) != both;
	return access < 16 && ((access & ACCESS_READ) || !(access & both));
}

static uint64_t leaf_flags(const struct space *s, uint32_t access)
{
	return PTE_PRESENT |
	       (space_is_region(s) || !(access & ACCESS_READ) ? 0 : PTE_USER) |
	       (access & ACCESS_WRITE ? PTE_WRITE : 0) |
	       (access & ACCESS_EXECUTE ? 0 : PTE_NX);
}

/* Replaces what the entry holds. The caller has taken the new reference. */
static void entry_set(uint64_t *entry, uint64_t value)
{
	uint64_t old = *entry;

	if (value & PTE_WRITE)
		frames_at(&kmem_frames, frame_of(value))->writers++;
	if (value)
		table_note(entry);
	*entry = value;
	if (!(old & PTE_PRESENT))
		return;
	if (old & PTE_WRITE)
		frames_at(&kmem_frames, frame_of(old))->writers--;
	page_drop(frame_of(old));
}

/* Changes flags only. */
static void entry_flags(uint64_t *entry, uint64_t value)
{
	struct frame *frame = frames_at(&kmem_frames, frame_of(*entry));

	frame->writers += !!(value & PTE_WRITE);
	frame->writers -= !!(*entry & PTE_WRITE);
	*entry = value;
}

/* Empties an entry, and waits until no CPU can reach the page any more: its
 * frame may be taken again within the same call. */
static void replace(struct space *s, uint64_t address, uint64_t *entry)
{
	entry_set(entry, 0);
	tlb_forget(s, address);
	tlb_sync(s);
}

enum status space_map_frame(struct space *s, uint64_t address, uint32_t number,
                            uint64_t flags)
{
	uint64_t *entry = entry_at(s, address, true);

	if (!entry)
		return STATUS_NO_MEMORY;
	if (*entry & PTE_PRESENT)
		return STATUS_EXISTS;
	frames_hold(&kmem_frames, number);
	entry_set(entry, ((uint64_t)number << PAGE_SHIFT) | flags | PTE_SHARED |
	                         (flags & PTE_WRITE ? 0 : PTE_SEALED));
	return STATUS_OK;
}

void space_unmap_frame(struct space *s, uint64_t address, uint32_t number)
{
	uint64_t *entry = entry_at(s, address, false);

	if (entry && (*entry & PTE_PRESENT) && frame_of(*entry) == number)
		replace(s, address, entry);
}

enum status space_map(struct space *s, struct memobject *m, uint64_t page,
                      uint64_t address, uint64_t pages, uint32_t access, bool sealed)
{
	bool private = access & ACCESS_PRIVATE;
	bool write = (access & ACCESS_WRITE) && !private;
	struct walk w = walk_range(s, address, pages, true);
	uint64_t flags = leaf_flags(s, access);
	uint64_t *entry;

	if (!space_range_ok(s, address, pages) || !access_ok(s, access) ||
	    pages > SPACE_CALL_PAGES || page > m->pages || pages > m->pages - page)
		return STATUS_INVALID;
	if (write && sealed)
		return STATUS_DENIED;
	if (private)
		flags = (flags & ~PTE_WRITE) | PTE_COPY;
	else
		flags |= PTE_SHARED | (sealed ? PTE_SEALED : 0);
	for (; (entry = walk_next(&w)); walk_step(&w), page++) {
		uint32_t number;
		enum status status = memobject_frame(m, (uint32_t)page, write, &number);

		if (status)
			return status;
		if (write && frames_at(&kmem_frames, number)->writers == FRAME_WRITERS_MAX)
			return STATUS_NO_SLOT;
		frames_hold(&kmem_frames, number);
		if (*entry & PTE_PRESENT)
			replace(s, w.address, entry);
		entry_set(entry, ((uint64_t)number << PAGE_SHIFT) | flags);
	}
	return w.address < w.end ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status space_fresh(struct space *s, uint64_t address, uint64_t pages,
                        uint32_t access)
{
	struct walk w = walk_range(s, address, pages, true);
	uint64_t flags = leaf_flags(s, access);
	uint64_t *entry;

	if (!space_range_ok(s, address, pages) || !access_ok(s, access) ||
	    pages > SPACE_CALL_PAGES)
		return STATUS_INVALID;
	for (; (entry = walk_next(&w)); walk_step(&w)) {
		uint32_t number;

		if (*entry & PTE_PRESENT)
			continue;
		number = page_take(s->ledger);
		if (number == FRAMES_NONE)
			return STATUS_NO_MEMORY;
		entry_set(entry, ((uint64_t)number << PAGE_SHIFT) | flags);
	}
	return w.address < w.end ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status space_unmap(struct space *s, uint64_t address, uint64_t pages)
{
	struct walk w = walk_range(s, address, pages, false);
	uint64_t *entry;

	if (!space_range_ok(s, address, pages))
		return STATUS_INVALID;
	/* Frames are let go while another CPU may still reach them: the kernel
	 * lock is held throughout, so nobody takes one before tlb_sync is done. */
	for (; (entry = walk_next(&w)); walk_step(&w)) {
		if (!(*entry & PTE_PRESENT))
			continue;
		entry_set(entry, 0);
		tlb_forget(s, w.address);
	}
	tlb_sync(s);
	return STATUS_OK;
}

/* Whether the frame may get one more writable mapping. */
static bool may_write(uint32_t number)
{
	const struct frame *frame = frames_at(&kmem_frames, number);

	return !frame->split && frame->writers < FRAME_WRITERS_MAX;
}

static uint64_t protected_entry(const struct space *s, uint64_t old, uint32_t access)
{
	uint64_t keep = PTE_ADDRESS | PTE_COPY | PTE_SHARED | PTE_SEALED |
	                PTE_ACCESSED | PTE_DIRTY;
	uint64_t value = (old & keep) | leaf_flags(s, access);

	if (!(old & PTE_WRITE) && !may_write(frame_of(old)))
		value &= ~PTE_WRITE;
	return value & (PTE_COPY | PTE_SEALED) ? value & ~PTE_WRITE : value;
}

enum status space_protect(struct space *s, uint64_t address, uint64_t pages,
                                 uint32_t access)
{
	struct walk w = walk_range(s, address, pages, false);
	uint64_t *entry;

	if (!space_range_ok(s, address, pages) || !access_ok(s, access))
		return STATUS_INVALID;
	for (; (entry = walk_next(&w)); walk_step(&w)) {
		if (!(*entry & PTE_PRESENT))
			continue;
		entry_flags(entry, protected_entry(s, *entry, access));
		tlb_forget(s, w.address);
	}
	tlb_sync(s);
	return STATUS_OK;
}

/* Shows one page of the source here as well. */
static enum status share_entry(struct space *s, struct space *from, uint64_t *source,
                               uint64_t address, uint64_t *entry)
{
	uint32_t number = frame_of(*source);

	if (!(*source & PTE_SHARED) && !(*source & PTE_COPY)) {
		entry_flags(source, (*source & ~PTE_WRITE) | PTE_COPY);
		tlb_forget(from, address);
	}
	if (frames_at(&kmem_frames, number)->writers == FRAME_WRITERS_MAX)
		return STATUS_NO_SLOT;
	frames_hold(&kmem_frames, number);
	if (*entry & PTE_PRESENT)
		replace(s, address, entry);
	entry_set(entry, *source);
	return STATUS_OK;
}

enum status space_share(struct space *s, struct space *from, uint64_t address,
                               uint64_t pages)
{
	struct walk source = walk_range(from, address, pages, false);
	struct walk here = walk_range(s, address, pages, true);
	enum status status = STATUS_OK;
	uint64_t *entry;

	if (!space_range_ok(s, address, pages) || s == from ||
	    space_is_region(s) || space_is_region(from))
		return STATUS_INVALID;
	for (; !status && (entry = walk_next(&source)); walk_step(&source)) {
		if (!(*entry & PTE_PRESENT))
			continue;
		walk_jump(&here, source.address);
		if (!walk_next(&here))
			status = STATUS_NO_MEMORY;
		else
			status = share_entry(s, from, entry, source.address, here.entry);
	}
	tlb_sync(from);
	return status;
}

enum status space_resolve(struct space *s, uint64_t address)
{
	uint64_t *entry;
	uint32_t old, new;

	address = page_down(address);
	if (!space_range_ok(s, address, 1))
		return STATUS_INVALID;
	entry = entry_at(s, address, false);
	if (!entry || !(*entry & PTE_PRESENT))
		return STATUS_NOT_FOUND;
	if (*entry & PTE_WRITE)
		return STATUS_OK;
	if (!(*entry & PTE_COPY))
		return STATUS_DENIED;
	if (space_is_region(s) && !(*entry & PTE_NX))
		return STATUS_DENIED; /* a module's page is never writable and executable */
	old = frame_of(*entry);
	if (frames_at(&kmem_frames, old)->refs == 1) {
		frames_at(&kmem_frames, old)->split = false;
		entry_flags(entry, (*entry & ~PTE_COPY) | PTE_WRITE);
	} else {
		new = page_take_dirty(s->ledger);
		if (new == FRAMES_NONE)
			return STATUS_NO_MEMORY;
		page_copy(frame_to_virt(new), frame_to_virt(old));
		entry_set(entry, ((uint64_t)new << PAGE_SHIFT) | PTE_WRITE |
		                         (*entry & ~(PTE_ADDRESS | PTE_COPY)));
	}
	tlb_forget(s, address);
	tlb_sync(s);
	return STATUS_OK;
}

const struct space *space_holding(const struct space *s, uint64_t address)
{
	if (address >= MODULE_BASE && address < MODULE_END)
		return s->module;
	return address < USER_END ? s : NULL;
}

void *space_reach(const struct space *s, uint64_t address, bool write)
{
	uint64_t *entry;

	if (!space_range_ok(s, page_down(address), 1))
		return NULL;
	entry = entry_at(s, address, false);
	if (!entry || !(*entry & PTE_PRESENT) || (write && !(*entry & PTE_WRITE)) ||
	    (!space_is_region(s) && !(*entry & PTE_USER)))
		return NULL;
	return (char *)frame_to_virt(frame_of(*entry)) + address % PAGE_SIZE;
}

struct space *space_create_region(struct ledger *ledger)
{
	struct space *s = block_alloc(ledger, sizeof(*s));

	if (!s)
		return NULL;
	s->region = page_alloc(ledger);
	if (!s->region) {
		block_free(s, sizeof(*s), ledger);
		return NULL;
	}
	table_reset(s->region);
	object_init(&s->object, &space_type);
	s->ledger = ledger;
	return s;
}

/* The upper half of CPU `cpu`'s top-level table. */
static void fill_top(struct space *s, unsigned cpu)
{
	uint64_t *top = s->top[cpu];

	if (s->module) {
		top[SLOT_MODULE] = virt_to_phys(s->module->region).v | PTE_PRESENT | PTE_WRITE;
		top[SLOT_WINDOW] = window_entry(cpu, true);
		return;
	}
	top[SLOT_PHYSMAP] = kernel_top[SLOT_PHYSMAP];
	top[SLOT_KERNEL] = kernel_top[SLOT_KERNEL];
	top[SLOT_WINDOW] = window_entry(cpu, false);
}

struct space *space_create(struct ledger *ledger, struct space *module)
{
	struct space *s = block_alloc(ledger, sizeof(*s));

	if (!s)
		return NULL;
	object_init(&s->object, &space_type);
	s->ledger = ledger;
	s->module = module;
	if (module)
		object_hold(&module->object);
	for (unsigned i = 0; i < cpu_count; i++) {
		s->top[i] = page_alloc(ledger);
		if (!s->top[i]) {
			object_drop(&s->object);
			return NULL;
		}
		table_reset(s->top[i]);
		fill_top(s, i);
	}
	return s;
}

/* Drops all that a level-`level` table holds, and leaves it empty. */
static void free_entries(uint64_t *table, unsigned level)
{
	unsigned end = table_end(table);

	for (unsigned i = table_first(table); i < end; i++) {
		uint64_t entry = table[i];

		if (!(entry & PTE_PRESENT))
			continue;
		if (level == 0) {
			entry_set(&table[i], 0);
			continue;
		}
		table[i] = 0;
		free_entries(table_of(entry), level - 1);
		page_drop_clean(frame_of(entry));
	}
}

/* What the top-level tables of the other CPUs repeat, and the upper half. */
static void free_tops(struct space *s)
{
	for (unsigned cpu = 0; cpu < MAX_CPUS && s->top[cpu]; cpu++) {
		uint64_t *top = s->top[cpu];
		unsigned end = table_end(s->top[0]);

		for (unsigned i = cpu ? table_first(s->top[0]) : end; i < end; i++)
			top[i] = 0;
		top[SLOT_PHYSMAP] = top[SLOT_MODULE] = 0;
		top[SLOT_WINDOW] = top[SLOT_KERNEL] = 0;
	}
	for (unsigned cpu = 0; cpu < MAX_CPUS && s->top[cpu]; cpu++)
		page_drop_clean(virt_to_frame(s->top[cpu]));
}

void space_destroy(struct object *o)
{
	struct space *s = (struct space *)o;

	tlb_leave(s);
	if (s->region) {
		free_entries(s->region, 2);
		page_drop_clean(virt_to_frame(s->region));
	} else if (s->top[0]) {
		free_entries(s->top[0], 3);
		free_tops(s);
	}
	if (s->module)
		object_drop(&s->module->object);
	block_free(s, sizeof(*s), s->ledger);
}

uint32_t space_access(const struct space *s, uint64_t address, bool *mapped)
{
	const uint64_t *entry = entry_at(s, address, false);

	*mapped = entry && (*entry & PTE_PRESENT);
	if (!*mapped)
		return 0;
	return (*entry & PTE_USER || space_is_region(s) ? ACCESS_READ : 0) |
	       (*entry & PTE_WRITE ? ACCESS_WRITE : 0) |
	       (*entry & PTE_NX ? 0 : ACCESS_EXECUTE) |
	       (*entry & PTE_COPY ? ACCESS_PRIVATE : 0);
}

uint32_t space_frame(const struct space *s, uint64_t address)
{
	const uint64_t *entry = entry_at(s, address, false);

	KASSERT(entry && (*entry & PTE_PRESENT));
	return frame_of(*entry);
}
