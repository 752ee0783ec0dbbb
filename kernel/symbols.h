/* symbols.h: the kernel's function names, for backtraces.
 *
 * The table (core/symtab.h) is made from the linked kernel itself, so the kernel
 * is linked twice (Makefile). It stands behind all code (kernel.ld), so functions
 * are at the same addresses in both links. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SYMBOL_NAME_MAX = 64 };

/* The function that holds `address`, its name cut to `size` bytes, and how far in;
 * false outside the kernel's text or with no table. */
bool symbol_lookup(uint64_t address, char *name, size_t size, uint64_t *offset);
