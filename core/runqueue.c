/* runqueue.c: see runqueue.h. */
#include "core/runqueue.h"

void runqueue_init(struct runqueue *q)
{
	q->bits = 0;
	q->count = 0;
	/*@ loop invariant p <= RUNQUEUE_PRIORITIES;
	  @ loop invariant \forall integer k; 0 <= k < p ==> q->heads[k] == \null;
	  @ loop assigns p, q->heads[0 .. RUNQUEUE_PRIORITIES - 1];
	  @ loop variant RUNQUEUE_PRIORITIES - p;
	  @*/
	for (unsigned p = 0; p < RUNQUEUE_PRIORITIES; p++)
		q->heads[p] = NULL;
}

/*@ requires sound(q) && priority < RUNQUEUE_PRIORITIES;
    requires \valid(count) && \separated(count, q) && *count <= q->count;
    requires \forall struct runqueue_node *n; is_node(n) ==> \separated(count, n);
    assigns *count;
    ensures \result == \null ==> *count <= q->count;
*/
static const char *check_ring(const struct runqueue *q, unsigned priority, uint32_t *count)
{
	const struct runqueue_node *n = q->heads[priority];

	if ((n == NULL) == (q->bits >> priority & 1))
		return "a bit does not say whether its ring is empty";
	/*@ loop invariant (n == \null || queued(n)) && *count <= q->count;
	    loop assigns n, *count;
	    loop variant q->count - *count;
	*/
	while (n) {
		if ((*count)++ >= q->count)
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

	/*@ loop invariant p <= RUNQUEUE_PRIORITIES && (wrong == \null ==> count <= q->count);
	    loop assigns p, wrong, count;
	    loop variant RUNQUEUE_PRIORITIES - p;
	*/
	for (unsigned p = 0; p < RUNQUEUE_PRIORITIES && !wrong; p++)
		wrong = check_ring(q, p, &count);
	if (!wrong && count != q->count)
		wrong = "there are fewer nodes than were put in";
	return wrong;
}
