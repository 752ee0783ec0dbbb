/* fdtable.c: see fdtable.h.
 * Source: dup(2), fcntl(2), close_range(2). */
#include "lib/vfs/fdtable.h"

#include "lib/posix/errno.h"
#include "lib/pipe/pipe.h"

#include <string.h>

struct fdtable *fdtable_create(void)
{
	struct fdtable *table = env_alloc(sizeof(*table));
	if (table == NULL)
		return NULL;
	table->references = 1;
	table->limit = FDTABLE_LIMIT;
	table->capacity = FDTABLE_FIRST;
	table->files = table->first_files;
	table->close_on_exec = table->first_close_on_exec;
	return table;
}

/* Makes room for descriptors below `needed`; nothing changes on -ENOMEM. */
static int grow(struct fdtable *table, uint32_t needed)
{
	if (needed <= table->capacity)
		return 0;
	uint32_t capacity = table->capacity;
	while (capacity < needed)
		capacity *= 2;
	/* One allocation: the files, then their marks. */
	struct file **files = env_alloc(capacity * (sizeof(*files) + 1));
	if (files == NULL)
		return -ENOMEM;
	uint8_t *marks = (uint8_t *)(files + capacity);
	memcpy(files, table->files, table->capacity * sizeof(*files));
	memcpy(marks, table->close_on_exec, table->capacity);
	if (table->files != table->first_files)
		env_free(table->files);
	table->files = files;
	table->close_on_exec = marks;
	table->capacity = capacity;
	return 0;
}

struct fdtable *fdtable_clone(const struct fdtable *table)
{
	struct fdtable *clone = fdtable_create();
	if (clone == NULL)
		return NULL;
	uint32_t used = table->capacity;
	while (used > 0 && table->files[used - 1] == NULL)
		used--;
	if (grow(clone, used) != 0) {
		env_free(clone);
		return NULL;
	}
	clone->limit = table->limit;
	clone->lowest_free = table->lowest_free;
	for (uint32_t fd = 0; fd < used; fd++) {
		if (table->files[fd] == NULL)
			continue;
		clone->files[fd] = file_get(table->files[fd]);
		clone->close_on_exec[fd] = table->close_on_exec[fd];
	}
	return clone;
}

void fdtable_put(struct fdtable *table)
{
	if (--table->references > 0)
		return;
	for (uint32_t fd = 0; fd < table->capacity; fd++)
		if (table->files[fd] != NULL)
			file_put(table->files[fd]);
	if (table->files != table->first_files)
		env_free(table->files);
	env_free(table);
}

int fdtable_find_free(struct fdtable *table, uint32_t from)
{
	uint32_t fd = from > table->lowest_free ? from : table->lowest_free;
	while (fd < table->capacity && table->files[fd] != NULL)
		fd++;
	if (from <= table->lowest_free)
		table->lowest_free = fd;
	if (fd >= table->limit)
		return -EMFILE;
	int result = grow(table, fd + 1);
	return result != 0 ? result : (int)fd;
}

void fdtable_set(struct fdtable *table, uint32_t fd, struct file *file, uint32_t flags)
{
	table->files[fd] = file;
	table->close_on_exec[fd] = (flags & O_CLOEXEC) != 0;
	if (fd == table->lowest_free)
		table->lowest_free++;
}

int fdtable_insert(struct fdtable *table, struct file *file, uint32_t from, uint32_t flags)
{
	if (from >= table->limit)
		return -EINVAL;
	int fd = fdtable_find_free(table, from);
	if (fd >= 0)
		fdtable_set(table, (uint32_t)fd, file, flags);
	return fd;
}

int fdtable_remove(struct fdtable *table, int64_t fd, struct file **out)
{
	struct file *file = fdtable_file(table, fd);
	if (file == NULL)
		return -EBADF;
	table->files[fd] = NULL;
	table->close_on_exec[fd] = 0;
	if ((uint32_t)fd < table->lowest_free)
		table->lowest_free = (uint32_t)fd;
	*out = file;
	return 0;
}

int fdtable_close(struct fdtable *table, int64_t fd)
{
	struct file *file;
	int result = fdtable_remove(table, fd, &file);
	if (result == 0)
		file_put(file);
	return result;
}

int fdtable_close_range(struct fdtable *table, uint32_t first, uint32_t last, bool only_mark)
{
	if (first > last)
		return -EINVAL;
	for (uint32_t fd = first; fd <= last && fd < table->capacity; fd++) {
		if (table->files[fd] == NULL)
			continue;
		if (only_mark)
			table->close_on_exec[fd] = 1;
		else
			fdtable_close(table, fd);
	}
	return 0;
}

static int duplicate(struct fdtable *table, int64_t fd, uint64_t from, uint32_t flags)
{
	struct file *file = fdtable_file(table, fd);
	if (file == NULL)
		return -EBADF;
	if (from >= table->limit)
		return -EINVAL;
	int result = fdtable_insert(table, file, (uint32_t)from, flags);
	if (result >= 0)
		file_get(file);
	return result;
}

int fdtable_dup(struct fdtable *table, int64_t fd)
{
	return duplicate(table, fd, 0, 0);
}

int fdtable_dup2(struct fdtable *table, int64_t fd, int64_t to)
{
	if (fd == to)
		return fdtable_file(table, fd) != NULL ? (int)fd : -EBADF;
	return fdtable_dup3(table, fd, to, 0);
}

int fdtable_dup3(struct fdtable *table, int64_t fd, int64_t to, uint32_t flags)
{
	struct file *file = fdtable_file(table, fd);
	if (fd == to || (flags & ~(uint32_t)O_CLOEXEC) != 0)
		return -EINVAL;
	if (file == NULL || (uint64_t)to >= table->limit)
		return -EBADF;
	int result = grow(table, (uint32_t)to + 1);
	if (result != 0)
		return result;
	struct file *old = table->files[to];
	fdtable_set(table, (uint32_t)to, file_get(file), flags);
	if (old != NULL)
		file_put(old);
	return (int)to;
}

static int64_t pipe_size(const struct file *file, uint32_t command, uint64_t argument)
{
	if (!inode_is(file->inode, S_IFIFO))
		return -EBADF;
	if (command == F_SETPIPE_SZ && argument > PIPE_CAPACITY)
		return -EPERM;
	return PIPE_CAPACITY;
}

int64_t fdtable_fcntl(struct fdtable *table, int64_t fd, uint32_t command, uint64_t argument)
{
	struct file *file = fdtable_file(table, fd);
	if (file == NULL)
		return -EBADF;
	switch (command) {
	case F_DUPFD:
		return duplicate(table, fd, argument, 0);
	case F_DUPFD_CLOEXEC:
		return duplicate(table, fd, argument, O_CLOEXEC);
	case F_GETFD:
		return table->close_on_exec[fd] ? FD_CLOEXEC : 0;
	case F_SETFD:
		table->close_on_exec[fd] = (argument & FD_CLOEXEC) != 0;
		return 0;
	case F_GETFL:
		return file_flags(file);
	case F_SETFL:
		file_set_flags(file, (uint32_t)argument);
		return 0;
	case F_GETPIPE_SZ:
	case F_SETPIPE_SZ:
		return pipe_size(file, command, argument);
	default:
		return -EINVAL;
	}
}

void fdtable_exec(struct fdtable *table)
{
	for (uint32_t fd = 0; fd < table->capacity; fd++)
		if (table->close_on_exec[fd])
			fdtable_close(table, fd);
}

int fdtable_base(const struct fdtable *table, int64_t fd, const char *path, struct inode **base)
{
	*base = NULL;
	if (path[0] == '/' || (int32_t)fd == AT_FDCWD)
		return 0;
	struct file *file = fdtable_file(table, fd);
	if (file == NULL)
		return -EBADF;
	*base = file->inode;
	return 0;
}
