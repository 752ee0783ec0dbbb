/* random.c: ChaCha20 over a key from RDRAND and the clock.
 *
 * Output is made a batch at a time. The batch's first bytes replace the key
 * before anything is given out, and what is given out is wiped, so nothing that
 * was can be computed back from the state. Source: RFC 8439; Bernstein, "Fast
 * key erasure random-number generators". */
#include "os/linux/random.h"

#include "rt/module_string.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	KEY_WORDS = 8,
	BLOCK_WORDS = 16,
	BATCH_WORDS = 8 * BLOCK_WORDS,
	CPUID_RDRAND = 1 << 30,
	RDRAND_TRIES = 10,
};

static uint32_t key[KEY_WORDS];
static uint64_t counter;
static uint32_t batch[BATCH_WORDS];
static size_t left; /* bytes at the batch's end that were not given out */

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 7);
}

static void block(uint32_t out[BLOCK_WORDS])
{
	uint32_t in[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(&in[4], key, sizeof key);
	memcpy(&in[12], &counter, sizeof counter);
	counter++;
	memcpy(out, in, sizeof in);
	for (unsigned round = 0; round < 10; round++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		out[i] += in[i];
}

static bool rdrand(uint32_t *out)
{
	bool done = false;

	for (unsigned tries = 0; !done && tries < RDRAND_TRIES; tries++)
		__asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(done));
	return done;
}

static uint32_t tsc(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low ^ rotate(high, 16);
}

void random_start(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	for (unsigned i = 0; i < KEY_WORDS; i++) {
		uint32_t word = 0;
		if ((ecx & CPUID_RDRAND) != 0)
			(void)rdrand(&word);
		key[i] ^= word ^ rotate(tsc(), i * 4);
	}
}

static void refill(void)
{
	key[0] ^= tsc();
	for (unsigned i = 0; i < BATCH_WORDS; i += BLOCK_WORDS)
		block(&batch[i]);
	memcpy(key, batch, sizeof key);
	memset(batch, 0, sizeof key);
	left = sizeof batch - sizeof key;
}

void random_bytes(void *to, size_t size)
{
	uint8_t *at = to;

	while (size > 0) {
		uint8_t *from;
		size_t part;
		if (left == 0)
			refill();
		part = size < left ? size : left;
		from = (uint8_t *)batch + sizeof batch - left;
		memcpy(at, from, part);
		memset(from, 0, part);
		left -= part;
		at += part;
		size -= part;
	}
}
