/* timeout.h: things that happen at a time. One tree of them for the machine:
 * what one program sets costs another a logarithm. */
#pragma once

#include "core/sorted.h"
#include "kernel/types.h"

struct timeout {
	struct sorted_node deadline; /* must be first; clock_now() ns */
	void (*expire)(struct timeout *); /* it is already out of the tree */
};

#define TIMEOUT_NEVER UINT64_MAX

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *));
void timeout_remove(struct timeout *t);

static inline bool timeout_is_set(const struct timeout *t)
{
	return t->deadline.in;
}

/* Harmless when not set. */
static inline void timeout_cancel(struct timeout *t)
{
	if (timeout_is_set(t))
		timeout_remove(t);
}

/* Runs what has come due. */
void timeout_run(uint64_t now);

extern struct sorted timeout_all;

static inline uint64_t timeout_next(void)
{
	return timeout_all.first ? timeout_all.first->key : TIMEOUT_NEVER;
}
