/* sys_stat.c: what files are like, and changing that. */
#include "lib/posix/errno.h"
#include "lib/posix/fcntl.h"
#include "os/linux/io.h"
#include "os/linux/path.h"
#include "os/linux/syscall.h"
#include "os/linux/time.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum {
	UTIME_NOW = 0x3fffffff, UTIME_OMIT = 0x3ffffffe,
	STATX_BASIC = 0x7ff,
	STAT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | 0x6000,
};

struct statx_time {
	int64_t seconds;
	uint32_t nanoseconds, padding;
};

struct statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, padding;
	uint64_t ino, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare[14];
};
_Static_assert(sizeof(struct statx) == 256, "Linux ABI");

static const struct vfs_place *place(void)
{
	return &current()->place;
}

/* The file that (fd, path) names, or `fd` itself with AT_EMPTY_PATH. */
static int stat_at(uint64_t fd, uint64_t name, uint64_t flags, struct stat *out)
{
	struct path path;
	struct file *file;
	int result;

	if ((flags & ~(uint64_t)STAT_FLAGS) != 0)
		return -EINVAL;
	result = path_read(&path, fd, name);
	if (result != 0)
		return result;
	if ((flags & AT_EMPTY_PATH) != 0 && path.string[0] == '\0' && (int32_t)fd != AT_FDCWD) {
		file = io_file(fd);
		if (file != NULL)
			file_stat(file, out);
		return file != NULL ? 0 : -EBADF;
	}
	result = vfs_stat(place(), path.base, path.string, (uint32_t)flags, out);
	path_free(&path);
	return result;
}

int64_t sys_newfstatat(uint64_t fd, uint64_t name, uint64_t to, uint64_t flags)
{
	struct stat stat;
	int result = stat_at(fd, name, flags, &stat);

	return result != 0 ? result : user_write(to, &stat, sizeof stat);
}

int64_t sys_stat(uint64_t name, uint64_t to)
{
	return sys_newfstatat(PATH_CWD, name, to, 0);
}

int64_t sys_lstat(uint64_t name, uint64_t to)
{
	return sys_newfstatat(PATH_CWD, name, to, AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fstat(uint64_t fd, uint64_t to)
{
	struct file *file = io_file(fd);
	struct stat stat;

	if (file == NULL)
		return -EBADF;
	file_stat(file, &stat);
	return user_write(to, &stat, sizeof stat);
}

static struct statx_time statx_time(int64_t seconds, int64_t nanoseconds)
{
	return (struct statx_time){ seconds, (uint32_t)nanoseconds, 0 };
}

int64_t sys_statx(uint64_t fd, uint64_t name, uint64_t flags, uint64_t mask, uint64_t to)
{
	struct statx x;
	struct stat s;
	int result = stat_at(fd, name, flags, &s);

	(void)mask;
	if (result != 0)
		return result;
	memset(&x, 0, sizeof x);
	x.mask = STATX_BASIC;
	x.blksize = (uint32_t)s.st_blksize;
	x.nlink = (uint32_t)s.st_nlink;
	x.uid = s.st_uid;
	x.gid = s.st_gid;
	x.mode = (uint16_t)s.st_mode;
	x.ino = s.st_ino;
	x.size = (uint64_t)s.st_size;
	x.blocks = (uint64_t)s.st_blocks;
	x.atime = statx_time(s.st_atime_sec, s.st_atime_nsec);
	x.ctime = statx_time(s.st_ctime_sec, s.st_ctime_nsec);
	x.mtime = statx_time(s.st_mtime_sec, s.st_mtime_nsec);
	x.rdev_major = device_major(s.st_rdev);
	x.rdev_minor = device_minor(s.st_rdev);
	x.dev_major = device_major(s.st_dev);
	x.dev_minor = device_minor(s.st_dev);
	return user_write(to, &x, sizeof x);
}

/* A descriptor that is more than a place in the tree (O_PATH), or NULL. */
static struct file *real_file(uint64_t fd)
{
	struct file *file = io_file(fd);

	return file != NULL && (file->flags & O_PATH) == 0 ? file : NULL;
}

static int64_t access_at(uint64_t fd, uint64_t name, uint64_t want, uint64_t flags)
{
	struct path path;
	int64_t result = path_read(&path, fd, name);

	if (result != 0)
		return result;
	result = vfs_access(place(), path.base, path.string, (uint32_t)want, (uint32_t)flags);
	path_free(&path);
	return result;
}

int64_t sys_access(uint64_t name, uint64_t want)
{
	return access_at(PATH_CWD, name, want, 0);
}

int64_t sys_faccessat(uint64_t fd, uint64_t name, uint64_t want)
{
	return access_at(fd, name, want, 0);
}

int64_t sys_faccessat2(uint64_t fd, uint64_t name, uint64_t want, uint64_t flags)
{
	return access_at(fd, name, want, flags);
}

int64_t sys_fchmodat(uint64_t fd, uint64_t name, uint64_t mode)
{
	struct path path;
	int64_t result = path_read(&path, fd, name);

	if (result != 0)
		return result;
	result = vfs_chmod(place(), path.base, path.string, (uint32_t)mode, 0);
	path_free(&path);
	return result;
}

int64_t sys_chmod(uint64_t name, uint64_t mode)
{
	return sys_fchmodat(PATH_CWD, name, mode);
}

int64_t sys_fchmod(uint64_t fd, uint64_t mode)
{
	struct file *file = real_file(fd);

	return file != NULL ? vfs_inode_chmod(file->inode, (uint32_t)mode) : -EBADF;
}

int64_t sys_fchownat(uint64_t fd, uint64_t name, uint64_t uid, uint64_t gid, uint64_t flags)
{
	struct path path;
	int64_t result = path_read(&path, fd, name);

	if (result != 0)
		return result;
	result = vfs_chown(place(), path.base, path.string, (uint32_t)uid, (uint32_t)gid,
	                   (uint32_t)flags);
	path_free(&path);
	return result;
}

int64_t sys_chown(uint64_t name, uint64_t uid, uint64_t gid)
{
	return sys_fchownat(PATH_CWD, name, uid, gid, 0);
}

int64_t sys_lchown(uint64_t name, uint64_t uid, uint64_t gid)
{
	return sys_fchownat(PATH_CWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fchown(uint64_t fd, uint64_t uid, uint64_t gid)
{
	struct file *file = real_file(fd);

	return file != NULL ? vfs_inode_chown(file->inode, (uint32_t)uid, (uint32_t)gid) : -EBADF;
}

/* Times. Both are read before anything changes. */

static int time_of(const struct timespec *t, int64_t *out)
{
	if (t->nanoseconds == UTIME_NOW)
		*out = VFS_TIME_NOW;
	else if (t->nanoseconds == UTIME_OMIT)
		*out = VFS_TIME_OMIT;
	else if (t->nanoseconds < 0 || t->nanoseconds >= NS_PER_S)
		return -EINVAL;
	else
		*out = t->seconds * NS_PER_S + t->nanoseconds;
	return 0;
}

static int64_t set_times(uint64_t fd, uint64_t name, const int64_t times[2], uint32_t flags)
{
	struct path path;
	struct file *file;
	int64_t result;

	if (name == 0) {
		file = io_file(fd);
		return file != NULL ? vfs_inode_utimens(file->inode, times[0], times[1]) : -EBADF;
	}
	result = path_read(&path, fd, name);
	if (result != 0)
		return result;
	result = vfs_utimens(place(), path.base, path.string, times[0], times[1], flags);
	path_free(&path);
	return result;
}

int64_t sys_utimensat(uint64_t fd, uint64_t name, uint64_t from, uint64_t flags)
{
	int64_t times[2] = { VFS_TIME_NOW, VFS_TIME_NOW };
	struct timespec given[2];

	if (from != 0) {
		if (user_read(given, from, sizeof given) != 0)
			return -EFAULT;
		if (time_of(&given[0], &times[0]) != 0 || time_of(&given[1], &times[1]) != 0)
			return -EINVAL;
	}
	return set_times(fd, name, times, (uint32_t)flags);
}

int64_t sys_futimesat(uint64_t fd, uint64_t name, uint64_t from)
{
	int64_t times[2] = { VFS_TIME_NOW, VFS_TIME_NOW };
	struct timeval given[2];

	if (from != 0) {
		if (user_read(given, from, sizeof given) != 0)
			return -EFAULT;
		for (unsigned i = 0; i < 2; i++)
			times[i] = given[i].seconds * NS_PER_S + given[i].microseconds * NS_PER_US;
	}
	return set_times(fd, name, times, 0);
}

int64_t sys_utimes(uint64_t name, uint64_t from)
{
	return sys_futimesat(PATH_CWD, name, from);
}

int64_t sys_utime(uint64_t name, uint64_t from)
{
	int64_t times[2] = { VFS_TIME_NOW, VFS_TIME_NOW };
	int64_t given[2];

	if (from != 0) {
		if (user_read(given, from, sizeof given) != 0)
			return -EFAULT;
		times[0] = given[0] * NS_PER_S;
		times[1] = given[1] * NS_PER_S;
	}
	return set_times(PATH_CWD, name, times, 0);
}

int64_t sys_statfs(uint64_t name, uint64_t to)
{
	struct path path;
	struct statfs statfs;
	int64_t result = path_read(&path, PATH_CWD, name);

	if (result != 0)
		return result;
	result = vfs_statfs(place(), NULL, path.string, &statfs);
	path_free(&path);
	return result != 0 ? result : user_write(to, &statfs, sizeof statfs);
}

int64_t sys_fstatfs(uint64_t fd, uint64_t to)
{
	struct file *file = io_file(fd);
	struct statfs statfs;
	int result = file != NULL ? vfs_inode_statfs(file->inode, &statfs) : -EBADF;

	return result != 0 ? result : user_write(to, &statfs, sizeof statfs);
}
