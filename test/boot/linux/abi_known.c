/* abi_known.c: where libOS linux is known to differ from Linux. linux_test.sh runs
 * it only if asked for by name; what has been mended moves to its area's program. */
#include "test/boot/linux/abi.h"

#include <sys/uio.h>

static void memory(void)
{
	char *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *edge = a + 4096, got[16] = "";
	int fd = open("f", O_RDWR | O_CREAT, 0600), ends[2];
	struct iovec v[2] = { { "x", 1 }, { (void *)8, 1 } };

	memset(a, 'h', 4096);
	munmap(edge, 4096);
	VALUE(write(fd, edge - 10, 20)); /* as much as there is */
	VALUE(pread(fd, got, 16, 0));
	pipe2(ends, O_NONBLOCK);
	VALUE(writev(ends[1], v, 2)); /* all or nothing of a page of a pipe */
	OK(mprotect(a, 4096, PROT_NONE));
	VALUE(write(fd, a, 5)); /* a call may not read it either */
}

static void names(void)
{
	int dir;

	put_file("1", "1");
	put_file("2", "2");
	mkdir("d", 0700);
	OK(syscall(SYS_renameat2, AT_FDCWD, "1", AT_FDCWD, "2", 2)); /* RENAME_EXCHANGE */
	OK(syscall(SYS_renameat2, AT_FDCWD, "1", AT_FDCWD, "d", 2));
	mkdir("gone", 0700);
	dir = open("gone", O_RDONLY);
	rmdir("gone");
	OK(openat(dir, "..", O_RDONLY)); /* what has been removed remembers its parent */
	OK(open("1", O_ACCMODE)); /* for ioctl only */
}

static void processes(void)
{
	char *arguments[] = { "x", NULL };
	int fd;

	put_file("p", "#!/none");
	chmod("p", 0755);
	fd = open("p", O_WRONLY);
	OK(execve("p", arguments, arguments)); /* ETXTBSY while it is open for writing */
	close(fd);
}

static void proc(void)
{
	static const char *const files[] = { "/proc/self/environ", "/proc/cpuinfo", "/proc/sys/kernel/ostype",
		                                 "/proc/self/task", "/proc/self/mountinfo", "/proc/self/limits" };
	char path[40], target[4096];
	ssize_t n;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		SAY("%s: %d", files[i], access(files[i], F_OK));
	snprintf(path, sizeof path, "/proc/self/fd/%d", open("1", O_RDONLY));
	n = readlink(path, target, sizeof target);
	SAY("fd: %d", n > 2 && memcmp(target + n - 2, "/1", 2) == 0);
	OK(unlink("/proc/self/stat"));
	OK(mkdir("/proc/self/x", 0700));
}

int main(void)
{
	begin();
	memory();
	names();
	processes();
	proc();
	return 0;
}
