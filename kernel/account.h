/* account.h: all ledgers: what the exokernel keeps beside each, and how they are
 * found by number (a frame remembers its ledger in 16 bits).
 *
 * For every ledger, at any time:
 *     used = frames charged to it + reserved + for each child: limit + price
 * and the root's limit is all memory that the pool ever had: so what ledgers may
 * still use is there. account_check walks everything and says if that holds.
 *
 * A ledger's record is a block of its parent's, so a parent outlives its
 * children. Numbers cannot run out before memory does: each ledger costs its
 * parent a price, an equal share of all memory (account_price). */
#pragma once

#include "core/blocks.h"
#include "kernel/kmem.h"

enum { ACCOUNT_NUMBERS = 65536, ACCOUNT_SHARES = 61440, ACCOUNT_DEPTH_MAX = 32 };

struct account {
	struct ledger ledger;   /* must be first */
	struct blocks blocks;   /* in pages charged to it */
	uint64_t reserved;      /* bytes: charged, frames still to be taken */
	uint64_t seen;          /* account_check's */
	bool closed;            /* no new charges */
	bool left;              /* by whoever had it: it ends with its last charge */
	uint32_t ending;        /* what ends and is charged to it or below (ending.h) */
};
_Static_assert(sizeof(struct account) <= 2 * BLOCKS_UNIT, "small: it is paid for");

static inline struct account *account_of(const struct ledger *l)
{
	return (struct account *)(uintptr_t)l;
}

/* `memory`: bytes, all there are; `kernel`: those of kmem_kernel. */
void accounts_init(uint64_t memory, uint64_t kernel);

/* NULL: there is no ledger of that number. */
struct account *account_at(uint16_t number);

/* Bytes, what a child costs its parent beside its limit, until it ends. */
uint64_t account_price(void);

/* How many there are. */
unsigned account_count(void);

/* Walks all ledgers, all frames, all blocks; NULL, or what is wrong. */
const char *account_check(void);
