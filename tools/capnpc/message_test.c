/* message_test.c: requests in several segments, laid out by hand, come out
 * flat; broken ones are refused. */
#include "tools/capnpc/message.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static jmp_buf refused;

void fail(const char *format, ...)
{
	(void)format;
	longjmp(refused, 1);
}

#include <cmocka.h> /* it has a macro fail() */

/* A request lives as long as the process, which here reads many. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

#define STRUCT(offset, data, pointers) \
	((uint32_t)(offset) << 2 | (uint64_t)(data) << 32 | (uint64_t)(pointers) << 48)
#define LIST(offset, element, count) \
	((uint32_t)(offset) << 2 | 1 | (uint64_t)(element) << 32 | (uint64_t)(count) << 35)
#define FAR(segment, offset) ((uint64_t)(segment) << 32 | (uint64_t)(offset) << 3 | 2)
#define TABLE(segments, first) ((uint64_t)(first) << 32 | ((segments) - 1))

/* Reads `count` words as a framed message; true if it was not refused. */
static bool read_words(const uint64_t *words, size_t count, struct capnp_struct *root)
{
	FILE *in = fmemopen((void *)(uintptr_t)words, count * 8, "rb");
	assert_non_null(in);
	bool good = setjmp(refused) == 0;
	if (good)
		*root = message_read(in);
	fclose(in);
	return good;
}

#define READ(root, ...)                                                       \
	(__extension__({                                                          \
		const uint64_t words_[] = { __VA_ARGS__ };                            \
		read_words(words_, sizeof words_ / sizeof words_[0], &(root));        \
	}))

static void test_one_segment(void **state)
{
	struct capnp_struct root;
	(void)state;
	assert_true(READ(root, TABLE(1, 2), STRUCT(0, 1, 0), 77));
	assert_int_equal(capnp_get_u8(root, 0, 0), 77);
}

static void test_far_root(void **state)
{
	struct capnp_struct root;
	(void)state;
	assert_true(READ(root, TABLE(2, 1), 3, FAR(1, 1), 0, STRUCT(0, 1, 0), 77));
	assert_int_equal(capnp_get_u8(root, 0, 0), 77);
}

/* Segment 0: root and a list of two far pointers; 1: a text behind its pad, and
 * a double-far pad for a composite list in segment 2. */
static void test_far_and_double_far(void **state)
{
	struct capnp_struct root;
	struct capnp_list list, inner;
	struct capnp_text text;
	(void)state;
	assert_true(READ(root, TABLE(3, 4), 4ull << 32 | 4, STRUCT(0, 0, 1), LIST(0, CAPNP_POINTER, 2),
	                 FAR(1, 0), FAR(1, 2) | 4, LIST(0, CAPNP_BYTE, 3), 0x6968, FAR(2, 1),
	                 LIST(0, CAPNP_COMPOSITE, 2), 0, STRUCT(1, 1, 1), 88, FAR(1, 0)));
	assert_int_equal(capnp_get_list(&root, 0, CAPNP_POINTER, &list), STATUS_OK);
	assert_int_equal(capnp_list_text(list, 0, &text), STATUS_OK);
	assert_string_equal(text.bytes, "hi");
	assert_int_equal(capnp_list_list(list, 1, CAPNP_COMPOSITE, &inner), STATUS_OK);
	assert_int_equal(inner.count, 1);
	assert_int_equal(capnp_list_u8(inner, 0), 88);
	struct capnp_struct first = capnp_list_struct(inner, 0);
	assert_int_equal(capnp_get_text(&first, 0, &text), STATUS_OK);
	assert_string_equal(text.bytes, "hi");
}

static void test_broken_requests(void **state)
{
	struct capnp_struct root;
	(void)state;
	assert_false(READ(root, TABLE(1, 3), STRUCT(0, 1, 0), 77));
	assert_false(READ(root, TABLE(1, 0)));
	assert_false(READ(root, UINT32_MAX));
	assert_false(READ(root, TABLE(4000, 1), 0));
	assert_false(READ(root, TABLE(3, 1), 1ull << 32 | 1, FAR(3, 1), STRUCT(0, 1, 0), 77));
	assert_false(READ(root, TABLE(2, 1), 3, FAR(2, 1), 0, STRUCT(0, 1, 0), 77));
	assert_false(READ(root, TABLE(2, 1), 3, FAR(1, 3), 0, STRUCT(0, 1, 0), 77));
	assert_false(READ(root, TABLE(2, 1), 3, FAR(1, 1), 0, FAR(1, 0), 77));
	assert_false(READ(root, TABLE(2, 1), 3, FAR(1, 2) | 4, 0, STRUCT(0, 1, 0), FAR(1, 0)));
	assert_false(READ(root, TABLE(1, 1), FAR(0, 0)));
	assert_false(READ(root, TABLE(1, 1), STRUCT(-1, 0, 1)));
	assert_false(READ(root, TABLE(1, 1), STRUCT(5, 0, 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_segment),
		cmocka_unit_test(test_far_root),
		cmocka_unit_test(test_far_and_double_far),
		cmocka_unit_test(test_broken_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
