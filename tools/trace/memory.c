/* memory.c: see memory.h. Memory objects are ranges of the child's one store. */
#include "tools/trace/memory.h"

#include "abi/memory.capnp.h"
#include "abi/module.h"
#include "abi/space.capnp.h"
#include "core/checksum.h"
#include "core/elf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, FIRST_ADDRESS = CHILD_PAGE + PAGE };

#define STORE_MAX (UINT64_C(64) << 30) /* bytes of it that may be named */

__attribute__((format(printf, 2, 3))) static bool refuse(struct memory *m, const char *format,
                                                         ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(m->error, sizeof m->error, format, arguments);
	va_end(arguments);
	return false;
}

static bool range_ok(struct memory *m, uint64_t address, uint64_t pages)
{
	if (address % PAGE || address < FIRST_ADDRESS || address > PROGRAM_END ||
	    pages > (PROGRAM_END - address) / PAGE || pages > STORE_MAX / PAGE)
		return refuse(m, "%llu pages at %llx cannot be had on this machine",
		              (unsigned long long)pages, (unsigned long long)address);
	return true;
}

static int protection_of(uint32_t access)
{
	return (access & ACCESS_READ ? PROT_READ : 0) | (access & ACCESS_WRITE ? PROT_WRITE : 0) |
	       (access & ACCESS_EXECUTE ? PROT_EXEC : 0);
}

bool memory_fresh(struct memory *m, uint64_t address, uint64_t pages, int protection)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	long status;

	if (!range_ok(m, address, pages))
		return false;
	status = pages ? child_map(m->child, address, pages * PAGE, protection, flags, 0) : 0;
	if (status == -EEXIST) { /* some are there already, and stay */
		status = 0;
		for (uint64_t i = 0; i < pages && (!status || status == -EEXIST); i++)
			status = child_map(m->child, address + i * PAGE, PAGE, protection, flags, 0);
	}
	if (status && status != -EEXIST)
		return refuse(m, "%llu pages at %llx cannot be mapped: %s", (unsigned long long)pages,
		              (unsigned long long)address, strerror((int)-status));
	return true;
}

static bool load_segment(struct memory *m, const uint8_t *bytes, const struct elf_segment *s)
{
	uint64_t start = s->vaddr & ~(uint64_t)(PAGE - 1);
	uint64_t pages = (s->vaddr + s->memory_size - start + PAGE - 1) / PAGE;
	int protection = PROT_READ | (s->flags & ELF_WRITE ? PROT_WRITE : 0) |
	                 (s->flags & ELF_EXECUTE ? PROT_EXEC : 0);

	if (!memory_fresh(m, start, pages, protection))
		return false;
	if (s->file_size && !child_write(m->child, s->vaddr, bytes + s->file_offset, s->file_size))
		return refuse(m, "the program cannot be loaded");
	return true;
}

bool memory_load(struct memory *m, const void *bytes, size_t size)
{
	struct elf_image elf;

	if (elf_check(bytes, size, size, FIRST_ADDRESS, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE, &elf) ||
	    elf.type != ELF_EXEC)
		return refuse(m, "no program: %s", elf.reason ? elf.reason : "no ET_EXEC");
	for (unsigned i = 0; i < elf.segment_count; i++)
		if (!load_segment(m, bytes, &elf.segments[i]))
			return false;
	m->entry = elf.entry;
	return true;
}

bool memory_checksum(struct memory *m, uint64_t address, uint32_t pages, uint64_t *checksum)
{
	uint64_t page[PAGE / 8];

	*checksum = CHECKSUM_START;
	for (uint32_t i = 0; i < pages; i++) {
		if (!child_read(m->child, address + (uint64_t)i * PAGE, page, sizeof page))
			return false;
		*checksum = checksum_words(*checksum, page, PAGE / 8);
	}
	return true;
}

static struct memory_object *find(struct memory *m, uint32_t cap)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->objects[i].cap == cap)
			return &m->objects[i];
	return NULL;
}

void memory_forget(struct memory *m, uint32_t cap)
{
	struct memory_object *o = find(m, cap);

	if (o)
		*o = m->objects[--m->count];
}

void memory_free(struct memory *m)
{
	free(m->objects);
}

static bool name(struct memory *m, uint32_t cap, uint64_t base, uint64_t pages)
{
	memory_forget(m, cap);
	if (m->count == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		void *more = realloc(m->objects, room * sizeof *m->objects);

		if (!more)
			return refuse(m, "out of memory");
		m->objects = more;
		m->room = room;
	}
	m->objects[m->count++] = (struct memory_object){ cap, base, pages };
	return true;
}

/* A new object; *base is where it stands. */
static bool create(struct memory *m, uint32_t cap, uint64_t pages, uint64_t *base)
{
	*base = m->used;
	if (pages > (STORE_MAX - m->used) / PAGE ||
	    ftruncate(m->child->store, (off_t)(m->used + pages * PAGE)) != 0)
		return refuse(m, "a memory object of %llu pages cannot be had on this machine",
		              (unsigned long long)pages);
	m->used += pages * PAGE;
	return name(m, cap, *base, pages);
}

bool memory_give(struct memory *m, uint32_t cap, const void *bytes, size_t size)
{
	uint64_t base;

	if (!create(m, cap, (size + PAGE - 1) / PAGE, &base))
		return false;
	if (pwrite(m->child->store, bytes, size, (off_t)base) != (ssize_t)size)
		return refuse(m, "memory: %s", strerror(errno));
	return true;
}

/* What a child of an object begins with. */
static bool copy(struct memory *m, uint64_t from, uint64_t to, uint64_t size)
{
	static uint8_t zero[PAGE];
	uint8_t page[PAGE];

	for (uint64_t at = 0; at < size; at += PAGE) {
		if (pread(m->child->store, page, PAGE, (off_t)(from + at)) != PAGE)
			return refuse(m, "memory: %s", strerror(errno));
		if (memcmp(page, zero, PAGE) == 0)
			continue;
		if (pwrite(m->child->store, page, PAGE, (off_t)(to + at)) != PAGE)
			return refuse(m, "memory: %s", strerror(errno));
	}
	return true;
}

/* A call being followed. */
struct followed {
	const struct asked *asked;
	struct capnp_struct params;
	struct capnp_data results;
	const uint32_t *came;
	unsigned came_count;
};

/* The capability that the results' first pointer names; 0: none. All methods
 * that make memory objects answer so. */
static uint32_t result_cap(const struct followed *f)
{
	struct capnp_struct root;
	uint32_t index;

	if (capnp_read_root(f->results.bytes, f->results.size, &root) ||
	    capnp_get_capability(&root, 0, &index) || index >= f->came_count)
		return 0;
	return f->came[index];
}

static bool follow_pool(struct memory *m, const struct followed *f)
{
	struct memory_pool_allocate_params_reader params = { f->params };
	uint64_t base;

	if (f->asked->method != MEMORY_POOL_ALLOCATE)
		return true;
	return create(m, result_cap(f), memory_pool_allocate_params_get_pages(params), &base);
}

static bool follow_child(struct memory *m, const struct memory_object *parent,
                         const struct followed *f)
{
	struct memory_object_child_params_reader params = { f->params };
	uint64_t page = memory_object_child_params_get_page(params);
	uint64_t pages = memory_object_child_params_get_pages(params);
	uint64_t from = parent->base + page * PAGE, base;

	if (page > parent->pages || pages > parent->pages - page)
		return refuse(m, "the recording answers a call that it cannot have answered so");
	return create(m, result_cap(f), pages, &base) && copy(m, from, base, pages * PAGE);
}

static bool follow_write(struct memory *m, const struct memory_object *o,
                         const struct followed *f)
{
	struct memory_object_write_params_reader params = { f->params };
	uint64_t offset = memory_object_write_params_get_offset(params), size = o->pages * PAGE;
	struct capnp_data data;

	if (memory_object_write_params_get_data(params, &data) || offset > size ||
	    data.size > size - offset)
		return refuse(m, "the recording answers a call that it cannot have answered so");
	if (pwrite(m->child->store, data.bytes, data.size, (off_t)(o->base + offset)) !=
	    (ssize_t)data.size)
		return refuse(m, "memory: %s", strerror(errno));
	return true;
}

/* An object whose content is not known matters only when it is mapped. */
static bool follow_object(struct memory *m, const struct followed *f)
{
	struct memory_object *known = find(m, f->asked->cap), o;

	if (!known)
		return true;
	o = *known;
	switch (f->asked->method) {
	case MEMORY_OBJECT_CHILD:
		return follow_child(m, &o, f);
	case MEMORY_OBJECT_WRITE:
		return follow_write(m, &o, f);
	case MEMORY_OBJECT_READ_ONLY:
		return name(m, result_cap(f), o.base, o.pages);
	default:
		return true;
	}
}

static bool follow_map(struct memory *m, const struct followed *f)
{
	struct address_space_map_params_reader params = { f->params };
	uint64_t page = address_space_map_params_get_page(params);
	uint64_t pages = address_space_map_params_get_pages(params);
	uint64_t address = address_space_map_params_get_address(params);
	uint32_t access = address_space_map_params_get_access(params), index, cap;
	int flags = MAP_FIXED | (access & ACCESS_PRIVATE ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED);
	struct memory_object *o;
	long status;

	if (address_space_map_params_get_object(params, &index) || index >= f->asked->caps_count)
		return refuse(m, "the recording answers a call that it cannot have answered so");
	cap = f->asked->caps[index];
	o = find(m, cap);
	if (!o)
		return refuse(m, "it maps memory whose content the recording does not have (cap %x); "
		              "--object may give it", cap);
	if (page > o->pages || pages > o->pages - page)
		return refuse(m, "it maps %llu pages from page %llu of memory that has %llu (cap %x)",
		              (unsigned long long)pages, (unsigned long long)page,
		              (unsigned long long)o->pages, cap);
	if (!range_ok(m, address, pages))
		return false;
	status = pages ? child_map(m->child, address, pages * PAGE, protection_of(access), flags,
	                           o->base + page * PAGE) : 0;
	return !status || refuse(m, "%llx: %s", (unsigned long long)address, strerror((int)-status));
}

static bool follow_protect(struct memory *m, const struct followed *f)
{
	struct address_space_protect_params_reader params = { f->params };
	uint64_t address = address_space_protect_params_get_address(params);
	uint64_t pages = address_space_protect_params_get_pages(params);
	int protection = protection_of(address_space_protect_params_get_access(params));

	long status;

	if (!range_ok(m, address, pages))
		return false;
	status = child_protect(m->child, address, pages * PAGE, protection);
	return !status || refuse(m, "%llx: %s", (unsigned long long)address, strerror((int)-status));
}

static bool follow_unmap(struct memory *m, const struct followed *f)
{
	struct address_space_unmap_params_reader params = { f->params };
	uint64_t address = address_space_unmap_params_get_address(params);
	uint64_t pages = address_space_unmap_params_get_pages(params);

	if (!range_ok(m, address, pages))
		return false;
	if (pages)
		(void)child_unmap(m->child, address, pages * PAGE);
	return true;
}

static bool follow_space(struct memory *m, const struct followed *f)
{
	struct address_space_fresh_params_reader fresh = { f->params };

	switch (f->asked->method) {
	case ADDRESS_SPACE_MAP:
		return follow_map(m, f);
	case ADDRESS_SPACE_FRESH:
		return memory_fresh(m, address_space_fresh_params_get_address(fresh),
		                    address_space_fresh_params_get_pages(fresh),
		                    protection_of(address_space_fresh_params_get_access(fresh)));
	case ADDRESS_SPACE_UNMAP:
		return follow_unmap(m, f);
	case ADDRESS_SPACE_PROTECT:
		return follow_protect(m, f);
	case ADDRESS_SPACE_RESOLVE:
	case ADDRESS_SPACE_QUERY:
		return true; /* the host copies a private page at its first write */
	default:
		return refuse(m, "it changes its address space in a way that is not replayed "
		              "(method %u)", f->asked->method);
	}
}

bool memory_follow(struct memory *m, const struct asked *asked, uint64_t object,
                   struct capnp_data results, const uint32_t *came, unsigned came_count)
{
	struct followed f = { asked, { .depth = 0 }, results, came, came_count };

	if (capnp_read_root(asked->params.bytes, asked->params.size, &f.params))
		return true; /* then the answer was no OK, or nobody looked */
	switch (asked->interface) {
	case MEMORY_POOL_ID:
		return follow_pool(m, &f);
	case MEMORY_OBJECT_ID:
		return follow_object(m, &f);
	case ADDRESS_SPACE_ID:
		return object != m->space || follow_space(m, &f);
	default:
		return true;
	}
}
