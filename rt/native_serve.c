/* native_serve.c: see native_serve.h. */
#include "rt/native_serve.h"

#include "abi/endpoint.capnp.h"
#include "abi/exception.capnp.h"
#include "abi/ledger.capnp.h"
#include "rt/ring.h"

/* -- what a method may do ------------------------------------------------------ */

uint32_t native_take(struct native_request *r, uint32_t index)
{
	uint32_t cap;
	if (index >= r->caps_count)
		return 0;
	cap = r->caps[index];
	r->caps[index] = 0;
	return cap;
}

uint32_t native_answer_copy(struct native_request *r, uint32_t cap)
{
	if (r->out_count == RING_CAPS) {
		capnp_fail(&r->results, STATUS_INVALID);
		return 0;
	}
	r->out[r->out_count] = cap;
	return r->out_count++;
}

uint32_t native_answer_move(struct native_request *r, uint32_t cap)
{
	uint32_t index = native_answer_copy(r, cap);
	r->out_move |= 1u << index;
	return index;
}

enum status native_refuse(struct native_request *r, enum status status, const char *reason)
{
	r->reason = reason;
	return status;
}

/* -- the loop ------------------------------------------------------------------- */

/* What the next SERVE says of the call before; token 0: nothing. */
struct answer {
	uint64_t token;
	enum status status;
	uint32_t size; /* of the message at the area's start */
	uint32_t caps_count, caps_move;
	const uint32_t *caps;
};

static void *incoming(struct native *self)
{
	return self->ring->area + NATIVE_MESSAGE_MAX;
}

/* One entry and its completion: answers, and with SERVE waits for the next call. */
static const struct ring_cqe *exchange(struct native *self, enum ring_op op, uint32_t endpoint,
                                       const struct answer *a)
{
	struct ring_sqe *e = ring_next(self->ring);
	const struct ring_cqe *done;
	*e = (struct ring_sqe){
		.op = (uint8_t)op, .cap = endpoint, .token = a->token,
		.status = (uint16_t)a->status,
		.params = (uintptr_t)self->ring->area, .params_size = a->size,
		.results = (uintptr_t)incoming(self), .results_size = NATIVE_MESSAGE_MAX,
	};
	e->caps_count = a->caps_count & (2 * RING_CAPS - 1);
	e->caps_move = a->caps_move & ((1u << RING_CAPS) - 1);
	for (uint32_t i = 0; i < a->caps_count; i++)
		e->caps[i] = a->caps[i];
	ring_push(self->ring);
	do {
		(void)ring_enter(1, RING_FOREVER); /* an interrupted wait goes on */
		done = ring_done(self->ring);
	} while (done == NULL);
	return done;
}

static void build_refusal(struct native_request *r)
{
	capnp_builder_start(&r->results, r->self->ring->area, NATIVE_MESSAGE_MAX);
	exception_set_reason(exception_build(&r->results),
	                     capnp_text_from(r->reason != NULL ? r->reason : ""));
}

/* Has the request served; says how it is to be answered. */
static struct answer serve(struct native_request *r, native_method *method,
                           const struct ring_received *received)
{
	struct answer a = { .token = received->token };
	a.status = capnp_read_root(received + 1, received->params_size, &r->params);
	if (a.status == STATUS_OK)
		a.status = method(r);
	if (a.status == STATUS_OK)
		a.status = r->results.status;
	for (uint32_t i = 0; i < r->caps_count; i++)
		if (r->caps[i] != 0)
			(void)!ring_release(r->self->ring, r->caps[i]);
	if (a.status != STATUS_OK) {
		build_refusal(r);
	} else {
		a.caps = r->out;
		a.caps_count = r->out_count;
		a.caps_move = r->out_move;
	}
	a.size = (uint32_t)capnp_builder_size(&r->results);
	return a;
}

static struct native_request request(struct native *self, void *state,
                                     const struct ring_received *received,
                                     const struct ring_cqe *done)
{
	struct native_request r = {
		.self = self, .state = state,
		.badge = received->badge, .interface = received->interface,
		.method = received->method, .caps_count = received->caps_count,
	};
	for (uint32_t i = 0; i < RING_CAPS; i++)
		r.caps[i] = done->caps[i];
	capnp_builder_start(&r.results, self->ring->area, NATIVE_MESSAGE_MAX);
	return r;
}

/* An answer that the exokernel does not take (a capability that is not there)
 * becomes a refusal. */
static enum status answer_at_last(struct native *self, const struct answer *a)
{
	enum status status = (enum status)exchange(self, RING_RETURN, 0, a)->status;
	struct answer refusal = { .token = a->token, .status = status };
	if (status != STATUS_OK && status != STATUS_GONE)
		(void)exchange(self, RING_RETURN, 0, &refusal);
	return STATUS_OK;
}

enum status native_serve(struct native *self, uint32_t endpoint, native_method *method,
                         void *state)
{
	struct answer a = { .token = 0 };
	struct native_request r;
	for (;;) {
		const struct ring_cqe *done = exchange(self, RING_SERVE, endpoint, &a);
		if (done->status != STATUS_OK) {
			enum status status = (enum status)done->status;
			if (a.token == 0)
				return status;
			a = (struct answer){ .token = a.token, .status = status };
			(void)exchange(self, RING_RETURN, 0, &a);
			a.token = 0;
			continue;
		}
		r = request(self, state, incoming(self), done);
		a = serve(&r, method, incoming(self));
		if (r.stop)
			return a.token != 0 ? answer_at_last(self, &a) : STATUS_OK;
	}
}

/* -- endpoints ------------------------------------------------------------------- */

enum status native_endpoint(struct native *self, uint32_t *endpoint)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	enum status status = native_send(&call);
	*endpoint = call.caps[0];
	return status;
}

enum status native_facet(struct native *self, uint32_t endpoint, uint64_t interface,
                         uint64_t badge, uint32_t *facet)
{
	struct native_call call;
	native_call(&call, self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct endpoint_facet_params_builder params = endpoint_facet_params_build(&call.params);
	endpoint_facet_params_set_interface(params, interface);
	endpoint_facet_params_set_badge(params, badge);
	enum status status = native_send(&call);
	*facet = call.caps[0];
	return status;
}
