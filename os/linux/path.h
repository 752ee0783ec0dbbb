/* path.h: a path that a program gave, in the module's memory. Most are short,
 * and need no allocation. */
#pragma once

#include "os/linux/task.h"

enum { PATH_SHORT = 128 };

struct path {
	char *string;
	struct inode *base; /* what it starts from, borrowed; NULL: the working directory */
	char few[PATH_SHORT];
};

/* Reads it; `fd` is the *at calls' first argument. 0 or -EFAULT,
 * -ENAMETOOLONG, -EBADF, -ENOMEM: then there is nothing to free. */
int path_read(struct path *path, uint64_t fd, uint64_t address);
void path_free(struct path *path);

/* The other calls' first argument: as if AT_FDCWD had been given. */
#define PATH_CWD ((uint64_t)AT_FDCWD)
