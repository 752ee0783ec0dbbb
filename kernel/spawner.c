/* spawner.c: see spawner.h and abi/spawner.capnp.
 *
 * All that a process is made of is charged to a ledger of its own, cut from the
 * one that pays: what its end does not give back would be missing there. */
#include "kernel/spawner.h"

#include "abi/spawner.capnp.h"
#include "kernel/domain.h"
#include "kernel/ledger.h"
#include "kernel/libos.h"
#include "kernel/process.h"

struct request {
	struct thread_start start;
	uint64_t bytes;
	uint32_t pid;
	struct ledger *payer;
};

/* The ledger that came along, or the caller's own. NULL: what came is none. */
static struct ledger *find_payer(struct call *call, struct process_spawner_create_params_reader p)
{
	uint32_t index;

	if (!process_spawner_create_params_has_ledger(p))
		return call->domain->ledger;
	return process_spawner_create_params_get_ledger(p, &index) ? NULL :
	                                                             ledger_that_came(call, index);
}

static enum status read_request(struct call *call, struct request *r)
{
	struct process_spawner_create_params_reader params = {call->params};
	struct thread_start_reader start;
	enum status status = process_spawner_create_params_get_start(params, &start);

	if (status)
		return status;
	*r = (struct request){
		.start = thread_read_start(start),
		.bytes = process_spawner_create_params_get_bytes(params),
		.pid = process_spawner_create_params_get_pid(params),
		.payer = find_payer(call, params),
	};
	return r->payer ? STATUS_OK : STATUS_NO_CAP;
}

/* Takes over the reference on `domain`. */
static enum status make_process(struct process *maker, struct domain *domain,
                                const struct request *r, struct process **process,
                                struct thread **thread)
{
	enum status status = process_create_native(maker, r->pid, domain, process);

	if (status) {
		domain_drop(domain);
		return status;
	}
	status = thread_create(*process, &r->start, thread);
	if (status)
		object_drop(&(*process)->object);
	return status;
}

static void answer(struct call *call, struct process *process, struct thread *thread)
{
	struct process_spawner_create_results_builder results =
		process_spawner_create_results_build(&call->results);

	process_spawner_create_results_set_process(results,
	                                           call_answer_cap(call, &process->object));
	object_hold(&process->space->object);
	process_spawner_create_results_set_space(
		results, call_answer_cap(call, &process->space->object));
	process_spawner_create_results_set_thread(results,
	                                          call_answer_cap(call, &thread->object));
	process_spawner_create_results_set_pid(results, process->pid);
}

static enum status call_create(struct call *call)
{
	struct process *maker = call->thread->process;
	struct process *process;
	struct thread *thread;
	struct domain *domain;
	struct request r;
	enum status status = read_request(call, &r);

	if (status)
		return status;
	if (maker->libos->region)
		return call_refuse(call, STATUS_DENIED, "under a module, its libOS makes processes");
	if (maker->libos->failed)
		return STATUS_GONE;
	domain = domain_create(r.payer, r.bytes);
	if (!domain)
		return call_refuse(call, STATUS_NO_MEMORY, "no ledger of that size");
	status = make_process(maker, domain, &r, &process, &thread);
	if (!status)
		answer(call, process, thread);
	return status;
}

static enum status spawner_call(struct object *o, struct call *call)
{
	(void)o;
	return call->method == PROCESS_SPAWNER_CREATE ? call_create(call) : STATUS_NO_METHOD;
}

static void spawner_destroy(struct object *o)
{
	(void)o;
	panic("the process spawner lost its last reference");
}

const struct object_type spawner_type = {
	.name = "process spawner",
	.interface = PROCESS_SPAWNER_ID,
	.call = spawner_call,
	.destroy = spawner_destroy,
};

struct object *spawner_object(void)
{
	static struct object object = {.type = &spawner_type, .refs = 1};

	object_hold(&object);
	return &object;
}
