/* capnp_build_test.c: the codec's builders: against its readers, without room, misused;
 * and what they built, damaged. */
#include "core/capnp_laid.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_built_is_read),
		cmocka_unit_test(test_too_small_at_every_size),
		cmocka_unit_test(test_builder_refuses_misuse),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_setting_twice_and_empty_structs),
		cmocka_unit_test(test_data_filled_in_place),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_bit_flipped),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(exact);
	return failed;
}
