/* inode.c: see inode.h. */
#include "lib/vfs/inode.h"

#include <string.h>

enum { NANOSECONDS = 1000000000 };

struct name name_from(const char *bytes, size_t length)
{
	uint32_t hash = NAME_HASH_SEED;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * NAME_HASH_PRIME;
	return (struct name){ bytes, (uint32_t)length, hash };
}

void inode_release(struct inode *inode)
{
	inode->ops->release(inode);
}

static void split(int64_t time, int64_t *seconds, int64_t *nanoseconds)
{
	*seconds = time / NANOSECONDS - (time % NANOSECONDS < 0);
	*nanoseconds = time - *seconds * NANOSECONDS;
}

void inode_stat(const struct inode *inode, struct stat *out)
{
	memset(out, 0, sizeof(*out));
	out->st_dev = inode->fs != NULL ? inode->fs->device : 0;
	out->st_ino = inode->number;
	out->st_nlink = inode->links;
	out->st_mode = inode->mode;
	out->st_uid = inode->uid;
	out->st_gid = inode->gid;
	out->st_rdev = inode->device;
	out->st_size = (int64_t)inode->size;
	out->st_blksize = ENV_PAGE;
	out->st_blocks = (int64_t)inode->blocks;
	split(inode->accessed, &out->st_atime_sec, &out->st_atime_nsec);
	split(inode->modified, &out->st_mtime_sec, &out->st_mtime_nsec);
	split(inode->changed, &out->st_ctime_sec, &out->st_ctime_nsec);
}

void inode_touch_modified(struct inode *inode)
{
	inode->modified = inode->changed = (int64_t)env_realtime();
}

void inode_touch_changed(struct inode *inode)
{
	inode->changed = (int64_t)env_realtime();
}

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

void inode_check(const struct inode *inode)
{
	check(inode->ops != NULL && inode->ops->release != NULL);
	check(inode->mounted == NULL || inode_is(inode, S_IFDIR));
	check(inode->mounted == NULL || inode->mounted->fs->covered == inode);
	check(inode->pipe == NULL || inode_is(inode, S_IFIFO));
	check(inode->fs == NULL || inode->fs->root != inode || inode->references > 0);
}
