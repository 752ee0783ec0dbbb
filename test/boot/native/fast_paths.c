/* fast_paths.c: threads that wait for one thing only, and what comes to them by the
 * fast ways meanwhile: signals, compared with the long way; and calls and answers, where
 * the order of things is unusual. What else may come to them meanwhile: fast_waits.c. */
#include "test/boot/native/fast_ask.h"
#include "test/boot/native/revoker.h"

enum { ROOM = 16 };

/* -- signals ------------------------------------------------------------------------------ */

struct waiter {
	uint32_t notification, room;
	uint64_t mask;
	volatile uint32_t awake;
	volatile enum status status;
	volatile uint64_t bits, size;
};

static struct waiter waiters[WORKERS];

/* One CALL whose params are two words, in the area: the ring's next entry. */
static struct ring_sqe *ask_word(struct ring *ring, uint32_t cap, uint64_t interface,
                                 uint16_t method, uint64_t value)
{
	struct ring_sqe *e = entry(ring, RING_CALL, cap);
	uint64_t *params = (uint64_t *)ring->area;

	params[0] = 1ull << 32;
	params[1] = value;
	e->interface = interface;
	e->method = method;
	e->params = (uintptr_t)params;
	e->params_size = 16;
	return e;
}

/* As take(), but for what was posted. */
static enum status take_answer(struct ring *ring)
{
	enum status status = STATUS_COUNT;
	const struct ring_cqe *cqe;

	while ((cqe = ring_done(ring)) != NULL) {
		if (cqe->flags & RING_POSTED)
			posted++;
		else
			status = (enum status)cqe->status;
	}
	return status;
}

_Noreturn static void wait_once(uint64_t which, struct ring *ring)
{
	struct waiter *w = &waiters[which];
	struct ring_sqe *e = ask_word(ring, w->notification, NOTIFICATION_ID,
	                              NOTIFICATION_WAIT, w->mask);
	uint64_t *results = (uint64_t *)(ring->area + 1024);
	const struct ring_cqe *cqe;

	e->results = (uintptr_t)results;
	e->results_size = w->room;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	cqe = ring_done(ring);
	w->status = cqe ? (enum status)cqe->status : STATUS_COUNT;
	w->size = cqe ? cqe->results_size : 0;
	w->bits = results[1];
	w->awake = 1;
	ring_exit(0);
}

static void start_waiter(unsigned i, uint32_t notification, uint64_t mask, uint32_t room,
                         uint32_t priority)
{
	struct worker *w = make_worker_at(i, wait_once);

	waiters[i] = (struct waiter){ .notification = notification, .mask = mask, .room = room };
	OK(create_context(control, SCHEDULING_INFINITE, 0, priority, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
}

static enum status tell(uint32_t cap, uint64_t interface, uint64_t bits, bool slowly)
{
	(void)ask_word(self->ring, cap, interface, 0, bits);
	ring_push(self->ring);
	/* One more than there will be: for the long way. */
	(void)!ring_enter(slowly ? 3 : 1, slowly ? 1 : RING_FOREVER);
	return take_answer(self->ring);
}

struct told {
	enum status status, woken;
	uint32_t awake, second, posted;
	uint64_t bits, size, left;
};

/* Two wait, if `second` has a mask. */
static struct told told(uint64_t mask, uint32_t room, uint64_t second, uint64_t bits,
                        bool bound, bool signaller, bool slowly)
{
	uint32_t n = notification(), by = n;
	struct told t;

	waiters[0] = waiters[1] = (struct waiter){ .bits = 0 };
	if (signaller)
		by = made(n, NOTIFICATION_ID, NOTIFICATION_SIGNALLER);
	if (bound) {
		(void)ask_word(self->ring, n, NOTIFICATION_ID, NOTIFICATION_BIND, 77);
		ring_push(self->ring);
		OK(ring_enter(1, RING_FOREVER));
		OK(take(self->ring));
	}
	if (mask)
		start_waiter(0, n, mask, room, PRIORITY);
	if (second)
		start_waiter(1, n, second, ROOM, PRIORITY);
	posted = 0;
	t.status = tell(by, signaller ? SIGNALLER_ID : NOTIFICATION_ID, bits, slowly);
	t.posted = posted;
	if (mask & bits)
		CHECK(&check, until(&waiters[0].awake, 1));
	nap(5 * MS);
	t.awake = mask ? waiters[0].awake : 0;
	t.second = second ? waiters[1].awake : 0;
	t.woken = waiters[0].status;
	t.bits = waiters[0].bits;
	t.size = waiters[0].size;
	t.left = bits_of(n, NOTIFICATION_POLL, ~0ull);
	if (mask)
		end_worker(&workers[0]);
	if (second)
		end_worker(&workers[1]);
	if (by != n)
		release(by);
	release(n);
	return t;
}

static uint64_t used(void)
{
	struct account account = { .used = 0 };

	OK(native_account(native_find(self, "ledger"), &account));
	return account.used;
}

static void signals_by_both_ways(void)
{
	static unsigned times;
	uint64_t before = used();
	static const struct {
		uint64_t mask, second, bits;
		uint32_t room;
		bool bound, signaller;
	} cases[] = {
		{ 0, 0, 5, 0, false, false },      { 7, 0, 5, ROOM, false, false },
		{ 7, 0, 13, ROOM, false, false },  { 7, 0, 5, 0, false, false },
		{ 7, 0, 5, 8, false, false },      { 7, 0, 5, 15, false, false },
		{ 7, 0, 8, ROOM, false, false },   { 7, 8, 13, ROOM, false, false },
		{ 7, 7, 5, ROOM, false, false },   { 7, 0, 5, 64, false, false },
		{ 7, 0, 13, ROOM, true, false },   { 0, 0, 5, 0, true, false },
		{ 7, 0, 5, ROOM, false, true },    { 7, 0, 0, ROOM, false, false },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct told both[2];

		for (unsigned way = 0; way < 2; way++)
			both[way] = told(cases[i].mask, cases[i].room, cases[i].second,
			                 cases[i].bits, cases[i].bound, cases[i].signaller, way);
		CHECK(&check, both[0].awake == (cases[i].mask & cases[i].bits ? 1 : 0));
		if (both[0].status != both[1].status || both[0].woken != both[1].woken ||
		    both[0].awake != both[1].awake || both[0].second != both[1].second ||
		    both[0].bits != both[1].bits || both[0].size != both[1].size ||
		    both[0].left != both[1].left || both[0].posted != both[1].posted) {
			native_print(self, "signal case %u: awake %u %u, %s, bits %lx of %lu, left %lx;"
			             " the long way %u %u, %s, %lx of %lu, left %lx\n", i,
			             both[0].awake, both[0].second, native_status(both[0].woken),
			             both[0].bits, both[0].size, both[0].left, both[1].awake,
			             both[1].second, native_status(both[1].woken), both[1].bits,
			             both[1].size, both[1].left);
			check_failed(&check, "the two ways differ", __LINE__);
		}
	}
	for (unsigned i = 0; i < 40; i++)
		(void)told(7, ROOM, 0, 5, false, false, false);
	CHECK(&check, times++ == 0 || used() == before); /* no notification is left */
}

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Of the same priority, on the only processor: we go on, for a while only. */
static void an_equal_gets_its_turn(void)
{
	uint32_t n = notification();
	uint64_t until;

	start_waiter(0, n, 1, ROOM, 31);
	OK(tell(n, NOTIFICATION_ID, 1, false));
	for (until = ticks() + 20000000000ull; ticks() < until && !waiters[0].awake;)
		;
	CHECK(&check, waiters[0].awake == 1);
	end_worker(&workers[0]);
	release(n);
}

/* -- who waits is ended or suspended -------------------------------------------------------- */

/* A receive, or a wait for a signal, that is gone when what it waited for comes. */
static void things_happen_to_those_who_wait(void)
{
	uint32_t n = notification(), endpoint = new_endpoint();
	uint32_t facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct worker *w;

	start_waiter(0, n, 1, ROOM, PRIORITY);
	OK(kill(workers[0].thread));
	OK(tell(n, NOTIFICATION_ID, 1, false));
	CHECK(&check, bits_of(n, NOTIFICATION_POLL, 1) == 1);
	end_worker(&workers[0]);
	start_waiter(0, n, 1, ROOM, PRIORITY);
	OK(plain_call(workers[0].thread, THREAD_ID, THREAD_SUSPEND));
	OK(tell(n, NOTIFICATION_ID, 1, false));
	nap(5 * MS);
	CHECK(&check, waiters[0].awake == 0);
	OK(plain_call(workers[0].thread, THREAD_ID, THREAD_RESUME));
	CHECK(&check, until(&waiters[0].awake, 1));
	CHECK(&check, waiters[0].bits == 1 && bits_of(n, NOTIFICATION_POLL, 1) == 0);
	end_worker(&workers[0]);
	/* A server that is gone is not called; the next one is. */
	w = act(0, server);
	actors[0].endpoint = endpoint;
	actors[0].hold = 0;
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
	end_worker(w);
	start_asker(1, facet);
	OK(receive(endpoint, RING_RECV, 0));
	OK(give_back(token));
	CHECK(&check, until(&actors[1].served, 1));
	end_worker(&workers[1]);
	release(facet);
	release(endpoint);
	release(n);
}

/* -- an answer to an entry of long ago ------------------------------------------------------ */

static volatile enum status chained_status;

/* Receives; asks so much else that the entry's place is a later one's; waits; then
 * chains an entry to that later one. */
_Noreturn static void long_ago(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	uint32_t thread = native_find(self, "thread"), own = 0;
	const struct ring_cqe *cqe;
	struct ring_sqe *e;
	uint64_t answered = 0;

	for (unsigned round = 0; round < 2; round++) {
		e = entry(ring, RING_RECV, a->endpoint);
		e->results = (uintptr_t)(ring->area + 512);
		e->results_size = 512;
		ring_push(ring);
		for (unsigned i = 0; round == 1 && i < RING_SQ_ENTRIES; i++) {
			e = entry(ring, i == RING_SQ_ENTRIES - 1 ? RING_CALL : RING_NOP, thread);
			e->interface = THREAD_CONTROL_ID;
			e->method = THREAD_CONTROL_THREAD;
			e->results = (uintptr_t)(ring->area + 1200);
			e->results_size = 64;
			if (i == RING_SQ_ENTRIES - 1) { /* by then it is in the receive's place */
				((uint64_t *)ring->area)[0] = 0;
				e->params = (uintptr_t)ring->area;
				e->params_size = 8;
			}
			ring_push(ring);
			(void)!ring_enter(0, 0);
			while ((cqe = ring_done(ring)) != NULL)
				own = cqe->caps[0];
		}
		(void)!ring_enter(1, RING_FOREVER);
		while (ring_done(ring))
			;
		answered = ((struct ring_received *)(ring->area + 512))->token;
		if (round == 0) {
			entry(ring, RING_RETURN, 0)->token = answered;
			ring_push(ring);
			(void)!ring_enter(1, RING_FOREVER);
			(void)ring_done(ring);
		}
	}
	e = entry(ring, RING_CALL, RING_CHAIN(1, 0));
	e->chained = 1;
	e->interface = THREAD_ID;
	e->method = THREAD_INFO;
	((uint64_t *)ring->area)[0] = 0;
	e->params = (uintptr_t)ring->area;
	e->params_size = 8;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	chained_status = take(ring);
	(void)!ring_release(ring, own);
	entry(ring, RING_RETURN, 0)->token = answered;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	a->served = 1;
	ring_exit(0);
}

static void an_entry_of_long_ago(void)
{
	uint32_t endpoint = new_endpoint(), facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct worker *w = act(0, long_ago);

	chained_status = STATUS_COUNT;
	actors[0].endpoint = endpoint;
	OK(native_start(self, w->thread));
	for (unsigned i = 0; i < 2; i++) {
		until_state(w, THREAD_STATE_WAITING);
		start_asker(1, facet);
		CHECK(&check, until(&actors[1].served, 1));
		end_worker(&workers[1]);
	}
	CHECK(&check, until(&actors[0].served, 1));
	CHECK_STATUS(&check, STATUS_OK, chained_status);
	end_worker(w);
	release(facet);
	release(endpoint);
}

/* -- who waits for a server that has nothing of its own -------------------------------------- */

static volatile uint32_t posted_to;

/* Receives two calls, answers the one that came last, and runs when it is posted to. */
_Noreturn static void answers_the_second(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_received *in = (struct ring_received *)(ring->area + 512);
	uint64_t first = 0, last = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct ring_sqe *e = entry(ring, RING_SERVE, a->endpoint);

		e->token = i == 2 ? last : 0;
		e->results = (uintptr_t)in;
		e->results_size = 512;
		ring_push(ring);
		(void)!ring_enter(1, RING_FOREVER);
		(void)ring_done(ring);
		first = i == 0 ? in->token : first;
		last = in->token;
		a->served++;
	}
	posted_to = 1;
	entry(ring, RING_RETURN, 0)->token = first;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	ring_exit(0);
}

static void the_first_caller_still_lends(void)
{
	uint32_t endpoint = new_endpoint(), facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct worker *s = act(0, answers_the_second);

	posted_to = 0;
	actors[0].endpoint = endpoint;
	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY, &s->context));
	OK(bind(s->context, s->thread));
	OK(native_start(self, s->thread));
	until_state(s, THREAD_STATE_WAITING);
	OK(unbind(s->context));
	start_client_at(1, facet, 0, 0, PRIORITY);
	CHECK(&check, until(&actors[0].served, 1));
	until_state(s, THREAD_STATE_WAITING);
	start_client_at(2, facet, 0, 0, PRIORITY + 1);
	CHECK(&check, until(&actors[2].answers, 1));
	until_state(s, THREAD_STATE_WAITING);
	post_to(s->thread);
	CHECK(&check, until(&posted_to, 1));
	CHECK(&check, until(&actors[1].answers, 1));
	for (unsigned i = 0; i < 3; i++)
		end_worker(&workers[i]);
	release(facet);
	release(endpoint);
}

/* -- who waits by a lease ---------------------------------------------------------------- */

/* Answers until it is refused. */
_Noreturn static void serve_until_refused(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_received *in = (struct ring_received *)(ring->area + 512);
	uint64_t answered = 0;

	while (a->status == STATUS_COUNT) {
		struct ring_sqe *e = entry(ring, RING_SERVE, a->endpoint);
		enum status status;

		e->token = answered;
		e->results = (uintptr_t)in;
		e->results_size = 512;
		ring_push(ring);
		(void)!ring_enter(1, RING_FOREVER);
		status = take(ring);
		answered = in->token;
		if (status)
			a->status = status;
		else
			a->served++;
	}
	ring_exit(0);
}

/* It waits for the next call when its lease is revoked: that call is not for it. */
static void who_waits_by_a_dead_lease_gets_nothing(void)
{
	uint32_t endpoint = new_endpoint(), facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	uint32_t revoker = revoker_new(), lease = lease_of(revoker, endpoint);
	struct worker *s = act(0, serve_until_refused);

	actors[0].endpoint = lease;
	OK(native_start(self, s->thread));
	until_state(s, THREAD_STATE_WAITING);
	start_asker(1, facet);
	CHECK(&check, until(&actors[1].served, 1));
	until_state(s, THREAD_STATE_WAITING);
	revoke(revoker);
	start_asker(2, facet);
	until_state(s, THREAD_STATE_ENDED);
	CHECK(&check, actors[0].served == 1 && actors[0].status == STATUS_GONE);
	OK(receive(endpoint, RING_RECV, 0));
	OK(give_back(token));
	CHECK(&check, until(&actors[2].served, 1));
	CHECK(&check, actors[2].answers == 1 && actors[2].status == STATUS_OK);
	for (unsigned i = 0; i < 3; i++)
		end_worker(&workers[i]);
	release(lease), release(revoker), release(facet), release(endpoint);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		signals_by_both_ways, an_equal_gets_its_turn, things_happen_to_those_who_wait,
		an_entry_of_long_ago, the_first_caller_still_lends,
		who_waits_by_a_dead_lease_gets_nothing,
	};

	start_sched(given, "fast_paths");
	run(steps, sizeof steps / sizeof steps[0]);
}
