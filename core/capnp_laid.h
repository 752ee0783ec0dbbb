/* capnp_laid.h: for the codec's tests: messages of words laid out by hand. They stand in
 * buffers of exactly their size, so that the sanitizers see a byte read or written outside. */
#pragma once

#include "core/capnp_invariant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Pointer words, as capnp.c's header describes them. */
#define STRUCT(offset, data, pointers) \
	((uint32_t)(offset) << 2 | (uint64_t)(data) << 32 | (uint64_t)(pointers) << 48)
#define LIST(offset, element, count) \
	((uint32_t)(offset) << 2 | 1 | (uint64_t)(element) << 32 | (uint64_t)(count) << 35)
#define FAR(offset) ((uint64_t)(offset) << 3 | 2)
#define CAPABILITY(index) ((uint64_t)(index) << 32 | 3)

static uint64_t *exact;
static size_t exact_size;

/* A message of these words alone, at exact. */
static inline void make(const uint64_t *words, size_t count)
{
	free(exact);
	exact_size = count * sizeof *words;
	exact = malloc(exact_size > 0 ? exact_size : 1);
	memcpy(exact, words, exact_size);
}

#define MAKE(...)                                             \
	do {                                                      \
		const uint64_t words_[] = { __VA_ARGS__ };            \
		make(words_, sizeof words_ / sizeof words_[0]);       \
	} while (0)

static inline struct capnp_struct read_good(void)
{
	struct capnp_struct root;
	assert_int_equal(capnp_read_root(exact, exact_size, &root), STATUS_OK);
	assert_true(capnp_holds(root, exact, exact_size));
	return root;
}

static inline void read_bad(void)
{
	struct capnp_struct root;
	memset(&root, 0xff, sizeof root);
	assert_int_equal(capnp_read_root(exact, exact_size, &root), STATUS_BAD_MESSAGE);
	assert_int_equal(root.data_bytes, 0);
	assert_int_equal(root.pointers, 0);
}

#define GOOD(...) (__extension__({ MAKE(__VA_ARGS__); read_good(); }))
#define BAD(...)           \
	do {                   \
		MAKE(__VA_ARGS__); \
		read_bad();        \
	} while (0)
