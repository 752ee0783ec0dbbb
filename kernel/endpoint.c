/* endpoint.c: see endpoint.h. All of this is exclusive (lock.h); the direct way
 * from a caller to a receiver that waits is fastpath.c's. */
#include "kernel/endpoint.h"

#include "abi/endpoint.capnp.h"
#include "kernel/domain.h"
#include "kernel/ending.h"
#include "kernel/panic.h"
#include "kernel/reach.h"
#include "kernel/revoker.h"
#include "kernel/ring.h"
#include "kernel/sched.h"
#include "kernel/transfer.h"

enum { CALLS_MAX = 1024 }; /* waiting at one endpoint */

struct object *endpoint_create(struct ledger *ledger)
{
	struct endpoint *e = block_alloc(ledger, sizeof(*e));

	if (!e)
		return NULL;
	object_init(&e->object, &endpoint_type);
	e->ledger = ledger;
	return &e->object;
}

static void free_if_unused(struct endpoint *e)
{
	if (e->closed && e->facets == 0)
		block_free(e, sizeof(*e), e->ledger);
}

static void facet_free(struct facet *f)
{
	struct endpoint *e = f->endpoint;

	block_free(f, sizeof(*f), f->ledger);
	e->facets--;
	free_if_unused(e);
}

static enum status facet_create(struct endpoint *e, struct ledger *ledger, uint64_t interface,
                                uint64_t badge, struct facet **out)
{
	struct facet *f = block_alloc(ledger, sizeof(*f));

	if (!f)
		return STATUS_NO_MEMORY;
	object_init(&f->object, &facet_type);
	f->endpoint = e;
	f->interface = interface;
	f->badge = badge;
	f->ledger = ledger;
	e->facets++;
	*out = f;
	return STATUS_OK;
}

/* -- a call's record ---------------------------------------------------------------- */

static void drop_transfer(struct pending *c, bool undo)
{
	if (!c->call.transfer)
		return;
	if (undo)
		transfer_undo(c->call.transfer);
	block_free(c->call.transfer, sizeof(*c->call.transfer), c->call.transfer_ledger);
	c->call.transfer = NULL;
}

/* Off the endpoint's queue, with what was kept for it there. */
static void dequeue_call(struct pending *c, bool undo)
{
	struct facet *f = c->call.facet;

	pending_unlink(&f->endpoint->calls, c);
	f->endpoint->waiting--;
	drop_transfer(c, undo);
	c->call.facet = NULL;
	object_drop(&f->object);
}

/* A queued call ends without having been received. */
static void refuse_call(struct pending *c, enum status status)
{
	dequeue_call(c, true);
	sched_give_back(c);
	pending_answer(c, status, NULL, 0);
}

void endpoint_cancel_call(struct pending *c)
{
	if (c->call.server)
		c->call.served->call = SERVED_GONE;
	else
		dequeue_call(c, true);
	sched_give_back(c);
	pending_free(c);
}

static void take_slot(struct thread *t, unsigned ring, unsigned slot)
{
	uint16_t bit = (uint16_t)(1u << slot);

	t->slots_used |= bit;
	t->slots_program &= (uint16_t)~bit;
	if (ring == RING_PROGRAM)
		t->slots_program |= bit;
}

static void free_slot(struct thread *t, struct served *served)
{
	served->call = NULL;
	t->slots_used &= (uint16_t)~(1u << (served - t->served));
}

void endpoint_cancel_receive(struct pending *r)
{
	struct endpoint *e = r->receive.endpoint;

	pending_unlink(&e->receivers, r);
	free_slot(r->thread, r->receive.served);
	pending_free(r);
}

void endpoint_cancel_leased_receive(struct pending *r)
{
	struct object *lease = r->receive.lease;

	endpoint_cancel_receive(r);
	object_drop(lease);
}

/* What it came through, or NULL. */
static struct object *lease_of(const struct pending *r)
{
	return r->cancel == endpoint_cancel_leased_receive ? r->receive.lease : NULL;
}

/* -- caller and receiver meet --------------------------------------------------------- */

/* The receiver has its completion. */
static void complete_receive(struct pending *r, struct ring_cqe *cqe)
{
	struct endpoint *e = r->receive.endpoint;
	struct object *lease = lease_of(r);

	pending_unlink(&e->receivers, r);
	pending_complete(r, cqe);
	if (lease)
		object_drop(lease);
}

static void fail_receive(struct pending *r, enum status status)
{
	struct ring_cqe cqe = {.status = (uint16_t)status};

	free_slot(r->thread, r->receive.served);
	complete_receive(r, &cqe);
}

static void forget_server(struct endpoint *e)
{
	struct thread *t = e->server;

	e->server = NULL;
	if (!t)
		return;
	link_remove(&e->served);
	object_drop(&t->object);
}

static void note_server(struct endpoint *e, struct thread *t)
{
	if (e->server == t)
		return;
	object_hold(&t->object);
	forget_server(e);
	e->server = t;
	link_append(&t->serves, &e->served);
}

/* The header and the params. TOO_SMALL, or FAULT: *callers tells whose. */
static enum status copy_call(const struct pending *c, const struct pending *r, unsigned caps,
                             bool *callers)
{
	struct ring_received header = {
		.token = r->receive.served->token,
		.badge = c->call.facet->badge,
		.interface = c->call.facet->interface,
		.method = c->call.method,
		.caps_count = (uint16_t)caps,
		.params_size = c->call.params_size,
	};
	struct reached to = {r->thread, r->ring, r->results_address.v + sizeof(header)};
	struct reached from = {c->thread, c->ring, c->call.params.v};

	if (sizeof(header) + c->call.params_size > r->results_size)
		return STATUS_TOO_SMALL;
	*callers = false;
	if (reach_out(r->thread, r->ring, r->results_address.v, &header, sizeof(header)))
		return STATUS_FAULT;
	return reach_across(to, from, c->call.params_size, callers);
}

/* The oldest receiver gets the call. Either may turn out to be unable to: it is
 * then told why and is off its queue. */
static void deliver(struct pending *c, struct pending *r)
{
	struct thread *server = r->thread;
	struct transfer *x = c->call.transfer;
	struct facet *f = c->call.facet;
	struct served *served = r->receive.served;
	struct ring_cqe cqe = {0};
	bool callers = true;
	enum status status;

	served->token += RING_SERVED;
	status = copy_call(c, r, x ? x->count : 0, &callers);
	if (status == STATUS_FAULT && !callers) {
		fail_receive(r, STATUS_FAULT);
		return;
	}
	if (!status && x)
		status = transfer_give(x, thread_domain(server, r->ring), cqe.caps);
	if (status) {
		refuse_call(c, status);
		return;
	}
	note_server(r->receive.endpoint, server);
	object_hold(&f->object); /* its end would look for a receiver, and find this one */
	cqe.results_size = (uint32_t)sizeof(struct ring_received) + c->call.params_size;
	dequeue_call(c, false);
	served->call = c;
	c->call.server = server;
	c->call.served = served;
	complete_receive(r, &cqe);
	if (c->thread->borrower != server)
		sched_give_back(c); /* it was lent to who received before */
	sched_help(server);
	object_drop(&f->object);
}

/* The server hears that nobody can call the facet any more. */
static void deliver_gone(struct endpoint *e, struct pending *r)
{
	struct facet *f = e->gone;
	struct ring_received header = {.badge = f->badge};
	struct ring_cqe cqe = {.results_size = sizeof(header)};

	if (reach_out(r->thread, r->ring, r->results_address.v, &header, sizeof(header))) {
		fail_receive(r, STATUS_FAULT);
		return;
	}
	e->gone = f->next_gone;
	facet_free(f);
	free_slot(r->thread, r->receive.served);
	complete_receive(r, &cqe);
}

/* Held by the caller. Who waits by a lease that was revoked since gets nothing. */
static void match(struct endpoint *e)
{
	struct pending *r;

	while ((r = e->receivers.head) && (e->gone || e->calls.head)) {
		if (lease_of(r) && !object_resolve(lease_of(r)))
			fail_receive(r, STATUS_GONE);
		else if (e->gone)
			deliver_gone(e, r);
		else
			deliver(e->calls.head, r);
	}
}

/* -- CALL ------------------------------------------------------------------------------ */

static void enqueue_by_priority(struct pending_queue *q, struct pending *p, unsigned priority)
{
	struct pending *before = q->tail;

	p->call.priority = (uint8_t)priority;
	while (before && before->call.priority < priority)
		before = before->prev;
	p->prev = before;
	p->next = before ? before->next : q->head;
	*(p->prev ? &p->prev->next : &q->head) = p;
	*(p->next ? &p->next->prev : &q->tail) = p;
}

void endpoint_raise_call(struct pending *c, unsigned priority)
{
	struct pending_queue *q = &c->call.facet->endpoint->calls;

	if (priority <= c->call.priority)
		return;
	pending_unlink(q, c);
	enqueue_by_priority(q, c, priority);
}

static enum status keep_caps(struct pending *c, const struct call *call,
                             const struct ring_sqe *sqe)
{
	struct ledger *ledger = call->domain->ledger;
	struct transfer *x;
	enum status status;

	c->call.transfer = NULL;
	if (!sqe->caps_count && !sqe->caps_move)
		return STATUS_OK;
	x = block_alloc(ledger, sizeof(*x));
	if (!x)
		return STATUS_NO_MEMORY;
	status = transfer_take(x, call->domain, sqe->caps, sqe->caps_count, sqe->caps_move);
	if (status) {
		block_free(x, sizeof(*x), ledger);
		return status;
	}
	c->call.transfer = x;
	c->call.transfer_ledger = ledger;
	return STATUS_OK;
}

enum status facet_call(struct facet *f, const struct call *call, const struct ring_sqe *sqe)
{
	struct endpoint *e = f->endpoint;
	enum status status;
	struct pending *c;

	if (f->interface != sqe->interface)
		return STATUS_NO_METHOD;
	if (sqe->params_size > RING_MESSAGE_MAX || sqe->params_size % 8)
		return STATUS_INVALID;
	if (e->closed)
		return STATUS_GONE;
	if (e->waiting == CALLS_MAX)
		return STATUS_BUSY;
	c = pending_create(call, endpoint_cancel_call);
	if (!c)
		return STATUS_NO_MEMORY;
	status = keep_caps(c, call, sqe);
	if (status) {
		pending_free(c);
		return status;
	}
	object_hold(&f->object);
	c->call.facet = f;
	c->call.params = (struct uaddr){sqe->params};
	c->call.params_size = sqe->params_size;
	c->call.method = sqe->method;
	c->call.server = NULL;
	enqueue_by_priority(&e->calls, c, sched_priority(call->thread));
	e->waiting++;
	object_hold(&e->object);
	match(e);
	object_drop(&e->object);
	return CALL_PENDING;
}

/* -- RECV, RETURN, SERVE ---------------------------------------------------------------- */

static enum status find_endpoint(struct object *named, struct endpoint **out)
{
	struct object *o;

	if (!named)
		return STATUS_NO_CAP;
	o = object_resolve(named);
	if (!o)
		return STATUS_GONE;
	if (o->type != &endpoint_type)
		return STATUS_NO_METHOD;
	*out = (struct endpoint *)o;
	return STATUS_OK;
}

static enum status receive(struct thread *t, unsigned ring, const struct ring_sqe *sqe)
{
	const struct domain *d = thread_domain(t, ring);
	struct object *named = d ? captable_lookup(&d->table, sqe->cap) : NULL;
	unsigned slot = (unsigned)__builtin_ctz(~(unsigned)t->slots_used);
	struct endpoint *e;
	struct pending *r;
	enum status status = find_endpoint(named, &e);

	if (status)
		return status;
	if (sqe->results_size < sizeof(struct ring_received))
		return STATUS_TOO_SMALL;
	if (sqe->results % 8)
		return STATUS_INVALID;
	if (slot >= RING_SERVED || pending_count(&e->receivers) == PENDING_QUEUE_MOST)
		return STATUS_BUSY;
	r = pending_create_for(t, ring, sqe, endpoint_cancel_receive);
	if (!r)
		return STATUS_NO_MEMORY;
	take_slot(t, ring, slot);
	r->receive = (struct pending_receive){.endpoint = e, .served = &t->served[slot]};
	if (named != &e->object) {
		object_hold(named);
		r->receive.lease = named;
		r->cancel = endpoint_cancel_leased_receive;
	}
	pending_append(&e->receivers, r);
	object_hold(&e->object);
	match(e);
	object_drop(&e->object);
	return CALL_PENDING;
}

/* The slot that the token names. NOT_FOUND: none that is to be answered by this
 * ring. A program could guess what its module has received. */
static enum status find_served(const struct thread *t, unsigned ring, uint64_t token,
                               unsigned *slot)
{
	bool programs;

	*slot = token % RING_SERVED;
	programs = t->slots_program >> *slot & 1;
	if (!t->served[*slot].call || t->served[*slot].token != token ||
	    programs != (ring == RING_PROGRAM))
		return STATUS_NOT_FOUND;
	return STATUS_OK;
}

/* The answer's message, to the caller. FAULT is the server's own; what is the
 * caller's shows in cqe. */
static enum status copy_answer(const struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                               const struct pending *c, struct ring_cqe *cqe)
{
	struct reached to = {c->thread, c->ring, c->results_address.v};
	struct reached from = {t, ring, sqe->params};
	enum status status = STATUS_OK;
	bool own;

	if (c->results_size == 0 || sqe->params_size == 0)
		return STATUS_OK;
	if (sqe->params_size > c->results_size)
		status = STATUS_TOO_SMALL;
	else if (reach_across(to, from, sqe->params_size, &own)) {
		if (own)
			return STATUS_FAULT;
		status = STATUS_FAULT;
	}
	cqe->results_size = status ? 0 : sqe->params_size;
	/* An exception that does not fit is one without words. */
	if (status && !cqe->status)
		cqe->status = (uint16_t)status;
	return STATUS_OK;
}

static enum status return_caps(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                               const struct pending *c, struct ring_cqe *cqe)
{
	struct transfer x;
	enum status status;

	if (!sqe->caps_how)
		return STATUS_OK;
	status = transfer_take(&x, thread_domain(t, ring), sqe->caps, sqe->caps_count,
	                       sqe->caps_move);
	if (status)
		return status;
	if (cqe->status) { /* the caller cannot have them without their message */
		transfer_undo(&x);
		return STATUS_OK;
	}
	status = transfer_give(&x, thread_domain(c->thread, c->ring), cqe->caps);
	if (status) {
		transfer_undo(&x);
		cqe->status = (uint16_t)status;
		cqe->results_size = 0;
	}
	return STATUS_OK;
}

/* INVALID, NOT_FOUND, FAULT and NO_CAP leave the call unanswered. GONE: nobody
 * waits for the answer any more. */
static enum status answer(struct thread *t, unsigned ring, const struct ring_sqe *sqe)
{
	struct ring_cqe cqe = {
		.status = sqe->status,
		.flags = sqe->status ? RING_EXCEPTION : 0,
	};
	struct pending *c;
	unsigned slot;
	enum status status = find_served(t, ring, sqe->token, &slot);

	if (status)
		return status;
	c = t->served[slot].call == SERVED_GONE ? NULL : t->served[slot].call;
	if (sqe->status >= STATUS_COUNT || sqe->params_size > RING_MESSAGE_MAX ||
	    (sqe->status && sqe->caps_how))
		return STATUS_INVALID;
	if (c) {
		status = copy_answer(t, ring, sqe, c, &cqe);
		if (!status)
			status = return_caps(t, ring, sqe, c, &cqe);
		if (status)
			return status;
	}
	free_slot(t, &t->served[slot]);
	if (!c)
		return STATUS_GONE;
	sched_give_back(c);
	pending_complete(c, &cqe);
	return STATUS_OK;
}

enum status endpoint_serve(struct thread *t, unsigned ring, const struct ring_sqe *sqe)
{
	enum status status = STATUS_OK;

	if (sqe->op == RING_RECV)
		return receive(t, ring, sqe);
	if (sqe->op == RING_RETURN)
		return answer(t, ring, sqe);
	if (sqe->token)
		status = answer(t, ring, sqe);
	return status && status != STATUS_GONE ? status : receive(t, ring, sqe);
}

/* -- lives and deaths -------------------------------------------------------------------- */

struct pending *endpoint_call_of(const struct thread *t)
{
	struct pending *p = t->direct ? t->direct : t->pending;

	while (p && p->cancel != endpoint_cancel_call)
		p = p->next_in_thread;
	return p;
}

void endpoint_thread_end(struct thread *t)
{
	for (unsigned slot = 0; slot < RING_SERVED; slot++) {
		struct pending *c = t->served[slot].call;

		if (!c || c == SERVED_GONE)
			continue;
		sched_give_back(c);
		free_slot(t, &t->served[slot]);
		c->call.server = NULL;
		pending_answer(c, STATUS_GONE, NULL, 0);
	}
}

static enum status call_facet(struct endpoint *e, struct call *call)
{
	struct endpoint_facet_params_reader params = {call->params};
	uint64_t interface = endpoint_facet_params_get_interface(params);
	struct facet *f;
	enum status status;

	if (interface == 0)
		return call_refuse(call, STATUS_INVALID, "interface 0 is no interface");
	status = facet_create(e, call->domain->ledger, interface,
	                      endpoint_facet_params_get_badge(params), &f);
	if (status)
		return status;
	endpoint_facet_results_set_facet(endpoint_facet_results_build(&call->results),
	                                 call_answer_cap(call, &f->object));
	return STATUS_OK;
}

static enum status endpoint_call(struct object *o, struct call *call)
{
	struct endpoint *e = (struct endpoint *)o;
	struct endpoint_info_results_builder info;

	switch (call->method) {
	case ENDPOINT_FACET:
		return call_facet(e, call);
	case ENDPOINT_INFO:
		info = endpoint_info_results_build(&call->results);
		endpoint_info_results_set_waiting(info, e->waiting);
		endpoint_info_results_set_receivers(info, pending_count(&e->receivers));
		return STATUS_OK;
	default:
		return STATUS_NO_METHOD;
	}
}

/* Waking somebody takes as long as a few pages do. */
enum { WORK_WAKE = 4 };

static bool end(struct object *o)
{
	struct endpoint *e = (struct endpoint *)o;

	while (ending_left > 0) {
		struct facet *f = e->gone;

		if (e->calls.head) {
			refuse_call(e->calls.head, STATUS_GONE);
		} else if (e->receivers.head) {
			fail_receive(e->receivers.head, STATUS_GONE);
		} else if (f) {
			e->gone = f->next_gone;
			facet_free(f);
		} else {
			forget_server(e);
			e->facets--;
			free_if_unused(e);
			return true;
		}
		ending_left -= WORK_WAKE;
	}
	return false;
}

/* There is no capability to receive with. */
static void endpoint_destroy(struct object *o)
{
	struct endpoint *e = (struct endpoint *)o;

	e->facets++; /* ours, until it is empty */
	e->closed = true;
	e->flag = 1; /* for good: who receives still is not called the fast way */
	ending_add(o, end);
}

/* The last capability to it, or the last call through it, is gone. */
static void facet_destroy(struct object *o)
{
	struct facet *f = (struct facet *)o;
	struct endpoint *e = f->endpoint;

	if (e->closed) {
		facet_free(f);
		return;
	}
	f->next_gone = e->gone;
	e->gone = f;
	object_hold(&e->object);
	match(e);
	object_drop(&e->object);
}

const struct object_type endpoint_type = {
	.name = "endpoint",
	.interface = ENDPOINT_ID,
	.call = endpoint_call,
	.destroy = endpoint_destroy,
};

/* Its interface is its own; CALL goes to facet_call. */
const struct object_type facet_type = {
	.name = "facet",
	.interface = 0,
	.call = NULL,
	.destroy = facet_destroy,
};
