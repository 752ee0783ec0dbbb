/* sched_poll.c: rings that the exokernel looks at by itself: who never enters gets its
 * answers, as long as it runs and pays; who has to enter again can tell. */
#define SCHED_WORKERS 8
#include "test/boot/native/sched.h"

#include "abi/endpoint.capnp.h"

/* A host may stop a processor for a while, and 64 looks in vain are soon had. */
#define EVERY (2 * MS)
#define OFTEN 100000ul
#define LEAST 20000ul
#define INTERFACE 0x9011ed0000ull
#include "test/boot/native/made.h"

enum { POLLED, HOG, HOGS = 4, LOW = 20, PRIORITY = 40, TOP = 50, MANY = 200,
       PAGES = 4096 /* that is too long to be done at once */ };
#define MAPPED_AT 0x400000000ul

/* What the polled thread does, and how far it has come. */
enum role { NEVER_ENTERS, SLEEPS, ROUSES, FLOODS, FLOODS_SLOWLY, SERVES_ITSELF, ENDS_ITSELF, ASKS_NO_MORE,
	    WRITES_NONSENSE, MOVES_ITS_QUEUE };
static struct {
	enum role role;
	uint64_t every;
	volatile uint32_t answered, slept, roused, done, wrong;
	uint32_t thread, endpoint, facet, context;
} polled;

static enum status ask(struct ring *ring, uint64_t every)
{
	struct ring_call call = {
		.cap = native_find(self, "thread"),
		.interface = THREAD_CONTROL_ID,
		.method = THREAD_CONTROL_POLL,
		.params = ring->area,
	};
	struct capnp_builder b;

	capnp_builder_start(&b, ring->area, sizeof ring->area);
	thread_control_poll_params_set_every_ns(thread_control_poll_params_build(&b), every);
	call.params_size = (uint32_t)capnp_builder_size(&b);
	return ring_call(ring, &call);
}

static void push(struct ring *ring, enum ring_op op, uint32_t cap, uint64_t user_data)
{
	*ring_next(ring) = (struct ring_sqe){
		.op = (uint8_t)op, .cap = cap, .user_data = user_data,
	};
	ring_push(ring);
}

/* Timer.now: a call on an object, with results. */
static void push_now(struct ring *ring, uint64_t user_data)
{
	struct ring_sqe *e = ring_next(ring);

	*e = (struct ring_sqe){
		.op = RING_CALL, .cap = timer, .interface = TIMER_ID, .method = TIMER_NOW,
		.user_data = user_data, .results = (uintptr_t)ring->area + 64, .results_size = 64,
	};
	ring_push(ring);
}

static bool is_asleep(const struct ring *ring)
{
	return __atomic_load_n(&ring->flags, __ATOMIC_ACQUIRE) & RING_ASLEEP;
}

/* Without ever entering; false: it is asleep, and was not roused. */
static bool await(struct ring *ring, uint64_t user_data, enum status status)
{
	const struct ring_cqe *cqe;

	while ((cqe = ring_first(ring)) == NULL) {
		workers[POLLED].count++;
		if (polled.role == ROUSES)
			polled.roused += (uint32_t)ring_rouse(ring);
		else if (is_asleep(ring))
			return false;
	}
	if (cqe->user_data != user_data || cqe->status != status)
		polled.wrong++;
	ring_consume(ring);
	return true;
}

static void answer_many(struct ring *ring)
{
	for (uint32_t i = 1; i <= MANY; i++) {
		if (i % 3)
			push_now(ring, i);
		else
			push(ring, RING_NOP, 0, i);
		if (!await(ring, i, STATUS_OK))
			break;
		polled.answered++;
	}
}

static void sleep_and_wake(struct ring *ring)
{
	while (!is_asleep(ring))
		workers[POLLED].count++;
	polled.slept++;
	push(ring, RING_NOP, 0, 1);
	for (uint64_t end = workers[POLLED].count + 20000000; workers[POLLED].count < end;)
		workers[POLLED].count++;
	polled.wrong += ring_first(ring) != NULL;
	polled.roused += (uint32_t)ring_rouse(ring);
	polled.wrong += is_asleep(ring) || !await(ring, 1, STATUS_OK);
	push(ring, RING_NOP, 0, 2);
	polled.wrong += !await(ring, 2, STATUS_OK);
}

/* More than there are places for, none taken before the rest is there. */
static void flood(struct ring *ring)
{
	uint32_t pushed = 0, taken = 0;

	while (taken < MANY && !is_asleep(ring)) {
		while (pushed < MANY && ring->sq_tail - *(volatile uint32_t *)&ring->sq_head < RING_SQ_ENTRIES)
			push(ring, RING_NOP, 0, pushed++);
		if (pushed < MANY && *(volatile uint32_t *)&ring->cq_tail - ring->cq_head < RING_CQ_ENTRIES)
			continue;
		for (const struct ring_cqe *c; (c = ring_first(ring)) != NULL; ring_consume(ring))
			polled.wrong += c->user_data != taken++;
	}
	polled.answered = taken;
}

/* AddressSpace.protect of a range that takes several looks: it pauses. */
static void push_long(struct ring *ring, uint64_t user_data)
{
	static uint64_t params[8];
	struct address_space_protect_params_builder p;
	struct ring_sqe *e = ring_next(ring);
	struct capnp_builder b;

	capnp_builder_start(&b, params, sizeof params);
	p = address_space_protect_params_build(&b);
	address_space_protect_params_set_address(p, MAPPED_AT);
	address_space_protect_params_set_pages(p, PAGES);
	address_space_protect_params_set_access(p, ACCESS_READ);
	*e = (struct ring_sqe){
		.op = RING_CALL, .cap = native_find(self, "space"), .interface = ADDRESS_SPACE_ID,
		.method = ADDRESS_SPACE_PROTECT, .user_data = user_data,
		.params = (uintptr_t)params, .params_size = (uint32_t)capnp_builder_size(&b),
	};
	ring_push(ring);
}

/* An entry's place is taken as soon as it is given back, which is not while the entry
 * pauses: it is looked at once more. */
static void flood_slowly(struct ring *ring)
{
	uint32_t pushed = 0, taken = 0;
	const struct ring_cqe *c;

	while (taken < MANY && !is_asleep(ring)) {
		while (pushed < MANY && ring->sq_tail - *(volatile uint32_t *)&ring->sq_head < RING_SQ_ENTRIES) {
			if (pushed % RING_SQ_ENTRIES)
				push(ring, RING_NOP, 0, pushed++);
			else
				push_long(ring, pushed++);
		}
		for (; (c = ring_first(ring)) != NULL; ring_consume(ring))
			polled.wrong += c->user_data != taken++ || c->status != STATUS_OK;
	}
	polled.answered = taken;
}

/* A call to itself: RECV, CALL, RETURN, all by the way. */
static void serve_itself(struct ring *ring)
{
	static uint64_t inbox[8];
	struct ring_sqe *e = ring_next(ring);

	*e = (struct ring_sqe){
		.op = RING_RECV, .cap = polled.endpoint, .user_data = 1,
		.results = (uintptr_t)inbox, .results_size = sizeof inbox,
	};
	ring_push(ring);
	e = ring_next(ring);
	*e = (struct ring_sqe){
		.op = RING_CALL, .cap = polled.facet, .user_data = 2, .interface = INTERFACE,
	};
	ring_push(ring);
	polled.wrong += !await(ring, 1, STATUS_OK);
	e = ring_next(ring);
	*e = (struct ring_sqe){ .op = RING_RETURN, .user_data = 3, .token = inbox[0] };
	ring_push(ring);
	polled.wrong += !await(ring, 2, STATUS_OK) || !await(ring, 3, STATUS_OK);
	push(ring, RING_CALL, 0, 4); /* a refusal */
	polled.wrong += !await(ring, 4, STATUS_NO_CAP);
}

/* Thread.kill and ThreadControl.poll of itself, found by the exokernel. */
static void push_call(struct ring *ring, uint32_t cap, uint64_t interface, uint16_t method)
{
	struct ring_sqe *e = ring_next(ring);

	*e = (struct ring_sqe){
		.op = RING_CALL, .cap = cap, .interface = interface, .method = method,
		.user_data = 1,
	};
	ring_push(ring);
}

static void write_nonsense(struct ring *ring)
{
	ring->sq_tail += 1000;
	while (!is_asleep(ring))
		workers[POLLED].count++;
	polled.wrong += ring_enter(0, 0) != STATUS_INVALID;
	while (!is_asleep(ring)) /* asked once more, it looks once more */
		workers[POLLED].count++;
	ring->sq_tail -= 1000;
	(void)!ring_enter(0, 0);
	push(ring, RING_NOP, 0, 1);
	polled.wrong += !await(ring, 1, STATUS_OK);
}

_Noreturn static void polled_thread(uint64_t which, struct ring *ring)
{
	struct worker *w = &workers[which];

	if (ask(ring, polled.every) != STATUS_OK)
		polled.wrong++;
	switch (polled.role) {
	case NEVER_ENTERS:
	case ROUSES:
		answer_many(ring);
		break;
	case SLEEPS:
		sleep_and_wake(ring);
		break;
	case FLOODS:
		flood(ring);
		break;
	case FLOODS_SLOWLY:
		flood_slowly(ring);
		break;
	case SERVES_ITSELF:
		serve_itself(ring);
		break;
	case ENDS_ITSELF:
		push_call(ring, polled.thread, THREAD_ID, THREAD_KILL);
		break;
	case ASKS_NO_MORE:
		push_call(ring, native_find(self, "thread"), THREAD_CONTROL_ID, THREAD_CONTROL_POLL);
		polled.wrong += !await(ring, 1, STATUS_OK);
		push(ring, RING_NOP, 0, 2);
		break;
	case WRITES_NONSENSE:
		write_nonsense(ring);
		break;
	case MOVES_ITS_QUEUE: /* as fast as it can, for whoever ends it */
		for (uint64_t i = 0;; i++) {
			if (ring->sq_tail - *(volatile uint32_t *)&ring->sq_head < RING_SQ_ENTRIES)
				push_now(ring, i);
			while (ring_first(ring))
				ring_consume(ring);
			(void)ring_rouse(ring);
			w->count++;
		}
	}
	polled.done = 1;
	for (;;) {
		polled.slept += is_asleep(ring);
		w->count++;
	}
}

static struct worker *start_polled(enum role role, uint64_t budget, uint64_t period,
                                   uint32_t priority)
{
	struct worker *w = make_worker_at(POLLED, polled_thread);

	polled.role = role;
	polled.every = role == MOVES_ITS_QUEUE ? LEAST : role == ROUSES ? OFTEN : EVERY;
	polled.answered = polled.slept = polled.roused = polled.done = polled.wrong = 0;
	polled.thread = w->thread;
	OK(create_context(control, budget, period, priority, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	return w;
}

static bool until_done(void)
{
	for (unsigned i = 0; i < 10000 && !polled.done; i++)
		nap(MS);
	return polled.done;
}

static void role(enum role role)
{
	struct worker *w = start_polled(role, SCHEDULING_INFINITE, 0, PRIORITY);

	CHECK(&check, until_done());
	CHECK(&check, polled.wrong == 0);
	end_worker(w);
}

static void who_never_enters_is_answered(void)
{
	role(NEVER_ENTERS);
	CHECK(&check, polled.answered == MANY);
	CHECK(&check, polled.roused == 0);
}

static void who_asks_nothing_is_left_alone(void)
{
	role(SLEEPS);
	CHECK(&check, polled.slept >= 1 && polled.roused == 1);
}

static void all_ways(void)
{
	role(FLOODS);
	CHECK(&check, polled.answered == MANY);
	role(FLOODS_SLOWLY);
	CHECK(&check, polled.answered == MANY);
	role(SERVES_ITSELF);
	role(WRITES_NONSENSE);
	role(ASKS_NO_MORE);
	CHECK(&check, polled.slept == 0);
}

/* The others are as urgent, and take all processors in turn. */
static void among_equals(void)
{
	for (unsigned i = HOG; i < HOG + HOGS; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, PRIORITY);
	role(ROUSES);
	CHECK(&check, polled.answered == MANY);
	for (unsigned i = HOG; i < HOG + HOGS; i++)
		end_worker(&workers[i]);
}

/* It has a tenth of the time, however many look for it: it is not looked at while it
 * has none, finds that out, and pays. A host that stops a processor meanwhile makes it
 * more. */
static void who_does_not_pay_is_not_served(void)
{
	enum { TRIES = 10 };
	uint64_t begun, used;
	bool good = false;
	struct worker *w;

	w = start_polled(NEVER_ENTERS, MS / 5, 2 * MS, PRIORITY);
	CHECK(&check, until_done());
	CHECK(&check, polled.answered < MANY && polled.slept >= 1);
	end_worker(w);
	w = start_polled(MOVES_ITS_QUEUE, 2 * MS, 20 * MS, PRIORITY);
	for (unsigned i = 0; i < TRIES && !good; i++) {
		begun = now();
		used = query(w->context).consumed;
		nap(400 * MS);
		used = query(w->context).consumed - used;
		good = used < (now() - begun) / 2;
	}
	CHECK(&check, query(w->context).exhausted >= 2);
	CHECK(&check, good);
	end_worker(w);
	w = start_polled(ROUSES, 2 * MS, 20 * MS, PRIORITY);
	CHECK(&check, until_done());
	CHECK(&check, polled.answered == MANY && polled.roused >= 1);
	end_worker(w);
}

/* Another processor may look, which does less urgent work; then the thread pays for
 * both, that is more than goes by. Which of them comes first is chance, and looked at
 * until it has been seen; where there is one, it pays once. */
static void who_is_served_elsewhere_pays(void)
{
	bool several = processors() > 1, more = false;
	unsigned tries = several ? 400 : 20;

	for (unsigned i = HOG; i < HOG + HOGS; i++)
		start_worker(i, SCHEDULING_INFINITE, 0, LOW);
	for (unsigned i = 0; i < tries && !more; i++) {
		struct worker *w = start_polled(MOVES_ITS_QUEUE, SCHEDULING_INFINITE, 0, PRIORITY);

		for (unsigned j = 0; j < 3 && !more; j++) {
			uint64_t begun = now(), before = query(w->context).consumed;

			nap(20 * MS);
			more = query(w->context).consumed - before > now() - begun;
		}
		end_worker(w);
	}
	CHECK(&check, several == more);
	for (unsigned i = HOG; i < HOG + HOGS; i++)
		end_worker(&workers[i]);
}

/* At any moment, wherever it runs and whoever looks. */
static void it_ends_while_it_is_looked_at(void)
{
	struct worker *w;

	for (unsigned i = 0; i < 40; i++) {
		w = start_polled(MOVES_ITS_QUEUE, SCHEDULING_INFINITE, 0, PRIORITY);
		nap(MS + i * 37000);
		end_worker(w);
	}
	w = start_polled(ENDS_ITSELF, SCHEDULING_INFINITE, 0, PRIORITY);
	until_state(w, THREAD_STATE_ENDED);
	release(w->thread);
	release(w->context);
	w->thread = w->context = 0;
}

static void refusals(void)
{
	static const uint64_t bad[] = { 1, 19999, 1000000001, ~0ull };

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_STATUS(&check, STATUS_INVALID, ask(self->ring, bad[i]));
	OK(ask(self->ring, 0));
	OK(ask(self->ring, 1000000000));
	OK(ask(self->ring, 20000));
	nap(5 * MS); /* it waits: nobody looks */
	CHECK(&check, is_asleep(self->ring));
	OK(ask(self->ring, 0));
	CHECK(&check, !is_asleep(self->ring));
	REFUSED(NO_METHOD, plain_call(native_find(self, "thread"), THREAD_CONTROL_ID, 4));
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		who_never_enters_is_answered, who_asks_nothing_is_left_alone, all_ways,
		among_equals, who_does_not_pay_is_not_served, who_is_served_elsewhere_pays,
		it_ends_while_it_is_looked_at, refusals,
	};

	uint32_t object;

	start_sched(given, "sched_poll");
	rule(TOP);
	OK(native_allocate(self, pool, PAGES, &object));
	OK(native_map(self, native_find(self, "space"), object, 0, (void *)MAPPED_AT, PAGES, ACCESS_READ));
	polled.endpoint = made(native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	polled.facet = made(polled.endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	run(steps, sizeof steps / sizeof steps[0]);
}
