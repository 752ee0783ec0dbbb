/* sched_proxy.c: whose time a new thread has, when the exokernel makes it while it
 * serves somebody else: a chained entry, as soon as the answer that it waits for comes. */
#include "test/boot/native/sched.h"

#include "abi/endpoint.capnp.h"

#define INTERFACE 0x9e09e09e0ull
#include "test/boot/native/made.h"
#define LONG (20000 * MS)
enum { A, B, PRIORITY = 40, MESSAGE = 8 };

static uint32_t facet;
static uint64_t inbox[MESSAGE], outbox[MESSAGE], answer[MESSAGE];
static volatile uint32_t answered;

static struct ring_sqe *entry(struct ring *ring, enum ring_op op, uint32_t cap)
{
	struct ring_sqe *e = ring_next(ring);

	*e = (struct ring_sqe){ .op = (uint8_t)op, .cap = cap };
	return e;
}

/* Two entries: a call on `facet`, and Process.thread on what its answer brings. */
_Noreturn static void chainer(uint64_t which, struct ring *ring)
{
	struct ring_sqe *e = entry(ring, RING_CALL, facet);
	struct thread_start_builder start;
	struct capnp_builder b;

	(void)which;
	e->interface = INTERFACE;
	e->results = (uintptr_t)answer;
	e->results_size = sizeof answer;
	ring_push(ring);
	capnp_builder_start(&b, ring->area, sizeof ring->area);
	start = process_thread_params_init_start(process_thread_params_build(&b));
	thread_start_set_entry(start, (uintptr_t)work);
	thread_start_set_stack(start, (uintptr_t)&workers[B].stack[STACK_WORDS - 1]);
	thread_start_set_argument(start, B);
	e = entry(ring, RING_CALL, RING_CHAIN(1, 0));
	e->chained = 1;
	e->interface = PROCESS_ID;
	e->method = PROCESS_THREAD;
	e->params = (uintptr_t)ring->area;
	e->params_size = (uint32_t)capnp_builder_size(&b);
	ring_push(ring);
	(void)!ring_enter(2, RING_FOREVER);
	(void)ring_done(ring);
	workers[B].thread = ring_done(ring)->caps[0];
	answered = 1;
	ring_exit(0);
}

/* Who runs on measured time makes threads without any, whoever the kernel serves when
 * it makes them: here us, who answer. */
static void no_time_is_made_by_proxy(void)
{
	uint32_t endpoint = made(native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	struct worker *w = make_worker_at(A, chainer);
	struct capnp_builder b;
	struct capnp_struct_builder root;
	struct ring_sqe *e;

	facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	answered = 0;
	workers[B] = (struct worker){ .count = 0 };
	OK(create_context(control, LONG / 2, LONG, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
	e = entry(self->ring, RING_RECV, endpoint);
	e->results = (uintptr_t)inbox;
	e->results_size = sizeof inbox;
	ring_push(self->ring);
	OK(ring_run(self->ring, 1));
	OK(ring_done(self->ring)->status);
	capnp_builder_start(&b, outbox, sizeof outbox);
	root = capnp_init_root(&b, 0, 1);
	capnp_set_capability(&root, 0, 0);
	e = entry(self->ring, RING_RETURN, 0);
	e->token = ((struct ring_received *)inbox)->token;
	e->params = (uintptr_t)outbox;
	e->params_size = (uint32_t)capnp_builder_size(&b);
	e->caps_count = 1;
	e->caps[0] = native_find(self, "self");
	ring_push(self->ring);
	OK(ring_run(self->ring, 1));
	OK(ring_done(self->ring)->status);
	for (unsigned i = 0; i < 5000 && !answered; i++)
		nap(MS);
	CHECK(&check, answered);
	CHECK_STATUS(&check, STATUS_BUDGET, native_start(self, workers[B].thread));
	nap(100 * MS);
	CHECK(&check, workers[B].count == 0);
	CHECK(&check, thread_state(workers[B].thread) == THREAD_STATE_FRESH);
	end_worker(&workers[B]);
	until_state(w, THREAD_STATE_ENDED);
	release(w->thread);
	release(w->context);
	release(facet);
	release(endpoint);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { no_time_is_made_by_proxy };

	start_sched(given, "sched_proxy");
	run(steps, sizeof steps / sizeof steps[0]);
}
