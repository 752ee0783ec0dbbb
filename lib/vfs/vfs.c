/* vfs.c: the name space: mounts, devices, places and the paths of directories.
 * See vfs.h; the calls that change files are in vfs_names.c, vfs_open.c and
 * vfs_attributes.c. */
#include "lib/vfs/vfs.h"

#include "lib/posix/errno.h"
#include "lib/vfs/walk.h"

#include <string.h>

enum { DEFAULT_UMASK = 022 };

static void attach(struct vfs *vfs, struct fs *fs)
{
	struct fs **link = &vfs->mounts;
	while (*link != NULL)
		link = &(*link)->next;
	*link = fs;
	fs->next = NULL;
	fs->vfs = vfs;
	fs->device = ++vfs->next_fs_device;
}

void vfs_init(struct vfs *vfs, struct fs *root)
{
	memset(vfs, 0, sizeof(*vfs));
	vfs->root = root;
	attach(vfs, root);
}

/* Takes `fs` from the list of mounts and from the directory it covers. */
static void detach(struct vfs *vfs, struct fs *fs)
{
	struct fs **link = &vfs->mounts;
	while (*link != fs)
		link = &(*link)->next;
	*link = fs->next;
	fs->vfs = NULL;
	if (fs->covered == NULL)
		return;
	struct inode *covered = fs->covered;
	fs->covered = NULL;
	covered->mounted = NULL;
	inode_put(fs->root); /* covered->mounted's */
	inode_put(covered);
}

void vfs_destroy(struct vfs *vfs)
{
	/* The last mounted first, so that what it covers is still there. */
	while (vfs->mounts != NULL) {
		struct fs *fs = vfs->mounts;
		while (fs->next != NULL)
			fs = fs->next;
		detach(vfs, fs);
		fs->destroy(fs);
	}
	vfs->root = NULL;
}

void vfs_add_device(struct vfs *vfs, struct vfs_device *device)
{
	device->next = vfs->devices;
	vfs->devices = device;
}

int vfs_mount(struct vfs *vfs, const struct vfs_place *place, const char *path, struct fs *fs)
{
	struct inode *inode;
	if (fs->vfs != NULL)
		return -EBUSY;
	int result = vfs_lookup(place, NULL, path, 0, &inode);
	if (result != 0)
		return result;
	if (!inode_is(inode, S_IFDIR))
		result = -ENOTDIR;
	else if (inode == inode->fs->root || inode == place->root)
		result = -EBUSY; /* lookup crossed to what is mounted there already */
	else if (inode->ops->create == NULL)
		result = -EPERM; /* such directories are made at every lookup */
	if (result != 0) {
		inode_put(inode);
		return result;
	}
	attach(vfs, fs);
	fs->covered = inode;
	inode->mounted = inode_get(fs->root);
	return 0;
}

int vfs_unmount(struct vfs *vfs, const struct vfs_place *place, const char *path)
{
	struct inode *inode;
	int result = vfs_lookup(place, NULL, path, 0, &inode);
	if (result != 0)
		return result;
	struct fs *fs = inode->fs;
	bool is_root = inode == fs->root;
	inode_put(inode);
	if (!is_root || fs->covered == NULL)
		return -EINVAL;
	/* The root is held by fs->root and by covered->mounted, nothing else is: no
	 * file, no place, no directory covered by another mount. */
	if (fs->held > 1 || fs->root->references > 2)
		return -EBUSY;
	detach(vfs, fs);
	fs->destroy(fs);
	return 0;
}

void vfs_place_init(struct vfs *vfs, struct vfs_place *place)
{
	place->root = inode_get(vfs->root->root);
	place->cwd = inode_get(vfs->root->root);
	place->umask = DEFAULT_UMASK;
}

void vfs_place_copy(struct vfs_place *to, const struct vfs_place *from)
{
	to->root = inode_get(from->root);
	to->cwd = inode_get(from->cwd);
	to->umask = from->umask;
}

void vfs_place_drop(struct vfs_place *place)
{
	inode_put(place->root);
	inode_put(place->cwd);
	place->root = place->cwd = NULL;
}

/* A directory for a place to hold. */
static int find_directory(const struct vfs_place *place, struct inode *base, const char *path,
                          struct inode **out)
{
	int result = vfs_lookup(place, base, path, 0, out);
	if (result == 0 && !inode_is(*out, S_IFDIR)) {
		inode_put(*out);
		result = -ENOTDIR;
	}
	return result;
}

static void replace(struct inode **slot, struct inode *inode)
{
	struct inode *old = *slot;
	*slot = inode;
	inode_put(old);
}

int vfs_chdir(struct vfs_place *place, struct inode *base, const char *path)
{
	struct inode *dir;
	int result = find_directory(place, base, path, &dir);
	if (result == 0)
		replace(&place->cwd, dir);
	return result;
}

int vfs_fchdir(struct vfs_place *place, struct inode *directory)
{
	if (!inode_is(directory, S_IFDIR))
		return -ENOTDIR;
	replace(&place->cwd, inode_get(directory));
	return 0;
}

int vfs_chroot(struct vfs_place *place, const char *path)
{
	struct inode *dir;
	int result = find_directory(place, NULL, path, &dir);
	if (result == 0)
		replace(&place->root, dir);
	return result;
}

int vfs_lookup(const struct vfs_place *place, struct inode *base, const char *path,
               uint32_t flags, struct inode **out)
{
	if (path[0] == '\0' && (flags & AT_EMPTY_PATH)) {
		*out = inode_get(base != NULL ? base : place->cwd);
		return 0;
	}
	struct walk walk;
	int result = walk_start(&walk, place, base, path);
	if (result == 0)
		result = walk_last(&walk, !(flags & AT_SYMLINK_NOFOLLOW), out);
	walk_end(&walk);
	return result;
}

/* Text that grows towards its front. */
struct backwards {
	char *first, *buffer;
};

static int prepend(struct backwards *text, const char *bytes, size_t length)
{
	if ((size_t)(text->first - text->buffer) < length)
		return -ERANGE;
	text->first -= length;
	memcpy(text->first, bytes, length);
	return 0;
}

/* Prepends "/name" for each directory from `dir` up to the place's root. */
static int prepend_path(const struct vfs_place *place, struct inode *dir, struct backwards *text)
{
	static const char unreachable[] = "(unreachable)/";
	while (dir != place->root) {
		if (dir == dir->fs->root) {
			if (dir->fs->covered == NULL)
				return prepend(text, unreachable, sizeof(unreachable) - 1);
			dir = dir->fs->covered;
			continue;
		}
		struct name name;
		int result = dir->ops->name_of(dir, &name);
		if (result == 0)
			result = prepend(text, name.bytes, name.length);
		if (result == 0)
			result = prepend(text, "/", 1);
		if (result != 0)
			return result;
		dir = dir->ops->parent(dir);
	}
	return 0;
}

int64_t vfs_directory_path(const struct vfs_place *place, struct inode *directory, char *buffer,
                           size_t size)
{
	struct backwards text = { buffer + size, buffer };
	int result = prepend(&text, "", 1);
	if (result == 0)
		result = prepend_path(place, directory, &text);
	if (result == 0 && *text.first == '\0')
		result = prepend(&text, "/", 1);
	if (result != 0)
		return result;
	size_t length = (size_t)(buffer + size - text.first);
	memmove(buffer, text.first, length);
	return (int64_t)length;
}

int64_t vfs_getcwd(const struct vfs_place *place, char *buffer, size_t size)
{
	return vfs_directory_path(place, place->cwd, buffer, size);
}
