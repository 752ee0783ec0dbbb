/* timeout.c: see timeout.h. */
#include "kernel/timeout.h"

struct timeout *timeout_first;

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *))
{
	struct timeout **link = &timeout_first;

	timeout_cancel(t);
	while (*link && (*link)->at <= at)
		link = &(*link)->next;
	t->at = at;
	t->expire = expire;
	t->next = *link;
	t->link = link;
	if (t->next)
		t->next->link = &t->next;
	*link = t;
}

void timeout_remove(struct timeout *t)
{
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->link = NULL;
}

void timeout_run(uint64_t now)
{
	while (timeout_first && timeout_first->at <= now) {
		struct timeout *t = timeout_first;

		timeout_cancel(t);
		t->expire(t);
	}
}
