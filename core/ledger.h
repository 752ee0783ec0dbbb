/* ledger.h: accounts for memory.
 *
 * Everything that the exokernel allocates is charged, in bytes, to the ledger
 * of the domain that it is for. A ledger's limit came out of its parent's: the
 * parent is charged with the whole limit when the child is made and credited
 * when the child ends, so no ledger can promise what it does not have.
 *
 * What must always hold, in the whole tree: `used` is at most `limit`, and it is
 * what was charged to the ledger itself plus its children's limits. A donation
 * keeps both: it climbs to the common ancestor and comes down on the other side.
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"

struct ledger {
	uint64_t limit; /* bytes */
	uint64_t used;  /* bytes, <= limit; limits of children included */
	uint64_t peak;
	struct ledger *parent; /* NULL: the root */
	uint16_t id;           /* its index among all ledgers */
	uint16_t depth;        /* the root's is 0 */
	uint32_t refs;         /* what is charged to it keeps it */
};

/* The root: everything there is. */
void ledger_init_root(struct ledger *l, uint64_t limit);

/* A child with `limit` bytes of `parent`'s. NO_MEMORY: it has not that much.
 * INVALID: the tree is as deep as it may be. */
enum status ledger_init_child(struct ledger *l, struct ledger *parent,
                              uint64_t limit) MUST_CHECK;

/* Gives the limit back to the parent. Nothing may be charged any more. */
void ledger_end(struct ledger *l);

static inline uint64_t ledger_left(const struct ledger *l)
{
	return l->limit - l->used;
}

static inline enum status MUST_CHECK ledger_charge(struct ledger *l, uint64_t bytes)
{
	if (bytes > l->limit - l->used)
		return STATUS_NO_MEMORY;
	l->used += bytes;
	if (l->used > l->peak)
		l->peak = l->used;
	return STATUS_OK;
}

static inline void ledger_credit(struct ledger *l, uint64_t bytes)
{
	l->used -= bytes;
}

/* Moves `bytes` of what `from` has left to `to`, anywhere in the same tree, or
 * nothing. NO_MEMORY: it has not that much. INVALID: they are of two trees. */
enum status ledger_donate(struct ledger *from, struct ledger *to, uint64_t bytes) MUST_CHECK;

/* Takes `bytes` that `child` has left back into its parent. NO_MEMORY: it has not
 * that much. INVALID: it has no parent. */
enum status ledger_reclaim(struct ledger *child, uint64_t bytes) MUST_CHECK;

/* Walks all of `count` ledgers, of which `own[i]` bytes are charged to the i-th
 * itself; NULL, or what is wrong. For tests. */
const char *ledger_check(const struct ledger *const *all, const uint64_t *own, size_t count);
