/* bundle_test.c: one good bundle, and every way it can be wrong. */
#include "core/bundle_invariant.h"

#include "abi/bundle.capnp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PAGES = 6, ENTRIES = BUNDLE_ENTRIES_MAX + 1 };

/* What a bundle is built from: PAGES pages, a directory, a trailer. */
static struct plan {
	uint32_t count;
	struct { const char *name; uint64_t offset, size; } entries[ENTRIES];
} plan;

_Alignas(8) static uint8_t bytes[(PAGES + 2) * BUNDLE_PAGE];
static struct bundle_trailer trailer;

static int make_good(void **state)
{
	(void)state;
	plan = (struct plan){ 3, { { "manifest", 0x1000, 100 },
	                           { "initrd", 0x3000, 0x2001 },
	                           { "empty", 0x6000, 0 } } };
	return 0;
}

/* Builds the plan; the bundle's size. */
static size_t build(void)
{
	struct capnp_builder b;
	memset(bytes, 0, sizeof bytes);
	trailer = (struct bundle_trailer){ PAGES * BUNDLE_PAGE, 0, BUNDLE_MAGIC };
	capnp_builder_start(&b, bytes + trailer.directory_offset, BUNDLE_PAGE);
	struct capnp_list_builder list = directory_init_entries(directory_build(&b), plan.count);
	for (uint32_t i = 0; i < plan.count; i++) {
		struct entry_builder entry = entry_list_build(list, i);
		entry_set_name(entry, capnp_text_from(plan.entries[i].name));
		entry_set_offset(entry, plan.entries[i].offset);
		entry_set_size(entry, plan.entries[i].size);
	}
	assert_int_equal(b.status, STATUS_OK);
	trailer.directory_size = (uint32_t)capnp_builder_size(&b);
	return trailer.directory_offset + trailer.directory_size + sizeof trailer;
}

static enum status open_built(size_t size, struct bundle *out)
{
	memcpy(bytes + size - sizeof trailer, &trailer, sizeof trailer);
	return bundle_open(bytes, size, out);
}

static void expect_good(void)
{
	struct bundle bundle;
	size_t size = build();
	enum status status = open_built(size, &bundle);
	if (status != STATUS_OK)
		print_error("refused: %s\n", bundle.reason);
	assert_int_equal(status, STATUS_OK);
	assert_int_equal(bundle.entries.count, plan.count);
	assert_true(bundle_holds(&bundle, bytes, size));
}

static void refused(size_t size, const char *why)
{
	struct bundle bundle;
	assert_int_equal(open_built(size, &bundle), STATUS_BAD_MESSAGE);
	assert_string_equal(bundle.reason, why);
	assert_int_equal(bundle.entries.count, 0);
}

static void good_bundle_is_read(void **state)
{
	(void)state;
	struct bundle bundle;
	struct bundle_entry entry;
	expect_good();
	assert_int_equal(open_built(build(), &bundle), STATUS_OK);
	assert_int_equal(bundle_find(&bundle, "initrd", &entry), STATUS_OK);
	assert_int_equal(entry.offset, 0x3000);
	assert_int_equal(entry.size, 0x2001);
	assert_int_equal(bundle_find(&bundle, "init", &entry), STATUS_NOT_FOUND);
	assert_int_equal(bundle_find(&bundle, "initrds", &entry), STATUS_NOT_FOUND);
}

static void a_bundle_may_be_empty(void **state)
{
	(void)state;
	plan.count = 0;
	expect_good();
}

static void each_wrong_entry_is_refused(void **state)
{
	static const struct { const char *name; uint64_t offset, size; const char *why; } wrongs[] = {
		{ "", 0x1000, 1, "blob's name is not 1 to 31 characters of a-z, 0-9 and -" },
		{ "Initrd", 0x1000, 1, "blob's name is not 1 to 31 characters of a-z, 0-9 and -" },
		{ "initrd", 0x2000, 1, "two blobs of one name" },
		{ "x", 0x1001, 1, "blob not on a page boundary" },
		{ "x", 0, 1, "blob outside the bundle" },
		{ "x", 0x7000, 0, "blob outside the bundle" },
		{ "x", 0xfffffffffffff000, 0x2000, "blob outside the bundle" },
		{ "x", 0x1000, UINT64_MAX, "blob outside the bundle" },
		{ "x", 0x1000, 0x5001, "blob outside the bundle" },
		{ "x", 0x1000, 0x2001, "blobs overlap" },
		{ "x", 0x5000, 1, "blobs overlap" },
		{ "x", 0x4000, 1, "blobs overlap" },
	};
	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		make_good(state);
		/* First and last in the directory: the order must not matter. */
		plan.entries[2] = plan.entries[1];
		plan.entries[0].name = wrongs[i].name;
		plan.entries[0].offset = wrongs[i].offset;
		plan.entries[0].size = wrongs[i].size;
		plan.entries[1] = plan.entries[2];
		plan.count = 2;
		refused(build(), wrongs[i].why);
		plan.entries[2] = plan.entries[0];
		plan.entries[0] = plan.entries[1];
		plan.entries[1] = plan.entries[2];
		refused(build(), wrongs[i].why);
	}
}

static void blobs_may_touch(void **state)
{
	(void)state;
	plan.entries[0].size = 0x2000;
	plan.entries[1].size = 0x3000;
	expect_good();
}

static void there_is_a_most(void **state)
{
	(void)state;
	static char names[ENTRIES][8];
	for (uint32_t i = 0; i < ENTRIES; i++) {
		snprintf(names[i], sizeof names[i], "b%u", i);
		plan.entries[i].name = names[i];
		plan.entries[i].offset = 0x1000;
		plan.entries[i].size = 0;
	}
	plan.count = BUNDLE_ENTRIES_MAX;
	expect_good();
	plan.count = ENTRIES;
	refused(build(), "too many blobs");
}

static void each_wrong_trailer_is_refused(void **state)
{
	(void)state;
	size_t size = build();
	struct bundle_trailer good = trailer;
	trailer.magic++;
	refused(size, "no bundle: magic number missing at the end");
	trailer = good;
	trailer.directory_offset = size - sizeof trailer + 8;
	refused(size, "directory outside the bundle");
	trailer.directory_offset = UINT64_MAX - 7;
	refused(size, "directory outside the bundle");
	trailer.directory_offset = 0;
	refused(size, "directory outside the bundle");
	trailer.directory_offset = good.directory_offset + 8;
	refused(size, "directory outside the bundle");
	trailer.directory_offset = good.directory_offset - 4;
	refused(size, "directory not aligned");
	trailer = good;
	trailer.directory_size += 8;
	refused(size, "directory outside the bundle");
	trailer.directory_size = UINT32_MAX;
	refused(size, "directory outside the bundle");
	trailer.directory_size = good.directory_size - 8;
	refused(size, "directory malformed");
	trailer.directory_size = good.directory_size - 1;
	refused(size, "directory malformed");
}

static void a_name_of_another_kind_is_malformed(void **state)
{
	(void)state;
	struct bundle bundle;
	size_t size = build();
	assert_int_equal(open_built(size, &bundle), STATUS_OK);
	struct capnp_struct entry = capnp_list_struct(bundle.entries, 1);
	uint64_t capability = 3;
	memcpy((uint8_t *)(uintptr_t)entry.data + entry.data_bytes, &capability, 8);
	refused(size, "directory malformed");
}

static void each_truncation_is_refused(void **state)
{
	(void)state;
	size_t size = build();
	memcpy(bytes + size - sizeof trailer, &trailer, sizeof trailer);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *exact = malloc(cut + 1);
		struct bundle bundle;
		memcpy(exact, bytes, cut);
		assert_int_equal(bundle_open(exact, cut, &bundle), STATUS_BAD_MESSAGE);
		assert_non_null(bundle.reason);
		free(exact);
	}
}

static void any_directory_byte_may_be_anything(void **state)
{
	(void)state;
	size_t size = build(), passed = 0;
	memcpy(bytes + size - sizeof trailer, &trailer, sizeof trailer);
	for (size_t at = trailer.directory_offset; at < size; at++) {
		uint8_t good = bytes[at];
		for (unsigned value = 0; value < 256; value++) {
			struct bundle bundle;
			bytes[at] = (uint8_t)value;
			if (bundle_open(bytes, size, &bundle) == STATUS_OK) {
				assert_true(bundle_holds(&bundle, bytes, size));
				passed++;
			}
		}
		bytes[at] = good;
	}
	assert_true(passed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good_bundle_is_read, make_good),
		cmocka_unit_test_setup(a_bundle_may_be_empty, make_good),
		cmocka_unit_test_setup(each_wrong_entry_is_refused, make_good),
		cmocka_unit_test_setup(blobs_may_touch, make_good),
		cmocka_unit_test_setup(there_is_a_most, make_good),
		cmocka_unit_test_setup(each_wrong_trailer_is_refused, make_good),
		cmocka_unit_test_setup(a_name_of_another_kind_is_malformed, make_good),
		cmocka_unit_test_setup(each_truncation_is_refused, make_good),
		cmocka_unit_test_setup(any_directory_byte_may_be_anything, make_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
