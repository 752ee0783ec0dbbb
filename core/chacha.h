/* chacha.h: ChaCha20 as a source of random bytes.
 *
 * The block function is RFC 8439's. The generator makes a batch of blocks at a
 * time; the batch's first bytes replace the key before anything is given out,
 * and what is given out is wiped. So whoever reads the state learns what comes,
 * never what came (Bernstein, "Fast-key-erasure random-number generators", 2017).
 * What a compiler leaves on the stack is beyond this promise.
 *
 * Whether the bytes can be guessed is up to what was mixed in; this file has no
 * source of its own. Time and memory accesses depend on sizes only.
 * Pure: no globals, no allocation, no locking. Little-endian machines. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	CHACHA_KEY_WORDS = 8,
	CHACHA_KEY_SIZE = CHACHA_KEY_WORDS * 4,
	CHACHA_NONCE_WORDS = 3,
	CHACHA_BLOCK_WORDS = 16,
	CHACHA_BATCH_BLOCKS = 8,
	CHACHA_BATCH_WORDS = CHACHA_BATCH_BLOCKS * CHACHA_BLOCK_WORDS,
};

/* RFC 8439, section 2.3. */
void chacha_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter,
                  const uint32_t nonce[CHACHA_NONCE_WORDS],
                  uint32_t out[restrict CHACHA_BLOCK_WORDS]);

/* Makes `key` depend on `bytes` too. A key that nobody could guess stays so,
 * whoever chose the bytes; one that could be becomes as good as they are. The
 * same bytes in other portions than multiples of CHACHA_KEY_SIZE are others. */
void chacha_mix(uint32_t key[CHACHA_KEY_WORDS], const void *bytes, size_t size);

/* All zeroes is a generator that nothing was mixed into yet. */
struct chacha_rng {
	uint32_t key[CHACHA_KEY_WORDS]; /* of the next batch */
	uint32_t batch[CHACHA_BATCH_WORDS];
	uint32_t left;  /* bytes at the batch's end that were not given out */
	uint64_t given; /* bytes since something was mixed in */
};

/* Mixes `bytes` into the key. What was made before is not given out any more. */
void chacha_rng_mix(struct chacha_rng *rng, const void *bytes, size_t size);

void chacha_rng_bytes(struct chacha_rng *rng, void *to, size_t size);
