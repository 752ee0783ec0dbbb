/* world.h: what the rows are set up with and told through: the program's own
 * start, its console, server processes. None of it is timed. */
#pragma once

#include "abi/console.capnp.h"
#include "abi/endpoint.capnp.h"
#include "abi/ledger.capnp.h"
#include "rt/native_spawn.h"

struct world {
	struct native *self;
	uint64_t multiplier; /* ns = ticks * multiplier >> shift */
	uint32_t shift;
};
extern struct world world;

/* -- telling ------------------------------------------------------------------------- */

void world_start(struct native *self);

/* A line of the console's, without its end. */
void read_line(char *line, unsigned size);
bool same(const char *a, const char *b);
/* What follows `prefix`; NULL: it does not begin with that. */
const char *after(const char *line, const char *prefix);

/* `ticks` in all, of `count` operations; rounded. */
void tell_ticks(const char *name, uint64_t ticks, unsigned count);
void tell_failed(const char *name, const char *why);

/* -- processes ------------------------------------------------------------------------- */

/* What Ledger's `method` makes; 0: nothing. */
uint32_t ledger_make(uint16_t method);

/* Notification, not in a hurry; by whichever process. */
bool notify_signal(struct native *self, uint32_t notification, uint64_t bits);
bool notify_wait(struct native *self, uint32_t notification, uint64_t mask);

/* A process that shares a page with us, at the same address; not started. */
struct shared {
	uint64_t woken;      /* when the one that waits ran */
	uint32_t stop;
	uint64_t begin, end; /* when pairs are to call */
	struct pair {
		uint64_t calls, ended;
		uint32_t cpus[2]; /* of client and server: a bit for each they were seen on */
	} pairs[2];
};
#define SHARED ((volatile struct shared *)0x50000000)

bool spawn_sharing(int (*main)(struct native *), uint64_t argument, struct native_child *child);

/* -- servers --------------------------------------------------------------------------- */

#define ECHO_INTERFACE UINT64_C(0xecc0ecc0ecc0ecc0) /* what they serve */

struct server {
	uint32_t endpoint, facet;
	struct native_child child;
};

/* A process that runs `main`, with the endpoint "endpoint" and the shared page. The
 * facet, to call it by; 0: it could not be made. */
uint32_t server_start(struct server *s, int (*main)(struct native *), uint64_t argument);

/* It hears that its facet is gone, and ends. */
void server_stop(struct server *s);

/* -- rows that are no batches --------------------------------------------------------- */

/* revoke.c: "row revoke_1" and "row revoke_1000". */
void print_revoke(void);

/* scaling.c: "scaling ONE TWO stayed|moved" many times: calls a second, of one pair
 * alone and of two at once, and whether each kept to a CPU of its own; or
 * "row smp_ipc_scaling n/a WHY". */
void print_scaling(void);
