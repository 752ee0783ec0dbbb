/* runqueue.c: see runqueue.h. */
#include "core/runqueue.h"

void runqueue_init(struct runqueue *q)
{
	*q = (struct runqueue){0};
}

static void link_before(struct runqueue_node *at, struct runqueue_node *n)
{
	n->next = at;
	n->prev = at->prev;
	at->prev->next = n;
	at->prev = n;
}

void runqueue_append(struct runqueue *q, struct runqueue_node *n, unsigned priority)
{
	struct runqueue_node *head = q->heads[priority];

	n->priority = (uint8_t)priority;
	q->count++;
	if (head) {
		link_before(head, n);
		return;
	}
	n->next = n->prev = n;
	q->heads[priority] = n;
	q->bits |= (uint64_t)1 << priority;
}

void runqueue_prepend(struct runqueue *q, struct runqueue_node *n, unsigned priority)
{
	runqueue_append(q, n, priority);
	q->heads[priority] = n; /* in a ring, last is first but for where one begins */
}

void runqueue_remove(struct runqueue *q, struct runqueue_node *n)
{
	unsigned priority = n->priority;

	q->count--;
	if (n->next == n) {
		q->heads[priority] = NULL;
		q->bits &= ~((uint64_t)1 << priority);
	} else {
		n->prev->next = n->next;
		n->next->prev = n->prev;
		if (q->heads[priority] == n)
			q->heads[priority] = n->next;
	}
	n->next = n->prev = NULL;
}

struct runqueue_node *runqueue_first(const struct runqueue *q)
{
	if (!q->bits)
		return NULL;
	return q->heads[RUNQUEUE_TOP - __builtin_clzll(q->bits)];
}

static const char *check_ring(const struct runqueue *q, unsigned priority, uint32_t *count)
{
	const struct runqueue_node *n = q->heads[priority];

	if (!n != !(q->bits >> priority & 1))
		return "a bit does not say whether its ring is empty";
	while (n) {
		if (++*count > q->count)
			return "there are more nodes than were put in";
		if (n->priority != priority)
			return "a node stands at another priority than its own";
		if (!n->next || n->next->prev != n)
			return "two neighbours do not know each other";
		n = n->next == q->heads[priority] ? NULL : n->next;
	}
	return NULL;
}

const char *runqueue_check(const struct runqueue *q)
{
	const char *wrong = NULL;
	uint32_t count = 0;

	for (unsigned p = 0; p < RUNQUEUE_PRIORITIES && !wrong; p++)
		wrong = check_ring(q, p, &count);
	if (!wrong && count != q->count)
		wrong = "there are fewer nodes than were put in";
	return wrong;
}
