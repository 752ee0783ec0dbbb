/* symbols.h: the kernel's function names, for backtraces.
 *
 * The table is made from the linked kernel itself, so the kernel is linked
 * twice; tools/symbols.sh says how. */
#pragma once

#include <stdint.h>

/* The function that holds `address`, and how far in; null outside the
 * kernel's text or with no table. */
const char *symbol_lookup(uint64_t address, uint64_t *offset);
