/* ramfs_node.h: what a ramfs is made of, for its own files: ramfs.c (names and
 * the tree), ramfs_content.c (files' bytes), ramfs_check.c. */
#pragma once

#include "lib/vfs/pagemap.h"
#include "lib/vfs/ramfs.h"

enum {
	RAMFS_COOKIE_PARENT = 1, /* 0 is ".", 1 "..", children from 2 */
	RAMFS_COOKIE_FIRST = 2,
	RAMFS_BLOCKS_PER_PAGE = ENV_PAGE / 512,
};

struct entry {
	struct entry *next_in_bucket;
	struct entry *previous, *next; /* in the directory */
	struct node *directory, *node;
	uint64_t cookie;
	uint32_t hash;
	uint32_t length;
	char bytes[];
};

struct directory {
	struct entry *first, *last;
	struct entry *resume;    /* where the last getdents stopped, or NULL */
	struct entry *entry;     /* its own; NULL for the root and when removed */
	uint64_t children;
	uint64_t next_cookie;
};

struct node {
	struct inode inode;
	bool lent;               /* pages were given out since it was last held by nobody */
	bool surplus;            /* so a truncation left pages past the end */
	union {
		struct directory directory;
		struct pagemap pages;
		char *target;        /* of a link; inode.size bytes */
	};
};

struct ramfs {
	struct fs fs;
	struct entry **buckets;
	uint32_t bucket_mask;
	uint64_t entries, nodes, pages;
	uint64_t page_limit;
	uint64_t next_number;
};

static inline struct node *node_of(const struct inode *inode)
{
	return (struct node *)inode;
}

static inline struct ramfs *ramfs_of(const struct inode *inode)
{
	return (struct ramfs *)inode->fs;
}

static inline uint64_t pages_of(uint64_t size)
{
	return size / ENV_PAGE + (size % ENV_PAGE != 0);
}

/* The link that leads to the entry of that name: *result is NULL if there is
 * none. */
struct entry **ramfs_find(const struct ramfs *ram, const struct node *directory,
                          struct name name);
uint32_t ramfs_bucket(const struct ramfs *ram, const struct node *directory, uint32_t hash);

/* Regular files' operations; what to do when nobody holds one any more; and the
 * end of its content. */
extern const struct inode_ops ramfs_file_ops;
void ramfs_content_returned(struct node *node);
void ramfs_content_free(struct node *node);

/* The last reference to a node of any kind is gone. */
void ramfs_release(struct inode *inode);
