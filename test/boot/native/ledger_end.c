/* ledger_end.c: what Ledger.end ends, and what it does not; and that all of it is the
 * parent's again, to the byte. */
#include "test/boot/native/ledger.h"
#include "test/boot/native/revoker.h"
#include "test/boot/native/stages.h"

#define INTERFACE 0x1ed6e41ed6e41ed6ull
#include "test/boot/native/made.h"

enum {
	STAGE_WAITS = 1, STAGE_SPAWNS, STAGE_TRIES, STAGE_ENDS,
	PURSE = 4 << 20,
	SMALL = 48 * 1024, /* a process with nothing in it */
	MANY = 40,         /* more than one call ends */
	AT_ONCE = 16,
	SPINNERS = 3,
	PATIENCE = 20000,
};

#define WINDOW ((uint8_t *)0x700000000)

static uint32_t own;

/* -- what lives on a ledger ------------------------------------------------------------- */

static int waits(struct native *me)
{
	static uint32_t word;
	while (ring_park(me->ring, &word, 0, RING_FOREVER) == STATUS_OK)
		;
	return 1;
}

_Noreturn static int spins(struct native *me)
{
	(void)me;
	for (;;)
		__asm__ volatile("");
}

/* Leaves one behind that runs, and that nobody can name. */
static int litters(struct native *me)
{
	struct native_child daemon;
	if (native_spawn_self(me, waits, 0, me->argument / 3, &daemon) != STATUS_OK ||
	    native_start(me, daemon.thread) != STATUS_OK)
		return 1;
	native_forget(me, &daemon);
	return 0;
}

static struct native_child on(uint32_t ledger, int (*main)(struct native *), uint64_t argument,
                              uint64_t bytes)
{
	struct native_child child;
	self->payer = ledger;
	child = spawned_with(main, argument, bytes);
	self->payer = 0;
	return child;
}

static struct native_child started_on(uint32_t ledger, int (*main)(struct native *))
{
	struct native_child child = on(ledger, main, 0, NATIVE_CHILD_BYTES);
	OK(native_start(self, child.thread));
	return child;
}

/* One without a program, not started. */
static struct native_child empty_on(uint32_t ledger)
{
	struct request r = { .entry = 0x400000, .stack = 0x500000, .bytes = SMALL,
		             .ledger = ledger };
	struct native_child child = { 0 };
	OK(create_raw(&r, &child));
	return child;
}

static void end_all(uint32_t ledger)
{
	OK(ledger_end_all(self, ledger));
}

static void ended_with_it(const struct native_child *child)
{
	ended(child, END_REASON_LEDGER_ENDED, -1);
}

/* All is back where it came from. */
static void gone(uint32_t ledger, uint64_t before)
{
	release(ledger);
	CHECK(&check, comes_back(own, before, PATIENCE));
}

/* -- who may ---------------------------------------------------------------------------- */

static void only_its_owner_ends_it(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE), spender = 0, again = 0, pages = 0;
	bool more = true;
	OK(ledger_make(purse, LEDGER_SPENDER, &spender));
	OK(ledger_make(spender, LEDGER_SPENDER, &again));
	struct native_child waiting = started_on(spender, waits);
	REFUSED(DENIED, ledger_end_some(self, own, &more));
	REFUSED(DENIED, ledger_end_some(self, spender, &more));
	REFUSED(DENIED, ledger_end_some(self, again, &more));
	REFUSED(NO_METHOD, ledger_end_some(self, pool, &more));
	REFUSED(NO_CAP, ledger_end_some(self, 0, &more));
	CHECK(&check, threads_of(waiting.process) == 1 && left(purse) > 0);
	CHECK(&check, left(spender) == left(purse));
	OK(ledger_make(spender, LEDGER_MEMORY, &pages)); /* it spends */
	release(pages);
	/* One that is made through a spender is its maker's. */
	uint32_t inner = child(spender, PURSE / 4);
	OK(ledger_end_some(self, inner, &more));
	CHECK(&check, !more && threads_of(waiting.process) == 1);
	release(inner);
	end_all(purse);
	ended_with_it(&waiting);
	REFUSED(DENIED, ledger_end_some(self, spender, &more));
	release(spender);
	release(again);
	gone(purse, before);
}

static void through_a_lease(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE), revoker = revoker_new(), lease = 0, dead = 0;
	bool more = true;
	for (unsigned i = 0; i < 2; i++) {
		lease = lease_of(revoker, purse);
		if (i == 0) {
			revoke(revoker);
			dead = lease;
		}
	}
	struct native_child waiting = started_on(purse, waits);
	REFUSED(GONE, ledger_end_some(self, dead, &more));
	CHECK(&check, threads_of(waiting.process) == 1);
	OK(ledger_end_some(self, lease, &more));
	CHECK(&check, !more);
	ended_with_it(&waiting);
	release(dead);
	release(lease);
	release(revoker);
	gone(purse, before);
}

/* -- what ends -------------------------------------------------------------------------- */

static void a_daemon_that_nobody_can_name(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE);
	struct native_child maker = on(purse, litters, 2 * NATIVE_CHILD_BYTES,
	                               3 * NATIVE_CHILD_BYTES);
	uint32_t spawner = native_find(self, "spawner");
	OK(native_grant(self, maker.process, "spawner", spawner));
	uint32_t shop = 0;
	OK(ledger_make(purse, LEDGER_MEMORY, &shop));
	OK(native_grant(self, maker.process, "memory", shop));
	OK(native_start(self, maker.thread));
	ended(&maker, END_REASON_EXITED, 0);
	release(shop);
	uint64_t used = account_of(purse).used;
	CHECK(&check, used > SMALL); /* it is there */
	end_all(purse);
	gone(purse, before);
}

static void what_has_not_been_started(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE);
	struct native_child first = on(purse, waits, 0, NATIVE_CHILD_BYTES), second = empty_on(purse);
	end_all(purse);
	REFUSED(GONE, native_start(self, first.thread));
	ended_with_it(&first);
	ended_with_it(&second);
	gone(purse, before);
}

static void those_on_other_processors(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE);
	struct native_child children[SPINNERS];
	for (unsigned i = 0; i < SPINNERS; i++)
		children[i] = started_on(purse, spins);
	nap(20000000);
	end_all(purse);
	for (unsigned i = 0; i < SPINNERS; i++)
		ended_with_it(&children[i]);
	gone(purse, before);
}

/* a, b under it, c beside it. */
static void ledgers_below_and_beside(void)
{
	uint64_t before = left(own);
	uint32_t a = child(own, 3 * PURSE), b = child(a, PURSE), c = child(own, PURSE);
	struct native_child on_a = started_on(a, waits), on_b = started_on(b, waits);
	struct native_child on_c = started_on(c, waits);
	uint64_t of_a = left(a), of_b = account_of(b).limit;
	end_all(b);
	ended_with_it(&on_b);
	for (unsigned i = 0; i < PATIENCE && account_of(b).used; i++)
		nap(1000000);
	CHECK(&check, account_of(b).limit == 0 && left(a) == of_a + of_b);
	CHECK(&check, threads_of(on_a.process) == 1 && threads_of(on_c.process) == 1);
	release(b);
	b = child(a, PURSE);
	on_b = started_on(b, waits);
	uint32_t deep = child(b, PURSE / 2);
	end_all(a);
	ended_with_it(&on_a);
	ended_with_it(&on_b);
	CHECK(&check, threads_of(on_c.process) == 1);
	/* Whoever has them still gets nothing there. */
	uint32_t made;
	uint64_t moved = 1;
	bool more = true;
	REFUSED(NO_MEMORY, ledger_child(deep, 0, &made));
	REFUSED(NO_MEMORY, ledger_make(b, LEDGER_ENDPOINT, &made));
	REFUSED(GONE, ledger_donate(own, deep, 1));
	REFUSED(NO_MEMORY, ledger_donate(deep, own, 1));
	OK(ledger_reclaim(b, deep, UINT64_MAX, &moved));
	CHECK(&check, moved == 0 && account_of(deep).limit == 0);
	OK(ledger_end_some(self, deep, &more));
	CHECK(&check, !more);
	release(deep);
	release(b);
	end_all(c);
	ended_with_it(&on_c);
	release(c);
	gone(a, before);
}

static unsigned how_many(const struct native_child *children)
{
	unsigned there = 0;
	for (unsigned i = 0; i < MANY; i++)
		there += threads_of(children[i].process);
	return there;
}

/* So many are left, in the end, and stay. */
static bool so_many_stay(const struct native_child *children, unsigned there)
{
	for (unsigned i = 0; i < PATIENCE && how_many(children) > there; i++)
		nap(1000000);
	nap(1000000);
	return how_many(children) == there;
}

static void many_take_several_calls(void)
{
	static struct native_child children[MANY];
	uint64_t before = left(own);
	uint32_t purse = child(own, MANY * 2 * SMALL), calls = 0, made;
	bool more = true;
	for (unsigned i = 0; i < MANY; i++)
		children[i] = empty_on(purse);
	for (; more && calls < MANY; calls++) {
		OK(ledger_end_some(self, purse, &more));
		CHECK(&check, so_many_stay(children, more ? MANY - (calls + 1) * AT_ONCE : 0));
		REFUSED(NO_MEMORY, ledger_child(purse, 0, &made));
		CHECK(&check, left(purse) == 0);
	}
	CHECK(&check, calls == MANY / AT_ONCE + 1);
	for (unsigned i = 0; i < MANY; i++)
		ended_with_it(&children[i]);
	gone(purse, before);
}

/* -- who lives there itself -------------------------------------------------------------- */

static int ends_its_own(struct native *me)
{
	bool more = true;
	while (ledger_end_some(me, native_find(me, "purse"), &more) == STATUS_OK && more)
		;
	return 5; /* it cannot get here */
}

static void the_caller_is_the_last(void)
{
	static struct native_child children[MANY];
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE);
	/* Its PID is the lowest. */
	struct native_child caller = on(purse, ends_its_own, 0, NATIVE_CHILD_BYTES);
	OK(native_grant(self, caller.process, "purse", purse));
	for (unsigned i = 0; i < MANY; i++)
		children[i] = empty_on(purse);
	OK(native_start(self, caller.thread));
	ended_with_it(&caller);
	CHECK(&check, so_many_stay(children, 0));
	for (unsigned i = 0; i < MANY; i++)
		ended_with_it(&children[i]);
	gone(purse, before);
}

/* The last capability to the ledger is that of the caller, who lives there. */
static void nobody_else_has_it(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE);
	struct native_child caller = on(purse, ends_its_own, 0, NATIVE_CHILD_BYTES);
	OK(native_grant(self, caller.process, "purse", purse));
	release(purse);
	OK(native_start(self, caller.thread));
	ended_with_it(&caller);
	CHECK(&check, comes_back(own, before, PATIENCE));
}

/* Asks a server for the ledger, and chains the end to that: it is ended while it waits. */
_Noreturn static int chains_its_end(struct native *me)
{
	struct ring *ring = me->ring;
	struct ring_sqe *e = ring_next(ring);
	*e = (struct ring_sqe){ .op = RING_CALL, .cap = native_find(me, "facet"),
		.interface = INTERFACE, .results = (uintptr_t)ring->area, .results_size = 64 };
	ring_push(ring);
	e = ring_next(ring);
	((uint64_t *)(ring->area + 128))[0] = 0;
	*e = (struct ring_sqe){ .op = RING_CALL, .cap = RING_CHAIN(1, 0), .chained = 1,
		.interface = LEDGER_ID, .method = LEDGER_END, .params = (uintptr_t)ring->area + 128,
		.params_size = 8, .results = (uintptr_t)ring->area + 256, .results_size = 64 };
	ring_push(ring);
	for (;;)
		(void)!ring_enter(3, RING_FOREVER);
}

static void it_is_ended_by_a_chained_entry(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE), endpoint = 0;
	OK(ledger_make(own, LEDGER_ENDPOINT, &endpoint));
	uint32_t facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct native_child caller = on(purse, chains_its_end, 0, NATIVE_CHILD_BYTES);
	OK(native_grant(self, caller.process, "facet", facet));
	OK(native_start(self, caller.thread));
	struct ring *ring = self->ring;
	struct ring_received *in = (struct ring_received *)(ring->area + 512);
	*ring_next(ring) = (struct ring_sqe){ .op = RING_RECV, .cap = endpoint,
		.results = (uintptr_t)in, .results_size = 256 };
	ring_push(ring);
	OK(ring_run(ring, 1));
	const struct ring_cqe *cqe = ring_done(ring);
	CHECK(&check, cqe && cqe->status == STATUS_OK);
	for (unsigned i = 0; i < PATIENCE && thread_state(caller.thread) != THREAD_STATE_WAITING; i++)
		nap(1000000);
	/* A root of one pointer, to the capability that comes along. */
	uint64_t *answer = (uint64_t *)ring->area;
	uint64_t token = in->token;
	answer[0] = 1ull << 48;
	answer[1] = 3;
	*ring_next(ring) = (struct ring_sqe){ .op = RING_RETURN, .token = token,
		.params = (uintptr_t)answer, .params_size = 16, .caps = { purse }, .caps_count = 1 };
	ring_push(ring);
	OK(ring_run(ring, 1));
	cqe = ring_done(ring);
	CHECK(&check, cqe && cqe->status == STATUS_OK);
	ended_with_it(&caller);
	release(facet);
	release(endpoint);
	gone(purse, before);
}

/* -- what others hold ------------------------------------------------------------------- */

static void what_is_held_stays(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, PURSE), shop = 0, object = 0, more_pages, spender = 0;
	uint8_t *at = WINDOW;
	OK(ledger_make(purse, LEDGER_MEMORY, &shop));
	OK(ledger_make(purse, LEDGER_SPENDER, &spender));
	OK(native_allocate(self, shop, 10, &object));
	put(object, 3, 77);
	OK(native_map(self, here, object, 0, at, 10, RW));
	end_all(purse);
	struct account account = account_of(purse);
	CHECK(&check, account.limit == account.used && account.used >= 10 * NATIVE_PAGE &&
	              account.used < 14 * NATIVE_PAGE);
	CHECK(&check, *(volatile uint64_t *)(at + 3 * NATIVE_PAGE) == 77);
	*(volatile uint64_t *)(at + 4 * NATIVE_PAGE) = 78; /* paid for, though never touched */
	REFUSED(NO_MEMORY, native_allocate(self, shop, 1, &more_pages));
	release(object);
	CHECK(&check, account_of(purse).used >= 2 * NATIVE_PAGE); /* it is mapped */
	OK(native_unmap(self, here, at, 10));
	release(shop);
	CHECK(&check, account_of(purse).used == NATIVE_PAGE); /* the spender's own */
	release(purse);
	CHECK(&check, left(own) < before && account_of(spender).limit == NATIVE_PAGE);
	release(spender);
	CHECK(&check, left(own) == before);
}

/* -- libOSes ------------------------------------------------------------------------------ */

static int stage(struct native *me)
{
	struct native_child child;
	stage_start(me);
	if (STAGE_NUMBER(me->argument) == STAGE_SPAWNS) {
		me->payer = native_find(me, "payer");
		BOARD->status[0] = native_spawn_self(me, waits, 0, NATIVE_CHILD_BYTES, &child);
		BOARD->status[1] = native_start(me, child.thread);
		BOARD->number[0] = child.pid;
	}
	if (STAGE_NUMBER(me->argument) == STAGE_ENDS)
		return ends_its_own(me);
	if (STAGE_NUMBER(me->argument) == STAGE_TRIES) {
		BOARD->done = 1;
		until_set(&BOARD->go);
		me->payer = native_find(me, "payer");
		BOARD->status[0] = native_spawn_self(me, waits, 0, NATIVE_CHILD_BYTES, &child);
		BOARD->status[1] = 1;
		return waits(me);
	}
	BOARD->done = 1;
	return waits(me);
}

static void libOSes_that_it_paid_for(bool isolated)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, 3 * PURSE), other = child(own, PURSE), idle = 0, libos = 0, row;
	struct load l = { .id = "paid", .ledger = purse, .pages = 256, .isolated = isolated,
		          .count = 1, .names = { "board" }, .caps = { board_object } };
	struct load unused = { .id = "idle", .ledger = purse, .pages = 64, .pids = 1 };
	board_clear();
	OK(load_by(self, &unused, &idle));
	row = row_of("NONE").count;
	OK(load_by(self, &l, &libos));
	OK(grant_libos(libos, "payer", other));
	OK(grant_libos(libos, "memory", pool));
	OK(grant_libos(libos, "spawner", native_find(self, "spawner")));
	send_over(libos, STAGE_SPAWNS, isolated);
	until_set(&BOARD->done);
	CHECK(&check, BOARD->status[0] == STATUS_OK && BOARD->status[1] == STATUS_OK);
	CHECK(&check, row_of("paid").processes == 2 && row_of("idle").found);
	CHECK(&check, account_of(other).used > NATIVE_CHILD_BYTES);
	end_all(purse);
	/* One of the two was paid by another ledger: its libOS has ended. */
	until_gone("paid");
	CHECK(&check, !row_of("idle").found && row_of("NONE").count == row - 1);
	CHECK(&check, comes_back(other, PURSE, PATIENCE));
	struct native_child child;
	REFUSED(GONE, spawn_under(libos, 0, 0x400000, &child));
	REFUSED(GONE, spawn_under(idle, 0, 0x400000, &child));
	release(libos);
	release(idle);
	release(other);
	gone(purse, before);
}

/* The caller's domain is its libOS's. */
static void one_that_ends_itself(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, 3 * PURSE), libos = 0;
	struct load l = { .id = "ends-itself", .ledger = purse, .pages = 256, .count = 2,
		          .names = { "board", "purse" }, .caps = { board_object, purse } };
	OK(load_by(self, &l, &libos));
	release(purse);
	send_over(libos, STAGE_ENDS, 0);
	until_gone("ends-itself");
	release(libos);
	CHECK(&check, comes_back(own, before, PATIENCE));
}

static void libOSes_end(void)
{
	one_that_ends_itself();
	libOSes_that_it_paid_for(false);
	libOSes_that_it_paid_for(true);
}

/* Who pays with another ledger cannot make processes faster than they end. */
static void nothing_begins_under_them(void)
{
	static struct native_child children[MANY];
	uint64_t before = left(own);
	uint32_t purse = child(own, 3 * PURSE), other = child(own, PURSE), libos = 0;
	struct load l = { .id = "tries", .ledger = purse, .pages = 256, .count = 1,
		          .names = { "board" }, .caps = { board_object } };
	bool more = false;
	board_clear();
	for (unsigned i = 0; i < MANY; i++) /* their PIDs are lower */
		children[i] = empty_on(purse);
	OK(load_by(self, &l, &libos));
	OK(grant_libos(libos, "payer", other));
	OK(grant_libos(libos, "spawner", native_find(self, "spawner")));
	send_over(libos, STAGE_TRIES, 0);
	until_set(&BOARD->done);
	OK(ledger_end_some(self, purse, &more));
	CHECK(&check, more && row_of("tries").processes == 1);
	BOARD->go = 1;
	until_set(&BOARD->status[1]);
	CHECK_STATUS(&check, STATUS_GONE, (enum status)BOARD->status[0]);
	end_all(purse);
	until_gone("tries");
	for (unsigned i = 0; i < MANY; i++)
		ended_with_it(&children[i]);
	release(libos);
	release(other);
	gone(purse, before);
}

/* It lives where it moved to, and no more where it came from. */
static void one_that_has_moved(void)
{
	uint64_t before = left(own);
	uint32_t from = child(own, PURSE), to = child(own, PURSE), libos = 0;
	struct load l = { .id = "second", .ledger = to, .count = 1, .names = { "board" },
		          .caps = { board_object } };
	board_clear();
	OK(load_by(self, &l, &libos));
	struct native_child child = on(from, goes_over, STAGE(STAGE_WAITS, self->argument),
	                               NATIVE_CHILD_BYTES);
	OK(native_grant(self, child.process, "target", libos));
	OK(native_grant(self, child.process, "program", native_find(self, "bundle")));
	OK(native_start(self, child.thread));
	ended(&child, END_REASON_MOVED, 0);
	until_set(&BOARD->done);
	end_all(from);
	nap(5000000);
	CHECK(&check, row_of("second").processes == 1);
	end_all(to);
	until_gone("second");
	release(libos);
	release(from);
	gone(to, before);
}

/* Letting go of it is no end: what runs there runs on, and whoever has what it was made
 * of can end it. */
static void letting_go_ends_nothing(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, 2 * PURSE), inner = child(purse, PURSE);
	struct native_child waiting = started_on(inner, waits);
	release(inner);
	nap(5000000);
	CHECK(&check, threads_of(waiting.process) == 1);
	end_all(purse);
	ended_with_it(&waiting);
	gone(purse, before);
}

/* Our table of capabilities, and page tables, grow once. */
static void grow(void)
{
	static uint32_t made[4 * MANY];
	struct native_child child_of_ours = spawned(waits, 0);
	native_forget(self, &child_of_ours);
	for (unsigned i = 0; i < 4 * MANY; i++)
		made[i] = child(own, 0);
	for (unsigned i = 0; i < 4 * MANY; i++)
		release(made[i]);
	OK(native_map(self, here, board_object, 0, WINDOW, 1, RW));
	OK(native_unmap(self, here, WINDOW, 1));
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		only_its_owner_ends_it, through_a_lease, a_daemon_that_nobody_can_name,
		what_has_not_been_started, those_on_other_processors, ledgers_below_and_beside,
		many_take_several_calls, the_caller_is_the_last, nobody_else_has_it,
		it_is_ended_by_a_chained_entry, what_is_held_stays, libOSes_end,
		nothing_begins_under_them,
		one_that_has_moved, letting_go_ends_nothing,
	};
	if (IS_STAGE(given->argument))
		return stage(given);
	start(given, "ledger_end");
	own = native_find(self, "ledger");
	board_start();
	grow();
	run(steps, sizeof steps / sizeof steps[0]);
}
