/* revoker.h: leases: capabilities that can be taken back.
 *
 * A lease is an object that stands for another one, its target. Whatever is asked
 * of it is asked of the target, one dispatch further on; passed on, it stays a
 * lease. It keeps the epoch that its revoker had, and is dead once that has
 * changed: revoking is one increment, however many hold a lease and however many
 * leases there are. A lease of a lease is dead as soon as either is.
 *
 * What a call through a lease answers at once is leased in the same way: else
 * `slice` of a leased MemoryObject would be a way out. (A server's later answer
 * is not: what a server hands out is for the server to lease.)
 *
 * What a dead lease held is let go soon after, LEASE_REAP targets at each exit
 * from the kernel, so that nobody keeps an object alive, at its owner's cost,
 * by keeping a dead lease. Only the lease's own 64 bytes wait for that.
 *
 * Mappings made through a lease are recorded (space_lease.h) and undone.
 *
 * Code that gets a capability as an argument: call_cap() resolves it for the time
 * of the call. Whoever keeps one longer keeps call->caps[i], the lease itself,
 * and resolves it at each use. */
#pragma once

#include "kernel/kmem.h"
#include "kernel/link.h"
#include "kernel/object.h"

enum {
	LEASE_DEPTH = 8,         /* leases of leases */
	LEASE_REAP = 8,
	REVOKER_MAPPINGS = 1024, /* made through one revoker's leases, at a time */
	REVOKER_PAGES = 65536,   /* in all of them: revoke has to unmap them */
};

struct revoker {
	struct object object;
	struct ledger *ledger;
	uint32_t epoch;
	uint32_t users;        /* leases that were not let go yet; they keep the block */
	struct link live;      /* leases of this epoch */
	struct link mappings;  /* struct lease_tie */
	uint32_t mapping_count, mapped_pages;
};

struct lease {
	struct object object;
	struct object *target;   /* held; NULL: dead, and let go */
	struct revoker *revoker; /* NULL with the target */
	uint32_t epoch;
	uint32_t depth; /* 1: of something that is no lease */
	struct ledger *ledger;
	struct link link; /* among the revoker's, or the dead that hold something */
};

extern const struct object_type revoker_type, lease_type;

/* NULL: the ledger cannot pay. */
struct object *revoker_create(struct ledger *ledger);

/* The target of a lease, or NULL if it is dead. */
struct object *lease_target(const struct object *o);

/* What a capability stands for in the end; NULL: it was taken back. */
static inline struct object *object_resolve(struct object *o)
{
	return o->type == &lease_type ? lease_target(o) : o;
}

/* Lets go of what dead leases hold, some of it. At every exit (leave.h). */
extern struct link revoker_dead;
void revoker_let_go(void);
