/* timeout.c: see timeout.h. */
#include "kernel/timeout.h"

#include "kernel/arch/x86_64/x86.h"

static struct deadlines all;

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *))
{
	timeout_cancel(t);
	if (!all.random)
		all.random = rdtsc() | 1;
	t->expire = expire;
	deadlines_set(&all, &t->deadline, at);
}

void timeout_cancel(struct timeout *t)
{
	if (t->deadline.set)
		deadlines_clear(&all, &t->deadline);
}

void timeout_run(uint64_t now)
{
	while (all.first && all.first->at <= now) {
		struct timeout *t = (struct timeout *)all.first;

		timeout_cancel(t);
		t->expire(t);
	}
}

uint64_t timeout_next(void)
{
	return all.first ? all.first->at : TIMEOUT_NEVER;
}
