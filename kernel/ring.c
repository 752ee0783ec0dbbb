/* ring.c: see ring.h.
 *
 * An entry is copied before it is looked at. Every entry that is consumed gets
 * exactly one completion, now or later: none is consumed unless its completion
 * has a place, counting those still to come. */
#include "kernel/ring.h"

#include "abi/exception.capnp.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/domain.h"
#include "kernel/panic.h"
#include "kernel/park.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/string.h"
#include "kernel/trace.h"

/* The kernel's pointer to the thread's `address`: at least one byte, *room of
 * them. A ring reaches only its own half. NULL: not mapped that way. */
static void *reach(const struct thread *t, unsigned kind, uint64_t address, bool write,
                   size_t *room)
{
	const struct thread_ring *r = &t->rings[kind];
	const struct space *space;
	uint64_t offset = address - r->address;

	if (offset >= offsetof(struct ring, area) && offset < sizeof(struct ring)) {
		*room = sizeof(struct ring) - offset;
		return (char *)r->page + offset;
	}
	space = space_holding(t->process->space, address);
	if (!space || space_is_region(space) != (kind == RING_MODULE))
		return NULL;
	*room = PAGE_SIZE - address % PAGE_SIZE;
	return space_reach(space, address, write);
}

static enum status copy_in(const struct thread *t, unsigned kind, void *to,
                           uint64_t address, size_t size)
{
	while (size > 0) {
		size_t room;
		const void *from = reach(t, kind, address, false, &room);

		if (!from)
			return STATUS_FAULT;
		room = size < room ? size : room;
		memcpy(to, from, room);
		to = (char *)to + room;
		address += room;
		size -= room;
	}
	return STATUS_OK;
}

/* `from` NULL: only finds out whether it would succeed. */
static enum status copy_out(const struct thread *t, unsigned kind, uint64_t address,
                            const void *from, size_t size)
{
	while (size > 0) {
		size_t room;
		void *to = reach(t, kind, address, true, &room);

		if (!to)
			return STATUS_FAULT;
		room = size < room ? size : room;
		if (from) {
			memcpy(to, from, room);
			from = (const char *)from + room;
		}
		address += room;
		size -= room;
	}
	return STATUS_OK;
}

/* Completions that the thread has not consumed; more than the queue holds when
 * it has written nonsense to cq_head. */
static uint32_t unconsumed(const struct thread_ring *r)
{
	return r->cq_tail - __atomic_load_n(&r->page->cq_head, __ATOMIC_ACQUIRE);
}

static unsigned pending_count(const struct thread *t, unsigned kind)
{
	unsigned count = 0;

	for (const struct pending *p = t->pending; p; p = p->next_in_thread)
		count += p->ring == kind;
	return count;
}

static bool has_place(const struct thread *t, unsigned kind)
{
	uint32_t used = unconsumed(&t->rings[kind]);

	return used < RING_CQ_ENTRIES &&
	       used + pending_count(t, kind) < RING_CQ_ENTRIES;
}

static void post(struct thread *t, unsigned kind, const struct ring_cqe *cqe)
{
	struct thread_ring *r = &t->rings[kind];

	r->page->cq[r->cq_tail % RING_CQ_ENTRIES] = *cqe;
	r->cq_tail++;
	__atomic_store_n(&r->page->cq_tail, r->cq_tail, __ATOMIC_RELEASE);
	if (t->state == THREAD_WAITING && t->wait_ring == kind &&
	    unconsumed(r) >= t->wait_count)
		thread_wake(t, STATUS_OK);
}

/* Results to where they were asked for; a failure there shows in the status. */
static void answer(const struct thread *t, unsigned kind, struct uaddr address,
                   uint32_t room, const void *message, uint32_t size,
                   struct ring_cqe *cqe)
{
	enum status status = STATUS_OK;

	if (room == 0 || cqe->status)
		return;
	if (size > room)
		status = STATUS_TOO_SMALL;
	else
		status = copy_out(t, kind, address.v, message, size);
	cqe->status = (uint16_t)status;
	cqe->results_size = status ? 0 : size;
}

struct pending *pending_create(const struct call *call, void (*cancel)(struct pending *))
{
	struct ledger *ledger = call->domain->ledger;
	struct pending *p = block_alloc(ledger, sizeof(*p));

	if (!p)
		return NULL;
	p->thread = call->thread;
	p->ring = call->ring;
	p->user_data = call->user_data;
	p->results_address = call->results_address;
	p->results_size = call->results_size;
	p->ledger = ledger;
	p->cancel = cancel;
	trace_mark(&p->trace);
	p->next_in_thread = call->thread->pending;
	call->thread->pending = p;
	return p;
}

void pending_free(struct pending *p)
{
	struct pending **link = &p->thread->pending;

	while (*link != p)
		link = &(*link)->next_in_thread;
	*link = p->next_in_thread;
	block_free(p, sizeof(*p), p->ledger);
}

void pending_answer(struct pending *p, enum status status, const void *message,
                    uint32_t size)
{
	struct ring_cqe cqe = {.user_data = p->user_data, .status = (uint16_t)status};
	struct thread *t = p->thread;
	unsigned kind = p->ring;

	answer(t, kind, p->results_address, p->results_size, message, size, &cqe);
	trace_later(t, kind, &p->trace, &cqe, message);
	pending_free(p);
	post(t, kind, &cqe);
}

void pending_cancel_all(struct thread *t)
{
	while (t->pending)
		t->pending->cancel(t->pending);
}

void pending_append(struct pending_queue *q, struct pending *p)
{
	p->next = NULL;
	p->prev = q->tail;
	*(q->tail ? &q->tail->next : &q->head) = p;
	q->tail = p;
}

void pending_unlink(struct pending_queue *q, struct pending *p)
{
	*(p->prev ? &p->prev->next : &q->head) = p->next;
	*(p->next ? &p->next->prev : &q->tail) = p->prev;
}

/* No answer is longer than a message, however large the buffer is. */
static uint32_t results_room(const struct ring_sqe *sqe)
{
	return sqe->results_size < RING_MESSAGE_MAX ? sqe->results_size : RING_MESSAGE_MAX;
}

/* Finds the object and the capabilities that travel, and reads the params. */
static enum status decode_call(struct call *call, const struct ring_sqe *sqe,
                               struct object **target)
{
	struct cpu *cpu = this_cpu;
	enum status status;

	if (!call->domain)
		return STATUS_NO_CAP;
	*target = captable_lookup(&call->domain->table, sqe->cap);
	if (!*target)
		return STATUS_NO_CAP;
	if ((*target)->type->interface != sqe->interface)
		return STATUS_NO_METHOD;
	if (sqe->params_size > RING_MESSAGE_MAX || sqe->caps_count > RING_CAPS)
		return STATUS_INVALID;
	for (unsigned i = 0; i < sqe->caps_count; i++) {
		call->caps[i] = captable_lookup(&call->domain->table, sqe->caps[i]);
		if (!call->caps[i])
			return STATUS_NO_CAP;
	}
	call->caps_count = sqe->caps_count;
	status = copy_in(call->thread, call->ring, cpu->message, sqe->params, sqe->params_size);
	if (status)
		return status;
	trace_target(*target, cpu->message, sqe->params_size);
	if (copy_out(call->thread, call->ring, sqe->results, NULL, results_room(sqe)))
		return STATUS_FAULT;
	return capnp_read_root(cpu->message, sqe->params_size, &call->params);
}

/* The answer's capabilities get their places in the caller's table, which were
 * reserved before the method ran. */
static void insert_answer(struct call *call, struct ring_cqe *cqe)
{
	for (unsigned i = 0; i < call->out_count; i++)
		if (domain_insert(call->domain, call->out[i], &cqe->caps[i]))
			panic("a reserved capability slot is gone");
}

static void drop_answer(struct call *call)
{
	for (unsigned i = 0; i < call->out_count; i++)
		object_drop(call->out[i]);
	call->out_count = 0;
}

/* The object's own refusal: an Exception in place of results. */
static void answer_refusal(struct call *call, enum status status, struct ring_cqe *cqe)
{
	struct capnp_builder *b = &call->results;

	cqe->flags |= RING_EXCEPTION;
	capnp_builder_start(b, this_cpu->answer, RING_MESSAGE_MAX);
	exception_set_reason(exception_build(b), capnp_text_from(call->reason ? call->reason : ""));
	answer(call->thread, call->ring, call->results_address, call->results_size,
	       this_cpu->answer, (uint32_t)capnp_builder_size(b), cqe);
	cqe->status = (uint16_t)status;
}

static enum status serve_call(struct thread *t, unsigned kind, const struct ring_sqe *sqe,
                              struct ring_cqe *cqe)
{
	struct cpu *cpu = this_cpu;
	struct call call;
	struct object *target;
	enum status status;

	call.thread = t;
	call.domain = thread_domain(t, kind);
	call.ring = kind;
	call.method = sqe->method;
	call.user_data = sqe->user_data;
	call.results_address = (struct uaddr){sqe->results};
	call.results_size = sqe->results_size;
	call.out_count = 0;
	call.reason = NULL;
	status = decode_call(&call, sqe, &target);
	if (!status)
		status = domain_reserve(call.domain, RING_CAPS);
	if (status)
		return status;
	capnp_builder_start(&call.results, cpu->answer, RING_MESSAGE_MAX);
	object_hold(target);
	status = target->type->call(target, &call);
	object_drop(target);
	if (status == CALL_PENDING)
		return status;
	if (!status && call.results.status)
		status = call.results.status;
	if (status) {
		drop_answer(&call);
		answer_refusal(&call, status, cqe);
		return status;
	}
	insert_answer(&call, cqe);
	answer(t, kind, call.results_address, call.results_size, cpu->answer,
	       (uint32_t)capnp_builder_size(&call.results), cqe);
	return (enum status)cqe->status;
}

static enum status serve_release(struct thread *t, unsigned kind, uint32_t cap)
{
	struct domain *d = thread_domain(t, kind);
	struct object *o = d ? captable_remove(&d->table, cap) : NULL;

	if (!o)
		return STATUS_NO_CAP;
	object_drop(o);
	return STATUS_OK;
}

/* The u32 that threads park at: known by its place in physical memory. */
static enum status find_word(struct thread *t, unsigned kind, uint64_t address,
                             uint32_t **word)
{
	size_t room;

	if (address % sizeof(uint32_t))
		return STATUS_INVALID;
	*word = reach(t, kind, address, false, &room);
	return *word ? STATUS_OK : STATUS_FAULT;
}

static enum status serve(struct thread *t, unsigned kind, const struct ring_sqe *sqe,
                         struct ring_cqe *cqe)
{
	uint32_t *word;
	enum status status;

	switch (sqe->op) {
	case RING_NOP:
		return STATUS_OK;
	case RING_CALL:
		return serve_call(t, kind, sqe, cqe);
	case RING_RELEASE:
		return serve_release(t, kind, sqe->cap);
	case RING_PARK:
		status = find_word(t, kind, sqe->word, &word);
		return status ? status : park(t, kind, sqe, word);
	case RING_WAKE:
		status = find_word(t, kind, sqe->word, &word);
		if (!status)
			cqe->results_size = park_wake(word, sqe->expected);
		return status;
	default:
		return STATUS_INVALID;
	}
}

/* Consumes what is queued up to `tail`. False: the thread has ended, or goes on
 * as something else. */
static bool consume(struct thread *t, unsigned kind, uint32_t tail)
{
	struct thread_ring *r = &t->rings[kind];
	struct ring *page = r->page;

	while (r->sq_head != tail && has_place(t, kind)) {
		struct ring_sqe sqe = page->sq[r->sq_head % RING_SQ_ENTRIES];
		struct ring_cqe cqe = {.user_data = sqe.user_data};
		enum status status;

		__asm__ volatile("" ::: "memory"); /* no field is read again from the page */
		r->sq_head++;
		__atomic_store_n(&page->sq_head, r->sq_head, __ATOMIC_RELEASE);
		trace_entry(&sqe);
		status = serve(t, kind, &sqe, &cqe);
		if (t->state != THREAD_RUNNING || t->dying || r->page != page) {
			trace_unanswered(t, kind);
			return false;
		}
		if (status == CALL_PENDING) {
			trace_unanswered(t, kind);
			continue;
		}
		cqe.status = (uint16_t)status;
		trace_served(t, kind, &cqe, this_cpu->answer);
		post(t, kind, &cqe);
	}
	return true;
}

static void wait_expired(struct timeout *timeout)
{
	struct thread *t = (struct thread *)((char *)timeout -
	                                     offsetof(struct thread, wait_timeout));

	thread_wake(t, STATUS_TIMEOUT);
}

static void wait(struct thread *t, unsigned kind, uint32_t least, uint64_t timeout_ns)
{
	t->state = THREAD_WAITING;
	t->wait_ring = kind;
	t->wait_count = least;
	if (timeout_ns < UINT64_MAX / 2)
		timeout_set(&t->wait_timeout, clock_now() + timeout_ns, wait_expired);
}

void ring_enter(struct thread *t, unsigned kind, uint64_t least, uint64_t timeout_ns)
{
	struct thread_ring *r = &t->rings[kind];
	uint32_t tail;

	t->regs.rax = STATUS_OK;
	if (!r->page && kind == RING_PROGRAM)
		t->regs.rax = thread_add_program_ring(t);
	t->regs.rdx = r->address;
	if (t->regs.rax)
		return;
	tail = r->page ? __atomic_load_n(&r->page->sq_tail, __ATOMIC_ACQUIRE) : 0;
	if (!r->page || least > RING_CQ_ENTRIES || tail - r->sq_head > RING_SQ_ENTRIES) {
		t->regs.rax = STATUS_INVALID;
		return;
	}
	trace_enter(t, kind, least, timeout_ns);
	if (!consume(t, kind, tail))
		return;
	if (unconsumed(r) >= least)
		return;
	if (timeout_ns == 0)
		t->regs.rax = STATUS_TIMEOUT;
	else if (t->interrupted && kind == RING_MODULE)
		t->regs.rax = STATUS_INTERRUPTED;
	else
		wait(t, kind, (uint32_t)least, timeout_ns);
}
