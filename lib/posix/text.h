/* text.h: text that grows as it is written, for generated files.
 *
 * Zero a struct text, append, look at `failed` once at the end, then
 * text_free. After a failure (no memory) appending does nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes;
	size_t length;
	size_t capacity;
	bool failed;
};

void text_bytes(struct text *text, const void *bytes, size_t length);
void text_string(struct text *text, const char *string);
void text_char(struct text *text, char c);
void text_unsigned(struct text *text, uint64_t value);
void text_signed(struct text *text, int64_t value);
/* At least `width` digits, padded with `pad` ('0' or ' '). */
void text_padded(struct text *text, uint64_t value, unsigned width, char pad);
void text_hex(struct text *text, uint64_t value);
void text_free(struct text *text);
