/* process.c: see process.h. */
#include "kernel/process.h"

#include "abi/module.h"
#include "abi/process.capnp.h"
#include "kernel/arch/x86_64/power.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/inspector.h"
#include "kernel/libos.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/sched.h"
#include "kernel/string.h"

enum { STATUS_PID1_LOST = 255 };

static struct process *pid_slots[PID_COUNT];
struct pid_table pids = {pid_slots, PID_COUNT, 1};

static uint32_t take_pid(struct pid_table *table, uint32_t wanted)
{
	if (wanted)
		return wanted < table->count && !table->slots[wanted] ? wanted : 0;
	for (uint32_t i = 0; i < table->count; i++) {
		uint32_t pid = table->next;

		table->next = pid + 1 < table->count ? pid + 1 : 1;
		if (pid && !table->slots[pid])
			return pid;
	}
	return 0;
}

/* The structure, with an address space and nothing else. */
static struct process *allocate(struct libos *libos, struct ledger *ledger)
{
	struct process *p = block_alloc(ledger, sizeof(*p));

	if (!p)
		return NULL;
	p->space = space_create(ledger, libos->region);
	if (!p->space) {
		block_free(p, sizeof(*p), ledger);
		return NULL;
	}
	object_init(&p->object, &process_type);
	p->ledger = p->thread_ledger = ledger;
	return p;
}

/* Under the libOS, and at its cost, but not in a table of PIDs. */
static enum status enlist(struct libos *libos, struct ledger *ledger, struct process **out)
{
	struct process *p;

	if (!libos->isolated && libos_take_pid(libos))
		return STATUS_NO_SLOT;
	p = allocate(libos, ledger);
	if (!p) {
		if (!libos->isolated)
			libos_return_pid(libos);
		return STATUS_NO_MEMORY;
	}
	p->pid_payer = libos->isolated ? NULL : libos;
	libos_enter(libos, p);
	*out = p;
	return STATUS_OK;
}

static enum status create(struct libos *libos, uint32_t pid, struct ledger *ledger,
                          struct process **out)
{
	enum status status;
	uint32_t taken;

	if (libos->isolated && !libos->pids->slots[1] && pid != 1)
		return STATUS_INVALID;
	taken = take_pid(libos->pids, pid);
	if (!taken)
		return pid ? STATUS_EXISTS : STATUS_NO_SLOT;
	status = enlist(libos, ledger, out);
	if (status)
		return status;
	(*out)->pids = libos->pids;
	(*out)->pid = taken;
	libos->pids->slots[taken] = *out;
	return STATUS_OK;
}

enum status process_create_successor(struct libos *libos, struct process **out)
{
	return enlist(libos, libos->domain->ledger, out);
}

static void return_pid(struct process *p)
{
	if (p->pid_payer)
		libos_return_pid(p->pid_payer);
	p->pid_payer = NULL;
	p->pids = NULL;
}

void process_succeed(struct process *old, struct process *p)
{
	KASSERT(!p->pids && old->pids == p->libos->pids);
	p->pid = old->pid;
	p->pids = old->pids;
	p->pids->slots[p->pid] = p;
	return_pid(old);
}

enum status process_create(struct libos *libos, uint32_t pid, struct process **out)
{
	return create(libos, pid, libos->domain->ledger, out);
}

/* A program finds its CapSet and its rings at the top of its half. */
static enum status show_capset(struct process *p, const struct domain *d)
{
	return space_map_frame(p->space, PROGRAM_CAPSET, virt_to_frame(d->capset),
	                       PTE_PRESENT | PTE_USER | PTE_NX);
}

enum status process_use_domain(struct process *p, struct domain *d)
{
	enum status status = show_capset(p, d);

	if (status)
		return status;
	domain_hold(d);
	p->domain = d;
	return STATUS_OK;
}

/* What every program may do without being granted it: see to its own thread, and
 * look at what its libOS holds, whatever that thinks of it. */
static enum status grant_basics(struct domain *d)
{
	enum status status = domain_grant(d, "thread", 6, thread_control_object());

	return status ? status : domain_grant(d, "inspector", 9, inspector_object());
}

enum status process_need_domain(struct process *p)
{
	struct domain *d;
	enum status status;

	if (p->domain)
		return STATUS_OK;
	d = domain_create(p->thread_ledger, PROGRAM_DOMAIN_BYTES);
	if (!d)
		return STATUS_NO_MEMORY;
	status = grant_basics(d);
	if (!status)
		status = show_capset(p, d);
	if (status)
		domain_drop(d);
	else
		p->domain = d;
	return status;
}

enum status process_create_native(struct process *maker, uint32_t pid, struct domain *domain,
                                  struct process **out)
{
	struct process *p;
	enum status status = create(maker->libos, pid, domain->ledger, &p);

	if (status)
		return status;
	status = grant_basics(domain);
	if (!status)
		status = show_capset(p, domain);
	if (status) {
		object_drop(&p->object);
		return status;
	}
	p->domain = domain;
	p->maker = maker;
	p->next_unstarted = maker->unstarted;
	maker->unstarted = p;
	*out = p;
	return STATUS_OK;
}

/* Nobody answers for it any more: it has started or ended. */
static void leave_maker(struct process *p)
{
	struct process **link;

	if (!p->maker)
		return;
	link = &p->maker->unstarted;
	while (*link != p)
		link = &(*link)->next_unstarted;
	*link = p->next_unstarted;
	p->maker = NULL;
}

void process_started(struct process *p)
{
	if (p->started)
		return;
	p->started = true;
	leave_maker(p);
	libos_started(p->libos);
}

static void answer_wait(const struct process *p, struct pending *waiter)
{
	uint64_t message[4];
	struct capnp_builder b;
	struct process_wait_results_builder results;

	capnp_builder_start(&b, message, sizeof(message));
	results = process_wait_results_build(&b);
	process_wait_results_set_code(results, p->end_code);
	process_wait_results_set_reason(results, p->end_reason);
	pending_answer(waiter, STATUS_OK, message, (uint32_t)capnp_builder_size(&b));
}

/* What a process without threads gives back at once, whoever still names it. */
static void let_go(struct process *p)
{
	struct libos *libos = p->libos;

	leave_maker(p);
	if (p->domain)
		domain_drop(p->domain);
	p->domain = NULL;
	object_drop(&p->space->object);
	p->space = NULL;
	p->libos = NULL;
	libos_leave(libos, p);
}

static void end(struct process *p)
{
	while (p->waiting.head) {
		struct pending *waiter = p->waiting.head;

		pending_unlink(&p->waiting, waiter);
		answer_wait(p, waiter);
		object_drop(&p->object); /* the caller of this holds it too */
	}
	if (p->pid == 1 && p->pids == &pids) {
		if (p->end_reason != END_REASON_EXITED)
			log_line("PID 1 has ended: nothing is left to do");
		power_off(p->end_reason == END_REASON_EXITED ? (uint32_t)p->end_code :
		                                               STATUS_PID1_LOST);
	}
	while (p->unstarted) {
		struct process *unstarted = p->unstarted;

		leave_maker(unstarted); /* it may end later */
		process_kill(unstarted, -1, END_REASON_KILLED);
	}
	let_go(p);
}

void process_remove_thread(struct process *p, struct thread *t)
{
	struct thread **link = &p->threads;

	while (*link != t)
		link = &(*link)->next_in_process;
	*link = t->next_in_process;
	if (--p->thread_count == 0) {
		p->end_code = t->end_code;
		if (p->end_reason == END_REASON_EXITED)
			p->end_reason = t->end_reason;
		end(p);
	}
	object_drop(&p->object);
}

void process_kill(struct process *p, int32_t code, uint32_t reason)
{
	struct thread *t = p->threads;

	if (!p->libos)
		return; /* it has ended: how stays as it was */
	if (!p->end_reason)
		p->end_reason = reason;
	object_hold(&p->object);
	while (t) {
		struct thread *next = t->next_in_process;

		thread_kill(t, code, reason);
		t = next;
	}
	object_drop(&p->object);
}

static const char *vector_name(uint32_t vector)
{
	static const char *const names[] = {
		"divide error", "debug trap", "NMI", "breakpoint", "overflow",
		"bound range", "invalid instruction", "no FPU", "double fault", "",
		"invalid TSS", "segment not present", "stack fault",
		"general protection fault", "page fault", "", "x87 error",
		"alignment check", "machine check", "SIMD error",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : "interrupt";
}

void process_fault(struct thread *t, uint32_t vector, uint32_t error, uint64_t address)
{
	struct process *p = t->process;
	unsigned ring = t->regs.cs & 3;

	p->fault_vector = vector;
	p->fault_error = error;
	p->fault_address = address;
	p->fault_instruction = t->regs.rip;
	log_line("process %u (%s) ended: %s in ring %u at %lx, error %x, address %lx", p->pid,
	         p->libos->id, vector_name(vector), ring, t->regs.rip, error, address);
	process_kill(p, -1, END_REASON_FAULTED);
	/* Under a module, what a program does is the module's to judge. So this was
	 * the module, or the gate on a stack of the module's. */
	if (p->space && p->space->module)
		libos_fail(p->libos);
}

/* As the gate does for a trap, but from here: the module's trap entry, with the
 * interrupted registers on the module stack. */
void process_deliver_interrupt(struct thread *t)
{
	struct thread_regs *r = &t->regs;
	struct module_trap trap = {
		.vector = MODULE_VECTOR_INTERRUPT,
		.rip = r->rip, .cs = r->cs, .rflags = r->rflags, .rsp = r->rsp, .ss = r->ss,
	};
	uint64_t at = r->module_stack - sizeof(trap);
	struct module_trap *to;

	if ((r->cs & 3) != 3 || !r->module_stack)
		return;
	KASSERT(at % sizeof(trap) == 0); /* so it lies within one page */
	to = space_reach(t->process->space->module, at, true);
	if (!to) {
		process_fault(t, 14, 0, at);
		return;
	}
	*to = trap;
	t->interrupted = false;
	r->rip = t->process->module_trap;
	r->cs = SEL_MODULE_CODE;
	r->ss = SEL_MODULE_DATA;
	r->rsp = at;
	r->rflags = (r->rflags & ~(RFLAGS_TF | RFLAGS_NT)) | RFLAGS_AC;
}

static enum status answer_info(struct process *p, struct call *call)
{
	struct process_info_results_builder results =
		process_info_results_build(&call->results);

	process_info_results_set_pid(results, p->pid);
	process_info_results_set_threads(results, p->thread_count);
	process_info_results_set_libos(results,
	                               capnp_text_from(p->libos ? p->libos->id : ""));
	return STATUS_OK;
}

static void cancel_wait(struct pending *waiter)
{
	struct process *p = (struct process *)waiter->argument;

	pending_unlink(&p->waiting, waiter);
	pending_free(waiter);
	object_drop(&p->object);
}

static enum status answer_now_or_later(struct process *p, struct call *call)
{
	struct process_wait_results_builder results;
	struct pending *waiter;

	if (!p->libos) {
		results = process_wait_results_build(&call->results);
		process_wait_results_set_code(results, p->end_code);
		process_wait_results_set_reason(results, p->end_reason);
		return STATUS_OK;
	}
	if (pending_count(&p->waiting) == PENDING_QUEUE_MOST)
		return call_refuse(call, STATUS_BUSY, "1,024 wait already");
	waiter = pending_create(call, cancel_wait);
	if (!waiter)
		return STATUS_NO_MEMORY;
	waiter->argument = (uint64_t)p;
	object_hold(&p->object); /* the capability may be released meanwhile */
	pending_append(&p->waiting, waiter);
	return CALL_PENDING;
}

static enum status answer_fault(struct process *p, struct call *call)
{
	struct process_fault_results_builder results =
		process_fault_results_build(&call->results);

	if (p->end_reason != END_REASON_FAULTED)
		return STATUS_NOT_FOUND;
	process_fault_results_set_vector(results, p->fault_vector);
	process_fault_results_set_error(results, p->fault_error);
	process_fault_results_set_address(results, p->fault_address);
	process_fault_results_set_instruction(results, p->fault_instruction);
	return STATUS_OK;
}

static enum status call_grant(struct process *p, struct call *call)
{
	struct process_grant_params_reader params = {call->params};
	struct capnp_text name;
	uint32_t index;
	enum status status = process_grant_params_get_name(params, &name);

	if (status)
		return status;
	if (!p->libos)
		return call_refuse(call, STATUS_GONE, "the process has ended");
	if (p->started && !p->space->module)
		return call_refuse(call, STATUS_DENIED, "the program has started");
	if (process_grant_params_get_object(params, &index) || index >= call->caps_count)
		return call_refuse(call, STATUS_NO_CAP, "no capability came along");
	status = process_need_domain(p);
	if (status)
		return status;
	object_hold(call->caps[index]);
	return domain_grant(p->domain, name.bytes, name.length, call->caps[index]);
}

static enum status call_thread(struct process *p, struct call *call)
{
	struct process_thread_params_reader params = {call->params};
	struct thread_start_reader reader;
	struct thread_start start;
	struct thread *thread;
	enum status status = process_thread_params_get_start(params, &reader);

	if (status)
		return status;
	if (!p->libos)
		return call_refuse(call, STATUS_GONE, "the process has ended");
	if (p->space->module)
		return call_refuse(call, STATUS_DENIED, "its libOS makes its threads");
	start = thread_read_start(reader);
	status = thread_create(p, &start, &thread);
	if (status)
		return status;
	process_thread_results_set_thread(process_thread_results_build(&call->results),
	                                  call_answer_cap(call, &thread->object));
	return STATUS_OK;
}

/* The facet: it names the process and lacks the methods that put things in. */
struct process_handle {
	struct object object;
	struct process *process;
	struct ledger *ledger;
};

static enum status call_handle(struct process *p, struct call *call)
{
	struct ledger *ledger = call->domain->ledger;
	struct process_handle *h = block_alloc(ledger, sizeof(*h));

	if (!h)
		return STATUS_NO_MEMORY;
	object_init(&h->object, &process_handle_type);
	h->process = p;
	h->ledger = ledger;
	object_hold(&p->object);
	process_handle_results_set_handle(process_handle_results_build(&call->results),
	                                  call_answer_cap(call, &h->object));
	return STATUS_OK;
}

/* What Process and ProcessHandle have in common, under the same numbers. */
static enum status watch_call(struct process *p, struct call *call)
{
	struct process_kill_params_reader kill = {call->params};

	switch (call->method) {
	case PROCESS_INFO:
		return answer_info(p, call);
	case PROCESS_KILL:
		process_kill(p, process_kill_params_get_code(kill), END_REASON_KILLED);
		return STATUS_OK;
	case PROCESS_WAIT:
		return answer_now_or_later(p, call);
	case PROCESS_FAULT:
		return answer_fault(p, call);
	default:
		return STATUS_NO_METHOD;
	}
}
_Static_assert((int)PROCESS_INFO == (int)PROCESS_HANDLE_INFO &&
               (int)PROCESS_KILL == (int)PROCESS_HANDLE_KILL &&
               (int)PROCESS_WAIT == (int)PROCESS_HANDLE_WAIT &&
               (int)PROCESS_FAULT == (int)PROCESS_HANDLE_FAULT, "watch_call");

static enum status process_call(struct object *o, struct call *call)
{
	struct process *p = (struct process *)o;

	switch (call->method) {
	case PROCESS_GRANT:
		return call_grant(p, call);
	case PROCESS_THREAD:
		return call_thread(p, call);
	case PROCESS_HANDLE:
		return call_handle(p, call);
	default:
		return watch_call(p, call);
	}
}

static enum status handle_call(struct object *o, struct call *call)
{
	return watch_call(((struct process_handle *)o)->process, call);
}

static void handle_destroy(struct object *o)
{
	struct process_handle *h = (struct process_handle *)o;

	object_drop(&h->process->object);
	block_free(h, sizeof(*h), h->ledger);
}

/* A process that never had a thread still has all it was made with. */
static void process_destroy(struct object *o)
{
	struct process *p = (struct process *)o;

	if (p->libos)
		let_go(p);
	if (p->pids) /* NULL: its libOS has taken the table along, or it has moved */
		p->pids->slots[p->pid] = NULL;
	return_pid(p);
	block_free(p, sizeof(*p), p->ledger);
}

const struct object_type process_type = {
	.name = "process",
	.interface = PROCESS_ID,
	.call = process_call,
	.destroy = process_destroy,
};

const struct object_type process_handle_type = {
	.name = "process handle",
	.interface = PROCESS_HANDLE_ID,
	.call = handle_call,
	.destroy = handle_destroy,
};
