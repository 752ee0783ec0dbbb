/* thread.c: see thread.h. */
#include "kernel/thread.h"

#include "abi/module.h"
#include "abi/process.capnp.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/inspector.h"
#include "kernel/libos.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sched.h"

enum { FPU_MXCSR = 24, MXCSR_INITIAL = 0x1f80 };

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

static enum status add_ring(struct thread *t, unsigned kind, struct space *space,
                            uint64_t address)
{
	struct thread_ring *r = &t->rings[kind];
	uint64_t flags = PTE_PRESENT | PTE_WRITE | PTE_NX |
	                 (space_is_region(space) ? 0 : PTE_USER);
	void *page = page_alloc(t->process->libos->domain->ledger);
	enum status status;

	if (!page)
		return STATUS_NO_MEMORY;
	status = space_map_frame(space, address, virt_to_frame(page), flags);
	if (status) {
		page_free(page);
		return status;
	}
	*r = (struct thread_ring){.page = page, .address = address};
	return STATUS_OK;
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
	*r = (struct thread_ring){0};
}

/* A native program finds its CapSet and its rings at the top of its half. */
static enum status show_capset(struct process *p)
{
	return space_map_frame(p->space, PROGRAM_CAPSET, virt_to_frame(p->domain->capset),
	                       PTE_PRESENT | PTE_USER | PTE_NX);
}

/* A program under a module has no domain until it asks for a ring. It may look
 * at what its libOS holds, and has nothing else. */
static enum status need_program_domain(struct process *p)
{
	enum status status;

	if (p->domain)
		return STATUS_OK;
	p->domain = domain_create(p->libos->domain->ledger, PROGRAM_DOMAIN_BYTES);
	if (!p->domain)
		return STATUS_NO_MEMORY;
	status = domain_grant(p->domain, "inspector", 9, inspector_object());
	if (!status)
		status = show_capset(p);
	if (status) {
		domain_drop(p->domain);
		p->domain = NULL;
	}
	return status;
}

enum status thread_add_program_ring(struct thread *t)
{
	struct process *p = t->process;
	enum status status = need_program_domain(p);

	if (status)
		return status;
	if (p->program_rings == PROGRAM_RINGS_MAX)
		return STATUS_NO_SLOT;
	status = add_ring(t, RING_PROGRAM, p->space,
	                  PROGRAM_RINGS + (uint64_t)p->program_rings * PAGE_SIZE);
	if (!status)
		p->program_rings++;
	return status;
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

static bool start_ok(const struct process *p, const struct thread_start *s)
{
	return p->space->module ? module_start_ok(s) :
	                          s->entry < USER_END && s->stack <= USER_END;
}

enum status thread_create(struct process *p, const struct thread_start *start,
                          struct thread **out)
{
	struct ledger *ledger = p->libos->domain->ledger;
	enum status status;
	struct thread *t;

	KASSERT(sizeof(*t) + boot_xsave_size <= PAGE_SIZE);
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
	object_init(&t->object, &thread_type);
	set_start(t, start);
	reset_fpu(t);
	object_hold(&p->object);
	t->next_in_process = p->threads;
	p->threads = t;
	p->thread_count++;
	*out = t;
	return STATUS_OK;
}

void thread_become(struct thread *t, const struct thread_start *start)
{
	pending_cancel_all(t);
	this_cpu->registers = NULL;
	set_start(t, start);
	reset_fpu(t);
}

enum status thread_add_module_ring(struct thread *t, struct space *region, uint64_t address)
{
	return add_ring(t, RING_MODULE, region, address);
}

void thread_remove_program_ring(struct thread *t)
{
	remove_ring(t, RING_PROGRAM);
}

static void make_ready(struct thread *t)
{
	t->state = THREAD_READY;
	sched_enqueue(t);
}

void thread_wake(struct thread *t, enum status status)
{
	KASSERT(t->state == THREAD_WAITING);
	timeout_cancel(&t->wait_timeout);
	t->regs.rax = status;
	make_ready(t);
}

void thread_end(struct thread *t)
{
	struct process *p = t->process;
	bool started = t->state != THREAD_NEW;

	if (t->state == THREAD_READY)
		sched_dequeue(t);
	timeout_cancel(&t->wait_timeout);
	t->state = THREAD_ENDED;
	pending_cancel_all(t);
	if (this_cpu->registers == t)
		this_cpu->registers = NULL;
	remove_ring(t, RING_PROGRAM);
	remove_ring(t, RING_MODULE);
	t->process = NULL;
	process_remove_thread(p, t);
	if (started)
		object_drop(&t->object); /* what thread_start took */
}

void thread_kill(struct thread *t, int32_t code, uint32_t reason)
{
	if (t->state == THREAD_ENDED || t->dying)
		return;
	t->end_code = code;
	t->end_reason = reason;
	if (t->state != THREAD_RUNNING) {
		thread_end(t);
		return;
	}
	t->dying = true;
	sched_kick(t);
}

struct domain *thread_domain(const struct thread *t, unsigned ring)
{
	return ring == RING_MODULE ? t->process->libos->domain : t->process->domain;
}

enum status thread_start(struct thread *t)
{
	if (t->state != THREAD_NEW)
		return t->state == THREAD_ENDED ? STATUS_GONE : STATUS_BUSY;
	object_hold(&t->object); /* from now on it needs nobody to hold it */
	make_ready(t);
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

	switch (call->method) {
	case THREAD_START:
		return thread_start(t);
	case THREAD_INTERRUPT:
		return interrupt(t);
	case THREAD_KILL:
		thread_kill(t, thread_kill_params_get_code(kill), END_REASON_KILLED);
		return STATUS_OK;
	default:
		return STATUS_NO_METHOD;
	}
}

/* Threads that nobody can start any more. Ending one may end its process, its
 * libOS, and what that held: not from within the drop that made it one. */
static struct thread *orphans;

void thread_reap(void)
{
	while (orphans) {
		struct thread *t = orphans;

		orphans = t->next;
		t->next = NULL;
		if (t->state == THREAD_NEW) /* its process may have been killed since */
			thread_end(t);
		page_free(t);
	}
}

static void thread_destroy(struct object *o)
{
	struct thread *t = thread_of(o);

	if (t->state != THREAD_NEW) {
		page_free(t);
		return;
	}
	t->next = orphans;
	orphans = t;
}

const struct object_type thread_type = {
	"thread", THREAD_ID, thread_call, thread_destroy,
};
