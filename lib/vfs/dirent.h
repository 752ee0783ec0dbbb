/* dirent.h: writes getdents64 records into a program's buffer. */
#pragma once

#include "lib/vfs/inode.h"

struct dirent_writer {
	uint8_t *buffer;
	size_t size;
	size_t used;
};

/* Appends one record; `next` is the cookie of the record after it. -EINVAL if
 * there is no room for it, -EFAULT. */
int dirent_put(struct dirent_writer *writer, struct name name, uint64_t number, uint32_t mode,
               uint64_t next);

/* getdents' answer: what was written, unless nothing was and `error` says why. */
static inline int64_t dirent_result(const struct dirent_writer *writer, int error)
{
	return writer->used > 0 ? (int64_t)writer->used : error;
}
