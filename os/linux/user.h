/* user.h: memory that a program named.
 *
 * A program's pointer is an allegation. user_range() says whether it lies in
 * the program's half at all; only then may it be given to the copying
 * functions, which answer -EFAULT where nothing legal is mapped. A legal page
 * that is not there yet is filled on the way. Each structure is copied once,
 * and only the copy is looked at. */
#pragma once

#include "abi/module.h"
#include "lib/posix/errno.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool user_range(uint64_t address, uint64_t size)
{
	return address <= PROGRAM_END && size <= PROGRAM_END - address;
}

/* entry.S. Neither checks the range. 0 or -EFAULT. */
int user_copy(void *to, const void *from, size_t size);
int user_clear(void *to, size_t size);
int64_t user_string(char *to, const char *from, size_t size);

static inline int user_read(void *to, uint64_t from, size_t size)
{
	return user_range(from, size) ? user_copy(to, (const void *)from, size) : -EFAULT;
}

static inline int user_write(uint64_t to, const void *from, size_t size)
{
	return user_range(to, size) ? user_copy((void *)to, from, size) : -EFAULT;
}

/* A NUL-terminated string into `size` bytes: its length, -EFAULT, or `too_long`
 * if there is no NUL among the first `size` bytes. */
int64_t user_read_string(char *to, uint64_t from, size_t size, int64_t too_long);
