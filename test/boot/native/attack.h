/* attack.h: the judge's side of test/boot/modules/attack.h. A native program,
 * booted as the IIS, finds the hostile module in the boot bundle, runs it again
 * and again, and looks how each process ends.
 *
 * After every attack a well-behaved process of the same image must still work,
 * and no page may be missing. */
#pragma once

#include "test/boot/native/check.h"

#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"
#include "abi/timer.capnp.h"
#include "core/bundle.h"
#include "core/elf.h"
#include "rt/module_string.h"
#include "rt/ring.h"
#include "test/boot/modules/attack.h"

#define JUDGE_BUNDLE ((const uint8_t *)0x100000000)
/* What must end gets so long: a busy host may put it off. */
#define JUDGE_PATIENCE_NS 15000000000ul
#ifndef JUDGE_LIMIT_NS /* an attack, which need not end */
#define JUDGE_LIMIT_NS JUDGE_PATIENCE_NS
#endif

enum { JUDGE_PAGES = 400 };

struct judge {
	struct check check;
	struct native *self;
	uint32_t table, memory, timer, space, bundle;
	uint32_t image;       /* the module */
	uint64_t image_size;
	uint64_t entry, stack; /* of its head */
	uint32_t passed;
};

struct victim { uint32_t libos, process, space, thread; };

struct ending {
	bool hung;            /* it had to be killed */
	int32_t code;
	uint32_t reason;
	uint32_t vector;      /* faulted: of what */
	uint64_t address, instruction;
};

static inline void judge_release(struct judge *j, uint32_t cap)
{
	CHECK_STATUS(&j->check, STATUS_OK, ring_release(j->self->ring, cap));
}

static inline uint64_t judge_available(struct judge *j)
{
	uint64_t pages = 0;

	CHECK_STATUS(&j->check, STATUS_OK, native_available(j->self, j->memory, &pages));
	return pages;
}

static inline void judge_find_image(struct judge *j)
{
	struct bundle bundle;
	struct bundle_entry entry = { .size = 0 };
	struct elf_image elf;

	CHECK_STATUS(&j->check, STATUS_OK,
	             native_map(j->self, j->space, j->bundle, 0, (void *)JUDGE_BUNDLE,
	                        native_pages(j->self->argument), ACCESS_READ));
	if (bundle_open(JUDGE_BUNDLE, j->self->argument, &bundle) != STATUS_OK ||
	    bundle_find(&bundle, "initrd", &entry) != STATUS_OK)
		check_failed(&j->check, "the module is not in the bundle", __LINE__);
	CHECK_STATUS(&j->check, STATUS_OK,
	             elf_check(JUDGE_BUNDLE + entry.offset, entry.size, entry.size, MODULE_REGION,
	                       MODULE_REGION_END, &elf));
	j->image_size = entry.size;
	j->entry = elf.entry;
	/* The head stands at the start of the first segment. */
	j->stack = *(const uint64_t *)(JUDGE_BUNDLE + entry.offset + elf.segments[0].file_offset +
	                               elf.entry - elf.segments[0].vaddr + MODULE_HEAD_STACK);
	CHECK_STATUS(&j->check, STATUS_OK,
	             native_child(j->self, j->bundle, entry.offset / NATIVE_PAGE,
	                          native_pages(entry.size), &j->image));
}

static inline void judge_start(struct judge *j, struct native *self, const char *name)
{
	*j = (struct judge){
		.check = { self, name, 0 }, .self = self,
		.table = native_find(self, "libos"), .memory = native_find(self, "memory"),
		.timer = native_find(self, "timer"), .space = native_find(self, "space"),
		.bundle = native_find(self, "bundle"),
	};
	judge_find_image(j);
	if (j->check.failures)
		check_end(&j->check);
}

static inline enum status judge_load_sized(struct judge *j, const char *id, uint32_t image,
                                           uint64_t size, uint64_t pages, bool isolated,
                                           uint32_t *libos)
{
	struct native_call call;
	struct libos_table_load_params_builder p;
	enum status status;

	native_call(&call, j->self, j->table, LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	p = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(p, capnp_text_from(id));
	if (image)
		libos_table_load_params_set_image(p, native_attach(&call, image));
	libos_table_load_params_set_size(p, size);
	libos_table_load_params_set_pages(p, pages);
	libos_table_load_params_set_timeout_ns(p, 60000000000);
	libos_table_load_params_set_isolated(p, isolated);
	status = native_send(&call);
	*libos = status ? 0 : call.caps[0];
	return status;
}

static inline enum status judge_grant(struct judge *j, uint32_t libos, const char *name,
                                      uint32_t object)
{
	struct native_call call;
	struct libos_grant_params_builder p;

	native_call(&call, j->self, libos, LIBOS_ID, LIBOS_GRANT);
	p = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(p, capnp_text_from(name));
	libos_grant_params_set_object(p, native_attach(&call, object));
	return native_send(&call);
}

/* The attack module under `id`, with what it needs to do harm. */
static inline uint32_t judge_load(struct judge *j, const char *id)
{
	uint32_t libos;

	CHECK_STATUS(&j->check, STATUS_OK,
	             judge_load_sized(j, id, j->image, j->image_size, JUDGE_PAGES, false, &libos));
	CHECK_STATUS(&j->check, STATUS_OK, judge_grant(j, libos, "memory", j->memory));
	CHECK_STATUS(&j->check, STATUS_OK, judge_grant(j, libos, "timer", j->timer));
	CHECK_STATUS(&j->check, STATUS_OK,
	             judge_grant(j, libos, "spawner", native_find(j->self, "spawner")));
	CHECK_STATUS(&j->check, STATUS_OK,
	             judge_grant(j, libos, "ledger", native_find(j->self, "ledger")));
	return libos;
}

struct judge_start { uint64_t entry, stack, argument, module_stack, ring; };

static inline void judge_put_start(struct thread_start_builder b, struct judge_start s)
{
	thread_start_set_entry(b, s.entry);
	thread_start_set_stack(b, s.stack);
	thread_start_set_argument(b, s.argument);
	thread_start_set_module_stack(b, s.module_stack);
	thread_start_set_ring(b, s.ring);
}

static inline enum status judge_spawn(struct judge *j, uint32_t libos, struct judge_start s,
                                      uint32_t pid, struct victim *out)
{
	struct native_call call;
	struct libos_spawn_params_builder p;
	enum status status;

	native_call(&call, j->self, libos, LIBOS_ID, LIBOS_SPAWN);
	p = libos_spawn_params_build(&call.params);
	judge_put_start(libos_spawn_params_init_start(p), s);
	libos_spawn_params_set_pid(p, pid);
	status = native_send(&call);
	*out = (struct victim){ libos, call.caps[0], call.caps[1], call.caps[2] };
	return status;
}

static inline enum status judge_simple(struct judge *j, uint32_t cap, uint64_t interface,
                                       uint16_t method)
{
	struct native_call call;

	native_call(&call, j->self, cap, interface, method);
	(void)thread_start_params_build(&call.params); /* an empty struct */
	return native_send(&call);
}

static inline enum status judge_thread_start(struct judge *j, uint32_t thread)
{
	return judge_simple(j, thread, THREAD_ID, THREAD_START);
}

static inline enum status judge_kill(struct judge *j, uint32_t process)
{
	struct native_call call;

	native_call(&call, j->self, process, PROCESS_ID, PROCESS_KILL);
	process_kill_params_set_code(process_kill_params_build(&call.params), 99);
	return native_send(&call);
}

static inline void judge_fault(struct judge *j, uint32_t process, struct ending *end)
{
	struct native_call call;
	struct process_fault_results_reader r;

	native_call(&call, j->self, process, PROCESS_ID, PROCESS_FAULT);
	(void)process_fault_params_build(&call.params);
	CHECK_STATUS(&j->check, STATUS_OK, native_send(&call));
	if (process_fault_results_read(call.results, call.results_size, &r) != STATUS_OK)
		return;
	end->vector = process_fault_results_get_vector(r);
	end->address = process_fault_results_get_address(r);
	end->instruction = process_fault_results_get_instruction(r);
}

/* Waits for it to end, and kills it if it does not within `limit` ns. */
static inline struct ending judge_wait_within(struct judge *j, uint32_t process, uint64_t limit)
{
	struct ring *ring = j->self->ring;
	struct ending end = { .hung = false };
	struct process_wait_results_reader r;
	struct capnp_builder b;
	enum status status;

	capnp_builder_start(&b, ring->area, 256);
	(void)process_wait_params_build(&b);
	*ring_next(ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = process, .interface = PROCESS_ID, .method = PROCESS_WAIT,
		.params = (uint64_t)ring->area, .params_size = (uint32_t)capnp_builder_size(&b),
		.results = (uint64_t)(ring->area + 256), .results_size = 256,
	};
	ring_push(ring);
	status = ring_enter(1, limit);
	if (status == STATUS_TIMEOUT) {
		/* By hand: native_send() would take the wait's completion for its own. */
		end.hung = true;
		capnp_builder_start(&b, ring->area, 256);
		process_kill_params_set_code(process_kill_params_build(&b), 99);
		*ring_next(ring) = (struct ring_sqe){
			.op = RING_CALL, .cap = process, .interface = PROCESS_ID,
			.method = PROCESS_KILL, .params = (uint64_t)ring->area,
			.params_size = (uint32_t)capnp_builder_size(&b),
		};
		ring_push(ring);
		CHECK_STATUS(&j->check, STATUS_OK, ring_enter(2, JUDGE_PATIENCE_NS));
	}
	while (ring_done(ring))
		;
	CHECK_STATUS(&j->check, STATUS_OK, process_wait_results_read(ring->area + 256, 256, &r));
	end.code = process_wait_results_get_code(r);
	end.reason = process_wait_results_get_reason(r);
	if (end.reason == END_REASON_FAULTED)
		judge_fault(j, process, &end);
	return end;
}

static inline struct ending judge_wait(struct judge *j, uint32_t process)
{
	return judge_wait_within(j, process, JUDGE_LIMIT_NS);
}

static inline void judge_forget(struct judge *j, struct victim *v)
{
	judge_release(j, v->thread);
	judge_release(j, v->space);
	judge_release(j, v->process);
}

static inline void judge_sleep(struct judge *j, uint64_t nanoseconds)
{
	struct native_call call;
	struct timer_now_results_reader now;
	uint64_t until;

	native_call(&call, j->self, j->timer, TIMER_ID, TIMER_NOW);
	CHECK_STATUS(&j->check, STATUS_OK, native_send(&call));
	CHECK_STATUS(&j->check, STATUS_OK,
	             timer_now_results_read(call.results, call.results_size, &now));
	until = timer_now_results_get_monotonic(now) + nanoseconds;
	native_call(&call, j->self, j->timer, TIMER_ID, TIMER_SLEEP);
	timer_sleep_params_set_until(timer_sleep_params_build(&call.params), until);
	CHECK_STATUS(&j->check, STATUS_OK, native_send(&call));
}

/* One process of the libOS, from its start to its end. */
static inline struct ending judge_run_within(struct judge *j, uint32_t libos, uint64_t argument,
                                            uint64_t limit)
{
	struct ending end = { .hung = true };
	struct victim v;
	enum status status = judge_spawn(j, libos, (struct judge_start){ .argument = argument },
	                                 0, &v);

	CHECK_STATUS(&j->check, STATUS_OK, status);
	if (status != STATUS_OK)
		return end;
	CHECK_STATUS(&j->check, STATUS_OK, judge_thread_start(j, v.thread));
	end = judge_wait_within(j, v.process, limit);
	judge_forget(j, &v);
	return end;
}

static inline struct ending judge_run(struct judge *j, uint32_t libos, uint64_t argument)
{
	return judge_run_within(j, libos, argument, JUDGE_LIMIT_NS);
}

/* ... of a libOS that is loaded for it. */
static inline struct ending judge_attack(struct judge *j, uint64_t argument)
{
	uint32_t libos = judge_load(j, "hostile");
	struct ending end = judge_run(j, libos, argument);

	judge_release(j, libos);
	return end;
}

static inline bool judge_canary(struct judge *j)
{
	uint32_t libos = judge_load(j, "canary");
	struct ending end = judge_run_within(j, libos, ATTACK_ARGUMENT(KIND_CANARY, 0, 0),
	                                    JUDGE_PATIENCE_NS);

	judge_release(j, libos);
	if (!end.hung && end.reason == END_REASON_EXITED && end.code == CANARY)
		return true;
	native_print(j->self, "canary: reason %u code 0x%x vector %u\n", end.reason,
	             (uint32_t)end.code, end.vector);
	return false;
}

static inline void judge_say(struct judge *j, const char *where, const char *name, bool passed,
                             const struct ending *end)
{
	if (passed) {
		j->passed++;
		native_print(j->self, "ok %s/%s\n", where, name);
		return;
	}
	j->check.failures++;
	native_print(j->self, "not ok %s/%s: ", where, name);
	if (end->hung)
		native_print(j->self, "it went on for ever\n");
	else if (end->reason == END_REASON_FAULTED)
		native_print(j->self, "vector %u at 0x%lx, address 0x%lx\n", end->vector,
		             end->instruction, end->address);
	else
		native_print(j->self, "ended with 0x%x, reason %u\n", (uint32_t)end->code, end->reason);
}

/* Canary and pages: what must hold after any attack. `before`: pages. */
static inline void judge_after(struct judge *j, const char *where, const char *name,
                               uint64_t before)
{
	uint64_t after;

	if (!judge_canary(j)) {
		j->check.failures++;
		native_print(j->self, "not ok %s/%s: the canary is ill\n", where, name);
	}
	after = judge_available(j);
	if (after != before) {
		j->check.failures++;
		native_print(j->self, "not ok %s/%s: %lu pages, then %lu\n", where, name, before, after);
	}
}

/* Faulted with `vector`, at `address` if it was a page fault. */
static inline bool judge_faulted(const struct ending *end, uint32_t vector, uint64_t address)
{
	return !end->hung && end->reason == END_REASON_FAULTED && end->vector == vector &&
	       (vector != 14 || address == UINT64_MAX || end->address == address);
}

static inline bool judge_exited(const struct ending *end, int32_t code);

/* A code attack's end, where only the vector counts. `delivered`: traps came to
 * the module. */
static inline bool judge_stopped(const struct ending *end, uint32_t vector, bool delivered)
{
	if (vector == FAR_RETURN)
		return judge_stopped(end, 13, delivered) || judge_faulted(end, 14, UINT64_MAX) ||
		       judge_exited(end, ASTRAY + 14);
	if (vector != VARIES)
		return delivered ? judge_exited(end, TRAPPED + (int32_t)vector) :
		                   judge_faulted(end, vector, UINT64_MAX);
	if (judge_exited(end, SURVIVED))
		return true;
	for (vector = 1; vector < 20; vector++)
		if (judge_stopped(end, vector, delivered))
			return true;
	return false;
}

static inline bool judge_exited(const struct ending *end, int32_t code)
{
	return !end->hung && end->reason == END_REASON_EXITED && end->code == code;
}

_Noreturn static inline void judge_end(struct judge *j)
{
	native_print(j->self, "%u passed, %u failed\n", j->passed, j->check.failures);
	check_end(&j->check);
}
