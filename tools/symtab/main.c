/* main.c: mksymtab: makes of what `nm -n --defined-only KERNEL` prints the table of
 * its functions, as assembly that kernel/symbols.c finds (core/symtab.h has the
 * format). Of nothing, an empty table. Of several names at one address the first
 * counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/symtab/encode.h"

enum { FUNCTIONS_MAX = 8192, LINE = 512 };

static struct function functions[FUNCTIONS_MAX];
static size_t count;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "mksymtab: %s\n", what);
	exit(1);
}

/* Addresses lie in one 4 GiB, so the low half of each is enough. */
static void add(const char *name, uint32_t address)
{
	if (count > 0 && functions[count - 1].offset == address)
		return;
	if (count == FUNCTIONS_MAX)
		fail("too many functions");
	functions[count].offset = address;
	functions[count].name = strdup(name);
	if (!functions[count++].name)
		fail("no memory");
}

/* The linker's marks are not functions. */
static bool is_mark(const char *name)
{
	return strcmp(name, "text_end") == 0 || strcmp(name, "kernel_start") == 0;
}

static void read_functions(void)
{
	char line[LINE], name[LINE], kind;
	unsigned long long address;
	uint32_t text = 0;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%llx %c %511s", &address, &kind, name) != 3)
			fail("that is not what nm prints");
		if (strcmp(name, "text_start") == 0)
			text = (uint32_t)address;
		else if ((kind == 't' || kind == 'T') && !is_mark(name))
			add(name, (uint32_t)address);
	}
	for (size_t i = 0; i < count; i++)
		functions[i].offset -= text;
}

int main(void)
{
	size_t size;
	uint8_t *table;

	read_functions();
	table = symtab_encode(functions, count, &size);
	if (!table)
		fail("a function too long, or no memory");
	puts("\t.section .symbols, \"a\"\n\t.globl symbols_start, symbols_end\nsymbols_start:");
	for (size_t i = 0; i < size; i++)
		printf("\t.byte %d\n", table[i]);
	puts("symbols_end:\n\t.section .note.GNU-stack, \"\", @progbits");
	return 0;
}
