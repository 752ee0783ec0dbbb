/* module_string.h: the memory functions that compilers call on their own, for
 * code without a C library, and the few string functions that go with them. */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *bytes, int byte, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
