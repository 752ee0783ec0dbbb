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

/* Under the libOS, and at its cost. */
static enum status create(struct libos *libos, uint32_t pid, struct ledger *ledger,
                          struct process **out)
{
	struct libos *payer = libos->isolated ? NULL : libos;
	struct process *p;
	uint32_t taken;

	if (libos->isolated && !libos->pids->slots[1] && pid != 1)
		return STATUS_INVALID;
	taken = take_pid(libos->pids, pid);
	if (!taken)
		return pid ? STATUS_EXISTS : STATUS_NO_SLOT;
	if (payer && libos_take_pid(payer))
		return STATUS_NO_SLOT;
	p = allocate(libos, ledger);
	if (!p) {
		if (payer)
			libos_return_pid(payer);
		return STATUS_NO_MEMORY;
	}
	p->pid_payer = payer;
	libos_enter(libos, p);
	p->pids = libos->pids;
	p->pid = taken;
	p->pids->slots[taken] = p;
	*out = p;
	return STATUS_OK;
}

void process_swap_pids(struct process *a, struct process *b)
{
	uint32_t pid = a->pid;

	KASSERT(a->pids == b->pids);
	a->pid = b->pid;
	b->pid = pid;
	a->pids->slots[a->pid] = a;
	b->pids->slots[b->pid] = b;
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
 * look at what its libOS holds, whatever that thinks of it. And it sees what it has. */
static enum status furnish(struct process *p, struct domain *d)
{
	enum status status = domain_grant(d, "thread", 6, thread_control_object());

	if (!status)
		status = domain_grant(d, "inspector", 9, inspector_object());
	return status ? status : show_capset(p, d);
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
	status = furnish(p, d);
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
	status = furnish(p, domain);
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

static void tell_end(const struct process *p, struct capnp_builder *b)
{
	struct process_wait_results_builder results = process_wait_results_build(b);

	process_wait_results_set_code(results, p->end_code);
	process_wait_results_set_reason(results, p->end_reason);
}

static void answer_wait(const struct process *p, struct pending *waiter)
{
	uint64_t message[4];
	struct capnp_builder b;

	capnp_builder_start(&b, message, sizeof(message));
	tell_end(p, &b);
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
	uint64_t at = r->module_stack - sizeof(struct module_trap);
	struct module_trap *to;

	if ((r->cs & 3) != 3 || !r->module_stack)
		return;
	KASSERT(at % sizeof(*to) == 0); /* so it lies within one page */
	to = space_reach(t->process->space->module, at, true);
	if (!to) {
		process_fault(t, 14, 0, at);
		return;
	}
	to->address = (uint32_t)t->end_code;
	to->vector = t->left ? MODULE_VECTOR_LEFT : MODULE_VECTOR_INTERRUPT;
	to->error = t->end_reason;
	to->rip = r->rip;
	to->cs = r->cs;
	to->rflags = r->rflags;
	to->rsp = r->rsp;
	to->ss = r->ss;
	t->interrupted = t->left = false;
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
	struct pending *waiter;

	if (!p->libos) {
		tell_end(p, &call->results);
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

/* What `from` still holds of what its CapSet names, under names that are free. */
static enum status inherit(struct process *p, const struct process *from)
{
	const struct domain *d = from ? from->domain : NULL;
	enum status status = from ? STATUS_OK : STATUS_INVALID;

	for (uint32_t i = 0; d && i < d->capset->count && !status; i++) {
		const struct capset_entry *e = &d->capset->entries[i];
		struct object *o = captable_lookup(&d->table, e->cap);

		if (!o)
			continue;
		object_hold(o);
		status = domain_grant(p->domain, e->name, strlen(e->name), o);
		if (status == STATUS_EXISTS || status == STATUS_GONE)
			status = STATUS_OK;
	}
	return status;
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
	if (name.length == 0)
		return inherit(p, (struct process *)call_cap(call, index, &process_type));
	object_hold(call->caps[index]);
	return domain_grant(p->domain, name.bytes, name.length, call->caps[index]);
}

enum status process_answer_thread(struct process *p, struct thread_start_reader reader,
                                  struct call *call)
{
	struct thread_start start = thread_read_start(reader);
	struct thread *thread;
	enum status status = thread_create(p, &start, &thread);

	if (!status)
		process_thread_results_set_thread(process_thread_results_build(&call->results),
		                                  call_answer_cap(call, &thread->object));
	return status;
}

static enum status call_thread(struct process *p, struct call *call)
{
	struct process_thread_params_reader params = {call->params};
	struct thread_start_reader start;
	enum status status = process_thread_params_get_start(params, &start);

	if (status)
		return status;
	if (!p->libos)
		return call_refuse(call, STATUS_GONE, "the process has ended");
	if (p->space->module)
		return call_refuse(call, STATUS_DENIED, "its libOS makes its threads");
	return process_answer_thread(p, start, call);
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
	if (p->pids) /* NULL: its libOS has taken the table along */
		p->pids->slots[p->pid] = NULL;
	if (p->pid_payer)
		libos_return_pid(p->pid_payer);
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
