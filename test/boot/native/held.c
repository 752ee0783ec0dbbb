/* held.c: for how long a program can keep the exokernel to itself. It makes what is
 * long to end, to wake or to map, and has the exokernel do so by one call, while
 * somebody looks for how long that is (held.h). Whatever ended, all
 * that it had is back when its maker looks. */
#include "test/boot/native/held.h"

#include "abi/endpoint.capnp.h"
#include "abi/messages.capnp.h"
#include "abi/revoker.capnp.h"

enum {
	PAGES = 24000,
	TABLES = 1024,        /* page tables full of one object's pages */
	OBJECT = 16384,       /* pages of that object */
	CAPS = 3500,
	FACETS = 60000,
	THREADS = 1000,
	WAITS = 24,           /* a thread's entries that wait */
	RECEIVES = 16,
	MOST = 1024,          /* that may wait for one thing */
	PATIENCE = 5000,
};

/* -- spaces and memory ------------------------------------------------------------ */

/* A space full of pages of its own. */
static void a_large_space(void)
{
	uint64_t before = left(own);
	struct native_child child = empty_process((PAGES + 200) * (uint64_t)NATIVE_PAGE);
	for (uint64_t done = 0; done < PAGES; done += 1000)
		OK(native_fresh(self, child.space, MAPPED_AT + done * NATIVE_PAGE, 1000, RW));
	begin();
	forget(&child);
	finish("a space of many pages ends", BOUND);
	CHECK(&check, left(own) == before);
}

static void many_mappings(void)
{
	uint64_t before = left(own);
	uint32_t object = allocate(OBJECT);
	struct native_child child = empty_process((TABLES + 200) * (uint64_t)NATIVE_PAGE);
	for (uint64_t at = 0; at < TABLES * 512ul; at += OBJECT)
		OK(native_map(self, child.space, object, 0, (void *)(MAPPED_AT + at * NATIVE_PAGE), OBJECT,
		              ACCESS_READ));
	begin();
	forget(&child);
	finish("a space of many mappings ends", BOUND);
	release(object);
	CHECK(&check, left(own) == before);
}

/* Two pages a table, the first and the last, so that all of it is gone through. */
static void sparse_mappings(void)
{
	uint64_t before = left(own);
	uint32_t object = allocate(1);
	struct native_child child = empty_process((TABLES + 200) * (uint64_t)NATIVE_PAGE);
	for (uint64_t table = 0; table < TABLES; table++)
		for (uint64_t page = 0; page < 512; page += 511)
			OK(native_map(self, child.space, object, 0,
			              (void *)(MAPPED_AT + (table * 512 + page) * NATIVE_PAGE), 1,
			              ACCESS_READ));
	begin();
	forget(&child);
	finish("a space of many tables ends", BOUND);
	release(object);
	CHECK(&check, left(own) == before);
}

static void map_all(uint32_t space, uint32_t object)
{
	for (uint64_t page = 0; page < PAGES; page += 1000)
		OK(native_map(self, space, object, page, (void *)(MAPPED_AT + page * NATIVE_PAGE), 1000,
		              ACCESS_READ));
}

static void a_large_object(void)
{
	uint64_t before = left(own);
	uint32_t object = allocate(PAGES);
	struct native_child child = empty_process(200 * (uint64_t)NATIVE_PAGE);
	map_all(child.space, object);
	forget(&child);
	CHECK(&check, left(own) < before);
	begin();
	release(object);
	finish("a memory object of many frames ends", BOUND);
	CHECK(&check, left(own) == before);
}

/* What was killed is to be spent again at once; also where the space that shows it is
 * on another ledger, and there is nothing else left of it. */
static void memory_is_there_at_once(void)
{
	uint32_t purse = child(own, (PAGES + 400) * (uint64_t)NATIVE_PAGE), shop, object = 0;
	OK(ledger_make(purse, LEDGER_MEMORY, &shop));
	for (unsigned i = 0; i < 3; i++) {
		OK(native_allocate(self, shop, PAGES, &object));
		struct native_child child = empty_process(200 * (uint64_t)NATIVE_PAGE);
		map_all(child.space, object);
		release(object);
		if (i > 0)
			nap(20 * MS);
		forget(&child);
	}
	for (unsigned i = 0; i < PATIENCE && account_of(purse).used >= 64 * NATIVE_PAGE; i++)
		nap(MS);
	CHECK(&check, account_of(purse).used < 64 * NATIVE_PAGE);
	release(shop);
	release(purse);
}

/* -- capabilities -------------------------------------------------------------------- */

static uint32_t make_facet(uint32_t endpoint)
{
	struct native_call call;
	native_call(&call, self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct endpoint_facet_params_builder p = endpoint_facet_params_build(&call.params);
	endpoint_facet_params_set_interface(p, 1);
	(void)!native_send(&call);
	return call.caps[0];
}

enum { HOARD_FACETS, HOARD_ENDPOINTS };

/* Fills its table, and waits to be killed. */
static int hoard(struct native *me)
{
	uint32_t made, endpoint;
	self = me;
	endpoint = native_find(self, "endpoint");
	for (unsigned i = 0; i < CAPS; i++)
		if (me->argument == HOARD_FACETS)
			(void)make_facet(endpoint);
		else
			(void)!ledger_make(native_find(self, "ledger"), LEDGER_ENDPOINT, &made);
	put(native_find(self, "board"), 0, 1);
	return (int)ring_enter(1, RING_FOREVER);
}

static void end_hoarder(uint64_t what, const char *name)
{
	uint64_t before = left(own);
	uint32_t board = allocate(1), purse = child(own, 4 << 20), endpoint;
	struct native_child child = { 0 };
	struct native_end end;
	OK(ledger_make(own, LEDGER_ENDPOINT, &endpoint));
	put(board, 0, 0);
	OK(native_spawn_self(self, hoard, what, 4 << 20, &child));
	OK(native_grant(self, child.process, "endpoint", endpoint));
	OK(native_grant(self, child.process, "board", board));
	OK(native_grant(self, child.process, "ledger", purse));
	OK(native_start(self, child.thread));
	for (unsigned i = 0; i < PATIENCE && word(board, 0) == 0; i++)
		nap(MS);
	CHECK(&check, word(board, 0) == 1);
	begin();
	OK(native_kill(self, child.process, 1));
	finish(name, BOUND);
	OK(native_wait(self, child.process, &end));
	native_forget(self, &child);
	release(purse);
	begin();
	release(endpoint);
	finish("and their endpoint", BOUND);
	release(board);
	CHECK(&check, left(own) == before);
}

static void many_facets(void)
{
	end_hoarder(HOARD_FACETS, "a process with many facets ends");
}

static void many_endpoints(void)
{
	end_hoarder(HOARD_ENDPOINTS, "a process with many endpoints ends");
}

/* Nobody ever receives, so the endpoint keeps all of them to tell. */
static void facets_gone(void)
{
	uint64_t before = left(own);
	uint32_t endpoint;
	OK(ledger_make(own, LEDGER_ENDPOINT, &endpoint));
	for (unsigned i = 0; i < FACETS; i++)
		release(make_facet(endpoint));
	begin();
	release(endpoint);
	finish("an endpoint of many facets gone ends", BOUND);
	CHECK(&check, left(own) == before);
}

/* -- threads that wait ------------------------------------------------------------------ */

static uint64_t stacks[THREADS][64];
static uint32_t word_of_all, waiting_on;
static uint32_t waiting, refused; /* by all of them: atomically */

static uint32_t threads[THREADS];

_Noreturn static void park_all(uint64_t n, struct ring *ring)
{
	(void)n;
	for (unsigned i = 0; i < WAITS; i++) {
		*ring_next(ring) = (struct ring_sqe){
			.op = RING_PARK, .word = (uintptr_t)&word_of_all, .timeout = RING_FOREVER,
		};
		ring_push(ring);
		if (i % 8 == 7)
			(void)!ring_enter(0, 0);
	}
	__atomic_add_fetch(&waiting, 1, __ATOMIC_RELAXED);
	for (;;)
		(void)!ring_enter(RING_CQ_ENTRIES, RING_FOREVER);
}

_Noreturn static void receive_all(uint64_t n, struct ring *ring)
{
	(void)n;
	for (unsigned i = 0; i < RECEIVES; i++) {
		*ring_next(ring) = (struct ring_sqe){
			.op = RING_RECV, .cap = waiting_on, .results = (uintptr_t)ring->area,
			.results_size = sizeof(struct ring_received),
		};
		ring_push(ring);
		if (i % 8 == 7)
			(void)!ring_enter(0, 0);
	}
	while (ring_ready(ring) > 0)
		__atomic_add_fetch(&refused, ring_done(ring)->status == STATUS_BUSY, __ATOMIC_RELAXED);
	__atomic_add_fetch(&waiting, 1, __ATOMIC_RELAXED);
	for (;;)
		(void)!ring_enter(RING_CQ_ENTRIES, RING_FOREVER);
}

static uint64_t waiting_interface;
static uint16_t waiting_method;

/* Notification.wait, for the highest bit, or MessageBuffer.receive. */
_Noreturn static void wait_all(uint64_t n, struct ring *ring)
{
	static const uint64_t message[2] = { 1ul << 32, 1ul << 63 };
	(void)n;
	for (unsigned i = 0; i < WAITS; i++) {
		*ring_next(ring) = (struct ring_sqe){
			.op = RING_CALL, .cap = waiting_on, .interface = waiting_interface,
			.method = waiting_method, .params = (uintptr_t)message,
			.params_size = sizeof message, .results = (uintptr_t)ring->area,
			.results_size = sizeof ring->area,
		};
		ring_push(ring);
		if (i % 8 == 7)
			(void)!ring_enter(0, 0);
	}
	while (ring_ready(ring) > 0)
		__atomic_add_fetch(&refused, ring_done(ring)->status == STATUS_BUSY, __ATOMIC_RELAXED);
	__atomic_add_fetch(&waiting, 1, __ATOMIC_RELAXED);
	for (;;)
		(void)!ring_enter(RING_CQ_ENTRIES, RING_FOREVER);
}

static void start_all(void (*entry)(uint64_t, struct ring *))
{
	waiting = refused = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		OK(thread_raw(native_find(self, "self"), (uintptr_t)entry, (uintptr_t)&stacks[i][63], 0,
		              &threads[i]));
		OK(native_start(self, threads[i]));
	}
	for (unsigned i = 0; i < PATIENCE && __atomic_load_n(&waiting, __ATOMIC_RELAXED) < THREADS; i++)
		nap(MS);
	CHECK(&check, waiting == THREADS);
}

static void end_all(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		OK(kill(threads[i]));
		release(threads[i]);
	}
}

static void wake_many(void)
{
	start_all(park_all);
	begin();
	for (unsigned i = 0; i < 8; i++)
		OK(ring_wake(self->ring, &word_of_all, 1u << 30));
	finish("a wake of many", BOUND);
	end_all();
}

static void many_receivers(void)
{
	OK(ledger_make(own, LEDGER_ENDPOINT, &waiting_on));
	start_all(receive_all);
	begin();
	release(waiting_on);
	finish("an endpoint of many receivers ends", BOUND);
	CHECK(&check, refused == THREADS * RECEIVES - MOST);
	end_all();
}

static void signal(uint32_t notification, uint64_t bits)
{
	struct native_call call;
	native_call(&call, self, notification, NOTIFICATION_ID, NOTIFICATION_SIGNAL);
	notification_signal_params_set_bits(notification_signal_params_build(&call.params), bits);
	OK(native_send(&call));
}

static void many_waiters(void)
{
	waiting_on = notification();
	waiting_interface = NOTIFICATION_ID;
	waiting_method = NOTIFICATION_WAIT;
	start_all(wait_all);
	begin();
	signal(waiting_on, 1);
	finish("a signal that none of many waits for", BOUND);
	CHECK(&check, refused == THREADS * WAITS - MOST);
	end_all();
	release(waiting_on);
}

/* Whom the end of the buffer's libOS would tell, all at once. */
static void many_listeners(void)
{
	waiting_on = native_find(self, "modules");
	waiting_interface = MESSAGE_BUFFER_ID;
	waiting_method = MESSAGE_BUFFER_RECEIVE;
	start_all(wait_all);
	CHECK(&check, refused == THREADS * WAITS - MOST);
	end_all();
}

/* More are killed by one entry of the exokernel than end at once. None of the others can
 * be started or resumed any more, and all end. */
static void killed_for_later(void)
{
	static const uint64_t message[2] = { 1ul << 32, 7 };
	enum { KILLED = RING_SQ_ENTRIES - 2 };
	uint64_t before = left(own);
	uint32_t made[KILLED];
	word_of_all = 0;
	for (unsigned i = 0; i < KILLED; i++) {
		OK(thread_raw(native_find(self, "self"), (uintptr_t)park_all, (uintptr_t)&stacks[i][63],
		              0, &made[i]));
		if (i < KILLED - 1)
			OK(native_start(self, made[i]));
	}
	for (unsigned i = 0; i < KILLED + 2; i++) {
		unsigned which = i < KILLED ? i : 2 * KILLED - 1 - i;
		*ring_next(self->ring) = (struct ring_sqe){
			.op = RING_CALL, .cap = made[which], .interface = THREAD_ID,
			.method = i < KILLED ? THREAD_KILL : i == KILLED ? THREAD_START : THREAD_RESUME,
			.params = (uintptr_t)message, .params_size = i < KILLED ? sizeof message : 0,
			.user_data = i,
		};
		ring_push(self->ring);
	}
	OK(ring_run(self->ring, KILLED + 2));
	for (unsigned i = 0; i < KILLED + 2; i++) {
		const struct ring_cqe *done = ring_done(self->ring);
		CHECK(&check, done && done->status ==
		              (done->user_data < KILLED ? STATUS_OK : STATUS_GONE));
	}
	for (unsigned i = 0; i < KILLED; i++) {
		for (unsigned n = 0; n < PATIENCE && thread_state(made[i]) != THREAD_STATE_ENDED; n++)
			nap(MS);
		CHECK(&check, thread_state(made[i]) == THREAD_STATE_ENDED);
		release(made[i]);
	}
	CHECK(&check, comes_back(own, before, PATIENCE));
}

/* A process of its own, with all those threads. */
static int crowd(struct native *me)
{
	start(me, "crowd");
	start_all(park_all);
	put(native_find(self, "board"), 0, 1);
	return (int)ring_enter(RING_CQ_ENTRIES, RING_FOREVER);
}

static void many_threads(void)
{
	uint64_t before = left(own);
	uint32_t board = allocate(1);
	struct native_child child = { 0 };
	struct native_end end;
	put(board, 0, 0);
	OK(native_spawn_self(self, crowd, 0, 40 << 20, &child));
	OK(native_grant(self, child.process, "board", board));
	OK(native_start(self, child.thread));
	for (unsigned i = 0; i < PATIENCE && word(board, 0) == 0; i++)
		nap(MS);
	CHECK(&check, word(board, 0) == 1);
	begin();
	OK(native_kill(self, child.process, 1));
	finish("a process of many threads ends", 2 * BOUND);
	OK(native_wait(self, child.process, &end));
	native_forget(self, &child);
	release(board);
	CHECK(&check, comes_back(own, before, PATIENCE));
}

/* -- long calls ----------------------------------------------------------------------------- */

static uint32_t access_in(uint32_t space, uint64_t address)
{
	uint32_t access = 0;
	OK(native_query(self, space, address, &access));
	return access;
}

/* What is done in parts is what was asked for, and what is refused is refused as a whole. */
static void parts_make_a_whole(void)
{
	enum { PARTS = 1000 };
	uint64_t before = left(own), end = USER_LIMIT, page[] = { 0, 255, 256, 257, 512, PARTS - 1 };
	struct native_child child = empty_process((PARTS + 200) * (uint64_t)NATIVE_PAGE);
	uint32_t object = allocate(PARTS);
	const uint64_t *shown = (const uint64_t *)MAPPED_AT;
	for (unsigned i = 0; i < sizeof page / sizeof page[0]; i++)
		put(object, page[i], page[i] + 1);
	OK(native_map(self, here, object, 0, (void *)MAPPED_AT, PARTS, ACCESS_READ));
	for (unsigned i = 0; i < sizeof page / sizeof page[0]; i++)
		CHECK(&check, shown[page[i] * WORDS] == page[i] + 1);
	OK(native_unmap(self, here, (void *)MAPPED_AT, PARTS));
	REFUSED(INVALID, native_map(self, child.space, object, 1, (void *)MAPPED_AT, PARTS,
	                            ACCESS_READ));
	CHECK(&check, access_in(child.space, MAPPED_AT) == NOT_MAPPED);
	REFUSED(INVALID, native_fresh(self, child.space, end - 900 * NATIVE_PAGE, PARTS, RW));
	CHECK(&check, access_in(child.space, end - 900 * NATIVE_PAGE) == NOT_MAPPED);
	OK(native_fresh(self, child.space, MAPPED_AT, PARTS, RW));
	for (unsigned i = 0; i < PARTS; i++)
		CHECK(&check, access_in(child.space, MAPPED_AT + i * NATIVE_PAGE) == RW);
	CHECK(&check, access_in(child.space, MAPPED_AT + PARTS * NATIVE_PAGE) == NOT_MAPPED);
	forget(&child);
	release(object);
	CHECK(&check, left(own) <= before && left(own) + 8 * NATIVE_PAGE > before); /* tables */
}

static void long_calls(void)
{
	enum { LONG = 65536 };
	uint64_t before = left(own);
	struct native_child child = empty_process((LONG + 400) * (uint64_t)NATIVE_PAGE), other;
	uint32_t object;
	begin();
	OK(native_fresh(self, child.space, MAPPED_AT, LONG, RW));
	finish("fresh", BOUND);
	other = empty_process(400 * (uint64_t)NATIVE_PAGE);
	begin();
	OK(native_share(self, other.space, child.space, MAPPED_AT, LONG));
	finish("share", BOUND);
	begin();
	OK(native_protect(self, other.space, MAPPED_AT, LONG, ACCESS_READ));
	finish("protect", BOUND);
	begin();
	OK(native_unmap(self, other.space, (void *)MAPPED_AT, LONG));
	finish("unmap", BOUND);
	forget(&child);
	object = allocate(LONG);
	begin();
	OK(native_map(self, other.space, object, 0, (void *)MAPPED_AT, LONG, ACCESS_READ));
	finish("map that finds the frames", BOUND);
	begin();
	OK(native_map(self, other.space, object, 0, (void *)MAPPED_AT, LONG, ACCESS_READ));
	finish("map over map", BOUND);
	forget(&other);
	release(object);
	CHECK(&check, left(own) == before);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_large_space, many_mappings, sparse_mappings, a_large_object, memory_is_there_at_once,
		many_facets, many_endpoints, facets_gone, killed_for_later, killed_for_later, many_threads, wake_many, many_receivers,
		many_waiters, many_listeners, parts_make_a_whole, long_calls,
	};
	start_held(given, "held", 4000);
	struct native_child first = { 0 };
	OK(native_spawn_self(self, hoard, 0, 4 << 20, &first));
	forget(&first);
	look_on();
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
		steps[i]();
	check_end(&check);
}
