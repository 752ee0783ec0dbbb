/* capnp.h: Cap'n Proto messages, read in place and written in place.
 *
 * A message is one flat segment without a segment table: word 0 is the root
 * pointer, as `capnp eval --output=flat` writes it. Words are 8 bytes, little
 * endian; a message is 8-aligned and whole words long. No bytes at all is a
 * valid message: a struct with every field at its default.
 *
 * Reading. capnp_read_root() checks the whole message once: every pointer
 * stays inside, none is far, nesting is at most CAPNP_DEPTH_MAX, and all that
 * can be reached adds up to no more than the message itself, elements without
 * size counting as a byte each (so objects that overlap, are shared or cyclic
 * cannot make a small message a long walk). After that a getter refuses only a pointer of another kind than asked for.
 * Getters still check every bound and load each word once, so a message that
 * someone else keeps changing yields nonsense but never a read outside it;
 * copy it first where nonsense matters.
 *
 * Writing. A builder bumps along a caller's buffer. Its first failure sticks
 * in `status`, and everything after it is a harmless no-op: check once, at
 * the end. Setting a pointer twice abandons the first object in the buffer.
 *
 * Offsets count in units of the value's own size, as the schema compiler
 * counts them (bits for a bool). Values are kept XOR their default.
 * Most code wants the accessors that tools/capnpc generates from a schema.
 * Source: https://capnproto.org/encoding.html. */
#pragma once

#include "abi/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CAPNP_WORD = 8,        /* bytes */
	CAPNP_DEPTH_MAX = 32,  /* pointers followed from the root to any object */
	CAPNP_LIST_MAX = (1 << 29) - 1,  /* elements, or words if composite */
};

/* How a list's elements are stored: the wire's own codes. */
enum capnp_element {
	CAPNP_VOID,
	CAPNP_BIT,
	CAPNP_BYTE,
	CAPNP_TWO_BYTES,
	CAPNP_FOUR_BYTES,
	CAPNP_EIGHT_BYTES,
	CAPNP_POINTER,
	CAPNP_COMPOSITE,
};

struct capnp_message {
	const uint8_t *bytes;
	uint32_t words;
};

/* A struct inside a message. All zeroes is a struct of defaults. */
struct capnp_struct {
	struct capnp_message message;
	const uint8_t *data;  /* the data section; pointers follow it */
	uint32_t data_bytes;
	uint16_t pointers;
	uint16_t depth;       /* pointers that may still be followed */
};

struct capnp_list {
	struct capnp_message message;
	const uint8_t *first;
	uint32_t count;
	uint32_t step;        /* bytes from an element to the next; 0 for bits */
	uint32_t data_bytes;  /* per element; 0 for bits */
	uint16_t pointers;    /* per element, after its data */
	uint16_t depth;
	enum capnp_element element;  /* as stored */
};

/* `length` excludes the NUL that stands at bytes[length]. */
struct capnp_text {
	const char *bytes;
	size_t length;
};

struct capnp_data {
	const uint8_t *bytes;
	size_t size;
};

/* Checks the message of `size` bytes and finds its root. A null root reads as
 * defaults. STATUS_BAD_MESSAGE if anything in it is malformed, or if `bytes`
 * is not 8-aligned or `size` no multiple of 8. */
MUST_CHECK enum status capnp_read_root(const void *bytes, size_t size, struct capnp_struct *out);

/* The plainest message: a struct of data without pointers, and nothing else. Such a
 * message needs no further check. `bytes` is 8-aligned. */
static inline bool capnp_is_plain(const void *bytes, size_t size)
{
	return size >= CAPNP_WORD && size % CAPNP_WORD == 0 && size <= 0xffff * CAPNP_WORD &&
	       *(const uint64_t *)bytes == (uint64_t)(size / CAPNP_WORD - 1) << 32;
}

static inline struct capnp_struct capnp_plain_root(const void *bytes, size_t size)
{
	const uint8_t *first = bytes;

	return (struct capnp_struct){
		.message = {first, (uint32_t)(size / CAPNP_WORD)},
		.data = first + CAPNP_WORD,
		.data_bytes = (uint32_t)(size - CAPNP_WORD),
	};
}

/* Pointer field `index`. A null or absent pointer is an empty struct, list,
 * text or data. STATUS_BAD_MESSAGE if it is anything else than asked for;
 * *out is then empty too. `out` may be `s`, to go down.
 *
 * A list may be stored otherwise than the reader's schema says, as the
 * encoding's rules on evolution allow: wider elements, or structs whose first
 * field is the element (and the other way round), but never for bits. */
MUST_CHECK enum status capnp_get_struct(const struct capnp_struct *s, uint32_t index,
                                        struct capnp_struct *out);
MUST_CHECK enum status capnp_get_list(const struct capnp_struct *s, uint32_t index,
                                      enum capnp_element element, struct capnp_list *out);
MUST_CHECK enum status capnp_get_text(const struct capnp_struct *s, uint32_t index,
                                      struct capnp_text *out);
MUST_CHECK enum status capnp_get_data(const struct capnp_struct *s, uint32_t index,
                                      struct capnp_data *out);

/* The capability's index in the table beside the message, for the caller to
 * check. STATUS_NO_CAP, and UINT32_MAX in *out, if the pointer is null. */
MUST_CHECK enum status capnp_get_capability(const struct capnp_struct *s, uint32_t index, uint32_t *out);

/* Is pointer field `index` there and not null? */
bool capnp_has_pointer(const struct capnp_struct *s, uint32_t index);

/* A builder writes to [bytes, bytes + size). */
struct capnp_builder {
	uint8_t *bytes;
	size_t size;
	size_t used;
	enum status status;  /* the first failure, or STATUS_OK */
};

/* A struct being built. All zeroes, as after a failure, ignores what is set. */
struct capnp_struct_builder {
	struct capnp_builder *builder;
	uint8_t *data;
	uint32_t data_bytes;
	uint32_t pointers;
};

struct capnp_list_builder {
	struct capnp_builder *builder;
	uint8_t *first;
	uint32_t count;
	uint32_t step;
	uint32_t data_bytes;
	uint32_t pointers;
	enum capnp_element element;
};

/* Starts an empty message in the `size` bytes at the 8-aligned `bytes`; a buffer not aligned leaves STATUS_INVALID in b->status.
 * The buffer need not be cleared. */
void capnp_builder_start(struct capnp_builder *b, void *bytes, size_t size);

/* Bytes of message written so far, or 0 if the builder failed. */
size_t capnp_builder_size(const struct capnp_builder *b);

/* These fail, leaving it in the builder's status, with STATUS_TOO_SMALL for
 * want of room and STATUS_INVALID for a pointer index that the struct lacks
 * or a count over CAPNP_LIST_MAX. */
struct capnp_struct_builder capnp_init_root(struct capnp_builder *b, uint16_t data_words,
                                            uint16_t pointers);
struct capnp_struct_builder capnp_init_struct(const struct capnp_struct_builder *s, uint32_t index,
                                              uint16_t data_words, uint16_t pointers);
/* `element` is anything but CAPNP_COMPOSITE. */
struct capnp_list_builder capnp_init_list(const struct capnp_struct_builder *s, uint32_t index,
                                          enum capnp_element element, uint32_t count);
struct capnp_list_builder capnp_init_struct_list(const struct capnp_struct_builder *s,
                                                 uint32_t index, uint16_t data_words,
                                                 uint16_t pointers, uint32_t count);
/* Zeroed space for `size` bytes to be filled in place; NULL on failure. */
uint8_t *capnp_init_data(const struct capnp_struct_builder *s, uint32_t index, size_t size);
void capnp_set_data(const struct capnp_struct_builder *s, uint32_t index, struct capnp_data data);
void capnp_set_text(const struct capnp_struct_builder *s, uint32_t index, struct capnp_text text);
void capnp_set_capability(const struct capnp_struct_builder *s, uint32_t index,
                          uint32_t capability);

static inline struct capnp_data capnp_data_from(const void *bytes, size_t size)
{
	return (struct capnp_data){ bytes, size };
}

static inline struct capnp_text capnp_text_from(const char *string)
{
	size_t length = 0;
	while (string[length] != '\0')
		length++;
	return (struct capnp_text){ string, length };
}

/* Remembers a builder's first failure. */
static inline void capnp_fail(struct capnp_builder *b, enum status status)
{
	if (b != NULL && b->status == STATUS_OK)
		b->status = status;
}

/* Element i seen as a struct: a list of plain values as structs of one field,
 * a list of pointers as structs of one pointer. Past the end, and for bits,
 * a struct of defaults. */
static inline struct capnp_struct capnp_list_struct(struct capnp_list l, uint32_t i)
{
	if (i >= l.count)
		return (struct capnp_struct){ .message = l.message };
	return (struct capnp_struct){ l.message, l.first + (size_t)i * l.step, l.data_bytes,
	                              l.pointers, l.depth };
}

static inline struct capnp_struct_builder capnp_list_struct_builder(struct capnp_list_builder l,
                                                                    uint32_t i)
{
	if (i >= l.count) {
		capnp_fail(l.builder, STATUS_INVALID);
		return (struct capnp_struct_builder){ .builder = l.builder };
	}
	return (struct capnp_struct_builder){ l.builder, l.first + (size_t)i * l.step, l.data_bytes,
	                                      l.pointers };
}

/* For each width: the field at `offset`, or its default if the sender's struct
 * ends before it; its setter; the setter of a struct that was made with that field
 * (what is generated from a schema), which has it or whose builder has failed
 * already; and the same for an element of a list. A volatile load keeps the
 * compiler from reading a word, already checked, once more. */
#define CAPNP_INTEGER(type, name)                                                           \
	typedef type __attribute__((may_alias)) capnp_##name;                                    \
	static inline type capnp_get_##name(struct capnp_struct s, uint32_t offset, type value)  \
	{                                                                                        \
		if (((uint64_t)offset + 1) * sizeof(type) > s.data_bytes)                            \
			return value;                                                                    \
		return *(const volatile capnp_##name *)(s.data + offset * sizeof(type)) ^ value;     \
	}                                                                                        \
	static inline void capnp_set_##name(struct capnp_struct_builder s, uint32_t offset,      \
	                                    type value)                                          \
	{                                                                                        \
		if (((uint64_t)offset + 1) * sizeof(type) > s.data_bytes)                            \
			capnp_fail(s.builder, STATUS_INVALID);                                           \
		else                                                                                 \
			*(capnp_##name *)(s.data + offset * sizeof(type)) = value;                       \
	}                                                                                        \
	static inline void capnp_put_##name(struct capnp_struct_builder s, uint32_t offset,      \
	                                    type value)                                          \
	{                                                                                        \
		if (((uint64_t)offset + 1) * sizeof(type) <= s.data_bytes)                           \
			*(capnp_##name *)(s.data + offset * sizeof(type)) = value;                       \
	}                                                                                        \
	static inline type capnp_list_##name(struct capnp_list l, uint32_t i)                    \
	{                                                                                        \
		return capnp_get_##name(capnp_list_struct(l, i), 0, 0);                              \
	}                                                                                        \
	static inline void capnp_list_set_##name(struct capnp_list_builder l, uint32_t i,        \
	                                         type value)                                     \
	{                                                                                        \
		capnp_set_##name(capnp_list_struct_builder(l, i), 0, value);                         \
	}

CAPNP_INTEGER(uint8_t, u8)
CAPNP_INTEGER(uint16_t, u16)
CAPNP_INTEGER(uint32_t, u32)
CAPNP_INTEGER(uint64_t, u64)
#undef CAPNP_INTEGER

static inline bool capnp_get_bool(struct capnp_struct s, uint32_t bit, bool value)
{
	if (bit / 8 >= s.data_bytes)
		return value;
	return ((*(const volatile uint8_t *)(s.data + bit / 8) >> (bit % 8)) & 1) != value;
}

static inline void capnp_set_bit(uint8_t *byte, uint32_t bit, bool value)
{
	*byte = (uint8_t)((*byte & ~(1u << bit)) | ((unsigned)value << bit));
}

static inline void capnp_set_bool(struct capnp_struct_builder s, uint32_t bit, bool value)
{
	if (bit / 8 >= s.data_bytes)
		capnp_fail(s.builder, STATUS_INVALID);
	else
		capnp_set_bit(s.data + bit / 8, bit % 8, value);
}

static inline void capnp_put_bool(struct capnp_struct_builder s, uint32_t bit, bool value)
{
	if (bit / 8 < s.data_bytes)
		capnp_set_bit(s.data + bit / 8, bit % 8, value);
}

static inline bool capnp_list_bool(struct capnp_list l, uint32_t i)
{
	if (i >= l.count || l.element != CAPNP_BIT)
		return false;
	return (*(const volatile uint8_t *)(l.first + i / 8) >> (i % 8)) & 1;
}

static inline void capnp_list_set_bool(struct capnp_list_builder l, uint32_t i, bool value)
{
	if (i >= l.count || l.element != CAPNP_BIT)
		capnp_fail(l.builder, STATUS_INVALID);
	else
		capnp_set_bit(l.first + i / 8, i % 8, value);
}

/* Elements that are pointers. */
MUST_CHECK static inline enum status capnp_list_text(struct capnp_list l, uint32_t i,
                                                     struct capnp_text *out)
{
	struct capnp_struct s = capnp_list_struct(l, i);

	return capnp_get_text(&s, 0, out);
}

MUST_CHECK static inline enum status capnp_list_data(struct capnp_list l, uint32_t i,
                                                     struct capnp_data *out)
{
	struct capnp_struct s = capnp_list_struct(l, i);

	return capnp_get_data(&s, 0, out);
}

MUST_CHECK static inline enum status capnp_list_list(struct capnp_list l, uint32_t i,
                                                     enum capnp_element element,
                                                     struct capnp_list *out)
{
	struct capnp_struct s = capnp_list_struct(l, i);

	return capnp_get_list(&s, 0, element, out);
}

MUST_CHECK static inline enum status capnp_list_capability(struct capnp_list l, uint32_t i,
                                                           uint32_t *out)
{
	struct capnp_struct s = capnp_list_struct(l, i);

	return capnp_get_capability(&s, 0, out);
}

static inline void capnp_list_set_text(struct capnp_list_builder l, uint32_t i,
                                       struct capnp_text text)
{
	struct capnp_struct_builder s = capnp_list_struct_builder(l, i);

	capnp_set_text(&s, 0, text);
}

static inline void capnp_list_set_data(struct capnp_list_builder l, uint32_t i,
                                       struct capnp_data data)
{
	struct capnp_struct_builder s = capnp_list_struct_builder(l, i);

	capnp_set_data(&s, 0, data);
}

static inline void capnp_list_set_capability(struct capnp_list_builder l, uint32_t i,
                                             uint32_t capability)
{
	struct capnp_struct_builder s = capnp_list_struct_builder(l, i);

	capnp_set_capability(&s, 0, capability);
}
