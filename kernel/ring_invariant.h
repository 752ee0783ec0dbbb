/* ring_invariant.h: what ring.c and pending.c promise, for ring_fuzz.c: a model that watches
 * a ring's indices alone, and a walk through a thread's records. After ring.c. */
#pragma once

#include "kernel/ring.h"

#include <stdio.h>
#include <stdlib.h>

/* What only looks teaches the fuzzer nothing. */
#define UNTRACED __attribute__((no_sanitize("coverage")))

UNTRACED static void expect(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "ring_fuzz: %s\n", what);
		abort();
	}
}

/* A ring as the model sees it. */
struct view {
	struct thread *thread;
	unsigned kind;
	uint32_t sq_seen, cq_seen;
	unsigned owed_count;
	uint64_t owed[2 * RING_CQ_ENTRIES];
	uint32_t wait_until; /* WAITING for this ring: for which cq_tail */
	bool fits; /* the thread's cq_head leaves a place for all that is owed */
	uint64_t latest; /* what the latest entry is owed */
	uint32_t paused_at;   /* which entry paused last, */
	uint64_t paused_done; /* and how far it had come */
};

/* -- the model ------------------------------------------------------------- */

UNTRACED static void settle_owed(struct view *v, const struct ring_cqe *cqe)
{
	unsigned i = 0;

	if (cqe->flags & RING_POSTED)
		return;
	while (i < v->owed_count && v->owed[i] != cqe->user_data)
		i++;
	expect(i < v->owed_count, "a completion that nothing was owed");
	expect(cqe->status < STATUS_COUNT, "a status that there is not");
	v->owed[i] = v->owed[--v->owed_count];
}

/* The latest entry is to be made again: it has had no completion. */
UNTRACED static void take_again(struct view *v)
{
	struct ring_cqe cqe = {.user_data = v->latest};

	settle_owed(v, &cqe);
	v->sq_seen--;
}

UNTRACED static void owe(struct view *v, uint64_t user_data)
{
	expect(v->owed_count < ARRAY_SIZE(v->owed), "more is owed than there are places");
	v->owed[v->owed_count++] = v->latest = user_data;
}

/* Looks what has been consumed and completed. Before anything is written to the page
 * by its thread, so that what was there then still is. */
UNTRACED static void look(struct view *v)
{
	const struct thread_ring *r = &v->thread->rings[v->kind];
	const struct ring *page = r->page;
	uint32_t consumed;

	if (!page)
		return;
	if (r->sq_head == v->sq_seen - 1)
		take_again(v);
	consumed = r->sq_head - v->sq_seen;
	expect(consumed <= RING_SQ_ENTRIES, "sq_head jumps");
	for (; v->sq_seen != r->sq_head; v->sq_seen++)
		owe(v, page->sq[v->sq_seen % RING_SQ_ENTRIES].user_data);
	expect(r->cq_tail - v->cq_seen <= RING_CQ_ENTRIES, "cq_tail jumps");
	expect(r->cq_tail == v->cq_seen || page->cq_tail == r->cq_tail, "cq_tail is not shown");
	for (; v->cq_seen != r->cq_tail; v->cq_seen++)
		settle_owed(v, &page->cq[v->cq_seen % RING_CQ_ENTRIES]);
	expect(!v->fits || r->cq_tail - page->cq_head + v->owed_count <= RING_CQ_ENTRIES,
	       "a completion has no place");
}

/* The thread makes the system call again that it came with: for an entry that is there, or
 * for the next one, as this took long. */
UNTRACED static void check_again(const struct thread *t, const struct thread_ring *r,
                                 uint64_t least, uint64_t timeout)
{
	expect(!t->regs.rip && t->regs.rax == SYS_CAP_ENTER && t->regs.rdi == least &&
	       t->regs.rsi == timeout && t->regs.full, "another cap_enter");
	expect(r->again && t->state == THREAD_RUNNING &&
	       (r->sq_head == r->serving || (r->sq_head == r->serving + 1 && ending_left <= 0)),
	       "nothing to do again");
}

/* What was consumed is shown, whatever the thread wrote there while it was served. */
UNTRACED static void check_shown(const struct thread_ring *r, uint32_t before)
{
	bool again = r->sq_head == r->serving; /* the last one is not */

	expect(!r->page || r->sq_head == before || again || r->page->sq_head == r->sq_head,
	       "sq_head is not shown");
}

/* How far the entry that is served came before: nothing else's. */
UNTRACED static void check_pause(const struct view *v, uint64_t done)
{
	expect(!done || (v->paused_at == v->thread->rings[v->kind].serving &&
	                 v->paused_done == done), "another's pause");
}

/* After the thread has written to cq_head, or as a step begins. */
UNTRACED static void look_at_head(struct view *v)
{
	const struct thread_ring *r = &v->thread->rings[v->kind];
	uint32_t unconsumed = r->page ? r->cq_tail - r->page->cq_head : 0;

	v->fits = unconsumed <= RING_CQ_ENTRIES && unconsumed + v->owed_count <= RING_CQ_ENTRIES;
}

UNTRACED static void forget(struct view *v)
{
	*v = (struct view){.thread = v->thread, .kind = v->kind};
}

/* -- records --------------------------------------------------------------- */

UNTRACED static unsigned length_of(const struct pending_queue *q)
{
	unsigned n = 0;

	for (const struct pending *p = q->head; p; p = p->next) {
		expect(p->next ? p->next->prev == p : q->tail == p, "a queue's links");
		n++;
	}
	return n;
}

/* What is direct is all that the thread waits for, and nobody sees it. */
UNTRACED static void check_direct(const struct thread *t)
{
	const struct pending *p = t->direct;

	expect(t->state == THREAD_WAITING && p == &t->own[0] && !t->pending && !t->own_used,
	       "a direct record that is not alone");
	expect(!t->rings[0].pending && !t->rings[1].pending, "a direct record is counted");
	expect(t->wait_more == 1 && t->wait_ring == p->ring && !timeout_is_set(&t->wait_timeout),
	       "a direct record that does not end the wait");
	expect(!p->chained.head && p->on == &t->rings[p->ring], "a direct record's ring");
}

UNTRACED static void check_free(const struct thread *t)
{
	for (unsigned i = 0; i < PENDING_OWN; i++) {
		const struct pending *p = &t->own[i];

		if (t->own_used >> i & 1 || p == t->direct)
			continue;
		expect(p->ring == RING_PROGRAM && p->on == &t->rings[RING_PROGRAM] && !p->next && !p->prev,
		       "a free record is not as it was");
	}
}

struct sums {
	unsigned records, heap, chains, chained;
};

UNTRACED static void check_record(const struct thread *t, const struct pending *p,
                                  struct view *left_over, struct sums *sums)
{
	struct view *v = &left_over[p->ring];
	struct ring_cqe cqe = {.user_data = p->user_data};

	expect(p->thread == t && p->on == &t->rings[p->ring] && t->rings[p->ring].page,
	       "a record of nobody's");
	settle_owed(v, &cqe);
	sums->records++;
	sums->heap += p->place == PENDING_HEAP;
	sums->chains += length_of(&p->chained);
	sums->chained += p->cancel == chained_cancel;
}

/* All that is owed has a record, each record is owed. */
UNTRACED static void check_thread(const struct thread *t, const struct view *views,
                                  struct sums *sums)
{
	struct view left_over[RING_KINDS] = {views[0], views[1]};
	unsigned used = 0, counted[RING_KINDS] = {0};

	check_free(t);
	expect(t->state != THREAD_WAITING ||
	       views[t->wait_ring].wait_until - t->rings[t->wait_ring].cq_tail == t->wait_more,
	       "it waits for too many, or too few");
	if (t->direct) {
		check_direct(t);
		check_record(t, t->direct, left_over, sums);
	}
	for (const struct pending *p = t->pending; p; p = p->next_in_thread) {
		check_record(t, p, left_over, sums);
		expect(!p->next_in_thread || p->next_in_thread->prev_in_thread == p, "the list's links");
		counted[p->ring]++;
		if (p->place != PENDING_HEAP)
			used |= 1u << p->place;
	}
	expect(used == t->own_used, "own records are miscounted");
	for (unsigned kind = 0; kind < RING_KINDS; kind++) {
		expect(counted[kind] == t->rings[kind].pending, "records are miscounted");
		expect(!left_over[kind].owed_count, "a completion will never come");
	}
}
