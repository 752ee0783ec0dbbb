/* pages.c: a buddy allocator over memory objects.
 *
 * The pool's range is cut into windows of 4 MiB. A chunk is one memory object
 * that stands at the start of a window and covers one or more; the largest
 * block is a window, and larger requests get a chunk of their own. The table
 * of struct page covers the whole range and is filled in as windows are used.
 *
 * Invariants: a free block is aligned to its size inside its window, its first
 * page is PAGE_FREE and on the list of its order, the others PAGE_INSIDE; no
 * two free buddies stand side by side unmerged. */
#include "os/linux/pages.h"

#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/layout.h"
#include "lib/posix/env.h"
#include "rt/module_string.h"

enum {
	WINDOW_PAGES = 1 << PAGES_ORDER_MAX,
	WINDOWS = (LAYOUT_POOL_END - LAYOUT_POOL) / PAGE_SIZE / WINDOW_PAGES,
	WINDOW_TABLE_PAGES = WINDOW_PAGES * sizeof(struct page) / PAGE_SIZE,
	CHUNK_LEAST = 64, /* pages; below this there is no memory */
	SPARE_KEPT = WINDOW_PAGES / 4, /* beside a chunk that is given back */
};

/* Of each window: its object, and where in the object it begins. Of a chunk's
 * first window also the chunk's size and how much of it is free. */
struct window {
	uint32_t object;
	uint32_t first;
	uint32_t chunk_pages;
	uint32_t chunk_free;
};

static struct window windows[WINDOWS];
static struct page *free_blocks[PAGES_ORDER_MAX + 1];
static uint32_t window_hint; /* no window below it is free */
static uint64_t spare;

static struct page *const table = (struct page *)LAYOUT_PAGES;

struct page *pages_at(const void *address)
{
	assert((uintptr_t)address >= LAYOUT_POOL && (uintptr_t)address < LAYOUT_POOL_END);
	return &table[((uintptr_t)address - LAYOUT_POOL) >> PAGE_SHIFT];
}

void *pages_address(const struct page *page)
{
	return (void *)(LAYOUT_POOL + ((uint64_t)(page - table) << PAGE_SHIFT));
}

static struct window *window_of(const struct page *page)
{
	return &windows[(size_t)(page - table) / WINDOW_PAGES];
}

static struct window *chunk_of(const struct page *page)
{
	struct window *w = window_of(page);
	return w - w->first / WINDOW_PAGES;
}

/* The page's number in its chunk. */
static uint32_t number_of(const struct page *page)
{
	return window_of(page)->first + (uint32_t)((size_t)(page - table) % WINDOW_PAGES);
}

uint64_t pages_object(const void *address, uint32_t *object, uint64_t *number)
{
	const struct page *page = pages_at(address);

	assert(page->state == PAGE_USED);
	*object = window_of(page)->object;
	*number = number_of(page);
	return chunk_of(page)->chunk_pages - *number;
}

uint64_t pages_spare(void)
{
	return spare;
}

static void list_add(struct page *page, unsigned order)
{
	page->state = PAGE_FREE;
	page->order = (uint8_t)order;
	page->prev = NULL;
	page->next = free_blocks[order];
	if (page->next != NULL)
		page->next->prev = page;
	free_blocks[order] = page;
}

static void list_remove(struct page *page)
{
	if (page->prev != NULL)
		page->prev->next = page->next;
	else
		free_blocks[page->order] = page->next;
	if (page->next != NULL)
		page->next->prev = page->prev;
	page->state = PAGE_INSIDE;
}

/* Puts a block on its list, merged with its buddy as often as that is free. */
static void block_free(struct page *page, unsigned order, bool clean)
{
	size_t index = (size_t)(page - table);

	while (order < PAGES_ORDER_MAX) {
		struct page *buddy = &table[index ^ ((size_t)1 << order)];
		if (buddy->state != PAGE_FREE || buddy->order != order)
			break;
		list_remove(buddy);
		clean = clean && buddy->clean;
		index &= ~((size_t)1 << order);
		order++;
	}
	table[index].clean = clean;
	list_add(&table[index], order);
}

/* Frees any run of pages of one chunk as the fewest aligned blocks. */
static void run_free(struct page *page, size_t count, bool clean)
{
	struct window *chunk = chunk_of(page);

	chunk->chunk_free += (uint32_t)count;
	assert(chunk->chunk_free <= chunk->chunk_pages);
	spare += count;
	while (count > 0) {
		size_t index = (size_t)(page - table);
		unsigned order = index == 0 ? PAGES_ORDER_MAX : (unsigned)__builtin_ctzll(index);
		if (order > PAGES_ORDER_MAX)
			order = PAGES_ORDER_MAX;
		while (((size_t)1 << order) > count)
			order--;
		page->state = PAGE_INSIDE;
		block_free(page, order, clean);
		page += (size_t)1 << order;
		count -= (size_t)1 << order;
	}
}

/* The first of `count` windows side by side that are not in use. */
static struct window *windows_find(size_t count)
{
	size_t run = 0;

	while (window_hint < WINDOWS && windows[window_hint].object != 0)
		window_hint++;
	for (size_t i = window_hint; i < WINDOWS; i++) {
		run = windows[i].object == 0 ? run + 1 : 0;
		if (run == count)
			return &windows[i + 1 - count];
	}
	return NULL;
}

/* Shows an object of `pages` pages in the windows from `w` on. */
static bool chunk_show(struct window *w, size_t pages)
{
	size_t count = (pages + WINDOW_PAGES - 1) / WINDOW_PAGES;
	size_t at = (size_t)(w - windows);
	uint32_t object;

	if (exo_allocate(pages, &object) != STATUS_OK)
		return false;
	if (exo_fresh(exo.module, LAYOUT_PAGES + at * WINDOW_TABLE_PAGES * PAGE_SIZE,
	              count * WINDOW_TABLE_PAGES, EXO_READ | EXO_WRITE) != STATUS_OK ||
	    exo_map(exo.module, object, 0, LAYOUT_POOL + at * WINDOW_PAGES * PAGE_SIZE, pages,
	            EXO_READ | EXO_WRITE) != STATUS_OK) {
		exo_queue_release(object);
		(void)exo_flush();
		return false;
	}
	for (size_t i = 0; i < count; i++)
		w[i] = (struct window){ .object = object, .first = (uint32_t)(i * WINDOW_PAGES) };
	w->chunk_pages = (uint32_t)pages;
	return true;
}

/* Takes at least `least` pages more from the pool, as one free run that begins
 * at the result. */
static struct page *chunk_add(size_t least)
{
	size_t pages = least > WINDOW_PAGES ? least : WINDOW_PAGES;
	struct window *w = windows_find((pages + WINDOW_PAGES - 1) / WINDOW_PAGES);
	struct page *first;

	if (w == NULL)
		return NULL;
	while (!chunk_show(w, pages)) {
		pages /= 2;
		if (pages < least || pages < CHUNK_LEAST)
			return NULL;
	}
	first = &table[(size_t)(w - windows) * WINDOW_PAGES];
	for (size_t i = 0; i < pages; i++)
		first[i].state = PAGE_INSIDE;
	run_free(first, pages, true);
	return first;
}

/* Gives a chunk that is wholly free back to the pool. */
static void chunk_drop(struct window *w)
{
	struct page *page = &table[(size_t)(w - windows) * WINDOW_PAGES];
	size_t at = (size_t)(w - windows), pages = w->chunk_pages;
	size_t count = (pages + WINDOW_PAGES - 1) / WINDOW_PAGES;
	uint32_t object = w->object;

	for (size_t i = 0; i < pages; i++)
		if (page[i].state == PAGE_FREE)
			list_remove(&page[i]);
	spare -= pages;
	for (size_t i = 0; i < count; i++)
		w[i] = (struct window){ 0 };
	if (exo_unmap(exo.module, (uintptr_t)pages_address(page), pages) != STATUS_OK ||
	    exo_unmap(exo.module, LAYOUT_PAGES + at * WINDOW_TABLE_PAGES * PAGE_SIZE,
	              count * WINDOW_TABLE_PAGES) != STATUS_OK)
		fatal("a chunk could not be unmapped", (uintptr_t)pages_address(page));
	exo_queue_release(object);
	(void)exo_flush();
	if (at < window_hint)
		window_hint = (uint32_t)at; /* low windows have their page tables already */
}

static struct page *block_take(unsigned order)
{
	unsigned have = order;
	struct page *page;

	while (have <= PAGES_ORDER_MAX && free_blocks[have] == NULL)
		have++;
	if (have > PAGES_ORDER_MAX)
		return NULL;
	page = free_blocks[have];
	list_remove(page);
	while (have > order) {
		struct page *half;
		have--;
		half = page + ((size_t)1 << have);
		half->clean = page->clean;
		list_add(half, have);
	}
	return page;
}

/* A run larger than any block: all of a chunk made for it. */
static struct page *run_take(size_t count)
{
	struct page *page = chunk_add(count);

	if (page == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (page[i].state == PAGE_FREE)
			list_remove(&page[i]);
	return page;
}

static unsigned order_for(size_t count)
{
	return count <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(count - 1);
}

void *pages_allocate(size_t count, bool zeroed)
{
	unsigned order = order_for(count);
	struct page *page;
	size_t taken = count;
	bool clean;

	if (count == 0 || count > (size_t)WINDOWS * WINDOW_PAGES)
		return NULL;
	if (order > PAGES_ORDER_MAX) {
		page = run_take(count);
	} else {
		page = block_take(order);
		if (page == NULL && chunk_add((size_t)1 << order) != NULL)
			page = block_take(order);
		taken = (size_t)1 << order;
	}
	if (page == NULL)
		return NULL;
	clean = order > PAGES_ORDER_MAX || page->clean;
	chunk_of(page)->chunk_free -= (uint32_t)taken;
	spare -= taken;
	for (size_t i = 0; i < count; i++)
		page[i].state = PAGE_USED;
	if (taken > count)
		run_free(page + count, taken - count, clean);
	if (zeroed && !clean)
		memset(pages_address(page), 0, count * PAGE_SIZE);
	return pages_address(page);
}

void pages_free(void *first, size_t count)
{
	struct page *page = pages_at(first);

	while (count > 0) { /* one chunk at a time: they may stand side by side */
		struct window *chunk = chunk_of(page);
		size_t part = chunk->chunk_pages - number_of(page);
		part = part < count ? part : count;
		run_free(page, part, false);
		if (chunk->chunk_free == chunk->chunk_pages && spare > chunk->chunk_pages + SPARE_KEPT)
			chunk_drop(chunk);
		page += part;
		count -= part;
	}
}

void *env_pages(size_t count)
{
	return pages_allocate(count, true);
}

void env_pages_free(void *first, size_t count)
{
	if (first != NULL)
		pages_free(first, count);
}
