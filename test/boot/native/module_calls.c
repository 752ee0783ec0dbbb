/* module_calls.c: what calls cost a module's thread, beside a native one's that runs the
 * same code: to the same server, a native process on this processor, and to an object
 * of the exokernel. In instructions, so under --icount. doc/design/ipc.md has the
 * figures and says why they differ. */
#include "test/boot/native/attack.h"

#include "abi/endpoint.capnp.h"
#include "abi/ledger.capnp.h"
#include "rt/native_serve.h"
#include "rt/native_spawn.h"
#include "test/boot/modules/calls.h"

enum { SERVER_MOST = 4, OBJECT_MOST = 5 }; /* times what it costs a native one */

static struct judge judge;

static int native_caller(struct native *me)
{
	return calls_told(calls_of_server(me->ring, native_find(me, "facet")),
	                  calls_of_timer(me->ring, native_find(me, "timer")));
}

/* Answers each call by the SERVE that waits for the next. */
static int server(struct native *me)
{
	struct ring *ring = me->ring;
	const struct ring_received *call = (const struct ring_received *)ring->area;
	uint32_t endpoint = native_find(me, "endpoint");
	uint64_t token = 0;

	for (;;) {
		const struct ring_cqe *done;

		*ring_next(ring) = (struct ring_sqe){
			.op = RING_SERVE, .cap = endpoint, .token = token,
			.results = (uintptr_t)ring->area, .results_size = sizeof *call,
		};
		ring_push(ring);
		if (ring_enter(1, RING_FOREVER) != STATUS_OK || !(done = ring_done(ring)) ||
		    done->status != STATUS_OK || call->interface == 0)
			return 0;
		token = call->token;
	}
}

struct cost {
	uint32_t server, object;
};

static struct cost cost_told(int32_t code)
{
	return (struct cost){ (uint32_t)code >> CALLS_SHIFT,
	                      (uint32_t)code & ((1 << CALLS_SHIFT) - 1) };
}

static struct native_child child_of(int (*main)(struct native *), const char *name, uint32_t cap)
{
	struct native_child child = { 0 };

	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_spawn_self(judge.self, main, 0, NATIVE_CHILD_BYTES, &child));
	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_grant(judge.self, child.process, name, cap));
	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_grant(judge.self, child.process, "timer", judge.timer));
	CHECK_STATUS(&judge.check, STATUS_OK, native_start(judge.self, child.thread));
	return child;
}

static struct cost cost_of_native(uint32_t facet)
{
	struct native_child caller = child_of(native_caller, "facet", facet);
	struct native_end end = { 0 };

	CHECK_STATUS(&judge.check, STATUS_OK, native_wait(judge.self, caller.process, &end));
	native_forget(judge.self, &caller);
	return cost_told(end.code);
}

static struct cost cost_of_module(uint32_t facet)
{
	uint32_t libos = judge_load(&judge, "caller");
	struct judge_start how = { .argument = ATTACK_ARGUMENT(KIND_DEED, DEED_calls, 0) };
	struct ending end;
	struct victim v;

	CHECK_STATUS(&judge.check, STATUS_OK, judge_grant(&judge, libos, "facet", facet));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, how, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	end = judge_wait(&judge, v.process);
	CHECK(&judge.check, end.reason == END_REASON_EXITED);
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
	return cost_told(end.code);
}

int native_main(struct native *self)
{
	struct native_child serves;
	struct cost native, module;
	uint32_t endpoint = 0, facet = 0;

	judge_start(&judge, self, "module_calls");
	CHECK_STATUS(&judge.check, STATUS_OK, native_endpoint(self, &endpoint));
	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_facet(self, endpoint, CALLS_INTERFACE, 1, &facet));
	serves = child_of(server, "endpoint", endpoint);
	native = cost_of_native(facet);
	module = cost_of_module(facet);
	native_print(self, "module_calls: server: %u, %u; object: %u, %u\n", native.server,
	             module.server, native.object, module.object);
	CHECK(&judge.check, native.server > 0 && native.object > 0);
	CHECK(&judge.check, module.server >= native.server &&
	                    module.server <= SERVER_MOST * native.server);
	CHECK(&judge.check, module.object >= native.object &&
	                    module.object <= OBJECT_MOST * native.object);
	judge_release(&judge, facet);
	native_forget(self, &serves);
	judge_release(&judge, endpoint);
	check_end(&judge.check);
}
