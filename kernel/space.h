/* space.h: address spaces and module regions: what is mapped where.
 *
 * A *process space* has the lower half, with one top-level table per CPU; they
 * differ only in the window slot. A *module region* is one upper-half slot,
 * shared by all process spaces of a libOS. A process space that shows a region
 * does not show the exokernel.
 *
 * Every page-table entry that maps a frame owns a reference to it. Software
 * bits in the entry say whose the page is:
 *     SHARED   an object's page: writes are for all to see
 *     COPY     private, and others may hold the frame: copy before writing
 *     SEALED   came through a read-only facet: never writable
 *     MAY_WRITE  of a COPY page: writing to it is allowed, once it is copied
 *     LEASE    the number of the mapping's record, if it came through a lease
 *              (space_lease.h)
 * Tables are charged to the space's ledger and freed with the space. */
#pragma once

#include "abi/space.capnp.h"
#include "kernel/kmem.h"
#include "kernel/memobject.h"
#include "kernel/object.h"

enum {
	SPACE_CALL_PAGES = 65536, /* the most that one call deals with, */
	SPACE_STEP = 512,         /* and that is done before others have their turn, */
	SPACE_STEP_FOUND = 256,   /* or where frames are found for them */
	SPACE_LEASED_MAX = 63,    /* mappings through leases in one space, at a time */
	SPACE_RESERVED_MAX = 256,
	SPACE_LEASED_BYTES = (SPACE_LEASED_MAX + 1) * sizeof(struct lease_mapping *),
};

/* Where reserve finds ranges: apart from where programs are linked to and have
 * their stacks. */
#define SPACE_RESERVE_LOW 0x0000010000000000
#define SPACE_RESERVE_HIGH 0x00007fff00000000

struct lease_mapping;
struct space_reservation;

struct space {
	struct object object;
	struct ledger *ledger;
	struct space *module;    /* process space: the region it shows, or NULL */
	uint64_t *region;        /* module region: its third-level table */
	uint64_t top[MAX_CPUS];  /* process space: what CR3 is loaded with; 0: none */
	bool stale;              /* some CPU may still have a translation forgotten */
	uint16_t reserved_count;
	struct space_reservation *reserved; /* by address */
	struct lease_mapping **leased; /* by number; NULL: there never were any */
};

extern const struct object_type space_type;

struct space *space_create(struct ledger *ledger, struct space *module);
struct space *space_create_region(struct ledger *ledger);

static inline bool space_is_region(const struct space *s)
{
	return s->region != NULL;
}

/* Its top-level table for that CPU. */
static inline uint64_t *space_top(const struct space *s, unsigned cpu)
{
	return phys_to_virt(paddr(s->top[cpu]));
}

/* Maps one frame, taking a reference. `flags`: PTE_* bits. For the exokernel's
 * own pages in a space (rings, CapSets). */
enum status space_map_frame(struct space *s, uint64_t address, uint32_t number,
                            uint64_t flags) MUST_CHECK;

/* Undoes it, if that frame is still what is mapped there. */
void space_unmap_frame(struct space *s, uint64_t address, uint32_t number);

/* What to map: `pages` pages of `memory` from `page` on. */
struct space_mapping {
	struct memobject *memory;
	uint64_t page, address, pages;
	uint32_t access;
	bool sealed;          /* never writable */
	struct object *lease; /* what it came through, or NULL */
};
enum status space_map(struct space *s, const struct space_mapping *what) MUST_CHECK;
enum status space_fresh(struct space *s, uint64_t address, uint64_t pages,
                        uint32_t access) MUST_CHECK;

/* These deal with about SPACE_STEP page-table entries, or with SPACE_CALL_PAGES if there can
 * be no pause (ring.h); *next is where to go on, or 0. */
enum status space_unmap(struct space *s, uint64_t address, uint64_t pages,
                        uint64_t *next) MUST_CHECK;
enum status space_protect(struct space *s, uint64_t address, uint64_t pages,
                          uint32_t access, uint64_t *next) MUST_CHECK;
enum status space_share(struct space *s, struct space *from, uint64_t address,
                        uint64_t pages, uint64_t *next) MUST_CHECK;
enum status space_resolve(struct space *s, uint64_t address) MUST_CHECK;

/* Whole pages, all in the half that the space has. */
bool space_range_ok(const struct space *s, uint64_t address, uint64_t pages);

/* What is allowed at the page at `address` (in range), as abi/space.capnp says
 * it; 0 and *mapped false where nothing is mapped. */
uint32_t space_access(const struct space *s, uint64_t address, bool *mapped);

/* space_reserve.c: ranges set aside, as abi/space.capnp says. */
enum status space_reserve(struct space *s, uint64_t pages, uint64_t *address) MUST_CHECK;
enum status space_unreserve(struct space *s, uint64_t address) MUST_CHECK;
/* OK: fresh is what commit is. */
enum status space_committable(const struct space *s, uint64_t address, uint64_t pages) MUST_CHECK;
void space_unreserve_all(struct space *s);

/* The frame that is mapped there; something must be. */
uint32_t space_frame(const struct space *s, uint64_t address);

/* The type's destructor. */
void space_destroy(struct object *o);

/* The kernel's pointer to a byte of the space, if its page is mapped with what
 * is needed; at least up to the page's end. NULL: it is not. */
void *space_reach(const struct space *s, uint64_t address, bool write);

/* The same for reading a u32 (aligned); *shared: others may see its page too. */
const uint32_t *space_word(const struct space *s, uint64_t address, bool *shared);

/* Where a thread of `s` finds `address`: in the region or in the lower half. */
const struct space *space_holding(const struct space *s, uint64_t address);
