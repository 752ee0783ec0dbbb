/* caps.c: what the operations of the capability core cost. A native program, run
 * as IIS; it reads one line from the console and does what that says:
 *
 *     all           every row, and revoke
 *     ROW           that row
 *     revoke        a lease of many and a lease of one (revoke.c)
 *     scaling       two pairs of processes against one (scaling.c)
 *     profile ROW   its batch, three times between marks (bench/profile.sh)
 *
 * A row is printed as "row NAME TICKS NS", or "row NAME n/a WHY". Ticks are
 * instructions under -icount; without it, nanoseconds are what counts. */
#include "bench/native/entry.h"
#include "bench/native/world.h"

#include "abi/scheduling.capnp.h"

struct row {
	const char *name;
	uint32_t (*start)(void); /* the capability that the batch is given; 0: failed */
	batch *batch, *idle;        /* with it and without it; NULL: an empty loop */
	void (*stop)(uint32_t cap); /* or NULL */
	unsigned each;              /* operations of one turn of the batch */
	const char *less;           /* the row that this one is counted on top of */
};

/* -- batches, each with a symbol of its own ----------------------------------------- */

#define BATCH_OF(name, once)                                                           \
	static ON_ITS_OWN uint64_t batch_##name(struct ring *ring, uint32_t cap,       \
	                                        unsigned count)                        \
	{                                                                              \
		return timed(once, ring, cap, count);                                  \
	}

BATCH_OF(cap_call, call_once)
BATCH_OF(cap_call_16, call_batch)
BATCH_OF(ipc_call, ipc_empty)
BATCH_OF(ipc_call_4w, ipc_words)
BATCH_OF(ipc_call_cap, ipc_cap)

ALWAYS_INLINE bool nothing(struct ring *ring, uint32_t cap)
{
	(void)ring;
	__asm__ volatile("" ::"r"(cap) : "memory");
	return true;
}

BATCH_OF(nothing, nothing)

/* -- what they need ------------------------------------------------------------------ */

static uint32_t timer(void)
{
	return native_find(world.self, "timer");
}

static struct server server;

static int server_of_nothing(struct native *me)
{
	serve_empty(me->ring, native_find(me, "endpoint"), note_nothing);
	return 0;
}

static int server_of_words(struct native *me)
{
	serve_words(me->ring, native_find(me, "endpoint"));
	return 0;
}

static int server_of_caps(struct native *me)
{
	serve_caps(me->ring, native_find(me, "endpoint"));
	return 0;
}

static uint32_t start_empty(void)
{
	return server_start(&server, server_of_nothing, 0);
}

static uint32_t start_words(void)
{
	return server_start(&server, server_of_words, 0);
}

static uint32_t start_caps(void)
{
	return server_start(&server, server_of_caps, 0);
}

static void stop_server(uint32_t facet)
{
	(void)facet;
	server_stop(&server);
}

/* -- a signal, until who waits for it runs ------------------------------------------- */

enum { GO = 1, ABOVE = 40 }; /* a priority above our own, which is 31 */

static struct native_child waiter;
static uint32_t context;

/* Waits for a signal and tells when it ran; again and again. */
static int wait_and_tell(struct native *me)
{
	struct ring *ring = me->ring;
	uint32_t signalled = native_find(me, "signalled");

	for (;;) {
		uint64_t now;

		push_bits(ring, signalled, NOTIFICATION_WAIT, GO);
		enter(ring, 1);
		now = rdtsc();
		if (!answered(ring, 0) || SHARED->stop)
			return 0;
		SHARED->woken = now;
	}
}

/* Has `thread` run at priority ABOVE. */
static uint32_t raise(uint32_t thread)
{
	struct native_call call;
	struct scheduling_control_create_params_builder create;
	uint32_t context;

	native_call(&call, world.self, native_find(world.self, "scheduling"),
	            SCHEDULING_CONTROL_ID, SCHEDULING_CONTROL_CREATE);
	create = scheduling_control_create_params_build(&call.params);
	scheduling_control_create_params_set_budget_ns(create, SCHEDULING_INFINITE);
	scheduling_control_create_params_set_priority(create, ABOVE);
	if (native_send(&call) != STATUS_OK)
		return 0;
	context = call.caps[0];
	native_call(&call, world.self, context, SCHEDULING_CONTEXT_ID, SCHEDULING_CONTEXT_BIND);
	scheduling_context_bind_params_set_thread(
		scheduling_context_bind_params_build(&call.params), native_attach(&call, thread));
	return native_send(&call) == STATUS_OK ? context : 0;
}

static uint32_t start_waiter(void)
{
	struct native *self = world.self;
	uint32_t signalled = ledger_make(LEDGER_NOTIFICATION);

	if (signalled == 0 || !spawn_sharing(wait_and_tell, 0, &waiter))
		return 0;
	SHARED->stop = 0;
	context = raise(waiter.thread);
	if (context == 0 ||
	    native_grant(self, waiter.process, "signalled", signalled) != STATUS_OK ||
	    native_start(self, waiter.thread) != STATUS_OK)
		return 0;
	return signalled;
}

/* Being above us, the waiter has run when we go on. */
ALWAYS_INLINE uint64_t wake(struct ring *ring, uint32_t signalled)
{
	uint64_t start = rdtsc();

	push_bits(ring, signalled, NOTIFICATION_SIGNAL, GO);
	enter(ring, 1);
	return answered(ring, 0) && SHARED->woken > start ? SHARED->woken - start : FAILED;
}

static ON_ITS_OWN uint64_t batch_notify_wake(struct ring *ring, uint32_t signalled,
                                             unsigned count)
{
	uint64_t ticks = 0, once;

	for (; count > 0; count--) {
		once = wake(ring, signalled);
		if (once >= FAILED)
			return FAILED;
		ticks += once;
	}
	return ticks;
}

/* What reading the counter twice takes. */
static ON_ITS_OWN uint64_t batch_reading(struct ring *ring, uint32_t cap, unsigned count)
{
	uint64_t ticks = 0;

	(void)ring;
	(void)cap;
	for (; count > 0; count--) {
		uint64_t start = rdtsc();

		ticks += rdtsc() - start;
	}
	return ticks;
}

static void stop_waiter(uint32_t signalled)
{
	struct native *self = world.self;
	struct native_end end;

	SHARED->stop = 1;
	if (!notify_signal(self, signalled, GO) ||
	    native_wait(self, waiter.process, &end) != STATUS_OK || end.code != 0)
		tell_failed("notify_wake", "the waiter ended badly");
	native_forget(self, &waiter);
	(void)!ring_release(self->ring, signalled);
	(void)!ring_release(self->ring, context);
}

/* -- rows ------------------------------------------------------------------------------- */

static const struct row rows[] = {
	{"cap_call", timer, batch_cap_call, NULL, NULL, 1, NULL},
	{"cap_call_batch16", timer, batch_cap_call_16, NULL, NULL, RING_SQ_ENTRIES, NULL},
	{"ipc_call", start_empty, batch_ipc_call, NULL, stop_server, 1, NULL},
	{"ipc_call_4w", start_words, batch_ipc_call_4w, NULL, stop_server, 1, NULL},
	{"notify_wake", start_waiter, batch_notify_wake, batch_reading, stop_waiter, 1, NULL},
	{"cap_copy", start_caps, batch_ipc_call_cap, NULL, stop_server, 1, "ipc_call"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct row *find_row(const char *name)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (same(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* At FAILED and above: so did it. */
static uint64_t median_batch(batch *batch, struct ring *ring, uint32_t cap)
{
	static uint64_t taken[SAMPLES];

	for (unsigned i = 0; i < SAMPLES; i++) {
		taken[i] = batch(ring, cap, BATCH);
		if (taken[i] >= FAILED)
			return FAILED;
	}
	return median(taken, SAMPLES);
}

/* Ticks of a batch, but for the loop's own. */
static uint64_t measure(const struct row *row)
{
	struct ring *ring = world.self->ring;
	uint32_t cap = row->start();
	uint64_t busy = FAILED;
	uint64_t idle = median_batch(row->idle != NULL ? row->idle : batch_nothing, ring, cap);

	if (cap != 0)
		busy = median_batch(row->batch, ring, cap);
	if (row->stop != NULL)
		row->stop(cap);
	return busy < FAILED ? busy - idle : FAILED;
}

static void print_row(const struct row *row)
{
	uint64_t base = 0, ticks = measure(row);
	unsigned each = row->each * BATCH;

	if (row->less != NULL)
		base = measure(find_row(row->less));
	if (ticks >= FAILED || base >= FAILED)
		tell_failed(row->name, "an operation failed");
	else
		tell_ticks(row->name, ticks > base ? ticks - base : 0, each);
}

/* -- for the profiler ---------------------------------------------------------------- */

enum { FEW = 8, MORE = 24 };

ON_ITS_OWN void profile_mark(void);
ON_ITS_OWN void profile_mark(void)
{
	__asm__ volatile("");
}

/* What the second has more than the first is MORE - FEW turns, and nothing else. */
static void profile(const struct row *row)
{
	struct ring *ring = world.self->ring;
	uint32_t cap = row->start();

	if (cap == 0 || row->batch(ring, cap, FEW) >= FAILED) {
		tell_failed(row->name, "an operation failed");
		return;
	}
	profile_mark();
	(void)row->batch(ring, cap, FEW);
	profile_mark();
	(void)row->batch(ring, cap, MORE);
	profile_mark();
	native_print(world.self, "profiled %s %u\n", row->name, row->each * (MORE - FEW));
}

int native_main(struct native *self)
{
	char line[64];
	const char *rest;
	const struct row *row;

	world_start(self);
	read_line(line, sizeof line);
	rest = after(line, "profile ");
	row = find_row(rest != NULL ? rest : line);
	if (same(line, "all")) {
		for (unsigned i = 0; i < ROWS; i++)
			print_row(&rows[i]);
		print_revoke();
	} else if (same(line, "revoke")) {
		print_revoke();
	} else if (same(line, "scaling")) {
		print_scaling();
	} else if (row == NULL) {
		native_print(self, "no such row: %s\n", line);
	} else if (rest != NULL) {
		profile(row);
	} else {
		print_row(row);
	}
	native_off(self, 0);
}
