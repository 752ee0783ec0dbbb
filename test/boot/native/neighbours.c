/* neighbours.c: a program that takes memory, ledgers, endpoints and processes
 * until it is refused, lets go, and begins again, while its neighbour works. The
 * neighbour's own memory is what it was, its calls are answered in time, and when
 * the greedy one is killed, at whatever it is doing, all that it took is back. */
#include "test/boot/native/ledger.h"

#include "rt/native_spawn.h"

enum {
	GREEDY_BYTES = 12 << 20,
	HELD_MOST = 3000,
	ROUNDS = 6,
	SAMPLES = 200,
	SLOWER_TIMES = 20, /* two CPUs may want the exokernel at the same time */
	KINDS = 4,         /* of what it takes: the words of the board */
	BRIEF = 30,        /* times that it is killed */
	PATIENCE = 2000,   /* milliseconds */
};

/* -- the greedy one ------------------------------------------------------------------- */

static uint32_t held[HELD_MOST];
static struct native_child children[HELD_MOST / 4];

static enum status take(uint32_t purse, unsigned kind, uint32_t *cap)
{
	switch (kind) {
	case 0:
		return native_allocate(self, pool, 1, cap);
	case 1:
		return ledger_child(purse, 0, cap);
	default:
		return ledger_make(purse, LEDGER_ENDPOINT, cap);
	}
}

/* A process outlives its maker: this one not for long. */
static int sleeper(struct native *me)
{
	static uint32_t word;
	(void)!ring_park(me->ring, &word, 0, 10000000);
	return 0;
}

static void take_processes(void)
{
	uint32_t count = 0;
	while (count < sizeof children / sizeof children[0] &&
	       native_spawn_self(self, sleeper, 0, 50 * NATIVE_PAGE, &children[count]) == STATUS_OK) {
		(void)!native_start(self, children[count].thread);
		count++;
	}
	while (count > 0) {
		count--;
		(void)!native_kill(self, children[count].process, 0);
		native_forget(self, &children[count]);
	}
}

static void take_all(uint32_t purse, unsigned kind)
{
	uint32_t count = 0;
	while (count < HELD_MOST && take(purse, kind, &held[count]) == STATUS_OK)
		count++;
	while (count > 0)
		(void)!ring_release(self->ring, held[--count]);
}

/* Says on the board how often it has been refused. */
static int greedy(struct native *me)
{
	self = me;
	check = (struct check){ self, "greedy", 0 };
	pool = native_find(self, "memory");
	here = native_find(self, "space");
	uint32_t purse = native_find(self, "ledger"), board = native_find(self, "board");
	for (uint64_t turn = 1; turn != 0; turn++) {
		for (unsigned kind = 0; kind < KINDS - 1; kind++) {
			take_all(purse, kind);
			put(board, kind, turn);
		}
		take_processes();
		put(board, KINDS - 1, turn);
	}
	return 0;
}

/* -- its neighbour --------------------------------------------------------------------- */

static uint32_t own, board;

static uint64_t ticks(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void insert(uint64_t *sorted, unsigned count, uint64_t value)
{
	for (; count > 0 && sorted[count - 1] > value; count--)
		sorted[count] = sorted[count - 1];
	sorted[count] = value;
}

/* Of many calls, what so many tenths do not exceed; 0: the fastest. */
static uint64_t took_most(unsigned tenths)
{
	static uint64_t took[SAMPLES];
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t before = ticks();
		uint32_t object = allocate(1);
		put(object, 0, 1);
		release(object);
		(void)account_of(own);
		insert(took, i, ticks() - before);
	}
	return took[SAMPLES * tenths / 10];
}

static uint64_t usual(void)
{
	return took_most(9);
}

/* True: the counter counts instructions, and no host is in the way. */
static bool is_counted(void)
{
	uint64_t fastest = took_most(0);

	return took_most(0) == fastest && took_most(0) == fastest;
}

static struct native_child start_greedy(uint32_t purse)
{
	static const char *const names[] = { "memory", "spawner" };
	struct native_child child = { 0, 0, 0, 0 };
	for (unsigned kind = 0; kind < KINDS; kind++)
		put(board, kind, 0);
	OK(native_spawn_self(self, greedy, 0, GREEDY_BYTES, &child));
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		OK(native_grant(self, child.process, names[i], native_find(self, names[i])));
	OK(native_grant(self, child.process, "ledger", purse));
	OK(native_grant(self, child.process, "board", board));
	OK(native_start(self, child.thread));
	return child;
}

static void stop_greedy(struct native_child *child, uint32_t purse)
{
	struct native_end end;
	OK(native_kill(self, child->process, 1));
	OK(native_wait(self, child->process, &end));
	native_forget(self, child);
	release(purse);
}

static void a_neighbour_goes_on(void)
{
	uint64_t before = left(own), usually = usual();
	unsigned looks = 0, slower = 0, allowed;
	bool counted = is_counted();
	uint32_t purse = child(own, GREEDY_BYTES);
	struct native_child child = start_greedy(purse);
	uint64_t mine = left(own);
	while (word(board, KINDS - 1) < ROUNDS && check.failures == 0) {
		slower += usual() > usually * SLOWER_TIMES;
		looks++;
		CHECK(&check, left(own) == mine);
		nap(1000000);
	}
	allowed = counted ? 0 : looks / 4; /* a host has neighbours of its own */
	if (slower > allowed)
		native_print(self, "neighbours: of %u looks %u found calls slower\n", looks, slower);
	CHECK(&check, slower <= allowed);
	stop_greedy(&child, purse);
	CHECK(&check, comes_back(own, before, PATIENCE));
}

static void killed_at_any_moment(void)
{
	uint64_t before = left(own);
	for (uint64_t i = 0; i < BRIEF && check.failures == 0; i++) {
		uint32_t purse = child(own, GREEDY_BYTES);
		struct native_child child = start_greedy(purse);
		nap(300000 * (i + 1));
		stop_greedy(&child, purse);
		CHECK(&check, comes_back(own, before, PATIENCE));
	}
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { a_neighbour_goes_on, killed_at_any_moment };
	start(given, "neighbours");
	own = native_find(self, "ledger");
	board = allocate(KINDS);
	for (unsigned kind = 0; kind < KINDS; kind++)
		put(board, kind, 0);
	/* The program's own tables grow once. */
	uint32_t purse = child(own, GREEDY_BYTES);
	struct native_child first = start_greedy(purse);
	stop_greedy(&first, purse);
	run(steps, sizeof steps / sizeof steps[0]);
}
