/* vfs_oracle_test.c: the same random calls to our VFS and to the host's Linux
 * must have the same results: errno by errno, byte by byte.
 *
 * Runs in a child that has chrooted into an empty directory of a tmpfs, so
 * absolute links and `..` mean the same on both sides; skipped where that is
 * not allowed. A failure prints the seed and the call. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* chroot, mkdtemp, syscall */
#endif
#include "lib/posix/env_host.h"
#include "lib/posix/errno.h"
#include "lib/vfs/fdtable.h"
#include "lib/vfs/ramfs.h"

/* The host's own constants come after ours and have the same values. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CALLS = 15000, SEEDS = 4, HELD = 6, BUFFER = 20000, SKIPPED = 77 };

#undef errno
extern int *__errno_location(void);

static struct vfs vfs;
static struct vfs_place place;
static struct file *ours[HELD]; /* open on both sides, in pairs */
static int theirs[HELD];
static char description[512];
static unsigned seed, seeds = SEEDS;
static int call_number;

static int64_t host(int64_t result)
{
	return result < 0 ? -*__errno_location() : result;
}

static void compare(int64_t our_result, int64_t their_result)
{
	ramfs_check(vfs.root);
	if (our_result == their_result)
		return;
	fprintf(stderr, "seed %u call %d: %s: ours %lld, Linux %lld\n", seed, call_number, description,
	        (long long)our_result, (long long)their_result);
	_exit(1);
}

static unsigned pick(unsigned limit)
{
	return (unsigned)rand() % limit;
}

static const char *random_path(char *path)
{
	static const char *const parts[] = { "a", "b", "c", "d", "l", "m", ".", "..", "a", "b" };
	unsigned count = 1 + pick(4);
	path[0] = '\0';
	if (pick(3) == 0)
		strcat(path, "/");
	for (unsigned i = 0; i < count; i++) {
		strcat(path, parts[pick(10)]);
		if (i + 1 < count || pick(12) == 0)
			strcat(path, pick(8) ? "/" : "//");
	}
	if (pick(200) == 0)
		path[0] = '\0';
	return path;
}

/* A base to start from: AT_FDCWD, or one of the pairs. */
struct base {
	struct inode *inode;
	int fd;
};

static struct base random_base(void)
{
	unsigned i = pick(HELD * 3);
	if (i < HELD && ours[i] != NULL)
		return (struct base){ ours[i]->inode, theirs[i] };
	return (struct base){ NULL, AT_FDCWD };
}

static void close_pair(unsigned i)
{
	if (ours[i] == NULL)
		return;
	file_put(ours[i]);
	close(theirs[i]);
	ours[i] = NULL;
}

/* `..` of a removed directory is where we differ by design: let go of those. */
static void forget_removed(void)
{
	char buffer[PATH_MAX];
	for (unsigned i = 0; i < HELD; i++)
		if (ours[i] != NULL && (ours[i]->inode->mode & S_IFMT) == S_IFDIR &&
		    ours[i]->inode->links == 0)
			close_pair(i);
	int64_t our_length = vfs_getcwd(&place, buffer, sizeof(buffer));
	char host_buffer[PATH_MAX];
	int64_t their_length = host(syscall(SYS_getcwd, host_buffer, sizeof(host_buffer)));
	snprintf(description, sizeof(description), "getcwd");
	compare(our_length, their_length);
	if (our_length < 0) {
		assert_int_equal(vfs_chdir(&place, NULL, "/"), 0);
		assert_int_equal(syscall(SYS_chdir, "/"), 0);
	} else {
		compare(strcmp(buffer, host_buffer), 0);
	}
}

/* -- calls that name -- */

static void call_open(struct base base, const char *path)
{
	static const uint32_t extra[] = { 0, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_CREAT | O_TRUNC,
	                                  O_NOFOLLOW, O_DIRECTORY, O_APPEND, O_CREAT | O_NOFOLLOW,
	                                  O_PATH, O_PATH | O_NOFOLLOW, O_DIRECTORY | O_NOFOLLOW };
	uint32_t flags = pick(3) | extra[pick(12)] | O_NONBLOCK | O_LARGEFILE;
	unsigned slot = pick(HELD);
	struct file *file = NULL;
	snprintf(description, sizeof(description), "open %s %o", path, flags);
	int64_t our_result = vfs_open(&place, base.inode, path, flags, 0666, &file);
	int64_t fd = host(syscall(SYS_openat, base.fd, path, flags, 0666));
	compare(our_result, fd < 0 ? fd : 0);
	if (our_result != 0)
		return;
	close_pair(slot);
	ours[slot] = file;
	theirs[slot] = (int)fd;
}

static void call_stat(struct base base, const char *path)
{
	struct stat a, b;
	uint32_t flags = pick(2) ? AT_SYMLINK_NOFOLLOW : 0;
	if (pick(4) == 0)
		flags |= AT_EMPTY_PATH;
	snprintf(description, sizeof(description), "stat %s %x", path, flags);
	int64_t our_result = vfs_stat(&place, base.inode, path, flags, &a);
	compare(our_result, host(syscall(SYS_newfstatat, base.fd, path, &b, flags)));
	if (our_result != 0)
		return;
	compare(a.st_mode, b.st_mode);
	compare((int64_t)a.st_nlink, (int64_t)b.st_nlink);
	if ((a.st_mode & S_IFMT) != S_IFDIR)
		compare(a.st_size, b.st_size);
}

static void call_readlink(struct base base, const char *path)
{
	char a[64], b[64];
	snprintf(description, sizeof(description), "readlink %s", path);
	int64_t length = vfs_readlink(&place, base.inode, path, a, sizeof(a));
	compare(length, host(syscall(SYS_readlinkat, base.fd, path, b, sizeof(b))));
	if (length > 0)
		compare(memcmp(a, b, (size_t)length), 0);
}

static void call_two_paths(struct base base, const char *path)
{
	char second[64];
	struct base other = random_base();
	uint32_t flags;
	random_path(second);
	switch (pick(3)) {
	case 0:
		flags = pick(4) == 0 ? RENAME_NOREPLACE : 0;
		snprintf(description, sizeof(description), "rename %s %s %x", path, second, flags);
		compare(vfs_rename(&place, base.inode, path, other.inode, second, flags),
		        host(syscall(SYS_renameat2, base.fd, path, other.fd, second, flags)));
		break;
	case 1:
		flags = pick(2) ? AT_SYMLINK_FOLLOW : 0;
		snprintf(description, sizeof(description), "link %s %s %x", path, second, flags);
		compare(vfs_link(&place, base.inode, path, other.inode, second, flags),
		        host(syscall(SYS_linkat, base.fd, path, other.fd, second, flags)));
		break;
	default:
		snprintf(description, sizeof(description), "symlink %s %s", second, path);
		compare(vfs_symlink(&place, second, base.inode, path),
		        host(syscall(SYS_symlinkat, second, base.fd, path)));
		break;
	}
}

static void call_attribute(struct base base, const char *path)
{
	uint32_t value = pick(01000);
	switch (pick(4)) {
	case 0:
		snprintf(description, sizeof(description), "chmod %s %o", path, value);
		compare(vfs_chmod(&place, base.inode, path, value, 0),
		        host(syscall(SYS_fchmodat, base.fd, path, value)));
		break;
	case 1:
		value &= 7;
		snprintf(description, sizeof(description), "access %s %o", path, value);
		compare(vfs_access(&place, base.inode, path, value, 0),
		        host(syscall(SYS_faccessat, base.fd, path, value)));
		break;
	case 2: {
		int64_t size = pick(3) ? (int64_t)pick(30000) : -1;
		snprintf(description, sizeof(description), "truncate %s %lld", path, (long long)size);
		compare(vfs_truncate(&place, NULL, path, size), host(syscall(SYS_truncate, path, size)));
		break;
	}
	default:
		snprintf(description, sizeof(description), "chdir %s", path);
		compare(vfs_chdir(&place, NULL, path), host(syscall(SYS_chdir, path)));
		break;
	}
}

static void call_path(void)
{
	char path[64];
	struct base base = random_base();
	random_path(path);
	switch (pick(10)) {
	case 0:
		snprintf(description, sizeof(description), "mkdir %s", path);
		compare(vfs_mkdir(&place, base.inode, path, 0777),
		        host(syscall(SYS_mkdirat, base.fd, path, 0777)));
		break;
	case 1: {
		uint32_t flags = pick(2) ? AT_REMOVEDIR : 0;
		snprintf(description, sizeof(description), "unlink %s %x", path, flags);
		compare(vfs_unlink(&place, base.inode, path, flags),
		        host(syscall(SYS_unlinkat, base.fd, path, flags)));
		break;
	}
	case 2:
		call_stat(base, path);
		break;
	case 3:
		call_readlink(base, path);
		break;
	case 4:
	case 5:
		call_two_paths(base, path);
		break;
	case 6:
		call_attribute(base, path);
		break;
	case 7: {
		uint32_t mode = pick(3) ? S_IFREG | 0644 : S_IFIFO | 0600;
		snprintf(description, sizeof(description), "mknod %s %o", path, mode);
		compare(vfs_mknod(&place, base.inode, path, mode, 0),
		        host(syscall(SYS_mknodat, base.fd, path, mode, 0)));
		break;
	}
	default:
		call_open(base, path);
		break;
	}
}

/* -- calls on open files -- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The records' names, each with its type in front, in order. */
static unsigned sort_names(uint8_t *records, int64_t size, char **names)
{
	unsigned count = 0;
	for (int64_t at = 0; at < size;) {
		struct linux_dirent64 *record = (struct linux_dirent64 *)(records + at);
		at += record->d_reclen;
		(&record->d_type)[0] = (uint8_t)(record->d_type + 1);
		names[count++] = (char *)&record->d_type;
	}
	qsort(names, count, sizeof(*names), compare_names);
	return count;
}

static void call_getdents(struct file *file, int fd)
{
	static uint8_t a[BUFFER], b[BUFFER];
	char *our_names[256], *their_names[256];
	snprintf(description, sizeof(description), "getdents");
	int64_t our_seek = file_seek(file, 0, SEEK_SET);
	compare(our_seek, host(syscall(SYS_lseek, fd, 0, SEEK_SET)));
	int64_t our_size = file_getdents(file, a, sizeof(a));
	int64_t their_size = host(syscall(SYS_getdents64, fd, b, sizeof(b)));
	compare(our_size, their_size);
	if (our_size <= 0)
		return;
	unsigned count = sort_names(a, our_size, our_names);
	compare(count, sort_names(b, their_size, their_names));
	for (unsigned i = 0; i < count; i++)
		compare(strcmp(our_names[i], their_names[i]), 0);
}

static bool is_regular(const struct file *file)
{
	return (file->inode->mode & S_IFMT) == S_IFREG;
}

static void call_transfer(struct file *file, int fd)
{
	static uint8_t a[BUFFER], b[BUFFER];
	struct wait wait = { 0 };
	size_t size = pick(pick(2) ? 100 : 9000);
	int64_t offset = (int64_t)pick(20000);
	int64_t result;
	switch (pick(4)) {
	case 0:
		snprintf(description, sizeof(description), "read %zu", size);
		result = file_read(file, a, size, &wait);
		compare(result, host(syscall(SYS_read, fd, b, size)));
		break;
	case 1:
		snprintf(description, sizeof(description), "pread %zu %lld", size, (long long)offset);
		result = file_pread(file, a, size, offset);
		compare(result, host(syscall(SYS_pread64, fd, b, size, offset)));
		break;
	case 2:
		memset(a, rand(), size);
		snprintf(description, sizeof(description), "write %zu", size);
		compare(file_write(file, a, size, &wait), host(syscall(SYS_write, fd, a, size)));
		return;
	default:
		memset(a, rand(), size);
		snprintf(description, sizeof(description), "pwrite %zu %lld", size, (long long)offset);
		compare(file_pwrite(file, a, size, offset),
		        host(syscall(SYS_pwrite64, fd, a, size, offset)));
		return;
	}
	if (result > 0)
		compare(memcmp(a, b, (size_t)result), 0);
}

static void call_fstat(struct file *file, int fd)
{
	struct stat a, b;
	snprintf(description, sizeof(description), "fstat");
	file_stat(file, &a);
	compare(0, host(syscall(SYS_fstat, fd, &b)));
	compare(a.st_mode, b.st_mode);
	compare((int64_t)a.st_nlink, (int64_t)b.st_nlink);
	if (is_regular(file)) {
		compare(a.st_size, b.st_size);
		compare(a.st_blocks, b.st_blocks);
	}
}

static void call_file(void)
{
	unsigned i = pick(HELD);
	struct file *file = ours[i];
	int fd = theirs[i];
	if (file == NULL)
		return;
	switch (pick(8)) {
	case 0:
		call_fstat(file, fd);
		break;
	case 1: {
		int64_t size = (int64_t)pick(30000) - 5;
		snprintf(description, sizeof(description), "ftruncate %lld", (long long)size);
		if (size < 0 && (file->flags & O_PATH))
			break;
		compare(file_truncate(file, size), host(syscall(SYS_ftruncate, fd, size)));
		break;
	}
	case 2: {
		int64_t offset = (int64_t)pick(20000) - 3000;
		int whence = (int)pick(3);
		if ((file->inode->mode & S_IFMT) == S_IFDIR)
			break; /* offsets in directories are each file system's own */
		snprintf(description, sizeof(description), "lseek %lld %d", (long long)offset, whence);
		compare(file_seek(file, offset, whence), host(syscall(SYS_lseek, fd, offset, whence)));
		break;
	}
	case 3:
		call_getdents(file, fd);
		break;
	case 4:
		if (pick(3) == 0)
			close_pair(i);
		break;
	default:
		call_transfer(file, fd);
		break;
	}
}

static int run(void)
{
	struct fs *fs;
	if (ramfs_create(0, &fs) != 0)
		return 1;
	vfs_init(&vfs, fs);
	vfs_place_init(&vfs, &place);
	srand(seed);
	for (call_number = 0; call_number < CALLS; call_number++) {
		if (pick(3) > 0)
			call_path();
		else
			call_file();
		forget_removed();
	}
	for (unsigned i = 0; i < HELD; i++)
		close_pair(i);
	vfs_place_drop(&place);
	vfs_destroy(&vfs);
	return env_host.allocations != 0 || env_host.pages != 0;
}

static int in_child(const char *directory)
{
	if (chroot(directory) != 0 || syscall(SYS_chdir, "/") != 0)
		_exit(SKIPPED);
	signal(SIGPIPE, SIG_IGN);
	syscall(SYS_umask, 022);
	syscall(SYS_fchmodat, AT_FDCWD, "/", 0755);
	_exit(run());
}

static void same_as_linux(void **state)
{
	(void)state;
	for (seed = 1; seed <= seeds; seed++) {
		char directory[] = "/dev/shm/vfs_oracle_XXXXXX";
		char command[64];
		int status;
		if (mkdtemp(directory) == NULL)
			skip();
		fflush(NULL);
		pid_t child = fork();
		if (child == 0)
			in_child(directory);
		waitpid(child, &status, 0);
		snprintf(command, sizeof(command), "rm -rf %s", directory);
		assert_int_equal(system(command), 0);
		if (status == SKIPPED << 8)
			skip();
		assert_int_equal(status, 0);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seeds = (unsigned)atoi(argv[1]);
	const struct CMUnitTest tests[] = { cmocka_unit_test(same_as_linux) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
