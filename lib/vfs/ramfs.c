/* ramfs.c: see ramfs.h.
 *
 * What must always hold (ramfs_check): every entry is in the bucket of its
 * directory and name, and in its directory's list in the order of cookies; a
 * directory has exactly one entry, or is the root, or was removed (links 0); a
 * node lives while it has links or references. */
#include "lib/vfs/ramfs_node.h"

#include "lib/posix/errno.h"
#include "lib/vfs/dirent.h"

#include <string.h>

enum { BUCKETS_FIRST = 64 };

static const struct inode_ops directory_ops, link_ops, special_ops;

/* -- names -- */

static inline uint32_t bucket_of(const struct ramfs *ram, const struct node *directory,
                                 uint32_t hash)
{
	uint64_t mixed = (hash ^ directory->inode.number * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
	return (uint32_t)(mixed >> 32) & ram->bucket_mask;
}

/* Do the `size` bytes at a and b match? */
static inline bool same_word(const char *a, const char *b, size_t size)
{
	uint64_t x = 0, y = 0;
	__builtin_memcpy(&x, a, size);
	__builtin_memcpy(&y, b, size);
	return x == y;
}

/* By words, the last of which may overlap the one before. */
static inline bool same_bytes(const char *a, const char *b, uint32_t length)
{
	if (length >= 8) {
		for (uint32_t i = 0; i < length - 8; i += 8)
			if (!same_word(a + i, b + i, 8))
				return false;
		return same_word(a + length - 8, b + length - 8, 8);
	}
	if (length >= 4)
		return same_word(a, b, 4) && same_word(a + length - 4, b + length - 4, 4);
	if (length >= 2)
		return same_word(a, b, 2) && a[length - 1] == b[length - 1];
	return a[0] == b[0];
}

/* The link that leads to the entry: *result is NULL if there is none. */
static inline struct entry **find(const struct ramfs *ram, const struct node *directory,
                                  struct name name)
{
	struct entry **link = &ram->buckets[bucket_of(ram, directory, name.hash)];
	for (; *link != NULL; link = &(*link)->next_in_bucket) {
		const struct entry *entry = *link;
		if (entry->hash == name.hash && entry->directory == directory &&
		    entry->length == name.length && same_bytes(entry->bytes, name.bytes, name.length))
			break;
	}
	return link;
}

struct entry **ramfs_find(const struct ramfs *ram, const struct node *directory,
                          struct name name)
{
	return find(ram, directory, name);
}

uint32_t ramfs_bucket(const struct ramfs *ram, const struct node *directory, uint32_t hash)
{
	return bucket_of(ram, directory, hash);
}

/* Twice the buckets; without memory the chains just grow longer. */
static void grow_buckets(struct ramfs *ram)
{
	uint32_t old_count = ram->bucket_mask + 1;
	struct entry **old = ram->buckets;
	struct entry **buckets = env_alloc(2 * (size_t)old_count * sizeof(*buckets));
	if (buckets == NULL)
		return;
	ram->buckets = buckets;
	ram->bucket_mask = 2 * old_count - 1;
	for (uint32_t i = 0; i < old_count; i++) {
		struct entry *next;
		for (struct entry *entry = old[i]; entry != NULL; entry = next) {
			next = entry->next_in_bucket;
			struct entry **head = &buckets[bucket_of(ram, entry->directory, entry->hash)];
			entry->next_in_bucket = *head;
			*head = entry;
		}
	}
	env_free(old);
}

static struct entry *entry_alloc(struct name name)
{
	struct entry *entry = env_alloc(sizeof(*entry) + name.length);
	if (entry == NULL)
		return NULL;
	entry->hash = name.hash;
	entry->length = name.length;
	memcpy(entry->bytes, name.bytes, name.length);
	return entry;
}

/* Hangs `entry` for `node` into `dir`. Cannot fail. */
static void entry_insert(struct ramfs *ram, struct node *dir, struct entry *entry,
                         struct node *node)
{
	struct directory *directory = &dir->directory;
	if (ram->entries > ram->bucket_mask)
		grow_buckets(ram);
	struct entry **head = &ram->buckets[bucket_of(ram, dir, entry->hash)];
	entry->next_in_bucket = *head;
	*head = entry;
	entry->directory = dir;
	entry->node = node;
	entry->cookie = directory->next_cookie++;
	entry->previous = directory->last;
	entry->next = NULL;
	*(directory->last != NULL ? &directory->last->next : &directory->first) = entry;
	directory->last = entry;
	directory->children++;
	ram->entries++;
	if (inode_is(&node->inode, S_IFDIR)) {
		node->directory.entry = entry;
		dir->inode.links++;
	}
	inode_touch_modified(&dir->inode);
}

/* Takes the entry at *link out of its directory and frees it. */
static void entry_remove(struct ramfs *ram, struct entry **link)
{
	struct entry *entry = *link;
	struct node *dir = entry->directory;
	struct directory *directory = &dir->directory;
	*link = entry->next_in_bucket;
	*(entry->previous != NULL ? &entry->previous->next : &directory->first) = entry->next;
	*(entry->next != NULL ? &entry->next->previous : &directory->last) = entry->previous;
	if (directory->resume == entry)
		directory->resume = entry->next;
	directory->children--;
	ram->entries--;
	if (inode_is(&entry->node->inode, S_IFDIR)) {
		entry->node->directory.entry = NULL;
		dir->inode.links--;
	}
	inode_touch_modified(&dir->inode);
	env_free(entry);
}

/* -- nodes -- */

static const struct inode_ops *ops_for(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return &directory_ops;
	case S_IFREG:
		return &ramfs_file_ops;
	case S_IFLNK:
		return &link_ops;
	default:
		return &special_ops;
	}
}

/* A node with one reference and no link. NULL: no memory. */
static struct node *node_create(struct ramfs *ram, const struct inode_spec *spec)
{
	struct node *node = env_alloc(sizeof(*node));
	if (node == NULL)
		return NULL;
	struct inode *inode = &node->inode;
	if ((spec->mode & S_IFMT) == S_IFLNK) {
		node->target = env_alloc(spec->target_length);
		if (node->target == NULL) {
			env_free(node);
			return NULL;
		}
		memcpy(node->target, spec->target, spec->target_length);
		inode->size = spec->target_length;
	}
	inode->ops = ops_for(spec->mode);
	inode->fs = &ram->fs;
	inode->mode = spec->mode;
	inode->uid = spec->uid;
	inode->gid = spec->gid;
	inode->device = spec->device;
	inode->number = ram->next_number++;
	inode->accessed = inode->modified = inode->changed = (int64_t)env_realtime();
	if (inode_is(inode, S_IFDIR))
		node->directory.next_cookie = RAMFS_COOKIE_FIRST;
	ram->nodes++;
	inode_get(inode);
	return node;
}

static void node_free(struct node *node)
{
	struct ramfs *ram = ramfs_of(&node->inode);
	if (inode_is(&node->inode, S_IFREG)) {
		ramfs_content_free(node);
	} else if (inode_is(&node->inode, S_IFLNK)) {
		env_free(node->target);
	}
	ram->nodes--;
	env_free(node);
}

void ramfs_release(struct inode *inode)
{
	inode->fs->held--;
	if (inode->links == 0)
		node_free(node_of(inode));
	else if (inode_is(inode, S_IFREG))
		ramfs_content_returned(node_of(inode));
}

/* -- directory operations -- */

static int lookup(struct inode *dir, struct name name, struct inode **out)
{
	struct entry *entry = *find(ramfs_of(dir), node_of(dir), name);
	if (entry == NULL)
		return -ENOENT;
	*out = inode_get(&entry->node->inode);
	return 0;
}

static int create(struct inode *dir, struct name name, const struct inode_spec *spec,
                  struct inode **out)
{
	struct ramfs *ram = ramfs_of(dir);
	struct entry *entry = entry_alloc(name);
	struct node *node = entry != NULL ? node_create(ram, spec) : NULL;
	if (node == NULL) {
		env_free(entry);
		return -ENOMEM;
	}
	node->inode.links = inode_is(&node->inode, S_IFDIR) ? 2 : 1;
	entry_insert(ram, node_of(dir), entry, node);
	*out = &node->inode;
	return 0;
}

static int link_node(struct inode *dir, struct name name, struct inode *inode)
{
	struct entry *entry = entry_alloc(name);
	if (entry == NULL)
		return -ENOMEM;
	inode->links++;
	inode_touch_changed(inode);
	entry_insert(ramfs_of(dir), node_of(dir), entry, node_of(inode));
	return 0;
}

/* The name that led to it is gone; whoever called holds a reference. */
static void drop_link(struct inode *inode)
{
	inode->links = inode_is(inode, S_IFDIR) ? 0 : inode->links - 1;
	inode_touch_changed(inode);
}

static bool is_empty(const struct inode *inode)
{
	return !inode_is(inode, S_IFDIR) || node_of(inode)->directory.children == 0;
}

static int unlink_node(struct inode *dir, struct name name, struct inode *inode)
{
	if (!is_empty(inode))
		return -ENOTEMPTY;
	struct ramfs *ram = ramfs_of(dir);
	entry_remove(ram, find(ram, node_of(dir), name));
	drop_link(inode);
	return 0;
}

static int rename_node(struct inode *dir, struct name name, struct inode *inode,
                       struct inode *new_dir, struct name new_name, struct inode *victim)
{
	if (victim != NULL && !is_empty(victim))
		return -ENOTEMPTY;
	struct ramfs *ram = ramfs_of(dir);
	struct entry *entry = entry_alloc(new_name);
	if (entry == NULL)
		return -ENOMEM;
	if (victim != NULL) {
		entry_remove(ram, find(ram, node_of(new_dir), new_name));
		drop_link(victim);
	}
	entry_remove(ram, find(ram, node_of(dir), name));
	entry_insert(ram, node_of(new_dir), entry, node_of(inode));
	inode_touch_changed(inode);
	return 0;
}

static struct inode *parent(struct inode *dir)
{
	if (dir == dir->fs->root)
		return dir;
	struct entry *entry = node_of(dir)->directory.entry;
	return entry != NULL ? &entry->directory->inode : NULL;
}

static int name_of(struct inode *dir, struct name *out)
{
	struct entry *entry = node_of(dir)->directory.entry;
	if (entry == NULL)
		return -ENOENT;
	*out = (struct name){ entry->bytes, entry->length, entry->hash };
	return 0;
}

/* The first child whose cookie is at least `cookie`. */
static struct entry *child_from(const struct directory *directory, uint64_t cookie)
{
	struct entry *entry = directory->resume;
	if (entry == NULL || entry->cookie < cookie ||
	    (entry->previous != NULL && entry->previous->cookie >= cookie))
		entry = directory->first;
	while (entry != NULL && entry->cookie < cookie)
		entry = entry->next;
	return entry;
}

static int put_dots(struct inode *dir, struct dirent_writer *writer, uint64_t *cookie)
{
	if (*cookie == 0) {
		int result = dirent_put(writer, name_from(".", 1), dir->number, S_IFDIR,
		                        RAMFS_COOKIE_PARENT);
		if (result != 0)
			return result;
		*cookie = RAMFS_COOKIE_PARENT;
	}
	if (*cookie == RAMFS_COOKIE_PARENT) {
		struct inode *above = parent(dir);
		uint64_t number = above != NULL ? above->number : dir->number;
		int result = dirent_put(writer, name_from("..", 2), number, S_IFDIR, RAMFS_COOKIE_FIRST);
		if (result != 0)
			return result;
		*cookie = RAMFS_COOKIE_FIRST;
	}
	return 0;
}

static int64_t getdents(struct inode *dir, uint64_t *cookie, void *buffer, size_t size)
{
	struct directory *directory = &node_of(dir)->directory;
	struct dirent_writer writer = { buffer, size, 0 };
	int result = put_dots(dir, &writer, cookie);
	if (result != 0)
		return dirent_result(&writer, result);
	struct entry *entry = child_from(directory, *cookie);
	for (; entry != NULL; entry = entry->next) {
		uint64_t next = entry->cookie + 1;
		const struct inode *inode = &entry->node->inode;
		struct name name = { entry->bytes, entry->length, entry->hash };
		result = dirent_put(&writer, name, inode->number, inode->mode, next);
		if (result != 0)
			break;
		*cookie = next;
	}
	directory->resume = entry;
	return dirent_result(&writer, result);
}

/* -- links -- */

static int64_t readlink(struct inode *link, char *buffer, size_t size)
{
	size_t length = link->size < size ? link->size : size;
	memcpy(buffer, node_of(link)->target, length);
	return (int64_t)length;
}

/* -- open files -- */

static int64_t file_getdents_directory(struct file *file, void *buffer, size_t size)
{
	if (file->inode->links == 0)
		return -ENOENT;
	return file->inode->ops->getdents(file->inode, &file->offset, buffer, size);
}

static const struct file_ops directory_files = { .getdents = file_getdents_directory };

static int open_directory(struct inode *inode, struct file *file)
{
	(void)inode;
	file->ops = &directory_files;
	return 0;
}

static const struct inode_ops directory_ops = {
	.lookup = lookup, .create = create, .link = link_node, .unlink = unlink_node,
	.rename = rename_node, .parent = parent, .name_of = name_of, .getdents = getdents,
	.open = open_directory, .release = ramfs_release,
};
static const struct inode_ops link_ops = { .readlink = readlink, .release = ramfs_release };
static const struct inode_ops special_ops = { .release = ramfs_release };

/* -- the file system -- */

static int ramfs_statfs(struct fs *fs, struct statfs *out)
{
	const struct ramfs *ram = (const struct ramfs *)fs;
	out->f_type = TMPFS_MAGIC;
	out->f_blocks = ram->page_limit;
	out->f_bfree = out->f_bavail = ram->page_limit - (ram->page_limit != 0 ? ram->pages : 0);
	return 0;
}

static void destroy(struct fs *fs)
{
	struct ramfs *ram = (struct ramfs *)fs;
	for (uint32_t i = 0; i <= ram->bucket_mask; i++) {
		struct entry *next;
		for (struct entry *entry = ram->buckets[i]; entry != NULL; entry = next) {
			struct node *node = entry->node;
			next = entry->next_in_bucket;
			env_free(entry);
			if (inode_is(&node->inode, S_IFDIR) || --node->inode.links == 0)
				node_free(node);
		}
	}
	node_free(node_of(fs->root));
	env_free(ram->buckets);
	env_free(ram);
}

int ramfs_create(uint64_t page_limit, struct fs **out)
{
	struct ramfs *ram = env_alloc(sizeof(*ram));
	if (ram == NULL)
		return -ENOMEM;
	ram->fs.type = "tmpfs";
	ram->fs.statfs = ramfs_statfs;
	ram->fs.destroy = destroy;
	ram->page_limit = page_limit;
	ram->next_number = 1;
	ram->bucket_mask = BUCKETS_FIRST - 1;
	ram->buckets = env_alloc(BUCKETS_FIRST * sizeof(*ram->buckets));
	struct node *root = NULL;
	if (ram->buckets != NULL)
		root = node_create(ram, &(struct inode_spec){ .mode = S_IFDIR | 0755 });
	if (root == NULL) {
		env_free(ram->buckets);
		env_free(ram);
		return -ENOMEM;
	}
	root->inode.links = 2;
	ram->fs.root = &root->inode;
	*out = &ram->fs;
	return 0;
}
