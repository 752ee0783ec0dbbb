/* libos.c: see libos.h. */
#include "kernel/libos.h"

#include "abi/libos.capnp.h"
#include "abi/process.capnp.h"
#include "abi/module.h"
#include "core/elf.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/string.h"

enum {
	PHOFF_AT = 32, /* in an ELF header */
	PHNUM_AT = 56,
	PHDR_SIZE = 56,
	LEDGER_SLACK = 64 * PAGE_SIZE, /* what "all that is left" leaves */
};

static struct libos *table[LIBOS_MAX];

unsigned libos_count(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LIBOS_MAX; i++)
		count += table[i] != NULL;
	return count;
}

static struct libos **find_slot(const char *id, size_t length)
{
	for (unsigned i = 0; i < LIBOS_MAX; i++)
		if (table[i] && strlen(table[i]->id) == length &&
		    memcmp(table[i]->id, id, length) == 0)
			return &table[i];
	return NULL;
}

static struct libos **free_slot(void)
{
	for (unsigned i = 0; i < LIBOS_MAX; i++)
		if (!table[i])
			return &table[i];
	return NULL;
}

static bool id_ok(const char *id, size_t length)
{
	if (length == 0 || length >= LIBOS_NAME)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!(id[i] >= 'a' && id[i] <= 'z') && !(id[i] >= '0' && id[i] <= '9') &&
		    !(id[i] >= 'A' && id[i] <= 'Z') && id[i] != '-')
			return false;
	return true;
}

enum status libos_register(const char *id, size_t length, struct ledger *ledger,
                           uint64_t bytes, struct libos **out)
{
	struct libos **slot = free_slot();
	struct libos *l;

	if (!id_ok(id, length))
		return STATUS_INVALID;
	if (find_slot(id, length))
		return STATUS_EXISTS;
	if (!slot)
		return STATUS_NO_SLOT;
	l = block_alloc(ledger, sizeof(*l));
	if (!l)
		return STATUS_NO_MEMORY;
	object_init(&l->object, &libos_type);
	memcpy(l->id, id, length);
	l->ledger = ledger;
	l->pids = &pids;
	l->domain = domain_create(ledger, bytes);
	if (!l->domain) {
		block_free(l, sizeof(*l), ledger);
		return STATUS_NO_MEMORY;
	}
	object_hold(&l->object); /* the table's */
	*slot = l;
	*out = l;
	return STATUS_OK;
}

/* Ended processes whose capabilities are still held have no PID from now on. */
static void forget_pids(struct libos *l)
{
	if (!l->own_pids.slots)
		return;
	for (uint32_t i = 0; i < l->own_pids.count; i++)
		if (l->own_pids.slots[i])
			l->own_pids.slots[i]->pids = NULL;
	page_free(l->own_pids.slots);
	l->own_pids.slots = NULL;
}

/* Processes that nobody has started, and now nobody can. */
static void end_unstarted(struct libos *l)
{
	for (uint32_t i = 1; l->processes && i < l->pids->count; i++) {
		struct process *p = l->pids->slots[i];

		if (p && p->libos == l)
			process_kill(p, -1, END_REASON_KILLED);
	}
	KASSERT(l->processes == 0);
}

/* Out of the table. What its domain held goes; a capability to the libOS that
 * is still somewhere finds it GONE. */
static void drop(struct libos *l)
{
	struct domain *d = l->domain;
	struct space *region = l->region;

	l->ending = true;
	end_unstarted(l);
	log_line("libOS %s dropped", l->id);
	*find_slot(l->id, strlen(l->id)) = NULL;
	timeout_cancel(&l->load_timer);
	l->domain = NULL;
	l->region = NULL;
	forget_pids(l);
	domain_drop(d);
	if (region)
		object_drop(&region->object);
	object_drop(&l->object);
}

void libos_enter(struct libos *l, struct process *p)
{
	p->libos = l;
	p->module_syscall = l->head_syscall;
	p->module_trap = l->head_trap;
	l->processes++;
}

void libos_leave(struct libos *l, const struct process *p)
{
	l->processes--;
	l->started -= p->started;
	if (!l->ending && l->used && (l->processes == 0 || (p->started && l->started == 0)))
		drop(l);
}

void libos_started(struct libos *l)
{
	l->started++;
	timeout_cancel(&l->load_timer);
}

static void load_expired(struct timeout *t)
{
	struct libos *l = (struct libos *)((char *)t - offsetof(struct libos, load_timer));

	log_line("libOS %s: no process came in time", l->id);
	drop(l);
}

/* The image's first page, which must hold all its headers: elf_check looks no
 * further. */
static enum status read_headers(struct memobject *image, uint64_t size, uint64_t *page)
{
	uint64_t offset, length;

	if (size > (uint64_t)image->pages << PAGE_SHIFT || size < PAGE_SIZE)
		return STATUS_INVALID;
	if (memobject_copy(image, 0, page, PAGE_SIZE, false))
		return STATUS_NO_MEMORY;
	memcpy(&offset, (char *)page + PHOFF_AT, sizeof(offset));
	length = (uint64_t)(*(uint16_t *)((char *)page + PHNUM_AT)) * PHDR_SIZE;
	return offset <= PAGE_SIZE && length <= PAGE_SIZE - offset ? STATUS_OK :
	                                                             STATUS_BAD_MESSAGE;
}

static uint32_t segment_access(const struct elf_segment *s)
{
	return ACCESS_READ | (s->flags & ELF_WRITE ? ACCESS_WRITE : 0) |
	       (s->flags & ELF_EXECUTE ? ACCESS_EXECUTE : 0);
}

/* Fills what is mapped at `address` from the image. */
static enum status fill(struct space *region, struct memobject *image, uint64_t offset,
                        uint64_t address, uint64_t size)
{
	while (size > 0) {
		uint64_t room = PAGE_SIZE - address % PAGE_SIZE;
		uint64_t step = size < room ? size : room;
		void *to = space_reach(region, address, false);
		enum status status = to ? memobject_copy(image, offset, to, step, false) :
		                          STATUS_FAULT;

		if (status)
			return status;
		address += step;
		offset += step;
		size -= step;
	}
	return STATUS_OK;
}

static enum status load_segment(struct libos *l, struct memobject *image,
                                const struct elf_segment *s)
{
	uint64_t start = page_down(s->vaddr);
	uint64_t pages = (page_up(s->vaddr + s->memory_size) - start) >> PAGE_SHIFT;
	enum status status = space_fresh(l->region, start, pages, segment_access(s));

	if (status)
		return status;
	return fill(l->region, image, s->file_offset, s->vaddr, s->file_size);
}

static enum status read_head(struct libos *l, uint64_t entry)
{
	const uint64_t *stack_top;

	if (entry % 8 || entry + MODULE_HEAD_SIZE > page_up(entry + 1))
		return STATUS_BAD_MESSAGE;
	stack_top = space_reach(l->region, entry + MODULE_HEAD_STACK, false);
	if (!stack_top)
		return STATUS_BAD_MESSAGE;
	l->head_start = entry + MODULE_HEAD_START;
	l->head_syscall = entry + MODULE_HEAD_SYSCALL;
	l->head_trap = entry + MODULE_HEAD_TRAP;
	l->head_stack = *stack_top;
	return STATUS_OK;
}

static enum status load_module(struct libos *l, struct memobject *image, uint64_t size)
{
	struct ledger *ledger = l->domain->ledger;
	static uint64_t page[PAGE_SIZE / 8];
	struct elf_image elf;
	enum status status = read_headers(image, size, page);

	if (!status)
		status = elf_check(page, size, MODULE_BASE, MODULE_CAPSET, &elf);
	if (!status && elf.type != ELF_EXEC)
		status = STATUS_BAD_MESSAGE;
	if (status)
		return status;
	l->region = space_create_region(ledger);
	if (!l->region)
		return STATUS_NO_MEMORY;
	for (unsigned i = 0; i < elf.segment_count && !status; i++)
		status = load_segment(l, image, &elf.segments[i]);
	if (!status)
		status = read_head(l, elf.entry);
	if (!status)
		status = space_map_frame(l->region, MODULE_CAPSET,
		                         virt_to_frame(l->domain->capset),
		                         PTE_PRESENT | PTE_NX);
	l->module_bytes = elf.high - elf.low;
	return status;
}

static enum status isolate(struct libos *l)
{
	l->own_pids.slots = page_alloc(l->domain->ledger);
	if (!l->own_pids.slots)
		return STATUS_NO_MEMORY;
	l->own_pids.count = PID_COUNT_ISOLATED;
	l->own_pids.next = 1;
	l->pids = &l->own_pids;
	l->isolated = true;
	return STATUS_OK;
}

static enum status find_image(struct call *call, struct libos_table_load_params_reader p,
                              struct memobject **image)
{
	uint32_t index;

	*image = NULL;
	if (libos_table_load_params_get_image(p, &index) == STATUS_NO_CAP &&
	    !libos_table_load_params_has_image(p))
		return STATUS_OK;
	*image = (struct memobject *)call_cap(call, index, &memobject_type);
	return *image ? STATUS_OK : STATUS_NO_CAP;
}

static uint64_t bytes_for(const struct domain *d, uint64_t pages)
{
	uint64_t room = ledger_room(d->ledger);

	if (pages == 0)
		return room > LEDGER_SLACK ? room - LEDGER_SLACK : 0;
	return pages < UINT64_MAX >> PAGE_SHIFT ? pages << PAGE_SHIFT : UINT64_MAX;
}

static enum status call_load(struct call *call)
{
	struct libos_table_load_params_reader params = {call->params};
	struct memobject *image;
	struct capnp_text id;
	struct libos *l;
	uint64_t timeout;
	enum status status = libos_table_load_params_get_id(params, &id);

	if (!status)
		status = find_image(call, params, &image);
	if (!status)
		status = libos_register(id.bytes, id.length, call->domain->ledger,
		                        bytes_for(call->domain,
		                                  libos_table_load_params_get_pages(params)),
		                        &l);
	if (status)
		return status;
	if (image)
		status = load_module(l, image, libos_table_load_params_get_size(params));
	if (!status && libos_table_load_params_get_isolated(params))
		status = isolate(l);
	if (status) {
		drop(l);
		object_drop(&l->object);
		return status;
	}
	timeout = libos_table_load_params_get_timeout_ns(params);
	if (timeout < UINT64_MAX / 2)
		timeout_set(&l->load_timer, clock_now() + timeout, load_expired);
	log_line("libOS %s loaded, %lu bytes of module", l->id, l->module_bytes);
	libos_table_load_results_set_libos(libos_table_load_results_build(&call->results),
	                                   call_answer_cap(call, &l->object));
	return STATUS_OK;
}

static enum status call_list(struct call *call)
{
	struct libos_table_list_results_builder results =
		libos_table_list_results_build(&call->results);
	struct capnp_list_builder list =
		libos_table_list_results_init_entries(results, libos_count());

	for (unsigned i = 0, n = 0; i < LIBOS_MAX; i++) {
		struct libos_entry_builder entry;

		if (!table[i])
			continue;
		entry = libos_entry_list_build(list, n++);
		libos_entry_set_id(entry, capnp_text_from(table[i]->id));
		libos_entry_set_processes(entry, table[i]->processes);
		libos_entry_set_capabilities(entry, table[i]->domain->table.used);
		libos_entry_set_module_bytes(entry, table[i]->module_bytes);
		libos_entry_set_isolated(entry, table[i]->isolated);
	}
	return STATUS_OK;
}

static enum status table_call(struct object *o, struct call *call)
{
	(void)o;
	switch (call->method) {
	case LIBOS_TABLE_LOAD:
		return call_load(call);
	case LIBOS_TABLE_LIST:
		return call_list(call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void table_destroy(struct object *o)
{
	(void)o;
	panic("the libOS table lost its last reference");
}

const struct object_type libos_table_type = {
	"libOS table", LIBOS_TABLE_ID, table_call, table_destroy,
};

struct object *libos_table_object(void)
{
	static struct object object = {.type = &libos_table_type, .refs = 1};

	object_hold(&object);
	return &object;
}

/* What the exokernel itself names in a libOS's CapSet, with its first process. */
static const char *const own_names[] = {"libos", "self", "space", "module"};

static bool is_own_name(struct capnp_text name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(own_names); i++)
		if (strlen(own_names[i]) == name.length &&
		    memcmp(own_names[i], name.bytes, name.length) == 0)
			return true;
	return false;
}

static enum status call_grant(struct libos *l, struct call *call)
{
	struct libos_grant_params_reader params = {call->params};
	struct capnp_text name;
	uint32_t index;
	enum status status = libos_grant_params_get_name(params, &name);

	if (status)
		return status;
	if (l->processes)
		return STATUS_DENIED;
	if (is_own_name(name))
		return STATUS_EXISTS;
	if (l->domain->capset->count >= CAPSET_MAX - ARRAY_SIZE(own_names))
		return STATUS_NO_SLOT;
	if (libos_grant_params_get_object(params, &index) || index >= call->caps_count)
		return STATUS_NO_CAP;
	object_hold(call->caps[index]);
	return domain_grant(l->domain, name.bytes, name.length, call->caps[index]);
}

/* Room was kept in the CapSet (call_grant) and in the table (domain_reserve). */
static void grant_own(struct libos *l, struct object *self, struct object *space)
{
	struct object *const own[] = {
		&l->object, self, space, l->region ? &l->region->object : NULL,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(own_names); i++) {
		if (!own[i])
			continue;
		object_hold(own[i]);
		if (domain_grant(l->domain, own_names[i], strlen(own_names[i]), own[i]))
			panic("a reserved place in a CapSet is gone");
	}
}

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

/* All that can fail comes first; then the process changes sides at once. */
static enum status call_become(struct libos *l, struct call *call)
{
	struct libos_become_params_reader params = {call->params};
	struct thread *t = call->thread;
	struct process *p = t->process;
	struct libos *old = p->libos;
	struct thread_start start = first_start(l, libos_become_params_get_argument(params));
	struct space *space, *old_space = p->space;
	enum status status;

	if (l == old || !l->region || l->processes || p->pids != l->pids || p->thread_count != 1 ||
	    p->space->module ||
	    t != this_cpu->current || call->ring != RING_PROGRAM || !start_in_region(&start))
		return STATUS_INVALID;
	space = space_create(l->domain->ledger, l->region);
	if (!space)
		return STATUS_NO_MEMORY;
	status = domain_reserve(l->domain, ARRAY_SIZE(own_names));
	if (!status)
		status = thread_add_module_ring(t, l->region, MODULE_FIRST_RING);
	if (status) {
		object_drop(&space->object);
		return status;
	}
	grant_own(l, &p->object, &space->object);
	log_line("PID %u: from libOS %s to %s", p->pid, old->id, l->id);
	thread_remove_program_ring(t);
	p->space = space;
	thread_become(t, &start);
	object_drop(&old_space->object);
	if (p->domain)
		domain_drop(p->domain);
	p->domain = NULL;
	p->ring_hint = 0;
	p->thread_ledger = l->domain->ledger;
	libos_enter(l, p);
	libos_started(l);
	l->used = true;
	libos_leave(old, p);
	return CALL_PENDING; /* nobody is left to be answered */
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
	status = domain_reserve(l->domain, ARRAY_SIZE(own_names));
	if (!status)
		status = process_create(l, pid, process);
	if (status)
		return status;
	status = thread_create(*process, &start, thread);
	if (status) {
		object_drop(&(*process)->object);
		return status;
	}
	if (!l->used)
		grant_own(l, &(*process)->object, &(*process)->space->object);
	l->used = true;
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
	struct thread_start first;
	struct process *process;
	struct thread *thread;
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
	first = thread_read_start(start);
	status = thread_create(process, &first, &thread);
	if (status)
		return status;
	libos_thread_results_set_thread(libos_thread_results_build(&call->results),
	                                call_answer_cap(call, &thread->object));
	return STATUS_OK;
}

static enum status libos_call(struct object *o, struct call *call)
{
	struct libos *l = (struct libos *)o;
	struct libos_space_results_builder results;

	if (!l->domain)
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
	"libOS", LIBOS_ID, libos_call, libos_destroy,
};
