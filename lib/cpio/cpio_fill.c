/* cpio_fill.c: a ramfs from an archive. See cpio.h. */
#include "lib/cpio/cpio.h"

#include "lib/posix/errno.h"
#include "lib/vfs/ramfs.h"

#include <string.h>

enum { LINK_BUCKETS = 1024, NANOSECONDS = 1000000000, MODE_BITS = 07777 };

/* A file with several names, met for the first time. */
struct known {
	struct known *next;
	uint32_t archive, inode, dev_major, dev_minor;
	struct inode *file; /* referenced */
};

struct filler {
	struct vfs vfs;          /* for the time of filling: links in paths are followed */
	struct vfs_place place;
	char *path;              /* PATH_MAX: the entry's, NUL-terminated, from "/" */
	char *target;            /* PATH_MAX: a link's */
	struct known *known[LINK_BUCKETS];
};

static struct known **known_slot(struct filler *filler, const struct cpio_entry *entry)
{
	uint32_t hash = (entry->inode ^ entry->archive << 16 ^ entry->dev_minor << 24) * 2654435761u;
	struct known **slot = &filler->known[hash >> 22];
	_Static_assert(LINK_BUCKETS == 1 << (32 - 22), "the hash's upper bits");
	for (; *slot != NULL; slot = &(*slot)->next)
		if ((*slot)->inode == entry->inode && (*slot)->archive == entry->archive &&
		    (*slot)->dev_major == entry->dev_major && (*slot)->dev_minor == entry->dev_minor)
			break;
	return slot;
}

/* Makes the directories above the path that are not there. */
static int make_parents(struct filler *filler)
{
	for (char *slash = filler->path + 1; *slash != '\0'; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		int result = vfs_mkdir(&filler->place, NULL, filler->path, 0755);
		*slash = '/';
		if (result != 0 && result != -EEXIST)
			return result;
	}
	return 0;
}

static int set_attributes(struct inode *inode, const struct cpio_entry *entry)
{
	int64_t time = (int64_t)entry->mtime * NANOSECONDS;
	int result = vfs_inode_chown(inode, entry->uid, entry->gid);
	if (result == 0 && !inode_is(inode, S_IFLNK))
		result = vfs_inode_chmod(inode, entry->mode & MODE_BITS);
	if (result == 0)
		result = vfs_inode_utimens(inode, time, time);
	return result;
}

static int set_content(struct inode *inode, const struct cpio_entry *entry)
{
	void *content;
	int result = vfs_inode_truncate(inode, 0);
	if (result != 0 || entry->content_size == 0)
		return result;
	result = ramfs_reserve(inode, entry->content_size, &content);
	if (result == 0)
		memcpy(content, entry->content, entry->content_size);
	return result;
}

/* Whatever stands at the path gives way, but for a directory. */
static int clear_path(struct filler *filler)
{
	int result = vfs_unlink(&filler->place, NULL, filler->path, 0);
	return result == -ENOENT ? 0 : result;
}

/* Makes the link, the node or the empty file. *out is referenced. */
static int make_node(struct filler *filler, const struct cpio_entry *entry, struct inode **out)
{
	const struct vfs_place *place = &filler->place;
	int result;
	if ((entry->mode & S_IFMT) == S_IFLNK) {
		if (entry->content_size >= PATH_MAX)
			return -ENAMETOOLONG;
		memcpy(filler->target, entry->content, entry->content_size);
		filler->target[entry->content_size] = '\0';
		result = vfs_symlink(place, filler->target, NULL, filler->path);
	} else {
		result = vfs_mknod(place, NULL, filler->path, entry->mode,
		                   device_number(entry->rdev_major, entry->rdev_minor));
	}
	if (result != 0)
		return result;
	return vfs_lookup(place, NULL, filler->path, AT_SYMLINK_NOFOLLOW, out);
}

static int fill_directory(struct filler *filler, const struct cpio_entry *entry)
{
	struct inode *inode;
	int result = vfs_mkdir(&filler->place, NULL, filler->path, entry->mode);
	if (result == -EEXIST) /* the root, too */
		result = 0;
	if (result == 0)
		result = vfs_lookup(&filler->place, NULL, filler->path, 0, &inode);
	if (result != 0)
		return result;
	result = inode_is(inode, S_IFDIR) ? set_attributes(inode, entry) : -ENOTDIR;
	inode_put(inode);
	return result;
}

/* One more name for a file met before. Its content comes with whichever name
 * has any. */
static int fill_link(struct filler *filler, const struct cpio_entry *entry, struct inode *file)
{
	struct inode *there;
	int result = vfs_lookup(&filler->place, NULL, filler->path, AT_SYMLINK_NOFOLLOW, &there);
	bool same = result == 0 && there == file;
	if (result == 0)
		inode_put(there);
	if (!same) {
		result = clear_path(filler);
		/* The file itself is the base, so no path to it need be known. */
		if (result == 0 && file->links == 0)
			result = -ENOENT;
		if (result == 0)
			result = vfs_link(&filler->place, file, "", NULL, filler->path, AT_EMPTY_PATH);
		if (result != 0)
			return result;
	}
	if (inode_is(file, S_IFREG) && entry->content_size > 0) {
		result = set_content(file, entry);
		if (result == 0)
			result = set_attributes(file, entry);
	}
	return result;
}

static int remember(const struct cpio_entry *entry, struct known **slot, struct inode *file)
{
	struct known *known = env_alloc(sizeof(*known));
	if (known == NULL)
		return -ENOMEM;
	*known = (struct known){ NULL, entry->archive, entry->inode, entry->dev_major,
	                         entry->dev_minor, inode_get(file) };
	*slot = known;
	return 0;
}

static int fill_file(struct filler *filler, const struct cpio_entry *entry)
{
	struct known **slot = known_slot(filler, entry);
	bool linked = entry->links > 1;
	struct inode *inode;
	if (linked && *slot != NULL && (*slot)->file->links > 0)
		return fill_link(filler, entry, (*slot)->file);
	int result = clear_path(filler);
	if (result == 0)
		result = make_node(filler, entry, &inode);
	if (result != 0)
		return result;
	if (inode_is(inode, S_IFREG))
		result = set_content(inode, entry);
	if (result == 0)
		result = set_attributes(inode, entry);
	if (result == 0 && linked && *slot == NULL)
		result = remember(entry, slot, inode);
	inode_put(inode);
	return result;
}

static int fill_entry(struct filler *filler, const struct cpio_entry *entry)
{
	if (entry->path_length + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	filler->path[0] = '/';
	memcpy(filler->path + 1, entry->path, entry->path_length);
	filler->path[entry->path_length + 1] = '\0';
	int result = make_parents(filler);
	if (result != 0)
		return result;
	if ((entry->mode & S_IFMT) == S_IFDIR)
		return fill_directory(filler, entry);
	return entry->path_length > 0 ? fill_file(filler, entry) : -EISDIR;
}

static int fill_all(struct filler *filler, const void *bytes, size_t size, const char **error)
{
	struct cpio_reader reader;
	struct cpio_entry entry;
	cpio_start(&reader, bytes, size);
	for (;;) {
		enum status status = cpio_next(&reader, &entry);
		if (status == STATUS_NOT_FOUND)
			return 0;
		if (status != STATUS_OK) {
			*error = reader.error;
			return -EINVAL;
		}
		int result = fill_entry(filler, &entry);
		if (result != 0) {
			*error = "an entry could not be made";
			return result;
		}
	}
}

static void forget_all(struct filler *filler)
{
	for (unsigned i = 0; i < LINK_BUCKETS; i++) {
		struct known *next;
		for (struct known *known = filler->known[i]; known != NULL; known = next) {
			next = known->next;
			inode_put(known->file);
			env_free(known);
		}
	}
}

int ramfs_fill_from_cpio(struct fs *fs, const void *bytes, size_t size, const char **error)
{
	const char *ignored;
	if (error == NULL)
		error = &ignored;
	*error = "no memory";
	struct filler *filler = env_alloc(sizeof(*filler));
	if (filler == NULL)
		return -ENOMEM;
	int result = -ENOMEM;
	filler->path = env_alloc(PATH_MAX);
	filler->target = env_alloc(PATH_MAX);
	if (filler->path != NULL && filler->target != NULL) {
		vfs_init(&filler->vfs, fs);
		vfs_place_init(&filler->vfs, &filler->place);
		filler->place.umask = 0;
		result = fill_all(filler, bytes, size, error);
		forget_all(filler);
		vfs_place_drop(&filler->place);
		fs->vfs = NULL; /* it is nowhere mounted again */
	}
	env_free(filler->path);
	env_free(filler->target);
	env_free(filler);
	if (result == 0)
		*error = NULL;
	return result;
}
