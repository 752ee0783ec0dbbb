/* file.c: see file.h.
 * Source: read(2), write(2), pread(2), lseek(2), poll(2). */
#include "lib/vfs/file.h"

#include "lib/pipe/pipe.h"
#include "lib/posix/errno.h"
#include "lib/posix/termios.h"

enum { FLAGS_KEPT = O_ACCMODE | O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_LARGEFILE |
                    O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_SYNC | O_PATH,
       FLAGS_SETTABLE = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME };
#define FILE_TRANSFER_MAX ((size_t)0x7ffff000) /* as Linux's MAX_RW_COUNT */

static const struct file_ops path_only; /* O_PATH: nothing but a place */

static int open_device(struct inode *inode, struct file *file)
{
	struct vfs *vfs = inode->fs != NULL ? inode->fs->vfs : NULL;
	if (vfs == NULL)
		return -ENXIO;
	for (struct vfs_device *device = vfs->devices; device != NULL; device = device->next)
		if (device->number == inode->device && inode_is(inode, S_IFCHR))
			return device->open(device, file);
	return -ENXIO;
}

static int open_inode(struct inode *inode, struct file *file)
{
	if (file->flags & O_PATH) {
		file->ops = &path_only;
		return 0;
	}
	switch (inode->mode & S_IFMT) {
	case S_IFIFO:
		return pipe_open_fifo(inode, file);
	case S_IFCHR:
	case S_IFBLK:
		return open_device(inode, file);
	case S_IFLNK:
		return -ELOOP;
	case S_IFSOCK:
		return -ENXIO;
	default:
		return inode->ops->open(inode, file);
	}
}

int file_attach(struct file *file, struct inode *inode, uint32_t flags)
{
	file->references = 1;
	file->flags = flags & FLAGS_KEPT;
	int result = open_inode(inode, file);
	if (result == 0)
		file->inode = inode_get(inode);
	return result;
}

int file_open(struct inode *inode, uint32_t flags, struct file **out)
{
	struct file *file = env_alloc(sizeof(*file));
	if (file == NULL)
		return -ENOMEM;
	int result = file_attach(file, inode, flags);
	if (result != 0)
		env_free(file);
	else
		*out = file;
	return result;
}

int file_opened(struct file *file, struct wait *wait)
{
	return file->ops->opened != NULL ? file->ops->opened(file, wait) : 0;
}

void file_close(struct file *file)
{
	if (file->ops->close != NULL)
		file->ops->close(file);
	inode_put(file->inode);
	env_free(file);
}

static bool may_read(const struct file *file)
{
	return !(file->flags & O_PATH) && (file->flags & O_ACCMODE) != O_WRONLY;
}

static bool may_write(const struct file *file)
{
	return !(file->flags & O_PATH) && (file->flags & O_ACCMODE) != O_RDONLY;
}

static size_t clamp(size_t size)
{
	return size < FILE_TRANSFER_MAX ? size : FILE_TRANSFER_MAX;
}

/* What a file without the operation answers. */
static int64_t not_a_file(const struct file *file)
{
	return inode_is(file->inode, S_IFDIR) ? -EISDIR : -EINVAL;
}

int64_t file_read(struct file *file, void *buffer, size_t size, struct wait *wait)
{
	if (!may_read(file))
		return -EBADF;
	if (file->ops->pread != NULL) {
		int64_t result = file->ops->pread(file, buffer, clamp(size), file->offset);
		if (result > 0)
			file->offset += (uint64_t)result;
		return result;
	}
	wait->event = NULL;
	return file->ops->read != NULL ? file->ops->read(file, buffer, clamp(size), wait)
	                               : not_a_file(file);
}

/* -EFBIG beyond what an offset can say. */
static int64_t write_at(struct file *file, const void *buffer, size_t size, uint64_t *offset)
{
	if (file->flags & O_APPEND)
		*offset = file->inode->size;
	if (*offset + size > INT64_MAX)
		return -EFBIG;
	return file->ops->pwrite != NULL ? file->ops->pwrite(file, buffer, size, *offset) : -EINVAL;
}

int64_t file_write(struct file *file, const void *buffer, size_t size, struct wait *wait)
{
	if (!may_write(file))
		return -EBADF;
	if (file->ops->pwrite != NULL) {
		uint64_t offset = file->offset;
		int64_t result = write_at(file, buffer, clamp(size), &offset);
		if (result > 0)
			file->offset = offset + (uint64_t)result;
		return result;
	}
	wait->event = NULL;
	return file->ops->write != NULL ? file->ops->write(file, buffer, clamp(size), wait)
	                                : not_a_file(file);
}

/* Why there is nothing to read or write at an offset; 0 if there is. */
static int64_t check_offset(const struct file *file, int64_t offset, bool allowed, bool there)
{
	bool directory = inode_is(file->inode, S_IFDIR);
	if (offset < 0)
		return -EINVAL;
	if (!there && !directory && !(file->flags & O_PATH))
		return -ESPIPE;
	if (!allowed)
		return -EBADF;
	return directory ? -EISDIR : 0;
}

int64_t file_pread(struct file *file, void *buffer, size_t size, int64_t offset)
{
	int64_t result = check_offset(file, offset, may_read(file), file->ops->pread != NULL);
	return result != 0 ? result : file->ops->pread(file, buffer, clamp(size), (uint64_t)offset);
}

int64_t file_pwrite(struct file *file, const void *buffer, size_t size, int64_t offset)
{
	int64_t result = check_offset(file, offset, may_write(file), file->ops->pwrite != NULL);
	uint64_t at = (uint64_t)offset;
	return result != 0 ? result : write_at(file, buffer, clamp(size), &at);
}

/* SEEK_DATA and SEEK_HOLE see every file as one piece of data. */
static int64_t seek_target(const struct file *file, int64_t offset, int whence, int64_t *out)
{
	int64_t size = (int64_t)file->inode->size;
	int64_t base = 0;
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (int64_t)file->offset;
		break;
	case SEEK_END:
		base = size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (offset < 0 || offset >= size)
			return -ENXIO;
		if (whence == SEEK_HOLE)
			offset = size;
		break;
	default:
		return -EINVAL;
	}
	return __builtin_add_overflow(base, offset, out) ? -EINVAL : 0;
}

int64_t file_seek(struct file *file, int64_t offset, int whence)
{
	if (file->flags & O_PATH)
		return -EBADF;
	if (file->ops->seek != NULL)
		return file->ops->seek(file, offset, whence);
	if (file->ops->pread == NULL && file->ops->getdents == NULL)
		return -ESPIPE;
	int64_t target;
	int64_t result = seek_target(file, offset, whence, &target);
	if (result != 0)
		return result;
	if (target < 0)
		return -EINVAL;
	file->offset = (uint64_t)target;
	return target;
}

int64_t file_getdents(struct file *file, void *buffer, size_t size)
{
	if (file->flags & O_PATH)
		return -EBADF;
	return file->ops->getdents != NULL ? file->ops->getdents(file, buffer, size) : -ENOTDIR;
}

static int64_t set_nonblocking(struct file *file, uintptr_t argument)
{
	int32_t value;
	if (env_copy(&value, (const void *)argument, sizeof(value)) != 0)
		return -EFAULT;
	file->flags = value != 0 ? file->flags | O_NONBLOCK : file->flags & ~(uint32_t)O_NONBLOCK;
	return 0;
}

int64_t file_ioctl(struct file *file, uint32_t request, uintptr_t argument)
{
	if (file->flags & O_PATH)
		return -EBADF;
	if (request == FIONBIO)
		return set_nonblocking(file, argument);
	if (request == FIONREAD && inode_is(file->inode, S_IFREG)) {
		uint64_t size = file->inode->size;
		int32_t left = file->offset < size ? (int32_t)(size - file->offset) : 0;
		return env_copy((void *)argument, &left, sizeof(left));
	}
	return file->ops->ioctl != NULL ? file->ops->ioctl(file, request, argument) : -ENOTTY;
}

uint32_t file_poll(struct file *file, struct poll_events *events)
{
	*events = (struct poll_events){ NULL, NULL };
	if (file->flags & O_PATH)
		return POLLNVAL;
	if (file->ops->poll == NULL)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return file->ops->poll(file, events);
}

int file_truncate(struct file *file, int64_t size)
{
	if (file->flags & O_PATH)
		return -EBADF;
	if (!may_write(file) || !inode_is(file->inode, S_IFREG))
		return -EINVAL;
	return vfs_inode_truncate(file->inode, size);
}

uint32_t file_flags(const struct file *file)
{
	return file->flags;
}

void file_set_flags(struct file *file, uint32_t flags)
{
	file->flags = (file->flags & ~(uint32_t)FLAGS_SETTABLE) | (flags & FLAGS_SETTABLE);
}

void file_stat(const struct file *file, struct stat *out)
{
	inode_stat(file->inode, out);
}
