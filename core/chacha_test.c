/* chacha_test.c: RFC 8439's vectors; and what users of the generator rely on:
 * bytes do not depend on the portions they are asked for in, everything that is
 * mixed in counts, and no state tells what was given out before. */
#include "core/chacha.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct vector {
	const char *key, *nonce;
	uint32_t counter;
	const char *stream;
};

#define ZERO_KEY "0000000000000000000000000000000000000000000000000000000000000000"
#define ZERO_NONCE "000000000000000000000000"

/* Section 2.3.2, then appendix A.1. */
static const struct vector vectors[] = {
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	 "000000090000004a00000000", 1,
	 "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
	 "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"},
	{ZERO_KEY, ZERO_NONCE, 0,
	 "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
	 "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
	{ZERO_KEY, ZERO_NONCE, 1,
	 "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
	 "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
	{"0000000000000000000000000000000000000000000000000000000000000001", ZERO_NONCE, 1,
	 "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
	 "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
	{"00ff000000000000000000000000000000000000000000000000000000000000", ZERO_NONCE, 2,
	 "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
	 "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"},
	{ZERO_KEY, "000000000000000000000002", 0,
	 "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
	 "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d"},
};

static void from_hex(void *to, const char *hex)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		((uint8_t *)to)[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

static void blocks_are_the_rfcs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint32_t key[CHACHA_KEY_WORDS], nonce[CHACHA_NONCE_WORDS];
		uint32_t wanted[CHACHA_BLOCK_WORDS], got[CHACHA_BLOCK_WORDS];

		from_hex(key, vectors[i].key);
		from_hex(nonce, vectors[i].nonce);
		from_hex(wanted, vectors[i].stream);
		chacha_block(key, vectors[i].counter, nonce, got);
		assert_memory_equal(got, wanted, sizeof(wanted));
	}
}

static struct chacha_rng seeded(const char *seed)
{
	struct chacha_rng rng = {0};

	chacha_rng_mix(&rng, seed, strlen(seed));
	return rng;
}

/* Where `size` bytes of `in` equal `what`; NULL: nowhere. */
static const uint8_t *find(const void *in, size_t in_size, const void *what, size_t size)
{
	for (size_t i = 0; i + size <= in_size; i++)
		if (memcmp((const uint8_t *)in + i, what, size) == 0)
			return (const uint8_t *)in + i;
	return NULL;
}

static void portions_do_not_matter(void **state)
{
	enum { TOTAL = 20000 };
	static uint8_t whole[TOTAL], parts[TOTAL];

	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct chacha_rng one = seeded("portions"), other = one;

		srand(seed);
		chacha_rng_bytes(&one, whole, TOTAL);
		for (size_t at = 0; at < TOTAL;) {
			size_t part = (size_t)rand() % 700;

			if (part > TOTAL - at)
				part = TOTAL - at;
			chacha_rng_bytes(&other, parts + at, part);
			at += part;
			assert_int_equal(other.given, at);
		}
		assert_memory_equal(whole, parts, TOTAL);
		assert_int_equal(one.left, other.left);
	}
}

static bool same_bytes(struct chacha_rng a, struct chacha_rng b)
{
	uint8_t of_a[64], of_b[64];

	chacha_rng_bytes(&a, of_a, sizeof(of_a));
	chacha_rng_bytes(&b, of_b, sizeof(of_b));
	return find(of_a, sizeof(of_a), of_b, 8) != NULL;
}

static void all_that_is_mixed_in_counts(void **state)
{
	static const uint8_t zeroes[3 * CHACHA_KEY_SIZE];
	struct chacha_rng one = seeded("x"), other = seeded("y");

	(void)state;
	assert_true(same_bytes(seeded("x"), seeded("x")));
	assert_false(same_bytes(one, other));
	/* Each bit of a long seed, its length, and the order. */
	for (size_t bit = 0; bit < sizeof(zeroes) * 8; bit++) {
		struct chacha_rng flipped = {0}, plain = {0};
		uint8_t bytes[sizeof(zeroes)] = {0};

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		chacha_rng_mix(&flipped, bytes, sizeof(bytes));
		chacha_rng_mix(&plain, zeroes, sizeof(zeroes));
		assert_false(same_bytes(flipped, plain));
	}
	for (size_t size = 0; size < sizeof(zeroes); size++) {
		struct chacha_rng shorter = {0}, longer = {0};

		chacha_rng_mix(&shorter, zeroes, size);
		chacha_rng_mix(&longer, zeroes, size + 1);
		assert_false(same_bytes(shorter, longer));
	}
	one = seeded("x");
	chacha_rng_mix(&one, "y", 1);
	other = seeded("y");
	chacha_rng_mix(&other, "x", 1);
	assert_false(same_bytes(one, other));
}

/* Somebody who knows the bytes that are mixed in, but not what was there. */
static void known_bytes_do_not_undo_unknown_ones(void **state)
{
	struct chacha_rng secret = seeded("secret"), other = seeded("another"), none = {0};

	(void)state;
	chacha_rng_mix(&secret, "known", 5);
	chacha_rng_mix(&other, "known", 5);
	chacha_rng_mix(&none, "known", 5);
	assert_false(same_bytes(secret, other));
	assert_false(same_bytes(secret, none));
	/* Not even the state itself, xored in. */
	secret = seeded("secret");
	chacha_rng_mix(&secret, secret.key, sizeof(secret.key));
	none = (struct chacha_rng){0};
	assert_false(same_bytes(secret, none));
}

static void mixing_takes_effect_at_once(void **state)
{
	struct chacha_rng rng = seeded("at once"), kept, fresh = {0};
	uint8_t before[40], after[40], kept_bytes[40], fresh_bytes[40];

	(void)state;
	chacha_rng_bytes(&rng, before, sizeof(before));
	kept = rng;
	chacha_rng_mix(&rng, "more", 4);
	assert_int_equal(rng.given, 0);
	memcpy(fresh.key, rng.key, sizeof(rng.key));
	chacha_rng_bytes(&fresh, fresh_bytes, sizeof(fresh_bytes));
	chacha_rng_bytes(&rng, after, sizeof(after));
	chacha_rng_bytes(&kept, kept_bytes, sizeof(kept_bytes));
	assert_null(find(after, sizeof(after), kept_bytes, 8));
	assert_memory_equal(after, fresh_bytes, sizeof(after));
}

/* Whoever reads the state after an answer: with every run of its bytes taken for
 * a key, nothing that can be computed is the answer. */
static void no_state_tells_what_was_given(void **state)
{
	static const uint32_t nonce[CHACHA_NONCE_WORDS];
	static const size_t sizes[] = {16, 32, 100, 479, 480, 481, 512, 5000};

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct chacha_rng rng = seeded("backtracking"), before = rng;
		uint8_t given[5000], again[5000];

		chacha_rng_bytes(&rng, given, sizes[s]);
		/* The state before does tell: this is what is looked for. */
		chacha_rng_bytes(&before, again, sizes[s]);
		assert_memory_equal(given, again, sizes[s]);
		before = seeded("backtracking");

		assert_null(find(&rng, sizeof(rng), before.key, 8));
		for (size_t at = 0; at + 16 <= sizes[s]; at += 16)
			assert_null(find(&rng, sizeof(rng), given + at, 16));
		for (size_t at = 0; at + CHACHA_KEY_SIZE <= sizeof(rng); at++) {
			uint32_t key[CHACHA_KEY_WORDS], block[CHACHA_BLOCK_WORDS];

			memcpy(key, (uint8_t *)&rng + at, sizeof(key));
			for (uint32_t i = 0; i < CHACHA_BATCH_BLOCKS; i++) {
				chacha_block(key, i, nonce, block);
				assert_null(find(given, sizes[s], block, 8));
				assert_null(find(given, sizes[s], &block[8], 8));
			}
		}
	}
}

/* No test of quality: only that no part of the stream is left out or repeated. */
static void bits_are_even_and_words_differ(void **state)
{
	enum { WORDS = 1 << 16 };
	static uint64_t words[WORDS];
	struct chacha_rng rng = seeded("bits");
	long ones = 0, half = WORDS * 32l;

	(void)state;
	chacha_rng_bytes(&rng, words, sizeof(words));
	for (size_t i = 0; i < WORDS; i++) {
		ones += __builtin_popcountll(words[i]);
		assert_true(i == 0 || words[i] != words[i - 1]);
		assert_int_not_equal(words[i], 0);
	}
	/* Six standard deviations: sqrt(bits) / 2 = 1024. */
	assert_true(labs(ones - half) < 6 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_the_rfcs),
		cmocka_unit_test(portions_do_not_matter),
		cmocka_unit_test(all_that_is_mixed_in_counts),
		cmocka_unit_test(known_bytes_do_not_undo_unknown_ones),
		cmocka_unit_test(mixing_takes_effect_at_once),
		cmocka_unit_test(no_state_tells_what_was_given),
		cmocka_unit_test(bits_are_even_and_words_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
