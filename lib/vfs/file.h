/* file.h: open file descriptions: what read, write and lseek act on.
 *
 * A `struct file` is made by vfs_open, pipe_open or file_open, shared by
 * descriptors and forked processes through its count, and closed by the last
 * file_put. `buffer` arguments are the program's: an allegation, copied with
 * env_copy. Counts are answered as Linux does: short where it would be short,
 * -EFAULT only if nothing was moved. */
#pragma once

#include "lib/posix/fcntl.h"
#include "lib/vfs/inode.h"

/* The event that changes when POLLIN, or POLLOUT, may have become true. NULL:
 * never changes. */
struct poll_events {
	struct wait_event *in, *out;
};

/* NULL: -EINVAL, except seek -ESPIPE, ioctl -ENOTTY, poll always ready. */
struct file_ops {
	int64_t (*read)(struct file *file, void *buffer, size_t size, struct wait *wait);
	int64_t (*write)(struct file *file, const void *buffer, size_t size, struct wait *wait);
	/* Only where there are offsets: otherwise pread is -ESPIPE. */
	int64_t (*pread)(struct file *file, void *buffer, size_t size, uint64_t offset);
	int64_t (*pwrite)(struct file *file, const void *buffer, size_t size, uint64_t offset);
	int64_t (*seek)(struct file *file, int64_t offset, int whence);
	int64_t (*getdents)(struct file *file, void *buffer, size_t size);
	int64_t (*ioctl)(struct file *file, uint32_t request, uintptr_t argument);
	uint32_t (*poll)(struct file *file, struct poll_events *events);
	/* open is not over until this no longer says -EAGAIN (FIFOs). */
	int (*opened)(struct file *file, struct wait *wait);
	void (*close)(struct file *file);
};

struct file {
	const struct file_ops *ops;
	struct inode *inode;  /* referenced, never NULL */
	void *data;           /* the operations' own */
	uint64_t offset;
	uint32_t flags;       /* O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, ... */
	uint32_t references;
};

/* Opens `inode` (taking a reference of its own) with O_* flags: no path, no
 * creation, no O_TRUNC. */
int file_open(struct inode *inode, uint32_t flags, struct file **out);

/* The same into a zeroed `file` that the caller has allocated (env_alloc), so
 * that an open that creates can fail before it does. On failure it is still
 * the caller's to free. */
int file_attach(struct file *file, struct inode *inode, uint32_t flags);

/* To be called once after opening, until it no longer returns -EAGAIN with an
 * event; 0 at once for all but FIFOs. On failure file_put(file). */
int file_opened(struct file *file, struct wait *wait);

static inline struct file *file_get(struct file *file)
{
	file->references++;
	return file;
}

void file_close(struct file *file);

static inline void file_put(struct file *file)
{
	if (--file->references == 0)
		file_close(file);
}

/* Each checks the access mode (-EBADF) and the kind (-EISDIR, -ESPIPE, ...).
 * -EPIPE from file_write: also send SIGPIPE. */
int64_t file_read(struct file *file, void *buffer, size_t size, struct wait *wait);
int64_t file_write(struct file *file, const void *buffer, size_t size, struct wait *wait);
int64_t file_pread(struct file *file, void *buffer, size_t size, int64_t offset);
int64_t file_pwrite(struct file *file, const void *buffer, size_t size, int64_t offset);
int64_t file_seek(struct file *file, int64_t offset, int whence);
int64_t file_getdents(struct file *file, void *buffer, size_t size);
int64_t file_ioctl(struct file *file, uint32_t request, uintptr_t argument);
/* POLL* bits that hold now (POLLERR, POLLHUP included, whatever was asked). */
uint32_t file_poll(struct file *file, struct poll_events *events);
int file_truncate(struct file *file, int64_t size);
/* F_GETFL's and F_SETFL's part (flags beyond O_APPEND, O_NONBLOCK are kept). */
uint32_t file_flags(const struct file *file);
void file_set_flags(struct file *file, uint32_t flags);
/* fstat. */
void file_stat(const struct file *file, struct stat *out);
