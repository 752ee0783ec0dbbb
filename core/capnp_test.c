/* capnp_test.c: the codec's readers against messages laid out by hand, most of them
 * hostile. */
#include "core/capnp_laid.h"

enum { LONGEST = 128 };

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
		cmocka_unit_test(test_cycle_made_later),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(exact);
	return failed;
}
