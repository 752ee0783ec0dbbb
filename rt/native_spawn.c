/* native_spawn.c: see native_spawn.h.
 *
 * Nobody can write into another's fresh memory. So each page is put together in
 * a page of our own, shown copy-on-write in the child, and resolved there at
 * once: the copy is the child's, and charged to it. */
#include "rt/native_spawn.h"

#include "abi/module.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"
#include "abi/spawner.capnp.h"
#include "core/elf.h"
#include "rt/ring.h"

enum { READ_WRITE = ACCESS_READ | ACCESS_WRITE };

/* What a thread begins with that is not started at a program's own start. */
struct first {
	int (*main)(struct native *);
	uint64_t argument;
};

extern const uint8_t native_image[], native_image_end[]; /* iis.ld */
void native_start_at(void); /* native_start.S */
_Noreturn void native_begin_at(const struct first *first, struct ring *ring,
                               const struct capset *capset);

_Noreturn void native_begin_at(const struct first *first, struct ring *ring,
                               const struct capset *capset)
{
	struct native self = { .argument = first->argument, .ring = ring, .capset = capset };
	self.console = native_find(&self, "console");
	ring_exit(first->main(&self));
}

/* -- memory of a child --------------------------------------------------------- */

/* Our page, and where it is shown: a place of its own for each thread, told by
 * its ring's. */
struct window {
	struct native *self;
	uint32_t space, object;
	uint8_t *at;
};

static uint8_t *window_place(const struct native *self)
{
	return (uint8_t *)self->ring - PROGRAM_RINGS_MAX * (uint64_t)NATIVE_PAGE * 2;
}

static enum status open_window(struct window *w, struct native *self, uint32_t space)
{
	*w = (struct window){ .self = self, .space = space, .at = window_place(self) };
	enum status status = native_allocate(self, native_find(self, "memory"), 1, &w->object);
	if (status != STATUS_OK)
		return status;
	status = native_map(self, native_find(self, "space"), w->object, 0, w->at, 1, READ_WRITE);
	if (status != STATUS_OK)
		(void)!ring_release(self->ring, w->object);
	return status;
}

static void close_window(struct window *w)
{
	(void)!native_unmap(w->self, native_find(w->self, "space"), w->at, 1);
	(void)!ring_release(w->self->ring, w->object);
}

static enum status resolve(struct window *w, uint64_t address)
{
	struct native_call call;
	native_call(&call, w->self, w->space, ADDRESS_SPACE_ID, ADDRESS_SPACE_RESOLVE);
	address_space_resolve_params_set_address(address_space_resolve_params_build(&call.params),
	                                         address);
	return native_send(&call);
}

static enum status protect(struct window *w, uint64_t address, uint32_t access)
{
	struct native_call call;
	native_call(&call, w->self, w->space, ADDRESS_SPACE_ID, ADDRESS_SPACE_PROTECT);
	struct address_space_protect_params_builder params =
	        address_space_protect_params_build(&call.params);
	address_space_protect_params_set_address(params, address);
	address_space_protect_params_set_pages(params, 1);
	address_space_protect_params_set_access(params, access);
	return native_send(&call);
}

static enum status fresh(struct window *w, uint64_t address, uint64_t pages)
{
	struct native_call call;
	native_call(&call, w->self, w->space, ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH);
	struct address_space_fresh_params_builder params =
	        address_space_fresh_params_build(&call.params);
	address_space_fresh_params_set_address(params, address);
	address_space_fresh_params_set_pages(params, pages);
	address_space_fresh_params_set_access(params, READ_WRITE);
	return native_send(&call);
}

/* The access to one of our own pages; 0: nothing is there. */
static uint32_t own_access(struct native *self, uint64_t address)
{
	struct native_call call;
	struct address_space_query_results_reader results;
	native_call(&call, self, native_find(self, "space"), ADDRESS_SPACE_ID,
	            ADDRESS_SPACE_QUERY);
	address_space_query_params_set_address(address_space_query_params_build(&call.params),
	                                       address);
	if (native_send(&call) != STATUS_OK ||
	    address_space_query_results_read(call.results, call.results_size, &results) != STATUS_OK)
		return 0;
	return address_space_query_results_get_access(results) & (READ_WRITE | ACCESS_EXECUTE);
}

/* A page of the child at `page`: zeroes, but for `size` bytes at `offset`. */
static enum status put_page(struct window *w, uint64_t page, uint64_t offset, const void *from,
                            uint64_t size, uint32_t access)
{
	__builtin_memset(w->at, 0, NATIVE_PAGE);
	__builtin_memcpy(w->at + offset, from, size);
	enum status status = native_map(w->self, w->space, w->object, 0, (void *)page, 1,
	                                READ_WRITE | ACCESS_PRIVATE);
	if (status == STATUS_OK)
		status = resolve(w, page);
	if (status == STATUS_OK && access != READ_WRITE)
		status = protect(w, page, access);
	return status;
}

static uint32_t segment_access(const struct elf_segment *s)
{
	return ACCESS_READ | ((s->flags & ELF_WRITE) != 0 ? ACCESS_WRITE : 0) |
	       ((s->flags & ELF_EXECUTE) != 0 ? ACCESS_EXECUTE : 0);
}

static enum status put_segment(struct window *w, const uint8_t *elf,
                               const struct elf_segment *s)
{
	uint64_t end = s->vaddr + s->file_size, high = s->vaddr + s->memory_size;
	uint64_t page = s->vaddr & ~(uint64_t)(NATIVE_PAGE - 1);
	for (; page < end; page += NATIVE_PAGE) {
		uint64_t from = page > s->vaddr ? page : s->vaddr;
		uint64_t to = page + NATIVE_PAGE < end ? page + NATIVE_PAGE : end;
		enum status status = put_page(w, page, from - page,
		                              elf + s->file_offset + (from - s->vaddr), to - from,
		                              segment_access(s));
		if (status != STATUS_OK)
			return status;
	}
	return page < high ? fresh(w, page, native_pages(high - page)) : STATUS_OK;
}

static enum status put_image(struct window *w, const uint8_t *elf, const struct elf_image *image)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < image->segment_count && status == STATUS_OK; i++)
		status = put_segment(w, elf, &image->segments[i]);
	return status;
}

static enum status put_self(struct window *w)
{
	enum status status = STATUS_OK;
	for (const uint8_t *page = native_image;
	     page < native_image_end && status == STATUS_OK; page += NATIVE_PAGE) {
		uint32_t access = own_access(w->self, (uintptr_t)page);
		if (access != 0)
			status = put_page(w, (uintptr_t)page, 0, page, NATIVE_PAGE, access);
	}
	return status;
}

#define FIRST_AT (PROGRAM_STACK_TOP - sizeof(struct first))

/* The stack, with `first` at its top. */
static enum status put_stack(struct window *w, const struct first *first)
{
	enum status status = put_page(w, PROGRAM_STACK_TOP - NATIVE_PAGE,
	                              NATIVE_PAGE - sizeof *first, first, sizeof *first, READ_WRITE);
	if (status != STATUS_OK)
		return status;
	return fresh(w, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE,
	             PROGRAM_STACK_SIZE / NATIVE_PAGE - 1);
}

/* -- its making ---------------------------------------------------------------- */

static enum status create(struct native *self, uint64_t entry, uint64_t argument, uint64_t bytes,
                          struct native_child *child)
{
	struct native_call call;
	struct process_spawner_create_results_reader results;
	uint32_t process, space, thread;
	native_call(&call, self, native_find(self, "spawner"), PROCESS_SPAWNER_ID,
	            PROCESS_SPAWNER_CREATE);
	struct process_spawner_create_params_builder params =
	        process_spawner_create_params_build(&call.params);
	struct thread_start_builder start = process_spawner_create_params_init_start(params);
	thread_start_set_entry(start, entry);
	thread_start_set_stack(start, FIRST_AT);
	thread_start_set_argument(start, argument);
	process_spawner_create_params_set_bytes(params, bytes);
	if (self->payer != 0)
		process_spawner_create_params_set_ledger(params, native_attach(&call, self->payer));
	enum status status = native_send(&call);
	if (status != STATUS_OK)
		return status;
	if (process_spawner_create_results_read(call.results, call.results_size, &results) !=
	            STATUS_OK ||
	    process_spawner_create_results_get_process(results, &process) != STATUS_OK ||
	    process_spawner_create_results_get_space(results, &space) != STATUS_OK ||
	    process_spawner_create_results_get_thread(results, &thread) != STATUS_OK ||
	    process >= RING_CAPS || space >= RING_CAPS || thread >= RING_CAPS)
		return STATUS_BAD_MESSAGE;
	*child = (struct native_child){
		.process = call.caps[process], .space = call.caps[space],
		.thread = call.caps[thread],
		.pid = process_spawner_create_results_get_pid(results),
	};
	return STATUS_OK;
}

static enum status grant_basics(struct native *self, const struct native_child *child)
{
	enum status status = native_grant(self, child->process, "self", child->process);
	if (status == STATUS_OK)
		status = native_grant(self, child->process, "space", child->space);
	if (status == STATUS_OK && self->console != 0)
		status = native_grant(self, child->process, "console", self->console);
	return status;
}

/* Gives the child what it begins with: the image (NULL: a copy of ours). */
static enum status furnish(struct native *self, const struct native_child *child,
                           const uint8_t *elf, const struct elf_image *image,
                           const struct first *first)
{
	struct window w;
	enum status status = open_window(&w, self, child->space);
	if (status != STATUS_OK)
		return status;
	status = image != NULL ? put_image(&w, elf, image) : put_self(&w);
	if (status == STATUS_OK)
		status = put_stack(&w, first);
	close_window(&w);
	return status == STATUS_OK ? grant_basics(self, child) : status;
}

enum status native_spawn_image(struct native *self, const void *elf, size_t size,
                               uint64_t argument, uint64_t bytes, struct native_child *child)
{
	struct elf_image image;
	struct first none = { NULL, 0 };
	if (elf_check(elf, size, size, NATIVE_PAGE, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE, &image) !=
	            STATUS_OK || image.type != ELF_EXEC)
		return STATUS_BAD_MESSAGE;
	enum status status = create(self, image.entry, argument, bytes, child);
	if (status != STATUS_OK)
		return status;
	status = furnish(self, child, elf, &image, &none);
	if (status != STATUS_OK)
		native_forget(self, child);
	return status;
}

enum status native_spawn_self(struct native *self, int (*main)(struct native *),
                              uint64_t argument, uint64_t bytes, struct native_child *child)
{
	struct first first = { main, argument };
	enum status status = create(self, (uintptr_t)native_start_at, FIRST_AT, bytes, child);
	if (status != STATUS_OK)
		return status;
	status = furnish(self, child, NULL, NULL, &first);
	if (status != STATUS_OK)
		native_forget(self, child);
	return status;
}

void native_forget(struct native *self, const struct native_child *child)
{
	(void)!ring_release(self->ring, child->thread);
	(void)!ring_release(self->ring, child->space);
	(void)!ring_release(self->ring, child->process);
}

/* -- processes and threads ----------------------------------------------------- */

enum status native_grant(struct native *self, uint32_t process, const char *name,
                         uint32_t object)
{
	struct native_call call;
	native_call(&call, self, process, PROCESS_ID, PROCESS_GRANT);
	struct process_grant_params_builder params = process_grant_params_build(&call.params);
	process_grant_params_set_name(params, capnp_text_from(name));
	if (object != 0)
		process_grant_params_set_object(params, native_attach(&call, object));
	return native_send(&call);
}

enum status native_start(struct native *self, uint32_t thread)
{
	struct native_call call;
	native_call(&call, self, thread, THREAD_ID, THREAD_START);
	(void)thread_start_params_build(&call.params);
	return native_send(&call);
}

enum status native_kill(struct native *self, uint32_t process, int32_t code)
{
	struct native_call call;
	native_call(&call, self, process, PROCESS_ID, PROCESS_KILL);
	process_kill_params_set_code(process_kill_params_build(&call.params), code);
	return native_send(&call);
}

enum status native_wait(struct native *self, uint32_t process, struct native_end *end)
{
	struct native_call call;
	struct process_wait_results_reader results;
	native_call(&call, self, process, PROCESS_ID, PROCESS_WAIT);
	(void)process_wait_params_build(&call.params);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = process_wait_results_read(call.results, call.results_size, &results);
	if (status != STATUS_OK)
		return status;
	*end = (struct native_end){ process_wait_results_get_code(results),
		                    process_wait_results_get_reason(results) };
	return STATUS_OK;
}

enum status native_thread(struct native *self, int (*main)(struct native *), uint64_t argument,
                          void *stack, size_t size, uint32_t *thread)
{
	struct first *first = (struct first *)(((uintptr_t)stack + size - sizeof *first) & ~15ul);
	struct native_call call;
	struct process_thread_results_reader results;
	uint32_t index;
	*first = (struct first){ main, argument };
	native_call(&call, self, native_find(self, "self"), PROCESS_ID, PROCESS_THREAD);
	struct thread_start_builder start =
	        process_thread_params_init_start(process_thread_params_build(&call.params));
	thread_start_set_entry(start, (uintptr_t)native_start_at);
	thread_start_set_stack(start, (uintptr_t)first);
	thread_start_set_argument(start, (uintptr_t)first);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = process_thread_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		status = process_thread_results_get_thread(results, &index);
	if (status != STATUS_OK)
		return status;
	*thread = call.caps[index % RING_CAPS];
	return native_start(self, *thread);
}
