/* memory_space.h: what the tests of address spaces share: the calls in short, and
 * another process, whose thread reads and writes what it is told to. */
#pragma once

#include "test/boot/native/memory.h"

#include "abi/libos.capnp.h"
#include "abi/module.h"
#include "abi/process.capnp.h"

enum {
	CALL_MOST = 65536,  /* pages that one call finds frames for */
	LEDGER_PAGES = 128,
	FAULTED = 2, PAGE_FAULT = 14,
	NAP = 100000, PATIENCE = 50000, /* ns; naps */
};

/* All of it under one page table; FAR_AT is not. */
#define AT ((uintptr_t)0x10000000)
#define FAR_AT ((uintptr_t)0x180000000)
#define PAGE(n) (AT + (n) * (uintptr_t)NATIVE_PAGE)
#define WORD(address) (*(volatile uint64_t *)(address))
#define STACK_TOP ((uintptr_t)0x300000000)

/* Orders to the thread of the other process, which sees them at the same place. */
struct control {
	volatile uint64_t turn, done, address, value, write;
};
#define CONTROL ((struct control *)0x200000000)

static uint32_t control;
static struct { uint32_t libos, process, space, thread; } other;

/* -- short forms ----------------------------------------------------------------- */

static inline enum status map(uint32_t object, uint64_t page, uintptr_t address, uint64_t pages,
                              uint32_t access)
{
	return native_map(self, here, object, page, (void *)address, pages, access);
}

static inline enum status fresh(uintptr_t address, uint64_t pages, uint32_t access)
{
	return native_fresh(self, here, address, pages, access);
}

static inline enum status unmap(uintptr_t address, uint64_t pages)
{
	return native_unmap(self, here, (void *)address, pages);
}

static inline enum status protect(uintptr_t address, uint64_t pages, uint32_t access)
{
	return native_protect(self, here, address, pages, access);
}

static inline enum status resolve(uintptr_t address)
{
	return native_resolve(self, here, address);
}

static inline uint32_t access_in(uint32_t space, uintptr_t address)
{
	uint32_t access = ~0u;
	OK(native_query(self, space, address, &access));
	return access;
}

static inline uint32_t access_at(uintptr_t address)
{
	return access_in(here, address);
}

/* Whether the exokernel takes a word from there, or puts an answer there, for
 * this program. */
static inline bool readable(uintptr_t address)
{
	return ring_wake(self->ring, (const uint32_t *)address, 0) != STATUS_FAULT;
}

static inline bool writable(uintptr_t address)
{
	struct ring_call call = {
		.cap = pool, .interface = MEMORY_POOL_ID, .method = MEMORY_POOL_AVAILABLE,
		.results = (void *)address, .results_size = 8,
	};
	return ring_call(self->ring, &call) != STATUS_FAULT;
}

/* -- the other process ----------------------------------------------------------- */

/* One page of text, no data but CONTROL. */
__attribute__((noinline, aligned(256))) static void obey(uint64_t argument)
{
	(void)argument;
	for (;;) {
		if (CONTROL->turn == CONTROL->done)
			continue;
		if (CONTROL->write)
			WORD(CONTROL->address) = CONTROL->value;
		else
			CONTROL->value = WORD(CONTROL->address);
		CONTROL->done = CONTROL->turn;
	}
}

static inline void order(uintptr_t address, bool write, uint64_t value)
{
	CONTROL->address = address;
	CONTROL->write = write;
	CONTROL->value = value;
	CONTROL->turn++;
}

static inline void obeyed(void)
{
	for (unsigned i = 0; CONTROL->done != CONTROL->turn && i < PATIENCE; i++)
		nap(NAP);
	CHECK(&check, CONTROL->done == CONTROL->turn);
	if (CONTROL->done != CONTROL->turn)
		check_end(&check);
}

static inline uint64_t there(uintptr_t address)
{
	order(address, false, 0);
	obeyed();
	return CONTROL->value;
}

static inline void put_there(uintptr_t address, uint64_t value)
{
	order(address, true, value);
	obeyed();
}

/* `image` 0: an empty module. */
static inline enum status load_with(const char *id, uint32_t image, uint64_t pages,
                                    uint32_t *libos)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, capnp_text_from(id));
	if (image != 0)
		libos_table_load_params_set_image(params, native_attach(&call, image));
	libos_table_load_params_set_size(params, image != 0 ? NATIVE_PAGE : 0);
	libos_table_load_params_set_pages(params, pages);
	libos_table_load_params_set_timeout_ns(params, ~0ull);
	enum status status = native_send(&call);
	*libos = call.caps[0];
	return status;
}

static inline enum status load(const char *id, uint32_t image, uint32_t *libos)
{
	return load_with(id, image, LEDGER_PAGES, libos);
}

/* Never started, it ends when it is released, and its libOS with it. With an
 * image, the module says where it begins. */
static inline void spawn_under(const char *id, uint32_t image, uintptr_t entry)
{
	struct native_call call;
	struct libos_spawn_results_reader results;
	uint32_t process = 0, space = 0, thread = 0;
	OK(load(id, image, &other.libos));
	native_call(&call, self, other.libos, LIBOS_ID, LIBOS_SPAWN);
	struct thread_start_builder start =
	        libos_spawn_params_init_start(libos_spawn_params_build(&call.params));
	if (image == 0) {
		thread_start_set_entry(start, entry);
		thread_start_set_stack(start, STACK_TOP - 8);
	}
	OK(native_send(&call));
	OK(libos_spawn_results_read(call.results, call.results_size, &results));
	OK(libos_spawn_results_get_process(results, &process));
	OK(libos_spawn_results_get_space(results, &space));
	OK(libos_spawn_results_get_thread(results, &thread));
	other.process = call.caps[process % RING_CAPS];
	other.space = call.caps[space % RING_CAPS];
	other.thread = call.caps[thread % RING_CAPS];
}

static inline void spawn(void)
{
	spawn_under("other", 0, (uintptr_t)obey);
}

static inline void spawn_at(uintptr_t entry)
{
	spawn_under("other", 0, entry);
}

static inline void run_other(void)
{
	struct native_call call;
	spawn();
	CONTROL->turn = CONTROL->done = 0;
	OK(native_share(self, other.space, here, (uintptr_t)obey & ~(uintptr_t)(NATIVE_PAGE - 1), 1));
	OK(native_fresh(self, other.space, STACK_TOP - NATIVE_PAGE, 1, RW));
	OK(native_map(self, other.space, control, 0, CONTROL, 1, RW));
	native_call(&call, self, other.thread, THREAD_ID, THREAD_START);
	OK(native_send(&call));
}

static inline void release_other(void)
{
	release(other.thread);
	release(other.space);
	release(other.process);
	release(other.libos);
}

static inline void kill_other(void)
{
	struct native_call call;
	native_call(&call, self, other.process, PROCESS_ID, PROCESS_KILL);
	process_kill_params_set_code(process_kill_params_build(&call.params), 9);
	OK(native_send(&call));
	native_call(&call, self, other.process, PROCESS_ID, PROCESS_WAIT);
	OK(native_send(&call));
	release_other();
}

/* The order given last is the end of the process, at `address`. */
static inline void other_faulted(uintptr_t address)
{
	struct native_call call;
	struct process_wait_results_reader end;
	struct process_fault_results_reader fault;
	nap(10 * NAP);
	CHECK(&check, CONTROL->done != CONTROL->turn);
	if (CONTROL->done == CONTROL->turn)
		check_end(&check); /* it would never end */
	native_call(&call, self, other.process, PROCESS_ID, PROCESS_WAIT);
	OK(native_send(&call));
	OK(process_wait_results_read(call.results, call.results_size, &end));
	CHECK(&check, process_wait_results_get_reason(end) == FAULTED);
	native_call(&call, self, other.process, PROCESS_ID, PROCESS_FAULT);
	OK(native_send(&call));
	OK(process_fault_results_read(call.results, call.results_size, &fault));
	CHECK(&check, process_fault_results_get_vector(fault) == PAGE_FAULT);
	CHECK(&check, process_fault_results_get_address(fault) == address);
	release_other();
}

static inline void start_with_control(struct native *given, const char *name)
{
	start(given, name);
	control = allocate(1);
	OK(map(control, 0, (uintptr_t)CONTROL, 1, RW));
	OK(fresh(AT, 1, RW)); /* its page table stays */
	OK(unmap(AT, 1));
}
