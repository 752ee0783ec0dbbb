/* ops_life.h: operations on processes, threads, libOSes and processor time. */
#pragma once

#include "test/boot/chaos/actor.h"

#include "abi/module.h"

enum {
	ACTORS = 4,
	ACTOR_STACK = 8192,
	KILLS_ONE_IN = 5, /* of those that would be: most live for a while */
};

/* How a thread of this program begins that is an actor; and one that only calls
 * cap_enter again and again, on no stack. */
static void start_of_actor(const struct actor *a, struct thread_start_builder start,
                           unsigned number, uint64_t seed);
void chaos_idle(void);
__asm__(".text\n.globl chaos_idle\n"
        "chaos_idle: xorl %eax, %eax\n movl $32, %edi\n movl $9000000, %esi\n syscall\n"
        "jmp chaos_idle\n");

static uint32_t recruited; /* actors of this program that have been begun */

/* -- threads ------------------------------------------------------------------------------- */

static bool op_start(struct actor *a, struct request *q)
{
	return call_chosen(a, q, K_THREAD, THREAD_START, pick_with(a, K_THREAD, one_in(a, 16)));
}

static void started(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	set_info(a, K_THREAD, slot->used[0].held.cap, 1);
}

static bool op_own_thread(struct actor *a, struct request *q)
{
	q->slot->info = 1; /* started */
	return call_on(a, q, K_OWNTHREAD, THREAD_CONTROL_THREAD);
}

static bool op_kill_thread(struct actor *a, struct request *q)
{
	if (!one_in(a, KILLS_ONE_IN) || !call_on(a, q, K_THREAD, THREAD_KILL))
		return false;
	thread_kill_params_set_code(thread_kill_params_build(&q->b), (int32_t)next(a));
	return true;
}

static bool op_thread_tls(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_THREAD, THREAD_SET_TLS))
		return false;
	thread_set_tls_params_set_fs_base(thread_set_tls_params_build(&q->b), below(a, 1ul << 46));
	return true;
}

static bool op_own_tls(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_OWNTHREAD, THREAD_CONTROL_SET_TLS))
		return false;
	thread_control_set_tls_params_set_gs_base(thread_control_set_tls_params_build(&q->b),
	                                          below(a, 1ul << 46));
	return true;
}

/* From then on entries may be consumed at any moment. */
static bool op_poll_ring(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_OWNTHREAD, THREAD_CONTROL_POLL))
		return false;
	thread_control_poll_params_set_every_ns(thread_control_poll_params_build(&q->b),
	                                        one_in(a, 4) ? below(a, 20000) :
	                                                       20000 + below(a, 1000000));
	return true;
}

static bool op_idle_thread(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_PROCESS, PROCESS_THREAD))
		return false;
	struct thread_start_builder start =
		process_thread_params_init_start(process_thread_params_build(&q->b));
	thread_start_set_entry(start, (uintptr_t)chaos_idle);
	thread_start_set_stack(start, ARENA);
	return true;
}

/* One more actor of this process. */
static bool op_recruit(struct actor *a, struct request *q)
{
	struct thread_start_builder start;

	if (recruited >= ACTORS || a->chain_kind || !has(a, K_SELF))
		return false;
	if (a->module) {
		if (!call_on(a, q, K_OWNLIBOS, LIBOS_THREAD))
			return false;
		q->e.interface = LIBOS_ID;
		struct libos_thread_params_builder p = libos_thread_params_build(&q->b);
		libos_thread_params_set_process(p, attach_held(q, K_SELF, pick(a, K_SELF), false));
		start = libos_thread_params_init_start(p);
	} else {
		if (!call_on(a, q, K_SELF, PROCESS_THREAD))
			return false;
		q->e.interface = PROCESS_ID;
		start = process_thread_params_init_start(process_thread_params_build(&q->b));
	}
	unsigned number = __atomic_fetch_add(&recruited, 1, __ATOMIC_SEQ_CST);
	if (number >= ACTORS)
		return false;
	start_of_actor(a, start, number, next(a));
	return true;
}

/* -- processes ------------------------------------------------------------------------------ */

static bool op_kill(struct actor *a, struct request *q)
{
	if (!one_in(a, KILLS_ONE_IN) || !call_on(a, q, K_PROCESS, PROCESS_KILL))
		return false;
	process_kill_params_set_code(process_kill_params_build(&q->b), (int32_t)next(a));
	return true;
}

static bool op_kill_by_handle(struct actor *a, struct request *q)
{
	if (!one_in(a, KILLS_ONE_IN) || !call_on(a, q, K_HANDLE, PROCESS_HANDLE_KILL))
		return false;
	process_handle_kill_params_set_code(process_handle_kill_params_build(&q->b),
	                                    (int32_t)next(a));
	return true;
}

static struct capnp_text some_name(struct actor *a)
{
	static const char *const names[] = { "one", "two", "three", "four", "five", "ledger" };

	return capnp_text_from(names[below(a, sizeof names / sizeof names[0])]);
}

static bool op_grant(struct actor *a, struct request *q)
{
	unsigned kind = some_kind(a);
	if (!call_on(a, q, K_PROCESS, PROCESS_GRANT) || kind == K_NONE)
		return false;
	struct process_grant_params_builder p = process_grant_params_build(&q->b);
	process_grant_params_set_name(p, some_name(a));
	process_grant_params_set_object(p, attach(a, q, kind));
	return true;
}

/* -- libOSes --------------------------------------------------------------------------------- */

static bool op_load(struct actor *a, struct request *q)
{
	char id[] = "chaos-aa";
	if (!call_on(a, q, K_TABLE, LIBOS_TABLE_LOAD))
		return false;
	struct libos_table_load_params_builder p = libos_table_load_params_build(&q->b);
	id[6] = (char)('a' + below(a, 4));
	id[7] = (char)('a' + below(a, 26));
	libos_table_load_params_set_id(p, capnp_text_from(id));
	libos_table_load_params_set_pages(p, 40 + below(a, 150));
	libos_table_load_params_set_timeout_ns(p, below(a, one_in(a, 4) ? 2000000 : 300000000));
	libos_table_load_params_set_isolated(p, one_in(a, 4));
	libos_table_load_params_set_pids(p, (uint32_t)below(a, 5));
	libos_table_load_params_set_liboses(p, (uint32_t)below(a, 2));
	if (has(a, K_LEDGER) && one_in(a, 2))
		libos_table_load_params_set_ledger(p, attach_held(q, K_LEDGER, pick(a, K_LEDGER),
		                                                  false));
	return true;
}

static bool op_libos_grant(struct actor *a, struct request *q)
{
	unsigned kind = some_kind(a);
	if (!call_on(a, q, K_LIBOS, LIBOS_GRANT) || kind == K_NONE)
		return false;
	struct libos_grant_params_builder p = libos_grant_params_build(&q->b);
	libos_grant_params_set_name(p, some_name(a));
	libos_grant_params_set_object(p, attach(a, q, kind));
	return true;
}

static bool op_libos_spawn(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_LIBOS, LIBOS_SPAWN))
		return false;
	struct libos_spawn_params_builder p = libos_spawn_params_build(&q->b);
	struct thread_start_builder start = libos_spawn_params_init_start(p);
	thread_start_set_entry(start, (uintptr_t)chaos_idle);
	thread_start_set_stack(start, ARENA);
	libos_spawn_params_set_pid(p, (uint32_t)below(a, 2));
	return true;
}

static bool op_libos_thread(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_LIBOS, LIBOS_THREAD) || !has(a, K_PROCESS))
		return false;
	struct libos_thread_params_builder p = libos_thread_params_build(&q->b);
	struct thread_start_builder start = libos_thread_params_init_start(p);
	libos_thread_params_set_process(p, attach(a, q, K_PROCESS));
	thread_start_set_entry(start, (uintptr_t)chaos_idle);
	thread_start_set_stack(start, ARENA);
	return true;
}

/* -- processor time ---------------------------------------------------------------------------- */

static uint64_t some_budget(struct actor *a, uint64_t *period)
{
	uint64_t budget = 20000 + below(a, 200000);

	*period = one_in(a, 40) ? 0 : (1 + below(a, 30)) * budget + below(a, 3000000);
	return budget;
}

static bool op_create_context(struct actor *a, struct request *q)
{
	uint64_t period, budget = some_budget(a, &period);
	if (!call_on(a, q, K_CONTROL, SCHEDULING_CONTROL_CREATE))
		return false;
	struct scheduling_control_create_params_builder p =
		scheduling_control_create_params_build(&q->b);
	scheduling_control_create_params_set_budget_ns(p, budget);
	scheduling_control_create_params_set_period_ns(p, period);
	scheduling_control_create_params_set_priority(p, (uint32_t)below(a, 32));
	return true;
}

static bool op_child_control(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_CONTROL, SCHEDULING_CONTROL_CHILD))
		return false;
	struct scheduling_control_child_params_builder p =
		scheduling_control_child_params_build(&q->b);
	scheduling_control_child_params_set_max_priority(p, (uint32_t)below(a, 32));
	scheduling_control_child_params_set_share(p, 1 + (uint32_t)below(a, 100000));
	return true;
}

static bool op_configure(struct actor *a, struct request *q)
{
	uint64_t period, budget = some_budget(a, &period);
	if (!call_on(a, q, K_CONTEXT, SCHEDULING_CONTEXT_CONFIGURE))
		return false;
	struct scheduling_context_configure_params_builder p =
		scheduling_context_configure_params_build(&q->b);
	scheduling_context_configure_params_set_budget_ns(p, budget);
	scheduling_context_configure_params_set_period_ns(p, period);
	scheduling_context_configure_params_set_priority(p, (uint32_t)below(a, 32));
	return true;
}

static bool op_bind(struct actor *a, struct request *q)
{
	if (!has(a, K_THREAD) ||
	    !call_chosen(a, q, K_CONTEXT, SCHEDULING_CONTEXT_BIND,
	                 pick_with(a, K_CONTEXT, one_in(a, 16))))
		return false;
	scheduling_context_bind_params_set_thread(scheduling_context_bind_params_build(&q->b),
	                                          attach(a, q, K_THREAD));
	return true;
}

static void bound_context(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	set_info(a, K_CONTEXT, slot->used[0].held.cap, 1);
}

static bool op_unbind(struct actor *a, struct request *q)
{
	return call_chosen(a, q, K_CONTEXT, SCHEDULING_CONTEXT_UNBIND,
	                   pick_with(a, K_CONTEXT, !one_in(a, 16)));
}

static void unbound_context(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	set_info(a, K_CONTEXT, slot->used[0].held.cap, 0);
}

static bool op_notify(struct actor *a, struct request *q)
{
	unsigned kind = one_in(a, 2) ? K_SIGNALLER : K_NOTIFICATION;
	if (!call_on(a, q, K_CONTEXT, SCHEDULING_CONTEXT_NOTIFY) || !has(a, kind))
		return false;
	struct scheduling_context_notify_params_builder p =
		scheduling_context_notify_params_build(&q->b);
	scheduling_context_notify_params_set_signaller(p, attach(a, q, kind));
	scheduling_context_notify_params_set_bits(p, next(a) | 1);
	return true;
}
