/* fast_copies.c: capabilities that travel with calls and are let go, by the fast ways:
 * to a table that must grow, and by several at once while others release and revoke. */
#include "test/boot/native/fast.h"
#include "test/boot/native/revoker.h"

enum { TURNS = 3000, MANY = 700 };

/* Keeps what comes, or lets it go with the next receive, the fast way. */
static int keep(struct native *me, uint32_t endpoint, bool lets_go, volatile uint32_t *stop)
{
	struct ring *ring = me->ring;
	struct ring_received *in = (struct ring_received *)(ring->area + 512);
	uint64_t answered = 0;
	uint32_t came = 0, count = 0;

	while (stop == NULL || !*stop) {
		struct ring_sqe *e;
		const struct ring_cqe *cqe;
		uint32_t done = 1;

		if (came && lets_go) {
			(void)entry(ring, RING_RELEASE, came);
			ring_push(ring);
			done = 2;
		}
		e = entry(ring, RING_SERVE, endpoint);
		e->token = answered;
		e->results = (uintptr_t)in;
		e->results_size = 512;
		ring_push(ring);
		(void)!ring_enter(done, RING_FOREVER);
		if (done == 2 && (cqe = ring_done(ring)) != NULL && cqe->status)
			return -1;
		cqe = ring_done(ring);
		if (!cqe || cqe->status || in->token == 0)
			return (int)count;
		came = cqe->caps[0];
		if ((came != 0) != (in->caps_count == 1))
			return -2;
		count += came != 0;
		answered = in->token;
		if (in->method == 9) /* the last one; nobody waits for the answer */
			return (int)count;
	}
	return (int)count;
}

static enum status pass(struct ring *ring, uint32_t facet, uint16_t method, uint32_t cap,
                        uint64_t timeout)
{
	struct ring_sqe *e = entry(ring, RING_CALL, facet);

	e->interface = INTERFACE;
	e->method = method;
	e->caps_count = 1;
	e->caps[0] = cap;
	ring_push(ring);
	(void)!ring_enter(1, timeout);
	return take(ring);
}

static int keeper(struct native *me)
{
	return keep(me, native_find(me, "endpoint"), false, NULL);
}

/* Its table has to grow, again and again; what it was given it holds until it ends. */
static void many_to_another_program(void)
{
	uint32_t endpoint = new_endpoint(), facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct native_child child = spawned(keeper, 0);
	uint32_t n = notification(), dead = notification(), good = 0;

	release(dead);
	OK(native_grant(self, child.process, "endpoint", endpoint));
	OK(native_start(self, child.thread));
	for (unsigned i = 0; i < MANY; i++) {
		uint64_t timeout = i % 7 == 0 ? LONG_WAY : RING_FOREVER;
		uint32_t what = i % 5 == 0 ? facet : i % 5 == 1 ? n : endpoint;

		REFUSED(NO_CAP, pass(self->ring, facet, 1, i % 2 ? dead : 0xfffff000, timeout));
		OK(pass(self->ring, facet, 1, what, timeout));
		good++;
	}
	/* No answer comes to the last one. */
	REFUSED(GONE, pass(self->ring, facet, 9, n, RING_FOREVER));
	ended(&child, END_REASON_EXITED, (int32_t)good + 1);
	release(facet);
	release(endpoint);
	release(n);
}

/* -- all at once --------------------------------------------------------------------------------- */

static volatile uint32_t enough, going, published;
static volatile int32_t served_well[WORKERS];
static uint32_t endpoints[2], facets[2];

_Noreturn static void lets_go(uint64_t which, struct ring *ring)
{
	struct native me = { .ring = ring };

	served_well[which] = keep(&me, endpoints[which], true, NULL);
	going--;
	ring_exit(0);
}

/* Passes what the third has published, twice what is its own, and releases what it can. */
_Noreturn static void passes(uint64_t which, struct ring *ring)
{
	uint32_t thread = native_find(self, "thread"), facet = facets[which % 2], own = 0;
	volatile int32_t *failed = &served_well[which];

	for (uint32_t i = 0; i < TURNS; i++) {
		struct ring_call c = { .cap = thread, .method = THREAD_CONTROL_THREAD,
		                       .interface = THREAD_CONTROL_ID, .params = ring->area,
		                       .params_size = 8, .results = ring->area + 64,
		                       .results_size = 64 };
		enum status status;

		((uint64_t *)ring->area)[0] = 0;
		*failed -= ring_call(ring, &c) != STATUS_OK;
		own = c.caps[0];
		*failed -= pass(ring, facet, 1, own, RING_FOREVER) != STATUS_OK;
		status = pass(ring, facet, 1, published, RING_FOREVER);
		*failed -= status != STATUS_OK && status != STATUS_NO_CAP;
		/* Both try to release it; one of them does, or the third. */
		(void)entry(ring, RING_RELEASE, own);
		ring_push(ring);
		(void)entry(ring, RING_RELEASE, published);
		ring_push(ring);
		(void)entry(ring, RING_RELEASE, own);
		ring_push(ring);
		(void)!ring_enter(3, RING_FOREVER);
		*failed -= take(ring) != STATUS_OK;
		(void)take(ring);
		*failed -= take(ring) != STATUS_NO_CAP;
	}
	(void)!pass(ring, facet, 9, thread, RING_FOREVER);
	going--;
	ring_exit(0);
}

/* We lease a notification, publish the lease, and take it back. */
static void lease_and_revoke(uint32_t revoker, uint32_t n)
{
	uint32_t lease = lease_of(revoker, n);

	published = lease;
	for (volatile unsigned i = 0; i < 3000; i++)
		;
	revoke(revoker);
	(void)!ring_release(self->ring, lease); /* unless it was released already */
}

static void all_at_once(void)
{
	uint32_t n = notification(), revoker = revoker_new();

	enough = 0;
	going = 4;
	for (unsigned i = 0; i < 4; i++) {
		struct worker *w = make_worker_at(i, i < 2 ? lets_go : passes);

		served_well[i] = 0;
		if (i < 2) {
			endpoints[i] = new_endpoint();
			facets[i] = made(endpoints[i], ENDPOINT_ID, ENDPOINT_FACET);
		}
		OK(native_start(self, w->thread));
	}
	while (going && enough++ < 200000) {
		lease_and_revoke(revoker, n);
		if (enough % 16 == 0)
			nap(MS / 10);
	}
	CHECK(&check, going == 0);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(&check, i < 2 ? served_well[i] > TURNS : served_well[i] == 0);
		if (i < 2 ? served_well[i] <= TURNS : served_well[i] != 0)
			native_print(self, "thread %u: %d\n", i, served_well[i]);
		end_worker(&workers[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		release(facets[i]);
		release(endpoints[i]);
	}
	release(revoker);
	release(n);
}

/* -- one to let go and one to wait for ----------------------------------------------------------- */

enum { LET_GO = 21, WAITED = 22, LEFT = 23 };

/* A completion that nobody has taken; gives something to let go. */
static uint32_t left_behind(void)
{
	uint32_t cap = own_thread();

	entry(self->ring, RING_NOP, 0)->user_data = LEFT;
	ring_push(self->ring);
	(void)!ring_enter(0, 0);
	return cap;
}

/* RELEASE of `cap`, then SERVE. */
static enum status let_go_and_wait(uint32_t cap, uint32_t endpoint, uint64_t least, uint64_t timeout)
{
	struct ring_sqe *e = entry(self->ring, RING_RELEASE, cap);

	e->user_data = LET_GO;
	ring_push(self->ring);
	e = entry(self->ring, RING_SERVE, endpoint);
	e->user_data = WAITED;
	e->results = (uintptr_t)self->ring->area + 512;
	e->results_size = 512;
	ring_push(self->ring);
	return ring_enter(least, timeout);
}

/* There are `count` completions, and the last is that. Consumes them. */
static void ends_with(uint32_t count, uint64_t last, enum status status)
{
	const struct ring_cqe *cqe = NULL;

	CHECK(&check, ring_ready(self->ring) == count);
	while (count-- > 0)
		cqe = ring_done(self->ring);
	CHECK(&check, cqe && cqe->user_data == last && cqe->status == status);
	while (ring_done(self->ring) != NULL)
		;
}

_Noreturn static void calls_later(uint64_t which, struct ring *ring)
{
	struct ring_sqe *e;

	(void)!ring_park(ring, (const uint32_t *)&enough, 1, 20 * MS);
	e = entry(ring, RING_CALL, facets[which]);
	e->interface = INTERFACE;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	served_well[which] = (int32_t)take(ring);
	ring_exit(0);
}

static void cancelled(void)
{
	struct ring_sqe *e = entry(self->ring, RING_CANCEL, 0);

	e->target = WAITED;
	ring_push(self->ring);
	(void)!ring_enter(2, RING_FOREVER);
	CHECK(&check, ring_ready(self->ring) == 2);
	while (ring_done(self->ring) != NULL)
		;
}

/* What is on its way to somebody is nobody's to let go; if it does not get there, it is
 * ours again. */
static void let_go_of_what_moves(uint32_t facet)
{
	uint32_t cap = own_thread();
	struct ring_sqe *e = entry(self->ring, RING_CALL, facet);

	e->user_data = WAITED;
	e->interface = INTERFACE;
	e->caps_count = 1;
	e->caps_move = 1;
	e->caps[0] = cap;
	ring_push(self->ring);
	(void)!ring_enter(0, 0);
	for (unsigned i = 0; i < 2; i++) {
		(void)entry(self->ring, RING_RELEASE, cap);
		ring_push(self->ring);
		(void)!ring_enter(1, RING_FOREVER);
		CHECK_STATUS(&check, i == 0 ? STATUS_NO_CAP : STATUS_OK, take(self->ring));
		if (i == 0)
			cancelled();
	}
}

/* Both at once, and to wait for a third completion, which does not come. */
static void let_go_of_two(void)
{
	uint32_t caps[2] = {own_thread(), own_thread()};

	for (unsigned i = 0; i < 2; i++) {
		entry(self->ring, RING_RELEASE, caps[i])->user_data = LET_GO;
		ring_push(self->ring);
	}
	CHECK_STATUS(&check, STATUS_TIMEOUT, ring_enter(3, MS));
	ends_with(2, LET_GO, STATUS_OK);
}

/* Waits for as much as was asked for, and no longer. */
static void let_go_and_received(void)
{
	uint32_t endpoint = new_endpoint(), cap;
	struct worker *w = make_worker_at(0, calls_later);

	facets[0] = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	enough = 1;
	let_go_of_two();
	let_go_of_what_moves(facets[0]);
	CHECK_STATUS(&check, STATUS_OK, let_go_and_wait(own_thread(), endpoint, 0, RING_FOREVER));
	ends_with(1, LET_GO, STATUS_OK);
	cancelled();
	CHECK_STATUS(&check, STATUS_OK, let_go_and_wait(own_thread(), endpoint, 1, RING_FOREVER));
	ends_with(1, LET_GO, STATUS_OK);
	cancelled();
	CHECK_STATUS(&check, STATUS_TIMEOUT, let_go_and_wait(own_thread(), endpoint, 2, MS));
	ends_with(1, LET_GO, STATUS_OK);
	cancelled();
	CHECK_STATUS(&check, STATUS_TIMEOUT, let_go_and_wait(0xfffff000, endpoint, 2, MS));
	ends_with(1, LET_GO, STATUS_NO_CAP);
	cancelled();
	cap = left_behind();
	CHECK_STATUS(&check, STATUS_OK, let_go_and_wait(cap, endpoint, 2, RING_FOREVER));
	ends_with(2, LET_GO, STATUS_OK);
	cancelled();
	OK(native_start(self, w->thread));
	cap = left_behind();
	CHECK_STATUS(&check, STATUS_OK, let_go_and_wait(cap, endpoint, 3, RING_FOREVER));
	ends_with(3, WAITED, STATUS_OK);
	end_worker(w);
	release(facets[0]);
	release(endpoint);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		many_to_another_program, all_at_once, let_go_and_received,
	};

	start_sched(given, "fast_copies");
	run(steps, sizeof steps / sizeof steps[0]);
}
