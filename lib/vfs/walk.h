/* walk.h: from a path to the inode, or to the place where it would be.
 *
 * A walk goes through all components but the last, crossing mounts and
 * following links, to the directory `dir`; what happens to `last` is up to the
 * caller. Nothing is allocated until a symbolic link is met. Always walk_end(),
 * whatever walk_start() said. */
#pragma once

#include "lib/vfs/vfs.h"

enum walk_kind {
	WALK_NAME,   /* `last` is a name to be looked up in `dir` */
	WALK_ROOT,   /* the path was "/": dir itself is meant */
	WALK_DOT,    /* "." likewise */
	WALK_DOTDOT, /* the directory above `dir` is meant */
};

struct walk {
	const struct vfs_place *place;
	struct inode *dir;      /* referenced; a directory */
	struct name last;       /* WALK_NAME; in the path given, or in `links` */
	enum walk_kind kind;
	bool slash;             /* the path ends with one: a directory is meant */
	bool create;            /* set by who will make a file: then a slash is -EISDIR */
	bool missing;           /* walk_last: `last` is not there, though `dir` is */
	uint32_t followed;
	char *links;            /* two halves of PATH_MAX, used in turn for expansion */
};

int walk_start(struct walk *walk, const struct vfs_place *place, struct inode *base,
               const char *path);

/* What the path names. A link at the end is followed if `follow`, or if a slash
 * comes after it; dir and last then move along. *out is referenced. */
int walk_last(struct walk *walk, bool follow, struct inode **out);

/* What stands at `last` in `dir` itself: no link followed, no mount crossed.
 * Only for WALK_NAME. */
int walk_entry(struct walk *walk, struct inode **out);

/* 0 if names in `dir` can be changed; -EROFS, -ENOENT (it was removed). */
int walk_writable(const struct walk *walk);

/* Makes `last` in `dir`; it is known to be free. */
int walk_create(struct walk *walk, const struct inode_spec *spec, struct inode **out);

void walk_end(struct walk *walk);

/* The directory above, borrowed: `..` of the root is the root, and of a mounted
 * file system's root that of the directory it covers. NULL: it was removed. */
struct inode *walk_up(const struct vfs_place *place, struct inode *dir);
