/* fastpath.c: see fastpath.h.
 *
 * Entries are read field by field, each once, for the thread's other threads may
 * be writing to them. Messages that lie in a ring's area are used where they are:
 * what the exokernel builds there it never reads back.
 *
 * Shared, other CPUs may be here too. A thread other than the current one is
 * touched once it is claimed: from WAITING to RUNNING, by compare and exchange. */
#include "kernel/fastpath.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/domain.h"
#include "kernel/endpoint.h"
#include "kernel/lock.h"
#include "kernel/process.h"
#include "kernel/ring.h"
#include "kernel/sched.h"
#include "kernel/string.h"
#include "kernel/trace.h"

enum { AREA = offsetof(struct ring, area), PARAMS_MOST = 512 };

/* An entry's fields, each read once. */
struct entry {
	uint8_t op, caps_how;
	uint16_t method;
	uint32_t cap;
	uint64_t user_data, interface, params, results;
	uint32_t params_size, results_size;
};

#define ONCE(field) (*(const volatile __typeof__(field) *)&(field))

static inline struct entry read_entry(const struct ring_sqe *sqe)
{
	return (struct entry){
		.op = ONCE(sqe->op),
		.caps_how = ONCE(sqe->caps_how),
		.method = ONCE(sqe->method),
		.cap = ONCE(sqe->cap),
		.user_data = ONCE(sqe->user_data),
		.interface = ONCE(sqe->interface),
		.params = ONCE(sqe->params),
		.results = ONCE(sqe->results),
		.params_size = ONCE(sqe->params_size),
		.results_size = ONCE(sqe->results_size),
	};
}

/* `size` bytes at `address`, if they lie in the ring's area, 8-aligned; or NULL. */
static inline void *in_area(const struct thread_ring *r, uint64_t address, uint32_t size)
{
	uint64_t offset = address - r->address;

	if (offset - AREA > RING_AREA_SIZE || size > sizeof(struct ring) - offset || offset % 8)
		return NULL;
	return (char *)r->page + offset;
}

/* captable_lookup while others may change the table: a slot that still has the id
 * after all has been read had it all the time, for ids do not come back. */
static inline struct object *look_up(const struct domain *d, uint32_t id)
{
	const struct capslot *slot = captable_slot(&d->table, id);
	struct object *o;

	if (!slot)
		return NULL;
	o = ONCE(slot->object);
	if (!o || ONCE(slot->epoch) != ONCE(o->epoch) || ONCE(slot->id) != id)
		return NULL;
	return o;
}

static inline uint32_t unconsumed(const struct thread_ring *r)
{
	return r->cq_tail - ONCE(r->page->cq_head);
}

/* The completion of entry `sq`, without capabilities. */
static inline void post(struct thread_ring *r, uint32_t sq, uint64_t user_data, uint32_t status,
                        uint32_t results_size)
{
	uint32_t at = r->cq_tail % RING_CQ_ENTRIES;
	uint64_t *cqe = (uint64_t *)&r->page->cq[at];

	cqe[0] = user_data;
	cqe[1] = status | (uint64_t)results_size << 32;
	cqe[2] = 0;
	cqe[3] = 0;
	r->answered_at[sq % RING_SQ_ENTRIES] = (uint8_t)at;
	r->cq_tail++;
	__atomic_store_n(&r->page->cq_tail, r->cq_tail, __ATOMIC_RELEASE);
}

static inline void consume(struct thread_ring *r)
{
	r->sq_head++;
	__atomic_store_n(&r->page->sq_head, r->sq_head, __ATOMIC_RELEASE);
}

static inline void copy_words(uint64_t *to, const uint64_t *from, uint32_t size)
{
	for (uint32_t i = 0; i < size / 8; i++)
		to[i] = ONCE(from[i]);
}

/* -- calls on objects of the exokernel ------------------------------------------------ */

/* False: not here. */
static inline bool call_object(struct thread *t, unsigned ring, const struct entry *e,
                               struct object *o)
{
	struct thread_ring *r = &t->rings[ring];
	struct call call;
	void *results = this_cpu->answer;
	enum status status;

	if (o->type->interface != e->interface || e->method >= 32 ||
	    !(o->type->shared >> e->method & 1))
		return false;
	if (e->results_size) {
		results = in_area(r, e->results, e->results_size);
		if (!results)
			return false;
	}
	if (e->params_size) {
		const void *params = in_area(r, e->params, e->params_size);

		if (!params || e->params_size > PARAMS_MOST || e->params_size % 8)
			return false;
		copy_words(this_cpu->message, params, e->params_size);
		if (capnp_read_root(this_cpu->message, e->params_size, &call.params))
			return false;
	} else {
		call.params = (struct capnp_struct){0};
	}
	call.thread = t;
	call.domain = NULL; /* shared methods make nothing */
	call.ring = ring;
	call.method = e->method;
	call.caps_count = 0;
	call.out_count = 0;
	capnp_builder_start(&call.results, results,
	                    e->results_size ? e->results_size : RING_MESSAGE_MAX);
	status = o->type->call(o, &call);
	if (status || call.results.status)
		return false; /* CALL_SLOWLY, or a refusal: that is done in full elsewhere */
	consume(r);
	post(r, r->sq_head - 1, e->user_data, STATUS_OK,
	     e->results_size ? (uint32_t)call.results.used : 0);
	return true;
}

/* -- calls on endpoints ------------------------------------------------------------------ */

/* Makes the waiting thread this CPU's own, if one more completion on `ring` ends
 * its wait and nothing else is the matter with it. */
static inline bool claim(struct thread *t, unsigned ring)
{
	const struct thread_ring *r = &t->rings[ring];
	enum thread_state waiting = THREAD_WAITING;

	if (!__atomic_compare_exchange_n(&t->state, &waiting, THREAD_RUNNING, false,
	                                 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	if (t->wait_ring == ring && !timeout_is_set(&t->wait_timeout) && !t->suspended && !t->boost &&
	    unconsumed(r) + 1 >= t->wait_count && unconsumed(r) < RING_CQ_ENTRIES)
		return true;
	__atomic_store_n(&t->state, THREAD_WAITING, __ATOMIC_RELEASE);
	return false;
}

/* The current thread waits for one completion, with `p`, its first own record, as
 * its only open entry. */
static inline struct pending *wait_with(struct thread *t, unsigned ring, const struct entry *e,
                                        void (*cancel)(struct pending *))
{
	struct thread_ring *r = &t->rings[ring];
	struct pending *p = &t->own[0];

	p->thread = t;
	p->next_in_thread = p->prev_in_thread = NULL;
	p->ring = (uint8_t)ring;
	p->place = 0;
	p->sq = r->sq_head;
	p->user_data = e->user_data;
	p->results_address = (struct uaddr){e->results};
	p->results_size = e->results_size;
	p->cancel = cancel;
	p->chained.head = p->chained.tail = NULL;
	t->pending = p;
	t->own_used = 1;
	r->pending = 1;
	r->answered_at[p->sq % RING_SQ_ENTRIES] = RING_NOT_ANSWERED;
	consume(r);
	t->regs.rax = STATUS_OK;
	t->regs.rdx = r->address;
	t->wait_ring = ring;
	t->wait_count = 1;
	return p;
}

/* The contrary, for the record that `post` has answered. */
static inline void open_no_more(struct thread *t, unsigned ring)
{
	t->pending = NULL;
	t->own_used = 0;
	t->rings[ring].pending = 0;
}

/* A record that is the thread's only one, and with nothing chained to it. */
static inline bool is_only(const struct pending *p)
{
	const struct thread *t = p->thread;

	return t->pending == p && !p->next_in_thread && p->place == 0 && !p->chained.head;
}

/* CALL of a facet whose server waits: the server goes on in the caller's place. */
static inline void call_facet(struct thread *t, unsigned ring, const struct entry *e,
                              const struct facet *f)
{
	struct endpoint *endpoint = f->endpoint;
	struct thread_ring *r = &t->rings[ring], *sr;
	struct pending *receiver, *c;
	struct thread *server;
	const uint64_t *params;
	uint64_t *to;
	unsigned slot;

	if (f->interface != e->interface || e->params_size % 8)
		return;
	params = in_area(r, e->params, e->params_size);
	if (e->params_size && !params)
		return;
	if (!flag_take(&endpoint->flag))
		return;
	receiver = endpoint->receivers.head;
	if (!receiver)
		goto slowly;
	server = receiver->thread;
	sr = &server->rings[receiver->ring];
	to = in_area(sr, receiver->results_address.v,
	             (uint32_t)sizeof(struct ring_received) + e->params_size);
	if (endpoint->server != server || !is_only(receiver) || !to || server->lender ||
	    sizeof(struct ring_received) + e->params_size > receiver->results_size ||
	    !claim(server, receiver->ring))
		goto slowly;

	slot = receiver->receive.slot;
	endpoint->receivers.head = receiver->next;
	*(receiver->next ? &receiver->next->prev : &endpoint->receivers.tail) = NULL;
	endpoint->receiving--;
	flag_drop(&endpoint->flag);

	server->served[slot].use++;
	to[0] = (uint64_t)server->served[slot].use * RING_SERVED + slot;
	to[1] = f->badge;
	to[2] = f->interface;
	to[3] = e->method | (uint64_t)e->params_size << 32;
	copy_words(to + 4, params, e->params_size);
	post(sr, receiver->sq, receiver->user_data, STATUS_OK,
	     (uint32_t)sizeof(struct ring_received) + e->params_size);
	open_no_more(server, receiver->ring);

	c = wait_with(t, ring, e, endpoint_cancel_call);
	c->call.facet = NULL;
	c->call.server = server;
	c->call.slot = (uint8_t)slot;
	c->call.transfer = NULL;
	server->served[slot].call = c;
	server->slots_open |= (uint16_t)(1u << slot);
	sched_donate(t, server, c);
	sched_hand_over(server);
slowly:
	flag_drop(&endpoint->flag);
}

/* SERVE, when the caller waits for this answer and nobody else calls: the caller
 * goes on in the server's place. */
static inline void serve(struct thread *t, unsigned ring, const struct entry *e)
{
	struct thread_ring *r = &t->rings[ring], *cr;
	uint64_t token = e->interface;
	unsigned slot = token % RING_SERVED;
	struct object *o = look_up(thread_domain(t, ring), e->cap);
	struct pending *c = t->served[slot].call, *receiver;
	struct endpoint *endpoint = (struct endpoint *)o;
	struct thread *caller;
	const uint64_t *answer;
	uint64_t *to = NULL;
	uint32_t size = e->params_size;

	if (!c || !o || o->type != &endpoint_type || e->method ||
	    !(t->slots_open >> slot & 1) ||
	    token != (uint64_t)t->served[slot].use * RING_SERVED + slot ||
	    e->results_size < sizeof(struct ring_received) || e->results % 8 || size % 8)
		return;
	caller = c->thread;
	cr = &caller->rings[c->ring];
	if (c->results_size == 0)
		size = 0;
	answer = in_area(r, e->params, size);
	to = in_area(cr, c->results_address.v, size);
	if ((size && (!answer || !to)) || size > c->results_size || t->lender != caller ||
	    caller->lent_for != c || t->boost || !is_only(c) || t->slots_used != 1u << slot)
		return;
	if (!flag_take(&endpoint->flag))
		return;
	if (endpoint->calls.head || endpoint->gone || !claim(caller, c->ring)) {
		flag_drop(&endpoint->flag);
		return;
	}
	copy_words(to, answer, size);
	post(cr, c->sq, c->user_data, STATUS_OK, size);
	open_no_more(caller, c->ring);
	t->served[slot].call = NULL;
	t->slots_open = 0;
	sched_return(t, caller);

	receiver = wait_with(t, ring, e, endpoint_cancel_receive);
	receiver->receive.endpoint = endpoint;
	receiver->receive.slot = (uint8_t)slot;
	receiver->next = NULL;
	receiver->prev = endpoint->receivers.tail;
	*(receiver->prev ? &receiver->prev->next : &endpoint->receivers.head) = receiver;
	endpoint->receivers.tail = receiver;
	endpoint->receiving++;
	flag_drop(&endpoint->flag);
	sched_hand_over(caller);
}

/* -- cap_enter ------------------------------------------------------------------------------ */

/* One entry; false: not here. */
static inline bool one(struct thread *t, unsigned ring, bool may_wait)
{
	struct thread_ring *r = &t->rings[ring];
	const struct ring_sqe *sqe = &r->page->sq[r->sq_head % RING_SQ_ENTRIES];
	struct entry e = read_entry(sqe);
	const struct domain *d;
	struct object *o;

	if (e.op == RING_CALL && !e.caps_how) {
		d = thread_domain(t, ring);
		o = d ? look_up(d, e.cap) : NULL;
		if (!o)
			return false;
		if (o->type != &facet_type)
			return call_object(t, ring, &e, o);
		if (may_wait)
			call_facet(t, ring, &e, (const struct facet *)o);
		return false;
	}
	if (e.op == RING_SERVE && !e.caps_how && may_wait && thread_domain(t, ring))
		serve(t, ring, &e);
	if (e.op != RING_NOP)
		return false;
	consume(r);
	post(r, r->sq_head - 1, e.user_data, STATUS_OK, 0);
	return true;
}

bool fast_enter(struct thread *t, unsigned ring, uint64_t least, uint64_t timeout_ns)
{
	struct thread_ring *r = &t->rings[ring];
	uint32_t tail, count, used;
	bool may_wait;

	if (trace_on || !r->page || t->dying || t->interrupted || t->suspended || this_cpu->reschedule)
		return false;
	tail = __atomic_load_n(&r->page->sq_tail, __ATOMIC_ACQUIRE);
	count = tail - r->sq_head;
	used = unconsumed(r);
	if (count - 1 >= RING_SQ_ENTRIES || used + r->pending + count > RING_CQ_ENTRIES ||
	    least > used + count)
		return false;
	may_wait = count == 1 && least == 1 && used == 0 && !t->pending &&
	           timeout_ns == RING_FOREVER;
	do {
		if (!one(t, ring, may_wait))
			return false;
	} while (r->sq_head != tail);
	return true;
}
