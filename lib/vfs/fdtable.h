/* fdtable.h: a process's descriptors.
 *
 * A table is counted, so that threads can share it; fork clones it, and then
 * the files in it are shared by their own counts. It grows up to `limit`
 * (RLIMIT_NOFILE), and its slots come lowest first. */
#pragma once

#include "lib/vfs/file.h"

enum { FDTABLE_LIMIT = 1024, FDTABLE_LIMIT_MAX = 1 << 20, FDTABLE_FIRST = 16, FDTABLE_ROOM = 64 };

struct fdtable {
	uint32_t references;
	uint32_t limit;           /* no descriptor at or above it is handed out */
	uint32_t capacity;
	uint32_t lowest_free;     /* every descriptor below is taken */
	struct file **files;      /* NULL: free */
	uint8_t *close_on_exec;   /* one byte each */
	struct file *first_files[FDTABLE_FIRST];
	uint8_t first_close_on_exec[FDTABLE_FIRST];
};

struct fdtable *fdtable_create(void); /* NULL: no memory */
struct fdtable *fdtable_clone(const struct fdtable *table); /* for fork; NULL: no memory */
static inline struct fdtable *fdtable_get(struct fdtable *table)
{
	table->references++;
	return table;
}
void fdtable_put(struct fdtable *table); /* the last one closes everything */

/* The file, borrowed, or NULL. */
static inline struct file *fdtable_file(const struct fdtable *table, int64_t fd)
{
	return (uint64_t)fd < table->capacity ? table->files[fd] : NULL;
}

/* How many descriptors there is room for as select(2) shows it: Linux starts with
 * 64, doubles as they are needed, and begins anew only in a clone. */
static inline uint32_t fdtable_room(const struct fdtable *table)
{
	return table->capacity > FDTABLE_ROOM ? table->capacity : FDTABLE_ROOM;
}

/* The lowest free descriptor >= from, with room for it, for fdtable_set. -EMFILE,
 * -ENOMEM. */
int fdtable_find_free(struct fdtable *table, uint32_t from);
/* Puts `file` (its reference passes to the table) there; flags: O_CLOEXEC. */
void fdtable_set(struct fdtable *table, uint32_t fd, struct file *file, uint32_t flags);

/* Puts `file` (its reference passes to the table) at the lowest free
 * descriptor >= from; flags: O_CLOEXEC. -EMFILE, -ENOMEM, and -EINVAL for
 * `from` beyond the limit: then the reference stays the caller's. */
int fdtable_insert(struct fdtable *table, struct file *file, uint32_t from, uint32_t flags);
/* Takes it out; *out's reference is the caller's, to file_put. -EBADF. */
int fdtable_remove(struct fdtable *table, int64_t fd, struct file **out);

int fdtable_close(struct fdtable *table, int64_t fd);
int fdtable_close_range(struct fdtable *table, uint32_t first, uint32_t last, bool only_mark);
int fdtable_dup(struct fdtable *table, int64_t fd);
int fdtable_dup2(struct fdtable *table, int64_t fd, int64_t to);
int fdtable_dup3(struct fdtable *table, int64_t fd, int64_t to, uint32_t flags);
/* F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, pipe sizes;
 * -EINVAL for any other command. */
int64_t fdtable_fcntl(struct fdtable *table, int64_t fd, uint32_t command, uint64_t argument);
void fdtable_exec(struct fdtable *table); /* closes what is close-on-exec */

/* The *at calls' first argument: *base is NULL for AT_FDCWD and for absolute
 * paths, else the descriptor's inode, borrowed. -EBADF. */
int fdtable_base(const struct fdtable *table, int64_t fd, const char *path, struct inode **base);
