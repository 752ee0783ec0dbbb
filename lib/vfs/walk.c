/* walk.c: see walk.h.
 * Source: path_resolution(7); Linux fs/namei.c for the corners. */
#include "lib/vfs/walk.h"

#include "lib/posix/errno.h"

#include <string.h>

/* Goes down to the root of what is mounted on `inode`; its reference moves. */
static inline struct inode *cross(struct inode *inode)
{
	while (inode->mounted != NULL) {
		struct inode *root = inode_get(inode->mounted);
		inode_put(inode);
		inode = root;
	}
	return inode;
}

struct inode *walk_up(const struct vfs_place *place, struct inode *dir)
{
	while (dir != place->root && dir == dir->fs->root && dir->fs->covered != NULL)
		dir = dir->fs->covered;
	if (dir == place->root || dir == dir->fs->root)
		return dir;
	return dir->ops->parent(dir);
}

/* `inode`'s reference passes to the walk. */
static inline void move(struct walk *walk, struct inode *inode)
{
	inode_put(walk->dir);
	walk->dir = inode;
}

static int move_up(struct walk *walk)
{
	struct inode *above = walk_up(walk->place, walk->dir);
	if (above == NULL)
		return -ENOENT;
	/* Something may have been mounted over us since we came here. */
	if (above != walk->place->root)
		move(walk, cross(inode_get(above)));
	else
		move(walk, inode_get(above));
	return 0;
}

/* The link's target and then `rest`, as a path to go on with from walk->dir. */
static int expand(struct walk *walk, struct inode *link, const char *rest, const char **path)
{
	if (link->ops->readlink == NULL)
		return -EINVAL;
	if (walk->links == NULL && (walk->links = env_alloc(2 * PATH_MAX)) == NULL)
		return -ENOMEM;
	bool in_first = (uintptr_t)rest - (uintptr_t)walk->links < PATH_MAX;
	char *half = walk->links + (in_first ? PATH_MAX : 0); /* not where `rest` stands */
	int64_t length = link->ops->readlink(link, half, PATH_MAX);
	if (length <= 0)
		return length < 0 ? (int)length : -ENOENT;
	size_t rest_length = strlen(rest);
	size_t slash = rest_length > 0 && rest[0] != '/';
	if ((size_t)length + slash + rest_length + 1 > PATH_MAX)
		return -ENAMETOOLONG;
	if (slash != 0)
		half[length++] = '/';
	memcpy(half + length, rest, rest_length + 1);
	*path = half;
	return 0;
}

/* Follows `link` (its reference is given up). Either *path is what to go on
 * with, or it is NULL and *out is where the link led. */
static int follow_link(struct walk *walk, struct inode *link, const char *rest, const char **path,
                       struct inode **out)
{
	int result = -ELOOP;
	*path = NULL;
	if (++walk->followed <= SYMLINK_MAX_FOLLOWED) {
		if (link->ops->follow != NULL)
			result = link->ops->follow(link, out);
		else
			result = -ENOSYS;
		if (result == -ENOSYS)
			result = expand(walk, link, rest, path);
	}
	inode_put(link);
	return result;
}

/* One component in the middle. *path is set if it was a link. */
static int step(struct walk *walk, struct name name, const char *rest, const char **path)
{
	struct inode *next;
	*path = NULL;
	int result = walk->dir->ops->lookup(walk->dir, name, &next);
	if (result != 0)
		return result;
	next = cross(next);
	if (inode_is(next, S_IFLNK)) {
		result = follow_link(walk, next, rest, path, &next);
		if (result != 0 || *path != NULL)
			return result;
	}
	if (!inode_is(next, S_IFDIR)) {
		inode_put(next);
		return -ENOTDIR;
	}
	move(walk, next);
	return 0;
}

static inline enum walk_kind classify(struct name name)
{
	if (name.bytes[0] != '.' || name.length > 2)
		return WALK_NAME;
	if (name.length == 1)
		return WALK_DOT;
	return name.bytes[1] == '.' ? WALK_DOTDOT : WALK_NAME;
}

static inline struct name component(const char *path)
{
	const char *p = path;
	uint32_t hash = NAME_HASH_SEED;
	for (; *p != '\0' && *p != '/'; p++)
		hash = (hash ^ (uint8_t)*p) * NAME_HASH_PRIME;
	return (struct name){ path, (uint32_t)(p - path), hash };
}

/* Walks from walk->dir through `path` to its last component. */
static int walk_path(struct walk *walk, const char *path)
{
	const char *start = path;
	for (;;) {
		if (*path == '/' && path == start) {
			move(walk, inode_get(walk->place->root));
			while (*path == '/')
				path++;
			walk->kind = WALK_ROOT;
			walk->slash = true;
		}
		if (*path == '\0')
			return path == start ? -ENOENT : 0;
		struct name name = component(path);
		if (name.length > NAME_MAX)
			return -ENAMETOOLONG;
		const char *after = path + name.length;
		while (*after == '/')
			after++;
		enum walk_kind kind = classify(name);
		if (*after == '\0') {
			walk->last = name;
			walk->kind = kind;
			walk->slash = after != path + name.length;
			return after - start >= PATH_MAX ? -ENAMETOOLONG : 0;
		}
		int result = 0;
		const char *expanded = NULL;
		if (kind == WALK_NAME)
			result = step(walk, name, after, &expanded);
		else if (kind == WALK_DOTDOT)
			result = move_up(walk);
		if (result != 0)
			return result;
		path = after;
		if (expanded != NULL)
			path = start = expanded;
	}
}

int walk_start(struct walk *walk, const struct vfs_place *place, struct inode *base,
               const char *path)
{
	struct inode *dir = base != NULL && *path != '/' ? base : place->cwd;
	walk->place = place;
	walk->dir = inode_get(dir);
	walk->followed = 0;
	walk->create = walk->missing = false;
	walk->links = NULL;
	if (*path != '/' && !inode_is(dir, S_IFDIR))
		return *path == '\0' ? -ENOENT : -ENOTDIR;
	return walk_path(walk, path);
}

int walk_entry(struct walk *walk, struct inode **out)
{
	int result = walk->dir->ops->lookup(walk->dir, walk->last, out);
	walk->missing = result == -ENOENT;
	return result;
}

/* "/", "." and "..". */
static int walk_directory(struct walk *walk, struct inode **out)
{
	int result = walk->kind == WALK_DOTDOT ? move_up(walk) : 0;
	if (result == 0)
		*out = inode_get(walk->dir);
	return result;
}

int walk_last(struct walk *walk, bool follow, struct inode **out)
{
	for (;;) {
		if (walk->kind != WALK_NAME)
			return walk_directory(walk, out);
		if (walk->create && walk->slash)
			return -EISDIR;
		int result = walk_entry(walk, out);
		if (result != 0)
			return result;
		*out = cross(*out);
		if (inode_is(*out, S_IFLNK) && (follow || walk->slash)) {
			const char *path;
			result = follow_link(walk, *out, walk->slash ? "/" : "", &path, out);
			if (result == 0 && path != NULL)
				result = walk_path(walk, path);
			if (result != 0)
				return result;
			if (path != NULL)
				continue;
		}
		if (walk->slash && !inode_is(*out, S_IFDIR)) {
			inode_put(*out);
			return -ENOTDIR;
		}
		return 0;
	}
}

int walk_writable(const struct walk *walk)
{
	if (walk->dir->fs->read_only)
		return -EROFS;
	return walk->dir->links == 0 ? -ENOENT : 0;
}

int walk_create(struct walk *walk, const struct inode_spec *spec, struct inode **out)
{
	int result = walk_writable(walk);
	if (result != 0)
		return result;
	if (walk->dir->ops->create == NULL)
		return -EACCES;
	return walk->dir->ops->create(walk->dir, walk->last, spec, out);
}

void walk_end(struct walk *walk)
{
	inode_put(walk->dir);
	env_free(walk->links);
}
