/* tour.h: what abi/tours.h (emit_tour.c) does with what the getters give: all of it must
 * lie inside the message, and numbers must be what stands there, or the default.
 *
 * A tour ends when it has met enough; so it does in a message that is a circle by now. */
#pragma once

#include "core/capnp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tour {
	const uint8_t *bytes;
	size_t size;
	bool changed;   /* since it was checked: what it says may make no sense */
	unsigned left;  /* so many more structs and elements */
	unsigned depth;
	unsigned touched;
};

static inline void tour_expect(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "readers_fuzz: %s\n", what);
		abort();
	}
}

static inline void tour_inside(struct tour *t, const void *at, uint64_t size)
{
	const uint8_t *first = at;

	if (size == 0)
		return;
	tour_expect(first >= t->bytes && size <= t->size && (size_t)(first - t->bytes) <= t->size - size,
	            "not in the message");
	t->touched += *(const volatile uint8_t *)first + *(const volatile uint8_t *)(first + size - 1);
}

static inline void tour_struct(struct tour *t, enum status status, struct capnp_struct s)
{
	uint64_t size = (uint64_t)s.data_bytes + 8 * s.pointers;

	tour_expect(!status || !size, "a struct that is none");
	tour_inside(t, s.data, size);
}

static inline bool tour_enter(struct tour *t, struct capnp_struct s)
{
	tour_struct(t, STATUS_OK, s);
	if (!t->left || t->depth > CAPNP_DEPTH_MAX)
		return false;
	t->left--;
	t->depth++;
	return true;
}

static inline void tour_leave(struct tour *t)
{
	t->depth--;
}

/* Every element, and one past the last. */
static inline bool tour_goes_on(struct tour *t, struct capnp_list l, uint32_t i)
{
	if (i > l.count || !t->left)
		return false;
	t->left--;
	return true;
}

/* `offset` in units of `bits`. */
static inline void tour_number(struct tour *t, struct capnp_struct s, uint32_t offset,
                               unsigned bits, uint64_t value, uint64_t got)
{
	uint64_t there = 0, mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
	uint64_t first = (uint64_t)offset * bits;

	(void)t;
	if (first + bits <= (uint64_t)s.data_bytes * 8) {
		memcpy(&there, s.data + first / 8, (bits + 7) / 8);
		there >>= first % 8;
	}
	tour_expect(((there ^ value) & mask) == (got & mask), "a number that is not there");
}

static inline void tour_element(struct tour *t, struct capnp_list l, uint32_t i, unsigned bits,
                                uint64_t got)
{
	struct capnp_struct s = capnp_list_struct(l, i);

	if (bits == 1)
		tour_expect(got <= 1 && (i < l.count || !got), "a bit past the end");
	else
		tour_number(t, s, 0, bits, 0, got);
}

static inline void tour_has(struct tour *t, struct capnp_struct s, uint32_t index, bool has)
{
	uint64_t pointer = 0;

	(void)t;
	if (index < s.pointers)
		memcpy(&pointer, s.data + s.data_bytes + 8 * index, sizeof pointer);
	tour_expect(has == (pointer != 0), "a pointer that is not there");
}

static inline void tour_text(struct tour *t, enum status status, struct capnp_text text)
{
	const uint8_t *at = (const uint8_t *)text.bytes;

	tour_expect(!status || !text.length, "a text that is none");
	if (text.length && at >= t->bytes && at < t->bytes + t->size) {
		tour_inside(t, at, text.length + 1);
		tour_expect(t->changed || at[text.length] == '\0', "a text without an end");
	} else {
		tour_expect(!text.length || strlen(text.bytes) == text.length, "a text that is no default");
	}
}

static inline void tour_data(struct tour *t, enum status status, struct capnp_data data)
{
	tour_expect(!status || !data.size, "data that are none");
	tour_inside(t, data.bytes, data.size);
}

static inline void tour_capability(struct tour *t, enum status status, uint32_t index)
{
	(void)status;
	t->touched += index;
}

static inline void tour_list(struct tour *t, enum status status, struct capnp_list l,
                             enum capnp_element element)
{
	uint64_t bits = l.element == CAPNP_BIT ? 1 : (uint64_t)l.step * 8;

	tour_expect(!status || !l.count, "a list that is none");
	tour_expect(l.count <= CAPNP_LIST_MAX, "a list that is too long");
	tour_expect(!l.count || (l.element == CAPNP_BIT) == (element == CAPNP_BIT),
	            "bits are nothing else");
	tour_expect(l.data_bytes + 8u * l.pointers <= l.step || l.element == CAPNP_BIT,
	            "elements overlap");
	tour_inside(t, l.first, (l.count * bits + 7) / 8);
}
