/* space.c: see space.h. */
#include "kernel/space.h"

#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/window.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/ending.h"
#include "kernel/panic.h"
#include "kernel/space_lease.h"
#include "kernel/space_walk.h"
#include "kernel/string.h"

bool space_range_ok(const struct space *s, uint64_t address, uint64_t pages)
{
	uint64_t low = space_is_region(s) ? MODULE_BASE : 0;
	uint64_t high = space_is_region(s) ? MODULE_END : USER_END;

	return address % PAGE_SIZE == 0 && address >= low && address < high &&
	       pages > 0 && pages <= (high - address) >> PAGE_SHIFT;
}

/* Sets of accesses, a bit for each. What may be written or executed may be read; no
 * page of a region is both writable and executable, and each may be read. */
enum {
	PRIVATE_TOO = 1 + (1 << ACCESS_PRIVATE),
	REGION_ACCESS = PRIVATE_TOO * (1 << ACCESS_READ | 1 << (ACCESS_READ | ACCESS_WRITE) |
	                               1 << (ACCESS_READ | ACCESS_EXECUTE)),
	PROGRAM_ACCESS = REGION_ACCESS |
	                 PRIVATE_TOO * (1 | 1 << (ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE)),
};

static inline bool access_ok(const struct space *s, uint32_t access)
{
	return access < 16 &&
	       (space_is_region(s) ? REGION_ACCESS : PROGRAM_ACCESS) >> access & 1;
}

static inline uint64_t leaf_flags(const struct space *s, uint32_t access)
{
	return PTE_PRESENT |
	       (space_is_region(s) || !(access & ACCESS_READ) ? 0 : PTE_USER) |
	       (access & ACCESS_WRITE ? PTE_WRITE : 0) |
	       (access & ACCESS_EXECUTE ? 0 : PTE_NX);
}

/* Changes flags only. */
static inline void entry_flags(uint64_t *entry, uint64_t value)
{
	struct frame *frame = frames_at(&kmem_frames, frame_of(*entry));

	frame->writers += !!(value & PTE_WRITE);
	frame->writers -= !!(*entry & PTE_WRITE);
	*entry = value;
}

/* Empties an entry, and waits until no CPU can reach the page any more: its
 * frame may be taken again within the same call. Seldom: most entries are empty. */
__attribute__((cold))
static void replace(struct space *s, uint64_t address, uint64_t *entry)
{
	entry_clear(s, entry);
	tlb_forget(s, address);
	tlb_sync(s);
}

__attribute__((cold))
enum status space_map_frame(struct space *s, uint64_t address, uint32_t number,
                            uint64_t flags)
{
	uint64_t *entry = entry_at(s, address, true);

	if (!entry)
		return STATUS_NO_MEMORY;
	if (*entry & PTE_PRESENT)
		return STATUS_EXISTS;
	frames_hold(&kmem_frames, number);
	entry_fill(entry, ((uint64_t)number << PAGE_SHIFT) | flags | PTE_SHARED |
	                          (flags & PTE_WRITE ? 0 : PTE_SEALED));
	return STATUS_OK;
}

__attribute__((cold))
void space_unmap_frame(struct space *s, uint64_t address, uint32_t number)
{
	uint64_t *entry = entry_at(s, address, false);

	if (entry && (*entry & PTE_PRESENT) && frame_of(*entry) == number)
		replace(s, address, entry);
}

/* The bits of every entry of the mapping, but for its lease's number. */
static uint64_t mapping_flags(const struct space *s, const struct space_mapping *what)
{
	uint64_t flags = leaf_flags(s, what->access);

	if (!(what->access & ACCESS_PRIVATE))
		return flags | PTE_SHARED | (what->sealed ? PTE_SEALED : 0);
	return (flags & ~PTE_WRITE) | PTE_COPY |
	       (what->access & ACCESS_WRITE ? PTE_MAY_WRITE : 0);
}

static enum status map_pages(struct space *s, const struct space_mapping *what,
                             uint64_t flags, struct lease_mapping *record)
{
	struct walk w = walk_range(s, what->address, what->pages, true);
	uint32_t page = (uint32_t)what->page;
	uint64_t *entry;

	for (; (entry = walk_next(&w)); walk_step(&w), page++) {
		uint32_t number;
		enum status status = memobject_frame(what->memory, page, flags & PTE_WRITE,
		                                     &number);

		if (status)
			return status;
		if ((flags & PTE_WRITE) &&
		    frames_at(&kmem_frames, number)->writers == FRAME_WRITERS_MAX)
			return STATUS_NO_SLOT;
		frames_hold(&kmem_frames, number);
		if (*entry & PTE_PRESENT)
			replace(s, w.address, entry);
		if (record)
			record->entries++;
		entry_fill(entry, ((uint64_t)number << PAGE_SHIFT) | flags);
	}
	return w.address < w.end ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status space_map(struct space *s, const struct space_mapping *what)
{
	const struct memobject *m = what->memory;
	uint64_t flags = mapping_flags(s, what);
	struct lease_mapping *record = NULL;
	enum status status;

	if (!space_range_ok(s, what->address, what->pages) || !access_ok(s, what->access) ||
	    what->pages > SPACE_CALL_PAGES || what->page > m->pages ||
	    what->pages > m->pages - what->page)
		return STATUS_INVALID;
	if ((flags & PTE_WRITE) && what->sealed)
		return STATUS_DENIED;
	if (what->lease) {
		status = leased_begin(s, what->lease, what->address, what->pages, &record);
		if (status)
			return status;
		flags |= (uint64_t)record->number << PTE_LEASE_SHIFT;
	}
	status = map_pages(s, what, flags, record);
	if (record)
		leased_done(record);
	return status;
}

static inline enum status fresh_page(struct space *s, uint64_t *entry, uint64_t flags)
{
	uint32_t number;

	if (*entry & PTE_PRESENT)
		return STATUS_OK;
	number = page_take(s->ledger);
	if (number == FRAMES_NONE)
		return STATUS_NO_MEMORY;
	entry_fill(entry, ((uint64_t)number << PAGE_SHIFT) | flags);
	return STATUS_OK;
}

enum status space_fresh(struct space *s, uint64_t address, uint64_t pages,
                        uint32_t access)
{
	uint64_t flags = leaf_flags(s, access);
	enum status status = STATUS_OK;
	struct walk w;
	uint64_t *entry;

	if (!space_range_ok(s, address, pages) || !access_ok(s, access) ||
	    pages > SPACE_CALL_PAGES)
		return STATUS_INVALID;
	if (pages == 1) { /* as page faults have it */
		entry = entry_at(s, address, true);
		return entry ? fresh_page(s, entry, flags) : STATUS_NO_MEMORY;
	}
	w = walk_range(s, address, pages, true);
	for (; !status && (entry = walk_next(&w)); walk_step(&w))
		status = fresh_page(s, entry, flags);
	if (status)
		return status;
	return w.address < w.end ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status space_unmap(struct space *s, uint64_t address, uint64_t pages, uint64_t *next)
{
	struct walk w = walk_some(s, address, pages);
	uint64_t *entry;

	if (!space_range_ok(s, address, pages))
		return STATUS_INVALID;
	/* Frames are let go while another CPU may still reach them: the kernel
	 * lock is held throughout, so nobody takes one before tlb_sync is done. */
	for (; (entry = walk_next(&w)); walk_step(&w)) {
		if (!(*entry & PTE_PRESENT))
			continue;
		entry_clear(s, entry);
		tlb_forget(s, w.address);
	}
	tlb_sync(s);
	*next = walk_rest(&w);
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
	uint64_t keep = PTE_ADDRESS | PTE_COPY | PTE_SHARED | PTE_SEALED | PTE_LEASE |
	                PTE_ACCESSED | PTE_DIRTY;
	uint64_t value = (old & keep) | leaf_flags(s, access);

	if ((old & PTE_COPY) && (access & ACCESS_WRITE))
		value |= PTE_MAY_WRITE;
	if (!(old & PTE_WRITE) && !may_write(frame_of(old)))
		value &= ~PTE_WRITE;
	return value & (PTE_COPY | PTE_SEALED) ? value & ~PTE_WRITE : value;
}

__attribute__((cold))
enum status space_protect(struct space *s, uint64_t address, uint64_t pages,
                          uint32_t access, uint64_t *next)
{
	struct walk w = walk_some(s, address, pages);
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
	*next = walk_rest(&w);
	return STATUS_OK;
}

/* One share: where from, which range, and the records made for what the source
 * shows through leases. */
struct sharing {
	struct space *from;
	uint64_t address, pages;
	struct lease_mapping *records[SPACE_LEASED_MAX + 1]; /* if from->leased */
};

/* The record here for an entry that has one in the source. */
static enum status share_lease(struct space *s, struct sharing *sharing, unsigned number,
                               struct lease_mapping **record)
{
	enum status status = STATUS_OK;

	if (!sharing->records[number])
		status = leased_copy(s, sharing->from->leased[number], sharing->address,
		                     sharing->pages, &sharing->records[number]);
	*record = sharing->records[number];
	return status;
}

/* Shows one page of the source here as well. */
static enum status share_entry(struct space *s, struct sharing *sharing, uint64_t *source,
                               uint64_t address, uint64_t *entry)
{
	uint32_t number = frame_of(*source);
	struct lease_mapping *record = NULL;
	uint64_t value;

	if (leased_number(*source)) {
		enum status status = share_lease(s, sharing, leased_number(*source), &record);

		if (status)
			return status;
	}
	if (frames_at(&kmem_frames, number)->writers == FRAME_WRITERS_MAX)
		return STATUS_NO_SLOT;
	if (!(*source & PTE_SHARED) && !(*source & PTE_COPY)) {
		value = (*source & ~PTE_WRITE) | PTE_COPY;
		entry_flags(source, value | (*source & PTE_WRITE ? PTE_MAY_WRITE : 0));
		tlb_forget(sharing->from, address);
	}
	frames_hold(&kmem_frames, number);
	if (*entry & PTE_PRESENT)
		replace(s, address, entry);
	value = *source & ~PTE_LEASE;
	if (record) {
		value |= (uint64_t)record->number << PTE_LEASE_SHIFT;
		record->entries++;
	}
	entry_fill(entry, value);
	return STATUS_OK;
}

static enum status share_pages(struct space *s, struct sharing *sharing, uint64_t *next)
{
	struct walk source = walk_some(sharing->from, sharing->address, sharing->pages);
	struct walk here = walk_range(s, sharing->address, sharing->pages, true);
	enum status status = STATUS_OK;
	uint64_t *entry;

	if (sharing->from->leased) /* a record is made for what is done at a time */
		source.left = SPACE_CALL_PAGES;
	for (; !status && (entry = walk_next(&source)); walk_step(&source)) {
		if (!(*entry & PTE_PRESENT))
			continue;
		walk_jump(&here, source.address);
		if (!walk_next(&here))
			status = STATUS_NO_MEMORY;
		else
			status = share_entry(s, sharing, entry, source.address, here.entry);
	}
	*next = walk_rest(&source);
	return status;
}

enum status space_share(struct space *s, struct space *from, uint64_t address,
                        uint64_t pages, uint64_t *next)
{
	struct sharing sharing;
	enum status status;

	if (!space_range_ok(s, address, pages) || s == from ||
	    space_is_region(s) || space_is_region(from))
		return STATUS_INVALID;
	sharing.from = from;
	sharing.address = address;
	sharing.pages = pages;
	if (from->leased)
		memset(sharing.records, 0, sizeof(sharing.records));
	status = share_pages(s, &sharing, next);
	tlb_sync(from);
	for (unsigned i = 1; from->leased && i <= SPACE_LEASED_MAX; i++)
		if (sharing.records[i])
			leased_done(sharing.records[i]);
	return status;
}

enum status space_resolve(struct space *s, uint64_t address)
{
	uint64_t *entry, shown;
	uint32_t old, new;

	address = page_down(address);
	if (!space_range_ok(s, address, 1))
		return STATUS_INVALID;
	entry = entry_at(s, address, false);
	if (!entry || !(*entry & PTE_PRESENT))
		return STATUS_NOT_FOUND;
	if (*entry & PTE_WRITE)
		return STATUS_OK;
	if (!(*entry & PTE_COPY) || !(*entry & PTE_MAY_WRITE))
		return STATUS_DENIED;
	if (space_is_region(s) && !(*entry & PTE_NX))
		return STATUS_DENIED; /* a module's page is never writable and executable */
	shown = *entry;
	old = frame_of(shown);
	/* A leased page is copied even if nobody else has it: its owner pays for it. */
	if (frames_at(&kmem_frames, old)->refs == 1 && !leased_number(shown)) {
		frames_at(&kmem_frames, old)->split = false;
		entry_flags(entry, (shown & ~(PTE_COPY | PTE_MAY_WRITE)) | PTE_WRITE);
	} else {
		new = page_take_dirty(s->ledger);
		if (new == FRAMES_NONE)
			return STATUS_NO_MEMORY;
		page_copy(frame_to_virt(new), frame_to_virt(old));
		entry_fill(entry, ((uint64_t)new << PAGE_SHIFT) | PTE_WRITE |
		                          (shown & ~(PTE_ADDRESS | PTE_COPY |
		                                     PTE_MAY_WRITE | PTE_LEASE)));
		entry_release(s, shown);
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

/* The entry of a page that the space's own code can reach, or NULL. */
static uint64_t *reachable(const struct space *s, uint64_t address)
{
	uint64_t *entry;

	if (!space_range_ok(s, page_down(address), 1))
		return NULL;
	entry = entry_at(s, address, false);
	if (!entry || !(*entry & PTE_PRESENT) ||
	    (!space_is_region(s) && !(*entry & PTE_USER)))
		return NULL;
	return entry;
}

void *space_reach(const struct space *s, uint64_t address, bool write)
{
	const uint64_t *entry = reachable(s, address);

	if (!entry || (write && !(*entry & PTE_WRITE)))
		return NULL;
	return (char *)frame_to_virt(frame_of(*entry)) + address % PAGE_SIZE;
}

const uint32_t *space_word(const struct space *s, uint64_t address, bool *shared)
{
	const uint64_t *entry = reachable(s, address);

	if (!entry)
		return NULL;
	*shared = *entry & PTE_SHARED;
	return (const uint32_t *)frame_to_virt(frame_of(*entry)) +
	       address % PAGE_SIZE / sizeof(uint32_t);
}

__attribute__((cold))
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
	uint64_t *top = space_top(s, cpu);

	if (s->module) {
		top[SLOT_MODULE] = virt_to_phys(s->module->region).v | PTE_PRESENT | PTE_WRITE;
		top[SLOT_WINDOW] = window_entry(cpu, true);
		return;
	}
	top[SLOT_PHYSMAP] = kernel_top[SLOT_PHYSMAP];
	top[SLOT_KERNEL] = kernel_top[SLOT_KERNEL];
	top[SLOT_WINDOW] = window_entry(cpu, false);
}

__attribute__((cold))
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
		uint64_t *top = page_alloc(ledger);

		if (!top) {
			object_drop(&s->object);
			return NULL;
		}
		s->top[i] = virt_to_phys(top).v;
		table_reset(top);
		fill_top(s, i);
	}
	return s;
}

/* Drops what a bottom table holds, as far as this entry may. True: it is empty. */
__attribute__((hot, noinline)) static bool free_bottom(struct space *s, uint64_t *table)
{
	struct frame *frame = table_frame(table);
	unsigned i = table_first(table), end = table_end(table);

	if (i >= end)
		return true;
	ending_left -= (int)(end - i);
	if (ending_left < 0) {
		end = (unsigned)((int)end + ending_left + 1) & ~1u; /* whole pairs */
		frame->first = (uint8_t)(end / 2);
	}
	for (; i < end; i++)
		if (table[i] & PTE_PRESENT)
			entry_clear(s, &table[i]);
	return ending_left >= 0;
}

/* The same for all below a level-`level` table. */
static bool free_tables(struct space *s, uint64_t *table, unsigned level)
{
	unsigned end = table_end(table);

	for (unsigned i = table_first(table); i < end; i++) {
		uint64_t entry = table[i];

		if (!(entry & PTE_PRESENT))
			continue;
		if (ending_left <= 0 || !(level == 1 ? free_bottom(s, table_of(entry)) :
		                                       free_tables(s, table_of(entry), level - 1)))
			return false;
		table[i] = 0;
		ending_left--;
		page_drop_clean(frame_of(entry));
	}
	if (level == 1) /* of the others there are few */
		ending_left -= (int)(end - table_first(table)) / TABLE_SKIPS;
	return true;
}

/* What the top-level tables of the other CPUs repeat, and the upper half. */
static void free_tops(struct space *s)
{
	for (unsigned cpu = 0; cpu < MAX_CPUS && s->top[cpu]; cpu++) {
		uint64_t *top = space_top(s, cpu), *first = space_top(s, 0);
		unsigned end = table_end(first);

		for (unsigned i = cpu ? table_first(first) : end; i < end; i++)
			top[i] = 0;
		top[SLOT_PHYSMAP] = top[SLOT_MODULE] = 0;
		top[SLOT_WINDOW] = top[SLOT_KERNEL] = 0;
	}
	for (unsigned cpu = 0; cpu < MAX_CPUS && s->top[cpu]; cpu++)
		page_drop_clean(frame_of(s->top[cpu]));
}

__attribute__((cold))
static bool end(struct object *o)
{
	struct space *s = (struct space *)o;

	if (s->region) {
		if (!free_tables(s, s->region, 2))
			return false;
		page_drop_clean(virt_to_frame(s->region));
	} else if (s->top[0]) {
		if (!free_tables(s, space_top(s, 0), 3))
			return false;
		free_tops(s);
	}
	if (s->module)
		object_drop(&s->module->object);
	space_unreserve_all(s);
	if (s->leased)
		block_free(s->leased, SPACE_LEASED_BYTES, s->ledger);
	block_free(s, sizeof(*s), s->ledger);
	return true;
}

/* From here on no CPU can have its tables loaded. */
__attribute__((cold))
void space_destroy(struct object *o)
{
	tlb_leave((struct space *)o);
	ending_add(o, end);
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
