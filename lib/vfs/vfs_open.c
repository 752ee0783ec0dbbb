/* vfs_open.c: open. See vfs.h.
 * Source: open(2). */
#include "lib/vfs/vfs.h"

#include "lib/posix/errno.h"
#include "lib/vfs/walk.h"

enum { O_TMPFILE_BIT = 020000000, MODE_BITS = 07777,
       PATH_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static bool writes(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* The file that the walk ends at, made if need be. */
static int find_or_create(struct walk *walk, uint32_t flags, uint32_t mode, struct inode **out,
                          bool *created)
{
	bool exclusive = (flags & O_EXCL) != 0;
	if (walk->kind != WALK_NAME)
		return exclusive ? -EEXIST : -EISDIR;
	walk->create = true;
	int result = walk_last(walk, !exclusive && !(flags & O_NOFOLLOW), out);
	if (result == 0 && exclusive) {
		inode_put(*out);
		return -EEXIST;
	}
	if (result != -ENOENT || !walk->missing)
		return result;
	mode = S_IFREG | (mode & MODE_BITS & ~walk->place->umask);
	result = walk_create(walk, &(struct inode_spec){ .mode = mode }, out);
	*created = result == 0;
	return result;
}

/* May this be opened so? */
static int check_open(const struct inode *inode, uint32_t flags)
{
	bool directory = inode_is(inode, S_IFDIR);
	if ((flags & O_DIRECTORY) && !directory)
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (inode_is(inode, S_IFLNK))
		return -ELOOP;
	if (directory && (writes(flags) || (flags & (O_CREAT | O_TRUNC))))
		return -EISDIR;
	if (!inode_is(inode, S_IFREG) || !(writes(flags) || (flags & O_TRUNC)))
		return 0;
	if (inode->fs->read_only)
		return -EROFS;
	return inode->busy > 0 ? -ETXTBSY : 0;
}

static int open_found(struct inode *inode, uint32_t flags, bool created, struct file *file)
{
	int result = created ? 0 : check_open(inode, flags);
	if (result == 0 && !created && (flags & O_TRUNC) && inode_is(inode, S_IFREG))
		result = vfs_inode_truncate(inode, 0);
	return result == 0 ? file_attach(file, inode, flags) : result;
}

static int open_walk(struct walk *walk, uint32_t flags, uint32_t mode, struct file *file)
{
	struct inode *inode;
	bool created = false;
	int result;
	if (flags & O_CREAT)
		result = find_or_create(walk, flags, mode, &inode, &created);
	else
		result = walk_last(walk, !(flags & O_NOFOLLOW), &inode);
	if (result != 0)
		return result;
	result = open_found(inode, flags, created, file);
	inode_put(inode);
	return result;
}

int vfs_open(const struct vfs_place *place, struct inode *base, const char *path, uint32_t flags,
             uint32_t mode, struct file **out)
{
	if (flags & O_TMPFILE_BIT)
		return -EOPNOTSUPP;
	if (flags & O_PATH)
		flags &= PATH_FLAGS;
	if ((flags & O_ACCMODE) == O_ACCMODE || ((flags & O_CREAT) && (flags & O_DIRECTORY)))
		return -EINVAL;
	struct file *file = env_alloc(sizeof(*file));
	if (file == NULL)
		return -ENOMEM;
	struct walk walk;
	int result = walk_start(&walk, place, base, path);
	if (result == 0)
		result = open_walk(&walk, flags, mode, file);
	walk_end(&walk);
	if (result != 0)
		env_free(file);
	else
		*out = file;
	return result;
}
