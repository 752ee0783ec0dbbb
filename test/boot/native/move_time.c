/* move_time.c: on whose time a process goes on that moves to another libOS: on what
 * its thread was bound to, and no other; without any it does not move. */
#include "test/boot/native/sched.h"
#include "test/boot/native/stages.h"

enum { STAGE_WAITS = 1, ENTRIES = 2 };

static struct load second = { .id = "second", .names = { "board" } };

static int stage(struct native *me)
{
	stage_start(me);
	BOARD->done = 1;
	until_set(&BOARD->go);
	return 7;
}

static struct native_child bound_child(int (*main)(struct native *), uint32_t libos,
                                       uint32_t *context)
{
	struct native_child child = spawned(main, STAGE(STAGE_WAITS, self->argument));

	OK(native_grant(self, child.process, "target", libos));
	OK(native_grant(self, child.process, "program", native_find(self, "bundle")));
	OK(native_grant(self, child.process, "board", board_object));
	OK(create_context(control, MS, 2 * MS, 20, context));
	OK(native_grant(self, child.process, "context", *context));
	OK(bind(*context, child.thread));
	OK(native_start(self, child.thread));
	return child;
}

static void the_context_goes_along(void)
{
	uint32_t libos = 0, context = 0;
	struct native_child child;

	board_clear();
	OK(load_by(self, &second, &libos));
	child = bound_child(goes_over, libos, &context);
	ended_but(&child, END_REASON_MOVED, 0);
	until_set(&BOARD->done);
	CHECK(&check, query(context).bound);
	BOARD->go = 1;
	until_gone("second");
	CHECK(&check, !query(context).bound);
	native_forget(self, &child);
	release(context);
	release(libos);
}

/* Unbinds its own context, and moves, before it can stop for want of time. */
static int moves_without_time(struct native *me)
{
	struct native_call call;
	struct ring_sqe *e;

	if (native_map(me, native_find(me, "space"), native_find(me, "board"), 0, BOARD, 1, RW) !=
	    STATUS_OK)
		return 99;
	native_call(&call, me, native_find(me, "target"), LIBOS_ID, LIBOS_BECOME);
	struct libos_become_params_builder p = libos_become_params_build(&call.params);
	libos_become_params_set_program(p, 0);
	libos_become_params_set_size(p, STAGE_VALUE(me->argument));
	e = ring_next(me->ring);
	*e = (struct ring_sqe){ .op = RING_CALL, .cap = native_find(me, "context"),
	                        .interface = SCHEDULING_CONTEXT_ID,
	                        .method = SCHEDULING_CONTEXT_UNBIND };
	ring_push(me->ring);
	e = ring_next(me->ring);
	*e = (struct ring_sqe){ .op = RING_CALL, .cap = call.cap, .interface = LIBOS_ID,
	                        .method = LIBOS_BECOME, .caps_count = 1,
	                        .caps = { native_find(me, "program") },
	                        .params = (uintptr_t)me->ring->area,
	                        .params_size = (uint32_t)capnp_builder_size(&call.params) };
	ring_push(me->ring);
	(void)!ring_run(me->ring, ENTRIES);
	for (unsigned i = 0; i < ENTRIES; i++) {
		const struct ring_cqe *done = ring_done(me->ring);

		BOARD->status[i] = done ? done->status : STATUS_COUNT;
	}
	BOARD->done = 1;
	return 5;
}

static void nothing_moves_without_time(void)
{
	uint32_t libos = 0, context = 0;
	struct native_child child;

	board_clear();
	OK(load_by(self, &second, &libos));
	child = bound_child(moves_without_time, libos, &context);
	for (unsigned i = 0; i < 5000 && query(context).bound; i++)
		nap(MS);
	nap(20 * MS);
	CHECK(&check, !BOARD->done);
	OK(bind(context, child.thread));
	until_set(&BOARD->done);
	CHECK(&check, BOARD->status[0] == STATUS_OK);
	CHECK(&check, BOARD->status[1] == STATUS_BUDGET);
	ended(&child, END_REASON_EXITED, 5);
	release(context);
	release(libos);
	until_gone("second");
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { the_context_goes_along, nothing_moves_without_time };

	if (IS_STAGE(given->argument))
		return stage(given);
	start_sched(given, "move_time");
	board_start();
	second.caps[second.count++] = board_object;
	second.timeout = 2000000000;
	run(steps, sizeof steps / sizeof steps[0]);
}
