/* frames.h: which physical frames are free, and who pays for the others.
 *
 * A frame is named by its number (physical address / 4096). Every holder of a
 * frame (a page-table entry, a slot of a memory object) owns one reference; a
 * frame whose last reference goes is free again, and the ledger that it was
 * charged to is named so that the caller can credit it.
 *
 * The table has one 8-byte entry a frame. Frames that were never used are
 * counted by region marks, not by entries: setting up costs nothing per frame.
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"

enum { FRAMES_REGIONS = 32, FRAMES_NONE = 0, FRAME_WRITERS_MAX = 0x7fff };

struct frame {
	uint32_t refs; /* 0: free, or never used */
	union {
		uint32_t next_free; /* refs == 0 */
		struct {
			uint16_t ledger; /* who is charged */
			union {
				struct {
					uint16_t writers : 15; /* writable mappings */
					uint16_t split : 1;    /* objects share it: no new ones */
				};
				struct { /* of a page table: entries in use, in pairs */
					uint8_t first, last;
				};
			};
		};
	};
};
_Static_assert(sizeof(struct frame) == 8, "eight bytes a frame");

struct frames_region {
	uint32_t start, fresh, end; /* frames [fresh, end) were never used */
};

struct frames {
	struct frame *table; /* indexed by frame number */
	uint32_t limit;      /* frame numbers are below this */
	uint32_t free_head;  /* FRAMES_NONE: empty */
	uint32_t clean_head; /* free ones that are known to be all zeroes */
	uint32_t free_count; /* never-used ones included */
	uint32_t total;      /* all that the regions brought */
	unsigned region_count;
	unsigned region_fresh; /* regions from here on are used up */
	struct frames_region adopted; /* what frames_adopt brought */
	struct frames_region regions[FRAMES_REGIONS];
};

/* `table` has `limit` entries; they need not be initialised. */
void frames_init(struct frames *f, struct frame *table, uint32_t limit);

/* Gives the frames [start, end) to the pool. start > 0. */
enum status frames_add(struct frames *f, uint32_t start, uint32_t end) MUST_CHECK;

/* Takes a free frame with one reference, charged to `ledger`; its content is
 * whatever it was. FRAMES_NONE: there is none. */
uint32_t frames_take(struct frames *f, uint16_t ledger);

/* Takes one that is all zeroes. FRAMES_NONE: none is known to be. */
uint32_t frames_take_clean(struct frames *f, uint16_t ledger);

/* Makes a frame that is not the pool's (the boot bundle's) look like a taken
 * one. When its last reference goes it joins the pool, as one more frame. All
 * that are adopted follow each other. */
void frames_adopt(struct frames *f, uint32_t number, uint16_t ledger);

static inline struct frame *frames_at(struct frames *f, uint32_t number)
{
	return &f->table[number];
}

static inline void frames_hold(struct frames *f, uint32_t number)
{
	f->table[number].refs++;
}

/* Drops one reference. True: it was the last, the frame is free, and *ledger is
 * to be credited with one page. */
bool frames_drop(struct frames *f, uint32_t number, uint16_t *ledger);

/* The same, by the only holder, who has left nothing but zeroes in it. */
void frames_drop_clean(struct frames *f, uint32_t number, uint16_t *ledger);

/* Calls `each` for every frame that is taken. */
void frames_walk(const struct frames *f,
                 void (*each)(const struct frame *frame, void *context), void *context);

/* Walks everything; NULL, or what is wrong. */
const char *frames_check(const struct frames *f);
