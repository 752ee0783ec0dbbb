/* io.h: blocking reads and writes, over lib/'s that do not block. With the lock
 * held; it is dropped while they wait. */
#pragma once

#include "lib/vfs/fdtable.h"

#include <stdbool.h>

/* The current process's file, borrowed, or NULL. */
struct file *io_file(uint64_t fd);

/* After a try that gave *result: true if it is to be tried again now. Else
 * *result is the answer. The caller keeps the file meanwhile. */
bool io_wait(struct wait *wait, int64_t *result);

int64_t io_read(struct file *file, void *buffer, size_t size);
int64_t io_write(struct file *file, const void *buffer, size_t size);
