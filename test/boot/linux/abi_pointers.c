/* abi_pointers.c: bad pointers give EFAULT, in every call that takes one, and
 * harm nothing. */
#include "test/boot/linux/abi.h"

#include <sys/uio.h>

static const long bad[] = { 8, 0x7ffffffff000, 0x800000000000, (long)0xffff800000000000,
	                    (long)0xffffc00000200000, (long)0xffffffffffffff00 };
enum { BAD = sizeof bad / sizeof bad[0] };

static int file, pipe_in, pipe_out, directory;

/* Each call with each bad pointer: their errors on one line if they differ. */
#define FAULTS(call)                                               \
	do {                                                           \
		char line[200] = "";                                       \
		int first = 0;                                             \
		bool same = true;                                          \
		for (int i = 0; i < BAD; i++) {                            \
			long p = bad[i];                                       \
			long result;                                           \
			(void)p;                                               \
			errno = 0;                                             \
			result = (long)(call);                                 \
			int got = result == -1 ? errno : 0;                    \
			if (i == 0)                                            \
				first = got;                                       \
			same &= got == first;                                  \
			strcat(strcat(line, " "), got != 0 ? error_name(got) : "ok"); \
		}                                                          \
		SAY("%s:%s", #call, same ? strtok(line, " ") : line);      \
	} while (0)

static void paths(void)
{
	FAULTS(syscall(SYS_open, p, O_RDONLY));
	FAULTS(syscall(SYS_openat, AT_FDCWD, p, O_RDONLY));
	FAULTS(syscall(SYS_creat, p, 0600));
	FAULTS(syscall(SYS_stat, p, p));
	FAULTS(syscall(SYS_stat, ".", p));
	FAULTS(syscall(SYS_lstat, ".", p));
	FAULTS(syscall(SYS_fstat, 0, p));
	FAULTS(syscall(SYS_newfstatat, AT_FDCWD, ".", p, 0));
	FAULTS(syscall(SYS_statx, AT_FDCWD, ".", 0, 0, p));
	FAULTS(syscall(SYS_statfs, ".", p));
	FAULTS(syscall(SYS_access, p, 0));
	FAULTS(syscall(SYS_mkdir, p, 0700));
	FAULTS(syscall(SYS_rmdir, p));
	FAULTS(syscall(SYS_unlink, p));
	FAULTS(syscall(SYS_rename, p, "x"));
	FAULTS(syscall(SYS_rename, "f", p));
	FAULTS(syscall(SYS_link, p, "x"));
	FAULTS(syscall(SYS_link, "f", p));
	FAULTS(syscall(SYS_symlink, p, "x"));
	FAULTS(syscall(SYS_symlink, "f", p));
	FAULTS(syscall(SYS_readlink, p, 0, 1));
	FAULTS(syscall(SYS_readlink, "s", p, 1));
	FAULTS(syscall(SYS_chmod, p, 0));
	FAULTS(syscall(SYS_chown, p, 0, 0));
	FAULTS(syscall(SYS_truncate, p, 0));
	FAULTS(syscall(SYS_chdir, p));
	FAULTS(syscall(SYS_getcwd, p, 100));
	FAULTS(syscall(SYS_mknod, p, 0600, 0));
	FAULTS(syscall(SYS_utimensat, AT_FDCWD, "f", p, 0));
	FAULTS(syscall(SYS_utimensat, AT_FDCWD, p, NULL, 0));
	FAULTS(syscall(SYS_execve, p, p, p));
	FAULTS(syscall(SYS_execve, "program", p, NULL));
}

static void descriptors(void)
{
	struct iovec v[1] = { { "x", 1 } };
	char c;

	FAULTS(syscall(SYS_read, file, p, 1));
	FAULTS((lseek(file, 0, SEEK_SET), syscall(SYS_read, file, p, 1)));
	FAULTS(syscall(SYS_write, file, p, 1));
	FAULTS(syscall(SYS_pread64, file, p, 1, 0));
	FAULTS(syscall(SYS_pwrite64, file, p, 1, 0));
	FAULTS(syscall(SYS_readv, file, p, 1));
	FAULTS(syscall(SYS_writev, file, p, 1));
	FAULTS((v[0].iov_base = (void *)p, syscall(SYS_writev, pipe_out, v, 1)));
	FAULTS(syscall(SYS_write, pipe_out, p, 1));
	write(pipe_out, "y", 1);
	FAULTS(syscall(SYS_read, pipe_in, p, 1));
	VALUE(read(pipe_in, &c, 1));
	FAULTS(syscall(SYS_write, 0, p, 1));
	FAULTS(syscall(SYS_getdents64, directory, p, 1000));
	FAULTS(syscall(SYS_pipe, p));
	FAULTS(syscall(SYS_pipe2, p, O_NONBLOCK));
	FAULTS(syscall(SYS_poll, p, 1, 0));
	FAULTS(syscall(SYS_ppoll, NULL, 0, p, NULL, 8));
	FAULTS(syscall(SYS_select, 1, p, NULL, NULL, NULL));
	FAULTS(syscall(SYS_select, 0, NULL, NULL, NULL, p));
	FAULTS(syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, p));
	FAULTS(syscall(SYS_sendfile, pipe_out, file, p, 1));
	FAULTS(syscall(SYS_fcntl, file, F_GETLK, p));
	VALUE(read(0, (void *)8, 10));
}

static void others(void)
{
	pid_t child;

	FAULTS(syscall(SYS_rt_sigaction, SIGUSR1, p, NULL, 8));
	FAULTS(syscall(SYS_rt_sigaction, SIGUSR1, NULL, p, 8));
	FAULTS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8));
	FAULTS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8));
	FAULTS(syscall(SYS_rt_sigpending, p, 8));
	FAULTS(syscall(SYS_rt_sigsuspend, p, 8));
	FAULTS(syscall(SYS_rt_sigtimedwait, p, NULL, NULL, 8));
	FAULTS(syscall(SYS_sigaltstack, p, NULL));
	FAULTS(syscall(SYS_sigaltstack, NULL, p));
	FAULTS(syscall(SYS_nanosleep, p, NULL));
	FAULTS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p));
	FAULTS(syscall(SYS_gettimeofday, p, NULL));
	FAULTS(syscall(SYS_time, p));
	FAULTS(syscall(SYS_getitimer, 0, p));
	FAULTS(syscall(SYS_setitimer, 0, p, NULL));
	FAULTS(syscall(SYS_times, p));
	FAULTS(syscall(SYS_uname, p));
	FAULTS(syscall(SYS_sysinfo, p));
	FAULTS(syscall(SYS_getrlimit, 7, p));
	FAULTS(syscall(SYS_prlimit64, 0, 7, p, NULL));
	FAULTS(syscall(SYS_getrusage, 0, p));
	FAULTS(syscall(SYS_getresuid, p, p, p));
	FAULTS(syscall(SYS_getrandom, p, 10, 0));
	FAULTS(syscall(SYS_sched_getaffinity, 0, 128, p));
	FAULTS(syscall(SYS_prctl, 15, p));
	FAULTS(syscall(SYS_prctl, 16, p));
	FAULTS(syscall(SYS_futex, p, 0, 0, NULL));
	FAULTS(syscall(SYS_futex, i == 1 ? 8 : p, 129, 1, NULL));
	for (int i = 0; i < 3; i++) {
		child = fork();
		if (child == 0)
			_exit(i);
		VALUE(syscall(SYS_wait4, child, bad[i], 0, NULL) == -1 ? -1 : 0);
		VALUE(syscall(SYS_wait4, child, NULL, 0, NULL));
	}
}

/* A buffer whose second half is missing. */
static void halves(void)
{
	char *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *edge = a + 4096;

	munmap(edge, 4096);
	memset(a, 'h', 4096);
	lseek(file, 0, SEEK_SET);
	TRUTH(write(file, edge - 10, 20) != 20);
	VALUE(write(pipe_out, edge - 10, 20));
	VALUE(write(pipe_out, edge - 10, 10));
	VALUE(read(pipe_in, edge - 5, 10));
	VALUE(open(edge - 10, O_RDONLY));
	memcpy(edge - 2, "f", 2);
	OK(close(open(edge - 2, O_RDONLY)));
	OK(syscall(SYS_pipe, edge - 4));
	OK(syscall(SYS_stat, "f", edge - 100));
	OK(mprotect(a, 4096, PROT_READ));
	lseek(file, 0, SEEK_SET);
	VALUE(read(file, a, 5));
	VALUE(write(file, a, 5));
	OK(syscall(SYS_pipe, a));
	VALUE(open("x1", O_RDONLY));
}

int main(void)
{
	int ends[2];

	begin();
	pipe2(ends, O_NONBLOCK);
	pipe_in = ends[0];
	pipe_out = ends[1];
	symlink("f", "s");
	put_file("f", "contents");
	put_file("program", "contents");
	chmod("program", 0755);
	file = open("f", O_RDWR);
	directory = open(".", O_RDONLY);
	paths();
	descriptors();
	others();
	halves();
	VALUE(dup(0));
	return 0;
}
