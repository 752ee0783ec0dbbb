/* ipc_attacks.c: calls whose objects go away at the worst moment, made by one thread
 * that is both sides; and more calls than an endpoint takes, by many. */
#include "test/boot/native/both_sides.h"
#include "test/boot/native/revoker.h"

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
		a_call_outlives_its_facet, two_receivers, a_receive_by_a_dead_lease,
		a_call_after_the_end, a_receive_into_nothing, posts_to_nobody, too_many_calls,
	};

	start(given, "ipc_attacks");
	run(steps, sizeof steps / sizeof steps[0]);
}
