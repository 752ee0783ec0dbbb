/* abi_files.c: files and directories: contents, sizes, attributes, listings. */
#include "test/boot/linux/abi.h"

#include <dirent.h>
#include <sys/uio.h>

static void say_stat(const char *path)
{
	struct stat s;

	if (lstat(path, &s) != 0)
		SAY("lstat %s: %s", path, error_name(errno));
	else
		SAY("lstat %s: mode %o links %ld size %ld", path, s.st_mode, (long)s.st_nlink,
		    S_ISDIR(s.st_mode) ? 0L : (long)s.st_size);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[300], line[900] = "";
	int count = 0;
	DIR *dir = opendir(path);

	if (dir == NULL) {
		SAY("list %s: %s", path, error_name(errno));
		return;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL && count < 300;) {
		char entry[300];
		snprintf(entry, sizeof entry, "%s/%d", e->d_name, e->d_type);
		names[count++] = strdup(entry);
	}
	closedir(dir);
	qsort(names, (size_t)count, sizeof names[0], by_name);
	for (int i = 0; i < count && strlen(line) < 600; i++)
		strcat(strcat(line, " "), names[i]);
	SAY("list %s: %d%s", path, count, line);
}

static void contents(void)
{
	char buffer[200];
	int fd = OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0666));

	VALUE(write(fd, "hello world", 11));
	VALUE(lseek(fd, 0, SEEK_CUR));
	VALUE(lseek(fd, -5, SEEK_END));
	memset(buffer, 0, sizeof buffer);
	VALUE(read(fd, buffer, 100));
	SAY("read: %s", buffer);
	VALUE(read(fd, buffer, 100));
	VALUE(pwrite(fd, "HE", 2, 0));
	VALUE(pread(fd, buffer, 5, 0));
	SAY("pread: %.5s", buffer);
	VALUE(lseek(fd, 0, SEEK_CUR));
	VALUE(lseek(fd, -100, SEEK_CUR));
	VALUE(lseek(fd, 0, 99));
	VALUE(pread(fd, buffer, 5, -1));
	VALUE(pread(fd, buffer, 5, 1000000));
	VALUE(lseek(fd, 10000, SEEK_SET));
	VALUE(write(fd, "x", 1));
	say_stat("f");
	VALUE(pread(fd, buffer, 20, 5000));
	SAY("a hole: %d %d", buffer[0], buffer[19]);
	OK(ftruncate(fd, 5));
	say_stat("f");
	OK(ftruncate(fd, 20));
	VALUE(pread(fd, buffer, 100, 0));
	SAY("grown: %.5s %d %d", buffer, buffer[5], buffer[19]);
	OK(ftruncate(fd, -1));
	OK(truncate("f", 3));
	OK(truncate("none", 3));
	OK(truncate(".", 3));
	say_stat("f");
	VALUE(lseek(fd, 0, SEEK_DATA));
	VALUE(lseek(fd, 3, SEEK_DATA));
	VALUE(lseek(fd, 0, SEEK_HOLE));
	OK(fsync(fd));
	OK(close(fd));
	OK(close(fd));
	VALUE(read(fd, buffer, 1));
	VALUE(write(fd, buffer, 1));
}

static void vectors(void)
{
	char a[4] = "", b[8] = "";
	struct iovec out[3] = { { "abc", 3 }, { NULL, 0 }, { "defgh", 5 } };
	struct iovec in[2] = { { a, 3 }, { b, 7 } };
	int fd = OK(open("v", O_RDWR | O_CREAT | O_APPEND, 0600));

	VALUE(writev(fd, out, 3));
	VALUE(lseek(fd, 0, SEEK_SET));
	VALUE(readv(fd, in, 2));
	SAY("readv: %s %s", a, b);
	VALUE(writev(fd, out, -1));
	VALUE(writev(fd, out, 1025));
	VALUE(writev(fd, out, 0));
	VALUE(preadv(fd, in, 2, 2));
	SAY("preadv: %s %s", a, b);
	VALUE(lseek(fd, 0, SEEK_SET));
	VALUE(write(fd, "+", 1));
	VALUE(lseek(fd, 0, SEEK_CUR));
	VALUE(pwrite(fd, "-", 1, 0));
	say_stat("v");
	out[0].iov_len = (size_t)-1;
	VALUE(writev(fd, out, 3));
	close(fd);
}

static void directories(void)
{
	char name[20];
	struct stat a, b;

	OK(mkdir("d", 0777));
	OK(mkdir("d", 0777));
	OK(mkdir("d/e", 0700));
	OK(mkdir("none/e", 0700));
	OK(mkdir("f/e", 0700));
	OK(mkdir("d/e/", 0700));
	OK(mkdir("d/g/", 01777));
	OK(mkdir("", 0700));
	OK(mkdir(".", 0700));
	say_stat("d");
	say_stat("d/g");
	list("d");
	list("f");
	OK(rmdir("d"));
	OK(rmdir("d/e/."));
	OK(rmdir("d/e/.."));
	OK(rmdir("."));
	OK(rmdir("/"));
	OK(rmdir("f"));
	OK(unlink("d/e"));
	OK(rmdir("d/e"));
	OK(rmdir("d/e"));
	list("d");
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "d/n%03d", i);
		put_file(name, "");
	}
	list("d");
	for (int i = 0; i < 199; i++) {
		snprintf(name, sizeof name, "d/n%03d", i);
		unlink(name);
	}
	list("d");
	OK(stat("d/.", &a));
	OK(stat("d/g/..", &b));
	TRUTH(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	OK(stat("..", &b));
	OK(stat("/..", &b));
	OK(stat("f/", &a));
	OK(stat("f/.", &a));
	OK(stat("", &a));
}

static void working_directory(void)
{
	char here[4096], there[4096];
	int fd;

	TRUTH(getcwd(here, sizeof here) == here);
	OK(chdir("d/g"));
	TRUTH(getcwd(there, sizeof there) == there);
	SAY("below: %s", strcmp(there + strlen(here), "/d/g") == 0 ? "/d/g" : there);
	VALUE(syscall(SYS_getcwd, there, 2));
	fd = OK(open("..", O_RDONLY | O_DIRECTORY));
	OK(chdir("nowhere"));
	OK(chdir("../n199"));
	OK(rmdir("../g"));
	VALUE(syscall(SYS_getcwd, there, sizeof there));
	OK(open("new", O_CREAT | O_RDWR, 0600));
	OK(mkdir("new", 0700));
	list(".");
	OK(fchdir(fd));
	OK(fchdir(0));
	OK(fchdir(77));
	close(fd);
	OK(chdir(".."));
	TRUTH(getcwd(there, sizeof there) != NULL && strcmp(here, there) == 0);
}

static void attributes(void)
{
	struct timespec times[2] = { { 1000, 500 }, { 2000, 0 } };
	struct stat s;
	int fd;

	OK(chmod("f", 0));
	say_stat("f");
	OK(chmod("f", 07777));
	say_stat("f");
	OK(chmod("none", 0));
	OK(chown("f", 3, 4));
	OK(stat("f", &s));
	SAY("owner %d %d mode %o", s.st_uid, s.st_gid, s.st_mode);
	OK(chown("f", -1, 5));
	OK(stat("f", &s));
	SAY("owner %d %d", s.st_uid, s.st_gid);
	OK(utimensat(AT_FDCWD, "f", times, 0));
	OK(stat("f", &s));
	SAY("times %ld.%ld %ld", s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	OK(utimensat(AT_FDCWD, "f", times, 0));
	OK(stat("f", &s));
	TRUTH(s.st_atim.tv_sec == 1000 && s.st_mtim.tv_sec != 2000);
	times[0].tv_nsec = 1000000000;
	OK(utimensat(AT_FDCWD, "f", times, 0));
	OK(access("f", R_OK | W_OK | X_OK));
	OK(chmod("f", 0644));
	OK(access("f", R_OK | W_OK));
	OK(access("f", X_OK));
	OK(access("f", 8));
	OK(access("none", F_OK));
	OK(access("d", X_OK));
	VALUE(umask(077));
	VALUE(umask(0));
	OK(mkdir("m", 0777));
	say_stat("m");
	fd = OK(open("m/f", O_CREAT | O_WRONLY, 06777));
	OK(fstat(fd, &s));
	SAY("mode %o, blocks %ld", s.st_mode, (long)s.st_blocks);
	OK(fchmod(fd, 0123));
	say_stat("m/f");
	VALUE(umask(022));
	OK(mkfifo("m/fifo", 0666));
	say_stat("m/fifo");
	OK(mknod("m/file", S_IFREG | 0666, 0));
	OK(mknod("m/null", S_IFCHR | 0666, 0x103));
	OK(mknod("m/dir", S_IFDIR | 0666, 0));
	list("m");
	OK(fstat(99, &s));
	close(fd);
}

static void symbolic_links(void)
{
	char buffer[100];

	OK(symlink("f", "s"));
	OK(symlink("f", "s"));
	OK(symlink("", "empty"));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	OK(symlink("nowhere", "dangling"));
	OK(symlink("d", "sd"));
	say_stat("s");
	memset(buffer, 0, sizeof buffer);
	VALUE(readlink("s", buffer, sizeof buffer));
	VALUE(readlink("sd", buffer, 1));
	VALUE(readlink("f", buffer, 10));
	VALUE(readlink("none", buffer, 10));
	VALUE(syscall(SYS_readlink, "s", buffer, 0));
	OK(open("loop1", O_RDONLY));
	OK(open("dangling", O_RDONLY));
	list("sd");
	say_stat("sd/");
	OK(rmdir("sd"));
	OK(unlink("sd/"));
	OK(unlink("sd"));
	OK(chdir("loop1"));
	OK(mkdir("dangling", 0700));
	OK(mkdir("dangling/", 0700));
	OK(close(open("dangling", O_CREAT | O_WRONLY, 0600)));
	say_stat("nowhere");
}

static void devices(void)
{
	char buffer[8] = "xxxxxxx";
	int fd = OK(open("/dev/zero", O_RDWR));

	VALUE(read(fd, buffer, 4));
	SAY("zero: %d %d %c", buffer[0], buffer[3], buffer[4]);
	VALUE(write(fd, buffer, 4));
	VALUE(lseek(fd, 0, SEEK_END));
	close(fd);
	VALUE(read(0, buffer, 4));
	VALUE(write(0, buffer, 4));
	fd = OK(open("/dev/full", O_RDWR));
	VALUE(write(fd, buffer, 4));
	VALUE(read(fd, buffer, 4));
	close(fd);
	OK(ftruncate(0, 3));
	OK(open("/dev/null/x", O_RDONLY));
	fd = OK(open("/dev/urandom", O_RDONLY));
	VALUE(read(fd, buffer, 8));
}

int main(void)
{
	begin();
	contents();
	vectors();
	directories();
	working_directory();
	attributes();
	symbolic_links();
	devices();
	return 7;
}
