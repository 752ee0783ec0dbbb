/* capnp_test.c: the codec against messages laid out by hand, most of them
 * hostile, and against itself. Messages stand in buffers of exactly their size,
 * so that the sanitizers see a byte read or written outside. */
#include "core/capnp_invariant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LONGEST = 128 };

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
static void make(const uint64_t *words, size_t count)
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

static struct capnp_struct read_good(void)
{
	struct capnp_struct root;
	assert_int_equal(capnp_read_root(exact, exact_size, &root), STATUS_OK);
	assert_true(capnp_holds(root, exact, exact_size));
	return root;
}

static void read_bad(void)
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

/* -- reading ------------------------------------------------------------------ */

static void assert_defaults(struct capnp_struct s)
{
	struct capnp_struct child;
	struct capnp_list list;
	struct capnp_text text;
	struct capnp_data data;
	uint32_t capability;
	assert_int_equal(capnp_get_u32(s, 0, 7), 7);
	assert_true(capnp_get_bool(s, 0, true));
	assert_false(capnp_get_bool(s, 0, false));
	assert_false(capnp_has_pointer(&s, 0));
	assert_int_equal(capnp_get_struct(&s, 0, &child), STATUS_OK);
	assert_int_equal(capnp_get_u64(child, 0, 9), 9);
	assert_int_equal(capnp_get_list(&s, 0, CAPNP_FOUR_BYTES, &list), STATUS_OK);
	assert_int_equal(list.count, 0);
	assert_int_equal(capnp_list_u32(list, 0), 0);
	assert_int_equal(capnp_get_text(&s, 0, &text), STATUS_OK);
	assert_string_equal(text.bytes, "");
	assert_int_equal(text.length, 0);
	assert_int_equal(capnp_get_data(&s, 0, &data), STATUS_OK);
	assert_int_equal(data.size, 0);
	assert_int_equal(capnp_get_capability(&s, 0, &capability), STATUS_NO_CAP);
	assert_int_equal(capability, UINT32_MAX);
}

static void test_nothing_is_defaults(void **state)
{
	struct capnp_struct root;
	(void)state;
	assert_int_equal(capnp_read_root(NULL, 0, &root), STATUS_OK);
	assert_defaults(root);
	assert_defaults(GOOD(0));
	assert_defaults(GOOD(STRUCT(-1, 0, 0)));
	assert_defaults(GOOD(STRUCT(0, 0, 1), 0));
}

static void test_shape_of_the_buffer(void **state)
{
	uint64_t words[] = { STRUCT(0, 1, 0), 1, 0 };
	struct capnp_struct root;
	(void)state;
	assert_int_equal(capnp_read_root(words, 16, &root), STATUS_OK);
	assert_int_equal(capnp_read_root(words, 15, &root), STATUS_BAD_MESSAGE);
	assert_int_equal(capnp_read_root(words, 17, &root), STATUS_BAD_MESSAGE);
	assert_int_equal(capnp_read_root(words, 1, &root), STATUS_BAD_MESSAGE);
	uint8_t *odd = (uint8_t *)words;
	for (int shift = 1; shift < 8; shift++) {
		memmove(odd + shift, odd + shift - 1, 16);
		assert_int_equal(capnp_read_root(odd + shift, 16, &root), STATUS_BAD_MESSAGE);
	}
}

static void test_numbers(void **state)
{
	(void)state;
	struct capnp_struct s = GOOD(STRUCT(0, 2, 0), 0x8877665544332211, 0x0102);
	assert_int_equal(capnp_get_u8(s, 3, 0), 0x44);
	assert_int_equal(capnp_get_u16(s, 1, 0), 0x4433);
	assert_int_equal(capnp_get_u32(s, 1, 0), 0x88776655);
	assert_int_equal(capnp_get_u64(s, 0, 0), 0x8877665544332211);
	assert_int_equal(capnp_get_u16(s, 4, 0xff), 0x01fd);
	assert_int_equal(capnp_get_u8(s, 15, 5), 5);
	assert_false(capnp_get_bool(s, 64, false));
	assert_true(capnp_get_bool(s, 65, false));
	assert_false(capnp_get_bool(s, 65, true));
	assert_true(capnp_get_bool(s, 72, false));
}

static void test_past_the_data_section_is_default(void **state)
{
	(void)state;
	struct capnp_struct s = GOOD(STRUCT(0, 1, 1), UINT64_MAX, STRUCT(0, 1, 0), UINT64_MAX);
	assert_int_equal(capnp_get_u8(s, 7, 0), 0xff);
	assert_int_equal(capnp_get_u8(s, 8, 3), 3);
	assert_int_equal(capnp_get_u16(s, 4, 3), 3);
	assert_int_equal(capnp_get_u32(s, 2, 3), 3);
	assert_int_equal(capnp_get_u64(s, 1, 3), 3);
	assert_int_equal(capnp_get_u64(s, UINT32_MAX, 3), 3);
	assert_int_equal(capnp_get_u64(s, (1u << 29) - 1, 3), 3);
	assert_true(capnp_get_bool(s, 63, false));
	assert_false(capnp_get_bool(s, 64, false));
	assert_true(capnp_get_bool(s, UINT32_MAX, true));
}

static void test_pointers_are_of_one_kind(void **state)
{
	struct capnp_struct child;
	struct capnp_list list;
	struct capnp_data data;
	uint32_t capability;
	(void)state;
	struct capnp_struct s = GOOD(STRUCT(0, 0, 3), STRUCT(2, 1, 0), LIST(2, CAPNP_BYTE, 3),
	                             CAPABILITY(42), 5, 0x030201);
	assert_int_equal(capnp_get_struct(&s, 0, &child), STATUS_OK);
	assert_int_equal(capnp_get_u8(child, 0, 0), 5);
	assert_int_equal(capnp_get_data(&s, 1, &data), STATUS_OK);
	assert_int_equal(data.size, 3);
	assert_memory_equal(data.bytes, "\1\2\3", 3);
	assert_int_equal(capnp_get_capability(&s, 2, &capability), STATUS_OK);
	assert_int_equal(capability, 42);
	assert_int_equal(capnp_get_struct(&s, 1, &child), STATUS_BAD_MESSAGE);
	assert_int_equal(child.data_bytes, 0);
	assert_int_equal(capnp_get_struct(&s, 2, &child), STATUS_BAD_MESSAGE);
	assert_int_equal(capnp_get_list(&s, 0, CAPNP_VOID, &list), STATUS_BAD_MESSAGE);
	assert_int_equal(capnp_get_list(&s, 2, CAPNP_VOID, &list), STATUS_BAD_MESSAGE);
	assert_int_equal(list.count, 0);
	assert_int_equal(capnp_get_data(&s, 0, &data), STATUS_BAD_MESSAGE);
	assert_int_equal(data.size, 0);
	assert_int_equal(capnp_get_capability(&s, 0, &capability), STATUS_BAD_MESSAGE);
	assert_int_equal(capability, UINT32_MAX);
	assert_int_equal(capnp_get_capability(&s, 3, &capability), STATUS_NO_CAP);
}

static enum status text_of(uint64_t pointer, uint64_t content, struct capnp_text *text)
{
	struct capnp_struct s = GOOD(STRUCT(0, 0, 1), pointer, content);

	return capnp_get_text(&s, 0, text);
}

static void test_text_ends_with_nul(void **state)
{
	struct capnp_text text;
	(void)state;
	assert_int_equal(text_of(LIST(0, CAPNP_BYTE, 3), 0x006968, &text), STATUS_OK);
	assert_string_equal(text.bytes, "hi");
	assert_int_equal(text.length, 2);
	assert_int_equal(text_of(LIST(0, CAPNP_BYTE, 1), 0, &text), STATUS_OK);
	assert_int_equal(text.length, 0);
	assert_int_equal(text_of(LIST(0, CAPNP_BYTE, 2), 0x006968, &text), STATUS_BAD_MESSAGE);
	assert_string_equal(text.bytes, "");
	assert_int_equal(text_of(LIST(0, CAPNP_BYTE, 8), UINT64_MAX, &text), STATUS_BAD_MESSAGE);
	assert_int_equal(text_of(LIST(0, CAPNP_BYTE, 0), 0, &text), STATUS_BAD_MESSAGE);
	assert_int_equal(text_of(LIST(0, CAPNP_TWO_BYTES, 1), 0, &text), STATUS_BAD_MESSAGE);
	assert_int_equal(text_of(STRUCT(0, 1, 0), 0, &text), STATUS_BAD_MESSAGE);
}

static void test_lists_of_each_width(void **state)
{
	struct capnp_list list;
	(void)state;
	struct capnp_struct s = GOOD(STRUCT(0, 0, 3), LIST(2, CAPNP_BIT, 9), LIST(2, CAPNP_TWO_BYTES, 5),
	                             LIST(3, CAPNP_EIGHT_BYTES, 1), 0x355, 0x0004000300020001,
	                             0xffff0005, 6);
	assert_int_equal(capnp_get_list(&s, 0, CAPNP_BIT, &list), STATUS_OK);
	assert_int_equal(list.count, 9);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(capnp_list_bool(list, i), i < 9 && i % 2 == 0);
	assert_int_equal(capnp_list_u8(list, 0), 0);
	assert_int_equal(capnp_get_list(&s, 1, CAPNP_TWO_BYTES, &list), STATUS_OK);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(capnp_list_u16(list, i), i < 5 ? i + 1 : 0);
	assert_false(capnp_list_bool(list, 0));
	assert_int_equal(capnp_get_list(&s, 2, CAPNP_EIGHT_BYTES, &list), STATUS_OK);
	assert_int_equal(capnp_list_u64(list, 0), 6);
	assert_int_equal(capnp_list_u64(list, UINT32_MAX), 0);
}

/* Reads pointer 0 as a list of each element, and expects it of some only. */
static void assert_readable(struct capnp_struct s, unsigned elements)
{
	for (enum capnp_element e = CAPNP_VOID; e <= CAPNP_COMPOSITE; e++) {
		struct capnp_list list;
		enum status wanted = elements >> e & 1 ? STATUS_OK : STATUS_BAD_MESSAGE;
		assert_int_equal(capnp_get_list(&s, 0, e, &list), wanted);
		assert_int_equal(list.count, wanted == STATUS_OK ? 2 : 0);
	}
}

static void test_lists_evolve(void **state)
{
	struct capnp_list list;
	struct capnp_text text;
	(void)state;
	struct capnp_struct s = GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_TWO_BYTES, 2), 0xbbbbaaaa);
	assert_readable(s, 1u << CAPNP_VOID | 1u << CAPNP_BYTE | 1u << CAPNP_TWO_BYTES |
	                       1u << CAPNP_COMPOSITE);
	assert_int_equal(capnp_get_list(&s, 0, CAPNP_COMPOSITE, &list), STATUS_OK);
	assert_int_equal(capnp_get_u16(capnp_list_struct(list, 1), 0, 0), 0xbbbb);
	assert_int_equal(capnp_get_u16(capnp_list_struct(list, 1), 1, 7), 7);
	assert_int_equal(capnp_get_u32(capnp_list_struct(list, 0), 0, 7), 7);

	s = GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 4), STRUCT(2, 1, 1), 0xa1,
	         LIST(2, CAPNP_BYTE, 2), 0xb1, 0, 'x');
	assert_readable(s, 0xff & ~(1u << CAPNP_BIT));
	assert_int_equal(capnp_get_list(&s, 0, CAPNP_BYTE, &list), STATUS_OK);
	assert_int_equal(capnp_list_u8(list, 0), 0xa1);
	assert_int_equal(capnp_list_u8(list, 1), 0xb1);
	assert_int_equal(capnp_get_list(&s, 0, CAPNP_POINTER, &list), STATUS_OK);
	assert_int_equal(capnp_list_text(list, 0, &text), STATUS_OK);
	assert_string_equal(text.bytes, "x");
	assert_int_equal(capnp_list_text(list, 1, &text), STATUS_OK);
	assert_int_equal(text.length, 0);

	s = GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_POINTER, 2), CAPABILITY(3), LIST(0, CAPNP_BYTE, 2), 'y');
	assert_readable(s, 1u << CAPNP_VOID | 1u << CAPNP_POINTER | 1u << CAPNP_COMPOSITE);
	assert_int_equal(capnp_get_list(&s, 0, CAPNP_COMPOSITE, &list), STATUS_OK);
	s = capnp_list_struct(list, 1);
	assert_int_equal(capnp_get_text(&s, 0, &text), STATUS_OK);
	assert_string_equal(text.bytes, "y");

	assert_readable(GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_BIT, 2), 3),
	                1u << CAPNP_VOID | 1u << CAPNP_BIT);
	assert_readable(GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_VOID, 2), 0),
	                1u << CAPNP_VOID | 1u << CAPNP_COMPOSITE);
}

/* -- hostile messages ------------------------------------------------------- */

static void test_the_root_is_a_struct(void **state)
{
	(void)state;
	BAD(LIST(0, CAPNP_BYTE, 8), 0);
	BAD(LIST(0, CAPNP_POINTER, 0));
	BAD(CAPABILITY(0));
	BAD(FAR(1), 0);
	BAD(FAR(1) | 4, 0, 0);
}

static void test_structs_outside(void **state)
{
	(void)state;
	GOOD(STRUCT(1, 1, 1), 0, 0, 0);
	BAD(STRUCT(2, 1, 1), 0, 0, 0);
	BAD(STRUCT(1, 2, 1), 0, 0, 0);
	BAD(STRUCT(1, 1, 2), 0, 0, 0);
	BAD(STRUCT(0, 65535, 65535), 0);
	BAD(STRUCT((1 << 29) - 1, 1, 0), 0);
	BAD(STRUCT((1 << 29) - 1, 0, 0), 0);
	BAD(STRUCT(-(1 << 29), 1, 0), 0);
	BAD(STRUCT(-2, 1, 0), 0);
	BAD(STRUCT(0, 0, 1), STRUCT(-3, 1, 0));
	GOOD(STRUCT(0, 0, 2), STRUCT(1, 1, 0), STRUCT(-1, 0, 0), 7);
	GOOD(STRUCT(1, 0, 1), 7, STRUCT(-2, 1, 0));
	BAD(STRUCT(1, 0, 1), 7, STRUCT(-4, 1, 0));
}

static void test_lists_outside(void **state)
{
	static const uint32_t fits[] = {
		[CAPNP_BIT] = 128,      [CAPNP_BYTE] = 16,       [CAPNP_TWO_BYTES] = 8,
		[CAPNP_FOUR_BYTES] = 4, [CAPNP_EIGHT_BYTES] = 2, [CAPNP_POINTER] = 2,
	};
	(void)state;
	for (enum capnp_element e = CAPNP_BIT; e < CAPNP_COMPOSITE; e++) {
		GOOD(STRUCT(0, 0, 1), LIST(0, e, fits[e]), 0, 0);
		BAD(STRUCT(0, 0, 1), LIST(0, e, fits[e] + 1), 0, 0);
		BAD(STRUCT(0, 0, 1), LIST(1, e, fits[e]), 0, 0);
		BAD(STRUCT(0, 0, 1), LIST(-3, e, fits[e]), 0, 0);
		BAD(STRUCT(0, 0, 1), LIST(0, e, (1 << 29) - 1), 0, 0);
	}
}

static void test_tags_that_lie(void **state)
{
	(void)state;
	GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), STRUCT(2, 1, 0), 1, 2);
	GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), STRUCT(1, 1, 0), 1, 2);
	GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 0), STRUCT(0, 9, 9));
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), STRUCT(3, 1, 0), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), STRUCT(2, 1, 1), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 1), STRUCT(2, 1, 0), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), LIST(2, 1, 0), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), FAR(1), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), STRUCT(-1, 1, 0), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), STRUCT((1 << 29) - 1, 8, 0), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 2), STRUCT(0x20000000, 0, 0), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 3), STRUCT(2, 1, 0), 1, 2);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 0));
}

static void test_far_and_reserved_pointers(void **state)
{
	(void)state;
	GOOD(STRUCT(0, 0, 1), CAPABILITY(UINT32_MAX));
	BAD(STRUCT(0, 0, 1), CAPABILITY(1) | 4);
	BAD(STRUCT(0, 0, 1), CAPABILITY(1) | 0x80000000);
	BAD(STRUCT(0, 0, 1), FAR(0));
	BAD(STRUCT(0, 0, 1), FAR(2), STRUCT(-1, 0, 0));
	BAD(STRUCT(0, 0, 1), FAR(2) | 4, FAR(0), STRUCT(0, 0, 0));
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_POINTER, 2), 0, FAR(0));
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 4), STRUCT(2, 1, 1), 1, 0, 1, FAR(0));
}

static void test_cycles_and_sharing(void **state)
{
	(void)state;
	BAD(STRUCT(-1, 0, 1));
	BAD(STRUCT(0, 0, 1), STRUCT(-1, 0, 1));
	BAD(STRUCT(0, 0, 1), STRUCT(0, 0, 1), STRUCT(-2, 0, 1));
	BAD(STRUCT(0, 0, 1), LIST(-1, CAPNP_POINTER, 1));
	BAD(STRUCT(0, 0, 2), STRUCT(1, 2, 0), STRUCT(0, 2, 0), 1, 2);
	BAD(STRUCT(0, 0, 2), LIST(1, CAPNP_BYTE, 16), LIST(0, CAPNP_BYTE, 16), 1, 2);
	GOOD(STRUCT(0, 0, 2), STRUCT(1, 1, 0), STRUCT(1, 1, 0), 1, 2);
	BAD(STRUCT(0, 0, 2), STRUCT(1, 2, 0), STRUCT(1, 1, 0), 1, 2);
}

/* A list of lists of structs, all pointers to the same ones, is n * n * n. */
static void test_amplification(void **state)
{
	uint64_t words[2 + 16 + 16 + 1] = { STRUCT(0, 0, 1), LIST(0, CAPNP_POINTER, 16) };
	(void)state;
	for (int i = 0; i < 16; i++) {
		words[2 + i] = LIST(15 - i, CAPNP_POINTER, 16);
		words[18 + i] = STRUCT(15 - i, 1, 0);
	}
	make(words, 35);
	read_bad();
	GOOD(STRUCT(0, 0, 1), LIST(0, CAPNP_VOID, 8), 0);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_VOID, 9), 0);
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_VOID, (1 << 29) - 1));
	BAD(STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 0), STRUCT((1 << 29) - 1, 0, 0));
}

static struct capnp_struct chain(uint32_t length, bool leaf, bool good)
{
	uint64_t words[LONGEST];
	for (uint32_t i = 0; i < length; i++)
		words[i] = STRUCT(0, 0, 1);
	words[length] = leaf ? STRUCT(0, 1, 0) : 0;
	words[length + 1] = 0;
	make(words, length + (leaf ? 2 : 1));
	if (good)
		return read_good();
	read_bad();
	return (struct capnp_struct){ .data = NULL };
}

static void test_depth(void **state)
{
	(void)state;
	struct capnp_struct s = chain(CAPNP_DEPTH_MAX, true, true);
	for (int i = 0; i < CAPNP_DEPTH_MAX; i++)
		assert_int_equal(capnp_get_struct(&s, 0, &s), STATUS_OK);
	assert_int_equal(s.data_bytes, 8);
	chain(CAPNP_DEPTH_MAX, false, true);
	chain(CAPNP_DEPTH_MAX + 1, false, false);
	chain(CAPNP_DEPTH_MAX + 1, true, false);
	chain(100, true, false);
}

/* -- building --------------------------------------------------------------- */

enum { SAMPLE_BYTES = 8 * 32 };

/* One of everything: 3 data words; pointers: text, data, capability, struct,
 * bits, u16s, structs, pointers. */
static size_t build_sample(struct capnp_builder *b)
{
	struct capnp_struct_builder s = capnp_init_root(b, 2, 8);
	capnp_set_u8(s, 0, 1);
	capnp_set_u16(s, 1, 2);
	capnp_set_u32(s, 1, 3);
	capnp_set_u64(s, 1, 4);
	capnp_set_bool(s, 9, true);
	capnp_set_text(&s, 0, capnp_text_from("text"));
	capnp_set_data(&s, 1, capnp_data_from("data\0data", 9));
	capnp_set_capability(&s, 2, 99);
	capnp_set_u32(capnp_init_struct(&s, 3, 1, 0), 1, 5);
	struct capnp_list_builder list = capnp_init_list(&s, 4, CAPNP_BIT, 70);
	capnp_list_set_bool(list, 69, true);
	list = capnp_init_list(&s, 5, CAPNP_TWO_BYTES, 5);
	capnp_list_set_u16(list, 4, 6);
	list = capnp_init_struct_list(&s, 6, 1, 1, 2);
	capnp_set_u64(capnp_list_struct_builder(list, 1), 0, 7);
	struct capnp_struct_builder second = capnp_list_struct_builder(list, 1);
	capnp_set_text(&second, 0, capnp_text_from("deep"));
	list = capnp_init_list(&s, 7, CAPNP_POINTER, 3);
	capnp_list_set_text(list, 0, capnp_text_from("in a list"));
	capnp_list_set_capability(list, 1, 98);
	capnp_list_set_data(list, 2, capnp_data_from(NULL, 0));
	return capnp_builder_size(b);
}

static size_t make_sample(void)
{
	static uint64_t words[SAMPLE_BYTES / 8];
	struct capnp_builder b;
	memset(words, 0xee, sizeof words);
	capnp_builder_start(&b, words, sizeof words);
	size_t size = build_sample(&b);
	assert_int_equal(b.status, STATUS_OK);
	make(words, size / 8);
	return size;
}

static void assert_text(enum status status, struct capnp_text text, const char *wanted)
{
	assert_int_equal(status, STATUS_OK);
	assert_string_equal(text.bytes, wanted);
	assert_int_equal(text.length, strlen(wanted));
}

static void test_what_is_built_is_read(void **state)
{
	struct capnp_text text;
	struct capnp_data data;
	struct capnp_struct child;
	struct capnp_list list;
	uint32_t capability;
	enum status status;
	(void)state;
	make_sample();
	struct capnp_struct s = read_good();
	assert_int_equal(capnp_get_u8(s, 0, 0), 1);
	assert_true(capnp_get_bool(s, 9, false));
	assert_int_equal(capnp_get_u8(s, 1, 0), 2);
	assert_int_equal(capnp_get_u16(s, 1, 0), 2);
	assert_int_equal(capnp_get_u32(s, 1, 0), 3);
	assert_int_equal(capnp_get_u64(s, 1, 0), 4);
	status = capnp_get_text(&s, 0, &text);
	assert_text(status, text, "text");
	assert_int_equal(capnp_get_data(&s, 1, &data), STATUS_OK);
	assert_int_equal(data.size, 9);
	assert_memory_equal(data.bytes, "data\0data", 9);
	assert_int_equal(capnp_get_capability(&s, 2, &capability), STATUS_OK);
	assert_int_equal(capability, 99);
	assert_int_equal(capnp_get_struct(&s, 3, &child), STATUS_OK);
	assert_int_equal(capnp_get_u32(child, 1, 0), 5);
	assert_int_equal(capnp_get_list(&s, 4, CAPNP_BIT, &list), STATUS_OK);
	for (uint32_t i = 0; i < 72; i++)
		assert_int_equal(capnp_list_bool(list, i), i == 69);
	assert_int_equal(capnp_get_list(&s, 5, CAPNP_TWO_BYTES, &list), STATUS_OK);
	assert_int_equal(list.count, 5);
	assert_int_equal(capnp_list_u16(list, 3), 0);
	assert_int_equal(capnp_list_u16(list, 4), 6);
	assert_int_equal(capnp_get_list(&s, 6, CAPNP_COMPOSITE, &list), STATUS_OK);
	assert_int_equal(list.count, 2);
	assert_int_equal(capnp_list_u64(list, 1), 7);
	struct capnp_struct second = capnp_list_struct(list, 1);
	status = capnp_get_text(&second, 0, &text);
	assert_text(status, text, "deep");
	assert_int_equal(capnp_get_list(&s, 7, CAPNP_POINTER, &list), STATUS_OK);
	status = capnp_list_text(list, 0, &text);
	assert_text(status, text, "in a list");
	assert_int_equal(capnp_list_capability(list, 1, &capability), STATUS_OK);
	assert_int_equal(capability, 98);
	assert_int_equal(capnp_list_data(list, 2, &data), STATUS_OK);
	assert_int_equal(data.size, 0);
}

static void test_too_small_at_every_size(void **state)
{
	(void)state;
	size_t size = make_sample();
	for (size_t room = 0; room < size + 8; room++) {
		uint64_t *buffer = malloc(room > 0 ? room : 1);
		struct capnp_builder b;
		capnp_builder_start(&b, buffer, room);
		assert_int_equal(build_sample(&b), room < size ? 0 : size);
		assert_int_equal(b.status, room < size ? STATUS_TOO_SMALL : STATUS_OK);
		if (room >= size)
			assert_memory_equal(buffer, exact, size);
		free(buffer);
	}
}

static void test_builder_refuses_misuse(void **state)
{
	uint64_t words[32];
	struct capnp_builder b;
	struct capnp_struct_builder s;
	(void)state;
#define MISUSE(call)                                            \
	do {                                                        \
		capnp_builder_start(&b, words, sizeof words);           \
		s = capnp_init_root(&b, 1, 1);                          \
		assert_int_equal(b.status, STATUS_OK);                  \
		call;                                                   \
		assert_int_equal(b.status, STATUS_INVALID);             \
		assert_int_equal(capnp_builder_size(&b), 0);            \
	} while (0)
	MISUSE(capnp_set_u8(s, 8, 1));
	MISUSE(capnp_set_u64(s, 1, 1));
	MISUSE(capnp_set_u32(s, UINT32_MAX, 1));
	MISUSE(capnp_set_bool(s, 64, true));
	MISUSE(capnp_set_capability(&s, 1, 1));
	MISUSE(capnp_set_text(&s, 1, capnp_text_from("x")));
	MISUSE(capnp_init_struct(&s, 1, 1, 1));
	MISUSE(capnp_init_root(&b, 1, 1));
	MISUSE(capnp_init_list(&s, 0, CAPNP_COMPOSITE, 1));
	MISUSE(capnp_init_list(&s, 0, CAPNP_VOID, CAPNP_LIST_MAX + 1));
	MISUSE(capnp_init_struct_list(&s, 0, 0, 0, CAPNP_LIST_MAX + 1));
	MISUSE(capnp_init_struct_list(&s, 0, 65535, 65535, CAPNP_LIST_MAX));
	MISUSE(capnp_init_data(&s, 0, SIZE_MAX));
	MISUSE(capnp_set_text(&s, 0, ((struct capnp_text){ "x", SIZE_MAX })));
	MISUSE(capnp_list_set_u8(capnp_init_list(&s, 0, CAPNP_BYTE, 2), 2, 1));
	MISUSE(capnp_list_set_u16(capnp_init_list(&s, 0, CAPNP_BYTE, 2), 0, 1));
	MISUSE(capnp_list_set_bool(capnp_init_list(&s, 0, CAPNP_BIT, 2), 2, true));
	MISUSE(capnp_list_set_bool(capnp_init_list(&s, 0, CAPNP_BYTE, 2), 0, true));
#undef MISUSE
	capnp_builder_start(&b, (uint8_t *)words + 4, 64);
	assert_int_equal(b.status, STATUS_INVALID);
	capnp_init_root(&b, 1, 1);
	assert_int_equal(capnp_builder_size(&b), 0);
}

static void test_failure_sticks(void **state)
{
	uint64_t words[4];
	struct capnp_builder b;
	(void)state;
	capnp_builder_start(&b, words, sizeof words);
	struct capnp_struct_builder s = capnp_init_root(&b, 1, 1);
	assert_null(capnp_init_data(&s, 0, 9));
	assert_int_equal(b.status, STATUS_TOO_SMALL);
	assert_null(capnp_init_data(&s, 0, 1));
	capnp_set_u8(s, 100, 1);
	capnp_set_capability(&s, 0, 1);
	assert_int_equal(words[2], 0);
	assert_int_equal(b.status, STATUS_TOO_SMALL);
	struct capnp_struct_builder none = capnp_init_struct(&s, 0, 1, 1);
	capnp_set_u64(none, 0, 1);
	capnp_put_u64(none, 0, 1);
	capnp_put_bool(none, 0, true);
	capnp_put_u16(s, 4, 1);
	capnp_put_bool(s, 64, true);
	capnp_set_capability(&none, 0, 1);
	struct capnp_list_builder list = capnp_init_list(&none, 0, CAPNP_BYTE, 4);
	capnp_list_set_u8(list, 0, 1);
	assert_int_equal(b.status, STATUS_TOO_SMALL);
}

static void test_setting_twice_and_empty_structs(void **state)
{
	uint64_t words[16];
	struct capnp_builder b;
	struct capnp_text text;
	(void)state;
	capnp_builder_start(&b, words, sizeof words);
	struct capnp_struct_builder s = capnp_init_root(&b, 0, 2);
	capnp_set_text(&s, 0, capnp_text_from("first"));
	capnp_set_text(&s, 0, capnp_text_from("second"));
	capnp_init_struct(&s, 1, 0, 0);
	make(words, capnp_builder_size(&b) / 8);
	struct capnp_struct root = read_good();
	enum status status = capnp_get_text(&root, 0, &text);
	assert_text(status, text, "second");
	assert_true(capnp_has_pointer(&root, 1));

	capnp_builder_start(&b, words, sizeof words);
	s = capnp_init_root(&b, 0, 1);
	capnp_init_struct(&s, 0, 0, 0);
	make(words, capnp_builder_size(&b) / 8);
	root = read_good();
	assert_true(capnp_has_pointer(&root, 0));
}

static void test_data_filled_in_place(void **state)
{
	uint64_t words[8];
	struct capnp_builder b;
	struct capnp_data data;
	(void)state;
	memset(words, 0xee, sizeof words);
	capnp_builder_start(&b, words, sizeof words);
	struct capnp_struct_builder s = capnp_init_root(&b, 0, 1);
	uint8_t *room = capnp_init_data(&s, 0, 11);
	assert_non_null(room);
	assert_int_equal(room[10], 0);
	memcpy(room, "hello", 5);
	struct capnp_struct root = GOOD(words[0], words[1], words[2], words[3]);
	assert_int_equal(capnp_get_data(&root, 0, &data), STATUS_OK);
	assert_memory_equal(data.bytes, "hello\0\0\0\0\0", 11);
	assert_int_equal(capnp_builder_size(&b), 32);
}

/* -- damage ----------------------------------------------------------------- */

static void test_every_truncation(void **state)
{
	(void)state;
	size_t size = make_sample();
	for (size_t words = 1; words < size / 8; words++) {
		uint64_t copy[SAMPLE_BYTES / 8];
		memcpy(copy, exact, words * 8);
		make(copy, words);
		read_bad();
		make_sample();
	}
}

/* Before it is read each flip is refused or harmless; after, harmless. */
static void test_every_bit_flipped(void **state)
{
	unsigned refused = 0;
	(void)state;
	size_t size = make_sample();
	for (size_t bit = 0; bit < size * 8; bit++) {
		struct capnp_struct before, after;
		assert_int_equal(capnp_read_root(exact, size, &before), STATUS_OK);
		exact[bit / 64] ^= (uint64_t)1 << bit % 64;
		assert_true(capnp_holds_changed(before, exact, size, 1 << 20));
		enum status status = capnp_read_root(exact, size, &after);
		assert_true(status == STATUS_BAD_MESSAGE || capnp_holds(after, exact, size));
		refused += status == STATUS_BAD_MESSAGE;
		exact[bit / 64] ^= (uint64_t)1 << bit % 64;
	}
	assert_in_range(refused, 300, size * 8 / 2);
}

/* A cycle made after the check ends at the depth limit. */
static void test_cycle_made_later(void **state)
{
	(void)state;
	struct capnp_struct s = GOOD(STRUCT(0, 0, 1), STRUCT(0, 1, 0), 0);
	exact[1] = STRUCT(-1, 0, 1);
	int steps = 0;
	while (capnp_get_struct(&s, 0, &s) == STATUS_OK)
		steps++;
	assert_int_equal(steps, CAPNP_DEPTH_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_defaults),
		cmocka_unit_test(test_shape_of_the_buffer),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_past_the_data_section_is_default),
		cmocka_unit_test(test_pointers_are_of_one_kind),
		cmocka_unit_test(test_text_ends_with_nul),
		cmocka_unit_test(test_lists_of_each_width),
		cmocka_unit_test(test_lists_evolve),
		cmocka_unit_test(test_the_root_is_a_struct),
		cmocka_unit_test(test_structs_outside),
		cmocka_unit_test(test_lists_outside),
		cmocka_unit_test(test_tags_that_lie),
		cmocka_unit_test(test_far_and_reserved_pointers),
		cmocka_unit_test(test_cycles_and_sharing),
		cmocka_unit_test(test_amplification),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_what_is_built_is_read),
		cmocka_unit_test(test_too_small_at_every_size),
		cmocka_unit_test(test_builder_refuses_misuse),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_setting_twice_and_empty_structs),
		cmocka_unit_test(test_data_filled_in_place),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_bit_flipped),
		cmocka_unit_test(test_cycle_made_later),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(exact);
	return failed;
}
