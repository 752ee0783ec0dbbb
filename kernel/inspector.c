/* inspector.c: see inspector.h.
 *
 * There is one Inspector, and it has no state: it answers about the process whose
 * thread calls. So it can be passed on to anybody without telling them anything
 * about who had it, and it keeps nothing alive.
 *
 * Nothing here changes anything, and nothing here adds to an answer's
 * capabilities. What goes out is counted or spelled: constant strings, schema
 * ids, numbers of pages; of the table never a slot's index or generation. */
#include "kernel/inspector.h"

#include "abi/inspector.capnp.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/domain.h"
#include "kernel/libos.h"
#include "kernel/panic.h"
#include "kernel/revoker.h"
#include "kernel/string.h"

enum {
	KINDS_MAX = 64, /* types of object; a matter of this source tree */
	TYPE_BYTES = 32,
	NAME_BYTES = CAPSET_NAME,
	WORD = 8,
	KIND_BYTES = (KIND_DATA_WORDS + KIND_POINTERS) * WORD + TYPE_BYTES,
	HELD_BYTES = (HELD_DATA_WORDS + HELD_POINTERS) * WORD + TYPE_BYTES + NAME_BYTES,
};

struct kind {
	const struct object_type *type;
	uint32_t count;
	uint64_t pages;
};

static struct capnp_text type_name(const struct object_type *type)
{
	KASSERT(strlen(type->name) < TYPE_BYTES);
	return capnp_text_from(type->name);
}

static uint64_t pages_of(const struct object *o)
{
	if (o->type == &memobject_type || o->type == &shared_buffer_type)
		return ((const struct memobject *)o)->pages;
	if (o->type == &readonly_memory_type)
		return ((const struct readonly_memory *)o)->memory->pages;
	return 0;
}

/* A live capability; of a lease, what it stands for. */
struct seen {
	const struct capslot *slot;
	const struct object *object;
};

/* The next one at or after slot *cursor, which moves past it. False: there is
 * none. */
static bool next_held(const struct captable *t, uint32_t *cursor, struct seen *seen)
{
	uint32_t end = (uint32_t)t->page_count * CAPTABLE_PAGE_SLOTS;

	while (*cursor < end) {
		uint32_t index = (*cursor)++;

		seen->slot = &t->pages[index / CAPTABLE_PAGE_SLOTS][index % CAPTABLE_PAGE_SLOTS];
		if (!seen->slot->object || seen->slot->epoch != seen->slot->object->epoch)
			continue;
		seen->object = object_resolve(seen->slot->object);
		if (seen->object)
			return true;
	}
	return false;
}

static unsigned count_kinds(const struct captable *t, struct kind kinds[KINDS_MAX])
{
	struct seen seen;
	uint32_t cursor = 0;
	unsigned count = 0;

	while (next_held(t, &cursor, &seen)) {
		const struct object_type *type = seen.object->type;
		unsigned i = 0;

		while (i < count && kinds[i].type != type)
			i++;
		if (i == count) {
			KASSERT(count < KINDS_MAX);
			kinds[count++] = (struct kind){.type = type};
		}
		kinds[i].count++;
		kinds[i].pages += pages_of(seen.object);
	}
	return count;
}

/* How many elements of a list the caller has room for, of `there`. */
static uint32_t fitting(const struct call *call, uint32_t message, uint32_t element,
                        uint32_t there)
{
	uint32_t room = call->results_size < RING_MESSAGE_MAX ? call->results_size :
	                                                        RING_MESSAGE_MAX;
	uint32_t overhead = message + WORD; /* the tag of the list */
	uint32_t count = room > overhead ? (room - overhead) / element : 0;

	return count < there ? count : there;
}

static enum status call_kinds(const struct libos *l, struct call *call)
{
	struct inspector_kinds_params_reader params = {call->params};
	uint32_t first = inspector_kinds_params_get_first(params);
	struct inspector_kinds_results_builder results;
	struct capnp_list_builder list;
	struct kind kinds[KINDS_MAX];
	uint32_t there = count_kinds(&l->domain->table, kinds);
	uint32_t left = first < there ? there - first : 0;
	uint32_t count = fitting(call, INSPECTOR_KINDS_RESULTS_MESSAGE_BYTES, KIND_BYTES, left);

	if (left > 0 && count == 0)
		return call_refuse(call, STATUS_TOO_SMALL, "no room for one kind");
	results = inspector_kinds_results_build(&call->results);
	inspector_kinds_results_set_next(results, count < left ? first + count : 0);
	list = inspector_kinds_results_init_kinds(results, count);
	for (uint32_t i = 0; i < count; i++) {
		struct kind_builder b = kind_list_build(list, i);
		const struct kind *k = &kinds[first + i];

		kind_set_type(b, type_name(k->type));
		kind_set_interface(b, k->type->interface);
		kind_set_count(b, k->count);
		kind_set_pages(b, k->pages);
	}
	return STATUS_OK;
}

/* What the CapSet calls a slot's capability; "" if nothing. */
static const char *name_of(const struct domain *d, const struct capslot *slot)
{
	for (uint32_t i = 0; i < d->capset->count; i++)
		if (captable_slot(&d->table, d->capset->entries[i].cap) == slot)
			return d->capset->entries[i].name;
	return "";
}

static enum status call_capabilities(const struct libos *l, struct call *call)
{
	struct inspector_capabilities_params_reader params = {call->params};
	uint32_t first = inspector_capabilities_params_get_first(params);
	const struct captable *t = &l->domain->table;
	struct inspector_capabilities_results_builder results;
	struct capnp_list_builder list;
	uint32_t cursor = 0, start = 0, there = 0, left, count;
	struct seen seen;

	for (; next_held(t, &cursor, &seen); there++)
		if (there + 1 == first)
			start = cursor;
	left = first < there ? there - first : 0;
	count = fitting(call, INSPECTOR_CAPABILITIES_RESULTS_MESSAGE_BYTES, HELD_BYTES, left);
	if (left > 0 && count == 0)
		return call_refuse(call, STATUS_TOO_SMALL, "no room for one capability");
	results = inspector_capabilities_results_build(&call->results);
	inspector_capabilities_results_set_next(results, count < left ? first + count : 0);
	list = inspector_capabilities_results_init_held(results, count);
	for (uint32_t i = 0; i < count && next_held(t, &start, &seen); i++) {
		struct held_builder b = held_list_build(list, i);

		held_set_type(b, type_name(seen.object->type));
		held_set_interface(b, object_interface(seen.object));
		held_set_name(b, capnp_text_from(name_of(l->domain, seen.slot)));
		held_set_pages(b, pages_of(seen.object));
		held_set_leased(b, seen.object != seen.slot->object);
	}
	return STATUS_OK;
}

/* A walk over a table of PIDs, as long as that is. */
static uint32_t count_threads(const struct libos *l)
{
	uint32_t threads = 0;

	for (uint32_t pid = 1; pid < l->pids->count; pid++) {
		const struct process *p = l->pids->slots[pid];

		if (p && p->libos == l)
			threads += p->thread_count;
	}
	return threads;
}

static enum status call_libos(const struct libos *l, struct call *call)
{
	struct libos_description_builder b = inspector_libos_results_init_libos(
		inspector_libos_results_build(&call->results));
	const struct ledger *ledger = l->domain->ledger;

	libos_description_set_id(b, capnp_text_from(l->id));
	libos_description_set_isolated(b, l->isolated);
	libos_description_set_processes(b, l->processes);
	libos_description_set_threads(b, count_threads(l));
	libos_description_set_capabilities(b, l->domain->table.used);
	libos_description_set_module_bytes(b, l->module_bytes);
	libos_description_set_limit(b, ledger->limit);
	libos_description_set_used(b, ledger->used);
	libos_description_set_peak(b, ledger->peak);
	libos_description_set_others(b, libos_count() - 1);
	libos_description_set_processors(b, cpu_count);
	return STATUS_OK;
}

static enum status call_process(const struct process *p, struct call *call)
{
	struct process_description_builder b = inspector_process_results_init_process(
		inspector_process_results_build(&call->results));

	process_description_set_pid(b, p->pid);
	process_description_set_threads(b, p->thread_count);
	process_description_set_capabilities(b, p->domain ? p->domain->table.used : 0);
	process_description_set_own_domain(b, p->domain != p->libos->domain);
	process_description_set_space_holders(b, p->space->object.refs - 1);
	return STATUS_OK;
}

static enum status call_page(const struct process *p, struct call *call)
{
	struct inspector_page_params_reader params = {call->params};
	uint64_t address = page_down(inspector_page_params_get_address(params));
	const struct space *space = space_holding(p->space, address);
	struct page_description_builder b;
	const struct frame *frame;
	uint32_t access;
	bool mapped;

	if (!space || (space_is_region(space) && call->ring != RING_MODULE))
		return call_refuse(call, STATUS_INVALID, "not in your part of the address space");
	b = inspector_page_results_init_page(inspector_page_results_build(&call->results));
	access = space_access(space, address, &mapped);
	if (!mapped)
		return STATUS_OK;
	frame = frames_at(&kmem_frames, space_frame(space, address));
	page_description_set_mapped(b, true);
	page_description_set_access(b, access);
	page_description_set_holders(b, frame->refs - 1);
	page_description_set_writers(b, frame->writers - !!(access & ACCESS_WRITE));
	/* A region's entry shows the frame in every process of the libOS. */
	page_description_set_exclusive(b, frame->refs == 1 && !space_is_region(space));
	return STATUS_OK;
}

static enum status inspector_call(struct object *o, struct call *call)
{
	const struct process *p = call->thread->process;

	(void)o;
	switch (call->method) {
	case INSPECTOR_LIBOS:
		return call_libos(p->libos, call);
	case INSPECTOR_PROCESS:
		return call_process(p, call);
	case INSPECTOR_KINDS:
		return call_kinds(p->libos, call);
	case INSPECTOR_CAPABILITIES:
		return call_capabilities(p->libos, call);
	case INSPECTOR_PAGE:
		return call_page(p, call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void inspector_destroy(struct object *o)
{
	(void)o;
	panic("the Inspector lost its last reference");
}

static const struct object_type inspector_type = {
	.name = "inspector",
	.interface = INSPECTOR_ID,
	.call = inspector_call,
	.destroy = inspector_destroy,
};

struct object *inspector_object(void)
{
	static struct object object = {.type = &inspector_type, .refs = 1};

	object_hold(&object);
	return &object;
}
