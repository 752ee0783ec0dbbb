/* elf.c: the checked ELF reader; elf.h says what passes.
 *
 * The bytes are hostile and may change while we look: each header is copied
 * out once and only the copy is judged. Every reason to refuse is returned as a
 * string by the function that found it; NULL means no objection. */
#include "core/elf.h"

enum {
	IDENT_CLASS = 4, IDENT_DATA = 5, IDENT_VERSION = 6, IDENT_OSABI = 7, IDENT_SIZE = 16,
	CLASS_64 = 2, DATA_LITTLE = 1, VERSION_CURRENT = 1,
	OSABI_SYSTEM_V = 0, OSABI_GNU = 3,
	MACHINE_X86_64 = 62,
	PT_LOAD = 1, PT_INTERP = 3,
};

struct file_header {
	uint8_t ident[IDENT_SIZE];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct file_header) == 64, "ELF64");

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct program_header) == 56, "ELF64");

static const char *check_ident(const uint8_t *ident)
{
	if (ident[0] != 0x7f || ident[1] != 'E' || ident[2] != 'L' || ident[3] != 'F')
		return "not an ELF image";
	if (ident[IDENT_CLASS] != CLASS_64)
		return "not a 64-bit image";
	if (ident[IDENT_DATA] != DATA_LITTLE)
		return "not little-endian";
	if (ident[IDENT_VERSION] != VERSION_CURRENT)
		return "unknown ELF version";
	if (ident[IDENT_OSABI] != OSABI_SYSTEM_V && ident[IDENT_OSABI] != OSABI_GNU)
		return "unknown OS ABI";
	return NULL;
}

static const char *check_file_header(const struct file_header *header, size_t there)
{
	const char *reason = check_ident(header->ident);
	if (reason != NULL)
		return reason;
	if (header->type != ELF_EXEC && header->type != ELF_DYN)
		return "not an executable";
	if (header->machine != MACHINE_X86_64)
		return "not for x86-64";
	if (header->version != VERSION_CURRENT)
		return "unknown ELF version";
	if (header->ehsize != sizeof(struct file_header))
		return "file header of another size";
	if (header->phentsize != sizeof(struct program_header))
		return "program headers of another size";
	if (header->phnum == 0)
		return "no program headers";
	if (header->phnum > ELF_HEADERS_MAX)
		return "too many program headers";
	if (header->phoff > there ||
	    header->phnum * sizeof(struct program_header) > there - header->phoff)
		return "program headers outside the file";
	return NULL;
}

static uint64_t page_down(uint64_t address)
{
	return address & ~(uint64_t)(ELF_PAGE - 1);
}

static uint64_t page_up(uint64_t address)
{
	return page_down(address + ELF_PAGE - 1);
}

/* `low` is where the segment may start, `high` where it must have ended. */
static const char *check_segment(const struct program_header *header, size_t size, uint64_t low,
                                 uint64_t high)
{
	if (header->filesz > header->memsz)
		return "segment longer in the file than in memory";
	if (header->filesz > 0) {
		if (header->offset > size || header->filesz > size - header->offset)
			return "segment outside the file";
		if ((header->offset - header->vaddr) % ELF_PAGE != 0)
			return "segment's address and offset disagree within the page";
	}
	if (header->vaddr < low || header->vaddr > high || header->memsz > high - header->vaddr)
		return "segment outside the memory allowed";
	if (header->flags & ~(uint32_t)(ELF_READ | ELF_WRITE | ELF_EXECUTE))
		return "segment with unknown flags";
	if (!(header->flags & ELF_READ))
		return "segment not readable";
	if ((header->flags & ELF_WRITE) && (header->flags & ELF_EXECUTE))
		return "segment both writable and executable";
	return NULL;
}

static const char *add_segment(const struct program_header *header, size_t size, uint64_t low,
                               uint64_t high, struct elf_image *image)
{
	const char *reason = check_segment(header, size, low, high);
	if (reason != NULL)
		return reason;
	if (image->segment_count == ELF_SEGMENTS_MAX)
		return "too many segments";
	if (image->segment_count == 0)
		image->low = page_down(header->vaddr);
	else if (page_down(header->vaddr) < image->high)
		return "segments overlap or do not ascend";
	image->high = page_up(header->vaddr + header->memsz);
	image->segments[image->segment_count++] = (struct elf_segment){
		.vaddr = header->vaddr,
		.file_offset = header->filesz > 0 ? header->offset : 0,
		.file_size = header->filesz,
		.memory_size = header->memsz,
		.flags = header->flags,
	};
	return NULL;
}

static const char *read_segments(const uint8_t *headers, size_t size, uint64_t low, uint64_t high,
                                 struct elf_image *image)
{
	for (uint16_t i = 0; i < image->phdr_count; i++) {
		struct program_header header;
		__builtin_memcpy(&header, headers + i * sizeof header, sizeof header);
		if (header.type == PT_INTERP)
			return "dynamically linked";
		if (header.type != PT_LOAD || (header.memsz == 0 && header.filesz == 0))
			continue;
		const char *reason = add_segment(&header, size, low, high, image);
		if (reason != NULL)
			return reason;
	}
	return image->segment_count > 0 ? NULL : "nothing to load";
}

static const char *check_entry(const struct elf_image *image)
{
	for (uint16_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		if ((segment->flags & ELF_EXECUTE) && image->entry >= segment->vaddr &&
		    image->entry - segment->vaddr < segment->file_size)
			return NULL;
	}
	return "entry outside the code";
}

/* Where the program headers stand once loaded, or 0. */
static uint64_t find_phdr(const struct elf_image *image, uint64_t phoff)
{
	uint64_t bytes = image->phdr_count * sizeof(struct program_header);
	for (uint16_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		if (phoff >= segment->file_offset && bytes <= segment->file_size &&
		    phoff - segment->file_offset <= segment->file_size - bytes)
			return segment->vaddr + (phoff - segment->file_offset);
	}
	return 0;
}

static const char *check(const uint8_t *bytes, size_t there, size_t size, uint64_t low,
                         uint64_t high, struct elf_image *image)
{
	struct file_header header;
	if (there < sizeof header)
		return "file header cut short";
	__builtin_memcpy(&header, bytes, sizeof header);
	const char *reason = check_file_header(&header, there);
	if (reason != NULL)
		return reason;

	image->type = header.type;
	image->phdr_count = header.phnum;
	image->entry = header.entry;
	if (image->type == ELF_DYN) {
		high -= low;
		low = 0;
	}
	reason = read_segments(bytes + header.phoff, size, low, high, image);
	if (reason != NULL)
		return reason;
	image->phdr = find_phdr(image, header.phoff);
	return check_entry(image);
}

enum status elf_check(const void *bytes, size_t there, size_t size, uint64_t low, uint64_t high,
                      struct elf_image *out)
{
	*out = (struct elf_image){ .type = ELF_EXEC };
	out->reason = low < high ? check(bytes, there, size, low, high, out) : "no memory allowed";
	return out->reason == NULL ? STATUS_OK : STATUS_BAD_MESSAGE;
}
