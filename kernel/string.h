/* string.h: the memory functions that the compiler itself calls, too. As ISO C
 * has them. Bulk goes by 8-byte string moves: an instruction-counting emulator
 * charges for each step. */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
