/* fast.h: what the fast paths (fastpath.h) share: the ring from the exokernel's side,
 * every function inlined.
 *
 * What is in an entry is read once, for the program's other threads may be writing
 * to it. Messages that lie in a ring's area are used where they are: what the
 * exokernel writes there it never reads back. */
#pragma once

#include "core/captable_slots.h"
#include "core/ringindex.h"
#include "kernel/domain.h"
#include "kernel/fastpath.h"
#include "kernel/lock.h"
#include "kernel/reach.h"
#include "kernel/thread.h"

#define HOT static inline __attribute__((always_inline))
#define ONCE(field) (*(const volatile __typeof__(field) *)&(field))
#define LIKELY(x) __builtin_expect(!!(x), 1)

/* The first word of an entry: op, caps_how, method, cap. */
HOT uint64_t head_of(const struct ring_sqe *sqe)
{
	return *(const volatile word *)sqe;
}

HOT uint16_t op_and_caps(uint64_t head)
{
	return (uint16_t)head;
}

HOT uint32_t cap_of(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

/* By its place among the ring's. */
HOT const struct ring_sqe *entry_in(const struct ring *page, uint64_t place)
{
	const char *at = (const char *)page + place * sizeof(struct ring_sqe);

	__asm__("" : "+r"(at)); /* the rest goes into its fields' offsets */
	return (const struct ring_sqe *)(at + offsetof(struct ring, sq));
}

HOT const struct ring_sqe *entry_at(const struct ring *page, uint32_t sq)
{
	__asm__("" : "+r"(sq)); /* its place is made again where else it is needed */
	return entry_in(page, sq % RING_SQ_ENTRIES);
}

/* look_up of another capability than the last one. */
static __attribute__((noinline, unused, flatten)) struct object *
look_up_other(struct thread_ring *r, uint64_t head)
{
	uint32_t id = cap_of(head);
	const struct capslot *slot = captable_slot(&r->domain->table, id);

	if (!slot)
		return NULL;
	r->found = slot;
	r->found_id = id;
	return capslot_read(slot, id);
}

/* captable_lookup of an entry's capability while others may change the table
 * (core/capslot.h). A thread asks the same again and again: where an id's slot is does not
 * change. */
HOT struct object *look_up(struct thread_ring *r, uint64_t head)
{
	if (!LIKELY(r->found_id == cap_of(head)))
		return look_up_other(r, head);
	return capslot_read(r->found, cap_of(head));
}

/* Makes a waiting thread this CPU's own, if `p` is all that it waits for. The lowest bit
 * makes RUNNING of WAITING, and is in no other state. */
HOT bool claim(struct thread *t, const struct pending *p)
{
	_Static_assert(THREAD_WAITING == (THREAD_RUNNING | 1), "claimed by one bit");
	_Static_assert(!((THREAD_NEW | THREAD_READY | THREAD_RUNNING | THREAD_SUSPENDED |
	                  THREAD_ENDED) & 1), "nobody else is claimed");

	bool waited;

	__asm__ volatile("lock btrl $0, %1" : "=@ccc"(waited), "+m"(t->state) : : "memory");
	if (!waited)
		return false;
	if (LIKELY(t->direct == p && !t->attention))
		return true;
	__atomic_store_n(&t->state, THREAD_WAITING, __ATOMIC_RELEASE);
	return false;
}

/* The second word of a completion that is OK. */
HOT uint64_t done_with(uint32_t results_size)
{
	return STATUS_OK | (uint64_t)results_size << 32;
}

/* A completion with a capability, or none (0), at `cq`, for the entry at `place`; not shown
 * yet. */
HOT void write_completion(struct ring *page, struct thread_ring *r, uint32_t cq, uint64_t place,
                          uint64_t user_data, uint64_t done, uint32_t cap)
{
	uint32_t at = cq % RING_CQ_ENTRIES;
	word *cqe = (word *)&page->cq[at];

	cqe[0] = user_data;
	cqe[1] = done;
	cqe[2] = cap;
	cqe[3] = 0;
	r->answered_at[place] = (uint8_t)at;
}

HOT void show_completions(struct ring *page, struct thread_ring *r, uint32_t cq)
{
	r->cq_tail = cq;
	ringindex_posted(page, cq);
}

HOT void show_consumed(struct ring *page, struct thread_ring *r, uint32_t sq)
{
	r->sq_head = sq;
	ringindex_consumed(page, sq);
}

/* -- calls on objects of the exokernel ------------------------------------------------ */

/* The word in front of a struct of `words` words of data and nothing else. */
HOT uint64_t root_of(unsigned words)
{
	return (uint64_t)words << 32;
}

/* What a CALL without capabilities asks of `o`, if that is a quick method; else NULL. */
HOT const struct quick_method *quick_method_of(const struct ring_sqe *sqe, uint64_t head,
                                               const struct object *o)
{
	unsigned method = (uint16_t)(head >> 16);
	const struct object_type *type = o->type;

	if (method >= type->quick_count || type->interface != ONCE(sqe->interface) ||
	    !type->quick[method].serve)
		return NULL;
	return &type->quick[method];
}

enum { QUICK_MESSAGE = 8 + 8 * QUICK_WORDS };

/* Of its results, in bytes. */
HOT uint32_t quick_size(const struct quick_method *q)
{
	return 8 + 8 * q->results;
}

HOT bool quick_sizes_fit(const struct quick_method *q, uint32_t params, uint32_t results)
{
	return (q->params ? params == 8u + 8u * q->params : params <= 8) &&
	       results >= quick_size(q);
}

/* False: they are not in the area, or of another shape. */
HOT bool quick_params(const struct thread_ring *r, const struct ring_sqe *sqe, unsigned words,
                      uint64_t *params)
{
	word *from;

	if (!in_area(r, r->page, ONCE(sqe->params), QUICK_MESSAGE, &from) ||
	    ONCE(from[0]) != root_of(words))
		return false;
	for (unsigned i = 0; i < words; i++)
		params[i] = ONCE(from[1 + i]);
	return true;
}

/* -- RELEASE --------------------------------------------------------------------------- */

/* Of what others hold too. */
HOT bool release(struct domain *d, uint32_t id)
{
	struct capslot *slot;
	bool good;

	if (!d || !flag_take(&d->flag))
		return false;
	slot = captable_slot(&d->table, id);
	good = slot && slot->epoch != CAPTABLE_MOVING && object_drop_shared(slot->object);
	if (LIKELY(good))
		(void)captable_empty(&d->table, slot);
	flag_drop(&d->flag);
	return good;
}

/* RELEASEs that come first, as far as there is a place for all that is queued. */
static __attribute__((noinline, unused, flatten)) void releases(struct thread_ring *r,
                                                                struct ring *page)
{
	uint32_t sq = r->sq_head, cq = r->cq_tail, count = ringindex_queued(page, sq);

	if (count - 1 >= RING_SQ_ENTRIES ||
	    !ringindex_has_places(ringindex_unconsumed(page, cq), r->pending, count))
		return;
	do {
		const struct ring_sqe *sqe = entry_at(page, sq);
		uint64_t head = head_of(sqe);

		if ((uint8_t)head != RING_RELEASE || !release(r->domain, cap_of(head)))
			break;
		write_completion(page, r, cq++, sq++ % RING_SQ_ENTRIES, ONCE(sqe->user_data),
		                 done_with(0), 0);
	} while (--count);
	show_consumed(page, r, sq);
	show_completions(page, r, cq);
}

/* A cap_enter that does not just wait for its one entry: RELEASEs, then quick_enter. */
HOT enum quick several(uint64_t least, uint64_t timeout_ns, struct thread_ring *r,
                       struct ring *page)
{
	uint32_t left, done;

	if ((uint8_t)head_of(entry_at(page, r->sq_head)) != RING_RELEASE)
		return quick_enter(least, timeout_ns, r);
	releases(r, page);
	left = ringindex_queued(page, r->sq_head);
	done = ringindex_unconsumed(page, r->cq_tail);
	if (LIKELY(left == 1 && done + 1ul == least && timeout_ns == RING_FOREVER))
		return QUICK_BUT_LAST;
	if (left == 0 && done >= least)
		return QUICK_ALL;
	return quick_enter(least, timeout_ns, r);
}
