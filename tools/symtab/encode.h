/* encode.h: makes the table that core/symtab.c reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A function, `offset` bytes past the text's start. */
struct function {
	const char *name;
	uint32_t offset;
};

/* The table of `count` functions, which stand in order of their offsets, each at
 * another. Returns its bytes, for free(), and their number; NULL if one stands more
 * than SYMTAB_STEP_MAX past the one before it, if names have all 255 bytes in them,
 * or if there is no memory. */
uint8_t *symtab_encode(const struct function *functions, size_t count, size_t *size);
