/* revoke.c: what revoking a lease takes that 1,000 domains hold, against one that
 * a single domain holds. Most of the domains are processes that never start. One
 * runs: it used its lease before, and must find it dead afterwards. */
#include "bench/native/entry.h"
#include "bench/native/world.h"

#include "abi/memory.capnp.h"
#include "abi/process.capnp.h"
#include "abi/revoker.capnp.h"
#include "abi/spawner.capnp.h"

enum { HOLDERS = 1000, TIMES = 5, HOLDER_BYTES = 128 * 1024, READY = 1, REVOKED = 2 };

static uint32_t revoker, object;
static uint32_t processes[HOLDERS];

static enum status use(struct native *self, uint32_t lease)
{
	struct native_call call;

	native_call(&call, self, lease, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE);
	return native_send(&call);
}

/* The domain that runs. */
static int witness(struct native *me)
{
	uint32_t lease = native_find(me, "lease"), events = native_find(me, "events");

	if (use(me, lease) != STATUS_OK || !notify_signal(me, events, READY) ||
	    !notify_wait(me, events, REVOKED))
		return 1;
	return use(me, lease) == STATUS_GONE ? 0 : 2;
}

/* A process without anything in it. Its thread's capability keeps it. */
static bool make_holder(uint32_t *process)
{
	struct native_call call;
	struct process_spawner_create_params_builder params;
	struct thread_start_builder start;

	native_call(&call, world.self, native_find(world.self, "spawner"), PROCESS_SPAWNER_ID,
	            PROCESS_SPAWNER_CREATE);
	params = process_spawner_create_params_build(&call.params);
	start = process_spawner_create_params_init_start(params);
	thread_start_set_entry(start, 0x400000);
	process_spawner_create_params_set_bytes(params, HOLDER_BYTES);
	if (native_send(&call) != STATUS_OK)
		return false;
	*process = call.caps[0];
	return ring_release(world.self->ring, call.caps[1]) == STATUS_OK;
}

static uint32_t make_lease(void)
{
	struct native_call call;

	native_call(&call, world.self, revoker, REVOKER_ID, REVOKER_LEASE);
	revoker_lease_params_set_object(revoker_lease_params_build(&call.params),
	                                native_attach(&call, object));
	return native_send(&call) == STATUS_OK ? call.caps[0] : 0;
}

/* A fresh lease that the last `holders` domains have, by that name, and nobody else. */
static bool hand_out(unsigned holders, const char *name)
{
	uint32_t lease = make_lease();

	for (unsigned i = HOLDERS - holders; i < HOLDERS; i++)
		if (native_grant(world.self, processes[i], name, lease) != STATUS_OK)
			return false;
	return ring_release(world.self->ring, lease) == STATUS_OK;
}

static uint64_t revoke(void)
{
	struct ring *ring = world.self->ring;
	uint64_t start = rdtsc();

	(void)call_entry(ring, revoker, REVOKER_ID, REVOKER_REVOKE, 0);
	ring_push(ring);
	enter(ring, 1);
	return answered(ring, 0) ? rdtsc() - start : FAILED;
}

static bool make_holders(struct native_child *last)
{
	for (unsigned i = 0; i < HOLDERS - 1; i++)
		if (!make_holder(&processes[i]))
			return false;
	if (native_spawn_self(world.self, witness, 0, NATIVE_CHILD_BYTES, last) != STATUS_OK)
		return false;
	processes[HOLDERS - 1] = last->process;
	return true;
}

/* Revokes TIMES leases of one domain and TIMES - 1 of all. */
static bool measure(uint64_t *one, uint64_t *all)
{
	for (unsigned i = 0; i < TIMES; i++) {
		char name[] = {'1', (char)('a' + i), '\0'};

		if (!hand_out(1, name))
			return false;
		one[i] = revoke();
		name[0] = 'n';
		if (i == TIMES - 1)
			break;
		if (!hand_out(HOLDERS, name))
			return false;
		all[i] = revoke();
	}
	return true;
}

/* The last time, with the witness running. */
static bool measure_witnessed(const struct native_child *last, uint64_t *ticks)
{
	struct native *self = world.self;
	uint32_t events = ledger_make(LEDGER_NOTIFICATION);
	struct native_end end;

	if (events == 0 || !hand_out(HOLDERS, "lease") ||
	    native_grant(self, last->process, "events", events) != STATUS_OK ||
	    native_start(self, last->thread) != STATUS_OK || !notify_wait(self, events, READY))
		return false;
	*ticks = revoke();
	return notify_signal(self, events, REVOKED) &&
	       native_wait(self, last->process, &end) == STATUS_OK && end.code == 0;
}

void print_revoke(void)
{
	struct native *self = world.self;
	struct native_child last;
	uint64_t one[TIMES], all[TIMES];

	revoker = ledger_make(LEDGER_REVOKER);
	if (revoker == 0 ||
	    native_allocate(self, native_find(self, "memory"), 1, &object) != STATUS_OK ||
	    !make_holders(&last) || !measure(one, all) ||
	    !measure_witnessed(&last, &all[TIMES - 1])) {
		tell_failed("revoke_ratio", "a step before the revocation, or what came of it, failed");
		return;
	}
	tell_ticks("revoke_1", median(one, TIMES), 1);
	tell_ticks("revoke_1000", median(all, TIMES), 1);
}
