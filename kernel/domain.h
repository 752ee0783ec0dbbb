/* domain.h: whatever holds capabilities: a native process or a libOS. */
#pragma once

#include "abi/capset.h"
#include "core/captable.h"
#include "kernel/kmem.h"

/* What a program under a module may use by its own ring. */
enum { PROGRAM_DOMAIN_BYTES = 64 * 1024 };

struct domain {
	struct object object; /* no capability names it: for its references, and its end */
	struct ledger *ledger; /* its own; closed when the domain ends */
	struct captable table;
	uint32_t flag; /* of the table: lock.h */
	uint32_t drained; /* it ends: slots below are empty */
	struct capset *capset; /* one page, shown read-only to the domain's code */
};

/* NULL: the parent's ledger cannot give `limit` bytes. */
struct domain *domain_create(struct ledger *parent, uint64_t limit);
void domain_hold(struct domain *d);
/* The last reference empties the table. */
void domain_drop(struct domain *d);

/* Makes sure that `count` inserts will succeed. */
enum status domain_grow(struct domain *d, unsigned count) MUST_CHECK;
static inline enum status MUST_CHECK domain_reserve(struct domain *d, unsigned count)
{
	unsigned slots = (unsigned)d->table.page_count * CAPTABLE_PAGE_SLOTS;

	return slots - d->table.used >= count ? STATUS_OK : domain_grow(d, count);
}

/* Takes over the caller's reference on `o`, also when it fails. */
enum status domain_insert(struct domain *d, struct object *o, uint32_t *id) MUST_CHECK;

/* The same, and lists it in the CapSet under `name` (EXISTS if that is taken). */
enum status domain_grant(struct domain *d, const char *name, size_t length,
                         struct object *o) MUST_CHECK;
