/* blocks.h: small blocks within pages that one owner has paid for.
 *
 * A page is 64 units of 64 bytes. The first is its header, with a bit for each
 * unit in use; a block is a run of the others. Sizes mix in a page, so an owner
 * of few blocks needs one page; a page without blocks is handed back at once.
 *
 * Pages that have room stand in a circle. A search looks at the first few only,
 * and those that did not do move to the end: its time does not depend on how
 * many pages there are. What is lost to that is the owner's own.
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BLOCKS_UNIT = 64,
	BLOCKS_UNITS = 64,                 /* in a page */
	BLOCKS_LONGEST = BLOCKS_UNITS - 1, /* units of a block */
	BLOCKS_TRIES = 4,
};

/* The first unit of a page. */
struct blocks_page {
	uint64_t used;                   /* bit n: unit n; bit 0 is the header's */
	struct blocks_page *next, *prev; /* in the circle; NULL: full, not in it */
	const struct blocks *owner;
	uint64_t unused[4];
};
_Static_assert(sizeof(struct blocks_page) == BLOCKS_UNIT, "a header is one unit");

struct blocks {
	struct blocks_page *head; /* NULL: no page has room */
};

/* A run of `units` (1 to BLOCKS_LONGEST), not cleared. NULL: add a page. */
void *blocks_take(struct blocks *b, unsigned units);

/* Brings a page, aligned to its size; a take of any length succeeds next. */
void blocks_add(struct blocks *b, void *page);

/* Whether that run is in use, in a page of `b`. */
bool blocks_has(const struct blocks *b, const void *block, unsigned units);

/* Frees a run. Returns its page if nothing else is in it: it is out of `b`. */
void *blocks_put(struct blocks *b, void *block, unsigned units);

/* Walks the pages with room; NULL, or what is wrong. */
const char *blocks_check(const struct blocks *b);
