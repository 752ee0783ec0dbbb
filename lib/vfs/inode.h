/* inode.h: files as file systems know them.
 *
 * A `struct inode` stands for one file, directory, link, device or pipe. It is
 * counted: whoever keeps a pointer holds a reference (inode_get, inode_put).
 * A file system embeds it as the first member of its own node and gives it a
 * table of operations; NULL in the table means -EPERM (or -ENOTDIR, -EINVAL
 * where that is what Linux says). Paths and mounts are vfs.h's, open files
 * file.h's.
 *
 * A mounted file system stands in exactly one place: the directory it covers
 * points at its root through `mounted`, and fs->covered points back. */
#pragma once

#include "lib/posix/env.h"
#include "lib/posix/stat.h"

struct file;
struct fs;
struct inode;
struct pipe;
struct vfs;

/* One component of a path; not NUL-terminated. Made by name_from(). */
struct name {
	const char *bytes;
	uint32_t length;
	uint32_t hash;
};
enum { NAME_HASH_SEED = 2166136261u, NAME_HASH_PRIME = 16777619u }; /* FNV-1a */
struct name name_from(const char *bytes, size_t length);

/* What to make: create() looks at the file type in `mode`. */
struct inode_spec {
	uint32_t mode;
	uint32_t uid, gid;
	uint64_t device;    /* S_IFCHR, S_IFBLK */
	const char *target; /* S_IFLNK: copied; length follows */
	size_t target_length;
};

/* Directory operations are called with a checked name (1 to NAME_MAX bytes,
 * no slash, neither "." nor ".."); `dir` is a directory of this file system. */
struct inode_ops {
	/* *out gets a reference. -ENOENT. */
	int (*lookup)(struct inode *dir, struct name name, struct inode **out);
	/* The name is known to be free. *out gets a reference. */
	int (*create)(struct inode *dir, struct name name, const struct inode_spec *spec,
	              struct inode **out);
	int (*link)(struct inode *dir, struct name name, struct inode *inode);
	/* `inode` is what the name leads to; a directory must be empty. */
	int (*unlink)(struct inode *dir, struct name name, struct inode *inode);
	/* `victim` (or NULL) stands at the new name; kinds and loops are checked. */
	int (*rename)(struct inode *dir, struct name name, struct inode *inode,
	              struct inode *new_dir, struct name new_name, struct inode *victim);
	/* The directory above, borrowed; of the root, itself; of a removed one, NULL. */
	struct inode *(*parent)(struct inode *dir);
	/* A directory's name in its parent; -ENOENT if it was removed. Borrowed. */
	int (*name_of)(struct inode *dir, struct name *out);
	/* Fills `buffer` with records from *cookie on and moves it; bytes written,
	 * 0 at the end, -EINVAL if not even one fits. `buffer` is the program's. */
	int64_t (*getdents)(struct inode *dir, uint64_t *cookie, void *buffer, size_t size);
	/* Up to `size` bytes, no NUL; the length. `buffer` is the core's. */
	int64_t (*readlink)(struct inode *link, char *buffer, size_t size);
	/* NULL, or a link that leads straight to an inode (/proc/self/fd/0). */
	int (*follow)(struct inode *link, struct inode **out);
	/* Sets file->ops, and file->data if wanted. */
	int (*open)(struct inode *inode, struct file *file);
	int (*truncate)(struct inode *inode, uint64_t size);
	/* See vfs_file_pages. */
	int (*pages)(struct inode *inode, uint64_t first, size_t count, bool allocate, void **run);
	/* The last reference is gone. */
	void (*release)(struct inode *inode);
};

struct inode {
	const struct inode_ops *ops;
	struct fs *fs;          /* NULL for an anonymous pipe */
	uint32_t references;
	uint32_t mode;          /* type and permissions */
	uint32_t uid, gid;
	uint32_t links;
	uint32_t busy;          /* executed: writers are refused with -ETXTBSY */
	uint64_t number;
	uint64_t size;
	uint64_t blocks;        /* of 512 bytes, allocated */
	uint64_t device;        /* S_IFCHR, S_IFBLK */
	int64_t accessed, modified, changed; /* ns since 1970 */
	struct inode *mounted;  /* root of what is mounted here, referenced */
	struct pipe *pipe;      /* S_IFIFO while open */
};

/* One mounted (or mountable) file system; embedded in the real one. */
struct fs {
	const char *type;       /* as /proc/mounts shows it */
	struct vfs *vfs;
	struct inode *root;     /* referenced */
	struct inode *covered;  /* where it is mounted, referenced; NULL: nowhere, or / */
	struct fs *next;        /* vfs->mounts */
	uint64_t device;        /* st_dev */
	uint64_t held;          /* inodes with references; 1 (the root) if nobody is in it */
	bool read_only;
	int (*statfs)(struct fs *fs, struct statfs *out);
	/* Frees it; nobody holds its inodes any more. */
	void (*destroy)(struct fs *fs);
};

/* Also from none to one: a linked inode may be held by nobody. */
static inline struct inode *inode_get(struct inode *inode)
{
	if (inode->references++ == 0)
		inode->fs->held++;
	return inode;
}

void inode_release(struct inode *inode);

static inline void inode_put(struct inode *inode)
{
	if (inode != NULL && --inode->references == 0)
		inode_release(inode);
}

static inline bool inode_is(const struct inode *inode, uint32_t type)
{
	return (inode->mode & S_IFMT) == type;
}

void inode_stat(const struct inode *inode, struct stat *out);

/* The whole-structure checker of what every inode promises: traps. */
void inode_check(const struct inode *inode);

/* Content or times changed: now. */
void inode_touch_modified(struct inode *inode);
void inode_touch_changed(struct inode *inode);
