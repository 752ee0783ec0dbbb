/* image.c: see image.h. */
#include "kernel/image.h"

#include "abi/module.h"

enum status image_check(struct memobject *m, uint64_t size, uint64_t low, uint64_t high,
                        struct elf_image *out)
{
	static uint64_t page[PAGE_SIZE / 8];
	enum status status;

	if (size > (uint64_t)m->pages << PAGE_SHIFT || size < PAGE_SIZE)
		return STATUS_INVALID;
	if (memobject_copy(m, 0, page, PAGE_SIZE, false))
		return STATUS_NO_MEMORY;
	status = elf_check(page, PAGE_SIZE, size, low, high, out);
	return !status && out->type != ELF_EXEC ? STATUS_BAD_MESSAGE : status;
}

static uint32_t segment_access(const struct elf_segment *s)
{
	return ACCESS_READ | (s->flags & ELF_WRITE ? ACCESS_WRITE : 0) |
	       (s->flags & ELF_EXECUTE ? ACCESS_EXECUTE : 0);
}

/* Fills what is mapped at `address` from the image. */
static enum status fill(struct space *space, struct memobject *m, uint64_t offset,
                        uint64_t address, uint64_t size)
{
	while (size > 0) {
		uint64_t room = PAGE_SIZE - address % PAGE_SIZE;
		uint64_t step = size < room ? size : room;
		void *to = space_reach(space, address, false);
		enum status status = to ? memobject_copy(m, offset, to, step, false) :
		                          STATUS_FAULT;

		if (status)
			return status;
		address += step;
		offset += step;
		size -= step;
	}
	return STATUS_OK;
}

enum status image_load(struct space *space, struct memobject *m, const struct elf_image *elf)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segments[i];
		uint64_t start = page_down(s->vaddr);
		uint64_t pages = (page_up(s->vaddr + s->memory_size) - start) >> PAGE_SHIFT;
		enum status status = space_fresh(space, start, pages, segment_access(s));

		if (!status)
			status = fill(space, m, s->file_offset, s->vaddr, s->file_size);
		if (status)
			return status;
	}
	return STATUS_OK;
}

enum status image_load_program(struct space *space, struct memobject *m, uint64_t size,
                               uint64_t *entry)
{
	struct elf_image elf;
	enum status status = image_check(m, size, PAGE_SIZE,
	                                 PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE, &elf);

	if (!status)
		status = image_load(space, m, &elf);
	if (!status)
		status = space_fresh(space, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE,
		                     PROGRAM_STACK_SIZE >> PAGE_SHIFT,
		                     ACCESS_READ | ACCESS_WRITE);
	*entry = elf.entry;
	return status;
}
