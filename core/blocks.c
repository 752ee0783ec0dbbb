/* blocks.c: see blocks.h. */
#include "core/blocks.h"

enum { PAGE = BLOCKS_UNIT * BLOCKS_UNITS };

static struct blocks_page *page_of(const void *block)
{
	return (struct blocks_page *)((uintptr_t)block & ~(uintptr_t)(PAGE - 1));
}

static uint64_t run_of(const void *block, unsigned units)
{
	unsigned first = (unsigned)((uintptr_t)block % PAGE / BLOCKS_UNIT);

	return ((UINT64_C(1) << units) - 1) << first;
}

static bool is_full(const struct blocks_page *page)
{
	return ~page->used == 0;
}

static void link(struct blocks *b, struct blocks_page *page)
{
	page->next = page->prev = page;
	if (b->head) {
		page->next = b->head;
		page->prev = b->head->prev;
		page->next->prev = page->prev->next = page;
	}
	b->head = page;
}

static void unlink(struct blocks *b, struct blocks_page *page)
{
	if (b->head == page)
		b->head = page->next == page ? NULL : page->next;
	page->next->prev = page->prev;
	page->prev->next = page->next;
	page->next = page->prev = NULL;
}

/* The bits at which `units` free ones in a row begin: doubling the length that
 * is known to be free, the last step by what is missing. */
static uint64_t find_runs(uint64_t free, unsigned units)
{
	for (unsigned known = 1; known < units;) {
		unsigned step = known < units - known ? known : units - known;

		free &= free >> step;
		known += step;
	}
	return free;
}

void *blocks_take(struct blocks *b, unsigned units)
{
	for (unsigned i = 0; i < BLOCKS_TRIES && b->head; i++) {
		struct blocks_page *page = b->head;
		uint64_t runs = find_runs(~page->used, units);
		char *block;

		if (runs == 0) {
			b->head = page->next;
			continue;
		}
		block = (char *)page + BLOCKS_UNIT * __builtin_ctzll(runs);
		page->used |= run_of(block, units);
		if (is_full(page))
			unlink(b, page);
		return block;
	}
	return NULL;
}

void blocks_add(struct blocks *b, void *memory)
{
	struct blocks_page *page = memory;

	*page = (struct blocks_page){.used = 1, .owner = b};
	link(b, page);
}

bool blocks_has(const struct blocks *b, const void *block, unsigned units)
{
	uint64_t run = run_of(block, units);

	return page_of(block)->owner == b && (page_of(block)->used & run) == run;
}

void *blocks_put(struct blocks *b, void *block, unsigned units)
{
	struct blocks_page *page = page_of(block);

	if (is_full(page))
		link(b, page);
	page->used &= ~run_of(block, units);
	if (page->used != 1)
		return NULL;
	unlink(b, page);
	page->owner = NULL;
	return page;
}

const char *blocks_check(const struct blocks *b)
{
	const struct blocks_page *page = b->head;

	if (!page)
		return NULL;
	do {
		if (page->owner != b)
			return "a page of blocks is in a circle not its owner's";
		if (!(page->used & 1) || page->used == 1 || is_full(page))
			return "a page of blocks is in its circle though empty or full";
		if (page->next->prev != page || page->prev->next != page)
			return "a circle of pages of blocks is broken";
		page = page->next;
	} while (page != b->head);
	return NULL;
}
