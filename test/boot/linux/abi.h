/* abi.h: for programs that run under Linux and under libOS linux, and must print
 * the same (test/boot/linux_test.sh compares). What is printed may not depend on
 * PIDs, addresses, times or the machine.
 *
 *   OK(call)     prints the call and whether it succeeded, or its error
 *   VALUE(call)  prints the call and its value, or its error
 *   SAY(...)     prints a line
 *
 * Lines go out by write(2) at once, so that fork doubles none. */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What is asked here is often wrong on purpose. */
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wunused-result"
#pragma GCC diagnostic ignored "-Wfree-nonheap-object"

static inline const char *error_name(int error)
{
	static const char *const names[] = {
		[EPERM] = "EPERM", [ENOENT] = "ENOENT", [ESRCH] = "ESRCH", [EINTR] = "EINTR",
		[EIO] = "EIO", [ENXIO] = "ENXIO", [E2BIG] = "E2BIG", [ENOEXEC] = "ENOEXEC",
		[EBADF] = "EBADF", [ECHILD] = "ECHILD", [EAGAIN] = "EAGAIN", [ENOMEM] = "ENOMEM",
		[EACCES] = "EACCES", [EFAULT] = "EFAULT", [EBUSY] = "EBUSY", [EEXIST] = "EEXIST",
		[EXDEV] = "EXDEV", [ENODEV] = "ENODEV", [ENOTDIR] = "ENOTDIR", [EISDIR] = "EISDIR",
		[EINVAL] = "EINVAL", [ENFILE] = "ENFILE", [EMFILE] = "EMFILE", [ENOTTY] = "ENOTTY",
		[ETXTBSY] = "ETXTBSY", [EFBIG] = "EFBIG", [ENOSPC] = "ENOSPC", [ESPIPE] = "ESPIPE",
		[EROFS] = "EROFS", [EMLINK] = "EMLINK", [EPIPE] = "EPIPE", [ERANGE] = "ERANGE",
		[ENAMETOOLONG] = "ENAMETOOLONG", [ENOSYS] = "ENOSYS", [ENOTEMPTY] = "ENOTEMPTY",
		[ELOOP] = "ELOOP", [EOVERFLOW] = "EOVERFLOW", [EOPNOTSUPP] = "EOPNOTSUPP",
	};
	static char number[24];

	if (error > 0 && (size_t)error < sizeof names / sizeof names[0] && names[error] != NULL)
		return names[error];
	snprintf(number, sizeof number, "error %d", error);
	return number;
}

__attribute__((format(printf, 1, 2))) static inline void SAY(const char *format, ...)
{
	char line[1024];
	int saved = errno;
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(line, sizeof line - 1, format, list);
	va_end(list);
	n = n < (int)sizeof line - 1 ? n : (int)sizeof line - 2;
	line[n++] = '\n';
	if (write(1, line, (size_t)n) != n)
		_exit(99);
	errno = saved;
}

static inline long say_result(const char *what, long value, bool hide)
{
	if (value == -1)
		SAY("%s: %s", what, error_name(errno));
	else if (hide)
		SAY("%s: ok", what);
	else
		SAY("%s: %ld", what, value);
	return value;
}
#define OK(call)    ((__typeof__(call))(errno = 0, say_result(#call, (long)(call), true)))
#define VALUE(call) (errno = 0, say_result(#call, (long)(call), false))
#define TRUTH(what) SAY("%s: %s", #what, (what) ? "yes" : "NO")

/* How a child ended, in words. */
static inline void say_status(const char *what, int status)
{
	if (WIFEXITED(status))
		SAY("%s: exit %d", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		SAY("%s: signal %d", what, WTERMSIG(status));
	else if (WIFSTOPPED(status))
		SAY("%s: stopped by %d", what, WSTOPSIG(status));
	else
		SAY("%s: %s", what, WIFCONTINUED(status) ? "continued" : "strange");
}

static inline int collect(pid_t child)
{
	int status = -1;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* CHILD("name") { ...; } runs the block in a child and says how that ended. */
__attribute__((unused)) static pid_t child_pid; /* the last one's */
static inline bool child_done(const char *what, pid_t child)
{
	if (child == 0)
		_exit(0);
	say_status(what, collect(child));
	return false;
}
#define CHILD(what)                                                                       \
	for (pid_t child_ = child_pid = fork(), once_ = 1; once_; once_ = child_done(what, child_)) \
		if (child_ == 0)

static inline void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static inline void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		SAY("put_file %s: %s", path, error_name(errno));
	close(fd);
}

/* The same start everywhere: no descriptors but three, no signals ignored or
 * blocked, a session of one's own. */
static inline void begin(void)
{
	sigset_t none;
	pid_t child;

	for (int fd = 3; fd < 1024; fd++) /* before fork: then the table is small again */
		close(fd);
	child = fork();
	if (child > 0) {
		int status = collect(child);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
	setsid();
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < 65; i++)
		signal(i, SIG_DFL);
	close(0);
	open("/dev/null", O_RDWR);
}
