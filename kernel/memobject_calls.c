/* memobject_calls.c: the methods of MemoryObject, SharedBuffer and ReadOnlyMemory
 * (memobject.h), and the MemoryPool that memory objects come from. */
#include "abi/memory.capnp.h"
#include "kernel/domain.h"
#include "kernel/ending.h"
#include "kernel/memobject.h"
#include "kernel/ring.h"

static enum status answer_child(struct memobject *m, struct call *call)
{
	struct memory_object_child_params_reader params = {call->params};
	struct memobject *child;
	enum status status = memobject_child(m, call->domain->ledger,
	                                     memory_object_child_params_get_page(params),
	                                     memory_object_child_params_get_pages(params), &child);

	if (status == STATUS_INVALID)
		return call_refuse(call, status, "no such range of pages, or more than 65536");
	if (status)
		return status;
	memory_object_child_results_set_object(
		memory_object_child_results_build(&call->results),
		call_answer_cap(call, &child->object));
	return STATUS_OK;
}

static enum status answer_slice(struct memobject *m, struct call *call)
{
	struct memory_object_slice_params_reader params = {call->params};
	struct memobject *slice;
	enum status status = memobject_slice(m, call->domain->ledger,
	                                     memory_object_slice_params_get_page(params),
	                                     memory_object_slice_params_get_pages(params),
	                                     &memobject_type, &slice);

	if (status)
		return status;
	memory_object_slice_results_set_object(
		memory_object_slice_results_build(&call->results),
		call_answer_cap(call, &slice->object));
	return STATUS_OK;
}

static enum status answer_share(struct memobject *m, struct call *call)
{
	struct memory_object_share_params_reader params = {call->params};
	uint64_t pages = memory_object_share_params_get_pages(params);
	struct memobject *buffer;
	enum status status;
	uint32_t number;

	if (pages > MEMOBJECT_CHILD_PAGES)
		return STATUS_INVALID;
	status = memobject_slice(m, call->domain->ledger,
	                         memory_object_share_params_get_page(params), pages,
	                         &shared_buffer_type, &buffer);
	if (status)
		return status;
	ending_left -= (int)pages;
	for (uint32_t i = 0; i < pages && !status; i++)
		status = memobject_frame(buffer, i, true, &number);
	if (status) {
		object_drop(&buffer->object);
		return status;
	}
	memory_object_share_results_set_buffer(
		memory_object_share_results_build(&call->results),
		call_answer_cap(call, &buffer->object));
	return STATUS_OK;
}

static enum status answer_readonly(struct memobject *m, struct call *call)
{
	struct ledger *ledger = call->domain->ledger;
	struct readonly_memory *r = block_alloc(ledger, sizeof(*r));

	if (!r)
		return STATUS_NO_MEMORY;
	object_init(&r->object, &readonly_memory_type);
	r->memory = m;
	r->ledger = ledger;
	object_hold(&m->object);
	memory_object_read_only_results_set_object(
		memory_object_read_only_results_build(&call->results),
		call_answer_cap(call, &r->object));
	return STATUS_OK;
}

static const char past_the_end[] = "past the object's end";

static bool inside(const struct memobject *m, uint64_t offset, uint64_t size)
{
	uint64_t end = (uint64_t)m->pages << PAGE_SHIFT;

	return offset <= end && size <= end - offset;
}

static enum status answer_size(struct memobject *m, struct call *call)
{
	memory_object_size_results_set_pages(memory_object_size_results_build(&call->results),
	                                     m->pages);
	return STATUS_OK;
}

static enum status answer_read(struct memobject *m, struct call *call)
{
	struct memory_object_read_params_reader params = {call->params};
	uint64_t offset = memory_object_read_params_get_offset(params);
	uint32_t count = memory_object_read_params_get_count(params);
	struct memory_object_read_results_builder results;
	uint8_t *bytes;

	if (!inside(m, offset, count))
		return call_refuse(call, STATUS_INVALID, past_the_end);
	results = memory_object_read_results_build(&call->results);
	bytes = capnp_init_data(&results.s, 0, count);
	if (!bytes)
		return call_refuse(call, STATUS_TOO_SMALL, "more than one message holds");
	return memobject_copy(m, offset, bytes, count, false);
}

static enum status answer_write(struct memobject *m, struct call *call)
{
	struct memory_object_write_params_reader params = {call->params};
	uint64_t offset = memory_object_write_params_get_offset(params);
	struct capnp_data data;
	enum status status = memory_object_write_params_get_data(params, &data);

	if (status)
		return status;
	if (!inside(m, offset, data.size))
		return call_refuse(call, STATUS_INVALID, past_the_end);
	return memobject_copy(m, offset, (void *)(uintptr_t)data.bytes, data.size, true);
}

static enum status memobject_call(struct object *o, struct call *call)
{
	struct memobject *m = (struct memobject *)o;

	switch (call->method) {
	case MEMORY_OBJECT_SIZE:
		return answer_size(m, call);
	case MEMORY_OBJECT_READ:
		return answer_read(m, call);
	case MEMORY_OBJECT_WRITE:
		return answer_write(m, call);
	case MEMORY_OBJECT_CHILD:
		return answer_child(m, call);
	case MEMORY_OBJECT_READ_ONLY:
		return answer_readonly(m, call);
	case MEMORY_OBJECT_SLICE:
		return answer_slice(m, call);
	case MEMORY_OBJECT_SHARE:
		return answer_share(m, call);
	default:
		return STATUS_NO_METHOD;
	}
}

_Static_assert(sizeof(struct memobject) == 64, "a slice costs one small block");

const struct object_type memobject_type = {
	.name = "memory object",
	.interface = MEMORY_OBJECT_ID,
	.call = memobject_call,
	.destroy = memobject_destroy,
};

/* SharedBuffer's three methods have the shapes of MemoryObject's. */
static enum status shared_buffer_call(struct object *o, struct call *call)
{
	struct memobject *m = (struct memobject *)o;

	switch (call->method) {
	case SHARED_BUFFER_SIZE:
		return answer_size(m, call);
	case SHARED_BUFFER_READ:
		return answer_read(m, call);
	case SHARED_BUFFER_WRITE:
		return answer_write(m, call);
	default:
		return STATUS_NO_METHOD;
	}
}

const struct object_type shared_buffer_type = {
	.name = "shared buffer",
	.interface = SHARED_BUFFER_ID,
	.call = shared_buffer_call,
	.destroy = memobject_destroy,
};

/* ReadOnlyMemory's two methods have the shapes of MemoryObject's. */
static enum status readonly_call(struct object *o, struct call *call)
{
	struct readonly_memory *r = (struct readonly_memory *)o;

	switch (call->method) {
	case READ_ONLY_MEMORY_SIZE:
		return answer_size(r->memory, call);
	case READ_ONLY_MEMORY_READ:
		return answer_read(r->memory, call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void readonly_destroy(struct object *o)
{
	struct readonly_memory *r = (struct readonly_memory *)o;

	object_drop(&r->memory->object);
	block_free(r, sizeof(*r), r->ledger);
}

const struct object_type readonly_memory_type = {
	.name = "read-only memory",
	.interface = READ_ONLY_MEMORY_ID,
	.call = readonly_call,
	.destroy = readonly_destroy,
};

static enum status pool_allocate(struct ledger *ledger, struct call *call)
{
	struct memory_pool_allocate_params_reader params = {call->params};
	struct memobject *m = memobject_create(ledger,
	                                       memory_pool_allocate_params_get_pages(params));

	if (!m)
		return call_refuse(call, STATUS_NO_MEMORY,
		                   "no pages, more than 524288, or more than the ledger has");
	memory_pool_allocate_results_set_object(
		memory_pool_allocate_results_build(&call->results),
		call_answer_cap(call, &m->object));
	return STATUS_OK;
}

static enum status pool_available(const struct ledger *ledger, struct call *call)
{
	struct memory_pool_available_results_builder results =
		memory_pool_available_results_build(&call->results);

	memory_pool_available_results_set_pages(results, ledger_left(ledger) >> PAGE_SHIFT);
	memory_pool_available_results_set_limit(results, ledger->limit >> PAGE_SHIFT);
	return STATUS_OK;
}

static enum status pool_call(struct object *o, struct call *call)
{
	const struct memory_pool *p = (struct memory_pool *)o;
	/* Whoever holds a pool may spend, but spends its own, or the pool's. */
	struct ledger *ledger = p->charges ? p->ledger : call->domain->ledger;

	if (ring_is_to_wait(call, ledger))
		return STATUS_NO_MEMORY;
	switch (call->method) {
	case MEMORY_POOL_ALLOCATE:
		return pool_allocate(ledger, call);
	case MEMORY_POOL_AVAILABLE:
		return pool_available(ledger, call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void pool_destroy(struct object *o)
{
	struct memory_pool *p = (struct memory_pool *)o;

	block_free(p, sizeof(*p), p->ledger);
}

const struct object_type memory_pool_type = {
	.name = "memory pool",
	.interface = MEMORY_POOL_ID,
	.call = pool_call,
	.destroy = pool_destroy,
};

static struct object *pool_create(struct ledger *ledger, bool charges)
{
	struct memory_pool *p = block_alloc(ledger, sizeof(*p));

	if (!p)
		return NULL;
	object_init(&p->object, &memory_pool_type);
	p->ledger = ledger;
	p->charges = charges;
	return &p->object;
}

struct object *memory_pool_create(struct ledger *ledger)
{
	return pool_create(ledger, false);
}

struct object *memory_pool_create_charging(struct ledger *ledger)
{
	return pool_create(ledger, true);
}
