/* symtab.h: the table of a program's functions, by address, made small.
 *
 * The table is bytes:
 *     n, then n letters, the first of which is 0: code i < n means letter i
 *     m, then m pairs of codes: code n + i means the two of pair i, one after
 *         the other; each of them is less than n + i
 *     for each function, in order of address: how far it stands past the one
 *         before it, or the first past the start of the text (one byte below
 *         128, or 128 + the high and then the low byte), and its name's codes,
 *         which end by a letter 0
 * tools/symtab makes it: the pairs are those that are most frequent in the names
 * (byte pair encoding, as Linux's kallsyms has it).
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SYMTAB_CODES = 256,
	SYMTAB_STEP_MAX = 0x7fff, /* bytes from one function to the next, at most */
};

/* The function that holds `offset`, which is counted from the text's start: the
 * last one that starts there or before. Its name, cut to `size` bytes, is always
 * terminated; `*start` is its own offset. False without one. */
bool symtab_find(const uint8_t *table, const uint8_t *end, uint32_t offset,
                 char *name, size_t size, uint32_t *start);
