/* scaling.c: two clients that call a server each, on two CPUs, against one alone.
 *
 * Nobody says where a thread runs: a client and its server are to stay on one CPU,
 * and the pairs apart, by themselves. Both sides look where they are every LOOK
 * calls; a pair that was not alone on one CPU while it was timed spoils the row. */
#include "bench/native/entry.h"
#include "bench/native/world.h"

enum { PAIRS = 2, TIMES = 15, LOOK = 64, CLIENT = 0, SERVER = 1 };
enum { DURATION_NS = 50000000 };

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

/* Calls for as long as it says in the shared page, once for each signal. */
static int client_main(struct native *me)
{
	uint32_t facet = native_find(me, "facet"), go = native_find(me, "go");
	uint32_t done = native_find(me, "done");

	my_pair = (unsigned)me->argument;
	while (notify_wait(me, go, 1)) {
		volatile struct pair *pair = &SHARED->pairs[my_pair];
		uint64_t start = rdtsc(), now, calls = 0;

		do {
			for (unsigned i = 0; i < LOOK; i++)
				if (!ipc_empty(me->ring, facet))
					return 1;
			calls += LOOK;
			look();
			now = rdtsc();
		} while (now - start < pair->duration);
		pair->calls = calls;
		pair->ticks = now - start;
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
	SHARED->pairs[i].duration =
		((uint64_t)DURATION_NS << world.shift) / world.multiplier;
	return native_grant(self, m->client.process, "facet", m->server.facet) == STATUS_OK &&
	       native_grant(self, m->client.process, "go", m->go) == STATUS_OK &&
	       native_grant(self, m->client.process, "done", done) == STATUS_OK &&
	       native_start(self, m->client.thread) == STATUS_OK;
}

/* Runs the pairs of that set at once, to the end. */
static bool run_pairs(unsigned set)
{
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

/* Calls a second. */
static uint64_t rate(unsigned i)
{
	volatile struct pair *p = &SHARED->pairs[i];
	uint64_t ns = (uint64_t)((unsigned __int128)p->ticks * world.multiplier >> world.shift);

	return ns == 0 ? 0 : p->calls * 1000000000 / ns;
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
		alone = rate(first);
		stayed = one_cpu(cpus_of(first));
		if (!run_pairs(3))
			return;
		native_print(world.self, "scaling %lu %lu %s\n", alone, rate(0) + rate(1),
		             stayed && apart() ? "stayed" : "moved");
	}
}
