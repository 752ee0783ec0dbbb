/* revoker.h: leases, for the tests of them and of what is done by them. */
#pragma once

#include "test/boot/native/memory.h"

#include "abi/ledger.capnp.h"
#include "abi/revoker.capnp.h"

MUST_CHECK static inline enum status native_revoker(struct native *self, uint32_t ledger,
                                                    uint32_t *revoker)
{
	struct native_call call;
	native_call(&call, self, ledger, LEDGER_ID, LEDGER_REVOKER);
	enum status status = native_send(&call);
	*revoker = call.caps[0];
	return status;
}

/* `object` 0: none is named. */
MUST_CHECK static inline enum status native_lease(struct native *self, uint32_t revoker,
                                                  uint32_t object, uint32_t *lease)
{
	struct native_call call;
	native_call(&call, self, revoker, REVOKER_ID, REVOKER_LEASE);
	struct revoker_lease_params_builder params = revoker_lease_params_build(&call.params);
	if (object != 0)
		revoker_lease_params_set_object(params, native_attach(&call, object));
	enum status status = native_send(&call);
	*lease = call.caps[0];
	return status;
}

MUST_CHECK static inline enum status native_revoke(struct native *self, uint32_t revoker)
{
	struct native_call call;
	native_call(&call, self, revoker, REVOKER_ID, REVOKER_REVOKE);
	return native_send(&call);
}

/* Of the ledger that the program was given. */
static inline uint32_t revoker_new(void)
{
	uint32_t revoker = 0;
	OK(native_revoker(self, native_find(self, "ledger"), &revoker));
	return revoker;
}

static inline uint32_t lease_of(uint32_t revoker, uint32_t object)
{
	uint32_t lease = 0;
	OK(native_lease(self, revoker, object, &lease));
	return lease;
}

static inline void revoke(uint32_t revoker)
{
	OK(native_revoke(self, revoker));
}

/* What a MemoryObject says when it is asked for its size. */
static inline enum status alive(uint32_t object)
{
	uint64_t pages;
	return native_size(self, object, MEMORY_OBJECT_ID, &pages);
}
