/* pages.h: the module's pages.
 *
 * Pages come from memory objects taken from the pool and shown in the module
 * region, so that each page is known both by its address and by (object, page
 * number), which is what an address space maps. A buddy allocator shares out
 * the pages of each object in runs; an object whose pages are all free goes
 * back to the pool.
 *
 * lib/'s env_pages() and env_pages_free() are implemented here. */
#pragma once

#include "abi/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_SIZE = 4096, PAGE_SHIFT = 12, PAGES_ORDER_MAX = 10 };

enum page_state {
	PAGE_ABSENT,  /* no object shows a page here */
	PAGE_FREE,    /* first page of a free block of 2^order */
	PAGE_INSIDE,  /* in a free block, not its first */
	PAGE_USED,
	PAGE_SLAB,    /* used by kmalloc.c, small pieces */
	PAGE_LARGE,   /* used by kmalloc.c, first page of `count` */
};

struct page {
	struct page *next, *prev; /* free list of its order, or slabs of its class */
	void *free;               /* slab: its first free piece */
	uint8_t state;
	uint8_t order;            /* free block */
	uint8_t class;            /* slab */
	bool clean;               /* free block: known to be zero */
	uint32_t count;           /* slab: pieces in use; large: pages */
};
_Static_assert(sizeof(struct page) == 32, "one page of them for 128");

/* `count` contiguous pages, zeroed or not. NULL: no memory. What is freed need
 * not be what was allocated: any pages side by side will do. */
void *pages_allocate(size_t count, bool zeroed);
void pages_free(void *first, size_t count);

struct page *pages_at(const void *address);
void *pages_address(const struct page *page);

/* What an address space maps to show the page at `address`. The result is how
 * many pages from there on have following numbers in the same object. */
uint64_t pages_object(const void *address, uint32_t *object, uint64_t *number);

/* Pages that are free here already. */
uint64_t pages_spare(void);
