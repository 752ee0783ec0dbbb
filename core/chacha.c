/* chacha.c: see chacha.h. */
#include "core/chacha.h"

/* Told apart by the nonce: no block of one use is a block of the other. */
enum { USE_OUTPUT = 0, USE_MIX = 1 };

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static inline void quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 7);
}

/* The words of a block's start, added up. `out` is where the work is done, so
 * that no copy of the key stays behind. */
static void add_start(const uint32_t *key, uint32_t counter, const uint32_t *nonce,
                      uint32_t *restrict out)
{
	static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	for (unsigned i = 0; i < 4; i++)
		out[i] += constants[i];
	for (unsigned i = 0; i < CHACHA_KEY_WORDS; i++)
		out[4 + i] += key[i];
	out[12] += counter;
	for (unsigned i = 0; i < CHACHA_NONCE_WORDS; i++)
		out[13 + i] += nonce[i];
}

void chacha_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter,
                  const uint32_t nonce[CHACHA_NONCE_WORDS],
                  uint32_t out[restrict CHACHA_BLOCK_WORDS])
{
	__builtin_memset(out, 0, CHACHA_BLOCK_WORDS * sizeof(*out));
	add_start(key, counter, nonce, out);
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
	add_start(key, counter, nonce, out);
}

/* Also where the compiler sees that nobody reads it again. */
static void wipe(void *at, size_t size)
{
	__builtin_memset(at, 0, size);
	__asm__ volatile("" : : "r"(at) : "memory");
}

/* One portion of at most a key's size: xored in, then a one-way step. Its length
 * is part of the step, so that zeroes at its end count. */
static void mix_portion(uint32_t *key, const uint8_t *bytes, size_t size)
{
	const uint32_t nonce[CHACHA_NONCE_WORDS] = {USE_MIX, (uint32_t)size, 0};
	uint32_t block[CHACHA_BLOCK_WORDS];

	for (size_t i = 0; i < size; i++)
		((uint8_t *)key)[i] ^= bytes[i];
	chacha_block(key, 0, nonce, block);
	__builtin_memcpy(key, block, CHACHA_KEY_SIZE);
	wipe(block, sizeof(block));
}

void chacha_mix(uint32_t key[CHACHA_KEY_WORDS], const void *bytes, size_t size)
{
	const uint8_t *from = bytes;

	while (size > 0) {
		size_t part = size < CHACHA_KEY_SIZE ? size : CHACHA_KEY_SIZE;

		mix_portion(key, from, part);
		from += part;
		size -= part;
	}
}

void chacha_rng_mix(struct chacha_rng *rng, const void *bytes, size_t size)
{
	chacha_mix(rng->key, bytes, size);
	wipe(rng->batch, sizeof(rng->batch));
	rng->left = 0;
	rng->given = 0;
}

static void refill(struct chacha_rng *rng)
{
	static const uint32_t nonce[CHACHA_NONCE_WORDS] = {USE_OUTPUT, 0, 0};

	for (uint32_t i = 0; i < CHACHA_BATCH_BLOCKS; i++)
		chacha_block(rng->key, i, nonce, &rng->batch[i * CHACHA_BLOCK_WORDS]);
	__builtin_memcpy(rng->key, rng->batch, CHACHA_KEY_SIZE);
	rng->left = sizeof(rng->batch) - CHACHA_KEY_SIZE;
}

void chacha_rng_bytes(struct chacha_rng *rng, void *to, size_t size)
{
	uint8_t *at = to;

	rng->given += size;
	while (size > 0) {
		uint8_t *from;
		size_t part;

		if (rng->left == 0)
			refill(rng);
		part = size < rng->left ? size : rng->left;
		from = (uint8_t *)rng->batch + sizeof(rng->batch) - rng->left;
		__builtin_memcpy(at, from, part);
		wipe(from, part);
		rng->left -= (uint32_t)part;
		at += part;
		size -= part;
	}
}
