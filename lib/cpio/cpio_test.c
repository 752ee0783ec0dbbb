/* cpio_test.c: what the boot relies on: good archives come out whole, and no
 * altered or shortened one is mistaken for good or read past its end. */
#include "lib/cpio/cpio.h"
#include "lib/posix/env_host.h"
#include "lib/posix/errno.h"
#include "lib/vfs/ramfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARCHIVE_MAX = 65536, HEADER_SIZE = 110, FIELD_SIZE = 8, MAGIC_SIZE = 6 };

struct archive {
	uint8_t bytes[ARCHIVE_MAX];
	size_t size;
};

static void pad(struct archive *archive)
{
	while (archive->size % 4 != 0)
		archive->bytes[archive->size++] = 0;
}

static void add(struct archive *archive, const char *path, unsigned inode, unsigned mode,
                unsigned links, const void *content, size_t size)
{
	char header[HEADER_SIZE + 32];
	snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
	         inode, mode, 7u, 8u, links, 1000u, (unsigned)size, 0u, 1u, 5u, 1u,
	         (unsigned)strlen(path) + 1, 0u);
	memcpy(archive->bytes + archive->size, header, HEADER_SIZE);
	archive->size += HEADER_SIZE;
	memcpy(archive->bytes + archive->size, path, strlen(path) + 1);
	archive->size += strlen(path) + 1;
	pad(archive);
	if (size > 0)
		memcpy(archive->bytes + archive->size, content, size);
	archive->size += size;
	pad(archive);
}

static void finish(struct archive *archive)
{
	add(archive, "TRAILER!!!", 0, 0, 1, NULL, 0);
}

/* The iterator on a copy that ends where the archive does, for ASan. */
static enum status read_exactly(const uint8_t *bytes, size_t size, unsigned *entries)
{
	uint8_t *copy = malloc(size + (size == 0));
	if (size > 0)
		memcpy(copy, bytes, size);
	struct cpio_reader reader;
	struct cpio_entry entry;
	enum status status;
	*entries = 0;
	cpio_start(&reader, copy, size);
	while ((status = cpio_next(&reader, &entry)) == STATUS_OK) {
		assert_true((const uint8_t *)entry.path + entry.path_length <= copy + size);
		assert_true(entry.content + entry.content_size <= copy + size);
		++*entries;
	}
	free(copy);
	return status;
}

static struct archive *sample(void)
{
	struct archive *archive = calloc(1, sizeof(*archive));
	add(archive, ".", 1, S_IFDIR | 0755, 2, NULL, 0);
	add(archive, "bin", 2, S_IFDIR | 0755, 2, NULL, 0);
	add(archive, "bin/a", 3, S_IFREG | 0755, 2, NULL, 0);
	add(archive, "./bin/b", 3, S_IFREG | 0755, 2, "hello", 5);
	add(archive, "link", 4, S_IFLNK | 0777, 1, "bin/a", 5);
	add(archive, "console", 5, S_IFCHR | 0600, 1, NULL, 0);
	add(archive, "deep/er/file", 6, S_IFREG | 0644, 1, "x", 1);
	finish(archive);
	return archive;
}

static void good_archive_is_read_whole(void **state)
{
	(void)state;
	struct archive *archive = sample();
	unsigned entries;
	assert_int_equal(read_exactly(archive->bytes, archive->size, &entries), STATUS_NOT_FOUND);
	assert_int_equal(entries, 7);
	assert_int_equal(read_exactly(NULL, 0, &entries), STATUS_NOT_FOUND);
	free(archive);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	struct archive *archive = sample();
	unsigned entries;
	for (size_t size = 1; size + 3 < archive->size; size++) {
		if (read_exactly(archive->bytes, size, &entries) != STATUS_BAD_MESSAGE)
			fail_msg("cut to %zu bytes and accepted", size);
	}
	free(archive);
}

static void altered_fields_never_read_outside(void **state)
{
	(void)state;
	static const char *const values[] = { "ffffffff", "80000000", "00000000", "7fffffff",
	                                      "fffffff0", "0000zzzz", "        ", "00001001" };
	struct archive *archive = sample();
	unsigned entries;
	size_t step = 4;
	for (size_t header = 0; header < archive->size; header += step) {
		if (memcmp(archive->bytes + header, "070701", MAGIC_SIZE) != 0)
			continue;
		for (unsigned field = 0; field < 13; field++) {
			uint8_t *at = archive->bytes + header + MAGIC_SIZE + field * FIELD_SIZE;
			uint8_t saved[FIELD_SIZE];
			memcpy(saved, at, FIELD_SIZE);
			for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
				memcpy(at, values[i], FIELD_SIZE);
				enum status status = read_exactly(archive->bytes, archive->size, &entries);
				assert_true(status == STATUS_NOT_FOUND || status == STATUS_BAD_MESSAGE);
				if (values[i][4] == 'z' || values[i][0] == ' ')
					assert_int_equal(status, STATUS_BAD_MESSAGE);
			}
			memcpy(at, saved, FIELD_SIZE);
		}
	}
	free(archive);
}

static void refused_with(const char *path, const char *reason)
{
	struct archive *archive = calloc(1, sizeof(*archive));
	add(archive, path, 1, S_IFREG | 0644, 1, NULL, 0);
	finish(archive);
	struct cpio_reader reader;
	struct cpio_entry entry;
	cpio_start(&reader, archive->bytes, archive->size);
	assert_int_equal(cpio_next(&reader, &entry), STATUS_BAD_MESSAGE);
	assert_string_equal(reader.error, reason);
	assert_int_equal(cpio_next(&reader, &entry), STATUS_BAD_MESSAGE);
	free(archive);
}

static void paths_that_escape_are_refused(void **state)
{
	(void)state;
	char longest[300];
	memset(longest, 'x', 256);
	longest[256] = '\0';
	refused_with("..", "dot component in a path");
	refused_with("../etc/passwd", "dot component in a path");
	refused_with("a/../../b", "dot component in a path");
	refused_with("/a/./b", "dot component in a path");
	refused_with("a//b", "empty path component");
	refused_with(longest, "path component too long");
}

static void name_must_end_with_its_nul(void **state)
{
	(void)state;
	struct archive *archive = calloc(1, sizeof(*archive));
	unsigned entries;
	add(archive, "abc", 1, S_IFREG | 0644, 1, NULL, 0);
	finish(archive);
	archive->bytes[HEADER_SIZE + 3] = 'd';
	assert_int_equal(read_exactly(archive->bytes, archive->size, &entries), STATUS_BAD_MESSAGE);
	archive->bytes[HEADER_SIZE + 3] = '\0';
	archive->bytes[HEADER_SIZE + 1] = '\0'; /* a NUL inside hides the rest */
	assert_int_equal(read_exactly(archive->bytes, archive->size, &entries), STATUS_BAD_MESSAGE);
	free(archive);
}

/* -- filling -- */

struct filled {
	struct fs *fs;
	struct vfs vfs;
	struct vfs_place place;
};

static void fill(struct filled *filled, const struct archive *archive, int expected)
{
	const char *error;
	assert_int_equal(ramfs_create(0, &filled->fs), 0);
	int result = ramfs_fill_from_cpio(filled->fs, archive->bytes, archive->size, &error);
	assert_int_equal(result, expected);
	assert_true((error == NULL) == (expected == 0));
	ramfs_check(filled->fs);
	assert_int_equal(filled->fs->held, 1);
	vfs_init(&filled->vfs, filled->fs);
	vfs_place_init(&filled->vfs, &filled->place);
}

static void drop(struct filled *filled)
{
	vfs_place_drop(&filled->place);
	vfs_destroy(&filled->vfs);
	assert_int_equal(env_host.allocations, 0);
	assert_int_equal(env_host.pages, 0);
}

static void expect_content(struct filled *filled, const char *path, const char *content)
{
	char buffer[64];
	struct file *file;
	struct wait wait = { 0 };
	assert_int_equal(vfs_open(&filled->place, NULL, path, O_RDONLY, 0, &file), 0);
	int64_t length = file_read(file, buffer, sizeof(buffer), &wait);
	assert_int_equal(length, strlen(content));
	assert_memory_equal(buffer, content, (size_t)length);
	file_put(file);
}

static void tree_has_what_the_archive_has(void **state)
{
	(void)state;
	struct archive *archive = sample();
	struct filled filled;
	struct stat a, b;
	char target[16];
	fill(&filled, archive, 0);
	expect_content(&filled, "/bin/a", "hello");
	expect_content(&filled, "/link", "hello");
	expect_content(&filled, "/deep/er/file", "x");
	assert_int_equal(vfs_stat(&filled.place, NULL, "/bin/a", 0, &a), 0);
	assert_int_equal(vfs_stat(&filled.place, NULL, "/bin/b", 0, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_nlink, 2);
	assert_int_equal(a.st_mode, S_IFREG | 0755);
	assert_int_equal(a.st_uid, 7);
	assert_int_equal(a.st_gid, 8);
	assert_int_equal(a.st_mtime_sec, 1000);
	assert_int_equal(vfs_stat(&filled.place, NULL, "/console", 0, &a), 0);
	assert_int_equal(a.st_rdev, device_number(5, 1));
	assert_int_equal(vfs_readlink(&filled.place, NULL, "/link", target, sizeof(target)), 5);
	drop(&filled);
	free(archive);
}

static void initrd_file_is_one_run_of_pages(void **state)
{
	(void)state;
	struct archive *archive = calloc(1, sizeof(*archive));
	static uint8_t content[5 * ENV_PAGE + 100];
	memset(content, 'q', sizeof(content));
	add(archive, "file", 1, S_IFREG | 0644, 1, content, sizeof(content));
	finish(archive);
	struct filled filled;
	struct inode *inode;
	void *run;
	fill(&filled, archive, 0);
	assert_int_equal(vfs_lookup(&filled.place, NULL, "/file", 0, &inode), 0);
	assert_int_equal(vfs_file_pages(inode, 0, 100, false, &run), 6);
	assert_memory_equal(run, content, sizeof(content));
	assert_int_equal(((uint8_t *)run)[sizeof(content)], 0);
	inode_put(inode);
	drop(&filled);
	free(archive);
}

static void later_archive_goes_over_earlier(void **state)
{
	(void)state;
	struct archive *archive = sample();
	struct filled filled;
	struct stat stat;
	archive->size += 512; /* zeroes between */
	add(archive, "bin/b", 3, S_IFREG | 0644, 2, "new", 3);
	add(archive, "bin/c", 3, S_IFREG | 0644, 2, NULL, 0);
	add(archive, "bin", 9, S_IFDIR | 0700, 2, NULL, 0);
	finish(archive);
	archive->size += 100;
	fill(&filled, archive, 0);
	expect_content(&filled, "/bin/a", "hello"); /* inode 3 of another archive */
	expect_content(&filled, "/bin/b", "new");
	expect_content(&filled, "/bin/c", "new");
	assert_int_equal(vfs_stat(&filled.place, NULL, "/bin", 0, &stat), 0);
	assert_int_equal(stat.st_mode, S_IFDIR | 0700);
	drop(&filled);
	free(archive);
}

static void bad_archive_leaves_a_sound_tree(void **state)
{
	(void)state;
	struct archive *archive = sample();
	struct filled filled;
	archive->size -= 40;
	fill(&filled, archive, -EINVAL);
	expect_content(&filled, "/bin/a", "hello");
	drop(&filled);
	free(archive);
}

static void links_out_of_the_tree_stay_in(void **state)
{
	(void)state;
	struct archive *archive = calloc(1, sizeof(*archive));
	struct filled filled;
	add(archive, "up", 1, S_IFLNK | 0777, 1, "../../..", 8);
	add(archive, "up/file", 2, S_IFREG | 0644, 1, "in", 2);
	finish(archive);
	fill(&filled, archive, 0);
	expect_content(&filled, "/file", "in");
	drop(&filled);
	free(archive);
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	struct archive *archive = sample();
	for (uint64_t n = 1;; n++) {
		struct fs *fs;
		env_host_reset();
		env_host.fail_at = n;
		int result = ramfs_create(0, &fs);
		if (result == 0) {
			result = ramfs_fill_from_cpio(fs, archive->bytes, archive->size, NULL);
			ramfs_check(fs);
			fs->destroy(fs);
		}
		assert_int_equal(env_host.allocations, 0);
		assert_int_equal(env_host.pages, 0);
		if (env_host.asked < n)
			break;
		assert_int_equal(result, -ENOMEM);
	}
	env_host_reset();
	free(archive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_archive_is_read_whole),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(altered_fields_never_read_outside),
		cmocka_unit_test(paths_that_escape_are_refused),
		cmocka_unit_test(name_must_end_with_its_nul),
		cmocka_unit_test(tree_has_what_the_archive_has),
		cmocka_unit_test(initrd_file_is_one_run_of_pages),
		cmocka_unit_test(later_archive_goes_over_earlier),
		cmocka_unit_test(bad_archive_leaves_a_sound_tree),
		cmocka_unit_test(links_out_of_the_tree_stay_in),
		cmocka_unit_test(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
