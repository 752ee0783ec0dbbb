/* kmem.h: the exokernel's memory: frames for everybody, small blocks for its
 * own objects. All of it is charged to some ledger: whole frames to whoever they
 * are for, blocks by the pages that they stand in, which hold no other ledger's.
 * Under the kernel lock. */
#pragma once

#include "core/frames.h"
#include "core/ledger.h"
#include "kernel/types.h"

enum { KMEM_BLOCK_MAX = 1024 };

extern struct frames kmem_frames;
extern struct ledger *const kmem_root;   /* all memory */
extern struct ledger *const kmem_kernel; /* what the exokernel keeps for itself */

/* Takes over boot_info's regions. */
void kmem_init(void);

static inline void *frame_to_virt(uint32_t number)
{
	return phys_to_virt(paddr((uint64_t)number << PAGE_SHIFT));
}

static inline uint32_t virt_to_frame(const void *p)
{
	return (uint32_t)(virt_to_phys(p).v >> PAGE_SHIFT);
}

/* A zeroed frame, charged to `ledger`. FRAMES_NONE: it cannot pay. */
uint32_t page_take(struct ledger *ledger);
/* The same with undefined content. */
uint32_t page_take_dirty(struct ledger *ledger);
/* Charges for `pages` frames that are to be taken later. */
enum status page_reserve(struct ledger *ledger, uint64_t pages) MUST_CHECK;
/* Credits for those that will not be. */
void page_unreserve(struct ledger *ledger, uint64_t pages);
/* A dirty frame, paid for by page_reserve. Does not fail. */
uint32_t page_take_reserved(struct ledger *ledger);
/* A frame that the pool never had: new to all ledgers, and spent by this one. */
void page_adopt(uint32_t number, struct ledger *ledger);
/* Drops one reference; the last one credits the ledger. */
void page_drop(uint32_t number);
/* The same for the only reference, to a page that is all zeroes again. */
void page_drop_clean(uint32_t number);

/* A page for the exokernel's own use, by address. NULL: cannot pay. */
void *page_alloc(struct ledger *ledger);
void page_free(void *page);
/* For account.c: the ledger is credited, but not settled. */
void page_drop_unsettled(void *page);

void page_copy(void *to, const void *from);
void page_zero(void *page);

/* A zeroed block of at most KMEM_BLOCK_MAX bytes, 64-byte aligned. */
void *block_alloc(struct ledger *ledger, size_t size);
void block_free(void *block, size_t size, struct ledger *ledger);

/* A ledger with `limit` bytes of its parent's, which pays for the ledger too.
 * NULL: the parent has not that much, or stands too deep below the root. */
struct ledger *ledger_create(struct ledger *parent, uint64_t limit);
/* The largest limit that a child is sure to get. */
uint64_t ledger_room(const struct ledger *parent);
/* No new charges: what it had left goes back to its parent. The ledger ends when
 * its last charge has been credited. */
void ledger_close(struct ledger *ledger);
/* The same for it and all below, but each stays until who has it closes it, too. */
void ledger_shut(struct ledger *ledger);
bool ledger_is_closed(const struct ledger *ledger);
/* True: it is `top`, or was made out of it. */
bool ledger_is_below(const struct ledger *ledger, const struct ledger *top);
/* What block and page functions use: credits, and ends a closed ledger. */
void ledger_return(struct ledger *ledger, uint64_t bytes);
