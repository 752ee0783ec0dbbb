/* elf.h: reading a static x86-64 ELF image that nobody vouches for.
 *
 * elf_check() looks at the file header and the program headers, once each, and
 * copies what a loader needs into a struct elf_image. Nothing read later from
 * the bytes can change what was checked. Sections, symbols and notes are not
 * looked at.
 *
 * What an image that passes promises, for each segment:
 *   - file_offset + file_size lies in the file, file_size <= memory_size,
 *     memory_size > 0
 *   - it lies in the range the caller allows
 *   - vaddr and file_offset agree modulo the page size (where file_size > 0)
 *   - segments ascend and no two touch the same page
 *   - it is readable, and not both writable and executable
 * and that the entry stands in an executable segment, within its file bytes.
 *
 * Source: System V ABI, chapter 5, and its AMD64 supplement. */
#pragma once

#include "abi/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
	ELF_SEGMENTS_MAX = 16,  /* PT_LOAD entries */
	ELF_HEADERS_MAX = 64,   /* program headers of any kind */
	ELF_PAGE = 4096,
};

enum elf_type {
	ELF_EXEC = 2,  /* addresses are final */
	ELF_DYN = 3,   /* static-pie: addresses count from a base of the loader's choice */
};

/* The file's own codes (p_flags). */
enum elf_access {
	ELF_EXECUTE = 1,
	ELF_WRITE = 2,
	ELF_READ = 4,
};

struct elf_segment {
	uint64_t vaddr;
	uint64_t file_offset;  /* 0 where file_size is 0 */
	uint64_t file_size;    /* bytes from the file; the rest is zero */
	uint64_t memory_size;
	uint32_t flags;        /* enum elf_access */
};

struct elf_image {
	enum elf_type type;
	uint16_t phdr_count;    /* AT_PHNUM; AT_PHENT is 56 */
	uint16_t segment_count;
	uint64_t entry;
	uint64_t phdr;          /* AT_PHDR: address of the program headers; 0 if not loaded */
	uint64_t low, high;     /* what the segments cover, whole pages */
	struct elf_segment segments[ELF_SEGMENTS_MAX];
	const char *reason;     /* why it was refused; NULL if it was not */
};

/* Checks an image of `size` bytes whose segments may lie in [low, high), both whole
 * pages. The first `there` bytes of it stand at `bytes`, and must hold all its headers;
 * somebody may be writing to them. An ELF_DYN image may cover [0, high - low): its loader adds
 * a base to every address in *out. STATUS_BAD_MESSAGE if anything is off;
 * out->reason then says what, and nothing else in *out is to be used. */
MUST_CHECK enum status elf_check(const void *bytes, size_t there, size_t size, uint64_t low,
                                 uint64_t high, struct elf_image *out);
