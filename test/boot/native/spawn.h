/* spawn.h: what the tests of processes and threads have in common. */
#pragma once

#include "test/boot/native/memory.h"

#include "abi/process.capnp.h"
#include "abi/spawner.capnp.h"
#include "rt/native_spawn.h"

#define USER_LIMIT 0x00007ffffffff000ul /* no program address at or above */

/* A method without params that matter, for its status. */
MUST_CHECK static inline enum status plain_call(uint32_t cap, uint64_t interface, uint16_t method)
{
	struct native_call call;
	native_call(&call, self, cap, interface, method);
	(void)process_info_params_build(&call.params);
	return native_send(&call);
}

static inline struct native_child spawned_with(int (*main)(struct native *), uint64_t argument,
                                               uint64_t bytes)
{
	struct native_child child = { 0 };
	OK(native_spawn_self(self, main, argument, bytes, &child));
	return child;
}

static inline struct native_child spawned(int (*main)(struct native *), uint64_t argument)
{
	return spawned_with(main, argument, NATIVE_CHILD_BYTES);
}

/* Waits for its end, which must be like that; the capabilities stay. */
static inline void ended_but(const struct native_child *child, uint32_t reason, int32_t code)
{
	struct native_end end = { 0, ~0u };
	OK(native_wait(self, child->process, &end));
	if (end.reason != reason || end.code != code)
		native_print(self, "reason %u, code %d\n", end.reason, end.code);
	CHECK(&check, end.reason == reason);
	CHECK(&check, end.code == code);
}

static inline void ended(const struct native_child *child, uint32_t reason, int32_t code)
{
	ended_but(child, reason, code);
	native_forget(self, child);
}

/* Waits for its end by a page fault at that address. */
/* A write where nothing is, by that short function. */
static inline void fault_at(uint32_t process, uint64_t address, int (*in)(struct native *))
{
	struct native_call call;
	struct native_end end;
	struct process_fault_results_reader results;
	OK(native_wait(self, process, &end));
	native_call(&call, self, process, PROCESS_ID, PROCESS_FAULT);
	(void)process_fault_params_build(&call.params);
	OK(native_send(&call));
	OK(process_fault_results_read(call.results, call.results_size, &results));
	CHECK(&check, process_fault_results_get_vector(results) == 14);
	CHECK(&check, process_fault_results_get_error(results) == 6);
	CHECK(&check, process_fault_results_get_address(results) == address);
	CHECK(&check, process_fault_results_get_instruction(results) - (uintptr_t)in < 64);
}

static inline uint32_t threads_of(uint32_t process)
{
	struct native_call call;
	struct process_info_results_reader results;
	native_call(&call, self, process, PROCESS_ID, PROCESS_INFO);
	(void)process_info_params_build(&call.params);
	OK(native_send(&call));
	if (process_info_results_read(call.results, call.results_size, &results) != STATUS_OK)
		return ~0u;
	return process_info_results_get_threads(results);
}

static inline uint32_t handle_of(uint32_t process)
{
	struct native_call call;
	native_call(&call, self, process, PROCESS_ID, PROCESS_HANDLE);
	(void)process_handle_params_build(&call.params);
	OK(native_send(&call));
	return call.caps[0];
}

struct request {
	uint64_t entry, stack, fs_base, bytes;
	uint32_t pid, ledger;
};

/* ProcessSpawner.create; the process has nothing in it. */
MUST_CHECK static inline enum status create_raw(const struct request *r,
                                                struct native_child *child)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "spawner"), PROCESS_SPAWNER_ID,
	            PROCESS_SPAWNER_CREATE);
	struct process_spawner_create_params_builder params =
	        process_spawner_create_params_build(&call.params);
	struct thread_start_builder start = process_spawner_create_params_init_start(params);
	thread_start_set_entry(start, r->entry);
	thread_start_set_stack(start, r->stack);
	thread_start_set_fs_base(start, r->fs_base);
	process_spawner_create_params_set_bytes(params, r->bytes);
	process_spawner_create_params_set_pid(params, r->pid);
	if (r->ledger != 0)
		process_spawner_create_params_set_ledger(params, native_attach(&call, r->ledger));
	enum status status = native_send(&call);
	struct process_spawner_create_results_reader results;
	if (status == STATUS_OK)
		status = process_spawner_create_results_read(call.results, call.results_size,
		                                             &results);
	if (status == STATUS_OK)
		*child = (struct native_child){ call.caps[0], call.caps[1], call.caps[2],
			process_spawner_create_results_get_pid(results) };
	return status;
}

/* Process.thread. */
MUST_CHECK static inline enum status thread_raw(uint32_t process, uint64_t entry, uint64_t stack,
                                                uint64_t fs_base, uint32_t *thread)
{
	struct native_call call;
	native_call(&call, self, process, PROCESS_ID, PROCESS_THREAD);
	struct thread_start_builder start =
	        process_thread_params_init_start(process_thread_params_build(&call.params));
	thread_start_set_entry(start, entry);
	thread_start_set_stack(start, stack);
	thread_start_set_fs_base(start, fs_base);
	enum status status = native_send(&call);
	*thread = call.caps[0];
	return status;
}

static inline uint32_t thread_state(uint32_t thread)
{
	struct native_call call;
	struct thread_info_results_reader results;
	native_call(&call, self, thread, THREAD_ID, THREAD_INFO);
	(void)thread_info_params_build(&call.params);
	OK(native_send(&call));
	if (thread_info_results_read(call.results, call.results_size, &results) != STATUS_OK)
		return ~0u;
	return thread_info_results_get_state(results);
}
