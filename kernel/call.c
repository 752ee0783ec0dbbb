/* call.c: see call.h. Decoding may refuse; what a method has accepted is done. */
#include "kernel/call.h"

#include "abi/exception.capnp.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/domain.h"
#include "kernel/endpoint.h"
#include "kernel/panic.h"
#include "kernel/reach.h"
#include "kernel/revoker.h"
#include "kernel/ring.h"
#include "kernel/trace.h"
#include "kernel/transfer.h"

enum { SMALL = 64 }; /* bytes */

/* No answer is longer than a message, however large the buffer is. */
static uint32_t results_room(const struct ring_sqe *sqe)
{
	return sqe->results_size < RING_MESSAGE_MAX ? sqe->results_size : RING_MESSAGE_MAX;
}

/* The usual message: a few words, in the ring's area. */
static inline bool copy_small(const struct call *call, const struct ring_sqe *sqe, uint64_t *to)
{
	const uint64_t *from = reach_area(&call->thread->rings[call->ring], sqe->params,
	                                  sqe->params_size);

	if (!from || sqe->params_size > SMALL || sqe->params_size % 8)
		return false;
	for (uint32_t i = 0; i < sqe->params_size / 8; i++)
		to[i] = *(const volatile uint64_t *)&from[i];
	return true;
}

static inline bool has_room(const struct call *call, const struct ring_sqe *sqe)
{
	return reach_area(&call->thread->rings[call->ring], sqe->results, results_room(sqe)) ||
	       !reach_probe(call->thread, call->ring, sqe->results, results_room(sqe));
}

static enum status read_params(struct call *call, const struct ring_sqe *sqe)
{
	uint64_t *message = this_cpu->message;
	enum status status = STATUS_OK;

	if (sqe->params_size > RING_MESSAGE_MAX)
		return STATUS_INVALID;
	if (!copy_small(call, sqe, message))
		status = reach_in(call->thread, call->ring, message, sqe->params, sqe->params_size);
	if (!status)
		trace_params(message, sqe->params_size);
	if (!status && !has_room(call, sqe))
		status = STATUS_FAULT;
	if (status)
		return status;
	if (capnp_is_plain(message, sqe->params_size)) {
		call->params = capnp_plain_root(message, sqe->params_size);
		return STATUS_OK;
	}
	return capnp_read_root(message, sqe->params_size, &call->params);
}

static void drop_answer(struct call *call)
{
	for (unsigned i = 0; i < call->out_count; i++)
		object_drop(call->out[i]);
	call->out_count = 0;
}

/* The answer's capabilities get their places in the caller's table. Where there is
 * no room for them, they are dropped, and with them what the method made: a call
 * that brings none must not fail for want of memory. */
__attribute__((noinline)) static void insert_answer(struct call *call, struct ring_cqe *cqe)
{
	if (cqe->status) /* the caller cannot have them without their message */
		drop_answer(call);
	for (unsigned i = 0; i < call->out_count; i++)
		if (domain_insert(call->domain, call->out[i], &cqe->caps[i]))
			panic("a reserved capability slot is gone");
}

/* The object's own refusal: an Exception in place of results. */
static void answer_refusal(struct call *call, enum status status, struct ring_cqe *cqe)
{
	struct capnp_builder *b = &call->results;

	capnp_builder_start(b, this_cpu->answer, RING_MESSAGE_MAX);
	exception_set_reason(exception_build(b), capnp_text_from(call->reason ? call->reason : ""));
	/* What is made again (ring.c) needs its params still: they may stand there. */
	if (status != STATUS_NO_MEMORY || !ring_is_made_again(&call->thread->rings[call->ring]))
		ring_write_results(call->thread, call->ring, call->results_address,
		                   call->results_size, this_cpu->answer,
		                   (uint32_t)capnp_builder_size(b), cqe);
	cqe->flags |= RING_EXCEPTION;
	cqe->status = (uint16_t)status;
}

static inline __attribute__((always_inline)) enum status
answer(struct call *call, enum status status, struct ring_cqe *cqe)
{
	if (!status && call->results.status)
		status = call->results.status;
	if (!status && call->out_count)
		status = domain_reserve(call->domain, call->out_count);
	if (status) {
		drop_answer(call);
		answer_refusal(call, status, cqe);
		return status;
	}
	ring_write_results(call->thread, call->ring, call->results_address, call->results_size,
	                   this_cpu->answer, (uint32_t)capnp_builder_size(&call->results), cqe);
	if (call->out_count)
		insert_answer(call, cqe);
	return (enum status)cqe->status;
}

/* Unless it is refused before. */
static inline __attribute__((always_inline)) enum status
invoke(struct call *call, struct object *target, enum status status, struct ring_cqe *cqe)
{
	if (!status) {
		capnp_builder_start(&call->results, this_cpu->answer, RING_MESSAGE_MAX);
		object_hold(target);
		status = target->type->call(target, call);
		object_drop(target);
	}
	return status == CALL_PENDING || status == CALL_PAUSED ? status : answer(call, status, cqe);
}

/* Capabilities that travel to an object of the exokernel: it takes references of
 * its own to what it keeps, so a copy leaves nothing and a move empties the slot. But not
 * before the caller has its answer: a move that fails leaves it where it was. */
__attribute__((noinline, cold)) static enum status
serve_with_caps(struct call *call, struct object *target, const struct ring_sqe *sqe,
                struct ring_cqe *cqe)
{
	struct transfer x;
	enum status status = transfer_take(&x, call->domain, sqe->caps, sqe->caps_count,
	                                   sqe->caps_move);

	if (status)
		return status;
	for (; call->caps_count < x.count && !status; call->caps_count++) {
		call->caps[call->caps_count] = x.caps[call->caps_count].object;
		if (!object_resolve(call->caps[call->caps_count]))
			status = call_refuse(call, STATUS_GONE, "a capability was revoked");
	}
	status = invoke(call, target, status, cqe);
	if (status == STATUS_OK || status == CALL_PENDING)
		transfer_finish(&x);
	else
		transfer_undo(&x);
	return status;
}

enum status call_serve(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                       struct ring_cqe *cqe)
{
	struct call call;
	struct object *target, *end;
	enum status status;

	call.thread = t;
	call.domain = thread_domain(t, ring);
	call.ring = ring;
	call.method = sqe->method;
	call.user_data = sqe->user_data;
	call.results_address = (struct uaddr){sqe->results};
	call.results_size = sqe->results_size;
	call.caps_count = 0;
	call.out_count = 0;
	call.reason = NULL;
	if (!call.domain)
		return STATUS_NO_CAP;
	target = captable_lookup(&call.domain->table, sqe->cap);
	if (!target)
		return STATUS_NO_CAP;
	end = object_resolve(target);
	if (!end)
		return STATUS_GONE;
	if (end->type == &facet_type)
		return facet_call((struct facet *)end, &call, sqe);
	if (end->type->interface != sqe->interface)
		return STATUS_NO_METHOD;
	status = read_params(&call, sqe);
	if (status)
		return status;
	return sqe->caps_how ? serve_with_caps(&call, target, sqe, cqe) :
	                       invoke(&call, target, STATUS_OK, cqe);
}
