/* memobject.c: see memobject.h. */
#include "kernel/memobject.h"

#include "abi/memory.capnp.h"
#include "kernel/domain.h"
#include "kernel/panic.h"
#include "kernel/string.h"

/* A slot: a frame number, whether another object's slot may have it too, and
 * whether another object's reservation paid for it: its own is then unused. */
enum { SLOT_SHARED = 1u << 31, SLOT_FOREIGN = 1u << 30 };

static uint32_t number_of(uint32_t slot)
{
	return slot & ~((uint32_t)SLOT_SHARED | SLOT_FOREIGN);
}

/* From a slice and its page to the object that has the frame. */
static void to_whole(struct memobject **m, uint32_t *page)
{
	if (!(*m)->part)
		return;
	*page += (*m)->first;
	*m = (*m)->whole;
}

static bool is_small(const struct memobject *m)
{
	return m->pages <= MEMOBJECT_INLINE;
}

/* The slot of `page`. NULL: its table is not there (and, with `create`, cannot
 * be paid for). */
static uint32_t *slot_of(struct memobject *m, uint32_t page, bool create)
{
	uint32_t **table;

	if (is_small(m))
		return &m->slots[page];
	table = &m->tables[page / MEMOBJECT_SLOTS];
	if (!*table && create)
		*table = page_alloc(m->ledger);
	return *table ? &(*table)[page % MEMOBJECT_SLOTS] : NULL;
}

static struct memobject *create_bare(struct ledger *ledger, uint64_t pages)
{
	struct memobject *m;

	if (pages == 0 || pages > MEMOBJECT_PAGES_MAX)
		return NULL;
	m = block_alloc(ledger, sizeof(*m));
	if (!m)
		return NULL;
	object_init(&m->object, &memobject_type);
	m->ledger = ledger;
	m->pages = (uint32_t)pages;
	if (is_small(m))
		return m;
	m->tables = page_alloc(ledger);
	if (m->tables)
		return m;
	block_free(m, sizeof(*m), ledger);
	return NULL;
}

static void free_bare(struct memobject *m)
{
	if (!is_small(m)) {
		for (unsigned i = 0; i < MEMOBJECT_TABLES; i++)
			if (m->tables[i])
				page_free(m->tables[i]);
		page_free(m->tables);
	}
	block_free(m, sizeof(*m), m->ledger);
}

struct memobject *memobject_create(struct ledger *ledger, uint64_t pages)
{
	struct memobject *m;

	if (pages > MEMOBJECT_PAGES_MAX || page_reserve(ledger, pages))
		return NULL;
	m = create_bare(ledger, pages);
	if (!m)
		page_unreserve(ledger, pages);
	return m;
}

struct memobject *memobject_adopt(struct ledger *ledger, struct paddr start, uint64_t pages)
{
	struct memobject *m = create_bare(ledger, pages);
	uint32_t first = (uint32_t)(start.v >> PAGE_SHIFT);

	for (uint32_t i = 0; m && i < m->pages; i++) {
		uint32_t *slot = slot_of(m, i, true);

		KASSERT(slot); /* boot: memory cannot be this short */
		page_adopt(first + i, ledger);
		*slot = first + i;
		m->own++;
	}
	return m;
}

static void memobject_destroy(struct object *o)
{
	struct memobject *m = (struct memobject *)o;
	uint64_t unused = m->pages - m->own;
	struct ledger *ledger = m->ledger;

	if (m->part) {
		object_drop(&m->whole->object);
		block_free(m, sizeof(*m), ledger);
		return;
	}
	for (uint32_t page = 0; page < m->pages;) {
		uint32_t *slot = slot_of(m, page, false);

		if (!slot) {
			page = (page / MEMOBJECT_SLOTS + 1) * MEMOBJECT_SLOTS;
			continue;
		}
		if (*slot)
			page_drop(number_of(*slot));
		page++;
	}
	if (unused)
		page_unreserve(ledger, unused);
	free_bare(m);
}

/* A frame for an empty or a split slot; the reservation pays. */
static uint32_t take_own(struct memobject *m)
{
	KASSERT(m->own < m->pages);
	m->own++;
	return page_take_reserved(m->ledger);
}

/* The slot's frame is another object's too: this object takes its own copy. A
 * slot whose shared frame came from this object's own reservation leaves that
 * charge with the frame and has to pay for the copy anew. */
static enum status split(struct memobject *m, uint32_t *slot)
{
	uint32_t old = number_of(*slot);
	uint32_t new;

	if (frames_at(&kmem_frames, old)->refs == 1) {
		frames_at(&kmem_frames, old)->split = false;
		*slot &= ~(uint32_t)SLOT_SHARED;
		return STATUS_OK;
	}
	if (*slot & SLOT_FOREIGN) {
		new = take_own(m);
	} else {
		new = page_take_dirty(m->ledger);
		if (new == FRAMES_NONE)
			return STATUS_NO_MEMORY;
	}
	page_copy(frame_to_virt(new), frame_to_virt(old));
	*slot = new;
	page_drop(old);
	return STATUS_OK;
}

enum status memobject_frame(struct memobject *m, uint32_t page, bool write,
                            uint32_t *number)
{
	uint32_t *slot;
	enum status status;

	to_whole(&m, &page);
	slot = slot_of(m, page, true);
	if (!slot)
		return STATUS_NO_MEMORY;
	if (!*slot) {
		*slot = take_own(m);
		page_zero(frame_to_virt(*slot));
	} else if (write && (*slot & SLOT_SHARED)) {
		status = split(m, slot);
		if (status)
			return status;
	}
	*number = number_of(*slot);
	return STATUS_OK;
}

enum status memobject_copy(struct memobject *m, uint64_t offset, void *bytes,
                           size_t size, bool write)
{
	while (size > 0) {
		size_t in_page = offset % PAGE_SIZE;
		size_t step = size < PAGE_SIZE - in_page ? size : PAGE_SIZE - in_page;
		uint32_t number;
		enum status status =
			memobject_frame(m, (uint32_t)(offset >> PAGE_SHIFT), write, &number);

		if (status)
			return status;
		if (write)
			memcpy((char *)frame_to_virt(number) + in_page, bytes, step);
		else
			memcpy(bytes, (char *)frame_to_virt(number) + in_page, step);
		bytes = (char *)bytes + step;
		offset += step;
		size -= step;
	}
	return STATUS_OK;
}

static enum status child_page(struct memobject *parent, uint32_t page,
                              struct memobject *child, uint32_t at)
{
	uint32_t number, *from, *to;

	to_whole(&parent, &page);
	from = slot_of(parent, page, false);
	if (!from || !*from)
		return STATUS_OK; /* zeroes on both sides */
	to = slot_of(child, at, true);
	if (!to)
		return STATUS_NO_MEMORY;
	number = number_of(*from);
	if (frames_at(&kmem_frames, number)->writers > 0) {
		*to = take_own(child);
		page_copy(frame_to_virt(*to), frame_to_virt(number));
		return STATUS_OK;
	}
	frames_hold(&kmem_frames, number);
	frames_at(&kmem_frames, number)->split = true;
	*from |= SLOT_SHARED;
	*to = number | SLOT_SHARED | SLOT_FOREIGN;
	return STATUS_OK;
}

static enum status make_child(struct memobject *parent, struct ledger *ledger,
                              uint64_t page, uint64_t pages, struct memobject **child)
{
	if (pages == 0 || pages > MEMOBJECT_CHILD_PAGES || page > parent->pages ||
	    pages > parent->pages - page)
		return STATUS_INVALID;
	*child = memobject_create(ledger, pages);
	if (!*child)
		return STATUS_NO_MEMORY;
	for (uint32_t i = 0; i < pages; i++) {
		enum status status = child_page(parent, (uint32_t)page + i, *child, i);

		if (status) {
			object_drop(&(*child)->object);
			return status;
		}
	}
	return STATUS_OK;
}

static enum status answer_child(struct memobject *m, struct call *call)
{
	struct memory_object_child_params_reader params = {call->params};
	struct memobject *child;
	enum status status = make_child(m, call->domain->ledger,
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

/* A slice of `m`, with one reference. `type`: what it is to its holder. */
static enum status make_slice(struct memobject *m, struct ledger *ledger, uint64_t page,
                              uint64_t pages, const struct object_type *type,
                              struct memobject **out)
{
	struct memobject *slice;
	uint32_t first = (uint32_t)page;

	if (pages == 0 || page > m->pages || pages > m->pages - page)
		return STATUS_INVALID;
	slice = block_alloc(ledger, sizeof(*slice));
	if (!slice)
		return STATUS_NO_MEMORY;
	to_whole(&m, &first);
	object_hold(&m->object);
	object_init(&slice->object, type);
	slice->ledger = ledger;
	slice->pages = (uint32_t)pages;
	slice->part = true;
	slice->whole = m;
	slice->first = first;
	*out = slice;
	return STATUS_OK;
}

static enum status answer_slice(struct memobject *m, struct call *call)
{
	struct memory_object_slice_params_reader params = {call->params};
	struct memobject *slice;
	enum status status = make_slice(m, call->domain->ledger,
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
	status = make_slice(m, call->domain->ledger, memory_object_share_params_get_page(params),
	                    pages, &shared_buffer_type, &buffer);
	if (status)
		return status;
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
	bytes = capnp_init_data(results.s, 0, count);
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

/* What is allocated from a pool is charged to the caller's own ledger (whoever
 * holds such a pool may spend, but spends its own) or to the pool's. */
static struct ledger *pool_spends(const struct memory_pool *p, const struct call *call)
{
	return p->charges ? p->ledger : call->domain->ledger;
}

static enum status pool_allocate(const struct memory_pool *p, struct call *call)
{
	struct memory_pool_allocate_params_reader params = {call->params};
	struct memobject *m = memobject_create(pool_spends(p, call),
	                                       memory_pool_allocate_params_get_pages(params));

	if (!m)
		return call_refuse(call, STATUS_NO_MEMORY,
		                   "no pages, more than 524288, or more than the ledger has");
	memory_pool_allocate_results_set_object(
		memory_pool_allocate_results_build(&call->results),
		call_answer_cap(call, &m->object));
	return STATUS_OK;
}

static enum status pool_available(const struct memory_pool *p, struct call *call)
{
	const struct ledger *ledger = pool_spends(p, call);
	struct memory_pool_available_results_builder results =
		memory_pool_available_results_build(&call->results);

	memory_pool_available_results_set_pages(results, ledger_left(ledger) >> PAGE_SHIFT);
	memory_pool_available_results_set_limit(results, ledger->limit >> PAGE_SHIFT);
	return STATUS_OK;
}

static enum status pool_call(struct object *o, struct call *call)
{
	struct memory_pool *p = (struct memory_pool *)o;

	switch (call->method) {
	case MEMORY_POOL_ALLOCATE:
		return pool_allocate(p, call);
	case MEMORY_POOL_AVAILABLE:
		return pool_available(p, call);
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
