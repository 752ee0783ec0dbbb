/* lease_cost.c: what leases cost, in instructions (run with --icount: the TSC
 * counts them). A call through a lease is little more than a call, and to revoke
 * does not take longer when there are more leases or holders. */
#include "test/boot/native/memory_space.h"
#include "test/boot/native/revoker.h"

enum { HOLDERS = 1000, EACH = 50, LEASES = 1000, TRIES = 5, DISPATCH_MOST = 200 };

static inline uint64_t tsc(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static enum status grant(uint32_t libos, unsigned number, uint32_t object)
{
	struct native_call call;
	char name[] = { 'h', (char)('a' + number / 26), (char)('a' + number % 26), 0 };
	native_call(&call, self, libos, LIBOS_ID, LIBOS_GRANT);
	struct libos_grant_params_builder params = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(params, capnp_text_from(name));
	libos_grant_params_set_object(params, native_attach(&call, object));
	return native_send(&call);
}

/* One entry, and as little of our own as can be. */
static uint64_t cost(uint32_t cap, uint64_t interface, uint16_t method)
{
	struct ring_call call = {
		.cap = cap, .interface = interface, .method = method, .params = self->ring->area,
	};
	uint64_t best = ~0ull;
	for (unsigned i = 0; i < TRIES; i++) {
		struct ring_call one = call;
		uint64_t before = tsc();
		OK(ring_call(self->ring, &one));
		uint64_t taken = tsc() - before;
		best = taken < best ? taken : best;
	}
	return best;
}

static uint64_t revoke_cost(uint32_t revoker)
{
	struct ring_call call = {
		.cap = revoker, .interface = REVOKER_ID, .method = REVOKER_REVOKE,
		.params = self->ring->area,
	};
	uint64_t before = tsc();
	OK(ring_call(self->ring, &call));
	return tsc() - before;
}

static void empty_params(void)
{
	uint64_t *words = (uint64_t *)self->ring->area;
	words[0] = 0;
}

static void calls(void)
{
	uint32_t revoker = revoker_new(), object = allocate(1), lease = lease_of(revoker, object);
	uint32_t outer = lease_of(revoker, lease);
	empty_params();
	uint64_t direct = cost(object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE);
	uint64_t leased = cost(lease, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE);
	uint64_t twice = cost(outer, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE);
	native_print(self, "a call: %lu; through a lease: %lu; through two: %lu\n", direct, leased,
	             twice);
	CHECK(&check, leased - direct < DISPATCH_MOST && twice - leased < DISPATCH_MOST / 4);
	release(outer), release(lease), release(object), release(revoker);
}

static void one_lease_and_many_holders(void)
{
	static uint32_t libos[HOLDERS / EACH];
	uint32_t revoker = revoker_new(), object = allocate(1), lease = lease_of(revoker, object);
	empty_params();
	uint64_t one = revoke_cost(revoker);
	release(lease);
	lease = lease_of(revoker, object);
	for (unsigned i = 0; i < HOLDERS / EACH; i++) {
		char id[] = { 'h', (char)('a' + i), 0 };
		OK(load_with(id, 0, 16, &libos[i]));
		for (unsigned n = 0; n < EACH; n++)
			OK(grant(libos[i], n, lease));
	}
	release(lease_of(revoker, object)); /* the revoker was asked last, as before: that is 20 less */
	empty_params();
	uint64_t many = revoke_cost(revoker);
	native_print(self, "revoke: held once: %lu; by %u: %lu\n", one, HOLDERS + 1, many);
	CHECK(&check, many * 100 <= one * 102);
	REFUSED(GONE, alive(lease));
	release(lease), release(object), release(revoker);
	for (unsigned i = 0; i < HOLDERS / EACH; i++)
		release(libos[i]); /* what they hold stays with them */
}

/* Targets are let go eight at an exit, so that much of it does show. */
static void many_leases(void)
{
	static uint32_t leases[LEASES];
	uint32_t revoker = revoker_new(), object = allocate(1);
	uint64_t taken[2];
	static const unsigned counts[2] = { 8, LEASES };
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < counts[round]; i++)
			leases[i] = lease_of(revoker, object);
		empty_params();
		taken[round] = revoke_cost(revoker);
		for (unsigned i = 0; i < counts[round]; i++)
			release(leases[i]);
	}
	native_print(self, "revoke: %u leases: %lu; %u: %lu\n", counts[0], taken[0], counts[1],
	             taken[1]);
	CHECK(&check, taken[1] * 100 <= taken[0] * 102);
	release(object), release(revoker);
}

int native_main(struct native *given)
{
	start(given, "lease_cost");
	calls();
	one_lease_and_many_holders();
	many_leases();
	check_end(&check);
}
