/* poor.c: everything that makes something, asked by a program whose ledger has nothing
 * left, not a block: each says NO_MEMORY, and costs nothing. A block of 64 bytes that
 * is given back is enough for what takes one; and in the end all is as it was. */
#include "test/boot/native/ledger.h"
#include "test/boot/native/spawn.h"

#include "abi/endpoint.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/messages.capnp.h"
#include "abi/notification.capnp.h"
#include "abi/revoker.capnp.h"
#include "abi/scheduling.capnp.h"
#include "abi/timer.capnp.h"

#define INTERFACE 0x900d900d900d900dull
#define FAR_AWAY 0x400000000000ull

enum { PURSE = 3 * NATIVE_PAGE, SPARE = 300, MOST = 1000, OPEN = 3, LEAVE = 2 };

static uint32_t named(const char *name)
{
	return native_find(self, name);
}

/* -- calls with some words and a capability ---------------------------------------------- */

struct asked {
	uint32_t cap;
	uint64_t interface;
	uint16_t method;
	uint64_t words[3];
	uint32_t with;
};

static enum status ask(const struct asked *a, uint32_t *came)
{
	struct native_call call;
	struct capnp_struct_builder params;
	enum status status;

	native_call(&call, self, a->cap, a->interface, a->method);
	params = capnp_init_root(&call.params, 3, 1);
	for (unsigned i = 0; i < 3; i++)
		capnp_set_u64(params, i, a->words[i]);
	if (a->with)
		capnp_set_capability(&params, 0, native_attach(&call, a->with));
	status = native_send(&call);
	if (came)
		*came = status == STATUS_OK ? call.caps[0] : 0;
	return status;
}

static uint32_t made(const struct asked *a)
{
	uint32_t cap = 0;

	OK(ask(a, &cap));
	return cap;
}

/* Asks for more of it until it is refused; gives how many came. */
static uint32_t fill(const struct asked *a, uint32_t *into, uint32_t most)
{
	uint32_t count = 0;
	enum status status = STATUS_OK;

	while (count < most && (status = ask(a, &into[count])) == STATUS_OK)
		count++;
	CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	return count;
}

static void let_go(const uint32_t *caps, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		release(caps[i]);
}

static uint32_t filled[MOST];

/* -- a Ledger with nothing left ----------------------------------------------------------- */

static void an_empty_ledger_makes_nothing(void)
{
	const uint32_t purse = named("purse");
	const struct asked block = { purse, LEDGER_ID, LEDGER_PARK_SPACE, { 0 }, 0 };
	uint64_t before = left(purse);
	uint32_t count = fill(&block, filled, MOST);
	static const uint16_t makers[] = {
		LEDGER_MEMORY, LEDGER_ENDPOINT, LEDGER_NOTIFICATION, LEDGER_REVOKER,
		LEDGER_PARK_SPACE, LEDGER_CHILD,
	};

	CHECK(&check, count > 0 && left(purse) < NATIVE_PAGE);
	for (unsigned i = 0; i < sizeof makers / sizeof makers[0]; i++) {
		struct asked a = { purse, LEDGER_ID, makers[i], { 0 }, 0 };

		REFUSED(NO_MEMORY, ask(&a, NULL));
	}
	let_go(filled, count);
	CHECK(&check, left(purse) == before);
}

/* -- a domain with nothing left ------------------------------------------------------------ */

static uint64_t inbox[64];

static void push(enum ring_op op, uint32_t cap, uint64_t interface, uint16_t method, uint32_t extra)
{
	uint64_t *words = (uint64_t *)(self->ring->area + 1024);
	struct ring_sqe *e = ring_next(self->ring);

	words[0] = 2ull << 32;
	words[1] = words[2] = ~0ull - 1;
	*e = (struct ring_sqe){
		.op = (uint8_t)op, .cap = cap, .interface = interface, .method = method,
		.user_data = 7, .params = (uintptr_t)words, .params_size = 24,
		.results = (uintptr_t)inbox, .results_size = sizeof inbox,
		.caps_count = extra != 0, .caps = { extra },
	};
	if (op == RING_PARK) {
		e->word = (uintptr_t)&inbox[0];
		e->timeout = RING_FOREVER;
		e->expected = (uint32_t)inbox[0];
	}
	ring_push(self->ring);
}

/* It is answered at once, and with NO_MEMORY. */
static void refused_at_once(uint32_t line)
{
	const struct ring_cqe *cqe;

	(void)!ring_enter(1, 0);
	cqe = ring_done(self->ring);
	check_status(&check, cqe ? (enum status)cqe->status : STATUS_COUNT, STATUS_NO_MEMORY,
	             "an entry that waits", line);
}
#define WAITS_IN_VAIN(...) (push(__VA_ARGS__), refused_at_once(__LINE__))

/* Whatever waits, once the thread's own records are taken. */
static void nobody_waits(void)
{
	const uint32_t n = named("notification");
	struct ring_sqe *e;

	for (unsigned i = 0; i < OPEN; i++)
		push(RING_CALL, n, NOTIFICATION_ID, NOTIFICATION_WAIT, 0);
	(void)!ring_enter(0, 0);
	CHECK(&check, ring_first(self->ring) == NULL);
	push(RING_CALL, RING_CHAIN(1, 0), INTERFACE, 0, 0);
	e = ring_entry(self->ring, self->ring->sq_tail - 1);
	e->chained = 1;
	refused_at_once(__LINE__);
	WAITS_IN_VAIN(RING_CALL, n, NOTIFICATION_ID, NOTIFICATION_WAIT, 0);
	WAITS_IN_VAIN(RING_CALL, named("timer"), TIMER_ID, TIMER_SLEEP, 0);
	WAITS_IN_VAIN(RING_CALL, named("self"), PROCESS_ID, PROCESS_WAIT, 0);
	WAITS_IN_VAIN(RING_CALL, named("modules"), MESSAGE_BUFFER_ID, MESSAGE_BUFFER_RECEIVE, 0);
	WAITS_IN_VAIN(RING_CALL, named("facet"), INTERFACE, 0, 0);
	WAITS_IN_VAIN(RING_RECV, named("endpoint"), 0, 0, 0);
	WAITS_IN_VAIN(RING_PARK, 0, 0, 0, 0);
	for (unsigned i = 0; i < OPEN; i++) {
		e = ring_next(self->ring);
		*e = (struct ring_sqe){ .op = RING_CANCEL, .target = 7 };
		ring_push(self->ring);
	}
	OK(ring_enter(2 * OPEN, RING_FOREVER));
	while (ring_done(self->ring))
		continue;
}

static void nothing_is_made(void)
{
	const uint32_t object = named("object"), control = named("scheduling");
	const struct asked all[] = {
		{ named("endpoint"), ENDPOINT_ID, ENDPOINT_FACET, { INTERFACE }, 0 },
		{ named("notification"), NOTIFICATION_ID, NOTIFICATION_SIGNALLER, { 0 }, 0 },
		{ named("self"), PROCESS_ID, PROCESS_HANDLE, { 0 }, 0 },
		{ pool, MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE, { 1 }, 0 },
		{ object, MEMORY_OBJECT_ID, MEMORY_OBJECT_CHILD, { 0, 1 }, 0 },
		{ object, MEMORY_OBJECT_ID, MEMORY_OBJECT_READ_ONLY, { 0 }, 0 },
		{ object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SLICE, { 0, 1 }, 0 },
		{ object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SHARE, { 0, 1 }, 0 },
		{ named("revoker"), REVOKER_ID, REVOKER_LEASE, { 0 }, object },
		{ control, SCHEDULING_CONTROL_ID, SCHEDULING_CONTROL_CREATE, { 1000000, 10000000 }, 0 },
		{ control, SCHEDULING_CONTROL_ID, SCHEDULING_CONTROL_CHILD, { 1 | 1ull << 32 }, 0 },
		{ here, ADDRESS_SPACE_ID, ADDRESS_SPACE_RESERVE, { 1 }, 0 },
		{ here, ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH, { FAR_AWAY, 1, RW }, 0 },
	};
	const struct request small = { .entry = 1, .stack = 1, .bytes = NATIVE_PAGE };
	struct native_child child;
	struct native_call call;
	uint32_t thread;

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		enum status status = ask(&all[i], NULL);

		if (status != STATUS_NO_MEMORY)
			native_print(self, "maker %u\n", i);
		CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	}
	REFUSED(NO_MEMORY, native_map(self, here, object, 0, (void *)FAR_AWAY, 1, RW));
	REFUSED(NO_MEMORY, thread_raw(named("self"), 0x1000, 0x1000, 0, &thread));
	REFUSED(NO_MEMORY, create_raw(&small, &child));
	native_call(&call, self, named("libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	libos_table_load_params_set_id(libos_table_load_params_build(&call.params),
	                               capnp_text_from("poor"));
	REFUSED(NO_MEMORY, native_send(&call));
	/* A call's capabilities, with a record of the thread's own. */
	WAITS_IN_VAIN(RING_CALL, named("facet"), INTERFACE, 0, object);
}

static void a_block_is_enough_for_one(uint32_t block)
{
	const uint32_t object = named("object");
	const struct asked sealed = { object, MEMORY_OBJECT_ID, MEMORY_OBJECT_READ_ONLY, { 0 }, 0 };
	uint32_t facet;

	release(block);
	facet = made(&sealed);
	REFUSED(NO_MEMORY, ask(&sealed, NULL));
	release(facet);
}

/* Room in the table, and not a block: the slots that were taken first are given back. */
static int poor(struct native *given)
{
	static uint32_t spare[SPARE];
	struct asked slot, page, block;
	uint32_t most, count;
	uint64_t before;

	start(given, "poor");
	slot = (struct asked){ named("thread"), THREAD_CONTROL_ID, THREAD_CONTROL_THREAD, { 0 }, 0 };
	block = (struct asked){ named("notification"), NOTIFICATION_ID, NOTIFICATION_SIGNALLER, { 0 }, 0 };
	an_empty_ledger_makes_nothing();
	for (unsigned i = 0; i < SPARE; i++)
		spare[i] = made(&slot);
	before = available();
	page = (struct asked){ pool, MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE, { before - LEAVE }, 0 };
	most = made(&page);
	count = fill(&block, filled, MOST);
	let_go(spare, SPARE);
	count += fill(&block, filled + count, MOST - count);
	CHECK(&check, available() == 0);
	nothing_is_made();
	nobody_waits();
	a_block_is_enough_for_one(filled[--count]);
	CHECK(&check, available() == 0);
	let_go(filled, count);
	release(most);
	CHECK(&check, available() >= before);
	return (int)check.failures;
}

/* -- who has enough --------------------------------------------------------------------------- */

static void a_poor_program(void)
{
	static const char *const passed_on[] = {
		"memory", "timer", "scheduling", "libos", "spawner", "modules",
	};
	const uint32_t ledger = named("ledger");
	const struct {
		const char *name;
		struct asked what;
	} begins_with[] = {
		{ "purse", { ledger, LEDGER_ID, LEDGER_CHILD, { PURSE }, 0 } },
		{ "object", { pool, MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE, { 9 }, 0 } },
		{ "endpoint", { ledger, LEDGER_ID, LEDGER_ENDPOINT, { 0 }, 0 } },
		{ "notification", { ledger, LEDGER_ID, LEDGER_NOTIFICATION, { 0 }, 0 } },
		{ "revoker", { ledger, LEDGER_ID, LEDGER_REVOKER, { 0 }, 0 } },
	};
	enum { COUNT = sizeof begins_with / sizeof begins_with[0] };
	struct asked facet = { 0, ENDPOINT_ID, ENDPOINT_FACET, { INTERFACE }, 0 };
	struct native_child child = spawned(poor, 0);
	uint32_t caps[COUNT + 1];

	for (unsigned i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
		OK(native_grant(self, child.process, passed_on[i], named(passed_on[i])));
	for (unsigned i = 0; i < COUNT; i++) {
		caps[i] = made(&begins_with[i].what);
		OK(native_grant(self, child.process, begins_with[i].name, caps[i]));
	}
	facet.cap = caps[2];
	caps[COUNT] = made(&facet);
	OK(native_grant(self, child.process, "facet", caps[COUNT]));
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_EXITED, 0);
	let_go(caps, COUNT + 1);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { a_poor_program };

	start(given, "poor");
	run(steps, 1);
}
