/* threads.c: what Thread and ThreadControl promise: the bases of FS and GS, which
 * are nobody else's and never lead the exokernel into a fault; suspending and
 * resuming in every state; and what each refuses. */
#include "test/boot/native/spawn.h"

#include "abi/module.h"

enum { BASES = 64 };

void native_start_at(void);

static uint8_t stacks[2][NATIVE_STACK];
static volatile uint64_t turns, told_gs;
static volatile uint32_t gate, passed;

static uint64_t fs_base(void)
{
	uint64_t base;
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t gs_base(void)
{
	uint64_t base;
	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

/* Thread.setTls, or ThreadControl's. */
MUST_CHECK static enum status set_tls(struct native *me, uint32_t cap, uint64_t interface,
                                      uint64_t fs, uint64_t gs)
{
	struct native_call call;
	native_call(&call, me, cap, interface, interface == THREAD_ID
	            ? (uint16_t)THREAD_SET_TLS : (uint16_t)THREAD_CONTROL_SET_TLS);
	struct thread_set_tls_params_builder params = thread_set_tls_params_build(&call.params);
	thread_set_tls_params_set_fs_base(params, fs);
	thread_set_tls_params_set_gs_base(params, gs);
	return native_send(&call);
}

static enum status suspend(uint32_t thread)
{
	return plain_call(thread, THREAD_ID, THREAD_SUSPEND);
}

static enum status resume(uint32_t thread)
{
	return plain_call(thread, THREAD_ID, THREAD_RESUME);
}

static bool suspended(uint32_t thread)
{
	struct native_call call;
	struct thread_info_results_reader results;
	native_call(&call, self, thread, THREAD_ID, THREAD_INFO);
	(void)thread_info_params_build(&call.params);
	OK(native_send(&call));
	OK(thread_info_results_read(call.results, call.results_size, &results));
	return thread_info_results_get_suspended(results);
}

/* A capability to the calling thread. */
static uint32_t me_myself(struct native *me)
{
	struct native_call call;
	native_call(&call, me, native_find(me, "thread"), THREAD_CONTROL_ID, THREAD_CONTROL_THREAD);
	(void)thread_control_thread_params_build(&call.params);
	return native_send(&call) == STATUS_OK ? call.caps[0] : 0;
}

static void until(uint32_t thread, uint32_t state)
{
	for (unsigned tries = 0; thread_state(thread) != state; tries++) {
		if (tries == 10000) {
			CHECK(&check, thread_state(thread) == state);
			return;
		}
		nap(100000);
	}
}

static void end(uint32_t thread)
{
	(void)!plain_call(thread, THREAD_ID, THREAD_KILL);
	until(thread, THREAD_STATE_ENDED);
	release(thread);
}

/* As native_thread() makes it, with a base for FS, and not started. */
static uint32_t unstarted(int (*main)(struct native *), uint64_t argument, uint8_t *stack,
                          uint64_t fs)
{
	struct { int (*main)(struct native *); uint64_t argument; } *first =
	        (void *)(stack + NATIVE_STACK - sizeof *first);
	struct native_call call;
	first->main = main;
	first->argument = argument;
	native_call(&call, self, native_find(self, "self"), PROCESS_ID, PROCESS_THREAD);
	struct thread_start_builder start =
	        process_thread_params_init_start(process_thread_params_build(&call.params));
	thread_start_set_entry(start, (uintptr_t)native_start_at);
	thread_start_set_stack(start, (uintptr_t)first);
	thread_start_set_argument(start, (uintptr_t)first);
	thread_start_set_fs_base(start, fs);
	OK(native_send(&call));
	return call.caps[0];
}

/* -- what other threads do ------------------------------------------------------- */

static int tells_bases(struct native *me)
{
	(void)me;
	turns = fs_base();
	told_gs = gs_base();
	return 0;
}

static int turns_for_ever(struct native *me)
{
	while (me->argument)
		turns++;
	return 0;
}

static int passes_the_gate(struct native *me)
{
	while (gate == 0)
		(void)!ring_park(me->ring, (uint32_t *)&gate, 0, RING_FOREVER);
	passed = 1;
	return 0;
}

static int suspends_itself(struct native *me)
{
	uint32_t mine = me_myself(me);
	struct native_call call;
	native_call(&call, me, mine, THREAD_ID, THREAD_SUSPEND);
	(void)thread_suspend_params_build(&call.params);
	gate = 1;
	passed = native_send(&call) == STATUS_OK ? 1 : 2;
	(void)!ring_release(me->ring, mine);
	return 0;
}

/* Has bases of its own, and sees nobody else's. */
static int keeps_bases(struct native *me)
{
	uint32_t control = native_find(me, "thread");
	while (!gate) {
		if (set_tls(me, control, THREAD_CONTROL_ID, me->argument, me->argument + 1) !=
		    STATUS_OK)
			passed = 2;
		for (volatile unsigned i = 0; i < 10000; i++)
			;
		if (fs_base() != me->argument || gs_base() != me->argument + 1)
			passed = 2;
		turns++;
	}
	return 0;
}

/* -- steps ------------------------------------------------------------------------ */

static void bases_are_set(void)
{
	uint32_t control = native_find(self, "thread"), mine = me_myself(self);
	OK(set_tls(self, control, THREAD_CONTROL_ID, 0x1234567, USER_LIMIT - 1));
	CHECK(&check, fs_base() == 0x1234567 && gs_base() == USER_LIMIT - 1);
	nap(1000000);
	CHECK(&check, fs_base() == 0x1234567 && gs_base() == USER_LIMIT - 1);
	OK(set_tls(self, mine, THREAD_ID, 0, 0));
	CHECK(&check, fs_base() == 0 && gs_base() == 0);
	CHECK(&check, thread_state(mine) == THREAD_STATE_RUNNING);
	release(mine);
}

static void bases_are_refused(void)
{
	static const uint64_t wrong[] = {
		USER_LIMIT, 0x800000000000, 0x8000000000000000, 0xffff7fffffffffff,
		0xffff800000000000, 0xffffc00000000000, 0xffffff0000000000, UINT64_MAX,
	};
	uint32_t control = native_find(self, "thread"), mine = me_myself(self), thread;
	OK(thread_raw(native_find(self, "self"), 0x1000, 0x1000, 0, &thread));
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		REFUSED(INVALID, set_tls(self, control, THREAD_CONTROL_ID, wrong[i], 0));
		REFUSED(INVALID, set_tls(self, control, THREAD_CONTROL_ID, 0, wrong[i]));
		REFUSED(INVALID, set_tls(self, mine, THREAD_ID, wrong[i], 0));
		REFUSED(INVALID, set_tls(self, thread, THREAD_ID, 0, wrong[i]));
	}
	CHECK(&check, fs_base() == 0 && gs_base() == 0);
	release(thread);
	release(mine);
}

static void a_thread_starts_with_its_base(void)
{
	uint32_t thread = 0;
	turns = 0;
	OK(native_thread(self, tells_bases, 0, stacks[0], NATIVE_STACK, &thread));
	until(thread, THREAD_STATE_ENDED);
	CHECK(&check, turns == 0);
	REFUSED(GONE, set_tls(self, thread, THREAD_ID, 0, 0));
	REFUSED(GONE, suspend(thread));
	REFUSED(GONE, resume(thread));
	REFUSED(GONE, native_start(self, thread));
	REFUSED(GONE, plain_call(thread, THREAD_ID, THREAD_INTERRUPT));
	REFUSED(NO_METHOD, plain_call(thread, THREAD_ID, THREAD_INFO + 1));
	release(thread);
	thread = unstarted(tells_bases, 0, stacks[0], 0x7654321000);
	OK(native_start(self, thread));
	until(thread, THREAD_STATE_ENDED);
	CHECK(&check, turns == 0x7654321000);
	release(thread);
	thread = unstarted(tells_bases, 0, stacks[0], 1);
	OK(set_tls(self, thread, THREAD_ID, 0x4242, 0x4343));
	OK(native_start(self, thread));
	until(thread, THREAD_STATE_ENDED);
	CHECK(&check, turns == 0x4242 && told_gs == 0x4343);
	release(thread);
}

static void bases_are_kept_apart(void)
{
	uint32_t threads[2];
	gate = passed = 0;
	turns = 0;
	for (unsigned i = 0; i < 2; i++)
		OK(native_thread(self, keeps_bases, 0x1000 * (i + 1), stacks[i], NATIVE_STACK,
		                 &threads[i]));
	while (turns < BASES)
		nap(1000000);
	gate = 1;
	for (unsigned i = 0; i < 2; i++) {
		until(threads[i], THREAD_STATE_ENDED);
		release(threads[i]);
	}
	CHECK(&check, passed == 0);
	CHECK(&check, fs_base() == 0 && gs_base() == 0);
}

static void a_running_one_stops_and_goes_on(void)
{
	uint32_t thread = 0;
	turns = 0;
	OK(native_thread(self, turns_for_ever, 1, stacks[0], NATIVE_STACK, &thread));
	while (turns == 0)
		nap(100000);
	if (thread_state(thread) == THREAD_STATE_RUNNING) /* on another CPU */
		REFUSED(BUSY, set_tls(self, thread, THREAD_ID, 0, 0));
	for (unsigned round = 0; round < 20; round++) {
		OK(suspend(thread));
		OK(suspend(thread)); /* does not count */
		until(thread, THREAD_STATE_SUSPENDED);
		CHECK(&check, suspended(thread));
		OK(set_tls(self, thread, THREAD_ID, round, round));
		uint64_t now = turns;
		nap(5000000);
		CHECK(&check, turns == now);
		OK(resume(thread));
		OK(resume(thread));
		CHECK(&check, !suspended(thread));
		for (unsigned i = 0; i < 1000 && turns == now; i++)
			nap(1000000);
		CHECK(&check, turns > now);
	}
	OK(suspend(thread));
	until(thread, THREAD_STATE_SUSPENDED);
	end(thread);
}

static void a_waiting_one_does_not_wake(void)
{
	uint32_t thread = 0;
	gate = passed = 0;
	OK(native_thread(self, passes_the_gate, 0, stacks[0], NATIVE_STACK, &thread));
	until(thread, THREAD_STATE_WAITING);
	OK(suspend(thread));
	CHECK(&check, thread_state(thread) == THREAD_STATE_WAITING && suspended(thread));
	gate = 1;
	OK(ring_wake(self->ring, (uint32_t *)&gate, 1));
	CHECK(&check, thread_state(thread) == THREAD_STATE_SUSPENDED);
	nap(5000000);
	CHECK(&check, passed == 0);
	OK(resume(thread));
	until(thread, THREAD_STATE_ENDED);
	CHECK(&check, passed == 1);
	release(thread);
	/* Resumed while it still waits: as if nothing had been. */
	gate = passed = 0;
	OK(native_thread(self, passes_the_gate, 0, stacks[0], NATIVE_STACK, &thread));
	until(thread, THREAD_STATE_WAITING);
	OK(suspend(thread));
	OK(resume(thread));
	gate = 1;
	OK(ring_wake(self->ring, (uint32_t *)&gate, 1));
	until(thread, THREAD_STATE_ENDED);
	CHECK(&check, passed == 1);
	release(thread);
}

static void a_fresh_one_starts_suspended(void)
{
	uint32_t thread = unstarted(tells_bases, 0, stacks[0], 0x99000);
	turns = 0;
	OK(suspend(thread));
	OK(native_start(self, thread));
	CHECK(&check, thread_state(thread) == THREAD_STATE_SUSPENDED);
	REFUSED(BUSY, native_start(self, thread));
	nap(5000000);
	CHECK(&check, turns == 0);
	OK(resume(thread));
	until(thread, THREAD_STATE_ENDED);
	CHECK(&check, turns == 0x99000);
	release(thread);
}

static void one_suspends_itself(void)
{
	uint32_t thread = 0;
	gate = passed = 0;
	OK(native_thread(self, suspends_itself, 0, stacks[0], NATIVE_STACK, &thread));
	until(thread, THREAD_STATE_SUSPENDED);
	CHECK(&check, gate == 1 && passed == 0);
	nap(5000000);
	CHECK(&check, passed == 0);
	OK(resume(thread));
	until(thread, THREAD_STATE_ENDED);
	CHECK(&check, passed == 1);
	release(thread);
}

static int child_waits_suspended(struct native *me)
{
	uint32_t thread = me_myself(me);
	struct native_call call;
	native_call(&call, me, thread, THREAD_ID, THREAD_SUSPEND);
	(void)thread_suspend_params_build(&call.params);
	(void)!native_send(&call);
	return 3;
}

/* A suspended process can be killed, and nothing of it stays. */
static void a_suspended_process_is_killed(void)
{
	struct native_child child = spawned(child_waits_suspended, 0);
	OK(native_start(self, child.thread));
	until(child.thread, THREAD_STATE_SUSPENDED);
	OK(native_kill(self, child.process, 5));
	ended(&child, END_REASON_KILLED, 5);
	child = spawned(child_waits_suspended, 0);
	OK(native_start(self, child.thread));
	until(child.thread, THREAD_STATE_SUSPENDED);
	OK(resume(child.thread));
	ended(&child, END_REASON_EXITED, 3);
}

/* Rings have so many places in a space. The program itself may take them away: then
 * there is no thread more, until one ends, whose place is the next one's. */
static void places_for_rings_run_out(void)
{
	struct native_child child = spawned_with(child_waits_suspended, 0, PROGRAM_RINGS_MAX * 2 * NATIVE_PAGE);
	uint32_t second = 0, third = 0;
	OK(thread_raw(child.process, NATIVE_PAGE, 0, 0, &second));
	OK(native_fresh(self, child.space, PROGRAM_RINGS, PROGRAM_RINGS_MAX - 1, RW));
	OK(thread_raw(child.process, NATIVE_PAGE, 0, 0, &third)); /* the last */
	for (unsigned i = 0; i < 2; i++) {
		uint64_t before = available();
		uint32_t none = 0;
		REFUSED(NO_SLOT, thread_raw(child.process, NATIVE_PAGE, 0, 0, &none));
		CHECK(&check, threads_of(child.process) == 3 && available() == before);
		release(i ? third : second);
		CHECK(&check, threads_of(child.process) == 2);
		OK(thread_raw(child.process, NATIVE_PAGE, 0, 0, i ? &third : &second));
	}
	OK(native_start(self, child.thread));
	until(child.thread, THREAD_STATE_SUSPENDED);
	OK(native_kill(self, child.process, 5));
	release(second);
	release(third);
	ended(&child, END_REASON_KILLED, 5);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		bases_are_set, bases_are_refused, a_thread_starts_with_its_base, bases_are_kept_apart,
		a_running_one_stops_and_goes_on, a_waiting_one_does_not_wake,
		a_fresh_one_starts_suspended, one_suspends_itself, a_suspended_process_is_killed,
		places_for_rings_run_out,
	};
	start(given, "threads");
	run(steps, sizeof steps / sizeof steps[0]);
}
