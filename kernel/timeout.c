/* timeout.c: see timeout.h. */
#include "kernel/timeout.h"

#include "kernel/arch/x86_64/x86.h"

struct sorted timeout_all;

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *))
{
	timeout_cancel(t);
	if (!timeout_all.random)
		timeout_all.random = rdtsc() | 1;
	t->expire = expire;
	sorted_insert(&timeout_all, &t->deadline, at);
}

void timeout_remove(struct timeout *t)
{
	sorted_remove(&timeout_all, &t->deadline);
}

void timeout_run(uint64_t now)
{
	while (timeout_all.first && timeout_all.first->key <= now) {
		struct timeout *t = (struct timeout *)timeout_all.first;

		timeout_cancel(t);
		t->expire(t);
	}
}
