/* module_string.c: memory functions for a module, without vector registers.
 *
 * String instructions move eight bytes for each one counted, and need no
 * loop: the shortest way both in instructions and in bytes. All of them rely
 * on the direction flag being clear, as the ABI promises. */
#include "rt/module_string.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *d = to;
	size_t words = n / 8, rest = n % 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	const uint8_t *s = (const uint8_t *)from + n - 1;
	uint8_t *d = (uint8_t *)to + n - 1;

	if ((uintptr_t)to - (uintptr_t)from >= n)
		return memcpy(to, from, n);
	__asm__ volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	void *d = to;
	uint64_t value = (uint8_t)byte * 0x0101010101010101u;
	size_t words = n / 8, rest = n % 8;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(value) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(value) : "memory");
	return to;
}

/* Eight bytes at once, of whatever they are part. */
struct word {
	uint64_t value;
} __attribute__((packed, may_alias));

static uint64_t word_at(const uint8_t *bytes)
{
	return ((const struct word *)bytes)->value;
}

void *memchr(const void *bytes, int byte, size_t n)
{
	for (const uint8_t *p = bytes; n > 0; p++, n--)
		if (*p == (uint8_t)byte)
			return (void *)(uintptr_t)p;
	return NULL;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	while (n >= 8 && word_at(x) == word_at(y)) {
		x += 8;
		y += 8;
		n -= 8;
	}
	for (; n > 0; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}
