/* elf_invariant.h: what elf.h promises of an image that passed, as a predicate
 * for the test and the fuzzer. Written from elf.h, not from elf.c. */
#pragma once

#include "core/elf.h"

#include <stdbool.h>

static inline bool elf_segment_holds(const struct elf_segment *s, size_t file, uint64_t low,
                                     uint64_t high)
{
	unsigned __int128 file_end = (unsigned __int128)s->file_offset + s->file_size;
	unsigned __int128 end = (unsigned __int128)s->vaddr + s->memory_size;
	bool writable_code = (s->flags & ELF_WRITE) && (s->flags & ELF_EXECUTE);
	return s->memory_size > 0 && s->file_size <= s->memory_size && file_end <= file &&
	       s->vaddr >= low && end <= high && (s->flags & ELF_READ) && !writable_code &&
	       s->flags <= 7 &&
	       (s->file_size == 0 || s->vaddr % ELF_PAGE == s->file_offset % ELF_PAGE);
}

static inline bool elf_image_holds(const struct elf_image *image, size_t file, uint64_t low,
                                   uint64_t high)
{
	bool entry_found = false, phdr_found = image->phdr == 0;
	if (image->type == ELF_DYN) {
		high -= low;
		low = 0;
	}
	if (image->segment_count == 0 || image->segment_count > ELF_SEGMENTS_MAX)
		return false;
	uint64_t end = low;
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];
		if (!elf_segment_holds(s, file, low, high) || s->vaddr / ELF_PAGE * ELF_PAGE < end)
			return false;
		if (i == 0 && image->low != s->vaddr / ELF_PAGE * ELF_PAGE)
			return false;
		end = (s->vaddr + s->memory_size + ELF_PAGE - 1) / ELF_PAGE * ELF_PAGE;
		entry_found |= (s->flags & ELF_EXECUTE) && image->entry >= s->vaddr &&
		               image->entry < s->vaddr + s->file_size;
		phdr_found |= image->phdr >= s->vaddr &&
		              image->phdr + 56u * image->phdr_count <= s->vaddr + s->file_size;
	}
	return image->high == end && entry_found && phdr_found;
}
