/* vfs_test.c: what a program relies on when it names, opens, moves and removes
 * files. What Linux itself answers to the same calls is vfs_oracle_test.c's. */
#include "lib/vfs/vfs.h"
#include "lib/pipe/pipe.h"
#include "lib/vfs/fdtable.h"
#include "lib/vfs/world_host.h"

static void paths_are_walked(void **state)
{
	(void)state;
	OK(vfs_mkdir(PLACE, NULL, "/a", 0755));
	OK(vfs_mkdir(PLACE, NULL, "a/b", 0755));
	OK(vfs_mkdir(PLACE, NULL, "/a/b/c/", 0755));
	world_make("/a/b/c/f", "x");
	assert_int_equal(world_stat_error("/a/b/c/f"), 0);
	assert_int_equal(world_stat_error("//a/.//b/../b/c//./f"), 0);
	assert_int_equal(world_stat_error("/../../a/b/c/f"), 0);
	assert_int_equal(world_stat_error("a/b/c/.."), 0);
	assert_int_equal(world_stat_error("/a/b/c/f/"), -ENOTDIR);
	assert_int_equal(world_stat_error("/a/b/c/f/."), -ENOTDIR);
	assert_int_equal(world_stat_error("/a/b/c/f/g"), -ENOTDIR);
	assert_int_equal(world_stat_error("/a/nothing"), -ENOENT);
	assert_int_equal(world_stat_error("/a/nothing/x"), -ENOENT);
	assert_int_equal(world_stat_error(""), -ENOENT);
	assert_int_equal(world_stat("/", 0).st_ino, world_stat("/..", 0).st_ino);
}

static void names_and_paths_have_their_limits(void **state)
{
	(void)state;
	char name[NAME_MAX + 2];
	memset(name, 'n', sizeof(name));
	name[NAME_MAX] = '\0';
	OK(vfs_mkdir(PLACE, NULL, name, 0755));
	assert_int_equal(world_stat_error(name), 0);
	name[NAME_MAX] = 'n';
	name[NAME_MAX + 1] = '\0';
	STEP(-ENAMETOOLONG, vfs_mkdir(PLACE, NULL, name, 0755));
	char path[PATH_MAX + 2];
	memset(path, '/', sizeof(path));
	path[PATH_MAX - 1] = '\0';
	assert_int_equal(world_stat_error(path), 0);
	memset(path, '.', PATH_MAX);
	for (size_t i = 1; i < PATH_MAX; i += 2)
		path[i] = '/';
	path[PATH_MAX] = '\0';
	assert_int_equal(world_stat_error(path), -ENAMETOOLONG);
	path[PATH_MAX - 1] = '\0';
	assert_int_equal(world_stat_error(path), 0);
}

static void links_are_followed(void **state)
{
	(void)state;
	char buffer[16];
	OK(vfs_mkdir(PLACE, NULL, "/d", 0755));
	world_make("/d/f", "content");
	OK(vfs_symlink(PLACE, "f", NULL, "/d/relative"));
	OK(vfs_symlink(PLACE, "/d", NULL, "/absolute"));
	OK(vfs_symlink(PLACE, "absolute/relative", NULL, "/chain"));
	OK(vfs_symlink(PLACE, "nowhere", NULL, "/dangling"));
	world_expect("/chain", "content");
	world_expect("/absolute/../d/relative", "content");
	assert_int_equal(world_stat("/chain", AT_SYMLINK_NOFOLLOW).st_mode, S_IFLNK | 0777);
	assert_int_equal(world_stat("/chain", AT_SYMLINK_NOFOLLOW).st_size, 17);
	assert_true(S_IFDIR == (world_stat("/absolute/", AT_SYMLINK_NOFOLLOW).st_mode & S_IFMT));
	assert_int_equal(world_stat_error("/dangling"), -ENOENT);
	STEP(7, vfs_readlink(PLACE, NULL, "/dangling", buffer, sizeof(buffer)));
	STEP(3, vfs_readlink(PLACE, NULL, "/dangling", buffer, 3));
	STEP(-EINVAL, vfs_readlink(PLACE, NULL, "/d/f", buffer, sizeof(buffer)));
	STEP(-ELOOP, world_open_error("/chain", O_NOFOLLOW));
	STEP(-EEXIST, world_open_error("/dangling", O_CREAT | O_EXCL | O_WRONLY));
	world_make("/dangling", "made");
	world_expect("/nowhere", "made");
	STEP(-ENOENT, vfs_symlink(PLACE, "", NULL, "/empty"));
}

static void loops_end(void **state)
{
	(void)state;
	OK(vfs_symlink(PLACE, "b", NULL, "/a"));
	OK(vfs_symlink(PLACE, "a/", NULL, "/b"));
	OK(vfs_symlink(PLACE, "self/x", NULL, "/self"));
	assert_int_equal(world_stat_error("/a"), -ELOOP);
	assert_int_equal(world_stat_error("/self/y"), -ELOOP);
	char name[16] = "l0", target[16] = "f";
	world_make("/f", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(vfs_symlink(PLACE, target, NULL, name));
		memcpy(target, name, sizeof(target));
	}
	assert_int_equal(world_stat_error("/l40"), 0);
	assert_int_equal(world_stat_error("/l41"), -ELOOP);
}

static void expansion_keeps_what_is_left(void **state)
{
	(void)state;
	OK(vfs_mkdir(PLACE, NULL, "/x", 0755));
	OK(vfs_mkdir(PLACE, NULL, "/x/y", 0755));
	world_make("/x/y/f", "deep");
	OK(vfs_symlink(PLACE, "/one/y", NULL, "/two"));
	OK(vfs_symlink(PLACE, "x", NULL, "/one"));
	OK(vfs_symlink(PLACE, "../two/../../two", NULL, "/x/three"));
	world_expect("/x/three/../../one/three/f", "deep");
	char target[PATH_MAX];
	memset(target, 'a', sizeof(target));
	for (size_t i = 100; i < sizeof(target); i += 101)
		target[i] = '/';
	target[4000] = '\0';
	OK(vfs_symlink(PLACE, target, NULL, "/long"));
	char path[256];
	memset(path, 'z', sizeof(path));
	memcpy(path, "/long/", 6);
	path[200] = '\0';
	assert_int_equal(world_stat_error(path), -ENAMETOOLONG);
}

static void descriptors_are_bases(void **state)
{
	(void)state;
	OK(vfs_mkdir(PLACE, NULL, "/d", 0755));
	world_make("/d/f", "x");
	struct file *directory = world_open("/d", O_DIRECTORY);
	struct file *file = world_open("/d/f", O_RDONLY);
	struct fdtable *table = fdtable_create();
	struct inode *base;
	struct stat stat;
	assert_int_equal(fdtable_insert(table, directory, 0, 0), 0);
	assert_int_equal(fdtable_insert(table, file, 0, 0), 1);
	OK(fdtable_base(table, 0, "f", &base));
	OK(vfs_stat(PLACE, base, "f", 0, &stat));
	OK(vfs_stat(PLACE, base, "../d/f", 0, &stat));
	OK(vfs_stat(PLACE, base, "", AT_EMPTY_PATH, &stat));
	OK(fdtable_base(table, 1, "f", &base));
	STEP(-ENOTDIR, vfs_stat(PLACE, base, "f", 0, &stat));
	OK(vfs_stat(PLACE, base, "", AT_EMPTY_PATH, &stat));
	assert_int_equal(stat.st_mode, S_IFREG | 0644);
	STEP(-EBADF, fdtable_base(table, 7, "f", &base));
	OK(fdtable_base(table, 7, "/f", &base));
	OK(fdtable_base(table, AT_FDCWD, "f", &base));
	assert_null(base);
	fdtable_put(table);
}

static void open_obeys_its_flags(void **state)
{
	(void)state;
	STEP(-ENOENT, world_open_error("/f", O_RDWR));
	OK(world_open_error("/f", O_RDWR | O_CREAT));
	STEP(-EEXIST, world_open_error("/f", O_RDWR | O_CREAT | O_EXCL));
	STEP(-ENOTDIR, world_open_error("/f", O_RDONLY | O_DIRECTORY));
	STEP(-EISDIR, world_open_error("/", O_WRONLY));
	STEP(-EISDIR, world_open_error("/", O_RDONLY | O_CREAT));
	STEP(-EISDIR, world_open_error("/new/", O_RDWR | O_CREAT));
	STEP(-ENOENT, world_open_error("/no/new", O_RDWR | O_CREAT));
	STEP(-EINVAL, world_open_error("/f", O_ACCMODE));
	world_make("/f", "long content");
	OK(world_open_error("/f", O_WRONLY | O_TRUNC));
	assert_int_equal(world_stat("/f", 0).st_size, 0);
	struct file *file = world_open("/f", O_WRONLY | O_APPEND);
	STEP(2, world_write(file, "ab", 2));
	STEP(0, file_seek(file, 0, SEEK_SET));
	STEP(2, world_write(file, "cd", 2));
	STEP(4, file_seek(file, 0, SEEK_CUR));
	STEP(-EBADF, world_read(file, NULL, 1));
	file_put(file);
	world_expect("/f", "abcd");
	file = world_open("/f", O_RDONLY);
	STEP(-EBADF, world_write(file, "x", 1));
	STEP(-EINVAL, file_truncate(file, 0));
	file_put(file);
	file = world_open("/f", O_PATH);
	STEP(-EBADF, world_read(file, NULL, 1));
	file_put(file);
}

static void umask_applies(void **state)
{
	(void)state;
	world.place.umask = 027;
	OK(vfs_mkdir(PLACE, NULL, "/d", 0777));
	OK(vfs_mknod(PLACE, NULL, "/f", S_IFREG | 0666, 0));
	assert_int_equal(world_stat("/d", 0).st_mode, S_IFDIR | 0750);
	assert_int_equal(world_stat("/f", 0).st_mode, S_IFREG | 0640);
}

static void running_program_is_not_written(void **state)
{
	(void)state;
	struct inode *inode;
	world_make("/program", "elf");
	OK(vfs_lookup(PLACE, NULL, "/program", 0, &inode));
	inode->busy++;
	STEP(-ETXTBSY, world_open_error("/program", O_RDWR));
	STEP(-ETXTBSY, world_open_error("/program", O_RDONLY | O_TRUNC));
	STEP(-ETXTBSY, vfs_truncate(PLACE, NULL, "/program", 0));
	OK(world_open_error("/program", O_RDONLY));
	inode->busy--;
	inode_put(inode);
}

static void directories_count_their_links(void **state)
{
	(void)state;
	OK(vfs_mkdir(PLACE, NULL, "/d", 0755));
	OK(vfs_mkdir(PLACE, NULL, "/d/e", 0755));
	assert_int_equal(world_stat("/", 0).st_nlink, 3);
	assert_int_equal(world_stat("/d", 0).st_nlink, 3);
	STEP(-ENOTEMPTY, vfs_unlink(PLACE, NULL, "/d", AT_REMOVEDIR));
	STEP(-EISDIR, vfs_unlink(PLACE, NULL, "/d", 0));
	STEP(-EINVAL, vfs_unlink(PLACE, NULL, "/d/e/.", AT_REMOVEDIR));
	STEP(-ENOTEMPTY, vfs_unlink(PLACE, NULL, "/d/e/..", AT_REMOVEDIR));
	STEP(-EBUSY, vfs_unlink(PLACE, NULL, "/", AT_REMOVEDIR));
	OK(vfs_unlink(PLACE, NULL, "/d/e/", AT_REMOVEDIR));
	OK(vfs_unlink(PLACE, NULL, "/d", AT_REMOVEDIR));
	assert_int_equal(world_stat("/", 0).st_nlink, 2);
	world_make("/f", "x");
	STEP(-ENOTDIR, vfs_unlink(PLACE, NULL, "/f", AT_REMOVEDIR));
	STEP(-ENOTDIR, vfs_unlink(PLACE, NULL, "/f/", 0));
	STEP(-EEXIST, vfs_mkdir(PLACE, NULL, "/f", 0755));
	STEP(-EEXIST, vfs_mkdir(PLACE, NULL, "/", 0755));
}

static void unlinked_file_lives_while_open(void **state)
{
	(void)state;
	char buffer[8];
	world_make("/f", "alive");
	struct file *file = world_open("/f", O_RDWR);
	OK(vfs_unlink(PLACE, NULL, "/f", 0));
	assert_int_equal(world_stat_error("/f"), -ENOENT);
	STEP(5, world_read(file, buffer, sizeof(buffer)));
	STEP(4, world_write(file, "more", 4));
	struct stat stat;
	file_stat(file, &stat);
	assert_int_equal(stat.st_nlink, 0);
	assert_int_equal(stat.st_size, 9);
	world_make("/f", "new");
	STEP(-ENOENT, vfs_link(PLACE, file->inode, "", NULL, "/again", AT_EMPTY_PATH));
	file_put(file);
	world_expect("/f", "new");
}

static void removed_directory_stays_usable_by_its_holders(void **state)
{
	(void)state;
	char buffer[64];
	OK(vfs_mkdir(PLACE, NULL, "/d", 0755));
	OK(vfs_chdir(PLACE, NULL, "/d"));
	OK(vfs_unlink(PLACE, NULL, "/d", AT_REMOVEDIR));
	STEP(-ENOENT, vfs_getcwd(PLACE, buffer, sizeof(buffer)));
	STEP(-ENOENT, vfs_mkdir(PLACE, NULL, "x", 0755));
	STEP(-ENOENT, world_open_error("f", O_CREAT | O_RDWR));
	assert_int_equal(world_stat_error("."), 0);
	OK(vfs_chdir(PLACE, NULL, "/"));
}

static void hard_links_share_the_file(void **state)
{
	(void)state;
	world_make("/a", "one");
	OK(vfs_link(PLACE, NULL, "/a", NULL, "/b", 0));
	assert_int_equal(world_stat("/a", 0).st_nlink, 2);
	STEP(-EEXIST, vfs_link(PLACE, NULL, "/a", NULL, "/b", 0));
	world_make("/b", "two");
	world_expect("/a", "two");
	OK(vfs_rename(PLACE, NULL, "/a", NULL, "/b", 0)); /* one file: nothing happens */
	assert_int_equal(world_stat_error("/a"), 0);
	OK(vfs_unlink(PLACE, NULL, "/a", 0));
	world_expect("/b", "two");
	STEP(-EPERM, vfs_link(PLACE, NULL, "/", NULL, "/c", 0));
	STEP(-ENOENT, vfs_link(PLACE, NULL, "/b", NULL, "/c/", 0));
}

static void rename_moves_and_replaces(void **state)
{
	(void)state;
	char buffer[64];
	OK(vfs_mkdir(PLACE, NULL, "/d", 0755));
	OK(vfs_mkdir(PLACE, NULL, "/e", 0755));
	OK(vfs_mkdir(PLACE, NULL, "/d/sub", 0755));
	world_make("/f", "f");
	world_make("/d/g", "g");
	STEP(-EEXIST, vfs_rename(PLACE, NULL, "/f", NULL, "/d/g", RENAME_NOREPLACE));
	OK(vfs_rename(PLACE, NULL, "/f", NULL, "/d/g", 0));
	world_expect("/d/g", "f");
	assert_int_equal(world_stat_error("/f"), -ENOENT);
	STEP(-EINVAL, vfs_rename(PLACE, NULL, "/d", NULL, "/d/sub/d", 0));
	STEP(-EINVAL, vfs_rename(PLACE, NULL, "/d", NULL, "/d/new", 0));
	STEP(-ENOTEMPTY, vfs_rename(PLACE, NULL, "/e", NULL, "/d", 0));
	STEP(-ENOTEMPTY, vfs_rename(PLACE, NULL, "/d/sub", NULL, "/d", 0));
	STEP(-EISDIR, vfs_rename(PLACE, NULL, "/d/g", NULL, "/e", 0));
	STEP(-ENOTDIR, vfs_rename(PLACE, NULL, "/e", NULL, "/d/g", 0));
	STEP(-EBUSY, vfs_rename(PLACE, NULL, "/e/.", NULL, "/x", 0));
	STEP(-ENOTDIR, vfs_rename(PLACE, NULL, "/d/g", NULL, "/x/", 0));
	OK(vfs_chdir(PLACE, NULL, "/d/sub"));
	OK(vfs_rename(PLACE, NULL, "/d", NULL, "/e/", 0));
	STEP(7, vfs_getcwd(PLACE, buffer, sizeof(buffer)));
	assert_string_equal(buffer, "/e/sub");
	assert_int_equal(world_stat("..", 0).st_ino, world_stat("/e", 0).st_ino);
	OK(vfs_rename(PLACE, NULL, "/e/g", NULL, "/e/g2", 0));
	OK(vfs_chdir(PLACE, NULL, "/"));
}

static void attributes_are_kept(void **state)
{
	(void)state;
	world_make("/f", "x");
	OK(vfs_symlink(PLACE, "f", NULL, "/l"));
	OK(vfs_chmod(PLACE, NULL, "/l", 04755, 0));
	assert_int_equal(world_stat("/f", 0).st_mode, S_IFREG | 04755);
	OK(vfs_chown(PLACE, NULL, "/f", 5, VFS_LEAVE, 0));
	OK(vfs_chown(PLACE, NULL, "/l", VFS_LEAVE, 6, AT_SYMLINK_NOFOLLOW));
	assert_int_equal(world_stat("/f", 0).st_uid, 5);
	assert_int_equal(world_stat("/f", 0).st_gid, 0);
	assert_int_equal(world_stat("/f", 0).st_mode, S_IFREG | 0755);
	assert_int_equal(world_stat("/l", AT_SYMLINK_NOFOLLOW).st_gid, 6);
	OK(vfs_utimens(PLACE, NULL, "/f", -1500000000, VFS_TIME_OMIT, 0));
	assert_int_equal(world_stat("/f", 0).st_atime_sec, -2);
	assert_int_equal(world_stat("/f", 0).st_atime_nsec, 500000000);
	OK(vfs_access(PLACE, NULL, "/f", R_OK | W_OK | X_OK, 0));
	OK(vfs_chmod(PLACE, NULL, "/f", 0, 0));
	STEP(-EACCES, vfs_access(PLACE, NULL, "/f", X_OK, 0));
	OK(vfs_access(PLACE, NULL, "/f", R_OK | W_OK, 0));
	STEP(-EINVAL, vfs_access(PLACE, NULL, "/f", 8, 0));
	OK(vfs_access(PLACE, NULL, "/", X_OK, 0));
}

static void mounts_are_crossed_both_ways(void **state)
{
	(void)state;
	struct fs *second, *third;
	char buffer[64];
	OK(vfs_mkdir(PLACE, NULL, "/m", 0755));
	world_make("/m/hidden", "x");
	OK(ramfs_create(0, &second));
	OK(ramfs_create(0, &third));
	OK(vfs_mount(&world.vfs, PLACE, "/m", second));
	STEP(-EBUSY, vfs_mount(&world.vfs, PLACE, "/m", third));
	STEP(-EBUSY, vfs_mount(&world.vfs, PLACE, "/", third));
	assert_int_equal(world_stat_error("/m/hidden"), -ENOENT);
	OK(vfs_mkdir(PLACE, NULL, "/m/d", 0755));
	OK(vfs_mount(&world.vfs, PLACE, "/m/d", third));
	OK(vfs_mkdir(PLACE, NULL, "/m/d/e", 0755));
	assert_int_not_equal(world_stat("/m", 0).st_dev, world_stat("/", 0).st_dev);
	assert_int_equal(world_stat("/m/d/e/../../..", 0).st_dev, world_stat("/", 0).st_dev);
	OK(vfs_chdir(PLACE, NULL, "/m/d/e"));
	STEP(7, vfs_getcwd(PLACE, buffer, sizeof(buffer)));
	assert_string_equal(buffer, "/m/d/e");
	STEP(-ERANGE, vfs_getcwd(PLACE, buffer, 6));
	STEP(-EXDEV, vfs_rename(PLACE, NULL, "/m/d/e", NULL, "/e", 0));
	STEP(-EBUSY, vfs_unlink(PLACE, NULL, "/m/d", AT_REMOVEDIR));
	STEP(-EBUSY, vfs_rename(PLACE, NULL, "/m/d", NULL, "/m/x", 0));
	STEP(-EBUSY, vfs_unmount(&world.vfs, PLACE, "/m/d"));
	OK(vfs_chdir(PLACE, NULL, "/m/d"));
	STEP(-EBUSY, vfs_unmount(&world.vfs, PLACE, "/m/d"));
	OK(vfs_chdir(PLACE, NULL, "/"));
	STEP(-EBUSY, vfs_unmount(&world.vfs, PLACE, "/m"));
	STEP(-EINVAL, vfs_unmount(&world.vfs, PLACE, "/m/d/e"));
	struct vfs_place jail;
	struct stat stat;
	vfs_place_copy(&jail, PLACE);
	OK(vfs_chroot(&jail, "/m/d"));
	OK(vfs_stat(&jail, NULL, "/../..", 0, &stat));
	assert_int_equal(stat.st_dev, world_stat("/m/d", 0).st_dev);
	vfs_place_drop(&jail);
	OK(vfs_unmount(&world.vfs, PLACE, "/m/d"));
	OK(vfs_unmount(&world.vfs, PLACE, "/m"));
	world_expect("/m/hidden", "x");
}

static void chroot_confines(void **state)
{
	(void)state;
	char buffer[64];
	OK(vfs_mkdir(PLACE, NULL, "/jail", 0755));
	OK(vfs_mkdir(PLACE, NULL, "/jail/d", 0755));
	OK(vfs_symlink(PLACE, "/outside", NULL, "/jail/link"));
	world_make("/outside", "x");
	OK(vfs_chdir(PLACE, NULL, "/jail/d"));
	OK(vfs_chroot(PLACE, "/jail"));
	assert_int_equal(world_stat_error("/../../outside"), -ENOENT);
	assert_int_equal(world_stat_error("/link"), -ENOENT);
	STEP(3, vfs_getcwd(PLACE, buffer, sizeof(buffer)));
	assert_string_equal(buffer, "/d");
	OK(vfs_chroot(PLACE, "/d"));
	STEP(2, vfs_getcwd(PLACE, buffer, sizeof(buffer)));
	assert_string_equal(buffer, "/");
}

/* -- everything under failing allocations -- */

/* Calls may fail with -ENOMEM; nothing else may. True: it did not fail. */
static bool succeeds(int64_t result)
{
	world_check();
	if (result < 0)
		assert_int_equal(result, -ENOMEM);
	return result >= 0;
}

static void use_file(struct file *file)
{
	static uint8_t content[70 * ENV_PAGE];
	struct wait wait = { 0 };
	int64_t written = file_write(file, content, sizeof(content), &wait);
	succeeds(written);
	assert_int_equal(file->inode->size, written > 0 ? (uint64_t)written : 0);
	succeeds(file_pwrite(file, "x", 1, (int64_t)1 << 33));
	succeeds(vfs_link(PLACE, NULL, "/d/f", NULL, "/g", 0));
	succeeds(vfs_rename(PLACE, NULL, "/d/f", NULL, "/d/h", 0));
}

static void use_descriptors(struct file *file)
{
	struct fdtable *table = fdtable_create();
	if (table == NULL)
		return;
	fdtable_insert(table, file_get(file), 0, 0);
	succeeds(fdtable_dup2(table, 0, 30));
	struct fdtable *clone = fdtable_clone(table);
	if (clone != NULL)
		fdtable_put(clone);
	fdtable_put(table);
}

static void use_mount(void)
{
	struct fs *fs;
	struct file *file;
	if (!succeeds(ramfs_create(0, &fs)))
		return;
	if (!succeeds(vfs_mount(&world.vfs, PLACE, "/d", fs))) {
		fs->destroy(fs);
		return;
	}
	if (succeeds(vfs_mknod(PLACE, NULL, "/d/fifo", S_IFIFO | 0644, 0)) &&
	    succeeds(vfs_open(PLACE, NULL, "/d/fifo", O_RDWR, 0, &file)))
		file_put(file);
}

static void use_pipe(void)
{
	static uint8_t content[10000];
	struct file *read_end, *write_end;
	struct wait wait = { 0 };
	if (!succeeds(pipe_open(&world.vfs, 0, &read_end, &write_end)))
		return;
	succeeds(file_write(write_end, content, sizeof(content), &wait));
	file_put(read_end);
	file_put(write_end);
}

/* One life of a small system. */
static void scenario(void)
{
	struct file *file;
	if (!succeeds(vfs_mkdir(PLACE, NULL, "/d", 0755)))
		return;
	if (succeeds(vfs_symlink(PLACE, "d/f", NULL, "/l")) &&
	    succeeds(vfs_open(PLACE, NULL, "/l", O_CREAT | O_RDWR, 0644, &file))) {
		use_file(file);
		use_descriptors(file);
		file_put(file);
	}
	use_mount();
	use_pipe();
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	uint64_t n = 1;
	for (;; n++) {
		world_begin();
		uint64_t before = env_host.asked;
		env_host.fail_at = before + n;
		scenario();
		bool done = env_host.asked < env_host.fail_at;
		world_end();
		if (done)
			break;
	}
	assert_true(n > 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paths_are_walked),
		TEST(names_and_paths_have_their_limits),
		TEST(links_are_followed),
		TEST(loops_end),
		TEST(expansion_keeps_what_is_left),
		TEST(descriptors_are_bases),
		TEST(open_obeys_its_flags),
		TEST(umask_applies),
		TEST(running_program_is_not_written),
		TEST(directories_count_their_links),
		TEST(unlinked_file_lives_while_open),
		TEST(removed_directory_stays_usable_by_its_holders),
		TEST(hard_links_share_the_file),
		TEST(rename_moves_and_replaces),
		TEST(attributes_are_kept),
		TEST(mounts_are_crossed_both_ways),
		TEST(chroot_confines),
		cmocka_unit_test(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
