/* ipc_attacks.c: calls whose objects go away at the worst moment, made by one thread
 * that is both sides. */
#include "test/boot/native/memory.h"

#include "abi/endpoint.capnp.h"
#include "abi/ledger.capnp.h"
#include "rt/ring.h"

#define INTERFACE 0xa77ac4a77ac4ull
#define BAD_ADDRESS 0x10ul
enum { BADGE = 7, BUFFER = 64 };

static uint64_t inbox[BUFFER], other_inbox[BUFFER], params[BUFFER], answer[BUFFER];

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

/* -- attacks --------------------------------------------------------------------------- */

/* The call is all that keeps its facet. It is received; then its facet's end is. */
static void a_call_outlives_its_facet(void)
{
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE);
	const struct ring_received *header = (const struct ring_received *)inbox;

	(void)call(1, facet);
	push();
	CHECK(&check, enter() == 0);
	OK(ring_release(self->ring, facet));
	recv(2, endpoint, inbox);
	CHECK(&check, enter() == 1);
	DONE(2, STATUS_OK);
	CHECK(&check, header->token != 0 && header->interface == INTERFACE);
	recv(3, endpoint, other_inbox);
	CHECK(&check, enter() == 1);
	DONE(3, STATUS_OK);
	header = (const struct ring_received *)other_inbox;
	CHECK(&check, header->token == 0 && header->interface == 0 && header->badge == BADGE);
	(void)give(4, inbox);
	push();
	CHECK(&check, enter() == 2);
	DONE(1, STATUS_OK);
	DONE(4, STATUS_OK);
	OK(ring_release(self->ring, endpoint));
}

/* The same with another receiver, which hears of the end. */
static void two_receivers(void)
{
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE), held;

	held = make_facet(endpoint, BADGE + 1);
	(void)call(1, facet);
	push();
	(void)entry(RING_RELEASE, 2, facet);
	push();
	CHECK(&check, enter() == 1);
	DONE(2, STATUS_OK);
	recv(3, endpoint, inbox);
	recv(4, endpoint, other_inbox);
	CHECK(&check, enter() == 2);
	DONE(3, STATUS_OK);
	DONE(4, STATUS_OK);
	CHECK(&check, ((struct ring_received *)inbox)->interface == INTERFACE);
	CHECK(&check, ((struct ring_received *)other_inbox)->interface == 0);
	recv(5, endpoint, other_inbox);
	(void)entry(RING_RELEASE, 7, held);
	push();
	(void)give(6, inbox);
	push();
	CHECK(&check, enter() == 4);
	DONE(5, STATUS_OK);
	DONE(7, STATUS_OK);
	DONE(1, STATUS_OK);
	DONE(6, STATUS_OK);
	OK(ring_release(self->ring, endpoint));
}

/* The middle one of three chained calls is refused as soon as it is made, because its
 * params cannot be read; the last one hangs on it. */
static void a_chain_breaks_in_the_middle(void)
{
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE);
	struct capnp_builder b;
	struct capnp_struct_builder root;
	struct ring_sqe *e;
	uint32_t answered;

	recv(1, endpoint, inbox);
	e = call(2, facet);
	e->results = (uintptr_t)answer;
	e->results_size = sizeof answer;
	push();
	e = call(3, RING_CHAIN(1, 0));
	e->chained = 1;
	e->params = BAD_ADDRESS;
	push();
	e = call(4, RING_CHAIN(1, 0));
	e->chained = 1;
	push();
	recv(5, endpoint, other_inbox);
	CHECK(&check, enter() == 1);
	DONE(1, STATUS_OK);
	capnp_builder_start(&b, params, sizeof params);
	root = capnp_init_root(&b, 0, 1);
	capnp_set_capability(&root, 0, 0);
	e = give(6, inbox);
	e->params = (uintptr_t)params;
	e->params_size = (uint32_t)capnp_builder_size(&b);
	e->caps_count = 1;
	e->caps[0] = facet;
	push();
	CHECK(&check, enter() == 4);
	answered = DONE(2, STATUS_OK);
	DONE(6, STATUS_OK);
	DONE(3, STATUS_FAULT);
	DONE(4, STATUS_FAULT);
	OK(ring_release(self->ring, answered));
	entry(RING_CANCEL, 7, 0)->target = 5;
	push();
	CHECK(&check, enter() == 2);
	DONE(5, STATUS_CANCELLED);
	DONE(7, STATUS_OK);
	OK(ring_release(self->ring, facet));
	OK(ring_release(self->ring, endpoint));
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_call_outlives_its_facet, two_receivers, a_chain_breaks_in_the_middle,
	};

	start(given, "ipc_attacks");
	run(steps, sizeof steps / sizeof steps[0]);
}
