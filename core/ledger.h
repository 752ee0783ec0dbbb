/* ledger.h: accounts for memory.
 *
 * Everything that the exokernel allocates is charged, in bytes, to the ledger
 * of the domain that it is for. A ledger's limit came out of its parent's: the
 * parent is charged with the whole limit when the child is made and credited
 * when the child ends, so no ledger can promise what it does not have.
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"

struct ledger {
	uint64_t limit; /* bytes */
	uint64_t used;  /* bytes, <= limit; limits of children included */
	uint64_t peak;
	struct ledger *parent; /* NULL: the root */
	uint16_t id;           /* its index among all ledgers */
	uint32_t refs;         /* what is charged to it keeps it */
};

/* The root: everything there is. */
void ledger_init_root(struct ledger *l, uint64_t limit);

/* A child with `limit` bytes of `parent`'s. NO_MEMORY: it has not that much. */
enum status ledger_init_child(struct ledger *l, struct ledger *parent,
                              uint64_t limit) MUST_CHECK;

/* Gives the limit back to the parent. Nothing may be charged any more. */
void ledger_end(struct ledger *l);

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

static inline uint64_t ledger_left(const struct ledger *l)
{
	return l->limit - l->used;
}
