/* ipc_attacks.c: calls whose objects go away at the worst moment, made by one thread
 * that is both sides; and more calls than an endpoint takes, by many. */
#include "test/boot/native/revoker.h"
#include "test/boot/native/spawn.h"

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

/* A receive waits by a lease that is revoked before the call comes: what the call moves
 * is not for it. As often as blocks fill a page: whatever it kept is let go. */
static void a_receive_by_a_dead_lease(void)
{
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE), revoker = revoker_new();

	for (unsigned i = 0; i < 70; i++) {
		uint32_t lease = lease_of(revoker, endpoint), gift = make_endpoint();
		struct ring_sqe *e;

		recv(1, lease, inbox);
		CHECK(&check, enter() == 0);
		revoke(revoker);
		e = call(2, facet);
		e->caps_count = e->caps_move = 1;
		e->caps[0] = gift;
		push();
		CHECK(&check, enter() == 1);
		CHECK(&check, DONE(1, STATUS_GONE) == 0);
		recv(3, endpoint, other_inbox);
		CHECK(&check, enter() == 1);
		gift = DONE(3, STATUS_OK);
		(void)give(4, other_inbox);
		push();
		CHECK(&check, enter() == 2);
		DONE(2, STATUS_OK);
		DONE(4, STATUS_OK);
		recv(5, lease, inbox);
		CHECK(&check, enter() == 1);
		DONE(5, STATUS_GONE);
		release(gift);
		release(lease);
	}
	release(revoker);
	release(facet);
	release(endpoint);
}

/* The thread may write to a completion that it has not consumed. One that says that its
 * results are longer than any message is not believed. */
static void a_chain_on_a_forged_completion(void)
{
	static uint64_t long_results[1 << 15];
	static const uint32_t forged[] = { 4097, 4104, sizeof long_results, 1u << 31, UINT32_MAX };
	uint32_t ledger = native_find(self, "ledger"), came;
	struct ring_sqe *e;

	for (unsigned i = 0; i < sizeof forged / sizeof forged[0]; i++) {
		volatile struct ring_cqe *cqe = &self->ring->cq[self->ring->cq_tail % RING_CQ_ENTRIES];

		e = entry(RING_CALL, 1, ledger);
		e->interface = LEDGER_ID;
		e->method = LEDGER_ENDPOINT;
		e->results = (uintptr_t)long_results;
		e->results_size = sizeof long_results;
		push();
		CHECK(&check, enter() == 1 && cqe->results_size <= RING_MESSAGE_MAX);
		cqe->results_size = forged[i];
		e = call(2, RING_CHAIN(1, 0));
		e->chained = 1;
		push();
		CHECK(&check, enter() == 2);
		came = DONE(1, STATUS_OK);
		DONE(2, STATUS_INVALID);
		release(came);
	}
}

/* Nor is one in the results of which a capability stands that cannot have come; and there
 * is nothing to wait for in the entry itself, nor in one that is long gone. */
static void a_chain_to_nothing(void)
{
	static const uint32_t nowhere[] = { 0, RING_SQ_ENTRIES, RING_SQ_ENTRIES + 1, 255 };
	static const uint32_t indices[] = { RING_CAPS, 1000, 1u << 29, UINT32_MAX };
	uint32_t ledger = native_find(self, "ledger"), came;
	struct ring_sqe *e;

	for (unsigned i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
		e = call(1, RING_CHAIN(nowhere[i], 0));
		e->chained = 1;
		push();
		CHECK(&check, enter() == 1);
		DONE(1, STATUS_INVALID);
	}
	for (unsigned i = 0; i < sizeof indices / sizeof indices[0]; i++) {
		e = entry(RING_CALL, 1, ledger);
		e->interface = LEDGER_ID;
		e->method = LEDGER_ENDPOINT;
		e->results = (uintptr_t)answer;
		e->results_size = sizeof answer;
		push();
		CHECK(&check, enter() == 1 && answer[1] == 3); /* capability 0 */
		answer[1] |= (uint64_t)indices[i] << 32;
		e = call(2, RING_CHAIN(1, 0));
		e->chained = 1;
		push();
		CHECK(&check, enter() == 2);
		came = DONE(1, STATUS_OK);
		DONE(2, STATUS_NO_CAP);
		release(came);
	}
}

/* What there is of an endpoint when its last capability is gone: facets, which say so. */
static void a_call_after_the_end(void)
{
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE);

	release(endpoint);
	(void)call(1, facet);
	push();
	CHECK(&check, enter() == 1);
	DONE(1, STATUS_GONE);
	release(facet);
}

/* A receive whose buffer is nowhere, or is no place for words; an empty call, which has
 * nothing but its header to be put there, stays for the next. */
static void a_receive_into_nothing(void)
{
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE);
	struct ring_sqe *e;

	recv(1, endpoint, (uint64_t *)BAD_ADDRESS);
	recv(2, endpoint, (uint64_t *)((uintptr_t)inbox + 4));
	CHECK(&check, enter() == 1);
	DONE(2, STATUS_INVALID);
	e = call(3, facet);
	e->params_size = 0;
	push();
	CHECK(&check, enter() == 1);
	DONE(1, STATUS_FAULT);
	recv(4, endpoint, inbox);
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_OK);
	(void)give(5, inbox);
	push();
	CHECK(&check, enter() == 2);
	DONE(3, STATUS_OK);
	DONE(5, STATUS_OK);
	release(facet);
	release(endpoint);
}

enum { CALLERS = 34, CALLS_EACH = RING_CQ_ENTRIES - 1, CALLS_MOST = 1024, CALLER_STACK = 4096 };

static uint64_t stacks[CALLERS][CALLER_STACK / 8] __attribute__((aligned(64)));

static int ends_at_once(struct native *me)
{
	(void)me;
	return 0;
}

/* To what is nothing, no thread, one that has ended, no thread by a lease, or was taken back. */
static void posts_to_nobody(void)
{
	static const uint32_t never;
	uint32_t endpoint = make_endpoint(), revoker = revoker_new(), lease = lease_of(revoker, endpoint);
	const uint32_t self_process = native_find(self, "self");
	uint32_t thread;

	(void)entry(RING_POST, 1, 0xfff);
	push();
	(void)entry(RING_POST, 2, endpoint);
	push();
	(void)entry(RING_POST, 3, self_process);
	push();
	(void)entry(RING_POST, 4, lease);
	push();
	CHECK(&check, enter() == 4);
	for (unsigned i = 1; i <= 4; i++)
		DONE(i, STATUS_NO_CAP);
	release(revoker);
	(void)entry(RING_POST, 5, lease);
	push();
	CHECK(&check, enter() == 1);
	DONE(5, STATUS_NO_CAP);
	OK(native_thread(self, ends_at_once, 0, stacks[0], CALLER_STACK, &thread));
	while (thread_state(thread) != THREAD_STATE_ENDED)
		(void)!ring_park(self->ring, &never, 0, 1000000);
	(void)entry(RING_POST, 6, thread);
	push();
	CHECK(&check, enter() == 1);
	DONE(6, STATUS_GONE);
	release(thread);
	release(lease);
	release(endpoint);
}

/* -- a chain that ends who waits for it ------------------------------------------------------ */

static int ends_by_a_chain(struct native *me)
{
	static const uint16_t methods[] = { THREAD_KILL, THREAD_INFO, THREAD_INFO };

	*ring_next(me->ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = native_find(me, "facet"), .interface = INTERFACE,
		.results = (uintptr_t)me->ring->area, .results_size = 64,
	};
	ring_push(me->ring);
	for (uint32_t i = 0; i < 3; i++) {
		*ring_next(me->ring) = (struct ring_sqe){
			.op = RING_CALL, .chained = 1, .cap = RING_CHAIN(i + 1, 0),
			.interface = THREAD_ID, .method = methods[i],
			.results = (uintptr_t)me->ring->area + 64 + 64 * i, .results_size = 64,
		};
		ring_push(me->ring);
	}
	(void)!ring_enter(4, RING_FOREVER);
	return 0;
}

/* What the answer brings is the caller's own thread, which the next entry ends, while
 * others wait for the same answer. */
static void a_chain_ends_its_thread(void)
{
	static const uint32_t never;
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE);
	struct native_child child = spawned(ends_by_a_chain, 0);
	struct capnp_struct_builder root;
	struct capnp_builder b;
	struct ring_sqe *e;

	OK(native_grant(self, child.process, "facet", facet));
	OK(native_start(self, child.thread));
	recv(1, endpoint, inbox);
	OK(ring_enter(1, RING_FOREVER));
	DONE(1, STATUS_OK);
	while (thread_state(child.thread) != THREAD_STATE_WAITING)
		(void)!ring_park(self->ring, &never, 0, 1000000);
	capnp_builder_start(&b, params, sizeof params);
	root = capnp_init_root(&b, 0, 1);
	capnp_set_capability(&root, 0, 0);
	e = give(2, inbox);
	e->params = (uintptr_t)params;
	e->params_size = (uint32_t)capnp_builder_size(&b);
	e->caps_count = 1;
	e->caps[0] = child.thread;
	push();
	CHECK(&check, enter() == 1);
	DONE(2, STATUS_OK);
	CHECK(&check, thread_state(child.thread) == THREAD_STATE_ENDED);
	ended(&child, END_REASON_KILLED, 0);
	release(facet);
	release(endpoint);
}

/* -- more calls than may wait at one endpoint ----------------------------------------------- */

static uint32_t crowded, busy, asked, over;

static int calls_without_end(struct native *me)
{
	const struct ring_cqe *cqe;

	for (unsigned i = 0; i < CALLS_EACH; i++) { /* one place is for PARK */
		*ring_next(me->ring) = (struct ring_sqe){
			.op = RING_CALL, .cap = crowded, .interface = INTERFACE,
		};
		ring_push(me->ring);
		(void)!ring_enter(0, 0);
	}
	while ((cqe = ring_done(me->ring)) != NULL)
		__atomic_fetch_add(&busy, cqe->status == STATUS_BUSY, __ATOMIC_RELAXED);
	__atomic_fetch_add(&asked, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		(void)!ring_park(me->ring, &over, 0, 1000000);
	return 0;
}

static uint32_t waiting_at(uint32_t endpoint)
{
	struct endpoint_info_results_reader r;
	struct native_call c;

	native_call(&c, self, endpoint, ENDPOINT_ID, ENDPOINT_INFO);
	(void)endpoint_info_params_build(&c.params);
	OK(native_send(&c));
	OK(endpoint_info_results_read(c.results, c.results_size, &r));
	return endpoint_info_results_get_waiting(r);
}

static void nap_until(const uint32_t *value, uint32_t wanted)
{
	static const uint32_t never;

	while (__atomic_load_n(value, __ATOMIC_ACQUIRE) != wanted)
		(void)!ring_park(self->ring, &never, 0, 1000000);
}

/* Who comes later is refused; with their callers the calls go, and there is room again. */
static void too_many_calls(void)
{
	uint32_t endpoint = make_endpoint(), threads[CALLERS], waiting;

	crowded = make_facet(endpoint, BADGE);
	busy = asked = over = 0;
	for (unsigned i = 0; i < CALLERS; i++)
		OK(native_thread(self, calls_without_end, 0, stacks[i], CALLER_STACK, &threads[i]));
	nap_until(&asked, CALLERS);
	CHECK(&check, waiting_at(endpoint) == CALLS_MOST);
	CHECK(&check, busy == CALLERS * CALLS_EACH - CALLS_MOST);
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	do {
		waiting = waiting_at(endpoint);
		(void)!ring_park(self->ring, &over, 1, 1000000);
	} while (waiting > 0);
	recv(1, endpoint, inbox);
	(void)call(2, crowded);
	push();
	CHECK(&check, enter() == 1);
	DONE(1, STATUS_OK);
	(void)give(3, inbox);
	push();
	CHECK(&check, enter() == 2);
	DONE(2, STATUS_OK);
	DONE(3, STATUS_OK);
	for (unsigned i = 0; i < CALLERS; i++)
		release(threads[i]);
	release(crowded);
	release(endpoint);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_call_outlives_its_facet, two_receivers, a_chain_breaks_in_the_middle,
		a_receive_by_a_dead_lease, a_call_after_the_end, a_receive_into_nothing,
		a_chain_on_a_forged_completion, a_chain_to_nothing, posts_to_nobody,
		a_chain_ends_its_thread, too_many_calls,
	};

	start(given, "ipc_attacks");
	run(steps, sizeof steps / sizeof steps[0]);
}
