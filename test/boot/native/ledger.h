/* ledger.h: calls to Ledger, for the programs that test it. */
#pragma once

#include "test/boot/native/memory.h"

#include "abi/ledger.capnp.h"

struct account {
	uint64_t limit, used, peak;
};

MUST_CHECK static inline enum status native_account(uint32_t ledger, struct account *account)
{
	struct native_call call;
	struct ledger_query_results_reader results;
	native_call(&call, self, ledger, LEDGER_ID, LEDGER_QUERY);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = ledger_query_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		*account = (struct account){
			ledger_query_results_get_limit(results),
			ledger_query_results_get_used(results),
			ledger_query_results_get_peak(results),
		};
	return status;
}

MUST_CHECK static inline enum status ledger_child(uint32_t ledger, uint64_t bytes,
                                                  uint32_t *child)
{
	struct native_call call;
	native_call(&call, self, ledger, LEDGER_ID, LEDGER_CHILD);
	ledger_child_params_set_bytes(ledger_child_params_build(&call.params), bytes);
	enum status status = native_send(&call);
	*child = call.caps[0];
	return status;
}

/* `to` 0: no capability at all. */
MUST_CHECK static inline enum status ledger_donate(uint32_t ledger, uint32_t to, uint64_t bytes)
{
	struct native_call call;
	native_call(&call, self, ledger, LEDGER_ID, LEDGER_DONATE);
	struct ledger_donate_params_builder params = ledger_donate_params_build(&call.params);
	if (to != 0)
		ledger_donate_params_set_to(params, native_attach(&call, to));
	ledger_donate_params_set_bytes(params, bytes);
	return native_send(&call);
}

MUST_CHECK static inline enum status ledger_reclaim(uint32_t ledger, uint32_t child,
                                                    uint64_t bytes, uint64_t *moved)
{
	struct native_call call;
	struct ledger_reclaim_results_reader results;
	native_call(&call, self, ledger, LEDGER_ID, LEDGER_RECLAIM);
	struct ledger_reclaim_params_builder params = ledger_reclaim_params_build(&call.params);
	if (child != 0)
		ledger_reclaim_params_set_child(params, native_attach(&call, child));
	ledger_reclaim_params_set_bytes(params, bytes);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = ledger_reclaim_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		*moved = ledger_reclaim_results_get_bytes(results);
	return status;
}

/* For the methods that make something: memory, endpoint and their like. */
MUST_CHECK static inline enum status ledger_make(uint32_t ledger, uint16_t method,
                                                 uint32_t *made)
{
	struct native_call call;
	native_call(&call, self, ledger, LEDGER_ID, method);
	enum status status = native_send(&call);
	*made = call.caps[0];
	return status;
}

/* One call of Ledger.end; and as many as it takes. */
MUST_CHECK static inline enum status ledger_end_some(struct native *me, uint32_t ledger,
                                                     bool *more)
{
	struct native_call call;
	struct ledger_end_results_reader results;
	native_call(&call, me, ledger, LEDGER_ID, LEDGER_END);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = ledger_end_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		*more = ledger_end_results_get_more(results);
	return status;
}

MUST_CHECK static inline enum status ledger_end_all(struct native *me, uint32_t ledger)
{
	enum status status;
	bool more = false;
	do
		status = ledger_end_some(me, ledger, &more);
	while (status == STATUS_OK && more);
	return status;
}

static inline struct account account_of(uint32_t ledger)
{
	struct account account = { 0, 0, 0 };
	OK(native_account(ledger, &account));
	CHECK(&check, account.used <= account.peak && account.used <= account.limit);
	return account;
}

static inline uint64_t left(uint32_t ledger)
{
	struct account account = account_of(ledger);
	return account.limit - account.used;
}

/* True: so much is left again, within so many milliseconds or so: what was killed while
 * it ran on another CPU is let go of a little later. */
static inline bool comes_back(uint32_t ledger, uint64_t bytes, unsigned patience)
{
	for (unsigned i = 0; i < patience && left(ledger) != bytes; i++)
		nap(1000000);
	return left(ledger) == bytes;
}

static inline uint32_t child(uint32_t ledger, uint64_t bytes)
{
	uint32_t made = 0;
	OK(ledger_child(ledger, bytes, &made));
	return made;
}
