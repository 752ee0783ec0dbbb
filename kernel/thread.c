/* thread.c: see thread.h. */
#include "kernel/thread.h"

#include "abi/module.h"
#include "abi/process.capnp.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/ending.h"
#include "kernel/endpoint.h"
#include "kernel/leave.h"
#include "kernel/libos.h"
#include "kernel/panic.h"
#include "kernel/poll.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/trace.h"

enum { FPU_MXCSR = 24, MXCSR_INITIAL = 0x1f80 };

/* What a thread waits for ends with it. */
enum { WORK_THREAD = 64 };

static struct thread *thread_of(struct object *o)
{
	return (struct thread *)((char *)o - offsetof(struct thread, object));
}

static bool in_region(uint64_t address)
{
	return address >= MODULE_BASE && address < MODULE_END;
}

/* The gate writes below module_stack without looking: it must stand in the
 * region, where nothing of the exokernel is. */
static bool module_start_ok(const struct thread_start *s)
{
	return in_region(s->entry) && in_region(s->stack - 1) &&
	       in_region(s->module_stack - sizeof(struct module_trap)) &&
	       in_region(s->module_stack - 1) &&
	       s->module_stack % sizeof(struct module_trap) == 0 && /* never crosses a page */
	       in_region(s->ring) && s->ring % PAGE_SIZE == 0;
}

/* Where no capability stands. */
static const struct capslot nothing;

static enum status add_ring(struct thread *t, unsigned kind, struct space *space,
                            uint64_t address)
{
	struct thread_ring *r = &t->rings[kind];
	uint64_t flags = PTE_PRESENT | PTE_WRITE | PTE_NX |
	                 (space_is_region(space) ? 0 : PTE_USER);
	void *page = page_alloc(t->process->thread_ledger);
	enum status status;

	if (!page)
		return STATUS_NO_MEMORY;
	status = space_map_frame(space, address, virt_to_frame(page), flags);
	if (status) {
		page_free(page);
		return status;
	}
	*r = (struct thread_ring){
		.page = page,
		.address = address,
		.area = address + offsetof(struct ring, area),
		.domain = thread_domain(t, kind),
		.found = &nothing,
	};
	return STATUS_OK;
}

static void free_ring_place(struct process *p, uint64_t address)
{
	uint32_t index = (uint32_t)((address - PROGRAM_RINGS) / PAGE_SIZE);

	if (index < p->ring_hint)
		p->ring_hint = index;
}

static void remove_ring(struct thread *t, unsigned kind)
{
	struct thread_ring *r = &t->rings[kind];
	struct space *space = t->process->space;

	if (!r->page)
		return;
	space_unmap_frame(kind == RING_MODULE ? space->module : space, r->address,
	                  virt_to_frame(r->page));
	page_free(r->page);
	if (kind == RING_PROGRAM)
		free_ring_place(t->process, r->address);
	*r = (struct thread_ring){0};
}

static uint64_t ring_place(uint32_t index)
{
	return PROGRAM_RINGS + (uint64_t)index * PAGE_SIZE;
}

/* The lowest place where nothing is mapped: rings stand close together, and a
 * place is used again when its thread has ended. */
static uint32_t find_ring_place(struct process *p)
{
	bool mapped = true;

	while (p->ring_hint < PROGRAM_RINGS_MAX) {
		(void)space_access(p->space, ring_place(p->ring_hint), &mapped);
		if (!mapped)
			break;
		p->ring_hint++;
	}
	return p->ring_hint;
}

enum status thread_add_program_ring(struct thread *t)
{
	struct process *p = t->process;
	enum status status = process_need_domain(p);
	uint32_t place;

	if (status)
		return status;
	place = find_ring_place(p);
	if (place == PROGRAM_RINGS_MAX)
		return STATUS_NO_SLOT;
	return add_ring(t, RING_PROGRAM, p->space, ring_place(place));
}

static void set_start(struct thread *t, const struct thread_start *s)
{
	bool module = t->process->space->module != NULL;

	t->regs = (struct thread_regs){
		.rip = s->entry,
		.rsp = s->stack,
		.rdi = s->argument,
		.cs = module ? SEL_MODULE_CODE : SEL_USER_CODE,
		.ss = module ? SEL_MODULE_DATA : SEL_USER_DATA,
		.rflags = RFLAGS_FIXED | RFLAGS_IF | (module ? RFLAGS_AC : 0),
		.module_stack = module ? s->module_stack : 0,
		.fs_base = s->fs_base,
		.full = 1,
	};
	if (!module) {
		t->regs.rsi = t->rings[RING_PROGRAM].address;
		t->regs.rdx = PROGRAM_CAPSET;
	}
}

static enum status add_first_ring(struct thread *t, const struct thread_start *s)
{
	if (t->process->space->module)
		return add_ring(t, RING_MODULE, t->process->space->module, s->ring);
	return thread_add_program_ring(t);
}

static void reset_fpu(struct thread *t)
{
	for (unsigned i = 0; i < boot_xsave_size / 8; i++)
		((uint64_t *)t->fpu)[i] = 0;
	*(uint32_t *)(t->fpu + FPU_MXCSR) = MXCSR_INITIAL;
}

/* What stands in FS or GS is loaded by the exokernel: no other address would be
 * canonical for sure. */
static bool base_ok(const struct process *p, uint64_t base)
{
	return base < USER_END || (p->space->module && in_region(base));
}

static bool start_ok(const struct process *p, const struct thread_start *s)
{
	if (!base_ok(p, s->fs_base))
		return false;
	return p->space->module ? module_start_ok(s) :
	                          s->entry < USER_END && s->stack <= USER_END;
}

struct thread_start thread_read_start(struct thread_start_reader r)
{
	return (struct thread_start){
		.entry = thread_start_get_entry(r),
		.stack = thread_start_get_stack(r),
		.argument = thread_start_get_argument(r),
		.module_stack = thread_start_get_module_stack(r),
		.ring = thread_start_get_ring(r),
		.fs_base = thread_start_get_fs_base(r),
	};
}

enum status thread_create(struct process *p, const struct thread_start *start,
                          struct thread **out)
{
	struct ledger *ledger = p->thread_ledger;
	enum status status;
	struct thread *t;

	KASSERT(sizeof(*t) + boot_xsave_size <= PAGE_SIZE);
	if (p->end_reason) /* it was killed, and not all of it has ended */
		return STATUS_GONE;
	if (!start_ok(p, start))
		return STATUS_INVALID;
	t = page_alloc(ledger);
	if (!t)
		return STATUS_NO_MEMORY;
	t->process = p;
	t->ledger = ledger;
	status = add_first_ring(t, start);
	if (status) {
		page_free(t);
		return status;
	}
	for (unsigned i = 0; i < PENDING_OWN; i++)
		t->own[i] = (struct pending){.thread = t, .on = t->rings, .place = (uint8_t)i};
	t->wait_more = 1;
	for (unsigned i = 0; i < RING_SERVED; i++)
		t->served[i].token = i;
	object_init(&t->object, &thread_type);
	link_init(&t->serves);
	sched_thread_init(t);
	set_start(t, start);
	reset_fpu(t);
	object_hold(&p->object);
	t->next_in_process = p->threads;
	p->threads = t;
	p->thread_count++;
	t->number = ++p->threads_made;
	*out = t;
	return STATUS_OK;
}

static void make_ready(struct thread *t)
{
	if (t->suspended) {
		t->state = THREAD_SUSPENDED;
		return;
	}
	t->state = THREAD_READY;
	sched_enqueue(t);
}

void thread_wake(struct thread *t, enum status status)
{
	KASSERT(t->state == THREAD_WAITING);
	timeout_cancel(&t->wait_timeout);
	sched_recall(t);
	t->regs.rax = status;
	t->regs.rdx = t->rings[t->wait_ring].address;
	t->wait_ring = RING_PROGRAM;
	t->wait_more = 1;
	pending_settle(t);
	trace_woken(t, status);
	make_ready(t);
}

void thread_end(struct thread *t)
{
	struct process *p = t->process;
	bool started = t->state != THREAD_NEW;

	sched_dequeue(t);
	timeout_cancel(&t->wait_timeout);
	timeout_cancel(&t->poll.next);
	t->state = THREAD_ENDED;
	if (started)
		trace_end(t);
	endpoint_thread_end(t);
	pending_cancel_all(t);
	sched_thread_end(t);
	if (this_cpu->registers == t)
		this_cpu->registers = NULL;
	remove_ring(t, RING_PROGRAM);
	remove_ring(t, RING_MODULE);
	t->process = NULL;
	process_remove_thread(p, t);
	if (started)
		object_drop(&t->object); /* what thread_start took */
}

/* Threads that end when the exokernel is left, held: those that nobody can start any
 * more, and of very many that are killed at once. Ending one may end its process, its
 * libOS, and what that held: not from within the drop that made it one. */
struct thread *thread_doomed;

static void doom(struct thread *t)
{
	t->dying = true;
	t->next = thread_doomed;
	ending_count(t->ledger, 1);
	thread_doomed = t;
	leave_chores = true;
}

void thread_end_doomed(void)
{
	while (thread_doomed && ending_left > 0) {
		struct thread *t = thread_doomed;

		thread_doomed = t->next;
		ending_count(t->ledger, -1);
		ending_left -= WORK_THREAD;
		thread_end(t);
		object_drop(&t->object);
	}
}

/* What it waits for may come meanwhile, but it does not run. */
static void kill_later(struct thread *t)
{
	sched_dequeue(t);
	if (t->state == THREAD_READY)
		t->state = THREAD_SUSPENDED;
	t->suspended = true;
	object_hold(&t->object);
	doom(t);
}

void thread_kill(struct thread *t, int32_t code, uint32_t reason)
{
	if (t->state == THREAD_ENDED || t->dying)
		return;
	t->end_code = code;
	if (!t->end_reason) /* else its program has moved, and that is the reason */
		t->end_reason = reason;
	if (t->state == THREAD_RUNNING) {
		t->dying = true;
		sched_kick(t);
	} else if (ending_left > 0) {
		ending_left -= WORK_THREAD;
		thread_end(t);
	} else {
		kill_later(t);
	}
}

void thread_leave(struct thread *t, int32_t code, uint32_t reason)
{
	if (!t->process->space->module || (t->regs.cs & 3) != 3) {
		thread_kill(t, code, reason);
		return;
	}
	t->end_code = code;
	t->end_reason = reason;
	t->left = t->interrupted = true;
}

struct domain *thread_domain(const struct thread *t, unsigned ring)
{
	return ring == RING_MODULE ? t->process->libos->domain : t->process->domain;
}

enum status thread_start(struct thread *t)
{
	if (t->dying)
		return STATUS_GONE;
	if (t->state != THREAD_NEW)
		return t->state == THREAD_ENDED ? STATUS_GONE : STATUS_BUSY;
	object_hold(&t->object); /* from now on it needs nobody to hold it */
	process_started(t->process);
	trace_start(t);
	make_ready(t);
	return STATUS_OK;
}

/* The caller's own registers are in the CPU; nobody else's that does not run. */
static enum status set_tls(struct thread *t, uint64_t fs_base, uint64_t gs_base)
{
	if (t->state == THREAD_ENDED)
		return STATUS_GONE;
	if (t->state == THREAD_RUNNING && t != this_cpu->current)
		return STATUS_BUSY;
	if (!base_ok(t->process, fs_base) || !base_ok(t->process, gs_base))
		return STATUS_INVALID;
	t->regs.fs_base = fs_base;
	t->regs.gs_base = gs_base;
	if (this_cpu->registers == t) {
		wrfsbase(fs_base);
		wrgsbase(gs_base);
	}
	return STATUS_OK;
}

static enum status suspend(struct thread *t)
{
	if (t->state == THREAD_ENDED)
		return STATUS_GONE;
	t->suspended = true;
	if (t->state == THREAD_READY) {
		sched_dequeue(t);
		t->state = THREAD_SUSPENDED;
	} else if (t->state == THREAD_RUNNING) {
		sched_kick(t);
	}
	return STATUS_OK;
}

static enum status resume(struct thread *t)
{
	if (t->state == THREAD_ENDED || t->dying)
		return STATUS_GONE;
	t->suspended = false;
	if (t->state == THREAD_SUSPENDED)
		make_ready(t);
	return STATUS_OK;
}

static uint32_t state_code(const struct thread *t)
{
	static const uint32_t codes[] = {
		[THREAD_NEW] = THREAD_STATE_FRESH,
		[THREAD_READY] = THREAD_STATE_READY,
		[THREAD_RUNNING] = THREAD_STATE_RUNNING,
		[THREAD_WAITING] = THREAD_STATE_WAITING,
		[THREAD_SUSPENDED] = THREAD_STATE_SUSPENDED,
		[THREAD_ENDED] = THREAD_STATE_ENDED,
	};

	return codes[t->state];
}

static enum status answer_info(const struct thread *t, struct call *call)
{
	struct thread_info_results_builder results = thread_info_results_build(&call->results);

	thread_info_results_set_state(results, state_code(t));
	thread_info_results_set_suspended(results, t->suspended);
	return STATUS_OK;
}

static enum status interrupt(struct thread *t)
{
	if (t->state == THREAD_ENDED)
		return STATUS_GONE;
	/* A wait of the module's own tells the module; else its trap entry will. */
	t->interrupted = t->regs.module_stack &&
	                 !(t->state == THREAD_WAITING && t->wait_ring == RING_MODULE);
	if (t->state == THREAD_WAITING)
		thread_wake(t, STATUS_INTERRUPTED);
	else if (t->state == THREAD_RUNNING && t->interrupted)
		sched_kick(t);
	return STATUS_OK;
}

static enum status thread_call(struct object *o, struct call *call)
{
	struct thread *t = thread_of(o);
	struct thread_kill_params_reader kill = {call->params};
	struct thread_set_tls_params_reader tls = {call->params};

	switch (call->method) {
	case THREAD_START:
		if (t->state == THREAD_NEW && !t->context)
			return call_refuse(call, STATUS_BUDGET, "it has no time: bind a context first");
		return thread_start(t);
	case THREAD_INTERRUPT:
		return interrupt(t);
	case THREAD_KILL:
		thread_kill(t, thread_kill_params_get_code(kill), END_REASON_KILLED);
		return STATUS_OK;
	case THREAD_SET_TLS:
		return set_tls(t, thread_set_tls_params_get_fs_base(tls),
		               thread_set_tls_params_get_gs_base(tls));
	case THREAD_SUSPEND:
		return suspend(t);
	case THREAD_RESUME:
		return resume(t);
	case THREAD_INFO:
		return answer_info(t, call);
	default:
		return STATUS_NO_METHOD;
	}
}

static enum status control_call(struct object *o, struct call *call)
{
	struct thread_control_set_tls_params_reader tls = {call->params};
	struct thread_control_poll_params_reader poll = {call->params};
	struct thread *t = call->thread;

	(void)o;
	switch (call->method) {
	case THREAD_CONTROL_SET_TLS:
		return set_tls(t, thread_control_set_tls_params_get_fs_base(tls),
		               thread_control_set_tls_params_get_gs_base(tls));
	case THREAD_CONTROL_INFO:
		return answer_info(t, call);
	case THREAD_CONTROL_THREAD:
		/* Under a module it may be the module that it would be stopped in. */
		if (t->process->space->module && call->ring == RING_PROGRAM)
			return call_refuse(call, STATUS_DENIED, "the thread is its libOS's");
		object_hold(&t->object);
		thread_control_thread_results_set_thread(
			thread_control_thread_results_build(&call->results),
			call_answer_cap(call, &t->object));
		return STATUS_OK;
	case THREAD_CONTROL_POLL:
		return poll_ask(t, call->ring, thread_control_poll_params_get_every_ns(poll));
	default:
		return STATUS_NO_METHOD;
	}
}

static void control_destroy(struct object *o)
{
	(void)o;
	panic("ThreadControl lost its last reference");
}

const struct object_type thread_control_type = {
	.name = "thread control",
	.interface = THREAD_CONTROL_ID,
	.call = control_call,
	.destroy = control_destroy,
};

struct object *thread_control_object(void)
{
	static struct object object = {.type = &thread_control_type, .refs = 1};

	object_hold(&object);
	return &object;
}

static void thread_destroy(struct object *o)
{
	struct thread *t = thread_of(o);

	if (t->state != THREAD_NEW) {
		page_free(t);
		return;
	}
	object_init(o, &thread_type);
	doom(t);
}

const struct object_type thread_type = {
	.name = "thread",
	.interface = THREAD_ID,
	.call = thread_call,
	.destroy = thread_destroy,
};
