/* cpio_fuzz.c: cpio_next, and the ramfs filled from it, on hostile bytes.
 *
 * The reader runs on every input and its promises about each entry are checked;
 * the file system is filled from inputs that begin a whole archive. */
#include "lib/cpio/cpio.h"
#include "lib/posix/env_host.h"
#include "lib/vfs/ramfs.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_path(const char *path, size_t length)
{
	size_t begin = 0;
	check(length < 4096);
	for (size_t i = 0; i <= length && length > 0; i++) {
		check(i == length || path[i] != '\0');
		if (i < length && path[i] != '/')
			continue;
		check(i > begin && i - begin <= 255);
		check(!(i - begin == 1 && path[begin] == '.'));
		check(!(i - begin == 2 && path[begin] == '.' && path[begin + 1] == '.'));
		begin = i + 1;
	}
}

static void check_entry(const uint8_t *data, size_t size, const struct cpio_entry *entry)
{
	const uint8_t *path = (const uint8_t *)entry->path;
	check(path >= data && path + entry->path_length <= data + size);
	check(entry->content >= data && entry->content_size <= size);
	check(entry->content + entry->content_size <= data + size);
	check_path(entry->path, entry->path_length);
}

/* The number of entries before the end or the first error. */
static unsigned read_all(const uint8_t *data, size_t size)
{
	struct cpio_reader reader;
	struct cpio_entry entry;
	unsigned entries = 0;
	cpio_start(&reader, data, size);
	for (;;) {
		size_t before = reader.position;
		enum status status = cpio_next(&reader, &entry);
		check(reader.position <= size);
		if (status != STATUS_OK) {
			check(status == STATUS_NOT_FOUND || reader.error != NULL);
			check(status == STATUS_NOT_FOUND || cpio_next(&reader, &entry) == STATUS_BAD_MESSAGE);
			return entries;
		}
		check(reader.position > before);
		check_entry(data, size, &entry);
		entries++;
	}
}

static void fill(const uint8_t *data, size_t size)
{
	struct fs *fs;
	size_t allocations = env_host.allocations, pages = env_host.pages;
	check(ramfs_create(1024, &fs) == 0);
	const char *error;
	int result = ramfs_fill_from_cpio(fs, data, size, &error);
	check((result == 0) == (error == NULL));
	ramfs_check(fs);
	fs->destroy(fs);
	check(env_host.allocations == allocations && env_host.pages == pages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (read_all(data, size) > 0)
		fill(data, size);
	return 0;
}
