/* abi_open.c: open's flags and errors, and what descriptors are. */
#include "test/boot/linux/abi.h"

#include <sys/ioctl.h>
#include <sys/resource.h>

static void say_flags(const char *what, int fd)
{
	SAY("%s: flags %o descriptor %d", what, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
}

static void creating(void)
{
	int fd;

	OK(open("none", O_RDONLY));
	fd = VALUE(open("f", O_CREAT | O_WRONLY, 0644));
	say_flags("created", fd);
	VALUE(read(fd, &fd, 0));
	OK(open("f", O_CREAT | O_EXCL | O_WRONLY, 0644));
	OK(open("d/f", O_CREAT | O_WRONLY, 0644));
	OK(mkdir("d", 0755));
	OK(open("d", O_WRONLY));
	OK(open("d", O_RDWR));
	OK(open("d", O_RDONLY | O_CREAT, 0644));
	OK(open("d", O_RDONLY | O_TRUNC));
	OK(open("d/x/", O_CREAT | O_WRONLY, 0644));
	OK(open("f/", O_RDONLY));
	OK(open("f/x", O_RDONLY));
	OK(open("", O_RDONLY));
	OK(open("", O_CREAT | O_RDWR, 0600));
	OK(open("f", O_DIRECTORY));
	OK(close(open("d", O_DIRECTORY)));
	OK(open("f", O_DIRECTORY | O_CREAT, 0600));
	VALUE(write(fd, "abc", 3));
	OK(close(open("f", O_WRONLY | O_TRUNC)));
	VALUE(lseek(fd, 0, SEEK_END));
	VALUE(lseek(fd, 3, SEEK_SET));
	VALUE(write(fd, "d", 1));
	VALUE(lseek(fd, 0, SEEK_END));
	close(fd);
	fd = OK(open("f", O_RDONLY | O_TRUNC));
	VALUE(lseek(fd, 0, SEEK_END));
	VALUE(write(fd, "d", 1));
	OK(ftruncate(fd, 0));
	close(fd);
	fd = OK(creat("f", 0600));
	say_flags("creat", fd);
	close(fd);
	fd = OK(open("u", O_CREAT | O_RDONLY, 0));
	say_flags("of mode 0", fd);
	close(fd);
	OK(close(open("u", O_RDWR)));
}

static void links(void)
{
	OK(symlink("f", "s"));
	OK(symlink("gone", "dangling"));
	OK(symlink("d", "sd"));
	OK(open("s", O_NOFOLLOW));
	OK(open("s", O_CREAT | O_EXCL, 0600));
	OK(open("dangling", O_CREAT | O_EXCL, 0600));
	OK(open("sd", O_NOFOLLOW | O_DIRECTORY));
	OK(close(open("sd/", O_NOFOLLOW | O_DIRECTORY)));
	OK(open("dangling", O_RDWR));
	OK(open("dangling/", O_CREAT | O_RDWR, 0600));
	OK(close(open("sd/inside", O_CREAT | O_RDWR | O_NOFOLLOW, 0600)));
}

static void flags(void)
{
	char buffer[10];
	struct stat s;
	int fd = OK(open("f", O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_SYNC));

	say_flags("many", fd);
	OK(fcntl(fd, F_SETFL, 0));
	say_flags("none", fd);
	OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_TRUNC | O_EXCL));
	say_flags("some", fd);
	OK(fcntl(fd, F_SETFD, 0));
	say_flags("kept", fd);
	OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
	say_flags("closed", fd);
	OK(ioctl(fd, FIONCLEX, 0));
	say_flags("ioctl", fd);
	OK(fcntl(fd, 9999, 0));
	OK(fcntl(99, F_GETFD));
	OK(fcntl(99, F_SETFL, 0));
	OK(ioctl(fd, TCGETS, buffer));
	OK(ioctl(99, TCGETS, buffer));
	close(fd);
	fd = OK(open("f", O_WRONLY));
	VALUE(read(fd, buffer, 1));
	VALUE(pread(fd, buffer, 1, 0));
	close(fd);
	fd = OK(open("f", O_RDONLY));
	VALUE(write(fd, buffer, 1));
	VALUE(write(fd, buffer, 0));
	VALUE(pwrite(fd, buffer, 1, 0));
	close(fd);
	fd = OK(open("d", O_RDONLY));
	VALUE(read(fd, buffer, 1));
	VALUE(write(fd, buffer, 1));
	VALUE(lseek(fd, 0, SEEK_SET));
	close(fd);
	fd = OK(open("f", O_PATH));
	VALUE(read(fd, buffer, 1));
	OK(fstat(fd, &s));
	OK(fchmod(fd, 0600));
	OK(ftruncate(fd, 0));
	OK(lseek(fd, 0, SEEK_SET));
	SAY("O_PATH: %o", fcntl(fd, F_GETFL));
	OK(fcntl(fd, F_SETFL, 0));
	close(fd);
	fd = OK(open("s", O_PATH | O_NOFOLLOW));
	OK(fstat(fd, &s));
	SAY("a link itself: %o", s.st_mode);
	VALUE(readlinkat(fd, "", buffer, sizeof buffer));
	close(fd);
}

static void relative(void)
{
	struct stat s;
	int d = OK(open("d", O_RDONLY | O_DIRECTORY)), f = OK(open("f", O_RDONLY));

	OK(close(openat(d, "inside", O_RDONLY)));
	OK(close(openat(d, "../f", O_RDONLY)));
	OK(close(openat(99, "/dev/null", O_RDONLY)));
	OK(openat(99, "f", O_RDONLY));
	OK(openat(f, "f", O_RDONLY));
	OK(openat(d, "", O_RDONLY));
	OK(mkdirat(d, "sub", 0700));
	OK(fstatat(d, "sub", &s, 0));
	OK(fstatat(d, "", &s, AT_EMPTY_PATH));
	OK(fstatat(f, "", &s, AT_EMPTY_PATH));
	OK(fstatat(d, "", &s, 0));
	OK(fstatat(d, "sub", &s, 0x4000));
	OK(fstatat(-1, "f", &s, 0));
	OK(fstatat(-5, "/dev/null", &s, 0));
	OK(fstatat(-1, "", &s, AT_EMPTY_PATH));
	OK(fstatat(AT_FDCWD, "", &s, AT_EMPTY_PATH));
	OK(fallocate(f, 0, 0, 5)); /* it was opened for reading */
	OK(unlinkat(d, "sub", 0));
	OK(unlinkat(d, "sub", AT_REMOVEDIR));
	OK(unlinkat(d, "inside", AT_REMOVEDIR));
	OK(unlinkat(d, "inside", 0x4000));
	OK(faccessat(d, "inside", R_OK, 0));
	OK(unlinkat(d, "inside", 0));
	close(d);
	close(f);
}

static void duplicates(void)
{
	char buffer[8] = "";
	int fd = OK(open("f", O_RDWR | O_CLOEXEC)), other;

	VALUE(write(fd, "012345", 6));
	other = VALUE(dup(fd));
	VALUE(lseek(other, 2, SEEK_SET));
	VALUE(read(fd, buffer, 2));
	SAY("shared offset: %s", buffer);
	say_flags("dup", other);
	VALUE(dup2(fd, 50));
	say_flags("dup2", 50);
	VALUE(dup2(fd, fd));
	VALUE(dup2(99, 99));
	VALUE(dup2(99, 50));
	OK(lseek(50, 0, SEEK_CUR));
	VALUE(dup2(fd, -1));
	VALUE(dup2(fd, 1 << 30));
	VALUE(dup3(fd, fd, 0));
	VALUE(dup3(fd, 51, O_CLOEXEC));
	say_flags("dup3", 51);
	VALUE(dup3(fd, 51, O_APPEND));
	VALUE(fcntl(fd, F_DUPFD, 40));
	VALUE(fcntl(fd, F_DUPFD, 50));
	VALUE(fcntl(fd, F_DUPFD_CLOEXEC, 60));
	say_flags("F_DUPFD_CLOEXEC", 60);
	VALUE(fcntl(fd, F_DUPFD, -1));
	VALUE(fcntl(fd, F_DUPFD, 1 << 30));
	VALUE(syscall(SYS_close_range, 40, 60, 0));
	VALUE(dup(60));
	VALUE(syscall(SYS_close_range, 60, 40, 0));
	VALUE(syscall(SYS_close_range, 60, 70, 128));
	OK(fcntl(other, F_SETFL, O_APPEND));
	say_flags("shared flags", fd);
	CHILD("a child shares the offset") {
		lseek(fd, 5, SEEK_SET);
		close(fd);
	}
	VALUE(lseek(fd, 0, SEEK_CUR));
	OK(unlink("f"));
	VALUE(pread(fd, buffer, 3, 0));
	SAY("unlinked: %s", buffer);
	close(other);
	close(fd);
	VALUE(open("/dev/null", O_RDONLY));
	VALUE(open("/dev/null", O_RDONLY));
	close(0);
	VALUE(open("/dev/null", O_RDONLY));
}

/* Without a descriptor nothing is made, and nothing is cut. */
static void too_many(void)
{
	struct rlimit limit = { 3, 3 };
	struct stat st;

	put_file("full", "of bytes");
	CHILD("at the limit") {
		OK(setrlimit(RLIMIT_NOFILE, &limit));
		OK(open("full", O_WRONLY | O_TRUNC));
		OK(open("more", O_WRONLY | O_CREAT, 0600));
		OK(open("nowhere", O_RDONLY));
	}
	OK(stat("full", &st));
	SAY("it has %ld bytes", (long)st.st_size);
	OK(stat("more", &st));
}

int main(void)
{
	begin();
	creating();
	links();
	flags();
	relative();
	duplicates();
	too_many();
	return 0;
}
