/* ramfs_test.c: what a program relies on about the bytes in a file and the names
 * in a directory. */
#include "lib/vfs/ramfs.h"
#include "lib/vfs/world_host.h"

static void files_may_have_holes(void **state)
{
	(void)state;
	uint8_t buffer[ENV_PAGE];
	struct file *file = world_open("/f", O_RDWR | O_CREAT);
	const int64_t far = (int64_t)1 << 40;
	STEP(3, file_pwrite(file, "far", 3, far));
	STEP(3, file_pwrite(file, "mid", 3, 300 * ENV_PAGE));
	STEP(3, file_pread(file, buffer, sizeof(buffer), far));
	assert_memory_equal(buffer, "far", 3);
	memset(buffer, 1, sizeof(buffer));
	STEP(ENV_PAGE, file_pread(file, buffer, sizeof(buffer), 12345));
	for (size_t i = 0; i < sizeof(buffer); i++)
		assert_int_equal(buffer[i], 0);
	assert_int_equal(world_stat("/f", 0).st_blocks, 16);
	assert_int_equal(world_stat("/f", 0).st_size, far + 3);
	STEP(-EFBIG, file_pwrite(file, "x", 1, INT64_MAX));
	OK(file_truncate(file, 300 * ENV_PAGE + 1));
	STEP(1, file_pread(file, buffer, sizeof(buffer), 300 * ENV_PAGE));
	OK(file_truncate(file, 300 * ENV_PAGE + 3));
	STEP(3, file_pread(file, buffer, sizeof(buffer), 300 * ENV_PAGE));
	assert_memory_equal(buffer, "m\0\0", 3); /* what was cut off does not come back */
	OK(file_truncate(file, 0));
	assert_int_equal(world_stat("/f", 0).st_blocks, 0);
	file_put(file);
}

/* A model of the file in one array; random writes, truncations and reads. */
static void content_is_what_was_written(void **state)
{
	(void)state;
	enum { LIMIT = 200 * ENV_PAGE, ROUNDS = 1500 };
	static uint8_t model[LIMIT], buffer[LIMIT];
	size_t size = 0;
	memset(model, 0, sizeof(model));
	struct file *file = world_open("/f", O_RDWR | O_CREAT);
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		size_t offset = (size_t)rand() % LIMIT;
		size_t length = (size_t)rand() % (rand() % 4 ? 3 * ENV_PAGE : 60 * ENV_PAGE);
		if (length > LIMIT - offset)
			length = LIMIT - offset;
		switch (rand() % 4) {
		case 0:
			OK(file_truncate(file, (int64_t)offset));
			if (offset < size)
				memset(model + offset, 0, size - offset);
			size = offset;
			break;
		case 1: {
			size_t most = offset < size ? size - offset : 0;
			STEP((int64_t)(length < most ? length : most),
			     file_pread(file, buffer, length, (int64_t)offset));
			assert_memory_equal(buffer, model + offset, length < most ? length : most);
			break;
		}
		default:
			memset(buffer, rand(), length);
			STEP((int64_t)length, file_pwrite(file, buffer, length, (int64_t)offset));
			memcpy(model + offset, buffer, length);
			if (length > 0 && offset + length > size)
				size = offset + length;
			break;
		}
		assert_int_equal(file->inode->size, size);
	}
	file_put(file);
}

static void pages_are_where_the_content_is(void **state)
{
	(void)state;
	struct inode *inode;
	void *run;
	world_make("/f", "page");
	OK(vfs_truncate(PLACE, NULL, "/f", 10 * ENV_PAGE));
	OK(vfs_lookup(PLACE, NULL, "/f", 0, &inode));
	STEP(1, vfs_file_pages(inode, 0, 10, false, &run));
	assert_memory_equal(run, "page", 5);
	STEP(0, vfs_file_pages(inode, 3, 10, false, &run));
	assert_null(run);
	STEP(1, vfs_file_pages(inode, 3, 1, true, &run));
	memcpy(run, "mapped", 6);
	STEP(-ENXIO, vfs_file_pages(inode, 10, 1, true, &run));
	struct file *file = world_open("/f", O_RDONLY);
	char buffer[6];
	STEP(6, file_pread(file, buffer, 6, 3 * ENV_PAGE));
	assert_memory_equal(buffer, "mapped", 6);
	file_put(file);
	STEP(-ENODEV, vfs_file_pages(world.fs->root, 0, 1, true, &run));
	inode_put(inode);
}

static void lent_pages_outlive_truncation(void **state)
{
	(void)state;
	struct inode *inode;
	void *run;
	world_make("/f", "secret");
	OK(vfs_lookup(PLACE, NULL, "/f", 0, &inode));
	STEP(1, vfs_file_pages(inode, 0, 1, false, &run));
	OK(vfs_truncate(PLACE, NULL, "/f", 0));
	assert_memory_equal(run, "\0\0\0\0\0\0", 6); /* ASan: still there */
	memcpy(run, "junk", 4);
	OK(vfs_truncate(PLACE, NULL, "/f", 2));
	struct file *file = world_open("/f", O_RDONLY);
	char buffer[4] = "xxx";
	STEP(2, world_read(file, buffer, sizeof(buffer)));
	assert_memory_equal(buffer, "\0\0x", 3);
	file_put(file);
	memcpy(run, "..more junk", 11);
	file = world_open("/f", O_RDWR);
	STEP(1, file_pwrite(file, "!", 1, 8));
	char later[12] = "";
	STEP(9, file_pread(file, later, sizeof(later), 0));
	assert_memory_equal(later, "..\0\0\0\0\0\0!", 9);
	/* The same beyond the first run of pages. */
	STEP(1, file_pwrite(file, "a", 1, 100 * ENV_PAGE));
	STEP(1, file_pwrite(file, "b", 1, 101 * ENV_PAGE));
	OK(file_truncate(file, 101 * ENV_PAGE));
	OK(file_truncate(file, 102 * ENV_PAGE));
	STEP(1, file_pread(file, later, 1, 101 * ENV_PAGE));
	assert_int_equal(later[0], 0);
	STEP(1, file_pread(file, later, 1, 100 * ENV_PAGE));
	assert_int_equal(later[0], 'a');
	file_put(file);
	OK(vfs_truncate(PLACE, NULL, "/f", 0));
	assert_int_not_equal(world_stat("/f", 0).st_blocks, 0);
	inode_put(inode); /* the last holder goes, and the pages with it */
	assert_int_equal(world_stat("/f", 0).st_blocks, 0);
}

static void faults_are_told_and_change_little(void **state)
{
	(void)state;
	static uint8_t program[3 * ENV_PAGE];
	uint8_t buffer[ENV_PAGE];
	struct file *file = world_open("/f", O_RDWR | O_CREAT);
	env_host.fault_first = program + ENV_PAGE + 10;
	env_host.fault_size = ENV_PAGE;
	STEP(-EFAULT, world_write(file, program + ENV_PAGE + 10, 5));
	assert_int_equal(world_stat("/f", 0).st_size, 0);
	assert_int_equal(world_stat("/f", 0).st_blocks, 0);
	int64_t written = world_write(file, program, sizeof(program));
	assert_true(written == -EFAULT || (written > 0 && written <= ENV_PAGE + 10));
	world_check();
	OK(file_truncate(file, ENV_PAGE));
	STEP(-EFAULT, file_pread(file, program + ENV_PAGE + 20, 5, 0));
	STEP(5, file_pread(file, buffer, 5, 0));
	file_put(file);
	struct file *directory = world_open("/", O_RDONLY);
	STEP(-EFAULT, file_getdents(directory, program + ENV_PAGE + 10, 512));
	file_put(directory);
}

static void full_file_system_says_so(void **state)
{
	(void)state;
	struct fs *small;
	static uint8_t content[8 * ENV_PAGE];
	OK(ramfs_create(4, &small));
	OK(vfs_mkdir(PLACE, NULL, "/small", 0755));
	OK(vfs_mount(&world.vfs, PLACE, "/small", small));
	struct file *file = world_open("/small/f", O_RDWR | O_CREAT);
	STEP(4 * ENV_PAGE, world_write(file, content, 4 * ENV_PAGE));
	STEP(-ENOSPC, world_write(file, content, 1));
	STEP(ENV_PAGE, file_pwrite(file, content, ENV_PAGE, 0));
	struct statfs statfs;
	OK(vfs_statfs(PLACE, NULL, "/small", &statfs));
	assert_int_equal(statfs.f_blocks, 4);
	assert_int_equal(statfs.f_bfree, 0);
	OK(file_truncate(file, ENV_PAGE));
	STEP(1, file_pwrite(file, content, 1, 3 * ENV_PAGE));
	file_put(file);
}

static void listing_survives_changes(void **state)
{
	(void)state;
	enum { FILES = 300 };
	char name[16];
	uint8_t buffer[200];
	bool seen[FILES] = { false };
	OK(vfs_mkdir(PLACE, NULL, "/d", 0755));
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "/d/f%d", i);
		OK(vfs_mknod(PLACE, NULL, name, S_IFREG | 0644, 0));
	}
	struct file *directory = world_open("/d", O_RDONLY | O_DIRECTORY);
	int64_t size;
	int count = 0, unlisted = 0, last = 0;
	while ((size = file_getdents(directory, buffer, sizeof(buffer))) > 0) {
		for (int64_t at = 0; at < size;) {
			struct linux_dirent64 *record = (struct linux_dirent64 *)(buffer + at);
			int number;
			at += record->d_reclen;
			assert_int_equal((uintptr_t)record % 8, 0);
			count++;
			if (sscanf(record->d_name, "f%d", &number) != 1) {
				assert_int_equal(record->d_type, S_IFDIR >> DIRENT_TYPE_SHIFT);
				continue;
			}
			assert_false(seen[number]);
			assert_int_equal(record->d_type, S_IFREG >> DIRENT_TYPE_SHIFT);
			seen[number] = true;
			last = number;
			snprintf(name, sizeof(name), "/d/f%d", number);
			OK(vfs_unlink(PLACE, NULL, name, 0));
		}
		/* What comes next may go before it was listed. */
		snprintf(name, sizeof(name), "/d/f%d", last + 1);
		unlisted += vfs_unlink(PLACE, NULL, name, 0) == 0;
	}
	assert_int_equal(size, 0);
	assert_true(unlisted > 30);
	assert_int_equal(count + unlisted, FILES + 2);
	STEP(0, file_seek(directory, 0, SEEK_SET));
	STEP(48, file_getdents(directory, buffer, sizeof(buffer)));
	STEP(0, file_seek(directory, 0, SEEK_SET));
	STEP(-EINVAL, file_getdents(directory, buffer, 10));
	STEP(-EISDIR, world_read(directory, buffer, 1));
	file_put(directory);
	OK(vfs_unlink(PLACE, NULL, "/d", AT_REMOVEDIR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_may_have_holes),
		TEST(content_is_what_was_written),
		TEST(pages_are_where_the_content_is),
		TEST(lent_pages_outlive_truncation),
		TEST(faults_are_told_and_change_little),
		TEST(full_file_system_says_so),
		TEST(listing_survives_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
