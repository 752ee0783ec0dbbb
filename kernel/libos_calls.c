/* libos_calls.c: the interface Libos (abi/libos.capnp). */
#include "abi/libos.capnp.h"
#include "abi/module.h"
#include "abi/process.capnp.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/image.h"
#include "kernel/inspector.h"
#include "kernel/libos.h"
#include "kernel/log.h"
#include "kernel/messages.h"
#include "kernel/panic.h"
#include "kernel/sched.h"
#include "kernel/string.h"
#include "kernel/trace.h"

/* -- its domain -------------------------------------------------------------------- */

/* What the exokernel itself names in a libOS's CapSet, with its first process. */
static const char *const own_names[] = {"libos", "self", "space", "thread", "inspector",
                                        "module", "modules"};

static bool is_own_name(struct capnp_text name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(own_names); i++)
		if (strlen(own_names[i]) == name.length &&
		    memcmp(own_names[i], name.bytes, name.length) == 0)
			return true;
	return false;
}

enum status libos_grant(struct libos *l, struct call *call, struct capnp_text name,
                        uint32_t index)
{
	if (l->used)
		return call_refuse(call, STATUS_DENIED, "it has had a process");
	if (is_own_name(name))
		return call_refuse(call, STATUS_EXISTS, "the exokernel gives that name");
	if (l->domain->capset->count >= CAPSET_MAX - ARRAY_SIZE(own_names))
		return STATUS_NO_SLOT;
	if (index >= call->caps_count)
		return STATUS_NO_CAP;
	object_hold(call->caps[index]);
	return domain_grant(l->domain, name.bytes, name.length, call->caps[index]);
}

static enum status call_grant(struct libos *l, struct call *call)
{
	struct libos_grant_params_reader params = {call->params};
	struct capnp_text name;
	uint32_t index;
	enum status status = libos_grant_params_get_name(params, &name);

	if (!status && libos_grant_params_get_object(params, &index))
		status = STATUS_NO_CAP;
	return status ? status : libos_grant(l, call, name, index);
}

/* With its first process. Room was kept in the CapSet (libos_grant) and in the table
 * (domain_reserve). */
static void grant_own(struct libos *l, struct process *p)
{
	struct object *const own[ARRAY_SIZE(own_names)] = {
		&l->object, &p->object, &p->space->object, thread_control_object(),
		inspector_object(),
		l->region ? &l->region->object : NULL,
		l->messages ? message_buffer_object(l->messages) : NULL,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(own_names) && !l->used; i++) {
		if (!own[i])
			continue;
		object_hold(own[i]);
		if (domain_grant(l->domain, own_names[i], strlen(own_names[i]), own[i]))
			panic("a reserved place in a CapSet is gone");
	}
	object_drop(own[3]); /* thread_control_object() took one for us, */
	object_drop(own[4]); /* and so did inspector_object() */
	l->used = true;
}

/* -- a new process ------------------------------------------------------------------- */

static struct thread_start first_start(const struct libos *l, uint64_t argument)
{
	return (struct thread_start){
		.entry = l->head_start,
		.stack = l->head_stack,
		.argument = argument,
		.module_stack = l->head_stack,
		.ring = MODULE_FIRST_RING,
	};
}

static bool start_in_region(const struct thread_start *s)
{
	return s->stack > MODULE_BASE && s->stack <= MODULE_CAPSET &&
	       s->module_stack > MODULE_BASE + PAGE_SIZE && s->module_stack <= MODULE_CAPSET &&
	       s->module_stack % sizeof(struct module_trap) == 0;
}

/* With an empty module, nobody but its first process could use what the libOS
 * holds. */
static enum status give_domain(struct libos *l, struct process *p)
{
	enum status status = domain_reserve(l->domain, ARRAY_SIZE(own_names));

	return status || l->region || l->used ? status : process_use_domain(p, l->domain);
}

/* A process and its first thread; entry 0 stands for the module's own start. */
static enum status spawn(struct libos *l, struct thread_start start, uint32_t pid,
                         struct process **process, struct thread **thread)
{
	enum status status;

	if (start.entry == 0 && l->region)
		start = first_start(l, start.argument);
	if (l->region && !start_in_region(&start))
		return STATUS_INVALID;
	status = process_create(l, pid, process);
	if (status)
		return status;
	status = give_domain(l, *process);
	if (!status)
		status = thread_create(*process, &start, thread);
	if (status) {
		object_drop(&(*process)->object);
		return status;
	}
	grant_own(l, *process);
	return STATUS_OK;
}

static enum status call_spawn(struct libos *l, struct call *call)
{
	struct libos_spawn_params_reader params = {call->params};
	struct libos_spawn_results_builder results;
	struct thread_start_reader start;
	struct process *process;
	struct thread *thread;
	enum status status = libos_spawn_params_get_start(params, &start);

	if (!status) /* what has begun cannot be taken back */
		status = domain_grow(call->domain, 3);
	if (!status)
		status = spawn(l, thread_read_start(start), libos_spawn_params_get_pid(params),
		               &process, &thread);
	if (status)
		return status;
	results = libos_spawn_results_build(&call->results);
	libos_spawn_results_set_process(results, call_answer_cap(call, &process->object));
	object_hold(&process->space->object);
	libos_spawn_results_set_space(results,
	                              call_answer_cap(call, &process->space->object));
	libos_spawn_results_set_thread(results, call_answer_cap(call, &thread->object));
	libos_spawn_results_set_pid(results, process->pid);
	return STATUS_OK;
}

static enum status call_thread(struct libos *l, struct call *call)
{
	struct libos_thread_params_reader params = {call->params};
	struct thread_start_reader start;
	struct process *process;
	uint32_t index;
	enum status status = libos_thread_params_get_start(params, &start);

	if (status)
		return status;
	if (libos_thread_params_get_process(params, &index))
		return STATUS_NO_CAP;
	process = (struct process *)call_cap(call, index, &process_type);
	if (!process)
		return STATUS_NO_CAP;
	if (process->libos != l)
		return STATUS_DENIED;
	return process_answer_thread(process, start, call);
}
_Static_assert((int)LIBOS_THREAD_RESULTS_DATA_WORDS == (int)PROCESS_THREAD_RESULTS_DATA_WORDS &&
               (int)LIBOS_THREAD_RESULTS_POINTERS == (int)PROCESS_THREAD_RESULTS_POINTERS,
               "one answer for both");

/* -- the second stage ----------------------------------------------------------------- */

struct move {
	struct libos *to;
	struct process *from;
	struct memobject *program; /* NULL with a module */
	uint64_t size, argument;
	uint32_t pid;
	bool same_pid;
};

static enum status read_move(struct libos *l, struct call *call, struct move *m)
{
	struct libos_become_params_reader params = {call->params};
	uint32_t index;

	*m = (struct move){
		.to = l,
		.from = call->thread->process,
		.size = libos_become_params_get_size(params),
		.argument = libos_become_params_get_argument(params),
		.pid = libos_become_params_get_pid(params),
	};
	m->same_pid = m->from->pids == l->pids && (m->pid == 0 || m->pid == m->from->pid);
	if (!libos_become_params_has_program(params))
		return STATUS_OK;
	if (libos_become_params_get_program(params, &index))
		return STATUS_NO_CAP;
	m->program = (struct memobject *)call_cap(call, index, &memobject_type);
	return m->program ? STATUS_OK : STATUS_NO_CAP;
}

/* A program's entries are also served while its thread is elsewhere: looked at
 * (poll.h), or chained. Then the module may hold its locks, and could not be told. It
 * is told once, and needs time of its own to see to it. */
static bool may_leave(const struct thread *t)
{
	return t == this_cpu->current && (t->regs.cs & 3) == 3 && !t->end_reason &&
	       t->own_context == &t->first;
}

static enum status move_allowed(const struct move *m, struct call *call)
{
	const struct process *p = m->from;

	if (m->to == p->libos)
		return call_refuse(call, STATUS_INVALID, "that is the libOS it is under");
	if (call->ring != RING_PROGRAM)
		return call_refuse(call, STATUS_DENIED, "a program moves, not its module");
	if (!m->program != !!m->to->region)
		return call_refuse(call, STATUS_INVALID, m->to->region ? "its module brings the program"
		                                                       : "no program to go on with");
	if (m->to->region && m->to->used)
		return call_refuse(call, STATUS_DENIED, "its module has begun already");
	if (p->pid == 1 && p->pids == &pids && !m->same_pid)
		return call_refuse(call, STATUS_INVALID, "PID 1 stays what it is");
	if (p->thread_count != 1 || (p->space->module && !may_leave(call->thread)))
		return call_refuse(call, STATUS_BUSY, "other threads, or not in its program");
	if (!call->thread->own_context)
		return call_refuse(call, STATUS_BUDGET, "the thread has no time of its own");
	return STATUS_OK;
}

/* The process as it will be, all but its PID if that is to stay the same. */
static enum status make_successor(const struct move *m, struct process **process,
                                  struct thread **thread)
{
	struct thread_start start = {
		.stack = PROGRAM_STACK_TOP, .argument = m->argument,
	};
	enum status status;

	if (m->to->region) {
		start = first_start(m->to, m->argument);
		if (!start_in_region(&start))
			return STATUS_INVALID;
	}
	status = process_create(m->to, m->same_pid ? 0 : m->pid, process);
	if (status)
		return status;
	status = give_domain(m->to, *process);
	if (!status && m->program)
		status = image_load_program((*process)->space, m->program, m->size, &start.entry);
	if (!status)
		status = thread_create(*process, &start, thread);
	if (status)
		object_drop(&(*process)->object);
	return status;
}

/* All that can fail comes first; then the old process ends, or its module is told
 * to end it, and the new one starts. The caller's program runs no more: nobody is
 * left to be answered. */
static enum status call_become(struct libos *l, struct call *call)
{
	struct process *successor;
	struct thread *thread;
	struct libos *old = call->thread->process->libos;
	struct move m;
	enum status status = read_move(l, call, &m);

	if (!status)
		status = move_allowed(&m, call);
	if (!status)
		status = make_successor(&m, &successor, &thread);
	if (status)
		return status;
	log_line("PID %u: from libOS %s to %s", m.from->pid, old->id, l->id);
	trace_unanswered(call->thread);
	grant_own(l, successor);
	if (m.same_pid)
		process_swap_pids(m.from, successor);
	if (successor->pid == 1 && !old->loader && successor->pids == &pids)
		libos_inherit(old, l);
	sched_succeed(call->thread, thread);
	if (thread_start(thread))
		panic("a new thread does not start");
	object_drop(&thread->object);
	object_drop(&successor->object);
	thread_leave(call->thread, 0, END_REASON_MOVED);
	return CALL_PENDING;
}

static enum status libos_call(struct object *o, struct call *call)
{
	struct libos *l = (struct libos *)o;
	struct libos_space_results_builder results;

	if (!l->domain || l->failed)
		return STATUS_GONE;
	switch (call->method) {
	case LIBOS_GRANT:
		return call_grant(l, call);
	case LIBOS_BECOME:
		return call_become(l, call);
	case LIBOS_SPACE:
		if (!l->region)
			return STATUS_NOT_FOUND;
		object_hold(&l->region->object);
		results = libos_space_results_build(&call->results);
		libos_space_results_set_space(results,
		                              call_answer_cap(call, &l->region->object));
		return STATUS_OK;
	case LIBOS_SPAWN:
		return call_spawn(l, call);
	case LIBOS_THREAD:
		return call_thread(l, call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void libos_destroy(struct object *o)
{
	struct libos *l = (struct libos *)o;

	block_free(l, sizeof(*l), l->ledger);
}

const struct object_type libos_type = {
	.name = "libOS",
	.interface = LIBOS_ID,
	.call = libos_call,
	.destroy = libos_destroy,
};
