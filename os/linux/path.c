/* path.c: see path.h. */
#include "os/linux/path.h"

#include "lib/posix/fcntl.h"
#include "os/linux/kmalloc.h"
#include "os/linux/user.h"

static int read_string(struct path *path, uint64_t address)
{
	int64_t length;

	path->string = path->few;
	length = user_read_string(path->few, address, PATH_SHORT, PATH_MAX);
	if (length != PATH_MAX)
		return length < 0 ? (int)length : 0;
	path->string = kmalloc(PATH_MAX);
	if (path->string == NULL)
		return -ENOMEM;
	length = user_read_string(path->string, address, PATH_MAX, -ENAMETOOLONG);
	if (length < 0)
		path_free(path);
	return length < 0 ? (int)length : 0;
}

int path_read(struct path *path, uint64_t fd, uint64_t address)
{
	int result = read_string(path, address);

	if (result != 0)
		return result;
	path->base = NULL;
	if ((int32_t)fd != AT_FDCWD)
		result = fdtable_base(current()->files, (int32_t)fd, path->string, &path->base);
	if (result != 0)
		path_free(path);
	return result;
}

void path_free(struct path *path)
{
	if (path->string != path->few)
		kfree(path->string);
}
