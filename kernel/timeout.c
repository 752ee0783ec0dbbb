/* timeout.c: see timeout.h. */
#include "kernel/timeout.h"

static struct timeout *head;

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *))
{
	struct timeout **link = &head;

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

void timeout_cancel(struct timeout *t)
{
	if (!t->link)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->link = NULL;
}

void timeout_run(uint64_t now)
{
	while (head && head->at <= now) {
		struct timeout *t = head;

		timeout_cancel(t);
		t->expire(t);
	}
}

uint64_t timeout_next(void)
{
	return head ? head->at : TIMEOUT_NEVER;
}
