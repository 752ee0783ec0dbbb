/* world_host.c: see world_host.h. Not part of any Tessera program. */
#include "lib/vfs/world_host.h"

struct world world;

void world_check(void)
{
	for (struct fs *fs = world.vfs.mounts; fs != NULL; fs = fs->next)
		if (strcmp(fs->type, "proc") != 0)
			ramfs_check(fs);
}

void world_begin(void)
{
	env_host_reset();
	env_host.allocations = env_host.pages = 0; /* whatever a failed test left */
	assert_int_equal(ramfs_create(0, &world.fs), 0);
	vfs_init(&world.vfs, world.fs);
	vfs_place_init(&world.vfs, PLACE);
}

void world_end(void)
{
	world_check();
	vfs_place_drop(PLACE);
	vfs_destroy(&world.vfs);
	assert_int_equal(env_host.allocations, 0);
	assert_int_equal(env_host.pages, 0);
}

int world_setup(void **state)
{
	(void)state;
	world_begin();
	return 0;
}

int world_teardown(void **state)
{
	(void)state;
	world_end();
	return 0;
}

struct file *world_open(const char *path, uint32_t flags)
{
	struct file *file = NULL;
	OK(vfs_open(PLACE, NULL, path, flags, 0644, &file));
	return file;
}

int64_t world_write(struct file *file, const void *bytes, size_t size)
{
	struct wait wait = { 0 };
	return file_write(file, bytes, size, &wait);
}

int64_t world_read(struct file *file, void *bytes, size_t size)
{
	struct wait wait = { 0 };
	return file_read(file, bytes, size, &wait);
}

void world_make(const char *path, const char *content)
{
	struct file *file = world_open(path, O_CREAT | O_WRONLY | O_TRUNC);
	STEP((int64_t)strlen(content), world_write(file, content, strlen(content)));
	file_put(file);
}

void world_expect(const char *path, const char *content)
{
	char buffer[256];
	struct file *file = world_open(path, O_RDONLY);
	STEP((int64_t)strlen(content), world_read(file, buffer, sizeof(buffer)));
	assert_memory_equal(buffer, content, strlen(content));
	file_put(file);
}

int world_open_error(const char *path, uint32_t flags)
{
	struct file *file;
	int result = vfs_open(PLACE, NULL, path, flags, 0644, &file);
	if (result == 0)
		file_put(file);
	world_check();
	return result;
}

struct stat world_stat(const char *path, uint32_t flags)
{
	struct stat stat;
	OK(vfs_stat(PLACE, NULL, path, flags, &stat));
	return stat;
}

int world_stat_error(const char *path)
{
	struct stat stat;
	return vfs_stat(PLACE, NULL, path, 0, &stat);
}
