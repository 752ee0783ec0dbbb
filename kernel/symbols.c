/* symbols.c: see symbols.h. */
#include "kernel/symbols.h"

#include "core/symtab.h"
#include "kernel/arch/x86_64/boot.h"

/* From tools/symtab. */
extern const uint8_t symbols_start[], symbols_end[];

bool symbol_lookup(uint64_t address, char *name, size_t size, uint64_t *offset)
{
	uint64_t text = (uint64_t)text_start;
	uint32_t start;

	if (address < text || address >= (uint64_t)text_end ||
	    !symtab_find(symbols_start, symbols_end, (uint32_t)(address - text), name, size,
	                 &start))
		return false;
	*offset = address - text - start;
	return true;
}
