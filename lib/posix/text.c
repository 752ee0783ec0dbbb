/* text.c: see text.h. */
#include "lib/posix/text.h"

#include "lib/posix/env.h"

#include <string.h>

enum { TEXT_FIRST = 256, DIGITS_MAX = 20 };

static bool reserve(struct text *text, size_t length)
{
	if (text->failed || text->capacity - text->length >= length)
		return !text->failed;
	size_t capacity = text->capacity == 0 ? TEXT_FIRST : text->capacity;
	while (capacity - text->length < length)
		capacity *= 2;
	char *bytes = env_alloc(capacity);
	if (bytes == NULL) {
		text->failed = true;
		return false;
	}
	if (text->length > 0)
		memcpy(bytes, text->bytes, text->length);
	env_free(text->bytes);
	text->bytes = bytes;
	text->capacity = capacity;
	return true;
}

void text_bytes(struct text *text, const void *bytes, size_t length)
{
	if (length == 0 || !reserve(text, length))
		return;
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

void text_string(struct text *text, const char *string)
{
	text_bytes(text, string, strlen(string));
}

void text_char(struct text *text, char c)
{
	text_bytes(text, &c, 1);
}

static void digits(struct text *text, uint64_t value, unsigned base, unsigned width, char pad)
{
	char buffer[DIGITS_MAX];
	unsigned used = 0;
	do {
		buffer[DIGITS_MAX - ++used] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	for (unsigned i = used; i < width; i++)
		text_char(text, pad);
	text_bytes(text, buffer + DIGITS_MAX - used, used);
}

void text_unsigned(struct text *text, uint64_t value)
{
	digits(text, value, 10, 0, ' ');
}

void text_signed(struct text *text, int64_t value)
{
	if (value < 0)
		text_char(text, '-');
	digits(text, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, 0, ' ');
}

void text_padded(struct text *text, uint64_t value, unsigned width, char pad)
{
	digits(text, value, 10, width, pad);
}

void text_hex(struct text *text, uint64_t value)
{
	digits(text, value, 16, 0, ' ');
}

void text_free(struct text *text)
{
	env_free(text->bytes);
	*text = (struct text){ 0 };
}
