/* devfs.c: see devfs.h.
 * Source: null(4), full(4), random(4). */
#include "lib/vfs/devfs.h"

#include "lib/posix/errno.h"
#include "lib/vfs/ramfs.h"

#include <string.h>

enum { MEMORY_MAJOR = 1, RANDOM_CHUNK = 256,
       RANDOM_MOST = (32 << 20) - 1 /* as random(4) has it */ };
enum { MINOR_NULL = 3, MINOR_ZERO = 5, MINOR_FULL = 7, MINOR_RANDOM = 8, MINOR_URANDOM = 9 };

static int64_t read_nothing(struct file *file, void *buffer, size_t size, uint64_t offset)
{
	(void)file, (void)buffer, (void)size, (void)offset;
	return 0;
}

static int64_t read_zeroes(struct file *file, void *buffer, size_t size, uint64_t offset)
{
	(void)file, (void)offset;
	int result = env_clear(buffer, size);
	return result != 0 ? result : (int64_t)size;
}

static int64_t read_random(struct file *file, void *buffer, size_t size, uint64_t offset)
{
	struct devfs_devices *devices = file->data;
	uint8_t chunk[RANDOM_CHUNK];
	size_t done = 0;
	(void)offset;
	if (size > RANDOM_MOST)
		size = RANDOM_MOST;
	while (done < size) {
		size_t step = size - done < RANDOM_CHUNK ? size - done : RANDOM_CHUNK;
		devices->random(devices->context, chunk, step);
		if (env_copy((uint8_t *)buffer + done, chunk, step) != 0)
			return done > 0 ? (int64_t)done : -EFAULT;
		done += step;
	}
	return (int64_t)size;
}

static int64_t write_all(struct file *file, const void *buffer, size_t size, uint64_t offset)
{
	(void)file, (void)buffer, (void)offset;
	return (int64_t)size;
}

static int64_t write_full(struct file *file, const void *buffer, size_t size, uint64_t offset)
{
	(void)file, (void)buffer, (void)size, (void)offset;
	return -ENOSPC;
}

static int64_t seek_nowhere(struct file *file, int64_t offset, int whence)
{
	(void)file, (void)offset, (void)whence;
	return 0;
}

static const struct file_ops null_files = {
	.pread = read_nothing, .pwrite = write_all, .seek = seek_nowhere,
};
static const struct file_ops zero_files = {
	.pread = read_zeroes, .pwrite = write_all, .seek = seek_nowhere,
};
static const struct file_ops full_files = {
	.pread = read_zeroes, .pwrite = write_full, .seek = seek_nowhere,
};
static const struct file_ops random_files = {
	.pread = read_random, .pwrite = write_all, .seek = seek_nowhere,
};

static const struct {
	uint32_t minor;
	const struct file_ops *ops;
} kinds[DEVFS_DEVICES] = {
	{ MINOR_NULL, &null_files },     { MINOR_ZERO, &zero_files },
	{ MINOR_FULL, &full_files },     { MINOR_RANDOM, &random_files },
	{ MINOR_URANDOM, &random_files },
};

static int open_device(struct vfs_device *device, struct file *file)
{
	for (unsigned i = 0; i < DEVFS_DEVICES; i++)
		if (kinds[i].minor == device_minor(device->number))
			file->ops = kinds[i].ops;
	file->data = device->context;
	return 0;
}

void devfs_register(struct vfs *vfs, struct devfs_devices *devices)
{
	for (unsigned i = 0; i < DEVFS_DEVICES; i++) {
		struct vfs_device *device = &devices->device[i];
		device->number = device_number(MEMORY_MAJOR, kinds[i].minor);
		device->open = open_device;
		device->context = devices;
		vfs_add_device(vfs, device);
	}
}

static const struct {
	const char *name;
	uint32_t mode, major, minor;
	const char *target;
} nodes[] = {
	{ "null", S_IFCHR | 0666, MEMORY_MAJOR, MINOR_NULL, NULL },
	{ "zero", S_IFCHR | 0666, MEMORY_MAJOR, MINOR_ZERO, NULL },
	{ "full", S_IFCHR | 0666, MEMORY_MAJOR, MINOR_FULL, NULL },
	{ "random", S_IFCHR | 0666, MEMORY_MAJOR, MINOR_RANDOM, NULL },
	{ "urandom", S_IFCHR | 0666, MEMORY_MAJOR, MINOR_URANDOM, NULL },
	{ "tty", S_IFCHR | 0666, 5, 0, NULL },
	{ "console", S_IFCHR | 0600, 5, 1, NULL },
	{ "ttyS0", S_IFCHR | 0600, 4, 64, NULL },
	{ "fd", S_IFLNK | 0777, 0, 0, "/proc/self/fd" },
	{ "stdin", S_IFLNK | 0777, 0, 0, "/proc/self/fd/0" },
	{ "stdout", S_IFLNK | 0777, 0, 0, "/proc/self/fd/1" },
	{ "stderr", S_IFLNK | 0777, 0, 0, "/proc/self/fd/2" },
};

static int add_nodes(struct inode *root)
{
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct inode_spec spec = { .mode = nodes[i].mode, .target = nodes[i].target };
		struct inode *inode;
		if (spec.target != NULL)
			spec.target_length = strlen(spec.target);
		else
			spec.device = device_number(nodes[i].major, nodes[i].minor);
		struct name name = name_from(nodes[i].name, strlen(nodes[i].name));
		int result = root->ops->create(root, name, &spec, &inode);
		if (result != 0)
			return result;
		inode_put(inode);
	}
	return 0;
}

int devfs_create(struct fs **out)
{
	struct fs *fs;
	int result = ramfs_create(0, &fs);
	if (result != 0)
		return result;
	fs->type = "devtmpfs";
	result = add_nodes(fs->root);
	if (result != 0)
		fs->destroy(fs);
	else
		*out = fs;
	return result;
}
