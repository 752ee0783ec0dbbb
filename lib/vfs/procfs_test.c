/* procfs_test.c: what a program finds in /proc, whatever generates it. */
#include "lib/vfs/procfs.h"
#include "lib/vfs/world_host.h"

static struct file *proc_file;

static uint32_t next_process(void *context, uint32_t after)
{
	(void)context;
	return after < 1 ? 1 : after < 42 ? 42 : 0;
}

static uint32_t self(void *context)
{
	(void)context;
	return 42;
}

static unsigned generated;

static int generate_pid(void *context, uint32_t pid, struct text *out)
{
	(void)context;
	generated++;
	for (int i = 0; i < 500; i++) {
		text_string(out, "pid ");
		text_unsigned(out, pid);
		text_char(out, '\n');
	}
	return 0;
}

static int generate_exe(void *context, uint32_t pid, struct text *out)
{
	(void)context, (void)pid;
	text_string(out, "/bin/gone (deleted)");
	return 0;
}

static int follow_exe(void *context, uint32_t pid, struct inode **out)
{
	(void)context, (void)pid;
	*out = inode_get(proc_file->inode);
	return 0;
}

static int generate_mounts(void *context, uint32_t pid, struct text *out)
{
	(void)context, (void)pid;
	procfs_mounts(&world.vfs, PLACE, out);
	return 0;
}

static int64_t next_fd(void *context, uint32_t pid, int64_t from)
{
	(void)context, (void)pid;
	return from <= 0 ? 0 : from <= 5 ? 5 : -1;
}

static struct file *fd_file(void *context, uint32_t pid, int64_t fd)
{
	(void)context, (void)pid;
	return fd == 0 || fd == 5 ? proc_file : NULL;
}

static int fd_path(void *context, uint32_t pid, int64_t fd, struct text *out)
{
	(void)context, (void)pid, (void)fd;
	text_string(out, "/f");
	return 0;
}

static const struct procfs_entry top[] = {
	{ "mounts", S_IFREG | 0444, generate_mounts, NULL },
	{ NULL, 0, NULL, NULL },
};
static const struct procfs_entry process[] = {
	{ "stat", S_IFREG | 0444, generate_pid, NULL },
	{ "exe", S_IFLNK | 0777, generate_exe, follow_exe },
	{ NULL, 0, NULL, NULL },
};
static const struct procfs_source source = {
	.top = top, .process = process, .next_process = next_process, .self = self,
	.next_fd = next_fd, .fd_file = fd_file, .fd_path = fd_path,
};

static void list_into(const char *path, size_t chunk, char *names, size_t size)
{
	uint8_t buffer[512];
	struct file *directory = world_open(path, O_RDONLY | O_DIRECTORY);
	int64_t got;
	names[0] = '\0';
	while ((got = file_getdents(directory, buffer, chunk)) > 0) {
		for (int64_t at = 0; at < got;) {
			struct linux_dirent64 *record = (struct linux_dirent64 *)(buffer + at);
			at += record->d_reclen;
			snprintf(names + strlen(names), size - strlen(names), "%s ", record->d_name);
		}
	}
	assert_int_equal(got, 0);
	file_put(directory);
}

static void proc_shows_processes(void **state)
{
	(void)state;
	struct fs *proc;
	char buffer[8192], names[256];
	world_make("/f", "fd content");
	proc_file = world_open("/f", O_RDONLY);
	OK(procfs_create(&source, &proc));
	OK(vfs_mkdir(PLACE, NULL, "/proc", 0755));
	OK(vfs_mount(&world.vfs, PLACE, "/proc", proc));
	for (size_t chunk = 32; chunk <= 512; chunk += 96) {
		list_into("/proc", chunk, names, sizeof(names));
		assert_string_equal(names, ". .. self mounts 1 42 ");
		list_into("/proc/self", chunk, names, sizeof(names));
		assert_string_equal(names, ". .. fd stat exe ");
		list_into("/proc/1/fd", chunk, names, sizeof(names));
		assert_string_equal(names, ". .. 0 5 ");
	}
	STEP(2, vfs_readlink(PLACE, NULL, "/proc/self", buffer, sizeof(buffer)));
	STEP(19, vfs_readlink(PLACE, NULL, "/proc/self/exe", buffer, sizeof(buffer)));
	world_expect("/proc/self/exe", "fd content");
	world_expect("/proc/1/fd/5", "fd content");
	assert_int_equal(world_stat_error("/proc/1/fd/3"), -ENOENT);
	assert_int_equal(world_stat_error("/proc/2"), -ENOENT);
	assert_int_equal(world_stat_error("/proc/042"), -ENOENT);
	struct file *file = world_open("/proc/42/stat", O_RDONLY);
	STEP(3500, world_read(file, buffer, sizeof(buffer)));
	assert_memory_equal(buffer, "pid 42\n", 7);
	STEP(0, world_read(file, buffer, sizeof(buffer)));
	STEP(10, file_pread(file, buffer, 10, 3490));
	assert_int_equal(generated, 1);
	STEP(10, file_pread(file, buffer, 10, 0)); /* from the start: anew */
	assert_int_equal(generated, 2);
	file_put(file);
	OK(vfs_chdir(PLACE, NULL, "/proc/self/fd"));
	STEP(12, vfs_getcwd(PLACE, buffer, sizeof(buffer)));
	assert_string_equal(buffer, "/proc/42/fd");
	assert_int_equal(world_stat_error("../../mounts"), 0);
	STEP(-EROFS, world_open_error("../stat", O_WRONLY));
	STEP(-EROFS, vfs_mkdir(PLACE, NULL, "x", 0755));
	STEP(-EBUSY, vfs_unmount(&world.vfs, PLACE, "/proc"));
	OK(vfs_chdir(PLACE, NULL, "/"));
	world_expect("/proc/mounts", "tmpfs / tmpfs rw 0 0\nproc /proc proc ro 0 0\n");
	OK(vfs_unmount(&world.vfs, PLACE, "/proc"));
	file_put(proc_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(proc_shows_processes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
