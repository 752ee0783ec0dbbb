/* cpio.h: archives in the "newc" format: a reader of hostile bytes, and the
 * file system made from one.
 *
 * The iterator allocates nothing, changes nothing and reads only inside the
 * archive it was given; every entry that it returns has been checked. Several
 * archives may follow one another, with zero bytes between.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst. */
#pragma once

#include "abi/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs;

struct cpio_reader {
	const uint8_t *bytes;
	size_t size;
	size_t position;
	uint32_t archive;  /* how many TRAILER!!! went by: inode numbers begin anew */
	bool inside;       /* between a first entry and its TRAILER!!! */
	const char *error; /* after STATUS_BAD_MESSAGE: what is wrong at `position` */
};

struct cpio_entry {
	uint32_t archive, inode, dev_major, dev_minor; /* the file's identity */
	uint32_t mode, uid, gid, links, mtime, rdev_major, rdev_minor;
	/* The path: no leading or trailing slash, no empty, "." or ".." component,
	 * none longer than 255 bytes; "" is the root. Not NUL-terminated. */
	const char *path;
	size_t path_length;
	const uint8_t *content; /* a link's target, too */
	size_t content_size;
};

void cpio_start(struct cpio_reader *reader, const void *bytes, size_t size);

/* STATUS_OK and an entry; STATUS_NOT_FOUND at the end; STATUS_BAD_MESSAGE, which
 * sticks. An archive that ends without a trailer is cut short, and bad; one of
 * no bytes, or zeroes only, is an empty one. */
MUST_CHECK enum status cpio_next(struct cpio_reader *reader, struct cpio_entry *out);

/* Fills a fresh ramfs. Missing parents are made (0755); an entry that comes
 * twice replaces the first (a directory is kept); hard links share their
 * inode. 0, -EINVAL for a bad archive (with *error, if wanted), -ENOMEM,
 * -ENOSPC, -ENOTDIR, -EEXIST ...; the file system keeps what was made so far. */
int ramfs_fill_from_cpio(struct fs *fs, const void *bytes, size_t size, const char **error);
