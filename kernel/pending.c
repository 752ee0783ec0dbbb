/* pending.c: see pending.h. */
#include "kernel/pending.h"

#include "kernel/domain.h"
#include "kernel/endpoint.h"
#include "kernel/ring.h"
#include "kernel/string.h"

static struct pending *take_own(struct thread *t)
{
	unsigned place = (unsigned)__builtin_ctz(~(unsigned)t->own_used);

	if (place >= PENDING_OWN)
		return NULL;
	t->own_used |= (uint8_t)(1u << place);
	return &t->own[place];
}

static struct pending *take_heap(struct thread *t, struct ledger *ledger)
{
	struct pending *p = block_alloc(ledger, sizeof(*p));

	if (p) {
		p->place = PENDING_HEAP;
		p->thread = t;
		p->ledger = ledger;
	}
	return p;
}

static void link_to_thread(struct pending *p)
{
	struct thread *t = p->thread;

	p->prev_in_thread = NULL;
	p->next_in_thread = t->pending;
	if (t->pending)
		t->pending->prev_in_thread = p;
	t->pending = p;
	p->on->pending++;
}

/* Of the entry that is served. */
static struct pending *create(struct thread *t, unsigned ring, const struct domain *payer,
                              void (*cancel)(struct pending *))
{
	struct pending *p = take_own(t);

	if (!p)
		p = take_heap(t, payer->ledger);
	if (!p)
		return NULL;
	p->ring = (uint8_t)ring;
	p->on = &t->rings[ring];
	p->sq = p->on->serving;
	p->cancel = cancel;
	p->chained = (struct pending_queue){0};
	p->timeout = (struct timeout){0};
	link_to_thread(p);
	return p;
}

struct pending *pending_create(const struct call *call, void (*cancel)(struct pending *))
{
	struct pending *p = create(call->thread, call->ring, call->domain, cancel);

	if (!p)
		return NULL;
	p->user_data = call->user_data;
	p->results_address = call->results_address;
	p->results_size = call->results_size;
	return p;
}

struct pending *pending_create_for(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                                   void (*cancel)(struct pending *))
{
	struct pending *p = create(t, ring, thread_domain(t, ring), cancel);

	if (!p)
		return NULL;
	p->user_data = sqe->user_data;
	p->results_address = (struct uaddr){sqe->results};
	p->results_size = sqe->results_size;
	return p;
}

/* Entries chained to one that will never be answered go with it. */
static void cancel_chained(struct pending *p)
{
	while (p->chained.head)
		p->chained.head->cancel(p->chained.head);
}

static void unlink_from_thread(struct pending *p)
{
	*(p->prev_in_thread ? &p->prev_in_thread->next_in_thread : &p->thread->pending) =
		p->next_in_thread;
	if (p->next_in_thread)
		p->next_in_thread->prev_in_thread = p->prev_in_thread;
	p->on->pending--;
	p->next_in_thread = p->prev_in_thread = NULL;
}

static void free_own(struct pending *p)
{
	p->thread->own_used &= (uint8_t)~(1u << p->place);
	p->ring = RING_PROGRAM;
	p->on = &p->thread->rings[RING_PROGRAM];
}

void pending_free(struct pending *p)
{
	pending_settle(p->thread);
	cancel_chained(p);
	unlink_from_thread(p);
	if (p->place == PENDING_HEAP)
		block_free(p, sizeof(*p), p->ledger);
	else
		free_own(p);
}

void pending_unlist(struct thread *t, unsigned ring)
{
	struct pending *p = t->pending;

	/* What is chained to it would be another; and its place may be a later entry's. The
	 * fast paths ask nobody whether a lease is still good. */
	if (!p || p->next_in_thread || p->place != 0 || p->ring != ring ||
	    p->on->sq_head - p->sq > RING_SQ_ENTRIES ||
	    p->cancel == endpoint_cancel_leased_receive)
		return;
	unlink_from_thread(p);
	t->own_used = 0;
	t->direct = p;
}

void pending_settle(struct thread *t)
{
	if (!t->direct)
		return;
	t->own_used = 1;
	link_to_thread(t->direct);
	t->direct = NULL;
}

void pending_complete(struct pending *p, const struct ring_cqe *from)
{
	struct ring_cqe cqe = *from;
	struct thread *t = p->thread;
	unsigned ring = p->ring;
	uint32_t sq = p->sq;

	cqe.user_data = p->user_data;
	ring_answer_chained(p, &cqe);
	pending_free(p);
	ring_post_answer(t, ring, sq, &cqe);
}

void pending_answer(struct pending *p, enum status status, const void *message, uint32_t size)
{
	struct ring_cqe cqe = {.status = (uint16_t)status};

	ring_write_results(p->thread, p->ring, p->results_address, p->results_size, message,
	                   size, &cqe);
	pending_complete(p, &cqe);
}

void pending_cancel_all(struct thread *t)
{
	pending_settle(t);
	while (t->pending)
		t->pending->cancel(t->pending);
}

struct pending *pending_of_entry(const struct thread *t, unsigned ring, uint32_t sq)
{
	struct pending *p = t->pending;

	while (p && (p->ring != ring || p->sq != sq))
		p = p->next_in_thread;
	return p;
}

void pending_append(struct pending_queue *q, struct pending *p)
{
	p->next = NULL;
	p->prev = q->tail;
	*(q->tail ? &q->tail->next : &q->head) = p;
	q->tail = p;
}

uint32_t pending_count(const struct pending_queue *q)
{
	uint32_t n = 0;

	for (const struct pending *p = q->head; p && n < PENDING_QUEUE_MOST; p = p->next)
		n++;
	return n;
}

void pending_unlink(struct pending_queue *q, struct pending *p)
{
	*(p->prev ? &p->prev->next : &q->head) = p->next;
	*(p->next ? &p->next->prev : &q->tail) = p->prev;
	p->next = p->prev = NULL;
}
