/* pagemap.h: the pages of one file, by index; holes are absent pages.
 *
 * First one contiguous run from index 0 (`run_pages` of them), then a radix
 * tree for whatever lies beyond. Pages come from env_pages, zeroed, and never
 * move. A zeroed struct is an empty map. */
#pragma once

#include "lib/posix/env.h"

enum { PAGEMAP_BITS = 6, PAGEMAP_FANOUT = 1 << PAGEMAP_BITS };

struct pagemap_node {
	void *slot[PAGEMAP_FANOUT]; /* nodes, or in the lowest level pages */
};

struct pagemap {
	uint8_t *run;
	uint64_t run_pages;
	struct pagemap_node *root;
	uint32_t height;            /* levels of nodes; 0: no tree */
	uint64_t count;             /* pages present */
};

/* The page at `index`, or NULL. */
void *pagemap_get(const struct pagemap *map, uint64_t index);

/* How many pages from `index` on, up to `most`, stand one after the other in
 * memory; 0 if there is none at `index`. */
size_t pagemap_span(const struct pagemap *map, uint64_t index, size_t most);

/* How many from `index` on, up to `most`, are absent. */
size_t pagemap_hole(const struct pagemap *map, uint64_t index, size_t most);

/* Makes all of [index, index + count) present. -ENOMEM: some may be. */
int pagemap_fill(struct pagemap *map, uint64_t index, size_t count);

/* Makes the empty map one run of `count` pages. -ENOMEM. */
int pagemap_reserve(struct pagemap *map, size_t count);

/* Frees every page at `index` and beyond. */
void pagemap_cut(struct pagemap *map, uint64_t index);

/* Zeroes them instead. */
void pagemap_clear(struct pagemap *map, uint64_t index);

/* The whole-structure checker: traps at the first broken invariant. */
void pagemap_check(const struct pagemap *map);
