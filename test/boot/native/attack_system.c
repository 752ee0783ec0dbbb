/* attack_system.c: hostile modules at once, and what a holder of LibosTable,
 * Libos, Process and Thread may try with them. */
#include "test/boot/native/attack.h"

#define FAR_RING (MODULE_REGION + 0x7fff0000)

enum { TOGETHER = 3 };

static struct judge judge;

static void say(const char *name, bool passed)
{
	struct ending none = { .hung = false };

	judge_say(&judge, "system", name, passed, &none);
}

/* The same deed in several libOSes at once. */
static bool together(uint32_t deed)
{
	static const char *const ids[TOGETHER] = { "first", "second", "third" };
	struct victim v[TOGETHER];
	bool passed = true;

	for (uint32_t i = 0; i < TOGETHER; i++) {
		uint32_t libos = judge_load(&judge, ids[i]);

		CHECK_STATUS(&judge.check, STATUS_OK,
		             judge_spawn(&judge, libos,
		                         (struct judge_start){
		                                 .argument = ATTACK_ARGUMENT(KIND_DEED, deed,
		                                                             0x55 + 0x22 * i) },
		                         0, &v[i]));
	}
	for (uint32_t i = 0; i < TOGETHER; i++)
		CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v[i].thread));
	for (uint32_t i = 0; i < TOGETHER; i++) {
		struct ending end = judge_wait(&judge, v[i].process);

		if (!judge_exited(&end, HARMLESS)) {
			native_print(judge.self, "%s: 0x%x, vector %u, reason %u\n", ids[i],
			             (uint32_t)end.code, end.vector, end.reason);
			passed = false;
		}
		judge_forget(&judge, &v[i]);
		judge_release(&judge, v[i].libos);
	}
	return passed;
}

static void scribblers_together(void) { say("scribblers_together", together(DEED_scribble)); }
static void poisoners_together(void)
{
	say("poisoners_together", together(DEED_syscall_poisoned));
}

static void vectors_kept_apart(void)
{
	struct ending end;

	say("vectors_kept_apart", together(DEED_vectors_kept_apart));
	end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_DEED, DEED_vectors_at_start, 0));
	judge_say(&judge, "system", "vectors_at_start", judge_exited(&end, HARMLESS), &end);
}

static struct judge_start good_start(void)
{
	return (struct judge_start){
		.entry = judge.entry, .stack = judge.stack, .module_stack = judge.stack,
		.ring = FAR_RING, .argument = ATTACK_ARGUMENT(KIND_CANARY, 0, 0),
	};
}

static enum status add_thread(uint32_t libos, uint32_t process, struct judge_start s,
                              uint32_t *thread)
{
	struct native_call call;
	struct libos_thread_params_builder p;
	enum status status;

	native_call(&call, judge.self, libos, LIBOS_ID, LIBOS_THREAD);
	p = libos_thread_params_build(&call.params);
	libos_thread_params_set_process(p, native_attach(&call, process));
	judge_put_start(libos_thread_params_init_start(p), s);
	status = native_send(&call);
	*thread = call.caps[0];
	return status;
}

/* Refused by spawn and by thread, and nothing is left of it. */
static bool start_refused(uint32_t libos, uint32_t process, struct judge_start s)
{
	struct victim v;
	uint32_t thread;
	enum status spawned = judge_spawn(&judge, libos, s, 0, &v);
	enum status added = add_thread(libos, process, s, &thread);

	if (spawned != STATUS_OK && added != STATUS_OK)
		return true;
	native_print(judge.self, "entry 0x%lx stack 0x%lx module stack 0x%lx ring 0x%lx: %s, %s\n",
	             s.entry, s.stack, s.module_stack, s.ring, native_status(spawned),
	             native_status(added));
	return false;
}

static void bad_starts(void)
{
	static const uint64_t outside[] = {
		0x400000, PHYSMAP_BASE, KERNEL_TEXT, GATE_ENTRY, ENTRY_STACK, CPU_AREA, KERNEL_STACK_TOP,
		MODULE_END + 0x1000, MODULE_BASE - 0x1000, NONCANONICAL, USER_END, -0x1000ul, 0x1000,
	};
	uint32_t libos = judge_load(&judge, "hostile");
	struct judge_start s = good_start();
	struct victim keeper, again;
	bool passed = true;

	s.ring += 0x1000;
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &keeper));
	for (unsigned i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		s = good_start(), s.entry = outside[i];
		passed &= start_refused(libos, keeper.process, s);
		s = good_start(), s.stack = outside[i];
		passed &= start_refused(libos, keeper.process, s);
		s = good_start(), s.module_stack = outside[i];
		passed &= start_refused(libos, keeper.process, s);
		s = good_start(), s.ring = outside[i];
		passed &= start_refused(libos, keeper.process, s);
	}
	s = good_start(), s.module_stack += 8;
	passed &= start_refused(libos, keeper.process, s);
	s = good_start(), s.module_stack = MODULE_BASE + 48;
	passed &= start_refused(libos, keeper.process, s);
	s = good_start(), s.module_stack = 0;
	passed &= start_refused(libos, keeper.process, s);
	s = good_start(), s.ring += 8;
	passed &= start_refused(libos, keeper.process, s);
	s = good_start(), s.ring = MODULE_CAPSET;
	passed &= start_refused(libos, keeper.process, s);
	s = good_start(), s.ring = judge.entry & ~0xffful;
	passed &= start_refused(libos, keeper.process, s);
	s = good_start(), s.ring += 0x1000; /* the keeper's */
	passed &= start_refused(libos, keeper.process, s);
	say("bad_starts", passed);

	/* A PID that is taken, or that there is none. */
	s = good_start();
	say("pid_taken", judge_spawn(&judge, libos, s, 1, &again) == STATUS_EXISTS &&
	                         judge_spawn(&judge, libos, s, 4096, &again) != STATUS_OK &&
	                         judge_spawn(&judge, libos, s, UINT32_MAX, &again) != STATUS_OK);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_kill(&judge, keeper.process));
	judge_forget(&judge, &keeper);
	judge_release(&judge, libos);
}

/* A thread in another libOS's process; a thread in an ended process. */
static void foreign_thread(void)
{
	uint32_t one = judge_load(&judge, "first"), two = judge_load(&judge, "second"), thread;
	struct victim a, b;
	bool passed;

	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, one, good_start(), 0, &a));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, two, good_start(), 0, &b));
	passed = add_thread(one, b.process, good_start(), &thread) == STATUS_DENIED;
	CHECK_STATUS(&judge.check, STATUS_OK, judge_kill(&judge, b.process));
	passed &= add_thread(one, b.process, good_start(), &thread) != STATUS_OK;
	passed &= add_thread(two, b.process, good_start(), &thread) == STATUS_GONE;
	passed &= judge_thread_start(&judge, b.thread) == STATUS_GONE;
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, a.thread));
	passed &= judge_thread_start(&judge, a.thread) != STATUS_OK;
	struct ending end = judge_wait(&judge, a.process);
	passed &= judge_exited(&end, CANARY);
	judge_forget(&judge, &a);
	judge_forget(&judge, &b);
	judge_release(&judge, one);
	judge_release(&judge, two);
	say("foreign_thread", passed);
}

/* A libOS that never had a process goes when its first one does. */
static void release_unused(uint32_t libos)
{
	struct victim v;

	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, good_start(), 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_kill(&judge, v.process));
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
}

/* Thread.interrupt of a program whose module stack's top is such that a struct
 * module_trap lies on two pages. */
static void interrupt_at_page_edge(void)
{
	for (uint32_t past = 16; past < 64; past += 16) {
		char name[] = "interrupt_at_page_edge_00";
		uint32_t libos = judge_load(&judge, "hostile");
		struct judge_start s = good_start();
		struct victim v;
		struct ending end;

		s.module_stack = (judge.stack & ~0xffful) - 0x2000 + past;
		s.argument = ATTACK_ARGUMENT(KIND_DEED, DEED_interrupt_at_page_edge, 0);
		name[23] = (char)('0' + past / 10), name[24] = (char)('0' + past % 10);
		if (judge_spawn(&judge, libos, s, 0, &v) == STATUS_INVALID) {
			say(name, true); /* as good */
			release_unused(libos);
			continue;
		}
		CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
		judge_sleep(&judge, 100000000); /* until it spins; a busy host may take long */
		CHECK_STATUS(&judge.check, STATUS_OK,
		             judge_simple(&judge, v.thread, THREAD_ID, THREAD_INTERRUPT));
		end = judge_wait(&judge, v.process);
		judge_say(&judge, "system", name, judge_exited(&end, HARMLESS), &end);
		judge_forget(&judge, &v);
		judge_release(&judge, libos);
	}
}

/* One that never calls and never ends can be killed, in either ring. */
static void loops_killed(void)
{
	uint32_t libos = judge_load(&judge, "hostile");
	struct judge_start s = good_start();
	struct victim v;
	struct ending end;

	s.argument = ATTACK_ARGUMENT(KIND_DEED, DEED_interrupt_at_page_edge, 0);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	judge_sleep(&judge, 20000000);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_kill(&judge, v.process));
	end = judge_wait(&judge, v.process);
	judge_say(&judge, "system", "loop_killed",
	          end.reason == END_REASON_KILLED && end.code == 99, &end);
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
}

/* A page goes while a native program on another CPU reads it, again and again
 * and with nothing else to do: it must notice. */
static void page_taken_from_program(void)
{
	static const uint8_t loop[] = { 0x48, 0x8b, 0x07, 0xeb, 0xfb }; /* mov (%rdi), %rax; jmp */
	uint8_t *code = (uint8_t *)0x400000, *data = (uint8_t *)0x500000, *here = (uint8_t *)JUDGE_BUNDLE + 0x1f0000;
	struct check *check = &judge.check;
	uint32_t libos, object;
	struct victim v;
	struct ending end;

	CHECK_STATUS(check, STATUS_OK, judge_load_sized(&judge, "reader", 0, 0, 100, false, &libos));
	CHECK_STATUS(check, STATUS_OK,
	             judge_spawn(&judge, libos,
	                         (struct judge_start){ .entry = (uint64_t)code, .stack = 0x600000,
	                                               .argument = (uint64_t)data }, 0, &v));
	CHECK_STATUS(check, STATUS_OK, native_allocate(judge.self, judge.memory, 2, &object));
	CHECK_STATUS(check, STATUS_OK,
	             native_map(judge.self, judge.space, object, 0, here, 1,
	                        ACCESS_READ | ACCESS_WRITE));
	memcpy(here, loop, sizeof loop);
	CHECK_STATUS(check, STATUS_OK, native_unmap(judge.self, judge.space, here, 1));
	CHECK_STATUS(check, STATUS_OK,
	             native_map(judge.self, v.space, object, 0, code, 1,
	                        ACCESS_READ | ACCESS_EXECUTE));
	CHECK_STATUS(check, STATUS_OK,
	             native_map(judge.self, v.space, object, 1, data, 1, ACCESS_READ));
	CHECK_STATUS(check, STATUS_OK, judge_thread_start(&judge, v.thread));
	judge_sleep(&judge, 20000000);
	CHECK_STATUS(check, STATUS_OK, native_unmap(judge.self, v.space, data, 1));
	end = judge_wait(&judge, v.process);
	judge_say(&judge, "system", "page_taken_from_program",
	          judge_faulted(&end, 14, UINT64_MAX) && end.address == (uint64_t)data, &end);
	judge_forget(&judge, &v);
	judge_release(&judge, object);
	judge_release(&judge, libos);
}

/* The same of a module's page, taken through Libos.space. A busy host may put the
 * module off: it maps the page itself, so it is taken until it must have been there. */
static void page_taken_from_module(void)
{
	struct judge_start s = { .argument = ATTACK_ARGUMENT(KIND_DEED, DEED_reader, 0) };
	uint32_t libos = judge_load(&judge, "reader"), region;
	struct native_call call;
	struct victim v;
	struct ending end;

	native_call(&call, judge.self, libos, LIBOS_ID, LIBOS_SPACE);
	(void)libos_space_params_build(&call.params);
	CHECK_STATUS(&judge.check, STATUS_OK, native_send(&call));
	region = call.caps[0];
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	for (uint64_t pause = 20000000; pause <= 320000000; pause *= 2) {
		judge_sleep(&judge, pause);
		CHECK_STATUS(&judge.check, STATUS_OK,
		             native_unmap(judge.self, region, (void *)NOWHERE, 1));
	}
	end = judge_wait(&judge, v.process);
	judge_say(&judge, "system", "page_taken_from_module", judge_exited(&end, TRAPPED + 14), &end);
	judge_forget(&judge, &v);
	judge_release(&judge, region);
	judge_release(&judge, libos);
}

/* An isolated libOS goes while a process of it is still held: its PIDs' table
 * must not be used after that. */
static void isolated_outlived(void)
{
	struct judge_start s = { .entry = 0x400000, .stack = 0x500000 };
	uint32_t libos, other;
	struct victim v, w;

	CHECK_STATUS(&judge.check, STATUS_OK,
	             judge_load_sized(&judge, "alone", 0, 0, 100, true, &libos));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 1, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_kill(&judge, v.process));
	judge_release(&judge, v.thread);
	judge_release(&judge, v.space);
	judge_release(&judge, libos);
	CHECK_STATUS(&judge.check, STATUS_OK,
	             judge_load_sized(&judge, "next", 0, 0, 100, false, &other));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, other, s, 0, &w));
	judge_release(&judge, v.process);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_kill(&judge, w.process));
	judge_forget(&judge, &w);
	judge_release(&judge, other);
	say("isolated_outlived", true);
}

int native_main(struct native *self)
{
	static const struct { const char *name; void (*run)(void); } steps[] = {
		{ "scribblers_together", scribblers_together },
		{ "poisoners_together", poisoners_together },
		{ "vectors_kept_apart", vectors_kept_apart },
		{ "bad_starts", bad_starts },
		{ "foreign_thread", foreign_thread },
		{ "interrupt_at_page_edge", interrupt_at_page_edge },
		{ "loops_killed", loops_killed },
		{ "page_taken_from_program", page_taken_from_program },
		{ "page_taken_from_module", page_taken_from_module },
		{ "isolated_outlived", isolated_outlived },
	};

	judge_start(&judge, self, "attack_system");
	judge_canary(&judge);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		uint64_t before = judge_available(&judge);

		steps[i].run();
		judge_after(&judge, "system", steps[i].name, before);
	}
	judge_end(&judge);
}
