/* symtab_test.c: what tools/symtab encodes, core/symtab finds again: every function,
 * at its every end, by its whole name. */
#include "core/symtab.h"
#include "tools/symtab/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 600, NAME = 64 };

static char names[MANY][NAME];
static struct function functions[MANY];

static uint8_t *encode(size_t count, size_t *size)
{
	uint8_t *table = symtab_encode(functions, count, size);

	assert_non_null(table);
	return table;
}

static void expect(const uint8_t *table, size_t size, uint32_t offset,
                   const struct function *f)
{
	char name[NAME];
	uint32_t start;

	assert_true(symtab_find(table, table + size, offset, name, sizeof(name), &start));
	assert_string_equal(name, f->name);
	assert_int_equal(start, f->offset);
}

/* Looks for all of them, at their first bytes, their last and one between. */
static void expect_all(size_t count)
{
	size_t size;
	uint8_t *table = encode(count, &size);

	for (size_t i = 0; i < count; i++) {
		uint32_t end = i + 1 < count ? functions[i + 1].offset : UINT32_MAX;

		expect(table, size, functions[i].offset, &functions[i]);
		expect(table, size, (uint32_t)(((uint64_t)functions[i].offset + end) / 2),
		       &functions[i]);
		expect(table, size, end - 1, &functions[i]);
	}
	free(table);
}

/* As the exokernel's are: words of a vocabulary, joined. */
static void make_names(void)
{
	static const char *const words[] = {
		"space", "ring", "table", "call", "page", "frame", "thread", "of", "get", "isra.0",
	};

	srand(1);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(names[i], NAME, "%s_%s_%s%u", words[rand() % 10], words[rand() % 10],
		         words[rand() % 10], i % 7);
		functions[i].name = names[i];
		functions[i].offset = (i ? functions[i - 1].offset : 0) + 1 +
		                      (uint32_t)rand() % 400;
	}
}

static void every_function_is_found(void **state)
{
	(void)state;
	make_names();
	for (size_t count = 1; count <= MANY; count += count < 8 ? 1 : 97)
		expect_all(count);
	expect_all(MANY);
}

static void a_table_is_small(void **state)
{
	size_t size, letters = 0;

	(void)state;
	make_names();
	for (unsigned i = 0; i < MANY; i++)
		letters += strlen(names[i]);
	free(encode(MANY, &size));
	assert_true(size < letters / 2);
}

static void steps_of_all_lengths(void **state)
{
	static const uint32_t steps[] = {0, 1, 127, 128, 255, 256, SYMTAB_STEP_MAX, 1};
	uint32_t offset = 0;
	size_t size;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		offset += steps[i];
		functions[i] = (struct function){"f", offset};
	}
	expect_all(8);
	functions[7].offset += SYMTAB_STEP_MAX;
	assert_null(symtab_encode(functions, 8, &size));
}

/* Pairs of a letter with itself, of pairs, and as many letters as there may be. */
static void names_of_all_kinds(void **state)
{
	size_t size;

	(void)state;
	memset(names, 0, sizeof(names));
	for (unsigned i = 0; i < 300; i++) {
		memset(names[i], 'a' + i % 2, 1 + i % (NAME - 2));
		functions[i] = (struct function){names[i], 3 * i};
	}
	expect_all(300);
	for (unsigned i = 0; i < 255; i++) {
		names[i][0] = names[i][1] = (char)(i + 1);
		names[i][2] = '\0';
	}
	expect_all(254);
	assert_null(symtab_encode(functions, 255, &size));
}

static void a_name_is_cut_to_its_room(void **state)
{
	uint8_t *table;
	char name[5];
	size_t size;
	uint32_t start;

	(void)state;
	functions[0] = (struct function){"space_fresh", 0};
	functions[1] = (struct function){"b", 9};
	table = encode(2, &size);
	assert_true(symtab_find(table, table + size, 8, name, sizeof(name), &start));
	assert_string_equal(name, "spac");
	assert_true(symtab_find(table, table + size, 9, name, sizeof(name), &start));
	assert_string_equal(name, "b");
	free(table);
}

static void nothing_is_found_before_the_first(void **state)
{
	uint8_t *table;
	char name[NAME];
	size_t size;
	uint32_t start;

	(void)state;
	functions[0] = (struct function){"first", 16};
	table = encode(1, &size);
	assert_false(symtab_find(table, table + size, 15, name, sizeof(name), &start));
	free(table);
	table = encode(0, &size);
	assert_false(symtab_find(table, table + size, 15, name, sizeof(name), &start));
	free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_function_is_found),
		cmocka_unit_test(a_table_is_small),
		cmocka_unit_test(steps_of_all_lengths),
		cmocka_unit_test(names_of_all_kinds),
		cmocka_unit_test(a_name_is_cut_to_its_room),
		cmocka_unit_test(nothing_is_found_before_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
