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
void timeout_remove(struct timeout *t);

/* Harmless when not set. */
static inline void timeout_cancel(struct timeout *t)
{
	if (t->link)
		timeout_remove(t);
}

/* Runs what has come due. */
void timeout_run(uint64_t now);
extern struct timeout *timeout_first; /* the next to come due; NULL: none */

static inline uint64_t timeout_next(void)
{
	return timeout_first ? timeout_first->at : TIMEOUT_NEVER;
}
