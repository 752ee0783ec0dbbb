/* env_host.h: the environment (env.h) for host tests and fuzzers.
 *
 * Memory is counted, pages come from an arena whose free pages are poisoned
 * under ASan, the nth allocation can be made to fail, and a range of addresses
 * can be made to fault. */
#pragma once

#include "lib/posix/env.h"

struct env_host {
	size_t allocations;     /* live, from env_alloc */
	size_t pages;           /* live, from env_pages */
	uint64_t asked;         /* allocations asked for, of either kind */
	uint64_t fail_at;       /* the asked-for allocation that fails; 0: none */
	uint64_t clock;         /* both clocks, ns; every reading adds one */
	uint64_t wakes;
	const uint8_t *fault_first; /* env_copy and env_clear fail at this range */
	size_t fault_size;
};
extern struct env_host env_host;

/* As it was at start, but for live memory. */
void env_host_reset(void);
