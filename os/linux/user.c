/* user.c: strings from the program, and lib/'s way to its memory. */
#include "os/linux/user.h"

#include "lib/posix/env.h"

int64_t user_read_string(char *to, uint64_t from, size_t size, int64_t too_long)
{
	int64_t length;
	size_t most = size;

	if (from >= PROGRAM_END)
		return -EFAULT;
	if (most > PROGRAM_END - from)
		most = PROGRAM_END - from;
	length = user_string(to, (const char *)from, most);
	if (length == (int64_t)most)
		return most == size ? too_long : -EFAULT;
	return length;
}

int env_copy(void *to, const void *from, size_t size)
{
	return user_copy(to, from, size);
}

int env_clear(void *to, size_t size)
{
	return user_clear(to, size);
}
