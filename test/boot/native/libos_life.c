/* libos_life.c: how libOSes come, are moved to, and go: what is named at load,
 * the second stage, the timer, the shares of PIDs and of places in the table; and
 * that all of it comes back. */
#include "test/boot/native/ledger.h"
#include "test/boot/native/stages.h"

enum { STAGE_LOOKS = 1, STAGE_LOADS, STAGE_WAITS, STAGE_STAYS, STAGE_BREAKS_OUT };

/* -- stages ----------------------------------------------------------------------- */

/* Says who it is and what it has. */
static int stage_looks(void)
{
	static const char *const names[] = {
		"libos", "self", "space", "thread", "board", "clock", "target", "program",
	};
	BOARD->number[0] = pid_of(self);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		BOARD->number[1] |= (uint32_t)(native_find(self, names[i]) != 0) << i;
	BOARD->number[2] = self->capset->count;
	BOARD->status[0] = become(self, native_find(self, "libos"), 0, 0, 0, 0);
	/* It would be refused for its bytes, if not for being where it is. */
	BOARD->status[1] = become(self, native_find(self, "libos"), 0, 0,
	                          native_find(self, "board"), NATIVE_PAGE);
	BOARD->done = 1;
	return 7;
}

/* Loads what it may, and is refused more. */
static int stage_loads(void)
{
	uint32_t libos;
	for (uint32_t i = 0; i < 4; i++) {
		char id[] = { 'i', 'n', 'n', 'e', 'r', (char)('0' + i), '\0' };
		struct load l = { .id = id, .pages = 32, .timeout = 2000000000, .pids = 1, .liboses = i == 3 };
		BOARD->status[i] = load_by(self, &l, &libos);
	}
	struct load greedy = { .id = "greedy", .pages = 32, .pids = 1000 };
	BOARD->status[4] = load_by(self, &greedy, &libos);
	BOARD->done = 1;
	until_set(&BOARD->go);
	return 0;
}

/* Isolated: what it loads cannot be less so. */
static int stage_breaks_out(void)
{
	struct load l = { .id = "outside", .pages = 32, .timeout = 300000000 };
	uint32_t libos;
	BOARD->status[0] = load_by(self, &l, &libos);
	l.isolated = true;
	BOARD->status[1] = load_by(self, &l, &libos);
	BOARD->done = 1;
	return 0;
}

static int stage_waits(void)
{
	BOARD->done = 1;
	until_set(&BOARD->go);
	return 0;
}

static int stage(struct native *me)
{
	stage_start(me);
	switch (STAGE_NUMBER(me->argument)) {
	case STAGE_LOOKS:
		return stage_looks();
	case STAGE_LOADS:
		return stage_loads();
	case STAGE_BREAKS_OUT:
		return stage_breaks_out();
	default:
		return stage_waits();
	}
}

/* One that never had a process: it goes when its first one does. */
static void drop_libos(uint32_t libos, const char *id)
{
	struct native_child child = { 0 };
	OK(spawn_under(libos, row_of(id).isolated, 0x400000, &child));
	OK(native_kill(self, child.process, 0));
	CHECK(&check, !row_of(id).found);
	native_forget(self, &child);
	release(libos);
}

/* -- named at load ------------------------------------------------------------------ */

static void capabilities_are_named(void)
{
	uint32_t timer = native_find(self, "timer"), libos = 0;
	struct load l = { .id = "named", .count = 3, .names = { "a", "b", "c" },
		          .caps = { timer, timer, board_object } };
	OK(load_by(self, &l, &libos));
	CHECK(&check, row_of("named").capabilities == 3);
	REFUSED(EXISTS, grant_libos(libos, "b", timer));
	OK(grant_libos(libos, "d", timer));
	drop_libos(libos, "named");
	l.names[1] = "a";
	REFUSED(EXISTS, load_by(self, &l, &libos));
	l.names[1] = "self"; /* the exokernel's */
	REFUSED(EXISTS, load_by(self, &l, &libos));
	l.names[1] = "modules";
	REFUSED(EXISTS, load_by(self, &l, &libos));
	l.names[1] = "";
	REFUSED(INVALID, load_by(self, &l, &libos));
	l.names[1] = "a-name-of-forty-bytes-is-one-too-long-by";
	REFUSED(INVALID, load_by(self, &l, &libos));
	l.names[1] = "b", l.caps[1] = 0;
	REFUSED(NO_CAP, load_by(self, &l, &libos));
	CHECK(&check, row_of("named").count == 1);
}

/* The ledger that is sent along pays, and no other. */
static void another_ledger_pays(void)
{
	struct load l = { .id = "paid", .pages = 64 };
	struct account account = { 0 };
	uint32_t libos = 0;
	OK(ledger_child(native_find(self, "ledger"), 100 * NATIVE_PAGE, &l.ledger));
	uint64_t before = available();
	OK(load_by(self, &l, &libos));
	CHECK(&check, available() == before);
	OK(native_account(l.ledger, &account));
	CHECK(&check, account.used > 64 * NATIVE_PAGE);
	drop_libos(libos, "paid");
	OK(native_account(l.ledger, &account));
	CHECK(&check, account.used == 0);
	l.pages = 100;
	REFUSED(NO_MEMORY, load_by(self, &l, &libos));
	release(l.ledger);
	l.ledger = native_find(self, "timer");
	REFUSED(NO_CAP, load_by(self, &l, &libos));
}

/* -- the second stage ----------------------------------------------------------------- */

static void a_process_moves(void)
{
	struct load l = { .id = "second", .count = 1, .names = { "clock" },
		          .caps = { native_find(self, "timer") } };
	uint32_t libos = 0;
	board_clear();
	l.names[l.count] = "board";
	l.caps[l.count++] = board_object;
	OK(load_by(self, &l, &libos));
	struct native_child child = spawned(goes_over, STAGE(STAGE_LOOKS, self->argument));
	OK(native_grant(self, child.process, "target", libos));
	OK(native_grant(self, child.process, "program", native_find(self, "bundle")));
	OK(native_start(self, child.thread));
	ended_but(&child, END_REASON_MOVED, 0);
	/* What is held of what it was reaches nothing. */
	OK(native_kill(self, child.process, 1));
	CHECK(&check, threads_of(child.process) == 0);
	REFUSED(GONE, plain_call(child.thread, THREAD_ID, THREAD_SUSPEND));
	REFUSED(GONE, native_grant(self, child.process, "more", board_object));
	until_set(&BOARD->done);
	CHECK(&check, BOARD->number[0] == child.pid);
	CHECK(&check, BOARD->number[1] == 0x3f); /* nothing of what the child had */
	CHECK(&check, BOARD->number[2] == 8);    /* and `modules` and `inspector` */
	CHECK(&check, BOARD->status[0] == STATUS_INVALID && BOARD->status[1] == STATUS_INVALID);
	until_gone("second");
	REFUSED(GONE, grant_libos(libos, "x", board_object));
	native_forget(self, &child);
	release(libos);
}

static void an_isolated_one_begins_with_pid_1(void)
{
	struct load l = { .id = "alone", .isolated = true };
	board_clear();
	uint32_t libos = stage_under(&l, STAGE_LOOKS);
	until_set(&BOARD->done);
	CHECK(&check, BOARD->number[0] == 1);
	CHECK(&check, BOARD->number[2] == 6); /* no `modules` */
	until_gone("alone");
	release(libos);
}

static void isolation_is_inherited(void)
{
	struct load l = { .id = "alone", .isolated = true, .pages = 256, .liboses = 2, .count = 1,
		          .names = { "libos-table" }, .caps = { native_find(self, "libos") } };
	board_clear();
	uint32_t libos = stage_under(&l, STAGE_BREAKS_OUT);
	until_set(&BOARD->done);
	CHECK(&check, BOARD->status[0] == STATUS_DENIED);
	CHECK(&check, BOARD->status[1] == STATUS_OK);
	until_gone("alone");
	until_gone("outside");
	release(libos);
}

/* The first is 1 or there is none; then they count from there, beside ours. */
static void pids_begin_at_1(void)
{
	struct load l = { .id = "alone", .isolated = true, .pages = 256 };
	struct native_child first, second, third;
	uint32_t libos = 0;
	OK(load_by(self, &l, &libos));
	REFUSED(INVALID, spawn_under(libos, 0, 0x400000, &first));
	REFUSED(INVALID, spawn_under(libos, 2, 0x400000, &first));
	REFUSED(INVALID, spawn_under(libos, UINT32_MAX, 0x400000, &first));
	OK(spawn_under(libos, 1, 0x400000, &first));
	CHECK(&check, first.pid == 1);
	REFUSED(DENIED, grant_libos(libos, "late", board_object));
	REFUSED(EXISTS, spawn_under(libos, 1, 0x400000, &second));
	OK(spawn_under(libos, 0, 0x400000, &second));
	CHECK(&check, second.pid == 2);
	OK(spawn_under(libos, 511, 0x400000, &third));
	native_forget(self, &third);
	REFUSED(EXISTS, spawn_under(libos, 512, 0x400000, &third));
	OK(native_kill(self, first.process, 0));
	OK(native_kill(self, second.process, 0));
	CHECK(&check, !row_of("alone").found);
	native_forget(self, &first);
	native_forget(self, &second);
	release(libos);
}

struct refusal {
	uint32_t libos, program, pid;
	uint64_t size;
	enum status wanted;
};

static struct refusal refusals[8];

static int child_sleeps(struct native *me)
{
	static uint32_t word;
	(void)!ring_park(me->ring, &word, 0, RING_FOREVER);
	return 0;
}

/* A child that is refused and goes on as it was. */
static int tries_to_go(struct native *me)
{
	static uint8_t stack[NATIVE_STACK];
	uint32_t target = native_find(me, "target"), thread;
	for (uint64_t i = 0; i < me->argument; i++) {
		const struct refusal *r = &refusals[i];
		if (become(me, r->libos ? target : 0, STAGE(STAGE_STAYS, 0), r->pid,
		           r->program ? native_find(me, "program") : 0, r->size) != r->wanted)
			return (int)i + 1;
	}
	if (native_thread(me, child_sleeps, 0, stack, sizeof stack, &thread) != STATUS_OK)
		return 100;
	if (become(me, target, 0, 0, native_find(me, "program"), 0x100000) != STATUS_BUSY)
		return 101;
	(void)!native_kill(me, native_find(me, "self"), 55);
	return 102;
}

static void refused(uint32_t libos, uint32_t program, uint64_t count)
{
	struct native_child child = spawned(tries_to_go, count);
	OK(native_grant(self, child.process, "target", libos));
	OK(native_grant(self, child.process, "program", program));
	OK(native_start(self, child.thread));
	struct native_end end = { 0, ~0u };
	OK(native_wait(self, child.process, &end));
	if (end.code != 55)
		native_print(self, "refusal %d of %lu\n", end.code, count);
	CHECK(&check, end.reason == END_REASON_KILLED && end.code == 55);
	native_forget(self, &child);
}

static void moves_are_refused(void)
{
	uint32_t libos = 0, alone = 0, zeroes = allocate(4);
	struct load l = { .id = "second" }, isolated = { .id = "alone", .isolated = true };
	OK(load_by(self, &l, &libos));
	OK(load_by(self, &isolated, &alone));
	refusals[0] = (struct refusal){ 1, 0, 0, 0, STATUS_INVALID };
	refusals[1] = (struct refusal){ 1, 1, 0, 8192, STATUS_BAD_MESSAGE };
	refusals[2] = (struct refusal){ 1, 1, 0, 0, STATUS_INVALID };
	refusals[3] = (struct refusal){ 1, 1, 0, UINT64_MAX, STATUS_INVALID };
	refusals[4] = (struct refusal){ 1, 1, 1, 8192, STATUS_EXISTS };
	refusals[5] = (struct refusal){ 1, 1, 1 << 20, 8192, STATUS_EXISTS };
	refusals[6] = (struct refusal){ 1, 1, UINT32_MAX, 8192, STATUS_EXISTS };
	refusals[7] = (struct refusal){ 0, 1, 0, 8192, STATUS_NO_CAP };
	refused(libos, zeroes, 8);
	refusals[0] = (struct refusal){ 1, 1, 0, 8192, STATUS_INVALID };
	refusals[1] = (struct refusal){ 1, 1, 2, 8192, STATUS_INVALID };
	refusals[2] = (struct refusal){ 1, 1, 1, 8192, STATUS_BAD_MESSAGE };
	refused(alone, zeroes, 3);
	/* PID 1 does not leave the real table. */
	REFUSED(INVALID, become(self, alone, 0, 1, native_find(self, "bundle"), self->argument));
	REFUSED(INVALID, become(self, libos, 0, 77, native_find(self, "bundle"), self->argument));
	CHECK(&check, row_of("second").processes == 0 && row_of("alone").processes == 0);
	drop_libos(libos, "second");
	drop_libos(alone, "alone");
	release(zeroes);
}

/* With too small a ledger, whatever is missing first, the process stays. */
static int goes_when_it_can(struct native *me)
{
	enum status status = become(me, native_find(me, "target"), STAGE(STAGE_LOOKS, 0), 0,
	                            native_find(me, "program"), me->argument);
	return status == STATUS_NO_MEMORY ? 50 : 51;
}

static void shortages_are_survived(void)
{
	bool moved = false;
	for (uint64_t pages = 8; pages < STAGE_PAGES && !moved; pages += 3) {
		char id[] = { 's', 'h', 'o', 'r', 't', (char)('0' + pages / 10),
			      (char)('0' + pages % 10), '\0' };
		struct load l = { .id = id, .pages = pages, .timeout = 1000000000, .count = 1,
			          .names = { "board" }, .caps = { board_object } };
		struct native_child child = spawned(goes_when_it_can, self->argument);
		struct native_end end = { 0, ~0u };
		uint32_t libos = 0;
		board_clear();
		if (load_by(self, &l, &libos) != STATUS_OK) {
			native_forget(self, &child);
			continue;
		}
		OK(native_grant(self, child.process, "target", libos));
		OK(native_grant(self, child.process, "program", native_find(self, "bundle")));
		OK(native_start(self, child.thread));
		OK(native_wait(self, child.process, &end));
		moved = end.reason == END_REASON_MOVED;
		CHECK(&check, moved || (end.reason == END_REASON_EXITED && end.code == 50));
		native_forget(self, &child);
		release(libos);
	}
	CHECK(&check, moved);
	while (row_of("NONE").count > 1) /* what was not moved to goes by its timer */
		nap(10000000);
}

/* -- the timer ------------------------------------------------------------------------ */

static void the_timer_waits_for_a_start(void)
{
	struct load l = { .id = "slow", .timeout = 50000000, .count = 1, .names = { "clock" },
		          .caps = { native_find(self, "timer") } };
	struct native_child child = { 0 };
	uint32_t libos = 0;
	uint64_t before = available();
	OK(load_by(self, &l, &libos));
	until_gone("slow");
	release(libos);
	CHECK(&check, available() == before);
	/* Made is not started. */
	OK(load_by(self, &l, &libos));
	OK(spawn_under(libos, 0, 0x400000, &child));
	until_gone("slow");
	REFUSED(GONE, native_start(self, child.thread));
	CHECK(&check, threads_of(child.process) == 0);
	native_forget(self, &child);
	release(libos);
	CHECK(&check, available() == before);
}

/* Nobody can name it, and it can name itself: the timer ends it all the same. */
static void the_timer_ends_what_holds_itself(void)
{
	struct load l = { .id = "knot", .timeout = 50000000 };
	uint32_t libos = 0;
	OK(load_by(self, &l, &libos));
	OK(grant_libos(libos, "me", libos));
	release(libos);
	until_gone("knot");
}

/* The timer is of no concern to what has started. The last that has leaves; what was
 * only made goes with it. */
static void the_last_one_takes_all_along(void)
{
	struct load l = { .id = "last", .timeout = 1000000000 };
	struct native_child left = { 0 };
	board_clear();
	uint32_t libos = stage_under(&l, STAGE_WAITS);
	until_set(&BOARD->done);
	OK(spawn_under(libos, 0, 0x400000, &left));
	OK(native_grant(self, left.process, "knot", left.thread));
	nap(l.timeout + 100000000);
	CHECK(&check, row_of("last").processes == 2);
	BOARD->go = 1;
	until_gone("last");
	REFUSED(GONE, native_start(self, left.thread));
	native_forget(self, &left);
	release(libos);
}

/* -- shares ------------------------------------------------------------------------------ */

static void pids_are_shared_out(void)
{
	uint32_t all = row_of("NONE").pids, libos = 0;
	struct native_child children[5];
	struct load l = { .id = "few", .pids = 4, .pages = 256 };
	OK(load_by(self, &l, &libos));
	CHECK(&check, row_of("NONE").pids == all - 4 && row_of("few").pids == 4);
	for (unsigned i = 0; i < 4; i++)
		OK(spawn_under(libos, 0, 0x400000, &children[i]));
	REFUSED(NO_SLOT, spawn_under(libos, 0, 0x400000, &children[4]));
	REFUSED(NO_SLOT, spawn_under(libos, 4000, 0x400000, &children[4]));
	CHECK(&check, row_of("few").pids == 0);
	/* Others have their own. */
	struct native_child mine = spawned(goes_over, 0);
	native_forget(self, &mine);
	/* A PID is free when nobody names it any more (the first one's the libOS does:
	 * its `self`). */
	OK(native_kill(self, children[1].process, 0));
	REFUSED(NO_SLOT, spawn_under(libos, 0, 0x400000, &children[4]));
	native_forget(self, &children[1]);
	CHECK(&check, row_of("few").pids == 1);
	OK(spawn_under(libos, 0, 0x400000, &children[1]));
	for (unsigned i = 0; i < 4; i++)
		OK(native_kill(self, children[i].process, 0));
	CHECK(&check, !row_of("few").found);
	/* Still named: they come back one by one, to the heir. */
	CHECK(&check, row_of("NONE").pids == all - 4);
	for (unsigned i = 0; i < 4; i++)
		native_forget(self, &children[i]);
	CHECK(&check, row_of("NONE").pids == all);
	release(libos);
	struct load greedy = { .id = "greedy", .pids = all + 1 };
	REFUSED(NO_SLOT, load_by(self, &greedy, &libos));
	greedy.pids = UINT32_MAX;
	REFUSED(NO_SLOT, load_by(self, &greedy, &libos));
	greedy.pids = 1, greedy.liboses = row_of("NONE").liboses;
	REFUSED(NO_SLOT, load_by(self, &greedy, &libos));
	greedy.liboses = UINT32_MAX;
	REFUSED(NO_SLOT, load_by(self, &greedy, &libos));
	CHECK(&check, row_of("NONE").pids == all);
}

static void places_in_the_table_are_shared_out(void)
{
	struct row before = row_of("NONE");
	struct load l = { .id = "outer", .pages = 512, .liboses = 2, .pids = 100, .count = 1,
		          .names = { "libos-table" }, .caps = { native_find(self, "libos") } };
	board_clear();
	uint32_t libos = stage_under(&l, STAGE_LOADS);
	until_set(&BOARD->done);
	CHECK(&check, BOARD->status[0] == STATUS_OK && BOARD->status[1] == STATUS_OK);
	CHECK(&check, BOARD->status[2] == STATUS_NO_SLOT && BOARD->status[3] == STATUS_NO_SLOT);
	CHECK(&check, BOARD->status[4] == STATUS_NO_SLOT);
	CHECK(&check, row_of("outer").liboses == 0 && row_of("outer").count == 4);
	CHECK(&check, row_of("NONE").liboses == before.liboses - 3);
	/* What it loaded outlives it, until the timer; then all is back here. */
	BOARD->go = 1;
	until_gone("outer");
	CHECK(&check, row_of("inner0").found);
	CHECK(&check, row_of("NONE").liboses == before.liboses - 2);
	release(libos);
	until_gone("inner0");
	until_gone("inner1");
	CHECK(&check, row_of("NONE").liboses == before.liboses);
	CHECK(&check, row_of("NONE").pids == before.pids);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		capabilities_are_named, another_ledger_pays, a_process_moves, an_isolated_one_begins_with_pid_1, isolation_is_inherited, pids_begin_at_1,
		moves_are_refused, shortages_are_survived, the_timer_waits_for_a_start,
		the_timer_ends_what_holds_itself, the_last_one_takes_all_along, pids_are_shared_out,
		places_in_the_table_are_shared_out,
	};
	if (IS_STAGE(given->argument))
		return stage(given);
	start(given, "libos_life");
	board_start();
	run(steps, sizeof steps / sizeof steps[0]);
}
