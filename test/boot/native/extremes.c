/* extremes.c: every method of every kind of object, with numbers at the edges of what
 * they can be, in all places at once and in turns, with and without capabilities and
 * bytes beside them. Nothing is expected of an answer but that there is one, or that the
 * entry can be cancelled; of methods past the last, that there are none; and of all of
 * it, that nothing is left. */
#include "test/boot/native/spawn.h"

#include "abi/console.capnp.h"
#include "abi/endpoint.capnp.h"
#include "abi/ledger.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/messages.capnp.h"
#include "abi/notification.capnp.h"
#include "abi/power.capnp.h"
#include "abi/revoker.capnp.h"
#include "abi/scheduling.capnp.h"
#include "abi/timer.capnp.h"

enum { WORDS_SENT = 8, METHODS = 16, SHAPES = 4, TURNS = 40, BYTES = 200 * 4096 };

static const uint64_t edges[] = {
	0, 1, 7, 8, 4095, 4096, 65535, 65536, 65537, 1ull << 20, (1ull << 31) - 1, 1ull << 31,
	(1ull << 32) - 1, 1ull << 32, 1ull << 40, 0x7ffffffff000, 0x800000000000,
	1ull << 52, (1ull << 52) - 1, (1ull << 63) - 1, 1ull << 63, 0xffffff0000000000,
	0xffffffffffff8000, 0xfffffffffffff000, 0xfffffffffffffff8, ~0ull - 1, ~0ull,
};
enum { EDGES = sizeof edges / sizeof edges[0] };

static uint64_t random_state = 88172645463325252ull;

static uint64_t any(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

/* -- one call --------------------------------------------------------------------------- */

/* A struct of eight words and two pointers: null, capabilities, bytes, or lists of
 * structs; in the ring's area. */
static uint32_t build(uint64_t a, uint64_t b, unsigned shape)
{
	uint64_t *to = (uint64_t *)self->ring->area, *pointers = to + 1 + WORDS_SENT;

	to[0] = (uint64_t)WORDS_SENT << 32 | 2ull << 48;
	for (unsigned i = 0; i < WORDS_SENT; i++)
		to[1 + i] = i % 2 ? b : a;
	for (unsigned i = 0; i < 2; i++) {
		switch (shape) {
		case 1: pointers[i] = (uint64_t)i << 32 | 3; break;
		case 2: pointers[i] = (uint64_t)(1 - i) << 2 | 1 | 2ull << 32 | 8ull << 35; break;
		case 3: pointers[i] = i == 0 ? (1ull << 2 | 1 | 2ull << 32 | 2ull << 35) :
		                               1ull << 32 | 3; break;
		default: pointers[i] = 0;
		}
	}
	pointers[2] = shape == 3 ? 'a' : 0x4141414141414100 | a % 256;
	return 8 * (1 + WORDS_SENT + 3);
}

static uint32_t second; /* what goes along beside the object itself */
static uint64_t calls, accepted;

static void one_call(uint32_t cap, uint64_t interface, unsigned method, uint64_t a, uint64_t b,
                     unsigned shape)
{
	struct ring_sqe *e = ring_next(self->ring);
	const struct ring_cqe *cqe;

	*e = (struct ring_sqe){
		.op = RING_CALL, .cap = cap, .interface = interface, .method = (uint16_t)method,
		.user_data = 1, .params = (uintptr_t)self->ring->area,
		.params_size = build(a, b, shape),
		.results = (uintptr_t)self->ring->area + 512, .results_size = 1024,
		.caps_count = (uint8_t)any(3) & 7, .caps = { any(2) ? second : cap, any(2) ? second : cap },
	};
	ring_push(self->ring);
	(void)!ring_enter(0, 0);
	cqe = ring_done(self->ring);
	if (!cqe) {
		e = ring_next(self->ring);
		*e = (struct ring_sqe){ .op = RING_CANCEL, .target = 1, .user_data = 2 };
		ring_push(self->ring);
		(void)!ring_enter(2, RING_FOREVER);
		cqe = ring_done(self->ring);
		CHECK(&check, cqe && cqe->user_data == 1);
		cqe = ring_done(self->ring);
		CHECK(&check, cqe && cqe->user_data == 2);
		return;
	}
	calls++;
	accepted += cqe->status == STATUS_OK;
	for (unsigned i = 0; i < RING_CAPS; i++)
		if (cqe->caps[i]) {
			uint32_t came = cqe->caps[i];

			(void)!ring_release(self->ring, came);
		}
}

static void one_method(uint32_t cap, uint64_t interface, unsigned method)
{
	for (unsigned shape = 0; shape < SHAPES; shape++) {
		for (unsigned i = 0; i < EDGES; i++)
			one_call(cap, interface, method, edges[i], edges[i], shape);
		for (unsigned i = 0; i < TURNS; i++)
			one_call(cap, interface, method, edges[any(EDGES)], edges[any(EDGES)], shape);
	}
}

/* No such method, which is the object's to say; another interface, which the ring says. */
static void no_method(uint32_t cap, uint64_t interface, enum status wanted)
{
	for (unsigned i = 0; i < 3; i++) {
		struct ring_sqe *e = ring_next(self->ring);
		const struct ring_cqe *cqe;

		*e = (struct ring_sqe){
			.op = RING_CALL, .cap = cap, .interface = interface ^ (i == 2),
			.method = i == 0 ? METHODS : i == 1 ? UINT16_MAX : 0,
		};
		ring_push(self->ring);
		(void)!ring_enter(1, RING_FOREVER);
		cqe = ring_done(self->ring);
		CHECK_STATUS(&check, wanted, cqe ? (enum status)cqe->status : STATUS_COUNT);
		CHECK(&check, cqe && cqe->flags == (i < 2 && wanted != STATUS_GONE ? RING_EXCEPTION : 0));
	}
}

static uint32_t memory(void) { return allocate(9); }

/* -- of everything ------------------------------------------------------------------------ */

/* What is there from the beginning. Not what ends us, nor our own address space, nor the
 * Console, which would fill the screen. */
static void what_was_given(void)
{
	second = memory();
	for (unsigned i = 0; i < self->capset->count; i++) {
		const struct capset_entry *e = &self->capset->entries[i];

		no_method(e->cap, e->interface, STATUS_NO_METHOD);
		if (e->interface == POWER_ID || e->interface == CONSOLE_ID ||
		    e->interface == ADDRESS_SPACE_ID)
			continue;
		for (unsigned method = 0; method < METHODS; method++)
			if (e->interface != PROCESS_ID || method != PROCESS_KILL)
				one_method(e->cap, e->interface, method);
	}
	one_call(native_find(self, "thread"), THREAD_CONTROL_ID, THREAD_CONTROL_POLL, 0, 0, 0);
	one_call(native_find(self, "thread"), THREAD_CONTROL_ID, THREAD_CONTROL_SET_TLS, 0, 0, 0);
	release(second);
}

/* A call with two words and a capability; gives the first that comes. */
static uint32_t made(uint32_t cap, uint64_t interface, uint16_t method, uint64_t a, uint64_t b,
                     uint32_t with)
{
	struct native_call call;
	struct capnp_struct_builder params;

	native_call(&call, self, cap, interface, method);
	params = capnp_init_root(&call.params, 3, 1);
	capnp_set_u64(params, 0, a);
	capnp_set_u64(params, 1, b);
	if (with)
		capnp_set_capability(&params, 0, native_attach(&call, with));
	OK(native_send(&call));
	return call.caps[0];
}

static uint32_t named(const char *name)
{
	return native_find(self, name);
}

static uint32_t of_ledger(uint16_t method)
{
	return made(named("ledger"), LEDGER_ID, method, 0, 0, 0);
}

/* `what` of `whole`, which is released. */
static uint32_t narrowed(uint32_t whole, uint64_t interface, uint16_t method)
{
	uint32_t part = made(whole, interface, method, 0, 1, 0);

	release(whole);
	return part;
}

static uint32_t slice(void) { return narrowed(memory(), MEMORY_OBJECT_ID, MEMORY_OBJECT_SLICE); }
static uint32_t buffer(void) { return narrowed(memory(), MEMORY_OBJECT_ID, MEMORY_OBJECT_SHARE); }
static uint32_t child(void) { return narrowed(memory(), MEMORY_OBJECT_ID, MEMORY_OBJECT_CHILD); }
static uint32_t sealed(void)
{
	return narrowed(memory(), MEMORY_OBJECT_ID, MEMORY_OBJECT_READ_ONLY);
}
static uint32_t endpoint(void) { return of_ledger(LEDGER_ENDPOINT); }
static uint32_t notification(void) { return of_ledger(LEDGER_NOTIFICATION); }
static uint32_t signaller(void)
{
	return narrowed(notification(), NOTIFICATION_ID, NOTIFICATION_SIGNALLER);
}
static uint32_t revoker(void) { return of_ledger(LEDGER_REVOKER); }
static uint32_t park_space(void) { return of_ledger(LEDGER_PARK_SPACE); }
static uint32_t spending(void) { return of_ledger(LEDGER_MEMORY); }
static uint32_t account(void)
{
	return made(named("ledger"), LEDGER_ID, LEDGER_CHILD, 40 * 4096, 0, 0);
}

/* Of an object that is made for it; the revoker lives on with nobody, so it is dead, or in
 * our table, so it is not. */
static uint32_t held_revoker;
static uint32_t lease(void)
{
	uint32_t object = memory(), l = made(held_revoker, REVOKER_ID, REVOKER_LEASE, 0, 0, object);

	release(object);
	return l;
}
static uint32_t dead_lease(void)
{
	uint32_t r = revoker(), object = memory();
	uint32_t l = made(r, REVOKER_ID, REVOKER_LEASE, 0, 0, object);

	release(r), release(object);
	return l;
}

static uint32_t context(void)
{
	struct native_call call;
	struct scheduling_control_create_params_builder p;

	native_call(&call, self, named("scheduling"), SCHEDULING_CONTROL_ID, SCHEDULING_CONTROL_CREATE);
	p = scheduling_control_create_params_build(&call.params);
	scheduling_control_create_params_set_budget_ns(p, 1000000);
	scheduling_control_create_params_set_period_ns(p, 10000000);
	OK(native_send(&call));
	return call.caps[0];
}

/* Of a process that is not started, or is by one of the calls: then it faults. What it
 * is made of beside `wanted` is kept, too. */
static uint32_t beside[3], beside_count, whole;
static struct native_child process_of(void)
{
	const struct request r = { .entry = 0x400000, .stack = 0x500000, .bytes = BYTES };
	struct native_child c = { 0 };

	OK(create_raw(&r, &c));
	whole = c.process;
	return c;
}
static void keep(uint32_t cap) { beside[beside_count++] = cap; }
static uint32_t process(void)
{
	struct native_child c = process_of();

	keep(c.thread), keep(c.space);
	return c.process;
}
static uint32_t handle(void)
{
	keep(process());
	return handle_of(whole);
}
static uint32_t space(void)
{
	struct native_child c = process_of();

	keep(c.thread), keep(c.process);
	return c.space;
}
static uint32_t thread(void)
{
	struct native_child c = process_of();

	keep(c.process), keep(c.space);
	return c.thread;
}

static uint32_t libos(void)
{
	struct native_call call;
	struct libos_table_load_params_builder p;

	native_call(&call, self, named("libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	p = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(p, capnp_text_from("extreme"));
	libos_table_load_params_set_pages(p, 100);
	libos_table_load_params_set_timeout_ns(p, ~0ull);
	OK(native_send(&call));
	return call.caps[0];
}

/* It goes with its only process, which nobody will start; or has gone with one already. */
static void unload(uint32_t libos)
{
	struct native_call call;

	native_call(&call, self, libos, LIBOS_ID, LIBOS_SPAWN);
	(void)libos_spawn_params_init_start(libos_spawn_params_build(&call.params));
	if (native_send(&call) == STATUS_OK)
		release(call.caps[0]), release(call.caps[1]), release(call.caps[2]);
}

static const struct maker {
	uint64_t interface;
	uint32_t (*make)(void);
} makers[] = {
	{ MEMORY_OBJECT_ID, memory }, { MEMORY_OBJECT_ID, slice }, { MEMORY_OBJECT_ID, child },
	{ MEMORY_OBJECT_ID, lease }, { MEMORY_OBJECT_ID, dead_lease },
	{ SHARED_BUFFER_ID, buffer }, { READ_ONLY_MEMORY_ID, sealed }, { MEMORY_POOL_ID, spending },
	{ LEDGER_ID, account }, { ENDPOINT_ID, endpoint }, { NOTIFICATION_ID, notification },
	{ SIGNALLER_ID, signaller }, { REVOKER_ID, revoker }, { PARK_SPACE_ID, park_space },
	{ SCHEDULING_CONTEXT_ID, context }, { PROCESS_ID, process }, { PROCESS_HANDLE_ID, handle },
	{ ADDRESS_SPACE_ID, space }, { THREAD_ID, thread }, { LIBOS_ID, libos },
};

static void end_process(uint32_t process)
{
	struct native_end end;

	OK(native_kill(self, process, 1));
	OK(native_wait(self, process, &end));
	whole = 0;
}

static void one_object(const struct maker *m, uint32_t (*along)(void))
{
	for (unsigned method = METHODS; method-- > 0;) {
		uint32_t cap = m->make();

		second = along();
		if (method == METHODS - 1)
			no_method(cap, m->interface, m->make == dead_lease ? STATUS_GONE :
			                                                     STATUS_NO_METHOD);
		one_method(cap, m->interface, method);
		if (m->interface == LIBOS_ID)
			unload(cap);
		if (whole) /* it may run */
			end_process(whole);
		release(cap), release(second);
		while (beside_count)
			release(beside[--beside_count]);
	}
}

static void what_is_made(void)
{
	static uint32_t (*const along[])(void) = { memory, lease, account, notification, endpoint };

	held_revoker = revoker();
	for (unsigned i = 0; i < sizeof makers / sizeof makers[0]; i++)
		one_object(&makers[i], along[i % (sizeof along / sizeof along[0])]);
	release(held_revoker);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { what_was_given, what_is_made };

	start(given, "extremes");
	what_was_given();
	what_is_made();
	native_print(self, "%lu calls, %lu accepted\n", calls, accepted);
	run(steps, 2);
}
