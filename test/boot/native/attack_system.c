/* attack_system.c: hostile modules at once, and what a holder of LibosTable,
 * Libos, Process and Thread may try with them. */
#include "test/boot/native/attack.h"
#include "test/boot/native/sched.h"

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
	                         judge_spawn(&judge, libos, s, 1 << 20, &again) != STATUS_OK &&
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

static bool listed(const char *id)
{
	struct libos_table_list_results_reader results;
	struct capnp_list entries = { .count = 0 };
	struct native_call call;

	native_call(&call, judge.self, judge.table, LIBOS_TABLE_ID, LIBOS_TABLE_LIST);
	(void)libos_table_list_params_build(&call.params);
	if (native_send(&call) ||
	    libos_table_list_results_read(call.results, call.results_size, &results) ||
	    libos_table_list_results_get_entries(results, &entries))
		return false;
	for (uint32_t i = 0; i < entries.count; i++) {
		struct capnp_text name = { "", 0 };

		if (!libos_entry_get_id(libos_entry_list_get(entries, i), &name) &&
		    strcmp(name.bytes, id) == 0)
			return true;
	}
	return false;
}

/* Gone long before its load timer. */
static bool soon_gone(const char *id)
{
	for (unsigned tries = 0; listed(id); tries++) {
		if (tries == 1000)
			return false;
		judge_sleep(&judge, 10000000);
	}
	return true;
}

/* One process's module code faults: what all of them share cannot be trusted. */
static void module_fault_ends_all(void)
{
	uint32_t libos = judge_load(&judge, "hostile");
	struct judge_start s = good_start();
	struct victim spins, waits, faults, late;
	struct ending end, other;

	s.argument = ATTACK_ARGUMENT(KIND_DEED, DEED_interrupt_at_page_edge, 0);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &spins));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, spins.thread));
	judge_sleep(&judge, 20000000);
	s.ring += 0x1000;
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &waits));
	s.ring += 0x1000;
	s.argument = ATTACK_ARGUMENT(KIND_INT1, 0x21, 0);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &faults));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, faults.thread));
	end = judge_wait(&judge, faults.process);
	judge_say(&judge, "system", "module_fault", judge_faulted(&end, 13, 0), &end);
	other = judge_wait(&judge, spins.process);
	judge_say(&judge, "system", "module_fault_ends_others",
	          !other.hung && other.reason == END_REASON_KILLED && other.code == -1, &other);
	other = judge_wait(&judge, waits.process);
	judge_say(&judge, "system", "module_fault_ends_unstarted",
	          !other.hung && other.reason == END_REASON_KILLED, &other);
	say("module_fault_is_the_end",
	    judge_spawn(&judge, libos, s, 0, &late) == STATUS_GONE && !listed("hostile"));
	judge_forget(&judge, &spins);
	judge_forget(&judge, &waits);
	judge_forget(&judge, &faults);
	judge_release(&judge, libos);
}

/* A program moves to another libOS behind its module's back: the module's
 * process is over, and says why. */
static void move(const char *name, uint32_t deed, uint32_t target, uint64_t pages)
{
	uint32_t libos = judge_load(&judge, "hostile");
	struct judge_start s = { .argument = ATTACK_ARGUMENT(KIND_DEED, deed, pages) };
	struct victim v;
	struct ending end;

	CHECK_STATUS(&judge.check, STATUS_OK, judge_grant(&judge, libos, "target", target));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_grant(&judge, libos, "program", judge.bundle));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	end = judge_wait(&judge, v.process);
	judge_say(&judge, "system", name,
	          !end.hung && end.reason == END_REASON_MOVED && !listed("hostile"), &end);
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
}

/* One that has moved, and whose module is still busy with that, is the libOS's like
 * any other: it ends with it. */
static void one_that_leaves_ends_too(void)
{
	uint32_t target = judge_load(&judge, "target"), libos = judge_load(&judge, "hostile");
	struct judge_start s = { .argument = ATTACK_ARGUMENT(KIND_DEED, DEED_program_moves, 1) };
	struct victim leaves, faults;
	struct ending end;

	CHECK_STATUS(&judge.check, STATUS_OK, judge_grant(&judge, libos, "target", target));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &leaves));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, leaves.thread));
	say("leaving_has_arrived", soon_gone("target") && listed("hostile"));
	s = good_start(), s.argument = ATTACK_ARGUMENT(KIND_INT1, 0x21, 0);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &faults));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, faults.thread));
	end = judge_wait(&judge, faults.process);
	say("leaving_is_betrayed", end.reason == END_REASON_FAULTED);
	end = judge_wait(&judge, leaves.process);
	judge_say(&judge, "system", "leaving_ends_too",
	          !end.hung && end.reason == END_REASON_KILLED && end.code == -1 && !listed("hostile"),
	          &end);
	judge_forget(&judge, &leaves);
	judge_forget(&judge, &faults);
	judge_release(&judge, libos);
	judge_release(&judge, target);
}

/* Time that a thread under a module was bound to neither goes along nor is left for
 * time without a limit: it does not move. */
static void one_on_bound_time_stays(void)
{
	uint32_t target = judge_load(&judge, "target"), libos = judge_load(&judge, "hostile");
	struct judge_start s = { .argument = ATTACK_ARGUMENT(KIND_DEED, DEED_program_moves, 0) };
	uint32_t context = 0;
	struct victim v;
	struct ending end;

	self = judge.self;
	CHECK_STATUS(&judge.check, STATUS_OK, judge_grant(&judge, libos, "target", target));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK,
	             create_context(native_find(self, "scheduling"), SCHEDULING_INFINITE, 0, 20, &context));
	CHECK_STATUS(&judge.check, STATUS_OK, bind(context, v.thread));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	end = judge_wait(&judge, v.process);
	judge_say(&judge, "system", "bound_time_stays",
	          judge_exited(&end, ASKED_STATUS + STATUS_BUSY) && listed("target"), &end);
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
	judge_release(&judge, context);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, target, good_start(), 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, native_kill(self, v.process, 0));
	judge_forget(&judge, &v);
	judge_release(&judge, target);
}

static enum status become(uint32_t libos, uint32_t pid)
{
	struct native_call call;

	native_call(&call, judge.self, libos, LIBOS_ID, LIBOS_BECOME);
	libos_become_params_set_pid(libos_become_params_build(&call.params), pid);
	return native_send(&call);
}

/* Its module stays, and nobody comes to one that has begun. */
static void only_programs_move(void)
{
	uint32_t target = judge_load(&judge, "target"), libos = judge_load(&judge, "hostile");
	struct judge_start s = { .argument = ATTACK_ARGUMENT(KIND_DEED, DEED_module_moves, 0) };
	struct victim v;
	struct ending end;

	CHECK_STATUS(&judge.check, STATUS_OK, judge_grant(&judge, libos, "target", target));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, s, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	end = judge_wait(&judge, v.process);
	judge_say(&judge, "system", "module_stays",
	          judge_exited(&end, HARMLESS) && listed("target"), &end);
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
	/* With another PID it would be refused for that, too: it is PID 1. */
	say("pid_1_stays", become(target, 77) == STATUS_INVALID);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, target, good_start(), 0, &v));
	say("module_has_begun", become(target, 77) == STATUS_DENIED);
	CHECK_STATUS(&judge.check, STATUS_OK, judge_kill(&judge, v.process));
	judge_forget(&judge, &v);
	judge_release(&judge, target);
}

static void program_moves(void)
{
	uint32_t target = judge_load(&judge, "target");

	move("program_moves", DEED_program_moves, target, 0);
	say("program_has_moved", soon_gone("target"));
	judge_release(&judge, target);
}

#define STAGE_BOARD ((volatile uint32_t *)(JUDGE_BUNDLE + 0x1e0000)) /* beside it */
enum { STAGE_WAS_HERE = 0x600d };

static void program_moves_natively(void)
{
	struct check *check = &judge.check;
	uint32_t board, target = 0;

	CHECK_STATUS(check, STATUS_OK, native_allocate(judge.self, judge.memory, 1, &board));
	CHECK_STATUS(check, STATUS_OK, native_map(judge.self, judge.space, board, 0,
	                                          (void *)STAGE_BOARD, 1,
	                                          ACCESS_READ | ACCESS_WRITE));
	CHECK_STATUS(check, STATUS_OK,
	             judge_load_sized(&judge, "target", 0, 0, 200, false, &target));
	CHECK_STATUS(check, STATUS_OK, judge_grant(&judge, target, "board", board));
	move("program_moves_natively", DEED_program_moves_natively, target,
	     judge.self->argument >> 12);
	say("program_is_native_now", soon_gone("target") && *STAGE_BOARD == STAGE_WAS_HERE);
	CHECK_STATUS(check, STATUS_OK,
	             native_unmap(judge.self, judge.space, (void *)STAGE_BOARD, 1));
	judge_release(&judge, board);
	judge_release(&judge, target);
}

/* This program again, as such a second stage. */
static int stage(struct native *self)
{
	if (native_map(self, native_find(self, "space"), native_find(self, "board"), 0,
	               (void *)STAGE_BOARD, 1, ACCESS_READ | ACCESS_WRITE) == STATUS_OK)
		*STAGE_BOARD = STAGE_WAS_HERE;
	return 0;
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
		{ "module_fault_ends_all", module_fault_ends_all },
		{ "one_that_leaves_ends_too", one_that_leaves_ends_too },
		{ "one_on_bound_time_stays", one_on_bound_time_stays },
		{ "only_programs_move", only_programs_move },
		{ "program_moves", program_moves },
		{ "program_moves_natively", program_moves_natively },
	};

	if (self->argument == ATTACK_STAGE)
		return stage(self);
	judge_start(&judge, self, "attack_system");
	judge_canary(&judge);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		uint64_t before = judge_available(&judge);

		steps[i].run();
		judge_after(&judge, "system", steps[i].name, before);
	}
	judge_end(&judge);
}
