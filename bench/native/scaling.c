/* scaling.c: two clients that call a server each, on two CPUs, against one alone.
 *
 * Nobody says where a thread runs: a client and its server are to stay on one CPU,
 * and the pairs apart, by themselves. Both sides look where they are every LOOK
 * calls, and each run is told with whether that held. Runs are short, so that some
 * have both processors of a busy machine all the time; a run of two lasts until the
 * slower is done, so that they never count as two when they ran in turn. */
#include "bench/native/entry.h"
#include "bench/native/world.h"

enum { PAIRS = 2, TIMES = 500, LOOK = 16, CLIENT = 0, SERVER = 1 };
enum { SOON_NS = 200000, DURATION_NS = 2000000 }; /* from the signal; from then on */

struct made {
	struct server server;
	struct native_child client;
	uint32_t go;
};
static struct made made[PAIRS];
static uint32_t done; /* a bit for each pair */

/* -- what the processes do ------------------------------------------------------------- */

static unsigned my_pair, my_side, my_calls;

/* The number of the CPU's interrupt controller, as CPUID tells it. */
static unsigned this_cpu(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 24;
}

static void look(void)
{
	SHARED->pairs[my_pair].cpus[my_side] |= 1u << this_cpu();
}

static void look_sometimes(void)
{
	if (my_calls++ % LOOK == 0)
		look();
}

static int server_main(struct native *me)
{
	my_pair = (unsigned)me->argument;
	my_side = SERVER;
	serve_empty(me->ring, native_find(me, "endpoint"), look_sometimes);
	return 0;
}

/* Calls while the shared page says so, once for each signal. */
static int client_main(struct native *me)
{
	uint32_t facet = native_find(me, "facet"), go = native_find(me, "go");
	uint32_t done = native_find(me, "done");

	my_pair = (unsigned)me->argument;
	my_side = CLIENT;
	while (notify_wait(me, go, 1)) {
		uint64_t end = SHARED->end, now, calls = 0;

		while (rdtsc() < SHARED->begin)
			;
		do {
			if (!ipc_empty(me->ring, facet))
				return 1;
			calls++;
			look_sometimes();
			now = rdtsc();
		} while (now < end);
		look();
		SHARED->pairs[my_pair].calls = calls;
		SHARED->pairs[my_pair].ended = now;
		if (!notify_signal(me, done, 1u << my_pair))
			return 1;
	}
	return 1;
}

/* -- making them --------------------------------------------------------------------------- */

static bool make_pair(unsigned i)
{
	struct native *self = world.self;
	struct made *m = &made[i];

	m->go = ledger_make(LEDGER_NOTIFICATION);
	if (m->go == 0 || server_start(&m->server, server_main, i) == 0 ||
	    !spawn_sharing(client_main, i, &m->client))
		return false;
	return native_grant(self, m->client.process, "facet", m->server.facet) == STATUS_OK &&
	       native_grant(self, m->client.process, "go", m->go) == STATUS_OK &&
	       native_grant(self, m->client.process, "done", done) == STATUS_OK &&
	       native_start(self, m->client.thread) == STATUS_OK;
}

static uint64_t ticks_of(uint64_t ns)
{
	return (ns << world.shift) / world.multiplier;
}

/* Runs the pairs of that set at once, to the end. */
static bool run_pairs(unsigned set)
{
	SHARED->begin = rdtsc() + ticks_of(SOON_NS);
	SHARED->end = SHARED->begin + ticks_of(DURATION_NS);
	for (unsigned i = 0; i < PAIRS; i++) {
		SHARED->pairs[i].cpus[CLIENT] = SHARED->pairs[i].cpus[SERVER] = 0;
		if ((set >> i & 1) != 0 && !notify_signal(world.self, made[i].go, 1))
			return false;
	}
	for (unsigned i = 0; i < PAIRS; i++)
		if ((set >> i & 1) != 0 && !notify_wait(world.self, done, 1u << i))
			return false;
	return true;
}

/* -- telling -------------------------------------------------------------------------------- */

/* Calls a second of all in the set, until the last of them was done. */
static uint64_t rate(unsigned set)
{
	uint64_t calls = 0, ended = 0, ns;

	for (unsigned i = 0; i < PAIRS; i++) {
		if ((set >> i & 1) == 0)
			continue;
		calls += SHARED->pairs[i].calls;
		if (SHARED->pairs[i].ended > ended)
			ended = SHARED->pairs[i].ended;
	}
	ns = (uint64_t)((unsigned __int128)(ended - SHARED->begin) * world.multiplier >>
	                world.shift);
	return ns == 0 ? 0 : calls * 1000000000 / ns;
}

static uint32_t cpus_of(unsigned i)
{
	return SHARED->pairs[i].cpus[CLIENT] | SHARED->pairs[i].cpus[SERVER];
}

static bool one_cpu(uint32_t cpus)
{
	return cpus != 0 && (cpus & (cpus - 1)) == 0;
}

static bool apart(void)
{
	return one_cpu(cpus_of(0)) && one_cpu(cpus_of(1)) && cpus_of(0) != cpus_of(1);
}

void print_scaling(void)
{
	uint64_t alone;

	done = ledger_make(LEDGER_NOTIFICATION);
	if (done == 0 || !make_pair(0) || !make_pair(1) || !run_pairs(3)) {
		tell_failed("smp_ipc_scaling", "the processes could not be made");
		return;
	}
	for (unsigned i = 0; i < TIMES; i++) {
		unsigned first = i % PAIRS;
		bool stayed;

		if (!run_pairs(1u << first))
			return;
		alone = rate(1u << first);
		stayed = one_cpu(cpus_of(first));
		if (!run_pairs(3))
			return;
		native_print(world.self, "scaling %lu %lu %s\n", alone, rate(3),
		             stayed && apart() ? "stayed" : "moved");
	}
}
