/* checksum.h: a number that tells contents apart where nobody means harm:
 * FNV-1a, taken over 64-bit words. Start with CHECKSUM_START and feed on. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)
#define CHECKSUM_PRIME UINT64_C(0x100000001b3)

static inline uint64_t checksum_words(uint64_t sum, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum = (sum ^ words[i]) * CHECKSUM_PRIME;
	return sum;
}
