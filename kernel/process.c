/* process.c: see process.h. */
#include "kernel/process.h"

#include "abi/module.h"
#include "abi/process.capnp.h"
#include "kernel/arch/x86_64/power.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
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

enum status process_create(struct libos *libos, uint32_t pid, struct process **out)
{
	struct ledger *ledger = libos->domain->ledger;
	struct process *p;
	uint32_t taken;

	if (libos->isolated && !libos->pids->slots[1] && pid != 1)
		return STATUS_INVALID;
	taken = take_pid(libos->pids, pid);
	if (!taken)
		return pid ? STATUS_EXISTS : STATUS_NO_SLOT;
	p = block_alloc(ledger, sizeof(*p));
	if (!p)
		return STATUS_NO_MEMORY;
	p->space = space_create(ledger, libos->region);
	if (!p->space) {
		block_free(p, sizeof(*p), ledger);
		return STATUS_NO_MEMORY;
	}
	object_init(&p->object, &process_type);
	p->ledger = ledger;
	p->pids = libos->pids;
	p->pid = taken;
	p->pids->slots[taken] = p;
	libos_enter(libos, p);
	*out = p;
	return STATUS_OK;
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

static void end(struct process *p)
{
	struct libos *libos = p->libos;

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
	if (p->domain)
		domain_drop(p->domain);
	p->domain = NULL;
	object_drop(&p->space->object);
	p->space = NULL;
	p->libos = NULL;
	libos_leave(libos);
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

static enum status process_call(struct object *o, struct call *call)
{
	struct process *p = (struct process *)o;
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

/* A process that never had a thread still has all it was made with. */
static void process_destroy(struct object *o)
{
	struct process *p = (struct process *)o;

	if (p->libos) {
		struct libos *libos = p->libos;

		object_drop(&p->space->object);
		if (p->domain)
			domain_drop(p->domain);
		p->libos = NULL;
		libos_leave(libos);
	}
	if (p->pids) /* NULL: its libOS has taken the table along */
		p->pids->slots[p->pid] = NULL;
	block_free(p, sizeof(*p), p->ledger);
}

const struct object_type process_type = {
	"process", PROCESS_ID, process_call, process_destroy,
};
