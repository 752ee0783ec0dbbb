/* roundtrip_test.c: our generated accessors against the stock `capnp` tool, in
 * both directions, and what the plugin says of schemas that it cannot express.
 * Runs in the repository's root; CAPNPC_TESS names the plugin. */
#include "core/capnp_invariant.h"
#include "tools/capnpc/test.capnp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SCHEMA "tools/capnpc/test.capnp"

static _Alignas(8) char bytes[1 << 16];
static char folder[] = "/tmp/capnpc-XXXXXX";

/* Runs a shell command, with `input` as its stdin; its output goes to `out`,
 * NUL-terminated, and its exit status to *exit_status. Returns the length. */
static size_t run(char *out, size_t room, int *exit_status, const void *input, size_t input_size,
                  const char *format, ...)
{
	char command[1024], path[64];
	va_list arguments;
	snprintf(path, sizeof path, "%s/input", folder);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(input, 1, input_size, file), input_size);
	assert_int_equal(fclose(file), 0);
	va_start(arguments, format);
	int length = vsnprintf(command, sizeof command, format, arguments);
	va_end(arguments);
	snprintf(command + length, sizeof command - (size_t)length, " < %s", path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	size_t size = fread(out, 1, room - 1, pipe);
	out[size] = '\0';
	*exit_status = pclose(pipe);
	return size;
}

/* The stock tool's idea of the constant `sample`. */
static struct everything_reader stock_sample(void)
{
	struct everything_reader r;
	int failed;
	size_t size = run(bytes, sizeof bytes, &failed, "", 0, "capnp eval %s sample --output=flat",
	                  SCHEMA);
	assert_int_equal(failed, 0);
	assert_int_equal(everything_read(bytes, size, &r), STATUS_OK);
	assert_true(capnp_holds(r.s, bytes, size));
	return r;
}

#define OK(call) assert_int_equal(call, STATUS_OK)

static void test_stock_writes_we_read_numbers(void **state)
{
	(void)state;
	struct everything_reader r = stock_sample();
	assert_true(everything_get_yes(r));
	assert_false(everything_get_no_by_default(r));
	assert_int_equal(everything_get_i8(r), -8);
	assert_int_equal(everything_get_i16(r), -16000);
	assert_int_equal(everything_get_i32(r), -32);
	assert_true(everything_get_i64(r) == -64000000000);
	assert_int_equal(everything_get_u8(r), 8);
	assert_int_equal(everything_get_u16(r), 16);
	assert_int_equal(everything_get_u32(r), 4000000000);
	assert_true(everything_get_u64(r) == 0xfedcba9876543210);
	assert_int_equal(everything_get_f32_bits(r), 0x40200000);
	assert_true(everything_get_f64_bits(r) == 0xbfc0000000000000);
	assert_int_equal(everything_get_color(r), COLOR_LIGHT_GREY);
	assert_int_equal(everything_get_size_width_mm(r), 100);
	assert_int_equal(everything_get_size_height_mm(r), 200);
}

static void test_stock_writes_we_read_pointers(void **state)
{
	struct capnp_text text;
	struct capnp_data data;
	struct point_reader point;
	uint32_t capability;
	(void)state;
	struct everything_reader r = stock_sample();
	OK(everything_get_text(r, &text));
	assert_string_equal(text.bytes, "some text");
	OK(everything_get_text_default(r, &text));
	assert_string_equal(text.bytes, "other");
	OK(everything_get_data(r, &data));
	assert_int_equal(data.size, 3);
	assert_memory_equal(data.bytes, "\x00\x01\xff", 3);
	OK(everything_get_point(r, &point));
	assert_int_equal(point_get_x(point), 3);
	assert_int_equal(point_get_y(point), 4);
	assert_false(everything_has_port(r));
	assert_int_equal(everything_get_port(r, &capability), STATUS_NO_CAP);
	assert_int_equal(everything_get_any(r, &capability), STATUS_NO_CAP);
}

static void test_stock_writes_we_read_lists(void **state)
{
	static const bool bools[] = { 1, 0, 0, 1, 1, 0, 1, 0, 1 };
	struct capnp_list list, row;
	struct capnp_text text;
	struct capnp_data data;
	(void)state;
	struct everything_reader r = stock_sample();
	OK(everything_get_bools(r, &list));
	assert_int_equal(list.count, 9);
	for (uint32_t i = 0; i < 9; i++)
		assert_int_equal(capnp_list_bool(list, i), bools[i]);
	OK(everything_get_bytes(r, &list));
	assert_int_equal(capnp_list_u8(list, 2), 3);
	OK(everything_get_shorts(r, &list));
	assert_int_equal((int16_t)capnp_list_u16(list, 2), -3);
	OK(everything_get_longs(r, &list));
	assert_true(capnp_list_u64(list, 1) == UINT64_MAX);
	OK(everything_get_colors(r, &list));
	assert_int_equal(capnp_list_u16(list, 0), COLOR_BLUE);
	OK(everything_get_texts(r, &list));
	assert_int_equal(list.count, 3);
	OK(capnp_list_text(list, 1, &text));
	assert_string_equal(text.bytes, "");
	OK(capnp_list_text(list, 2, &text));
	assert_string_equal(text.bytes, "three");
	OK(everything_get_datas(r, &list));
	OK(capnp_list_data(list, 0, &data));
	assert_memory_equal(data.bytes, "\7", 1);
	OK(everything_get_points(r, &list));
	assert_int_equal(list.count, 3);
	assert_int_equal(point_get_y(point_list_get(list, 0)), -1);
	assert_int_equal(point_get_x(point_list_get(list, 2)), 5);
	OK(everything_get_rows(r, &list));
	OK(capnp_list_list(list, 0, CAPNP_FOUR_BYTES, &row));
	assert_int_equal(row.count, 2);
	assert_int_equal(capnp_list_u32(row, 1), 2);
}

static void test_stock_writes_we_read_unions(void **state)
{
	struct point_reader point;
	struct everything_tree_reader tree;
	struct capnp_list list;
	(void)state;
	struct everything_reader r = stock_sample();
	assert_int_equal(everything_which(r), EVERYTHING_IS_PLACE);
	assert_int_equal(everything_place_which(r), EVERYTHING_PLACE_IS_FLOOR_NUMBER);
	assert_int_equal(everything_get_place_floor_number(r), -2);
	OK(everything_get_place_point(r, &point));
	assert_int_equal(point_get_x(point), 7);
	OK(everything_get_tree(r, &tree));
	OK(everything_tree_get_children(tree, &list));
	tree = everything_tree_list_get(list, 1);
	OK(everything_tree_get_children(tree, &list));
	assert_int_equal(everything_tree_get_value(everything_tree_list_get(list, 0)), 4);
}

static void test_defaults(void **state)
{
	struct everything_reader r;
	struct capnp_text text;
	(void)state;
	OK(everything_read(NULL, 0, &r));
	assert_true(everything_get_no_by_default(r));
	assert_int_equal(everything_get_i16(r), -300);
	assert_true(everything_get_i64(r) == -5);
	assert_int_equal(everything_get_u8(r), 200);
	assert_int_equal(everything_get_f32_bits(r), 0x3fc00000);
	assert_int_equal(everything_get_color(r), COLOR_GREEN);
	assert_int_equal(everything_get_size_height_mm(r), 9);
	assert_int_equal(everything_which(r), EVERYTHING_IS_UNSET);
	OK(everything_get_text_default(r, &text));
	assert_string_equal(text.bytes, "as \"usual\"");
}

/* -- our side writes ---------------------------------------------------------- */

static void build_numbers(struct everything_builder b)
{
	everything_set_yes(b, true);
	everything_set_no_by_default(b, false);
	everything_set_i8(b, -8);
	everything_set_i16(b, -16000);
	everything_set_i32(b, -32);
	everything_set_i64(b, -64000000000);
	everything_set_u8(b, 8);
	everything_set_u16(b, 16);
	everything_set_u32(b, 4000000000);
	everything_set_u64(b, 0xfedcba9876543210);
	everything_set_f32_bits(b, 0x40200000);
	everything_set_f64_bits(b, 0xbfc0000000000000);
	everything_set_color(b, COLOR_LIGHT_GREY);
	everything_set_size_width_mm(b, 100);
	everything_set_size_height_mm(b, 200);
}

static void build_point(struct point_builder b, int32_t x, int32_t y)
{
	point_set_x(b, x);
	point_set_y(b, y);
}

static void build_lists(struct everything_builder b)
{
	struct capnp_list_builder list = everything_init_bools(b, 9);
	for (uint32_t i = 0; i < 9; i++)
		capnp_list_set_bool(list, i, 0x159 >> i & 1);
	memcpy(everything_init_bytes(b, 3).first, "\1\2\3", 3);
	list = everything_init_shorts(b, 3);
	for (uint16_t i = 0; i < 3; i++)
		capnp_list_set_u16(list, i, i == 1 ? 2 : (uint16_t)-(i + 1));
	list = everything_init_longs(b, 2);
	capnp_list_set_u64(list, 0, 1);
	capnp_list_set_u64(list, 1, UINT64_MAX);
	list = everything_init_colors(b, 2);
	capnp_list_set_u16(list, 0, COLOR_BLUE);
	list = everything_init_texts(b, 3);
	capnp_list_set_text(list, 0, capnp_text_from("one"));
	capnp_list_set_text(list, 2, capnp_text_from("three"));
	list = everything_init_datas(b, 2);
	capnp_list_set_data(list, 0, capnp_data_from("\7", 1));
	list = everything_init_points(b, 3);
	build_point(point_list_build(list, 0), 1, -1);
	build_point(point_list_build(list, 1), 0, 2);
	build_point(point_list_build(list, 2), 5, 6);
	list = everything_init_rows(b, 3);
	for (uint32_t i = 0; i < 3; i++) {
		static const uint32_t counts[] = { 2, 0, 1 };
		struct capnp_struct_builder place = capnp_list_struct_builder(list, i);
		struct capnp_list_builder row = capnp_init_list(&place, 0, CAPNP_FOUR_BYTES, counts[i]);
		for (uint32_t j = 0; j < counts[i]; j++)
			capnp_list_set_u32(row, j, i + j + 1);
	}
}

static void build_rest(struct everything_builder b)
{
	everything_set_text(b, capnp_text_from("some text"));
	everything_set_text_default(b, capnp_text_from("other"));
	memcpy(everything_init_data(b, 3), "\x00\x01\xff", 3);
	build_point(everything_init_point(b), 3, 4);
	everything_set_number(b, 12);
	build_point(everything_init_place_point(b), 7, 8);
	everything_set_place_indoors(b);
	everything_set_place_floor_number(b, -2);
	struct everything_tree_builder tree = everything_init_tree(b);
	everything_tree_set_value(tree, 1);
	struct capnp_list_builder list = everything_tree_init_children(tree, 2);
	everything_tree_set_value(everything_tree_list_build(list, 0), 2);
	tree = everything_tree_list_build(list, 1);
	everything_tree_set_value(tree, 3);
	list = everything_tree_init_children(tree, 1);
	everything_tree_set_value(everything_tree_list_build(list, 0), 4);
}

/* The stock tool prints what we wrote as it prints its own sample. */
static void test_we_write_stock_reads(void **state)
{
	struct capnp_builder b;
	int failed;
	(void)state;
	capnp_builder_start(&b, bytes, sizeof bytes);
	struct everything_builder everything = everything_build(&b);
	build_lists(everything);
	build_rest(everything);
	build_numbers(everything);
	OK(b.status);
	static char ours[1 << 14], stock[1 << 14];
	run(stock, sizeof stock, &failed, "", 0, "capnp eval %s sample", SCHEMA);
	assert_int_equal(failed, 0);
	run(ours, sizeof ours, &failed, bytes, capnp_builder_size(&b),
	    "capnp convert flat:text %s Everything", SCHEMA);
	assert_int_equal(failed, 0);
	assert_string_equal(ours, stock);
	run(ours, sizeof ours, &failed, bytes, capnp_builder_size(&b),
	    "capnp decode --flat %s Everything", SCHEMA);
	assert_int_equal(failed, 0);
	assert_string_equal(ours, stock);
}

static void test_capabilities(void **state)
{
	struct capnp_builder b;
	struct everything_reader r;
	struct capnp_list list;
	uint32_t capability;
	(void)state;
	capnp_builder_start(&b, bytes, sizeof bytes);
	struct everything_builder everything = everything_build(&b);
	everything_set_port(everything, 7);
	everything_set_any(everything, 8);
	capnp_list_set_capability(everything_init_ports(everything, 2), 1, 9);
	OK(b.status);
	OK(everything_read(bytes, capnp_builder_size(&b), &r));
	OK(everything_get_port(r, &capability));
	assert_int_equal(capability, 7);
	OK(everything_get_any(r, &capability));
	assert_int_equal(capability, 8);
	OK(everything_get_ports(r, &list));
	OK(capnp_list_capability(list, 1, &capability));
	assert_int_equal(capability, 9);
	assert_int_equal(capnp_list_capability(list, 0, &capability), STATUS_NO_CAP);
}

/* `capnp encode` lays a message out otherwise than `capnp eval`. */
static void test_stock_encodes_we_read(void **state)
{
	static char text[1 << 14];
	struct everything_reader r;
	struct capnp_text name;
	int failed;
	(void)state;
	size_t size = run(text, sizeof text, &failed, "", 0, "capnp eval %s sample", SCHEMA);
	assert_int_equal(failed, 0);
	size = run(bytes, sizeof bytes, &failed, text, size, "capnp encode --flat %s Everything",
	           SCHEMA);
	assert_int_equal(failed, 0);
	OK(everything_read(bytes, size, &r));
	assert_true(capnp_holds(r.s, bytes, size));
	assert_int_equal(everything_get_place_floor_number(r), -2);
	OK(everything_get_text(r, &name));
	assert_string_equal(name.bytes, "some text");
}

static void test_constants(void **state)
{
	(void)state;
	assert_int_equal(SMALL, -7);
	assert_int_equal(TINY, -3);
	assert_true(LOWEST == INT64_MIN);
	assert_true(BIG == UINT64_MAX);
	assert_true(MIDDLING == 3000000000);
	assert_int_equal(FAVOURITE, COLOR_BLUE);
	assert_string_equal(GREETING, "say \"hi\"?\n");
	assert_true(PORT_ID != PORT_STREAM_ID && PORT_ID >> 63 == 1);
	assert_int_equal(PORT_MOVE_TO, 2);
	assert_int_equal(PORT_STREAM_READ_URL_NOW, 0);
}

static void test_method_structs(void **state)
{
	struct capnp_builder b;
	struct port_open_params_reader params;
	struct port_stream_read_url_now_params_reader defaults;
	struct capnp_text path;
	(void)state;
	capnp_builder_start(&b, bytes, PORT_OPEN_PARAMS_MESSAGE_BYTES + 8);
	struct port_open_params_builder builder = port_open_params_build(&b);
	port_open_params_set_path(builder, capnp_text_from("/etc"));
	port_open_params_set_for_writing(builder, true);
	OK(b.status);
	OK(port_open_params_read(bytes, capnp_builder_size(&b), &params));
	OK(port_open_params_get_path(params, &path));
	assert_string_equal(path.bytes, "/etc");
	assert_true(port_open_params_get_for_writing(params));
	OK(port_stream_read_url_now_params_read(NULL, 0, &defaults));
	assert_int_equal(port_stream_read_url_now_params_get_count(defaults), 512);
}

/* -- what cannot be expressed ------------------------------------------------- */

/* Compiles a schema of this text; the plugin must fail, saying `wanted`, and
 * leave no header. With wanted NULL it must succeed. */
static void compile(const char *text, const char *wanted)
{
	char said[4096], path[64];
	const char *plugin = getenv("CAPNPC_TESS");
	int failed;
	snprintf(path, sizeof path, "%s/x.capnp", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "@0xa3f1d2c4b5968779;\n%s\n", text);
	fclose(file);
	run(said, sizeof said, &failed, "", 0, "capnp compile -o %s:%s --src-prefix=%s %s 2>&1",
	    plugin != NULL ? plugin : "build/host/capnpc-tess", folder, folder, path);
	strcat(path, ".h");
	if (wanted != NULL && strstr(said, wanted) == NULL)
		fail_msg("said \"%s\", not \"%s\"", said, wanted);
	assert_int_equal(failed != 0, wanted != NULL);
	assert_int_equal(unlink(path), wanted != NULL ? -1 : 0);
}

static void test_unsupported_features_are_named(void **state)
{
	(void)state;
	compile("struct A { b @0 :UInt8; }", NULL);
	compile("struct A { b @0 :AnyPointer; }", "x.capnp:A.b: AnyPointer");
	compile("struct A(T) { b @0 :T; }", "x.capnp:A: a generic type");
	compile("struct A { b @0 :B(Text); struct B(T) { c @0 :T; } }", "x.capnp:A.B: a generic");
	compile("interface A { b @0 [T] (c :T) -> (); }", "x.capnp:A.b");
	compile("interface A { id @0 () -> (); }", "x.capnp:A.id: a method of this name");
	compile("struct A { b @0 :Data = \"x\"; }", "x.capnp:A.b: a default");
	compile("struct A { b @0 :List(UInt8) = [1]; }", "x.capnp:A.b: a default");
	compile("struct A { b @0 :B = (c = 1); struct B { c @0 :Int8; } }", "x.capnp:A.b: a default");
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stock_writes_we_read_numbers),
		cmocka_unit_test(test_stock_writes_we_read_pointers),
		cmocka_unit_test(test_stock_writes_we_read_lists),
		cmocka_unit_test(test_stock_writes_we_read_unions),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_we_write_stock_reads),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_stock_encodes_we_read),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_method_structs),
		cmocka_unit_test(test_unsupported_features_are_named),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
