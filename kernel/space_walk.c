/* space_walk.c: see space_walk.h. */
#include "kernel/space_walk.h"

#include "kernel/ending.h"

static unsigned index_at(uint64_t address, unsigned level)
{
	return (address >> (PAGE_SHIFT + 9 * level)) % TABLE_ENTRIES;
}

/* Bytes that one entry of a level-`level` table spans. */
static uint64_t span(unsigned level)
{
	return (uint64_t)PAGE_SIZE << (9 * level);
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
				space_top(s, i)[index_at(address, 3)] = value;
	return table_of(value);
}

static uint64_t *top_table(const struct space *s)
{
	return space_is_region(s) ? s->region : space_top(s, 0);
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

uint64_t *entry_at(const struct space *cs, uint64_t address, bool create)
{
	struct space *s = (struct space *)(uintptr_t)cs;
	uint64_t *table = top_table(s);

	if (!space_is_region(s))
		table = next_table(s, table, address, 3, create);
	table = next_table(s, table, address, 2, create);
	table = next_table(s, table, address, 1, create);
	return table ? &table[index_at(address, 0)] : NULL;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* So many entries of a bottom table, and what was passed over. */
static inline void pay(struct walk *w, uint64_t entries, unsigned skipped)
{
	entries += skipped / TABLE_SKIPS;
	w->left -= least(entries, w->left);
	ending_left -= (int)entries;
}

bool walk_find(struct walk *w)
{
	unsigned top = top_level(w->space), level = top, skipped = 0;
	uint64_t *table = top_table(w->space);

	if (w->left == 0)
		return false;
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
			skipped++;
			w->address = base + index * span(level);
		}
		if (index >= end) { /* nothing more here: on, from the top */
			if (level == top)
				break;
			w->address = base + span(level + 1);
			level = top;
			table = top_table(w->space);
			skipped += 2 * TABLE_SKIPS;
			if (skipped / TABLE_SKIPS < w->left)
				continue;
			pay(w, 0, skipped);
			return false;
		} else if (level == 0) {
			w->entry = &table[index];
			w->limit = least(w->end, base + end * span(0));
			if (w->address >= w->end)
				break;
			pay(w, (w->limit - w->address) >> PAGE_SHIFT, skipped);
			return true;
		} else {
			table = table_of(table[index]);
			level--;
		}
	}
	w->address = w->end;
	return false;
}

bool walk_make(struct walk *w)
{
	w->entry = entry_at(w->space, w->address, true);
	if (!w->entry)
		return false;
	w->limit = least(w->end, (w->address | (span(1) - 1)) + 1);
	ending_left -= (int)((w->limit - w->address) >> PAGE_SHIFT);
	return true;
}
