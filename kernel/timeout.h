/* timeout.h: things that happen at a time. One sorted list for the machine. */
#pragma once

#include "kernel/types.h"

struct timeout {
	uint64_t at; /* clock_now() ns */
	void (*expire)(struct timeout *); /* it is already off the list */
	struct timeout *next;
	struct timeout **link; /* NULL: not set */
};

#define TIMEOUT_NEVER UINT64_MAX

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *));
void timeout_cancel(struct timeout *t); /* harmless when not set */

/* Runs what has come due. */
void timeout_run(uint64_t now);
uint64_t timeout_next(void);
