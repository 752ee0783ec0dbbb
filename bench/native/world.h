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

/* -- servers --------------------------------------------------------------------------- */

#define ECHO_INTERFACE UINT64_C(0xecc0ecc0ecc0ecc0) /* what they serve */

struct server {
	uint32_t endpoint, facet;
	struct native_child child;
};

/* A process that runs `main`, with the endpoint "endpoint". The facet, to call
 * it by; 0: it could not be made. */
uint32_t server_start(struct server *s, int (*main)(struct native *));

/* It hears that its facet is gone, and ends. */
void server_stop(struct server *s);

/* What Ledger's `method` makes; 0: nothing. */
uint32_t ledger_make(uint16_t method);
