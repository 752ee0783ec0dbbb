/* ipc_chains.c: chained calls whose answers come at the worst moment, or say what is not
 * so; made by one thread that is both sides. */
#include "test/boot/native/both_sides.h"

#include "abi/exception.capnp.h"

enum { LARGE = 2000 };

static uint64_t answer[BUFFER];

/* Call 2, which is received, and call 3, chained to it and to be pushed. */
static struct ring_sqe *call_and_chain(uint32_t endpoint, uint32_t facet)
{
	struct ring_sqe *e;

	recv(4, endpoint, inbox);
	e = call(2, facet);
	e->results = (uintptr_t)answer;
	e->results_size = sizeof answer;
	push();
	e = call(3, RING_CHAIN(1, 0));
	e->chained = 1;
	return e;
}

/* The answer to call 2, which brings that: call 3, chained to it, is made. */
static void answer_with(uint32_t cap)
{
	struct capnp_struct_builder root;
	struct capnp_builder b;
	struct ring_sqe *e;

	capnp_builder_start(&b, params, sizeof params);
	root = capnp_init_root(&b, 0, 1);
	capnp_set_capability(&root, 0, 0);
	e = give(6, inbox);
	e->params = (uintptr_t)params;
	e->params_size = (uint32_t)capnp_builder_size(&b);
	e->caps_count = 1;
	e->caps[0] = cap;
	push();
}

/* The middle one of three chained calls is refused as soon as it is made, because its
 * params cannot be read; the last one hangs on it. */
static void a_chain_breaks_in_the_middle(void)
{
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE);
	struct ring_sqe *e = call_and_chain(endpoint, facet);
	uint32_t answered;

	e->params = BAD_ADDRESS;
	push();
	e = call(1, RING_CHAIN(1, 0));
	e->chained = 1;
	push();
	recv(5, endpoint, other_inbox);
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_OK);
	answer_with(facet);
	CHECK(&check, enter() == 4);
	answered = DONE(2, STATUS_OK);
	DONE(6, STATUS_OK);
	DONE(3, STATUS_FAULT);
	DONE(1, STATUS_FAULT);
	OK(ring_release(self->ring, answered));
	entry(RING_CANCEL, 7, 0)->target = 5;
	push();
	CHECK(&check, enter() == 2);
	DONE(5, STATUS_CANCELLED);
	DONE(7, STATUS_OK);
	OK(ring_release(self->ring, facet));
	OK(ring_release(self->ring, endpoint));
}

/* Call 1, which makes an endpoint. */
static void ask_for_endpoint(uint64_t *results, uint32_t size)
{
	struct ring_sqe *e = entry(RING_CALL, 1, native_find(self, "ledger"));

	e->interface = LEDGER_ID;
	e->method = LEDGER_ENDPOINT;
	e->results = (uintptr_t)results;
	e->results_size = size;
	push();
}

/* Call 2 to what that has made, and how it ends. */
static void chain_to_endpoint(enum status status)
{
	struct ring_sqe *e = call(2, RING_CHAIN(1, 0));
	uint32_t came;

	e->chained = 1;
	push();
	CHECK(&check, enter() == 2);
	came = DONE(1, STATUS_OK);
	DONE(2, status);
	release(came);
}

/* The thread may write to a completion that it has not consumed. One that says that its
 * results are longer than any message is not believed. */
static void a_chain_on_a_forged_completion(void)
{
	static uint64_t long_results[1 << 15];
	static const uint32_t forged[] = { 4097, 4104, sizeof long_results, 1u << 31, UINT32_MAX };

	for (unsigned i = 0; i < sizeof forged / sizeof forged[0]; i++) {
		volatile struct ring_cqe *cqe = &self->ring->cq[self->ring->cq_tail % RING_CQ_ENTRIES];

		ask_for_endpoint(long_results, sizeof long_results);
		CHECK(&check, enter() == 1 && cqe->results_size <= RING_MESSAGE_MAX);
		cqe->results_size = forged[i];
		chain_to_endpoint(STATUS_INVALID);
	}
}

/* Nor is one in the results of which a capability stands that cannot have come; and there
 * is nothing to wait for in the entry itself, nor in one that is long gone. */
static void a_chain_to_nothing(void)
{
	static const uint32_t nowhere[] = { 0, RING_SQ_ENTRIES, RING_SQ_ENTRIES + 1, 255 };
	static const uint32_t indices[] = { RING_CAPS, 1000, 1u << 29, UINT32_MAX };
	struct ring_sqe *e;

	for (unsigned i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
		e = call(1, RING_CHAIN(nowhere[i], 0));
		e->chained = 1;
		push();
		CHECK(&check, enter() == 1);
		DONE(1, STATUS_INVALID);
	}
	for (unsigned i = 0; i < sizeof indices / sizeof indices[0]; i++) {
		ask_for_endpoint(answer, sizeof answer);
		CHECK(&check, enter() == 1 && answer[1] == 3); /* capability 0 */
		answer[1] |= (uint64_t)indices[i] << 32;
		chain_to_endpoint(STATUS_NO_CAP);
	}
}

/* A chained call is made at last, and answers an entry of long ago, in whose place a later
 * one stands: what is chained to that gets what that brought. */
static void a_chain_answers_an_entry_of_long_ago(void)
{
	static uint64_t made[BUFFER];
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE);
	uint32_t there = make_endpoint(), gift = make_facet(there, BADGE), came, brought;
	struct ring_sqe *e;

	recv(1, there, other_inbox);
	(void)call_and_chain(endpoint, facet);
	push();
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_OK);
	for (unsigned i = 4; i < RING_SQ_ENTRIES; i++) {
		(void)entry(RING_NOP, 7, 0);
		push();
		CHECK(&check, enter() == 1);
		DONE(7, STATUS_OK);
	}
	e = entry(RING_CALL, 5, native_find(self, "ledger"));
	e->interface = LEDGER_ID;
	e->method = LEDGER_ENDPOINT;
	e->results = (uintptr_t)made;
	e->results_size = sizeof made;
	push();
	answer_with(gift);
	CHECK(&check, enter() == 4);
	e = entry(RING_CALL, 8, RING_CHAIN(2, 0));
	e->chained = 1;
	e->interface = ENDPOINT_ID;
	e->method = ENDPOINT_INFO;
	push();
	CHECK(&check, enter() == 5);
	came = DONE(5, STATUS_OK);
	brought = DONE(2, STATUS_OK);
	DONE(6, STATUS_OK);
	DONE(1, STATUS_OK);
	DONE(8, STATUS_OK);
	(void)give(9, other_inbox);
	push();
	CHECK(&check, enter() == 2);
	DONE(3, STATUS_OK);
	DONE(9, STATUS_OK);
	release(came);
	release(brought);
	release(gift);
	release(facet);
	release(there);
	release(endpoint);
}

/* A chained call cannot be made again. What it asks for cannot be paid, while a large object
 * ends: it is told why. */
static void a_chain_is_refused_with_words(void)
{
	static const uint64_t too_much[] = { 1ull << 32, 1 << 19 };
	static uint64_t words[BUFFER];
	uint32_t endpoint = make_endpoint(), facet = make_facet(endpoint, BADGE), large, brought;
	struct exception_reader exception;
	struct capnp_text reason = { 0 };
	struct ring_cqe refusal;
	struct ring_sqe *e;

	OK(native_allocate(self, pool, LARGE, &large));
	for (unsigned i = 0; i < LARGE; i++)
		put(large, i, i);
	e = call_and_chain(endpoint, facet);
	e->interface = MEMORY_POOL_ID;
	e->method = MEMORY_POOL_ALLOCATE;
	e->params = (uintptr_t)too_much;
	e->results = (uintptr_t)words;
	e->results_size = sizeof words;
	push();
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_OK);
	(void)entry(RING_RELEASE, 5, large);
	push();
	answer_with(pool);
	CHECK(&check, enter() == 4);
	DONE(5, STATUS_OK);
	brought = DONE(2, STATUS_OK);
	DONE(6, STATUS_OK);
	refusal = *ring_first(self->ring);
	DONE(3, STATUS_NO_MEMORY);
	CHECK(&check, refusal.flags & RING_EXCEPTION);
	OK(exception_read(words, refusal.results_size, &exception));
	OK(exception_get_reason(exception, &reason));
	CHECK(&check, reason.length > 0);
	release(brought);
	release(facet);
	release(endpoint);
}

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

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_chain_breaks_in_the_middle, a_chain_on_a_forged_completion, a_chain_to_nothing,
		a_chain_answers_an_entry_of_long_ago, a_chain_is_refused_with_words,
		a_chain_ends_its_thread,
	};

	start(given, "ipc_chains");
	run(steps, sizeof steps / sizeof steps[0]);
}
