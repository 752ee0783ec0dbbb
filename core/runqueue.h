/* runqueue.h: who is ready to run, by priority.
 *
 * 64 priorities, 0 the lowest. Within one, first come, first served: a ring of
 * nodes that stand in what is queued. A bitmap says which rings are not empty,
 * so everything here takes constant time.
 *
 * What always holds: bit p of `bits` is set if and only if heads[p] is not NULL;
 * every node of ring p has priority p, and its neighbours know it.
 *
 * Pure: no globals, no allocation, no locking. */
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

/* -- what is proved, in words that the contracts below share ------------------- */

/*@ // The nodes that are on one queue or may come onto it: any set; nothing but what
    // `sound` says is assumed of it. Another queue's nodes are not of it.
    axiomatic Nodes { predicate is_node(struct runqueue_node *n) reads \nothing; }

    predicate has(integer bits, integer p) = (bits & (1 << p)) != 0;
    predicate queued{L}(struct runqueue_node *n) = is_node(n) && n->next != \null;
    predicate queued_at{L}(struct runqueue_node *n, integer p) = queued(n) && n->priority == p;

    predicate laid_out{L}(struct runqueue *q) = \valid(q) &&
      (\forall struct runqueue_node *n; is_node(n) ==> \valid(n) && \separated(n, q)) &&
      (\forall struct runqueue_node *m, *n; is_node(m) && is_node(n) && m != n ==>
        \separated(m, n));

    // A ring has a first node if its bit is set, and if anybody is queued there.
    predicate begun{L}(struct runqueue *q) =
      (\forall integer p; 0 <= p < RUNQUEUE_PRIORITIES ==>
        (has(q->bits, p) <==> q->heads[p] != \null) &&
        (q->heads[p] != \null ==> queued_at(q->heads[p], p))) &&
      (\forall struct runqueue_node *n; queued(n) ==>
        n->priority < RUNQUEUE_PRIORITIES && q->heads[n->priority] != \null);

    // Neighbours know each other and are of one priority; who is alone is his own.
    predicate linked{L} = \forall struct runqueue_node *n; queued(n) ==>
      queued_at(n->next, n->priority) && n->next->prev == n &&
      queued_at(n->prev, n->priority) && n->prev->next == n;

    predicate sound{L}(struct runqueue *q) = laid_out(q) && begun(q) && linked;

    // What one step leaves as it was.
    predicate heads_stay{A, B}(struct runqueue *q, integer but) = \forall integer p;
      0 <= p < RUNQUEUE_PRIORITIES && p != but ==>
        \at(q->heads[p], A) == \at(q->heads[p], B) &&
        (has(\at(q->bits, A), p) <==> has(\at(q->bits, B), p));
    predicate queued_stay{A, B}(struct runqueue_node *but) = \forall struct runqueue_node *n;
      is_node(n) && n != but ==>
        (queued{A}(n) <==> queued{B}(n)) && \at(n->priority, A) == \at(n->priority, B);
    predicate nexts_stay{A, B}(struct runqueue_node *k, struct runqueue_node *l) =
      \forall struct runqueue_node *n; is_node(n) && n != k && n != l ==>
        \at(n->next, A) == \at(n->next, B);
    predicate prevs_stay{A, B}(struct runqueue_node *k, struct runqueue_node *l) =
      \forall struct runqueue_node *n; is_node(n) && n != k && n != l ==>
        \at(n->prev, A) == \at(n->prev, B);

    lemma nodes_apart{L}: \forall struct runqueue *q, struct runqueue_node *m, *n;
      laid_out(q) && is_node(m) && is_node(n) ==> &m->next != &n->prev &&
        (m != n ==> &m->next != &n->next && &m->prev != &n->prev && &m->priority != &n->priority);
    lemma heads_apart{L}: \forall struct runqueue *q, struct runqueue_node *n, integer p;
      laid_out(q) && is_node(n) && 0 <= p < RUNQUEUE_PRIORITIES ==>
        &q->heads[p] != &n->next && &q->heads[p] != &n->prev;
*/

/*@ requires \valid(q);
    assigns q->bits, q->count, q->heads[0 .. RUNQUEUE_PRIORITIES - 1];
    ensures q->bits == 0 && q->count == 0;
    ensures \forall integer p; 0 <= p < RUNQUEUE_PRIORITIES ==> q->heads[p] == \null;
    ensures laid_out(q) && (\forall struct runqueue_node *n; is_node(n) ==> !queued(n)) ==>
      sound(q);
*/
void runqueue_init(struct runqueue *q);

/*@ requires \valid_read(n);
    assigns \nothing;
    ensures \result <==> n->next != \null;
*/
static inline bool runqueue_has(const struct runqueue_node *n)
{
	return n->next != NULL;
}

/*@ requires \valid_read(q) && priority < RUNQUEUE_PRIORITIES;
    assigns \nothing;
    ensures \result <==> (q->bits >> priority) != 0;
*/
/* True: somebody of that priority or a higher one is there. */
static inline bool runqueue_reaches(const struct runqueue *q, unsigned priority)
{
	return q->bits >> priority != 0;
}

/*@ requires \valid_read(q) && priority < RUNQUEUE_PRIORITIES;
    assigns \nothing;
    ensures \result <==> ((q->bits >> priority) >> 1) != 0;
*/
/* True: somebody of a higher priority is there. */
static inline bool runqueue_exceeds(const struct runqueue *q, unsigned priority)
{
	return q->bits >> priority >> 1 != 0;
}

/*@ requires sound(q) && is_node(n) && !queued(n) && priority < RUNQUEUE_PRIORITIES;
    assigns q->bits, q->count, q->heads[priority], n->next, n->prev, n->priority,
      q->heads[priority]->prev, q->heads[priority]->prev->next;
    ensures queued_at(n, priority) && has(q->bits, priority);
    ensures q->count == (uint32_t)(\old(q->count) + 1);
    ensures heads_stay{Pre, Post}(q, priority) && queued_stay{Pre, Post}(n);
    ensures last: q->heads[priority]->prev == n && sound(q);
    behavior alone:
      assumes q->heads[priority] == \null;
      assigns q->bits, q->count, q->heads[priority], n->next, n->prev, n->priority;
      ensures q->heads[priority] == n && n->next == n && n->prev == n;
    behavior behind:
      assumes q->heads[priority] != \null;
      assigns q->count, n->next, n->prev, n->priority,
        q->heads[priority]->prev, q->heads[priority]->prev->next;
      ensures n->next == q->heads[priority] && n->prev == \old(q->heads[priority]->prev);
      ensures n->next->prev == n && n->prev->next == n;
    complete behaviors; disjoint behaviors;
*/
/* Puts a node that is on no queue behind all of its priority. */
static inline void runqueue_append(struct runqueue *q, struct runqueue_node *n,
                                   unsigned priority)
{
	struct runqueue_node *head = q->heads[priority];

	n->priority = (uint8_t)priority;
	q->count++;
	if (head) {
		//@ ghost struct runqueue_node *last = head->prev;
		//@ assert queued(last) && last->next == head && last != n && head != n;
		n->next = head;
		n->prev = head->prev;
		head->prev->next = n;
		head->prev = n;
		//@ assert n->next == head && n->prev == last && last->next == n && head->prev == n;
		//@ assert nexts_stay{Pre, Here}(n, last) && prevs_stay{Pre, Here}(n, head);
		//@ assert heads_stay{Pre, Here}(q, -1) && laid_out(q);
		//@ assert queued_stay{Pre, Here}(n);
		//@ assert begun(q) && linked;
		return;
	}
	n->next = n;
	n->prev = n;
	q->heads[priority] = n;
	q->bits |= (uint64_t)1 << priority;
	//@ assert heads_stay{Pre, Here}(q, priority) && has(q->bits, priority);
	//@ assert nexts_stay{Pre, Here}(n, n) && prevs_stay{Pre, Here}(n, n);
	//@ assert laid_out(q);
	//@ assert queued_stay{Pre, Here}(n);
	//@ assert begun(q) && linked;
}

/*@ requires sound(q) && is_node(n) && !queued(n) && priority < RUNQUEUE_PRIORITIES;
    assigns q->bits, q->count, q->heads[priority], n->next, n->prev, n->priority,
      q->heads[priority]->prev, q->heads[priority]->prev->next;
    ensures queued_at(n, priority) && has(q->bits, priority) && q->heads[priority] == n;
    ensures q->count == (uint32_t)(\old(q->count) + 1);
    ensures heads_stay{Pre, Post}(q, priority) && queued_stay{Pre, Post}(n);
    ensures next: n->next == (\old(q->heads[priority]) == \null ? n : \old(q->heads[priority]));
    ensures sound(q);
*/
/* The same before all of its priority: in a ring, last is first but for where it
 * begins. */
static inline void runqueue_prepend(struct runqueue *q, struct runqueue_node *n,
                                    unsigned priority)
{
	runqueue_append(q, n, priority);
	//@ ghost After:;
	q->heads[priority] = n;
	//@ assert nexts_stay{After, Here}(\null, \null) && prevs_stay{After, Here}(\null, \null);
	//@ assert heads_stay{After, Here}(q, priority) && laid_out(q) && queued_stay{After, Here}(\null);
	//@ assert begun(q) && linked;
}

/*@ requires priority < RUNQUEUE_PRIORITIES;
    assigns \nothing;
    ensures \forall integer p; 0 <= p < RUNQUEUE_PRIORITIES ==>
      (has(\result, p) <==> p != priority && has(bits, p));
*/
static inline uint64_t runqueue_without(uint64_t bits, unsigned priority)
{
	return bits & ~((uint64_t)1 << priority);
}

/*@ requires sound(q) && queued(n);
    requires one_ring: n->next == n ==>
      \forall struct runqueue_node *m; queued_at(m, n->priority) ==> m == n;
    assigns q->bits, q->count, q->heads[n->priority], n->next, n->prev,
      n->prev->next, n->next->prev;
    ensures sound(q) && !queued(n);
    ensures q->count == (uint32_t)(\old(q->count) - 1);
    ensures heads_stay{Pre, Post}(q, n->priority) && queued_stay{Pre, Post}(n);
    behavior alone:
      assumes n->next == n;
      assigns q->bits, q->count, q->heads[n->priority], n->next, n->prev;
      ensures q->heads[n->priority] == \null && !has(q->bits, n->priority);
    behavior between:
      assumes n->next != n;
      assigns q->count, q->heads[n->priority], n->next, n->prev, n->prev->next, n->next->prev;
      ensures \old(n->prev)->next == \old(n->next) && \old(n->next)->prev == \old(n->prev);
      ensures q->heads[n->priority] ==
        (\old(q->heads[n->priority]) == n ? \old(n->next) : \old(q->heads[n->priority]));
    complete behaviors; disjoint behaviors;
*/
/* Takes off a node that is on this queue. */
static inline void runqueue_remove(struct runqueue *q, struct runqueue_node *n)
{
	unsigned priority = n->priority;

	q->count--;
	if (n->next == n) {
		q->heads[priority] = NULL;
		q->bits = runqueue_without(q->bits, priority);
		//@ assert heads_stay{Pre, Here}(q, priority);
	} else {
		//@ ghost struct runqueue_node *prev = n->prev, *next = n->next;
		//@ assert queued(prev) && queued(next) && prev != n && next != n;
		n->prev->next = n->next;
		n->next->prev = n->prev;
		//@ assert prev->next == next && next->prev == prev;
		//@ assert nexts_stay{Pre, Here}(prev, prev) && prevs_stay{Pre, Here}(next, next);
		if (q->heads[priority] == n)
			q->heads[priority] = n->next;
		//@ assert heads_stay{Pre, Here}(q, priority);
		//@ assert nexts_stay{Pre, Here}(prev, prev) && prevs_stay{Pre, Here}(next, next);
		//@ assert prev->next == next && next->prev == prev && q->heads[priority] != n;
	}
	n->next = NULL;
	n->prev = NULL;
	//@ assert laid_out(q);
	//@ assert heads_stay{Pre, Here}(q, priority);
	//@ assert queued_stay{Pre, Here}(n);
	//@ assert begun(q);
	//@ assert linked;
}

/*@ requires bits != 0;
    assigns \nothing;
    ensures \result < RUNQUEUE_PRIORITIES;
    ensures \forall integer p; 0 <= p < RUNQUEUE_PRIORITIES && has(bits, p) ==>
      p <= \result && has(bits, \result);
*/
/* The highest bit that is set. */
static inline unsigned runqueue_top(uint64_t bits)
{
#ifdef __FRAMAC__ /* which knows no builtin */
	unsigned top = RUNQUEUE_TOP;

	/*@ loop invariant top < RUNQUEUE_PRIORITIES;
	    loop invariant \forall integer p; top < p < RUNQUEUE_PRIORITIES ==> !has(bits, p);
	    loop assigns top;
	    loop variant top;
	*/
	while (top && !(bits >> top & 1))
		top--;
	return top;
#else
	return RUNQUEUE_TOP - (unsigned)__builtin_clzll(bits);
#endif
}

/*@ requires sound(q);
    assigns \nothing;
    ensures nobody: \result == \null <==> \forall struct runqueue_node *n; !queued(n);
    ensures highest: \forall struct runqueue_node *n; queued(n) ==>
      n->priority <= \result->priority;
    ensures first: \result != \null ==> queued(\result) &&
      \result == q->heads[\result->priority];
*/
/* Who has waited longest among those of the highest priority; NULL: nobody. It
 * stays on the queue. */
static inline struct runqueue_node *runqueue_first(const struct runqueue *q)
{
	//@ assert q->bits == 0 ==> \forall integer p; 0 <= p < RUNQUEUE_PRIORITIES ==> !has(q->bits, p);
	//@ assert \forall struct runqueue_node *n; queued(n) ==> has(q->bits, n->priority);
	/*@ assert \forall integer p; 0 <= p < RUNQUEUE_PRIORITIES && q->heads[p] != \null ==>
	      queued(q->heads[p]); */
	return q->bits ? q->heads[runqueue_top(q->bits)] : NULL;
}

//@ requires sound(q); assigns \nothing;
/* Walks everything; NULL, or what is wrong. For tests. */
const char *runqueue_check(const struct runqueue *q);
