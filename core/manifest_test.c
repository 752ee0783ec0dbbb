/* manifest_test.c: one good manifest, and every way it can be wrong. */
#include "core/manifest_invariant.h"

#include "abi/manifest.capnp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LIST_MAX = 70 };

/* What a manifest is built from. Lists end with NULL. */
static struct plan {
	const char *name, *id, *module;
	const char *grants[LIST_MAX], *sources[LIST_MAX];
	const char *path;
	const char *arguments[LIST_MAX], *environment[LIST_MAX];
	const char *program_grants[LIST_MAX], *program_sources[LIST_MAX];
} plan;

static const char *const sources[] = { "console", "timer", "memory", NULL };

static char reason[MANIFEST_REASON_MAX];
static uint64_t words[8192];

static int make_good(void **state)
{
	(void)state;
	plan = (struct plan){
		.name = "a shell, on Linux",
		.id = "linux",
		.module = "/lib/linux.mod",
		.grants = { "console", "clock" },
		.sources = { "console", "timer" },
		.path = "/bin/busybox",
		.arguments = { "sh", "", "-c" },
		.environment = { "PATH=/bin", "HOME=/", "E_2=" },
		.program_grants = { "time", "out" },
		.program_sources = { "clock", "console" },
	};
	return 0;
}

static uint32_t count(const char *const *list)
{
	uint32_t n = 0;
	while (list[n] != NULL)
		n++;
	return n;
}

static void fill(struct capnp_list_builder list, const char *const *from)
{
	for (uint32_t i = 0; from[i] != NULL; i++)
		capnp_list_set_text(list, i, capnp_text_from(from[i]));
}

static void fill_grants(struct capnp_list_builder list, const char *const *names,
                        const char *const *from)
{
	for (uint32_t i = 0; names[i] != NULL; i++) {
		struct manifest_grant_builder grant = manifest_grant_list_build(list, i);
		manifest_grant_set_name(grant, capnp_text_from(names[i]));
		manifest_grant_set_source(grant, capnp_text_from(from[i]));
	}
}

/* Builds the plan's message; its size. */
static size_t build(void)
{
	struct capnp_builder b;
	capnp_builder_start(&b, words, sizeof words);
	struct manifest_builder root = manifest_build(&b);
	manifest_set_name(root, capnp_text_from(plan.name));

	struct manifest_libos_builder libos = manifest_init_libos(root);
	manifest_libos_set_id(libos, capnp_text_from(plan.id));
	manifest_libos_set_module(libos, capnp_text_from(plan.module));
	manifest_libos_set_memory_pages(libos, 77);
	fill_grants(manifest_libos_init_grants(libos, count(plan.grants)), plan.grants, plan.sources);

	struct manifest_program_builder program = manifest_init_program(root);
	manifest_program_set_path(program, capnp_text_from(plan.path));
	fill(manifest_program_init_arguments(program, count(plan.arguments)), plan.arguments);
	fill(manifest_program_init_environment(program, count(plan.environment)), plan.environment);
	fill_grants(manifest_program_init_grants(program, count(plan.program_grants)),
	            plan.program_grants, plan.program_sources);
	assert_int_equal(b.status, STATUS_OK);
	return capnp_builder_size(&b);
}

static enum status check(size_t size, struct manifest *out)
{
	return manifest_check(words, size, sources, out, reason, sizeof reason);
}

static void expect_good(void)
{
	struct manifest manifest;
	enum status status = check(build(), &manifest);
	if (status != STATUS_OK)
		print_error("refused: %s\n", reason);
	assert_int_equal(status, STATUS_OK);
	assert_true(manifest_holds(&manifest, sources));
}

static void expect_refusal(const char *why)
{
	struct manifest manifest;
	assert_int_equal(check(build(), &manifest), STATUS_BAD_MESSAGE);
	assert_string_equal(reason, why);
}

static void good_manifest_is_read(void **state)
{
	(void)state;
	struct manifest manifest;
	expect_good();
	assert_int_equal(check(build(), &manifest), STATUS_OK);
	assert_string_equal(manifest.name.bytes, "a shell, on Linux");
	assert_string_equal(manifest.libos_id.bytes, "linux");
	assert_string_equal(manifest.libos_module.bytes, "/lib/linux.mod");
	assert_int_equal(manifest.libos_memory_pages, 77);
	assert_int_equal(manifest.grants.count, 2);
	assert_string_equal(manifest_grant(manifest.grants, 1).name.bytes, "clock");
	assert_string_equal(manifest_grant(manifest.grants, 1).source.bytes, "timer");
	assert_int_equal(manifest.program_grants.count, 2);
	assert_string_equal(manifest_grant(manifest.program_grants, 0).name.bytes, "time");
	assert_string_equal(manifest_grant(manifest.program_grants, 0).source.bytes, "clock");
	assert_string_equal(manifest.program_path.bytes, "/bin/busybox");
	assert_int_equal(manifest.arguments.count, 3);
	assert_string_equal(manifest_text(manifest.arguments, 1).bytes, "");
	assert_string_equal(manifest_text(manifest.arguments, 2).bytes, "-c");
	assert_string_equal(manifest_text(manifest.environment, 2).bytes, "E_2=");
}

#define BAD_ID "not 1 to 31 characters of a-z, 0-9 and -"
#define LONG_31 "abcdefghijklmnopqrstuvwxyz01234"

/* One text of the plan made wrong, and what is said about it. */
static const struct {
	const char **text;
	const char *value, *why;
} wrongs[] = {
	{ &plan.name, "", "name: missing" },
	{ &plan.name, "bell\a", "name: holds a character that is not printable ASCII" },
	{ &plan.name, "caf\xc3\xa9", "name: holds a character that is not printable ASCII" },
	{ &plan.name, LONG_31 LONG_31 "56", "name: longer than 63 characters" },
	{ &plan.id, "", "libos.id: missing" },
	{ &plan.id, "Linux", "libos.id: " BAD_ID },
	{ &plan.id, "li nux", "libos.id: " BAD_ID },
	{ &plan.id, "linux_6", "libos.id: " BAD_ID },
	{ &plan.id, LONG_31 "5", "libos.id: " BAD_ID },
	{ &plan.module, "", "libos.module: missing" },
	{ &plan.module, "lib/linux.mod", "libos.module: not an absolute path" },
	{ &plan.module, "/lib/../linux.mod", "libos.module: has a `.` or `..` component" },
	{ &plan.module, "/lib//linux.mod", "libos.module: has an empty component" },
	{ &plan.grants[0], "", "libos.grants[0].name: missing" },
	{ &plan.grants[1], "Clock", "libos.grants[1].name: " BAD_ID },
	{ &plan.grants[1], "console", "libos.grants[1].name: granted twice" },
	{ &plan.grants[0], "initrd", "libos.grants[0].name: a name that every libOS is given" },
	{ &plan.grants[1], "module", "libos.grants[1].name: a name that every libOS is given" },
	{ &plan.grants[1], "modules", "libos.grants[1].name: a name that every libOS is given" },
	{ &plan.grants[0], "thread", "libos.grants[0].name: a name that every libOS is given" },
	{ &plan.grants[1], "inspector", "libos.grants[1].name: a name that every libOS is given" },
	{ &plan.sources[0], "", "libos.grants[0].source: missing" },
	{ &plan.sources[1], "clock",
	  "libos.grants[1].source: the initial init system holds nothing by that name" },
	{ &plan.sources[1], "../timer", "libos.grants[1].source: " BAD_ID },
	{ &plan.path, "", "program.path: missing" },
	{ &plan.path, "busybox", "program.path: not an absolute path" },
	{ &plan.path, "/", "program.path: has an empty component" },
	{ &plan.path, "/bin/", "program.path: has an empty component" },
	{ &plan.path, "//bin", "program.path: has an empty component" },
	{ &plan.path, "/..", "program.path: has a `.` or `..` component" },
	{ &plan.path, "/bin/./busybox", "program.path: has a `.` or `..` component" },
	{ &plan.path, "/bin/.", "program.path: has a `.` or `..` component" },
	{ &plan.arguments[0], NULL, "program.arguments: missing" },
	{ &plan.environment[1], "", "program.environment[1]: not NAME=value" },
	{ &plan.environment[1], "HOME", "program.environment[1]: not NAME=value" },
	{ &plan.environment[1], "=x", "program.environment[1]: not NAME=value" },
	{ &plan.environment[2], "2E=x", "program.environment[2]: not NAME=value" },
	{ &plan.environment[0], "A B=x", "program.environment[0]: not NAME=value" },
	{ &plan.environment[2], "PATH=", "program.environment[2]: set twice" },
	{ &plan.program_grants[0], "", "program.grants[0].name: missing" },
	{ &plan.program_grants[1], "Out", "program.grants[1].name: " BAD_ID },
	{ &plan.program_grants[1], "time", "program.grants[1].name: granted twice" },
	{ &plan.program_grants[0], "thread", "program.grants[0].name: a name that every program is given" },
	{ &plan.program_grants[1], "inspector", "program.grants[1].name: a name that every program is given" },
	{ &plan.program_sources[0], "", "program.grants[0].source: missing" },
	{ &plan.program_sources[1], "timer", /* the initial init system's name for it */
	  "program.grants[1].source: the libOS is granted nothing by that name" },
	{ &plan.program_sources[1], "space", /* what the exokernel gives the libOS */
	  "program.grants[1].source: the libOS is granted nothing by that name" },
};

static void each_wrong_field_is_named(void **state)
{
	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		make_good(state);
		*wrongs[i].text = wrongs[i].value;
		expect_refusal(wrongs[i].why);
	}
}

static void unusual_but_good_texts_pass(void **state)
{
	static const struct { const char **text, *value; } fine[] = {
		{ &plan.id, "0" }, { &plan.id, LONG_31 }, { &plan.id, "-" },
		{ &plan.path, "/a" }, { &plan.path, "/.../..a/.b" },
		{ &plan.arguments[0], "" }, { &plan.arguments[2], "\xff\n" },
		{ &plan.environment[0], "PAT=/bin" }, { &plan.environment[0], "PATHS=a=b" },
		{ &plan.environment[0], NULL }, { &plan.program_grants[0], NULL },
		{ &plan.program_grants[1], "self" }, { &plan.program_sources[1], "clock" },
	};
	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
		make_good(state);
		*fine[i].text = fine[i].value;
		expect_good();
	}
}

static void nothing_need_be_granted(void **state)
{
	(void)state;
	plan.grants[0] = plan.program_grants[0] = NULL;
	expect_good();
}

static void any_source_will_do_without_a_list(void **state)
{
	(void)state;
	struct manifest manifest;
	plan.sources[0] = "network";
	assert_int_equal(manifest_check(words, build(), NULL, &manifest, reason, sizeof reason),
	                 STATUS_OK);
}

static void paths_have_a_longest(void **state)
{
	(void)state;
	char path[MANIFEST_PATH_MAX + 1];
	memset(path, 'a', sizeof path);
	path[0] = '/';
	path[MANIFEST_PATH_MAX - 1] = '\0';
	plan.path = path;
	expect_good();
	path[MANIFEST_PATH_MAX - 1] = 'a';
	path[MANIFEST_PATH_MAX] = '\0';
	expect_refusal("program.path: longer than 255 bytes");
}

static void arguments_have_a_longest(void **state)
{
	(void)state;
	static char text[MANIFEST_TEXT_MAX + 2];
	memset(text, 'a', sizeof text - 1);
	text[MANIFEST_TEXT_MAX] = '\0';
	plan.arguments[1] = text;
	expect_good();
	text[MANIFEST_TEXT_MAX] = 'a';
	expect_refusal("program.arguments[1]: longer than 16383 bytes");
}

static void lists_have_a_most(void **state)
{
	static char names[LIST_MAX][8];
	plan.program_grants[0] = NULL;
	for (size_t i = 0; i <= MANIFEST_GRANTS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "g%zu", i);
		plan.grants[i] = i < MANIFEST_GRANTS_MAX ? names[i] : NULL;
		plan.sources[i] = "timer";
	}
	expect_good();
	plan.grants[MANIFEST_GRANTS_MAX] = names[MANIFEST_GRANTS_MAX];
	expect_refusal("libos.grants: more than 32");

	make_good(state);
	for (size_t i = 0; i < MANIFEST_GRANTS_MAX; i++) {
		plan.program_grants[i] = names[i];
		plan.program_sources[i] = "clock";
	}
	expect_good();
	plan.program_grants[MANIFEST_GRANTS_MAX] = names[MANIFEST_GRANTS_MAX];
	plan.program_sources[MANIFEST_GRANTS_MAX] = "clock";
	expect_refusal("program.grants: more than 32");

	make_good(state);
	for (size_t i = 0; i < MANIFEST_TEXTS_MAX; i++)
		plan.arguments[i] = "x";
	expect_good();
	plan.arguments[MANIFEST_TEXTS_MAX] = "x";
	expect_refusal("program.arguments: more than 64");

	make_good(state);
	for (size_t i = 0; i <= MANIFEST_TEXTS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "e%zu=", i);
		plan.environment[i] = i < MANIFEST_TEXTS_MAX ? names[i] : NULL;
	}
	expect_good();
	plan.environment[MANIFEST_TEXTS_MAX] = names[MANIFEST_TEXTS_MAX];
	expect_refusal("program.environment: more than 64");
}

static void texts_hold_no_nul(void **state)
{
	(void)state;
	plan.arguments[2] = "-XYZ";
	size_t size = build();
	char *found = memmem(words, size, "-XYZ", 4);
	assert_non_null(found);
	found[2] = '\0';
	struct manifest manifest;
	assert_int_equal(check(size, &manifest), STATUS_BAD_MESSAGE);
	assert_string_equal(reason, "program.arguments[2]: holds a NUL");
}

static void an_empty_message_lacks_everything(void **state)
{
	(void)state;
	struct manifest manifest;
	assert_int_equal(check(0, &manifest), STATUS_BAD_MESSAGE);
	assert_string_equal(reason, "name: missing");
	memset(words, 0, 8);
	assert_int_equal(check(8, &manifest), STATUS_BAD_MESSAGE);
	assert_string_equal(reason, "name: missing");
}

static void no_message_at_all_is_refused(void **state)
{
	(void)state;
	struct manifest manifest;
	memset(words, 0xff, 64);
	assert_int_equal(check(64, &manifest), STATUS_BAD_MESSAGE);
	assert_string_equal(reason, "message: not a well-formed Cap'n Proto message");
	assert_int_equal(check(63, &manifest), STATUS_BAD_MESSAGE);
}

static uint64_t *pointer(struct capnp_struct s, uint32_t index)
{
	return (uint64_t *)(uintptr_t)(s.data + s.data_bytes) + index;
}

static uint64_t *list_pointer(struct capnp_list list, uint32_t element, uint32_t index)
{
	return pointer(capnp_list_struct(list, element), index);
}

/* Each pointer of the good manifest turned into a capability. */
static void a_field_of_another_kind_is_malformed(void **state)
{
	(void)state;
	size_t size = build();
	struct manifest_reader root;
	struct manifest_libos_reader libos;
	struct manifest_program_reader program;
	struct manifest manifest;
	assert_int_equal(check(size, &manifest), STATUS_OK);
	assert_int_equal(manifest_read(words, size, &root), STATUS_OK);
	assert_int_equal(manifest_get_libos(root, &libos), STATUS_OK);
	assert_int_equal(manifest_get_program(root, &program), STATUS_OK);
	const struct { uint64_t *word; const char *why; } fields[] = {
		{ pointer(root.s, 0), "name: malformed" },
		{ pointer(root.s, 1), "libos: malformed" },
		{ pointer(libos.s, 0), "libos.id: malformed" },
		{ pointer(libos.s, 1), "libos.module: malformed" },
		{ pointer(libos.s, 2), "libos.grants: malformed" },
		{ list_pointer(manifest.grants, 1, 0), "libos.grants[1]: malformed" },
		{ list_pointer(manifest.grants, 0, 1), "libos.grants[0]: malformed" },
		{ pointer(root.s, 2), "program: malformed" },
		{ pointer(program.s, 0), "program.path: malformed" },
		{ pointer(program.s, 1), "program.arguments: malformed" },
		{ list_pointer(manifest.arguments, 2, 0), "program.arguments[2]: malformed" },
		{ pointer(program.s, 2), "program.environment: malformed" },
		{ list_pointer(manifest.environment, 1, 0), "program.environment[1]: malformed" },
		{ pointer(program.s, 3), "program.grants: malformed" },
		{ list_pointer(manifest.program_grants, 1, 0), "program.grants[1]: malformed" },
	};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		uint64_t good = *fields[i].word;
		*fields[i].word = 3;
		assert_int_equal(check(size, &manifest), STATUS_BAD_MESSAGE);
		assert_string_equal(reason, fields[i].why);
		*fields[i].word = good;
	}
}

static void each_truncation_is_refused(void **state)
{
	(void)state;
	size_t size = build();
	for (size_t cut = 0; cut < size; cut++) {
		uint64_t *exact = malloc(cut + 1);
		struct manifest manifest;
		memcpy(exact, words, cut);
		assert_int_equal(manifest_check(exact, cut, sources, &manifest, reason, sizeof reason),
		                 STATUS_BAD_MESSAGE);
		free(exact);
	}
}

static void any_byte_may_be_anything(void **state)
{
	(void)state;
	static uint64_t good[512];
	size_t size = build(), passed = 0;
	assert_true(size <= sizeof good);
	memcpy(good, words, size);
	for (size_t at = 0; at < size; at++) {
		for (unsigned value = 0; value < 256; value++) {
			struct manifest manifest;
			memcpy(words, good, size);
			((uint8_t *)words)[at] = (uint8_t)value;
			if (check(size, &manifest) == STATUS_OK) {
				assert_true(manifest_holds(&manifest, sources));
				passed++;
			}
		}
	}
	assert_true(passed > 0);
}

static void a_reason_is_cut_to_its_buffer(void **state)
{
	(void)state;
	struct manifest manifest;
	char small[10] = "#########";
	plan.id = "Linux";
	size_t size = build();
	for (size_t room = 0; room < sizeof small; room++) {
		memset(small, '#', sizeof small);
		assert_int_equal(manifest_check(words, size, NULL, &manifest, small, room),
		                 STATUS_BAD_MESSAGE);
		assert_int_equal(small[room], '#');
		if (room > 0) {
			assert_int_equal(strlen(small), room - 1);
			assert_memory_equal(small, "libos.id: ", room - 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good_manifest_is_read, make_good),
		cmocka_unit_test_setup(each_wrong_field_is_named, make_good),
		cmocka_unit_test_setup(unusual_but_good_texts_pass, make_good),
		cmocka_unit_test_setup(nothing_need_be_granted, make_good),
		cmocka_unit_test_setup(any_source_will_do_without_a_list, make_good),
		cmocka_unit_test_setup(paths_have_a_longest, make_good),
		cmocka_unit_test_setup(arguments_have_a_longest, make_good),
		cmocka_unit_test_setup(lists_have_a_most, make_good),
		cmocka_unit_test_setup(texts_hold_no_nul, make_good),
		cmocka_unit_test_setup(an_empty_message_lacks_everything, make_good),
		cmocka_unit_test_setup(no_message_at_all_is_refused, make_good),
		cmocka_unit_test_setup(a_field_of_another_kind_is_malformed, make_good),
		cmocka_unit_test_setup(each_truncation_is_refused, make_good),
		cmocka_unit_test_setup(any_byte_may_be_anything, make_good),
		cmocka_unit_test_setup(a_reason_is_cut_to_its_buffer, make_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
