/* timeout.h: things that happen at a time. One tree of them for the machine:
 * what one program sets costs another a logarithm. */
#pragma once

#include "core/deadlines.h"
#include "kernel/types.h"

struct timeout {
	struct deadline deadline; /* must be first; clock_now() ns */
	void (*expire)(struct timeout *); /* it is already out of the tree */
};

#define TIMEOUT_NEVER UINT64_MAX

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *));
void timeout_cancel(struct timeout *t); /* harmless when not set */

/* Runs what has come due. */
void timeout_run(uint64_t now);
uint64_t timeout_next(void);
