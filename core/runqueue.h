/* runqueue.h: who is ready to run, by priority.
 *
 * 64 priorities, 0 the lowest. Within one, first come, first served: a ring of
 * nodes that stand in what is queued. A bitmap says which rings are not empty,
 * so everything here takes constant time.
 *
 * What always holds: bit p of `bits` is set if and only if heads[p] is not NULL;
 * every node of ring p has priority p, and its neighbours know it.
 *
 * Pure: no globals, no allocation, no locking. The contracts are ACSL, for
 * Frama-C. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUNQUEUE_PRIORITIES = 64, RUNQUEUE_TOP = RUNQUEUE_PRIORITIES - 1 };

struct runqueue_node {
	struct runqueue_node *next, *prev; /* in a ring; NULL: on no queue */
	uint8_t priority;                  /* while it is queued */
};

struct runqueue {
	uint64_t bits; /* priority p has somebody: bit p */
	uint32_t count;
	struct runqueue_node *heads[RUNQUEUE_PRIORITIES];
};

/*@ requires \valid(q);
  @ assigns q->bits, q->count, q->heads[0 .. RUNQUEUE_PRIORITIES - 1];
  @ ensures q->bits == 0 && q->count == 0;
  @ ensures \forall integer p; 0 <= p < RUNQUEUE_PRIORITIES ==> q->heads[p] == \null;
  @*/
void runqueue_init(struct runqueue *q);

/*@ requires \valid_read(n);
  @ assigns \nothing;
  @ ensures \result <==> n->next != \null;
  @*/
static inline bool runqueue_has(const struct runqueue_node *n)
{
	return n->next != NULL;
}

/* True: somebody of that priority or a higher one is there. */
/*@ requires \valid_read(q) && priority < RUNQUEUE_PRIORITIES;
  @ assigns \nothing;
  @ ensures \result <==> (q->bits >> priority) != 0;
  @*/
static inline bool runqueue_reaches(const struct runqueue *q, unsigned priority)
{
	return q->bits >> priority != 0;
}

/* True: somebody of a higher priority is there. */
/*@ requires \valid_read(q) && priority < RUNQUEUE_PRIORITIES;
  @ assigns \nothing;
  @ ensures \result <==> ((q->bits >> priority) >> 1) != 0;
  @*/
static inline bool runqueue_exceeds(const struct runqueue *q, unsigned priority)
{
	return q->bits >> priority >> 1 != 0;
}

/* Puts a node that is on no queue behind all of its priority. */
static inline void runqueue_append(struct runqueue *q, struct runqueue_node *n,
                                   unsigned priority)
{
	struct runqueue_node *head = q->heads[priority];

	n->priority = (uint8_t)priority;
	q->count++;
	if (head) {
		n->next = head;
		n->prev = head->prev;
		head->prev->next = n;
		head->prev = n;
		return;
	}
	n->next = n;
	n->prev = n;
	q->heads[priority] = n;
	q->bits |= (uint64_t)1 << priority;
}

/* The same before all of its priority: in a ring, last is first but for where it
 * begins. */
static inline void runqueue_prepend(struct runqueue *q, struct runqueue_node *n,
                                    unsigned priority)
{
	runqueue_append(q, n, priority);
	q->heads[priority] = n;
}

/* Takes off a node that is on this queue. */
static inline void runqueue_remove(struct runqueue *q, struct runqueue_node *n)
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
	n->next = NULL;
	n->prev = NULL;
}

/* Who has waited longest among those of the highest priority; NULL: nobody. It
 * stays on the queue. */
static inline struct runqueue_node *runqueue_first(const struct runqueue *q)
{
	return q->bits ? q->heads[RUNQUEUE_TOP - __builtin_clzll(q->bits)] : NULL;
}

/* Walks everything; NULL, or what is wrong. For tests. */
const char *runqueue_check(const struct runqueue *q);
