/* procfs.h: /proc: a tree of generated files.
 *
 * The tree's shape is here; its content comes from tables of callbacks. A file
 * is generated when it is read from offset 0, into memory of the open file's own,
 * so that a reader sees one consistent text. */
#pragma once

#include "lib/posix/text.h"
#include "lib/vfs/vfs.h"

/* One file or link. `pid` is 0 for those at the top.
 * generate: append the content, or a link's target; 0 or a negated errno.
 * follow: for a link whose target may have no path (exe, cwd, fd/N): *out gets
 * a reference; NULL: the target's text is followed. */
struct procfs_entry {
	const char *name;
	uint32_t mode; /* S_IFREG | 0444, S_IFLNK | 0777 */
	int (*generate)(void *context, uint32_t pid, struct text *out);
	int (*follow)(void *context, uint32_t pid, struct inode **out);
};

struct procfs_source {
	void *context;
	const struct procfs_entry *top;     /* meminfo, mounts, ...; ends with name NULL */
	const struct procfs_entry *process; /* stat, status, cmdline, exe, ...; likewise */
	/* The smallest live PID greater than `after`, or 0. */
	uint32_t (*next_process)(void *context, uint32_t after);
	uint32_t (*self)(void *context);    /* the caller's PID: /proc/self */
	/* The smallest open descriptor >= from, or -1; its file, borrowed, or NULL;
	 * and its path for readlink. All may be NULL: no fd/ directories. */
	int64_t (*next_fd)(void *context, uint32_t pid, int64_t from);
	struct file *(*fd_file)(void *context, uint32_t pid, int64_t fd);
	int (*fd_path)(void *context, uint32_t pid, int64_t fd, struct text *out);
};

/* `source` must outlive the file system. To be mounted on /proc. */
int procfs_create(const struct procfs_source *source, struct fs **out);

/* The text of /proc/mounts. */
void procfs_mounts(const struct vfs *vfs, const struct vfs_place *place, struct text *out);
