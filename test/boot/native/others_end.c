/* others_end.c: others let go of threads that they never started, as fast as they can.
 * Nobody who asks about a ledger that pays for none of that waits for it. */
#include "test/boot/native/ledger.h"
#include "test/boot/native/stages.h"

enum { HOGS = 14, ROOM = 12 << 20, AT_ONCE = 16, QUESTIONS = 5, NAP_NS = 20000000 };

static uint32_t make_threads(struct native *me, uint32_t *made)
{
	uint32_t process = native_find(me, "me"), count = 0;
	const struct ring_cqe *cqe;
	struct native_call call;

	native_call(&call, me, process, PROCESS_ID, PROCESS_THREAD);
	struct thread_start_builder start =
		process_thread_params_init_start(process_thread_params_build(&call.params));
	thread_start_set_entry(start, 0x400000);
	thread_start_set_stack(start, 0x500000);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		*ring_next(me->ring) = (struct ring_sqe){
			.op = RING_CALL, .cap = process, .interface = PROCESS_ID, .method = PROCESS_THREAD,
			.params = (uintptr_t)me->ring->area,
			.params_size = (uint32_t)capnp_builder_size(&call.params),
		};
		ring_push(me->ring);
	}
	(void)!ring_run(me->ring, AT_ONCE);
	while ((cqe = ring_done(me->ring)))
		if (!cqe->status)
			made[count++] = cqe->caps[0];
	return count;
}

static int hog(struct native *me)
{
	uint32_t made[AT_ONCE];

	for (;;) {
		uint32_t count = make_threads(me, made);

		for (unsigned i = 0; i < count; i++) {
			*ring_next(me->ring) = (struct ring_sqe){.op = RING_RELEASE, .cap = made[i]};
			ring_push(me->ring);
		}
		(void)!ring_run(me->ring, count);
		while (ring_done(me->ring))
			;
	}
	return 0;
}

int native_main(struct native *me)
{
	uint32_t own, mine, threads[HOGS];
	struct account a = {0};

	start(me, "others_end");
	own = native_find(self, "ledger");
	mine = child(own, 1 << 20);
	for (unsigned i = 0; i < HOGS; i++) {
		self->payer = child(own, ROOM + (1 << 20));
		struct native_child c = spawned_with(hog, 0, ROOM);
		OK(native_grant(self, c.process, "me", c.process));
		threads[i] = c.thread;
	}
	for (unsigned i = 0; i < HOGS; i++)
		OK(native_start(self, threads[i]));
	for (unsigned i = 0; i < QUESTIONS; i++) {
		nap(NAP_NS);
		OK(native_account(mine, &a));
		CHECK(&check, a.limit == 1 << 20);
	}
	check_end(&check);
}
