/* sys_fs.c: calls that name files by path: open and what changes directories.
 * Each reads its paths, calls the VFS and gives the paths back. */
#include "lib/posix/errno.h"
#include "lib/posix/fcntl.h"
#include "os/linux/io.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/path.h"
#include "os/linux/start.h"
#include "os/linux/syscall.h"
#include "os/linux/user.h"

enum { FADVISE_LAST = 5 };

static const struct vfs_place *place(void)
{
	return &current()->place;
}

/* Opening may take a while (FIFOs). */
static int64_t wait_opened(struct file *file)
{
	struct wait wait = { 0 };
	int64_t result;

	do
		result = file_opened(file, &wait);
	while (io_wait(&wait, &result));
	return result;
}

int64_t sys_openat(uint64_t fd, uint64_t address, uint64_t flags, uint64_t mode)
{
	struct path path;
	struct file *file;
	int64_t result = path_read(&path, fd, address);
	int free; /* found before a file is made, or cut */

	if (result != 0)
		return result;
	flags |= (flags & O_PATH) == 0 ? O_LARGEFILE : 0; /* as every 64-bit program has it */
	result = free = fdtable_find_free(current()->files, 0);
	if (free >= 0)
		result = vfs_open(place(), path.base, path.string, (uint32_t)flags, (uint32_t)mode, &file);
	path_free(&path);
	if (result != 0)
		return result;
	result = wait_opened(file);
	if (result != 0) {
		file_put(file);
		return result;
	}
	fdtable_set(current()->files, (uint32_t)free, file, (uint32_t)flags);
	return free;
}

int64_t sys_open(uint64_t path, uint64_t flags, uint64_t mode)
{
	return sys_openat(PATH_CWD, path, flags, mode);
}

int64_t sys_creat(uint64_t path, uint64_t mode)
{
	return sys_openat(PATH_CWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* A call of one path: reads it, evaluates `expression`, frees it. */
#define WITH_PATH(fd, address, expression)            \
	do {                                              \
		struct path path;                             \
		int64_t result = path_read(&path, fd, address); \
		if (result != 0)                              \
			return result;                            \
		result = (expression);                        \
		path_free(&path);                             \
		return result;                                \
	} while (0)

int64_t sys_mkdirat(uint64_t fd, uint64_t name, uint64_t mode)
{
	WITH_PATH(fd, name, vfs_mkdir(place(), path.base, path.string, (uint32_t)mode));
}

int64_t sys_mkdir(uint64_t name, uint64_t mode)
{
	return sys_mkdirat(PATH_CWD, name, mode);
}

int64_t sys_mknodat(uint64_t fd, uint64_t name, uint64_t mode, uint64_t device)
{
	WITH_PATH(fd, name, vfs_mknod(place(), path.base, path.string, (uint32_t)mode, device));
}

int64_t sys_mknod(uint64_t name, uint64_t mode, uint64_t device)
{
	return sys_mknodat(PATH_CWD, name, mode, device);
}

int64_t sys_unlinkat(uint64_t fd, uint64_t name, uint64_t flags)
{
	if ((flags & ~(uint64_t)AT_REMOVEDIR) != 0)
		return -EINVAL;
	WITH_PATH(fd, name, vfs_unlink(place(), path.base, path.string, (uint32_t)flags));
}

int64_t sys_unlink(uint64_t name)
{
	return sys_unlinkat(PATH_CWD, name, 0);
}

int64_t sys_rmdir(uint64_t name)
{
	return sys_unlinkat(PATH_CWD, name, AT_REMOVEDIR);
}

int64_t sys_chdir(uint64_t name)
{
	WITH_PATH(PATH_CWD, name, vfs_chdir(&current()->place, NULL, path.string));
}

int64_t sys_fchdir(uint64_t fd)
{
	struct file *file = io_file(fd);

	return file != NULL ? vfs_fchdir(&current()->place, file->inode) : -EBADF;
}

int64_t sys_chroot(uint64_t name)
{
	WITH_PATH(PATH_CWD, name, vfs_chroot(&current()->place, path.string));
}

int64_t sys_getcwd(uint64_t to, uint64_t size)
{
	char *buffer = kmalloc(PATH_MAX);
	int64_t result;

	if (buffer == NULL)
		return -ENOMEM;
	result = vfs_getcwd(place(), buffer, PATH_MAX);
	if (result == -ERANGE)
		result = -ENAMETOOLONG;
	else if (result > 0 && (uint64_t)result > size)
		result = -ERANGE;
	if (result > 0 && user_write(to, buffer, (size_t)result) != 0)
		result = -EFAULT;
	kfree(buffer);
	return result;
}

int64_t sys_umask(uint64_t mask)
{
	uint32_t old = current()->place.umask;

	current()->place.umask = (uint32_t)mask & 0777;
	return old;
}

/* Calls of two paths. */

static int64_t between(__typeof__(vfs_rename) *call, uint64_t old_fd, uint64_t old_name, uint64_t fd,
                       uint64_t name, uint64_t flags)
{
	struct path old, new;
	int64_t result = path_read(&old, old_fd, old_name);

	if (result != 0)
		return result;
	result = path_read(&new, fd, name);
	if (result == 0) {
		result = call(place(), old.base, old.string, new.base, new.string, (uint32_t)flags);
		path_free(&new);
	}
	path_free(&old);
	return result;
}

int64_t sys_renameat2(uint64_t old_fd, uint64_t old_name, uint64_t fd, uint64_t name,
                      uint64_t flags)
{
	return between(vfs_rename, old_fd, old_name, fd, name, flags);
}

int64_t sys_renameat(uint64_t old_fd, uint64_t old_name, uint64_t fd, uint64_t name)
{
	return sys_renameat2(old_fd, old_name, fd, name, 0);
}

int64_t sys_rename(uint64_t old_name, uint64_t name)
{
	return sys_renameat2(PATH_CWD, old_name, PATH_CWD, name, 0);
}

int64_t sys_linkat(uint64_t old_fd, uint64_t old_name, uint64_t fd, uint64_t name, uint64_t flags)
{
	return between(vfs_link, old_fd, old_name, fd, name, flags);
}

int64_t sys_link(uint64_t old_name, uint64_t name)
{
	return sys_linkat(PATH_CWD, old_name, PATH_CWD, name, 0);
}

int64_t sys_symlinkat(uint64_t target_address, uint64_t fd, uint64_t name)
{
	struct path target, path;
	int64_t result = path_read(&target, PATH_CWD, target_address);

	if (result != 0)
		return result;
	result = path_read(&path, fd, name);
	if (result == 0) {
		result = vfs_symlink(place(), target.string, path.base, path.string);
		path_free(&path);
	}
	path_free(&target);
	return result;
}

int64_t sys_symlink(uint64_t target, uint64_t name)
{
	return sys_symlinkat(target, PATH_CWD, name);
}

int64_t sys_readlinkat(uint64_t fd, uint64_t name, uint64_t to, uint64_t size)
{
	struct path path;
	char *buffer;
	int64_t result;

	if ((int32_t)size <= 0)
		return -EINVAL;
	result = path_read(&path, fd, name);
	if (result != 0)
		return result;
	buffer = kmalloc(PATH_MAX);
	result = buffer == NULL ? -ENOMEM
	                        : vfs_readlink(place(), path.base, path.string, buffer,
	                                       size < PATH_MAX ? size : PATH_MAX);
	if (result > 0 && user_write(to, buffer, (size_t)result) != 0)
		result = -EFAULT;
	kfree(buffer);
	path_free(&path);
	return result;
}

int64_t sys_readlink(uint64_t name, uint64_t to, uint64_t size)
{
	return sys_readlinkat(PATH_CWD, name, to, size);
}

int64_t sys_getdents64(uint64_t fd, uint64_t to, uint64_t size)
{
	struct file *file = io_file(fd);

	if (file == NULL)
		return -EBADF;
	if (!user_range(to, size))
		return -EFAULT;
	return file_getdents(file, (void *)to, size);
}

int64_t sys_truncate(uint64_t name, uint64_t size)
{
	WITH_PATH(PATH_CWD, name, vfs_truncate(place(), NULL, path.string, (int64_t)size));
}

int64_t sys_ftruncate(uint64_t fd, uint64_t size)
{
	struct file *file = io_file(fd);

	return file != NULL ? file_truncate(file, (int64_t)size) : -EBADF;
}

/* Makes room by saying so: memory is found when it is written. */
int64_t sys_fallocate(uint64_t fd, uint64_t mode, uint64_t offset, uint64_t size)
{
	struct file *file = io_file(fd);

	if (file == NULL || (file->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (mode != 0)
		return -EOPNOTSUPP;
	if ((int64_t)offset < 0 || (int64_t)size <= 0 || (int64_t)(offset + size) < 0)
		return -EINVAL;
	return offset + size > file->inode->size ? file_truncate(file, (int64_t)(offset + size)) : 0;
}

int64_t sys_sync(void)
{
	return 0;
}

int64_t sys_fsync(uint64_t fd)
{
	const struct file *file = io_file(fd);

	if (file == NULL || (file->flags & O_PATH) != 0)
		return -EBADF;
	return inode_is(file->inode, S_IFREG) || inode_is(file->inode, S_IFDIR) ? 0 : -EINVAL;
}

int64_t sys_fdatasync(uint64_t fd)
{
	return sys_fsync(fd);
}

int64_t sys_fadvise64(uint64_t fd, uint64_t offset, uint64_t size, uint64_t advice)
{
	const struct file *file = io_file(fd);

	(void)offset;
	(void)size;
	if (file == NULL)
		return -EBADF;
	if (inode_is(file->inode, S_IFIFO))
		return -ESPIPE;
	return advice <= FADVISE_LAST ? 0 : -EINVAL;
}
