/* abi_names.c: rename, link and unlink. */
#include "test/boot/linux/abi.h"

static void say(const char *path)
{
	struct stat s;
	char text[16] = "";
	int fd;

	if (lstat(path, &s) != 0) {
		SAY("  %s: %s", path, error_name(errno));
		return;
	}
	fd = S_ISREG(s.st_mode) ? open(path, O_RDONLY) : -1;
	if (fd >= 0)
		read(fd, text, sizeof text - 1);
	close(fd);
	SAY("  %s: mode %o links %ld '%s'", path, s.st_mode, (long)s.st_nlink, text);
}

static void links(void)
{
	struct stat a, b;

	put_file("a", "A");
	OK(link("a", "b"));
	OK(link("a", "b"));
	OK(link("none", "c"));
	OK(link("a", "none/c"));
	OK(link("a", "c/"));
	OK(link("a/", "c"));
	OK(mkdir("d", 0755));
	OK(link("d", "e"));
	OK(link("a", "d"));
	stat("a", &a);
	stat("b", &b);
	TRUTH(a.st_ino == b.st_ino);
	say("b");
	OK(unlink("a"));
	say("b");
	OK(symlink("b", "s"));
	OK(link("s", "s2"));
	say("s2");
	OK(linkat(AT_FDCWD, "s", AT_FDCWD, "s3", AT_SYMLINK_FOLLOW));
	say("s3");
	OK(linkat(AT_FDCWD, "s", AT_FDCWD, "s4", 0x4000));
	OK(unlink("none"));
	OK(unlink("d"));
	OK(unlink("b/"));
	OK(unlink("d/"));
	OK(unlink("d/."));
	OK(unlink(""));
	OK(unlink("/"));
	OK(unlink("b/x"));
}

static void renaming_files(void)
{
	put_file("x", "X");
	put_file("y", "Y");
	OK(rename("x", "z"));
	say("x");
	say("z");
	OK(rename("z", "y"));
	say("y");
	OK(rename("y", "y"));
	OK(rename("none", "y"));
	OK(rename("y", "none/y"));
	OK(rename("y", "d"));
	OK(rename("y", "d/"));
	OK(rename("y", "w/"));
	OK(rename("y/", "w"));
	OK(rename("d", "y"));
	OK(link("y", "y2"));
	OK(rename("y", "y2"));
	say("y");
	say("y2");
	OK(rename("s", "renamed"));
	say("renamed");
	OK(rename("y", "renamed"));
	say("renamed");
	OK(rename("", "y"));
	OK(rename("y2", ""));
	OK(rename("y2/x", "y3"));
}

static void renaming_directories(void)
{
	struct stat s;

	OK(mkdir("p", 0755));
	OK(mkdir("p/q", 0755));
	OK(mkdir("p/q/r", 0755));
	OK(mkdir("empty", 0700));
	say("p");
	OK(rename("p", "p/q/inside"));
	OK(rename("p", "p/q"));
	OK(rename("p/q", "p"));
	OK(rename("p/q/r", "p"));
	OK(rename("p", "empty"));
	say("empty");
	say("empty/q/r");
	OK(rename("empty", "d"));
	say("d/q");
	put_file("d/file", "F");
	OK(mkdir("other", 0755));
	OK(rename("other", "d"));
	OK(rename("d/q", "other/q/"));
	say("d");
	say("other");
	OK(stat("other/q/..", &s));
	OK(rename(".", "x"));
	OK(rename("other/.", "x"));
	OK(rename("other/..", "x"));
	OK(rename("other", "."));
	OK(rename("other", ".."));
	OK(chdir("other/q"));
	OK(rename("../q", "../../moved"));
	OK(mkdir("made", 0700));
	OK(chdir("../"));
	say("moved/made");
}

static void flags(void)
{
	put_file("1", "1");
	put_file("2", "2");
	OK(syscall(SYS_renameat2, AT_FDCWD, "1", AT_FDCWD, "2", 1));
	OK(syscall(SYS_renameat2, AT_FDCWD, "1", AT_FDCWD, "3", 1));
	OK(syscall(SYS_renameat2, AT_FDCWD, "2", AT_FDCWD, "3", 3));
	OK(syscall(SYS_renameat2, AT_FDCWD, "2", AT_FDCWD, "3", 64));
}

/* What is open lives on. */
static void unlinked(void)
{
	char text[8] = "";
	struct stat s;
	int fd = open("3", O_RDWR), dir;

	OK(unlink("3"));
	OK(fstat(fd, &s));
	SAY("links %ld size %ld", (long)s.st_nlink, (long)s.st_size);
	VALUE(write(fd, "more", 4));
	VALUE(pread(fd, text, 7, 0));
	SAY("'%s'", text);
	put_file("3", "new");
	VALUE(pread(fd, text, 7, 0));
	say("3");
	close(fd);
	OK(mkdir("gone", 0755));
	dir = open("gone", O_RDONLY);
	OK(rmdir("gone"));
	OK(fstat(dir, &s));
	SAY("links %ld", (long)s.st_nlink);
	OK(openat(dir, "x", O_CREAT | O_WRONLY, 0600));
	OK(openat(dir, ".", O_RDONLY));
	VALUE(syscall(SYS_getdents64, dir, text, 8));
	put_file("target", "T");
	fd = open("target", O_RDWR);
	put_file("source", "S");
	OK(rename("source", "target"));
	VALUE(pread(fd, text, 1, 0));
	SAY("'%c'", text[0]);
	say("target");
}

static void long_names(void)
{
	static char name[300], path[5000];

	memset(name, 'n', 255);
	OK(mkdir(name, 0755));
	OK(rmdir(name));
	name[255] = 'n';
	OK(mkdir(name, 0755));
	OK(stat(name, &(struct stat){ 0 }));
	OK(symlink(name, "l"));
	OK(open("l", O_RDONLY));
	for (size_t i = 0; i < 4095; i++)
		path[i] = i % 2 ? '/' : '.';
	OK(stat(path, &(struct stat){ 0 }));
	path[4095] = '/';
	OK(stat(path, &(struct stat){ 0 }));
	OK(symlink(path, "m"));
	path[4095] = '\0';
	OK(symlink(path, "m"));
	OK(stat("m", &(struct stat){ 0 }));
	for (int i = 0; i < 45; i++) {
		char from[10], to[10];
		snprintf(from, sizeof from, "c%d", i);
		snprintf(to, sizeof to, i == 0 ? "." : "c%d", i - 1);
		symlink(to, from);
	}
	OK(stat("c39", &(struct stat){ 0 }));
	OK(stat("c40", &(struct stat){ 0 }));
	OK(lstat("c44", &(struct stat){ 0 }));
	OK(stat("c20/c18/f", &(struct stat){ 0 }));
}

int main(void)
{
	begin();
	links();
	renaming_files();
	renaming_directories();
	flags();
	unlinked();
	long_names();
	return 0;
}
