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
  @ assigns *q;
  @ ensures q->bits == 0 && q->count == 0;
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

/* Puts a node that is on no queue behind, or before, all of its priority. */
void runqueue_append(struct runqueue *q, struct runqueue_node *n, unsigned priority);
void runqueue_prepend(struct runqueue *q, struct runqueue_node *n, unsigned priority);

/* Takes off a node that is on this queue. */
void runqueue_remove(struct runqueue *q, struct runqueue_node *n);

/* Who has waited longest among those of the highest priority; NULL: nobody. It
 * stays on the queue. */
struct runqueue_node *runqueue_first(const struct runqueue *q);

/* Walks everything; NULL, or what is wrong. For tests. */
const char *runqueue_check(const struct runqueue *q);
