/* space_lease.h: what an address space shows through leases, and taking it away.
 *
 * Each map of leased memory has a record, which every revoker that can end it
 * knows. The page-table entries that the map made carry the record's number in
 * their space, so revoking finds just these, whatever was mapped over them or
 * copied since; and the record goes with the last of them. AddressSpace.share
 * makes a record in the other space, for the same revokers. Records are charged
 * to the ledger of the space. */
#pragma once

#include "kernel/revoker.h"
#include "kernel/space.h"

struct lease_mapping {
	struct space *space;
	uint64_t address;
	uint32_t pages;
	uint32_t entries; /* that show what was mapped; one more while in the making */
	uint8_t number;   /* in the entries, from 1 */
	uint8_t depth;    /* how many ties */
	struct lease_tie {
		struct link link; /* among revoker->mappings */
		struct revoker *revoker;
		struct lease_mapping *mapping;
	} ties[];
};

/* A record for what is about to be mapped through `lease` (live); then
 * leased_done(). NO_SLOT: the space or a revoker has too many. */
enum status leased_begin(struct space *s, const struct object *lease, uint64_t address,
                         uint64_t pages, struct lease_mapping **out) MUST_CHECK;

/* The same, for showing a part of what `old` is of in another space. */
enum status leased_copy(struct space *s, const struct lease_mapping *old, uint64_t address,
                        uint64_t pages, struct lease_mapping **out) MUST_CHECK;

/* All its entries are made. */
void leased_done(struct lease_mapping *m);

/* Undoes all mappings that the revoker can end. */
void leased_revoke(struct revoker *r);
