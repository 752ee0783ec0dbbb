/* ring.c: see ring.h.
 *
 * An entry is copied before it is looked at. Every entry that is consumed gets
 * exactly one completion, now or later: none is consumed unless its completion
 * has a place, counting those still to come. */
#include "kernel/ring.h"

#include "core/ringindex.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/call.h"
#include "kernel/domain.h"
#include "kernel/ending.h"
#include "kernel/endpoint.h"
#include "kernel/leave.h"
#include "kernel/park.h"
#include "kernel/poll.h"
#include "kernel/process.h"
#include "kernel/reach.h"
#include "kernel/revoker.h"
#include "kernel/sched.h"
#include "kernel/trace.h"

static uint32_t unconsumed(const struct thread_ring *r)
{
	return ringindex_unconsumed(r->page, r->cq_tail);
}

bool ring_has(const struct thread_ring *r, uint32_t least)
{
	return unconsumed(r) >= least;
}

static bool has_place(const struct thread_ring *r)
{
	return ringindex_has_places(unconsumed(r), r->pending, 1);
}

static void post(struct thread *t, unsigned ring, const struct ring_cqe *cqe)
{
	struct thread_ring *r = &t->rings[ring];

	r->page->cq[r->cq_tail % RING_CQ_ENTRIES] = *cqe;
	r->cq_tail++;
	ringindex_posted(r->page, r->cq_tail);
	if (t->state == THREAD_WAITING && t->wait_ring == ring && --t->wait_more == 0)
		thread_wake(t, STATUS_OK);
	else if (t->state == THREAD_WAITING)
		sched_lend(endpoint_call_of(t)); /* for the next answer */
}

enum status ring_post(struct thread *t, unsigned ring, const struct ring_cqe *cqe)
{
	pending_settle(t);
	if (!t->rings[ring].page || !has_place(&t->rings[ring]))
		return STATUS_BUSY;
	trace_posted(t, ring, cqe);
	post(t, ring, cqe);
	return STATUS_OK;
}

/* An entry that is served in its own place, and what it was answered meanwhile. */
struct in_place {
	const struct thread *thread;
	unsigned ring;
	uint32_t sq;
	struct ring_cqe cqe;
};
static struct in_place *in_place;

const struct thread *ring_asker(void)
{
	return in_place ? in_place->thread : this_cpu->current;
}

void ring_post_answer(struct thread *t, unsigned ring, uint32_t sq, const struct ring_cqe *cqe)
{
	struct thread_ring *r = &t->rings[ring];

	trace_answered(t, ring, sq, cqe);
	if (r->sq_head - sq <= RING_SQ_ENTRIES) /* else its place is a later entry's */
		r->answered_at[sq % RING_SQ_ENTRIES] = (uint8_t)(r->cq_tail % RING_CQ_ENTRIES);
	if (in_place && in_place->thread == t && in_place->ring == ring && in_place->sq == sq)
		in_place->cqe = *cqe;
	post(t, ring, cqe);
}

void ring_write_results(const struct thread *t, unsigned ring, struct uaddr address,
                        uint32_t room, const void *message, uint32_t size,
                        struct ring_cqe *cqe)
{
	enum status status = STATUS_OK;

	if (room == 0 || cqe->status)
		return;
	if (size > room)
		status = STATUS_TOO_SMALL;
	else
		status = reach_out(t, ring, address.v, message, size);
	cqe->status = (uint16_t)status;
	cqe->results_size = status ? 0 : size;
}

static enum status serve_release(struct thread *t, unsigned ring, uint32_t cap)
{
	struct domain *d = thread_domain(t, ring);
	struct object *o = d ? captable_remove(&d->table, cap) : NULL;

	if (!o)
		return STATUS_NO_CAP;
	object_drop(o);
	return STATUS_OK;
}

/* The youngest of the ring's open entries with that user data. */
static enum status serve_cancel(struct thread *t, unsigned ring, uint64_t target)
{
	struct pending *p = t->pending;
	struct ring_cqe cqe = {.user_data = target, .status = STATUS_CANCELLED};
	uint32_t sq;

	while (p && (p->ring != ring || p->user_data != target))
		p = p->next_in_thread;
	if (!p)
		return STATUS_NOT_FOUND;
	sq = p->sq;
	ring_answer_chained(p, &cqe);
	p->cancel(p);
	ring_post_answer(t, ring, sq, &cqe);
	return STATUS_OK;
}

static enum status serve_post(struct thread *t, unsigned ring, const struct ring_sqe *sqe)
{
	struct domain *d = thread_domain(t, ring);
	struct ring_cqe cqe = {
		.user_data = sqe->target,
		.flags = RING_POSTED,
		.results_size = sqe->expected,
	};
	struct object *o;

	if (sqe->cap == 0)
		return ring_post(t, ring, &cqe);
	o = d ? captable_lookup(&d->table, sqe->cap) : NULL;
	o = o ? object_resolve(o) : NULL;
	if (!o || o->type != &thread_type)
		return STATUS_NO_CAP;
	t = (struct thread *)((char *)o - offsetof(struct thread, object));
	if (t->state == THREAD_ENDED)
		return STATUS_GONE;
	return ring_post(t, t->process->space->module ? RING_MODULE : RING_PROGRAM, &cqe);
}

static enum status serve(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                         struct ring_cqe *cqe)
{
	switch (sqe->op) {
	case RING_NOP:
		return STATUS_OK;
	case RING_CALL:
		return call_serve(t, ring, sqe, cqe);
	case RING_RELEASE:
		return serve_release(t, ring, sqe->cap);
	case RING_PARK:
		return park(t, ring, sqe);
	case RING_WAKE:
		return park_wake(t, ring, sqe, &cqe->results_size);
	case RING_RECV:
	case RING_RETURN:
	case RING_SERVE:
		return endpoint_serve(t, ring, sqe);
	case RING_CANCEL:
		return serve_cancel(t, ring, sqe->target);
	case RING_POST:
		return serve_post(t, ring, sqe);
	default:
		return STATUS_INVALID;
	}
}

/* -- chained entries ------------------------------------------------------------- */

/* Chained entries whose answer has come; served before the exokernel is left. */
struct pending_queue ring_chained_ready;

static void chained_free(struct pending *p)
{
	block_free(p->chain.sqe, sizeof(*p->chain.sqe), p->chain.ledger);
	pending_free(p);
}

static void chained_cancel(struct pending *p)
{
	pending_unlink(p->chain.queue, p);
	chained_free(p);
}

static void chained_append(struct pending_queue *q, struct pending *p)
{
	p->chain.queue = q;
	pending_append(q, p);
}

static void chained_move(struct pending_queue *to, struct pending_queue *from)
{
	while (from->head) {
		struct pending *p = from->head;

		pending_unlink(from, p);
		chained_append(to, p);
	}
}

static enum status chained_wait(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                                struct pending *on)
{
	struct domain *d = thread_domain(t, ring);
	struct pending *p;
	struct ring_sqe *copy;

	if (!d)
		return STATUS_NO_CAP;
	copy = block_alloc(d->ledger, sizeof(*copy));
	if (!copy)
		return STATUS_NO_MEMORY;
	p = pending_create_for(t, ring, sqe, chained_cancel);
	if (!p) {
		block_free(copy, sizeof(*copy), d->ledger);
		return STATUS_NO_MEMORY;
	}
	*copy = *sqe;
	p->chain = (struct pending_chained){
		.sqe = copy,
		.ledger = d->ledger,
		.results = on->results_address,
	};
	chained_append(&on->chained, p);
	return CALL_PENDING;
}

/* The capability that field `field` of the answer's root names. */
static enum status chained_target(const struct thread *t, unsigned ring,
                                  const struct ring_cqe *earlier, uint64_t results,
                                  uint32_t field, uint32_t *cap)
{
	struct capnp_struct root;
	uint32_t index;
	enum status status = (enum status)earlier->status;

	if (status)
		return status < STATUS_COUNT ? status : STATUS_INVALID;
	if (earlier->results_size > RING_MESSAGE_MAX)
		return STATUS_INVALID;
	status = reach_in(t, ring, this_cpu->message, results, earlier->results_size);
	if (!status)
		status = capnp_read_root(this_cpu->message, earlier->results_size, &root);
	if (!status)
		status = capnp_get_capability(&root, field, &index);
	if (!status && index >= RING_CAPS)
		status = STATUS_NO_CAP;
	if (!status)
		*cap = earlier->caps[index];
	return status;
}

/* The thread may have written to the earlier entry and its completion since: it
 * then names another capability of its own, as it might have done directly. */
static enum status serve_chained(struct thread *t, unsigned ring, struct ring_sqe *sqe,
                                 struct ring_cqe *cqe)
{
	struct thread_ring *r = &t->rings[ring];
	uint32_t back = sqe->cap & 0xff;
	uint32_t sq = r->serving - back;
	uint8_t at = r->answered_at[sq % RING_SQ_ENTRIES];
	struct ring_cqe earlier;
	struct pending *on;
	enum status status;

	if (back == 0 || back >= RING_SQ_ENTRIES)
		return STATUS_INVALID;
	on = pending_of_entry(t, ring, sq); /* the fast paths leave answered_at as it was */
	if (on)
		return chained_wait(t, ring, sqe, on);
	if (at == RING_NOT_ANSWERED)
		return STATUS_NOT_FOUND;
	earlier = r->page->cq[at % RING_CQ_ENTRIES];
	__asm__ volatile("" ::: "memory"); /* nothing of it is read again from the page */
	status = chained_target(t, ring, &earlier, r->page->sq[sq % RING_SQ_ENTRIES].results,
	                        sqe->cap >> 8, &sqe->cap);
	return status ? status : serve(t, ring, sqe, cqe);
}

static void chained_answered(struct pending_queue *q, const struct ring_cqe *cqe)
{
	for (struct pending *p = q->head; p; p = p->next) {
		p->chain.earlier = *cqe;
		leave_chores = true;
	}
	chained_move(&ring_chained_ready, q);
}

void ring_answer_chained(struct pending *p, const struct ring_cqe *cqe)
{
	chained_answered(&p->chained, cqe);
}

/* As if the entry were consumed now, in its own place: an entry that it makes
 * wait again takes over what is chained to it. False: the thread is no more what
 * it was, and its records are gone. */
static bool serve_in_place(struct thread *t, unsigned ring, uint32_t sq, struct ring_sqe *sqe,
                           struct ring_cqe *cqe)
{
	struct thread_ring *r = &t->rings[ring];
	struct ring *page = r->page;

	r->serving = sq;
	r->pending++;
	trace_entry(t, ring, sq, sqe);
	cqe->status = (uint16_t)serve(t, ring, sqe, cqe);
	if (t->state == THREAD_ENDED || r->page != page)
		return false;
	r->pending--;
	return true;
}

/* Entries chained to one that is to be answered later; or was, while it was served. */
static void await_further(const struct in_place *served, struct pending_queue *further)
{
	struct pending *on = pending_of_entry(served->thread, served->ring, served->sq);

	if (on)
		chained_move(&on->chained, further);
	else
		chained_answered(further, &served->cqe);
}

static void serve_ready(struct pending *p)
{
	struct thread *t = p->thread;
	unsigned ring = p->ring;
	struct ring_sqe sqe = *p->chain.sqe;
	struct ring_cqe cqe = {.user_data = sqe.user_data};
	uint32_t sq = p->sq;
	enum status status = t->dying ? STATUS_GONE : /* killed, and ends later */
		chained_target(t, ring, &p->chain.earlier, p->chain.results.v, sqe.cap >> 8,
		               &sqe.cap);
	struct pending_queue further = {0};
	struct in_place place = {.thread = t, .ring = ring, .sq = sq};

	chained_move(&further, &p->chained);
	chained_free(p);
	cqe.status = (uint16_t)status;
	object_hold(&t->object);
	in_place = &place;
	if (status || serve_in_place(t, ring, sq, &sqe, &cqe)) {
		in_place = NULL;
		if (cqe.status == (uint16_t)CALL_PENDING) {
			trace_unanswered(t);
			await_further(&place, &further);
		} else {
			chained_answered(&further, &cqe);
			ring_post_answer(t, ring, sq, &cqe);
		}
	}
	in_place = NULL;
	object_drop(&t->object);
}

void ring_serve_ready(void)
{
	while (ring_chained_ready.head && ending_left > 0) {
		struct pending *p = ring_chained_ready.head;

		pending_unlink(&ring_chained_ready, p);
		serve_ready(p);
	}
	leave_chores |= ring_chained_ready.head != NULL;
}

/* -- cap_enter -------------------------------------------------------------------- */

bool ring_may_pause(void)
{
	return !in_place || in_place->ring == RING_KINDS;
}

enum status ring_pause(struct thread *t, unsigned ring, uint64_t done)
{
	struct thread_ring *r = &t->rings[ring];

	r->paused_at = r->serving;
	r->paused_done = done;
	r->again += !r->again && !in_place;
	return CALL_PAUSED;
}

/* Others may let something end all the time: nobody waits for ever. */
enum { AGAIN_MOST = 4096, AGAIN_ELSEWHERE = 255 };

bool ring_is_to_wait(const struct call *call, const struct ledger *l)
{
	return !in_place && call->thread->rings[call->ring].again < AGAIN_MOST &&
	       ending_concerns(l);
}

/* One that is served otherwise than where it stands has to be answered now. */
bool ring_is_made_again(const struct thread_ring *r)
{
	return !in_place && ((ending_awaited == ENDING_HERE && r->again < AGAIN_MOST) ||
	                     (ending_awaited == ENDING_ELSEWHERE && r->again < AGAIN_ELSEWHERE));
}

/* The entry was refused, for want of what something that ends still has (ending.h),
 * and changed nothing. A SERVE may have answered. */
__attribute__((cold))
static bool is_to_be_repeated(struct thread_ring *r, const struct ring_sqe *sqe)
{
	bool again = sqe->op != RING_SERVE && ring_is_made_again(r);

	ending_awaited = ENDING_NONE;
	r->again += again && r->again < AGAIN_MOST;
	return again;
}

/* An entry that was made again is done. A later one of its number is not to go on where
 * it paused. */
__attribute__((cold, noinline)) static void forget_again(struct thread_ring *r)
{
	r->again = 0;
	r->paused_done = 0;
}

/* Makes the system call again, when the thread next runs: others may come first. */
__attribute__((cold))
static void enter_again(struct thread *t, uint64_t least, uint64_t timeout_ns)
{
	ending_go_on(ENDING_WORK);
	t->regs.rip -= 2; /* of `syscall`, and of `int` */
	t->regs.rax = SYS_CAP_ENTER;
	t->regs.rdi = least;
	t->regs.rsi = timeout_ns;
	t->regs.full = 1;
}

enum consumed {
	CONSUMED_ALL,  /* or all that there are places for */
	CONSUMED_LAST, /* the thread has ended, or goes on as something else */
	CONSUMED_NOT,  /* an entry is to be served, maybe once more, later */
};

/* Consumes what is queued up to `tail`. */
static enum consumed consume(struct thread *t, unsigned ring, uint32_t tail)
{
	struct thread_ring *r = &t->rings[ring];
	struct ring *page = r->page;

	while (r->sq_head != tail && has_place(r)) {
		uint32_t sq = r->sq_head;
		struct ring_sqe sqe = page->sq[sq % RING_SQ_ENTRIES];
		struct ring_cqe cqe = {.user_data = sqe.user_data};
		enum status status;

		__asm__ volatile("" ::: "memory"); /* no field is read again from the page */
		r->serving = sq;
		r->sq_head = sq + 1;
		r->answered_at[sq % RING_SQ_ENTRIES] = RING_NOT_ANSWERED;
		r->pending++; /* keeps its place from what is posted meanwhile */
		trace_entry(t, ring, sq, &sqe);
		status = sqe.op == RING_CALL && sqe.chained ?
			serve_chained(t, ring, &sqe, &cqe) : serve(t, ring, &sqe, &cqe);
		if (t->state != THREAD_RUNNING || t->dying || t->left || r->page != page) {
			trace_unanswered(t);
			return CONSUMED_LAST;
		}
		r->pending--;
		if (status == CALL_PAUSED ||
		    (status == STATUS_NO_MEMORY && is_to_be_repeated(r, &sqe))) {
			r->sq_head = sq;
			return CONSUMED_NOT;
		}
		ringindex_consumed(page, sq + 1); /* not before: who is polled may fill its place */
		if (__builtin_expect(r->again | r->paused_done, 0))
			forget_again(r);
		if (status == CALL_PENDING) {
			trace_unanswered(t);
			continue;
		}
		cqe.status = (uint16_t)status;
		ring_post_answer(t, ring, sq, &cqe);
		if (r->sq_head != tail && ending_left <= 0) {
			r->again = !in_place;
			return CONSUMED_NOT;
		}
	}
	return CONSUMED_ALL;
}

bool ring_poll(struct thread *t, unsigned ring)
{
	struct in_place nowhere = {.thread = t, .ring = RING_KINDS};
	struct thread_ring *r = &t->rings[ring];
	uint32_t sq = r->sq_head, queued = ringindex_queued(r->page, sq);
	bool more;

	if (queued > RING_SQ_ENTRIES)
		return false;
	in_place = &nowhere;
	more = consume(t, ring, sq + queued) == CONSUMED_NOT;
	in_place = NULL;
	return more || r->sq_head != sq;
}

static void wait_expired(struct timeout *timeout)
{
	struct thread *t = (struct thread *)((char *)timeout -
	                                     offsetof(struct thread, wait_timeout));

	thread_wake(t, STATUS_TIMEOUT);
}

static void wait(struct thread *t, unsigned ring, uint32_t more, uint64_t timeout_ns)
{
	t->state = THREAD_WAITING;
	t->wait_ring = ring;
	t->wait_more = more;
	if (timeout_ns < UINT64_MAX / 2)
		timeout_set(&t->wait_timeout, clock_now() + timeout_ns, wait_expired);
	else if (more == 1 && !t->regs.full)
		pending_unlist(t, ring);
	sched_lend(endpoint_call_of(t));
}

/* A program's thread gets its ring when it first asks. */
static bool need_ring(struct thread *t, unsigned ring)
{
	t->regs.rax = ring == RING_PROGRAM ? thread_add_program_ring(t) : STATUS_INVALID;
	t->regs.rdx = t->rings[ring].address;
	return t->regs.rax == STATUS_OK;
}

void ring_enter(struct thread *t, unsigned ring, uint64_t least, uint64_t timeout_ns)
{
	struct thread_ring *r = &t->rings[ring];
	uint32_t queued, done;

	if (!r->page && !need_ring(t, ring))
		return;
	t->regs.rax = STATUS_OK;
	t->regs.rdx = r->address;
	if (!r->again)
		trace_enter(t, ring, least, timeout_ns);
	if (t->asleep)
		poll_wake(t);
	queued = ringindex_queued(r->page, r->sq_head);
	if (least > RING_CQ_ENTRIES || queued > RING_SQ_ENTRIES) {
		t->regs.rax = STATUS_INVALID;
		return;
	}
	switch (consume(t, ring, r->sq_head + queued)) {
	case CONSUMED_ALL:
		r->again = 0; /* also if what was to be served has no place now, or is no more there */
		break;
	case CONSUMED_NOT:
		enter_again(t, least, timeout_ns);
		return;
	default:
		return;
	}
	done = unconsumed(r); /* once: others may write to the page */
	if (done >= least)
		return;
	if (timeout_ns == 0)
		t->regs.rax = STATUS_TIMEOUT;
	else if (t->interrupted)
		t->regs.rax = STATUS_INTERRUPTED;
	else
		wait(t, ring, (uint32_t)least - done, timeout_ns);
}
