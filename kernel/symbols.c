/* symbols.c: see symbols.h. The table is sorted by address; the low 32 bits of
 * an address are enough, as the kernel stands in the last 2 GiB. */
#include "kernel/symbols.h"

#include "kernel/arch/x86_64/boot.h"

struct symbol {
	uint32_t address;
	uint32_t name; /* offset in symbol_names */
};

/* From tools/symbols.sh. */
extern const uint32_t symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
	uint32_t low = 0, high = symbol_count;

	if (address < (uint64_t)text_start || address >= (uint64_t)text_end)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (symbol_table[middle].address <= (uint32_t)address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*offset = (uint32_t)address - symbol_table[low - 1].address;
	return symbol_names + symbol_table[low - 1].name;
}
