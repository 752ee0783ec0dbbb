/* notification.c: see notification.h. */
#include "kernel/notification.h"

#include "abi/notification.capnp.h"
#include "kernel/domain.h"
#include "kernel/ring.h"

struct object *notification_create(struct ledger *ledger)
{
	struct notification *n = block_alloc(ledger, sizeof(*n));

	if (!n)
		return NULL;
	object_init(&n->object, &notification_type);
	n->ledger = ledger;
	return &n->object;
}

struct notification *notification_of(struct object *o)
{
	if (o->type == &notification_type)
		return (struct notification *)o;
	if (o->type == &signaller_type)
		return ((struct signaller *)o)->notification;
	return NULL;
}

/* Takes what the mask wants. */
static uint64_t take(struct notification *n, uint64_t mask)
{
	uint64_t bits = n->bits & mask;

	n->bits &= ~bits;
	return bits;
}

static void answer_waiter(struct notification *n, struct pending *p)
{
	uint64_t message[4], bits = take(n, p->key);
	struct capnp_builder b;

	pending_unlink(&n->waiting, p);
	capnp_builder_start(&b, message, sizeof(message));
	notification_wait_results_set_bits(notification_wait_results_build(&b), bits);
	pending_answer(p, STATUS_OK, message, (uint32_t)capnp_builder_size(&b));
	object_drop(&n->object); /* what the waiter held */
}

static void unbind(struct notification *n)
{
	struct thread *t = n->bound;

	n->bound = NULL;
	n->owed = false;
	if (t)
		object_drop(&t->object);
}

static void tell_bound(struct notification *n)
{
	struct ring_cqe cqe = {.user_data = n->bound_data, .flags = RING_POSTED};

	if (n->bound->state == THREAD_ENDED)
		unbind(n);
	else
		n->owed = ring_post(n->bound, n->bound_ring, &cqe) != STATUS_OK;
}

static void signal(struct notification *n, uint64_t bits)
{
	bool were_none = n->bits == 0;

	n->bits |= bits;
	for (struct pending *p = n->waiting.head, *next; p && n->bits; p = next) {
		next = p->next;
		if (p->key & n->bits)
			answer_waiter(n, p);
	}
	if (n->bound && n->bits && (were_none || n->owed))
		tell_bound(n);
}

void notification_signal(struct object *o, uint64_t bits)
{
	struct notification *n = notification_of(o);

	KASSERT(n);
	object_hold(&n->object); /* the last waiter may have been the last to hold it */
	signal(n, bits);
	object_drop(&n->object);
}

static void cancel_wait(struct pending *p)
{
	struct notification *n = (struct notification *)p->argument;

	pending_unlink(&n->waiting, p);
	pending_free(p);
	object_drop(&n->object);
}

static enum status call_wait(struct notification *n, struct call *call)
{
	struct notification_wait_params_reader params = {call->params};
	uint64_t mask = notification_wait_params_get_mask(params);
	struct pending *p;

	if (mask == 0)
		return call_refuse(call, STATUS_INVALID, "no bit of mask 0 is ever set");
	if (n->bits & mask) {
		notification_wait_results_set_bits(notification_wait_results_build(&call->results),
		                                   take(n, mask));
		return STATUS_OK;
	}
	if (pending_count(&n->waiting) == PENDING_QUEUE_MOST)
		return call_refuse(call, STATUS_BUSY, "1,024 wait already");
	p = pending_create(call, cancel_wait);
	if (!p)
		return STATUS_NO_MEMORY;
	p->key = mask;
	p->argument = (uint64_t)n;
	object_hold(&n->object); /* the capability may be released meanwhile */
	pending_append(&n->waiting, p);
	return CALL_PENDING;
}

static enum status call_poll(struct notification *n, struct call *call)
{
	struct notification_poll_params_reader params = {call->params};

	notification_poll_results_set_bits(notification_poll_results_build(&call->results),
	                                   take(n, notification_poll_params_get_mask(params)));
	return STATUS_OK;
}

static enum status call_bind(struct notification *n, struct call *call)
{
	struct notification_bind_params_reader params = {call->params};

	if (n->bound && n->bound->state == THREAD_ENDED)
		unbind(n);
	if (n->bound)
		return call_refuse(call, STATUS_BUSY, "it is bound to a ring already");
	object_hold(&call->thread->object);
	n->bound = call->thread;
	n->bound_ring = (uint8_t)call->ring;
	n->bound_data = notification_bind_params_get_user_data(params);
	n->owed = false;
	return STATUS_OK;
}

static enum status call_signaller(struct notification *n, struct call *call)
{
	struct ledger *ledger = call->domain->ledger;
	struct signaller *s = block_alloc(ledger, sizeof(*s));

	if (!s)
		return STATUS_NO_MEMORY;
	object_init(&s->object, &signaller_type);
	object_hold(&n->object);
	s->notification = n;
	s->ledger = ledger;
	notification_signaller_results_set_signaller(
		notification_signaller_results_build(&call->results),
		call_answer_cap(call, &s->object));
	return STATUS_OK;
}

static enum status notification_call(struct object *o, struct call *call)
{
	struct notification *n = (struct notification *)o;
	struct notification_signal_params_reader params = {call->params};

	switch (call->method) {
	case NOTIFICATION_SIGNAL:
		signal(n, notification_signal_params_get_bits(params));
		return STATUS_OK;
	case NOTIFICATION_WAIT:
		return call_wait(n, call);
	case NOTIFICATION_POLL:
		return call_poll(n, call);
	case NOTIFICATION_BIND:
		return call_bind(n, call);
	case NOTIFICATION_UNBIND:
		if (!n->bound)
			return STATUS_NOT_FOUND;
		unbind(n);
		return STATUS_OK;
	case NOTIFICATION_SIGNALLER:
		return call_signaller(n, call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void notification_destroy(struct object *o)
{
	struct notification *n = (struct notification *)o;

	KASSERT(!n->waiting.head); /* a waiter holds it */
	unbind(n);
	block_free(n, sizeof(*n), n->ledger);
}

const struct object_type notification_type = {
	.name = "notification",
	.interface = NOTIFICATION_ID,
	.call = notification_call,
	.destroy = notification_destroy,
};

static enum status signaller_call(struct object *o, struct call *call)
{
	struct signaller_signal_params_reader params = {call->params};

	if (call->method != SIGNALLER_SIGNAL)
		return STATUS_NO_METHOD;
	notification_signal(o, signaller_signal_params_get_bits(params));
	return STATUS_OK;
}

static void signaller_destroy(struct object *o)
{
	struct signaller *s = (struct signaller *)o;
	struct notification *n = s->notification;

	block_free(s, sizeof(*s), s->ledger);
	object_drop(&n->object);
}

const struct object_type signaller_type = {
	.name = "signaller",
	.interface = SIGNALLER_ID,
	.call = signaller_call,
	.destroy = signaller_destroy,
};
