/* sys_file.c: reading, writing and descriptors. */
#include "lib/pipe/pipe.h"
#include "lib/posix/errno.h"
#include "lib/posix/termios.h"
#include "os/linux/io.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"
#include "os/linux/signal.h"
#include "os/linux/start.h"
#include "os/linux/syscall.h"
#include "os/linux/user.h"

enum { IOV_MAX = 1024, IOCTL_MOST = 256, CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4,
       TRANSFER_MOST = 0x7ffff000 /* bytes of one call, as on Linux */ };

struct iovec {
	uint64_t base, size;
};

struct file *io_file(uint64_t fd)
{
	return fdtable_file(current()->files, (uint32_t)fd);
}

bool io_wait(struct wait *wait, int64_t *result)
{
	if (*result != -EAGAIN || wait->event == NULL)
		return false;
	if (lock_sleep(wait->event, wait->sequence, wait->deadline) != -EINTR)
		return true;
	*result = wait->done != 0 ? (int64_t)wait->done : -ERESTARTSYS;
	return false;
}

/* A call that the terminal cut short by a signal that turned out to be nothing. */
static int64_t settle(int64_t result)
{
	return result == -ERESTARTSYS && !task_interrupted(current()) ? -EINTR : result;
}

int64_t io_read(struct file *file, void *buffer, size_t size)
{
	struct wait wait = { 0 };
	int64_t result = file_read(file, buffer, size, &wait);

	if (result != -EAGAIN && result != -ERESTARTSYS)
		return result;
	file_get(file);
	while (io_wait(&wait, &result))
		result = file_read(file, buffer, size, &wait);
	file_put(file);
	return settle(result);
}

int64_t io_write(struct file *file, const void *buffer, size_t size)
{
	struct wait wait = { 0 };
	int64_t result = file_write(file, buffer, size, &wait);

	if (result == -EAGAIN || result == -ERESTARTSYS) {
		file_get(file);
		while (io_wait(&wait, &result))
			result = file_write(file, buffer, size, &wait);
		file_put(file);
		result = settle(result);
	}
	if (result == -EPIPE)
		signal_send(current(), SIGPIPE, NULL);
	return result;
}

int64_t sys_read(uint64_t fd, uint64_t buffer, uint64_t size)
{
	struct file *file = io_file(fd);

	if (file == NULL)
		return -EBADF;
	if (!user_range(buffer, size))
		return -EFAULT;
	return io_read(file, (void *)buffer, size);
}

int64_t sys_write(uint64_t fd, uint64_t buffer, uint64_t size)
{
	struct file *file = io_file(fd);

	if (file == NULL)
		return -EBADF;
	if (!user_range(buffer, size))
		return -EFAULT;
	return io_write(file, (const void *)buffer, size);
}

int64_t sys_pread64(uint64_t fd, uint64_t buffer, uint64_t size, uint64_t offset)
{
	struct file *file = io_file(fd);

	if (file == NULL)
		return -EBADF;
	if (!user_range(buffer, size))
		return -EFAULT;
	return file_pread(file, (void *)buffer, size, (int64_t)offset);
}

int64_t sys_pwrite64(uint64_t fd, uint64_t buffer, uint64_t size, uint64_t offset)
{
	struct file *file = io_file(fd);

	if (file == NULL)
		return -EBADF;
	if (!user_range(buffer, size))
		return -EFAULT;
	return file_pwrite(file, (const void *)buffer, size, (int64_t)offset);
}

/* One of the four operations, on each piece until one comes out short. */
enum direction { READ, WRITE, PREAD, PWRITE };

static int64_t one_piece(struct file *file, enum direction direction, const struct iovec *piece,
                         int64_t offset)
{
	void *buffer = (void *)piece->base;

	switch (direction) {
	case READ:
		return io_read(file, buffer, piece->size);
	case WRITE:
		return io_write(file, buffer, piece->size);
	case PREAD:
		return file_pread(file, buffer, piece->size, offset);
	default:
		return file_pwrite(file, buffer, piece->size, offset);
	}
}

/* No piece, nor all of them together, may be larger than an answer can tell. */
static bool sizes_ok(const struct iovec *pieces, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++) {
		if (pieces[i].size > INT64_MAX - total)
			return false;
		total += pieces[i].size;
	}
	return true;
}

static int64_t all_pieces(struct file *file, enum direction direction, const struct iovec *pieces,
                          size_t count, int64_t offset)
{
	int64_t total = 0;

	for (size_t i = 0; i < count; i++) {
		struct iovec piece = pieces[i];
		int64_t result;
		if (piece.size == 0 && i + 1 < count)
			continue;
		if (!user_range(piece.base, piece.size))
			return total != 0 ? total : -EFAULT;
		if (piece.size > (uint64_t)(TRANSFER_MOST - total))
			piece.size = (uint64_t)(TRANSFER_MOST - total);
		result = one_piece(file, direction, &piece, offset + total);
		if (result < 0)
			return total != 0 ? total : result;
		total += result;
		if ((uint64_t)result < pieces[i].size)
			break;
	}
	return total;
}

static int64_t vector(uint64_t fd, uint64_t address, uint64_t count, enum direction direction,
                      int64_t offset)
{
	struct iovec few[8], *pieces = few;
	struct file *file = io_file(fd);
	int64_t result;

	if (file == NULL)
		return -EBADF;
	if (count > IOV_MAX || offset < 0)
		return -EINVAL;
	if (count > 8 && (pieces = kmalloc(count * sizeof *pieces)) == NULL)
		return -ENOMEM;
	result = user_read(pieces, address, count * sizeof *pieces);
	if (result == 0 && !sizes_ok(pieces, count))
		result = -EINVAL;
	file_get(file);
	if (result == 0)
		result = all_pieces(file, direction, pieces, count, offset);
	file_put(file);
	if (pieces != few)
		kfree(pieces);
	return result;
}

int64_t sys_readv(uint64_t fd, uint64_t pieces, uint64_t count)
{
	return vector(fd, pieces, count, READ, 0);
}

int64_t sys_writev(uint64_t fd, uint64_t pieces, uint64_t count)
{
	return vector(fd, pieces, count, WRITE, 0);
}

int64_t sys_preadv(uint64_t fd, uint64_t pieces, uint64_t count, uint64_t offset)
{
	return vector(fd, pieces, count, PREAD, (int64_t)offset);
}

int64_t sys_pwritev(uint64_t fd, uint64_t pieces, uint64_t count, uint64_t offset)
{
	return vector(fd, pieces, count, PWRITE, (int64_t)offset);
}

int64_t sys_lseek(uint64_t fd, uint64_t offset, uint64_t whence)
{
	struct file *file = io_file(fd);

	return file != NULL ? file_seek(file, (int64_t)offset, (int)whence) : -EBADF;
}

int64_t sys_close(uint64_t fd)
{
	return fdtable_close(current()->files, (uint32_t)fd);
}

int64_t sys_close_range(uint64_t first, uint64_t last, uint64_t flags)
{
	if ((flags & ~(uint64_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0 ||
	    (uint32_t)first > (uint32_t)last)
		return -EINVAL;
	return fdtable_close_range(current()->files, (uint32_t)first, (uint32_t)last,
	                           (flags & CLOSE_RANGE_CLOEXEC) != 0);
}

int64_t sys_dup(uint64_t fd)
{
	return fdtable_dup(current()->files, (uint32_t)fd);
}

int64_t sys_dup2(uint64_t fd, uint64_t to)
{
	return fdtable_dup2(current()->files, (uint32_t)fd, (uint32_t)to);
}

int64_t sys_dup3(uint64_t fd, uint64_t to, uint64_t flags)
{
	return fdtable_dup3(current()->files, (uint32_t)fd, (uint32_t)to, (uint32_t)flags);
}

/* Record locks: there is nobody on another machine, and programs that lock
 * against each other are told that they may. */
int64_t sys_fcntl(uint64_t fd, uint64_t command, uint64_t argument)
{
	if (command == F_SETLK || command == F_SETLKW)
		return io_file(fd) != NULL ? 0 : -EBADF;
	if (command == F_GETLK) {
		uint16_t unlocked = 2;
		return io_file(fd) == NULL ? -EBADF : user_write(argument, &unlocked, sizeof unlocked);
	}
	if (command == F_SETFL && io_file(fd) != NULL && (io_file(fd)->flags & O_PATH) != 0)
		return -EBADF;
	return fdtable_fcntl(current()->files, (uint32_t)fd, (uint32_t)command, argument);
}

int64_t sys_flock(uint64_t fd, uint64_t operation)
{
	(void)operation;
	return io_file(fd) != NULL ? 0 : -EBADF;
}

/* The argument is a number or an address: either way it must not be one of the
 * module's. */
int64_t sys_ioctl(uint64_t fd, uint64_t request, uint64_t argument)
{
	struct file *file = io_file(fd);

	if (file == NULL)
		return -EBADF;
	if (request == FIOCLEX || request == FIONCLEX)
		return fdtable_fcntl(current()->files, (uint32_t)fd, F_SETFD,
		                     request == FIOCLEX ? FD_CLOEXEC : 0);
	if (!user_range(argument, IOCTL_MOST))
		return -EFAULT;
	return settle(file_ioctl(file, (uint32_t)request, argument));
}

int64_t sys_pipe2(uint64_t to, uint64_t flags)
{
	struct fdtable *files = current()->files;
	struct file *ends[2];
	int32_t fds[2];
	int result;

	if ((flags & ~(uint64_t)(O_CLOEXEC | O_NONBLOCK)) != 0)
		return -EINVAL;
	result = pipe_open(&the_vfs, (uint32_t)flags & O_NONBLOCK, &ends[0], &ends[1]);
	if (result != 0)
		return result;
	fds[0] = fdtable_insert(files, ends[0], 0, (uint32_t)flags & O_CLOEXEC);
	if (fds[0] < 0) {
		file_put(ends[0]);
		file_put(ends[1]);
		return fds[0];
	}
	fds[1] = fdtable_insert(files, ends[1], 0, (uint32_t)flags & O_CLOEXEC);
	if (fds[1] < 0) {
		(void)fdtable_close(files, fds[0]);
		file_put(ends[1]);
		return fds[1];
	}
	if (user_write(to, fds, sizeof fds) == 0)
		return 0;
	(void)fdtable_close(files, fds[0]);
	(void)fdtable_close(files, fds[1]);
	return -EFAULT;
}

int64_t sys_pipe(uint64_t to)
{
	return sys_pipe2(to, 0);
}

/* Moves bytes through a page of the module's. What was read and could not be
 * written goes back: by seeking, where the source can. */
static int64_t pump(struct file *out, struct file *in, int64_t *offset, uint64_t count)
{
	enum { PUMP = 16 * PAGE_SIZE };
	uint8_t *buffer = pages_allocate(PUMP / PAGE_SIZE, false);
	uint64_t total = 0;
	int64_t result = 0;

	if (buffer == NULL)
		return -ENOMEM;
	if (count > TRANSFER_MOST)
		count = TRANSFER_MOST;
	while (total < count) {
		size_t part = count - total < PUMP ? count - total : PUMP;
		int64_t got = offset != NULL ? file_pread(in, buffer, part, *offset)
		                             : io_read(in, buffer, part);
		result = got;
		if (got <= 0)
			break;
		result = io_write(out, buffer, (size_t)got);
		if (result > 0) {
			total += (uint64_t)result;
			if (offset != NULL)
				*offset += result;
		}
		if (result < got) {
			if (offset == NULL)
				(void)file_seek(in, (result > 0 ? result : 0) - got, SEEK_CUR);
			break;
		}
		if (((uint64_t)got < part && offset == NULL && !inode_is(in->inode, S_IFREG)) ||
		    task_interrupted(current()))
			break;
		lock_yield();
	}
	pages_free(buffer, PUMP / PAGE_SIZE);
	return total != 0 ? (int64_t)total : result;
}

int64_t sys_sendfile(uint64_t out_fd, uint64_t in_fd, uint64_t offset_address, uint64_t count)
{
	struct file *in = io_file(in_fd), *out = io_file(out_fd);
	int64_t offset, result;

	if (in == NULL || out == NULL)
		return -EBADF;
	if (offset_address != 0 && user_read(&offset, offset_address, sizeof offset) != 0)
		return -EFAULT;
	file_get(in);
	file_get(out);
	result = pump(out, in, offset_address != 0 ? &offset : NULL, count);
	file_put(in);
	file_put(out);
	if (offset_address != 0 && result > 0 &&
	    user_write(offset_address, &offset, sizeof offset) != 0)
		return -EFAULT;
	return result;
}
