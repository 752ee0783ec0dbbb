/* vfs.h: paths, mounts and what the file system calls do.
 *
 * Every call names its file by (place, base, path): `place` is the process's
 * root and working directory; `base` the directory of a dirfd, or NULL for the
 * working directory (fdtable_base finds it); `path` a NUL-terminated string in
 * the core's own memory (copy it in first, at most PATH_MAX bytes with its NUL:
 * -ENAMETOOLONG). Results are 0 or a negated errno unless said otherwise.
 *
 * The user is root: reading and writing are always allowed, executing if any x
 * bit is set (directories always). */
#pragma once

#include "lib/vfs/file.h"

/* A character or block device that nodes anywhere can name by its number. */
struct vfs_device {
	uint64_t number;
	int (*open)(struct vfs_device *device, struct file *file); /* sets file->ops */
	void *context;
	struct vfs_device *next;
};

/* One name space: its root, its mounts and its devices. */
struct vfs {
	struct fs *root;
	struct fs *mounts;           /* all, the root's first */
	struct vfs_device *devices;
	uint64_t next_fs_device;     /* st_dev of the next file system */
	uint64_t next_pipe;          /* inode number of the next anonymous pipe */
};

/* What a process holds. Referenced: vfs_place_copy, vfs_place_drop. */
struct vfs_place {
	struct inode *root, *cwd;
	uint32_t umask;
};

/* `root` becomes /; it now belongs to the vfs. */
void vfs_init(struct vfs *vfs, struct fs *root);
/* Frees all its file systems. Every file must be closed, every place dropped. */
void vfs_destroy(struct vfs *vfs);

/* `device` stays the caller's and must outlive the vfs. */
void vfs_add_device(struct vfs *vfs, struct vfs_device *device);

/* Mounts `fs` on the directory at `path`; it then belongs to the vfs. -EBUSY if
 * something is mounted there or `fs` is elsewhere, -ENOTDIR. */
int vfs_mount(struct vfs *vfs, const struct vfs_place *place, const char *path, struct fs *fs);
/* -EBUSY while a file or place in it is held; destroys it. -EINVAL: no mount. */
int vfs_unmount(struct vfs *vfs, const struct vfs_place *place, const char *path);

void vfs_place_init(struct vfs *vfs, struct vfs_place *place); /* /, /, 022 */
void vfs_place_copy(struct vfs_place *to, const struct vfs_place *from);
void vfs_place_drop(struct vfs_place *place);
int vfs_chdir(struct vfs_place *place, struct inode *base, const char *path);
int vfs_fchdir(struct vfs_place *place, struct inode *directory);
int vfs_chroot(struct vfs_place *place, const char *path);

/* Flags of vfs_lookup: the AT_* ones it knows. */
int vfs_lookup(const struct vfs_place *place, struct inode *base, const char *path,
               uint32_t flags, struct inode **out); /* *out is referenced */

/* The path of a directory as seen from place->root, with its NUL; the length
 * with the NUL, as getcwd answers. -ERANGE, -ENOENT (removed). A directory out
 * of reach of the root begins "(unreachable)". */
int64_t vfs_getcwd(const struct vfs_place *place, char *buffer, size_t size);
int64_t vfs_directory_path(const struct vfs_place *place, struct inode *directory, char *buffer,
                           size_t size);

/* openat: `mode` is subject to the umask. Call file_opened() next. */
int vfs_open(const struct vfs_place *place, struct inode *base, const char *path, uint32_t flags,
             uint32_t mode, struct file **out);
int vfs_stat(const struct vfs_place *place, struct inode *base, const char *path, uint32_t flags,
             struct stat *out);
int vfs_statfs(const struct vfs_place *place, struct inode *base, const char *path,
               struct statfs *out);
int vfs_inode_statfs(struct inode *inode, struct statfs *out);
int vfs_access(const struct vfs_place *place, struct inode *base, const char *path, uint32_t want,
               uint32_t flags);
int vfs_mkdir(const struct vfs_place *place, struct inode *base, const char *path, uint32_t mode);
int vfs_mknod(const struct vfs_place *place, struct inode *base, const char *path, uint32_t mode,
              uint64_t device);
int vfs_symlink(const struct vfs_place *place, const char *target, struct inode *base,
                const char *path);
int vfs_link(const struct vfs_place *place, struct inode *old_base, const char *old_path,
             struct inode *base, const char *path, uint32_t flags); /* AT_SYMLINK_FOLLOW */
/* flags: AT_REMOVEDIR makes it rmdir. */
int vfs_unlink(const struct vfs_place *place, struct inode *base, const char *path,
               uint32_t flags);
int vfs_rename(const struct vfs_place *place, struct inode *old_base, const char *old_path,
               struct inode *base, const char *path, uint32_t flags); /* RENAME_NOREPLACE */
/* Up to `size` bytes, no NUL; the length. */
int64_t vfs_readlink(const struct vfs_place *place, struct inode *base, const char *path,
                     char *buffer, size_t size);
int vfs_chmod(const struct vfs_place *place, struct inode *base, const char *path, uint32_t mode,
              uint32_t flags);
int vfs_chown(const struct vfs_place *place, struct inode *base, const char *path, uint32_t uid,
              uint32_t gid, uint32_t flags);
int vfs_utimens(const struct vfs_place *place, struct inode *base, const char *path,
                int64_t accessed, int64_t modified, uint32_t flags);
int vfs_truncate(const struct vfs_place *place, struct inode *base, const char *path,
                 int64_t size);

/* The same on an inode, for the f* calls. UINT32_MAX: leave. Times are ns. */
enum { VFS_LEAVE = 0xffffffffu };
#define VFS_TIME_NOW INT64_MAX
#define VFS_TIME_OMIT (INT64_MAX - 1)
int vfs_inode_chmod(struct inode *inode, uint32_t mode);
int vfs_inode_chown(struct inode *inode, uint32_t uid, uint32_t gid);
int vfs_inode_utimens(struct inode *inode, int64_t accessed, int64_t modified);
int vfs_inode_truncate(struct inode *inode, int64_t size);
int vfs_inode_access(const struct inode *inode, uint32_t want);

/* Where the content of page `first` (in pages) of a regular file stands in
 * memory: *run, page-aligned, and the result is how many pages from there on
 * are the file's following ones, at least 1 and at most `count`. A page never
 * written is made if `allocate`, else the result is 0 and *run NULL (all zero).
 * Pages at or past the end of the file: -ENXIO. -ENOMEM, -ENODEV (no pages).
 * Whoever keeps the address holds the inode: as long as anybody does, the memory
 * stays the file's, though a truncation clears it. */
int vfs_file_pages(struct inode *inode, uint64_t first, size_t count, bool allocate, void **run);
