/* capnp_invariant.h: what capnp.h promises of a message that passed, as a walk
 * for the test and the fuzzer. It uses the public getters alone: all that they
 * hand out must lie inside the message, each pointer must be of exactly one
 * kind, and together it must be no more than the message. */
#pragma once

#include "core/capnp.h"

#include <string.h>

struct capnp_tour {
	const uint8_t *bytes;
	size_t size;
	uint64_t left;   /* bytes, plus elements without size, still to be met */
	bool changed;    /* since it passed: only memory safety is promised */
	unsigned touched;
};

static inline bool capnp_tour_struct(struct capnp_tour *t, struct capnp_struct s);
static inline bool capnp_tour_pointers(struct capnp_tour *t, struct capnp_struct s);

/* A walk that may be endless ends when it has met enough. */
static inline bool capnp_tour_over(const struct capnp_tour *t)
{
	return t->changed && t->left == 0;
}

/* Meets an object: it lies inside, and fits in what is left. */
static inline bool capnp_tour_meet(struct capnp_tour *t, const uint8_t *at, uint64_t size,
                                   uint64_t cost)
{
	if (at < t->bytes || size > t->size || (size_t)(at - t->bytes) > t->size - size)
		return false;
	if (size > 0)
		t->touched += *(const volatile uint8_t *)at + *(const volatile uint8_t *)(at + size - 1);
	if (cost > t->left) {
		t->left = 0;
		return t->changed;
	}
	t->left -= cost;
	return true;
}

static inline bool capnp_tour_list(struct capnp_tour *t, struct capnp_list l)
{
	uint64_t bits = l.element == CAPNP_BIT ? 1 : (uint64_t)l.step * 8;
	uint64_t bytes = (l.count * bits + 63) / 64 * 8;
	bool tagged = l.element == CAPNP_COMPOSITE;
	if (!capnp_tour_meet(t, l.first, bytes, bytes + 8 * tagged + (bits == 0 ? l.count : 0)))
		return false;
	if (l.element == CAPNP_BIT && l.count > 0)
		t->touched += capnp_list_bool(l, l.count - 1);
	for (uint32_t i = 0; l.pointers > 0 && i < l.count && !capnp_tour_over(t); i++)
		if (!capnp_tour_pointers(t, capnp_list_struct(l, i)))
			return false;
	return true;
}

/* Bytes, if that is what pointer i leads to, agree with the list of them. */
static inline bool capnp_tour_bytes(struct capnp_tour *t, struct capnp_struct s, uint32_t i,
                                    struct capnp_list l)
{
	struct capnp_text text;
	struct capnp_data data;
	enum status as_data = capnp_get_data(&s, i, &data);
	enum status as_text = capnp_get_text(&s, i, &text);
	if (t->changed)
		return true;
	if (l.element != CAPNP_BYTE)
		return as_data == STATUS_BAD_MESSAGE && data.size == 0 &&
		       as_text == STATUS_BAD_MESSAGE && text.length == 0;
	if (as_data != STATUS_OK || data.bytes != l.first || data.size != l.count)
		return false;
	bool terminated = l.count > 0 && l.first[l.count - 1] == '\0';
	return terminated ? as_text == STATUS_OK && text.bytes[text.length] == '\0'
	                  : as_text == STATUS_BAD_MESSAGE;
}

static inline bool capnp_tour_pointer(struct capnp_tour *t, struct capnp_struct s, uint32_t i)
{
	struct capnp_struct child;
	struct capnp_list list, bits;
	uint32_t capability;
	bool is_struct = capnp_get_struct(&s, i, &child) == STATUS_OK;
	bool is_list = capnp_get_list(&s, i, CAPNP_COMPOSITE, &list) == STATUS_OK;
	bool is_bits = !is_list && capnp_get_list(&s, i, CAPNP_BIT, &bits) == STATUS_OK;
	bool is_capability = capnp_get_capability(&s, i, &capability) == STATUS_OK;
	if (!capnp_has_pointer(&s, i))
		return t->changed || (is_struct && is_list && !is_capability && list.count == 0);
	if (!t->changed && is_struct + is_list + is_bits + is_capability != 1)
		return false;
	return (!is_struct || capnp_tour_struct(t, child)) &&
	       (!is_list || capnp_tour_list(t, list)) && (!is_bits || capnp_tour_list(t, bits)) &&
	       (is_capability || is_struct || capnp_tour_bytes(t, s, i, is_list ? list : bits));
}

static inline bool capnp_tour_pointers(struct capnp_tour *t, struct capnp_struct s)
{
	for (uint32_t i = 0; i < s.pointers && !capnp_tour_over(t); i++)
		if (!capnp_tour_pointer(t, s, i))
			return false;
	return true;
}

static inline bool capnp_tour_struct(struct capnp_tour *t, struct capnp_struct s)
{
	uint64_t bytes = (uint64_t)s.data_bytes + 8 * s.pointers;
	if (s.data == NULL)
		return bytes == 0;
	return capnp_tour_meet(t, s.data, bytes, bytes) && capnp_tour_pointers(t, s);
}

/* Does all that can be reached from the root keep the promises? */
static inline bool capnp_holds(struct capnp_struct root, const void *bytes, size_t size)
{
	struct capnp_tour t = { bytes, size, size > 0 ? size - CAPNP_WORD : 0, false, 0 };
	return capnp_tour_struct(&t, root);
}

/* The same of a message that has changed since it passed; the walk ends after
 * `limit` bytes, as it may be endless. */
static inline bool capnp_holds_changed(struct capnp_struct root, const void *bytes, size_t size,
                                       uint64_t limit)
{
	struct capnp_tour t = { bytes, size, limit, true, 0 };
	return capnp_tour_struct(&t, root);
}
