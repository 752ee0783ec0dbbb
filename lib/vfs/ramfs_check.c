/* ramfs_check.c: the whole-structure checker of a ramfs. See ramfs.h. */
#include "lib/vfs/ramfs_node.h"

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void check_directory(const struct ramfs *ram, struct node *node)
{
	const struct directory *directory = &node->directory;
	uint64_t children = 0, subdirectories = 0, cookie = RAMFS_COOKIE_PARENT;
	bool resume_found = directory->resume == NULL;
	const struct entry *previous = NULL;
	for (struct entry *entry = directory->first; entry != NULL; entry = entry->next) {
		struct name name = { entry->bytes, entry->length, entry->hash };
		check(entry->previous == previous && entry->directory == node);
		check(entry->cookie > cookie && entry->cookie < directory->next_cookie);
		check(name_from(name.bytes, name.length).hash == entry->hash);
		check(*ramfs_find(ram, node, name) == entry);
		cookie = entry->cookie;
		previous = entry;
		children++;
		subdirectories += inode_is(&entry->node->inode, S_IFDIR);
		resume_found |= entry == directory->resume;
	}
	check(directory->last == previous && directory->children == children && resume_found);
	check(node->inode.links == 0 ? children == 0 : node->inode.links == 2 + subdirectories);
	check((directory->entry == NULL) ==
	      (node->inode.links == 0 || &node->inode == ram->fs.root));
}

static void check_node(const struct ramfs *ram, struct node *node)
{
	inode_check(&node->inode);
	check(node->inode.fs == &ram->fs && node->inode.number < ram->next_number);
	check(node->inode.links > 0);
	if (inode_is(&node->inode, S_IFREG)) {
		pagemap_check(&node->pages);
		check(node->inode.blocks == node->pages.count * RAMFS_BLOCKS_PER_PAGE);
		check(node->surplus || pagemap_get(&node->pages, pages_of(node->inode.size)) == NULL);
	} else if (inode_is(&node->inode, S_IFDIR)) {
		check_directory(ram, node);
	}
}

uint64_t ramfs_check(struct fs *fs)
{
	const struct ramfs *ram = (const struct ramfs *)fs;
	uint64_t entries = 0, directories = 0, children = node_of(fs->root)->directory.children;
	check_node(ram, node_of(fs->root));
	for (uint32_t i = 0; i <= ram->bucket_mask; i++) {
		for (struct entry *entry = ram->buckets[i]; entry != NULL; entry = entry->next_in_bucket) {
			struct node *node = entry->node;
			check(ramfs_bucket(ram, entry->directory, entry->hash) == i);
			check_node(ram, node);
			entries++;
			if (inode_is(&node->inode, S_IFDIR)) {
				check(node->directory.entry == entry);
				directories++;
				children += node->directory.children;
			}
		}
	}
	/* Every entry stands in a directory that can be reached. */
	check(entries == ram->entries && children == entries);
	check(fs->held >= 1 && fs->held <= ram->nodes && ram->nodes >= directories + 1);
	return ram->nodes;
}
