/* vfs_names.c: the calls that make, remove and move names. See vfs.h.
 * Source: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rename(2). */
#include "lib/vfs/vfs.h"

#include "lib/posix/errno.h"
#include "lib/vfs/walk.h"

#include <string.h>

/* Is `last` a free name in a directory that can take one? A slash after it is
 * for directories only. */
static int check_free(struct walk *walk, bool directory)
{
	struct inode *inode;
	if (walk->kind != WALK_NAME)
		return -EEXIST;
	int result = walk_entry(walk, &inode);
	if (result == 0) {
		inode_put(inode);
		return -EEXIST;
	}
	if (result != -ENOENT)
		return result;
	return walk->slash && !directory ? -ENOENT : walk_writable(walk);
}

static int make(const struct vfs_place *place, struct inode *base, const char *path,
                const struct inode_spec *spec)
{
	struct walk walk;
	struct inode *inode;
	int result = walk_start(&walk, place, base, path);
	if (result == 0)
		result = check_free(&walk, inode_is(&(struct inode){ .mode = spec->mode }, S_IFDIR));
	if (result == 0)
		result = walk_create(&walk, spec, &inode);
	if (result == 0)
		inode_put(inode);
	walk_end(&walk);
	return result;
}

enum { MODE_BITS = 07777 };

int vfs_mkdir(const struct vfs_place *place, struct inode *base, const char *path, uint32_t mode)
{
	mode &= (S_IRWXUGO | S_ISVTX) & ~place->umask;
	return make(place, base, path, &(struct inode_spec){ .mode = S_IFDIR | mode });
}

int vfs_mknod(const struct vfs_place *place, struct inode *base, const char *path, uint32_t mode,
              uint64_t device)
{
	uint32_t type = mode & S_IFMT;
	if (type == 0)
		type = S_IFREG;
	if (type == S_IFDIR)
		return -EPERM;
	if (type == S_IFLNK || (type != S_IFREG && type != S_IFCHR && type != S_IFBLK &&
	                        type != S_IFIFO && type != S_IFSOCK))
		return -EINVAL;
	bool has_device = type == S_IFCHR || type == S_IFBLK;
	struct inode_spec spec = { .mode = type | (mode & MODE_BITS & ~place->umask),
	                           .device = has_device ? device : 0 };
	return make(place, base, path, &spec);
}

int vfs_symlink(const struct vfs_place *place, const char *target, struct inode *base,
                const char *path)
{
	size_t length = strlen(target);
	if (length == 0)
		return -ENOENT;
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	struct inode_spec spec = { .mode = S_IFLNK | S_IRWXUGO, .target = target,
	                           .target_length = length };
	return make(place, base, path, &spec);
}

static int link_at(struct walk *walk, struct inode *inode)
{
	int result = check_free(walk, false);
	if (result != 0)
		return result;
	if (inode->fs != walk->dir->fs)
		return -EXDEV;
	if (inode_is(inode, S_IFDIR))
		return -EPERM;
	if (inode->links == 0)
		return -ENOENT; /* removed: only a descriptor leads to it */
	if (walk->dir->ops->link == NULL)
		return -EPERM;
	return walk->dir->ops->link(walk->dir, walk->last, inode);
}

int vfs_link(const struct vfs_place *place, struct inode *old_base, const char *old_path,
             struct inode *base, const char *path, uint32_t flags)
{
	struct inode *inode;
	uint32_t lookup = flags & AT_EMPTY_PATH;
	if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & AT_SYMLINK_FOLLOW))
		lookup |= AT_SYMLINK_NOFOLLOW;
	int result = vfs_lookup(place, old_base, old_path, lookup, &inode);
	if (result != 0)
		return result;
	struct walk walk;
	result = walk_start(&walk, place, base, path);
	if (result == 0)
		result = link_at(&walk, inode);
	walk_end(&walk);
	inode_put(inode);
	return result;
}

/* Why the path's end cannot be removed by name, or 0. */
static int check_removable(const struct walk *walk, bool directory)
{
	if (walk->kind == WALK_NAME)
		return 0;
	if (!directory)
		return -EISDIR;
	if (walk->kind == WALK_DOT)
		return -EINVAL;
	return walk->kind == WALK_DOTDOT ? -ENOTEMPTY : -EBUSY;
}

static int unlink_entry(struct walk *walk, struct inode *inode, bool directory)
{
	bool is_directory = inode_is(inode, S_IFDIR);
	if (directory && !is_directory)
		return -ENOTDIR;
	if (!directory && is_directory)
		return -EISDIR;
	if (!directory && walk->slash)
		return -ENOTDIR;
	if (inode->mounted != NULL)
		return -EBUSY;
	int result = walk_writable(walk);
	if (result != 0)
		return result;
	return walk->dir->ops->unlink != NULL ? walk->dir->ops->unlink(walk->dir, walk->last, inode)
	                                      : -EPERM;
}

int vfs_unlink(const struct vfs_place *place, struct inode *base, const char *path,
               uint32_t flags)
{
	struct walk walk;
	struct inode *inode;
	bool directory = (flags & AT_REMOVEDIR) != 0;
	int result = walk_start(&walk, place, base, path);
	if (result == 0)
		result = check_removable(&walk, directory);
	if (result == 0)
		result = walk_entry(&walk, &inode);
	if (result == 0) {
		result = unlink_entry(&walk, inode, directory);
		inode_put(inode);
	}
	walk_end(&walk);
	return result;
}

/* Is `inode` the directory `below`, or one above it? */
static bool is_above(const struct inode *inode, struct inode *below)
{
	for (;;) {
		if (below == inode)
			return true;
		if (below == NULL || below == below->fs->root)
			return false;
		below = below->ops->parent(below);
	}
}

/* May `inode` take the place of `victim` (NULL: of nothing)? */
static int check_rename(const struct walk *from, const struct inode *inode,
                        const struct walk *to, const struct inode *victim)
{
	bool directory = inode_is(inode, S_IFDIR);
	if (!directory && (from->slash || to->slash))
		return -ENOTDIR;
	if (directory && is_above(inode, to->dir))
		return -EINVAL;
	if (victim != NULL && inode_is(victim, S_IFDIR) && is_above(victim, from->dir))
		return -ENOTEMPTY;
	if (victim != NULL && directory && !inode_is(victim, S_IFDIR))
		return -ENOTDIR;
	if (victim != NULL && !directory && inode_is(victim, S_IFDIR))
		return -EISDIR;
	if (inode->mounted != NULL || (victim != NULL && victim->mounted != NULL))
		return -EBUSY;
	int result = walk_writable(from);
	return result != 0 ? result : walk_writable(to);
}

static int rename_entry(struct walk *from, struct inode *inode, struct walk *to, uint32_t flags)
{
	struct inode *victim = NULL;
	int result = walk_entry(to, &victim);
	if (result != 0 && result != -ENOENT)
		return result;
	if (result == -ENOENT)
		victim = NULL;
	if (victim != NULL && (flags & RENAME_NOREPLACE))
		result = -EEXIST;
	else
		result = check_rename(from, inode, to, victim);
	/* Two links to one file: POSIX wants nothing done. */
	if (result == 0 && victim != inode) {
		if (from->dir->ops->rename == NULL)
			result = -EPERM;
		else
			result = from->dir->ops->rename(from->dir, from->last, inode, to->dir, to->last,
			                                victim);
	}
	inode_put(victim);
	return result;
}

static int rename_walks(struct walk *from, struct walk *to, uint32_t flags)
{
	struct inode *inode;
	if (from->dir->fs != to->dir->fs)
		return -EXDEV;
	if (from->kind != WALK_NAME)
		return -EBUSY;
	if (to->kind != WALK_NAME)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	int result = walk_entry(from, &inode);
	if (result != 0)
		return result;
	result = rename_entry(from, inode, to, flags);
	inode_put(inode);
	return result;
}

int vfs_rename(const struct vfs_place *place, struct inode *old_base, const char *old_path,
               struct inode *base, const char *path, uint32_t flags)
{
	struct walk from, to;
	if (flags & ~(uint32_t)RENAME_NOREPLACE)
		return -EINVAL;
	int result = walk_start(&from, place, old_base, old_path);
	if (result == 0) {
		result = walk_start(&to, place, base, path);
		if (result == 0)
			result = rename_walks(&from, &to, flags);
		walk_end(&to);
	}
	walk_end(&from);
	return result;
}
