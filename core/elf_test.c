/* elf_test.c: one good image, and every way it can be wrong. */
#include "core/elf_invariant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The good image: read-only headers, code, data with bss, and a stack note. */
enum {
	LOW = 0x400000, HIGH = 0x600000,
	PHDR = 64, PHDR_SIZE = 56, PHDRS = 4,
	CODE_OFFSET = 0x1010, CODE_SIZE = 0x100, DATA_OFFSET = 0x2800, DATA_SIZE = 0x80,
	FILE_SIZE = DATA_OFFSET + DATA_SIZE,
	/* Where fields stand. */
	E_TYPE = 16, E_MACHINE = 18, E_VERSION = 20, E_ENTRY = 24, E_PHOFF = 32, E_EHSIZE = 52,
	E_PHENTSIZE = 54, E_PHNUM = 56,
	P_TYPE = 0, P_FLAGS = 4, P_OFFSET = 8, P_VADDR = 16, P_FILESZ = 32, P_MEMSZ = 40,
	HEADERS = PHDR, CODE = PHDR + PHDR_SIZE, DATA = PHDR + 2 * PHDR_SIZE,
	NOTE = PHDR + 3 * PHDR_SIZE,
};

static uint8_t file[FILE_SIZE];

static void put(size_t at, unsigned width, uint64_t value)
{
	memcpy(file + at, &value, width);
}

static void put_segment(size_t at, uint32_t flags, uint64_t offset, uint64_t vaddr,
                        uint64_t filesz, uint64_t memsz)
{
	put(at + P_TYPE, 4, 1);
	put(at + P_FLAGS, 4, flags);
	put(at + P_OFFSET, 8, offset);
	put(at + P_VADDR, 8, vaddr);
	put(at + P_FILESZ, 8, filesz);
	put(at + P_MEMSZ, 8, memsz);
}

static int make_good(void **state)
{
	(void)state;
	memset(file, 0, sizeof file);
	memcpy(file, "\x7f" "ELF\2\1\1", 7);
	put(E_TYPE, 2, ELF_EXEC);
	put(E_MACHINE, 2, 62);
	put(E_VERSION, 4, 1);
	put(E_ENTRY, 8, LOW + CODE_OFFSET);
	put(E_PHOFF, 8, PHDR);
	put(E_EHSIZE, 2, 64);
	put(E_PHENTSIZE, 2, PHDR_SIZE);
	put(E_PHNUM, 2, PHDRS);
	put_segment(HEADERS, ELF_READ, 0, LOW, 0x200, 0x200);
	put_segment(CODE, ELF_READ | ELF_EXECUTE, CODE_OFFSET, LOW + CODE_OFFSET, CODE_SIZE, CODE_SIZE);
	put_segment(DATA, ELF_READ | ELF_WRITE, DATA_OFFSET, LOW + 0x10000 + DATA_OFFSET, DATA_SIZE,
	            0x3000);
	put(NOTE + P_TYPE, 4, 0x6474e551);
	put(NOTE + P_FLAGS, 4, 7);
	return 0;
}

static enum status check_first(size_t there, size_t size, struct elf_image *image)
{
	/* Of exactly this size, so that the sanitizer sees a read past it. */
	uint8_t *exact = malloc(there > 0 ? there : 1);
	assert_non_null(exact);
	memcpy(exact, file, there);
	enum status status = elf_check(exact, there, size, LOW, HIGH, image);
	free(exact);
	return status;
}

static enum status check(size_t size, struct elf_image *image)
{
	return check_first(size, size, image);
}

static void expect_good(struct elf_image *image)
{
	enum status status = check(FILE_SIZE, image);
	if (status != STATUS_OK)
		print_error("refused: %s\n", image->reason);
	assert_int_equal(status, STATUS_OK);
	assert_null(image->reason);
	assert_true(elf_image_holds(image, FILE_SIZE, LOW, HIGH));
}

static void good_image_is_read(void **state)
{
	(void)state;
	struct elf_image image;
	expect_good(&image);
	assert_int_equal(image.type, ELF_EXEC);
	assert_int_equal(image.entry, LOW + CODE_OFFSET);
	assert_int_equal(image.phdr, LOW + PHDR);
	assert_int_equal(image.phdr_count, PHDRS);
	assert_int_equal(image.low, LOW);
	assert_int_equal(image.high, LOW + 0x16000);
	assert_int_equal(image.segment_count, 3);
	const struct elf_segment *data = &image.segments[2];
	assert_int_equal(data->vaddr, LOW + 0x10000 + DATA_OFFSET);
	assert_int_equal(data->file_offset, DATA_OFFSET);
	assert_int_equal(data->file_size, DATA_SIZE);
	assert_int_equal(data->memory_size, 0x3000);
	assert_int_equal(data->flags, ELF_READ | ELF_WRITE);
}

/* One field of the good image made wrong, and what is said about it. */
static const struct {
	size_t at;
	unsigned width;
	uint64_t value;
	const char *reason;
} wrongs[] = {
	{ 0, 1, 0, "not an ELF image" },
	{ 3, 1, 'f', "not an ELF image" },
	{ 4, 1, 1, "not a 64-bit image" },
	{ 5, 1, 2, "not little-endian" },
	{ 6, 1, 0, "unknown ELF version" },
	{ 7, 1, 9, "unknown OS ABI" },
	{ E_TYPE, 2, 1, "not an executable" },
	{ E_TYPE, 2, 4, "not an executable" },
	{ E_MACHINE, 2, 3, "not for x86-64" },
	{ E_VERSION, 4, 2, "unknown ELF version" },
	{ E_EHSIZE, 2, 52, "file header of another size" },
	{ E_PHENTSIZE, 2, 32, "program headers of another size" },
	{ E_PHENTSIZE, 2, 0, "program headers of another size" },
	{ E_PHNUM, 2, 0, "no program headers" },
	{ E_PHNUM, 2, ELF_HEADERS_MAX + 1, "too many program headers" },
	{ E_PHNUM, 2, 0xffff, "too many program headers" },
	{ E_PHOFF, 8, FILE_SIZE + 1, "program headers outside the file" },
	{ E_PHOFF, 8, FILE_SIZE - PHDRS * PHDR_SIZE + 1, "program headers outside the file" },
	{ E_PHOFF, 8, UINT64_MAX - 100, "program headers outside the file" },
	{ E_PHOFF, 8, CODE_OFFSET, "nothing to load" },
	{ E_ENTRY, 8, 0, "entry outside the code" },
	{ E_ENTRY, 8, LOW, "entry outside the code" },
	{ E_ENTRY, 8, LOW + CODE_OFFSET - 1, "entry outside the code" },
	{ E_ENTRY, 8, LOW + CODE_OFFSET + CODE_SIZE, "entry outside the code" },
	{ E_ENTRY, 8, LOW + 0x10000 + DATA_OFFSET, "entry outside the code" },
	{ NOTE + P_TYPE, 4, 3, "dynamically linked" },
	{ CODE + P_OFFSET, 8, FILE_SIZE - CODE_SIZE + 1, "segment outside the file" },
	{ CODE + P_OFFSET, 8, UINT64_MAX - 0xfef, "segment outside the file" },
	{ CODE + P_OFFSET, 8, 0x1011, "segment's address and offset disagree within the page" },
	{ CODE + P_VADDR, 8, LOW + 0x1011, "segment's address and offset disagree within the page" },
	{ CODE + P_VADDR, 8, LOW + 0x10, "segments overlap or do not ascend" },
	{ CODE + P_VADDR, 8, LOW + 0x13010, "segments overlap or do not ascend" },
	{ HEADERS + P_VADDR, 8, LOW - 0x1000, "segment outside the memory allowed" },
	{ HEADERS + P_VADDR, 8, 0, "segment outside the memory allowed" },
	{ HEADERS + P_VADDR, 8, LOW + 0x1000, "segments overlap or do not ascend" },
	{ DATA + P_VADDR, 8, HIGH - 0x1000 + 0x800, "segment outside the memory allowed" },
	{ DATA + P_VADDR, 8, HIGH + 0x800, "segment outside the memory allowed" },
	{ DATA + P_VADDR, 8, UINT64_MAX - 0x7ff, "segment outside the memory allowed" },
	{ DATA + P_MEMSZ, 8, UINT64_MAX, "segment outside the memory allowed" },
	{ DATA + P_MEMSZ, 8, HIGH - LOW, "segment outside the memory allowed" },
	{ DATA + P_MEMSZ, 8, DATA_SIZE - 1, "segment longer in the file than in memory" },
	{ CODE + P_MEMSZ, 8, 0, "segment longer in the file than in memory" },
	{ CODE + P_MEMSZ, 8, 0x20000, "segments overlap or do not ascend" },
	{ DATA + P_FILESZ, 8, DATA_SIZE + 1, "segment outside the file" },
	{ DATA + P_FILESZ, 8, UINT64_MAX, "segment longer in the file than in memory" },
	{ DATA + P_FLAGS, 4, 7, "segment both writable and executable" },
	{ CODE + P_FLAGS, 4, 7, "segment both writable and executable" },
	{ CODE + P_FLAGS, 4, ELF_READ, "entry outside the code" },
	{ CODE + P_FLAGS, 4, ELF_EXECUTE, "segment not readable" },
	{ DATA + P_FLAGS, 4, 0, "segment not readable" },
	{ DATA + P_FLAGS, 4, 8 | ELF_READ, "segment with unknown flags" },
};

static void each_wrong_field_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		struct elf_image image;
		make_good(state);
		put(wrongs[i].at, wrongs[i].width, wrongs[i].value);
		assert_int_equal(check(FILE_SIZE, &image), STATUS_BAD_MESSAGE);
		assert_string_equal(image.reason, wrongs[i].reason);
	}
}

static void each_truncation_is_refused(void **state)
{
	(void)state;
	for (size_t size = 0; size < FILE_SIZE; size++) {
		struct elf_image image;
		assert_int_equal(check(size, &image), STATUS_BAD_MESSAGE);
		assert_non_null(image.reason);
	}
}

/* Fields that do not matter may hold anything; the others never make an image
 * pass that breaks a promise. */
static void any_header_byte_may_be_anything(void **state)
{
	unsigned passed = 0;
	for (size_t at = 0; at < PHDR + PHDRS * PHDR_SIZE; at++) {
		for (unsigned value = 0; value < 256; value++) {
			struct elf_image image;
			make_good(state);
			file[at] = (uint8_t)value;
			if (elf_check(file, FILE_SIZE, FILE_SIZE, LOW, HIGH, &image) != STATUS_OK) {
				assert_non_null(image.reason);
				continue;
			}
			assert_true(elf_image_holds(&image, FILE_SIZE, LOW, HIGH));
			passed++;
		}
	}
	assert_true(passed > 0);
}

static void too_many_segments_are_refused(void **state)
{
	(void)state;
	enum { COUNT = ELF_SEGMENTS_MAX + 1 };
	put(E_PHOFF, 8, CODE_OFFSET + 16);
	for (unsigned i = 0; i < COUNT; i++)
		put_segment(CODE_OFFSET + 16 + i * PHDR_SIZE, ELF_READ | ELF_EXECUTE, CODE_OFFSET,
		            LOW + 0x1000 * i + CODE_OFFSET, 16, 16);
	struct elf_image image;
	put(E_PHNUM, 2, COUNT - 1);
	expect_good(&image);
	assert_int_equal(image.segment_count, ELF_SEGMENTS_MAX);
	assert_int_equal(image.phdr, 0);
	put(E_PHNUM, 2, COUNT);
	assert_int_equal(check(FILE_SIZE, &image), STATUS_BAD_MESSAGE);
	assert_string_equal(image.reason, "too many segments");
}

/* What a loader does not show is not looked at, whatever the file's size. */
static void headers_must_be_there(void **state)
{
	(void)state;
	enum { NEEDED = PHDR + PHDRS * PHDR_SIZE };
	struct elf_image image;
	assert_int_equal(check_first(NEEDED, FILE_SIZE, &image), STATUS_OK);
	assert_true(elf_image_holds(&image, FILE_SIZE, LOW, HIGH));
	for (size_t there = 0; there < NEEDED; there++)
		assert_int_equal(check_first(there, FILE_SIZE, &image), STATUS_BAD_MESSAGE);
	put(E_PHOFF, 8, PHDR + 8);
	assert_int_equal(check_first(NEEDED, FILE_SIZE, &image), STATUS_BAD_MESSAGE);
	assert_string_equal(image.reason, "program headers outside the file");
}

static void empty_segments_are_passed_over(void **state)
{
	(void)state;
	struct elf_image image;
	put_segment(NOTE, 7, 12345, 0, 0, 0);
	expect_good(&image);
	assert_int_equal(image.segment_count, 3);
}

static void a_segment_without_file_bytes_may_have_any_offset(void **state)
{
	(void)state;
	struct elf_image image;
	put_segment(DATA, ELF_READ | ELF_WRITE, UINT64_MAX, LOW + 0x10000, 0, 0x1000);
	expect_good(&image);
	assert_int_equal(image.segments[2].file_offset, 0);
}

static void a_segment_may_fill_the_memory_allowed_to_the_last_byte(void **state)
{
	(void)state;
	struct elf_image image;
	put(DATA + P_MEMSZ, 8, HIGH - (LOW + 0x10000 + DATA_OFFSET));
	expect_good(&image);
	assert_int_equal(image.high, HIGH);
}

static void static_pie_counts_from_a_base(void **state)
{
	(void)state;
	struct elf_image image;
	put(E_TYPE, 2, ELF_DYN);
	assert_int_equal(check(FILE_SIZE, &image), STATUS_BAD_MESSAGE);
	put(E_ENTRY, 8, CODE_OFFSET);
	put(HEADERS + P_VADDR, 8, 0);
	put(CODE + P_VADDR, 8, CODE_OFFSET);
	put(DATA + P_VADDR, 8, 0x10000 + DATA_OFFSET);
	expect_good(&image);
	assert_int_equal(image.type, ELF_DYN);
	assert_int_equal(image.low, 0);
	assert_int_equal(image.phdr, PHDR);
}

static void an_empty_range_allows_nothing(void **state)
{
	(void)state;
	struct elf_image image;
	assert_int_equal(elf_check(file, FILE_SIZE, FILE_SIZE, HIGH, HIGH, &image), STATUS_BAD_MESSAGE);
	assert_int_equal(elf_check(file, FILE_SIZE, FILE_SIZE, HIGH, LOW, &image), STATUS_BAD_MESSAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good_image_is_read, make_good),
		cmocka_unit_test_setup(each_wrong_field_is_refused, make_good),
		cmocka_unit_test_setup(each_truncation_is_refused, make_good),
		cmocka_unit_test_setup(any_header_byte_may_be_anything, make_good),
		cmocka_unit_test_setup(too_many_segments_are_refused, make_good),
		cmocka_unit_test_setup(headers_must_be_there, make_good),
		cmocka_unit_test_setup(empty_segments_are_passed_over, make_good),
		cmocka_unit_test_setup(a_segment_without_file_bytes_may_have_any_offset, make_good),
		cmocka_unit_test_setup(a_segment_may_fill_the_memory_allowed_to_the_last_byte, make_good),
		cmocka_unit_test_setup(static_pie_counts_from_a_base, make_good),
		cmocka_unit_test_setup(an_empty_range_allows_nothing, make_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
