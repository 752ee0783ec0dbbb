/* both_sides.h: for tests in which one thread is both sides of its calls. */
#pragma once

#include "test/boot/native/spawn.h"

#include "abi/endpoint.capnp.h"
#include "abi/ledger.capnp.h"
#include "rt/ring.h"

#define INTERFACE 0xa77ac4a77ac4ull
#define BAD_ADDRESS 0x10ul
enum { BADGE = 7, BUFFER = 64 };

static uint64_t inbox[BUFFER], other_inbox[BUFFER], params[BUFFER];

/* -- entries -------------------------------------------------------------------------- */

static struct ring_sqe *entry(enum ring_op op, uint64_t user_data, uint32_t cap)
{
	struct ring_sqe *e = ring_next(self->ring);

	*e = (struct ring_sqe){.op = (uint8_t)op, .user_data = user_data, .cap = cap};
	return e;
}

static void push(void)
{
	ring_push(self->ring);
}

static void recv(uint64_t user_data, uint32_t endpoint, uint64_t *into)
{
	struct ring_sqe *e = entry(RING_RECV, user_data, endpoint);

	e->results = (uintptr_t)into;
	e->results_size = BUFFER * 8;
	push();
}

/* To be pushed. */
static struct ring_sqe *call(uint64_t user_data, uint32_t cap)
{
	struct ring_sqe *e = entry(RING_CALL, user_data, cap);

	e->interface = INTERFACE;
	e->params = (uintptr_t)params;
	e->params_size = 16;
	return e;
}

static struct ring_sqe *give(uint64_t user_data, const uint64_t *received)
{
	struct ring_sqe *e = entry(RING_RETURN, user_data, 0);

	e->token = ((const struct ring_received *)received)->token;
	return e;
}

/* How many completions there are. */
static uint32_t enter(void)
{
	(void)!ring_enter(0, 0);
	return *(volatile uint32_t *)&self->ring->cq_tail - self->ring->cq_head;
}

static uint32_t done(uint64_t user_data, enum status status, uint32_t line)
{
	const struct ring_cqe *cqe = ring_done(self->ring);

	if (!cqe || cqe->user_data != user_data) {
		native_print(self, "completion %lu, not %lu\n",
		             cqe ? (unsigned long)cqe->user_data : 0ul, (unsigned long)user_data);
		check_failed(&check, "a completion is missing", line);
		check_end(&check);
	}
	check_status(&check, (enum status)cqe->status, status, "completion", line);
	return cqe->caps[0];
}
#define DONE(user_data, status) done(user_data, status, __LINE__)

/* -- objects --------------------------------------------------------------------------- */

static uint32_t make_endpoint(void)
{
	struct native_call c;

	native_call(&c, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	(void)ledger_endpoint_params_build(&c.params);
	OK(native_send(&c));
	return c.caps[0];
}

static uint32_t make_facet(uint32_t endpoint, uint64_t badge)
{
	struct endpoint_facet_params_builder p;
	struct native_call c;

	native_call(&c, self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	p = endpoint_facet_params_build(&c.params);
	endpoint_facet_params_set_interface(p, INTERFACE);
	endpoint_facet_params_set_badge(p, badge);
	OK(native_send(&c));
	return c.caps[0];
}
