/* ramfs.h: a file system in memory: nodes, names and pages.
 *
 * The whole tree is found through one hash table of (directory, name), so a
 * lookup costs the same in any directory. A file's content is one contiguous run
 * of pages from its beginning (all of it, for a file from the initrd), and
 * after that a radix tree of pages and holes. */
#pragma once

#include "lib/vfs/vfs.h"

/* *out is not mounted yet. `page_limit`: content pages at most (-ENOSPC beyond);
 * 0: no limit but memory's. */
int ramfs_create(uint64_t page_limit, struct fs **out);

/* Makes a regular file's content one contiguous run of pages, all of it
 * written later by the caller through *content. The file must be empty. */
int ramfs_reserve(struct inode *file, uint64_t size, void **content);

/* The whole-structure checker: aborts (calls __builtin_trap) at the first
 * broken invariant; returns the number of inodes. For tests and debuggers. */
uint64_t ramfs_check(struct fs *fs);
