/* vfs_attributes.c: the calls about one file's attributes and content, by path
 * and by inode. See vfs.h.
 * Source: stat(2), access(2), chmod(2), chown(2), utimensat(2), truncate(2). */
#include "lib/vfs/vfs.h"

#include "lib/posix/errno.h"

#include <string.h>

enum { MODE_BITS = 07777 };

int vfs_stat(const struct vfs_place *place, struct inode *base, const char *path, uint32_t flags,
             struct stat *out)
{
	struct inode *inode;
	int result = vfs_lookup(place, base, path, flags, &inode);
	if (result != 0)
		return result;
	inode_stat(inode, out);
	inode_put(inode);
	return 0;
}

int vfs_inode_statfs(struct inode *inode, struct statfs *out)
{
	memset(out, 0, sizeof(*out));
	out->f_bsize = out->f_frsize = ENV_PAGE;
	out->f_namelen = NAME_MAX;
	if (inode->fs == NULL || inode->fs->statfs == NULL)
		return 0;
	out->f_fsid[0] = (int32_t)inode->fs->device;
	return inode->fs->statfs(inode->fs, out);
}

int vfs_statfs(const struct vfs_place *place, struct inode *base, const char *path,
               struct statfs *out)
{
	struct inode *inode;
	int result = vfs_lookup(place, base, path, 0, &inode);
	if (result != 0)
		return result;
	result = vfs_inode_statfs(inode, out);
	inode_put(inode);
	return result;
}

int vfs_inode_access(const struct inode *inode, uint32_t want)
{
	if (want & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	if ((want & W_OK) && inode->fs != NULL && inode->fs->read_only && !inode_is(inode, S_IFCHR))
		return -EROFS;
	if ((want & X_OK) && !inode_is(inode, S_IFDIR) && !(inode->mode & S_IXUGO))
		return -EACCES;
	return 0;
}

int vfs_access(const struct vfs_place *place, struct inode *base, const char *path, uint32_t want,
               uint32_t flags)
{
	struct inode *inode;
	if (want & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	int result = vfs_lookup(place, base, path, flags, &inode);
	if (result != 0)
		return result;
	result = vfs_inode_access(inode, want);
	inode_put(inode);
	return result;
}

int64_t vfs_readlink(const struct vfs_place *place, struct inode *base, const char *path,
                     char *buffer, size_t size)
{
	struct inode *inode;
	int result = vfs_lookup(place, base, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &inode);
	if (result != 0)
		return result;
	int64_t length = path[0] == '\0' ? -ENOENT : -EINVAL;
	if (inode_is(inode, S_IFLNK) && size > 0)
		length = inode->ops->readlink(inode, buffer, size);
	inode_put(inode);
	return length;
}

/* Attributes of what cannot change: a file system generated or read-only. */
static int check_writable(const struct inode *inode)
{
	return inode->fs != NULL && inode->fs->read_only ? -EROFS : 0;
}

int vfs_inode_chmod(struct inode *inode, uint32_t mode)
{
	int result = check_writable(inode);
	if (result != 0)
		return result;
	if (inode_is(inode, S_IFLNK))
		return -EOPNOTSUPP;
	inode->mode = (inode->mode & ~(uint32_t)MODE_BITS) | (mode & MODE_BITS);
	inode_touch_changed(inode);
	return 0;
}

int vfs_inode_chown(struct inode *inode, uint32_t uid, uint32_t gid)
{
	int result = check_writable(inode);
	if (result != 0)
		return result;
	if (uid != VFS_LEAVE)
		inode->uid = uid;
	if (gid != VFS_LEAVE)
		inode->gid = gid;
	if (inode_is(inode, S_IFREG) && (inode->mode & S_IXUGO))
		inode->mode &= ~(uint32_t)(S_ISUID | S_ISGID);
	inode_touch_changed(inode);
	return 0;
}

static int64_t chosen_time(int64_t asked, int64_t old)
{
	if (asked == VFS_TIME_OMIT)
		return old;
	return asked == VFS_TIME_NOW ? (int64_t)env_realtime() : asked;
}

int vfs_inode_utimens(struct inode *inode, int64_t accessed, int64_t modified)
{
	int result = check_writable(inode);
	if (result != 0)
		return result;
	inode->accessed = chosen_time(accessed, inode->accessed);
	inode->modified = chosen_time(modified, inode->modified);
	inode_touch_changed(inode);
	return 0;
}

int vfs_inode_truncate(struct inode *inode, int64_t size)
{
	if (size < 0)
		return -EINVAL;
	if (inode_is(inode, S_IFDIR))
		return -EISDIR;
	if (!inode_is(inode, S_IFREG))
		return -EINVAL;
	int result = check_writable(inode);
	if (result != 0)
		return result;
	if (inode->busy > 0)
		return -ETXTBSY;
	if (inode->ops->truncate == NULL)
		return -EPERM;
	if ((uint64_t)size < inode->size)
		env_cut(inode, (uint64_t)size);
	return inode->ops->truncate(inode, (uint64_t)size);
}

int vfs_chmod(const struct vfs_place *place, struct inode *base, const char *path, uint32_t mode,
              uint32_t flags)
{
	struct inode *inode;
	int result = vfs_lookup(place, base, path, flags, &inode);
	if (result != 0)
		return result;
	result = vfs_inode_chmod(inode, mode);
	inode_put(inode);
	return result;
}

int vfs_chown(const struct vfs_place *place, struct inode *base, const char *path, uint32_t uid,
              uint32_t gid, uint32_t flags)
{
	struct inode *inode;
	int result = vfs_lookup(place, base, path, flags, &inode);
	if (result != 0)
		return result;
	result = vfs_inode_chown(inode, uid, gid);
	inode_put(inode);
	return result;
}

int vfs_utimens(const struct vfs_place *place, struct inode *base, const char *path,
                int64_t accessed, int64_t modified, uint32_t flags)
{
	struct inode *inode;
	int result = vfs_lookup(place, base, path, flags, &inode);
	if (result != 0)
		return result;
	result = vfs_inode_utimens(inode, accessed, modified);
	inode_put(inode);
	return result;
}

int vfs_truncate(const struct vfs_place *place, struct inode *base, const char *path,
                 int64_t size)
{
	struct inode *inode;
	int result = size < 0 ? -EINVAL : vfs_lookup(place, base, path, 0, &inode);
	if (result != 0)
		return result;
	result = vfs_inode_truncate(inode, size);
	inode_put(inode);
	return result;
}

int vfs_file_pages(struct inode *inode, uint64_t first, size_t count, bool allocate, void **run)
{
	*run = NULL;
	if (inode->ops->pages == NULL || !inode_is(inode, S_IFREG))
		return -ENODEV;
	return inode->ops->pages(inode, first, count, allocate, run);
}
