/* mkinitrd.c: writes a cpio archive (newc) from lists and from host trees.
 *
 *   mkinitrd OUT [-l LIST]... [-a HOST GUEST]...
 *
 * A LIST has one entry a line (sys/linux.list says which kinds); -a adds a host
 * file or tree under the guest path GUEST, with the directories above it. The
 * same input gives the same bytes: entries stand in the order asked for, trees
 * in the order of their names, everything belongs to root, and times are 0.
 * The archive is padded to 512 bytes, so that another can follow it.
 * Source: cpio(5), "New ASCII Format"; initrd buffer format of Linux. */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARCHIVE_BLOCK = 512, NAME_MAX_BYTES = 4096 };

static FILE *out;
static unsigned inode;

static _Noreturn void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("mkinitrd: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(1);
}

static void pad(long multiple)
{
	while (ftell(out) % multiple != 0)
		fputc(0, out);
}

/* The header and name of an entry whose `size` bytes of content come next.
 * Names in an archive have no leading slash. */
static void header(const char *path, unsigned mode, size_t size)
{
	while (*path == '/')
		path++;
	if (*path == '\0')
		path = ".";
	if (size > UINT32_MAX)
		fail("%s: too large for the archive", path);
	if (strlen(path) >= NAME_MAX_BYTES)
		fail("%s: name too long", path);
	fprintf(out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", inode++, mode, 0, 0,
	        S_ISDIR(mode) ? 2 : 1, 0, (unsigned)size, 0, 0, 0, 0, (unsigned)strlen(path) + 1, 0);
	fwrite(path, strlen(path) + 1, 1, out);
	pad(4);
}

static void put_directory(const char *path, unsigned mode)
{
	header(path, S_IFDIR | mode, 0);
}

static void put_link(const char *path, const char *target)
{
	header(path, S_IFLNK | 0777, strlen(target));
	fputs(target, out);
	pad(4);
}

static void put_file(const char *host, const char *path, const struct stat *st, unsigned mode)
{
	char buffer[65536];
	size_t left = (size_t)st->st_size;
	FILE *in = fopen(host, "rb");

	if (in == NULL)
		fail("%s: %s", host, strerror(errno));
	header(path, S_IFREG | mode, left);
	while (left > 0) {
		size_t n = fread(buffer, 1, left < sizeof(buffer) ? left : sizeof(buffer), in);

		if (n == 0)
			fail("%s: became shorter while it was read", host);
		fwrite(buffer, 1, n, out);
		left -= n;
	}
	fclose(in);
	pad(4);
}

static void put_host_link(const char *host, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(host, target, sizeof(target) - 1);

	if (n < 0)
		fail("%s: %s", host, strerror(errno));
	target[n] = '\0';
	put_link(path, target);
}

static char *join(const char *directory, const char *name)
{
	size_t length = strlen(directory) + strlen(name) + 2;
	char *path = malloc(length);

	if (path == NULL)
		fail("no memory");
	snprintf(path, length, "%s/%s", directory, name);
	return path;
}

static int visible(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void put_tree(const char *host, const char *path, bool keep_modes);

static void put_children(const char *host, const char *path, bool keep_modes)
{
	struct dirent **names;
	int count = scandir(host, &names, visible, by_name);

	if (count < 0)
		fail("%s: %s", host, strerror(errno));
	for (int i = 0; i < count; i++) {
		char *from = join(host, names[i]->d_name);
		char *to = join(path, names[i]->d_name);

		put_tree(from, to, keep_modes);
		free(from);
		free(to);
		free(names[i]);
	}
	free(names);
}

/* `keep_modes`: the file's own permissions; else what a repository can keep,
 * executable or not. */
static void put_tree(const char *host, const char *path, bool keep_modes)
{
	struct stat st;
	unsigned mode;

	if (lstat(host, &st) != 0)
		fail("%s: %s", host, strerror(errno));
	mode = keep_modes ? st.st_mode & 07777 : (st.st_mode & 0100) != 0 ? 0755 : 0644;
	if (S_ISLNK(st.st_mode)) {
		put_host_link(host, path);
	} else if (S_ISREG(st.st_mode)) {
		put_file(host, path, &st, mode);
	} else if (S_ISDIR(st.st_mode)) {
		put_directory(path, mode);
		put_children(host, path, keep_modes);
	} else {
		fail("%s: neither a file, a directory nor a symbolic link", host);
	}
}

/* The directories above `path`, which a reader may want to see first. */
static void put_parents(const char *path)
{
	char parent[NAME_MAX_BYTES];

	for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		put_directory(parent, 0755);
	}
}

static void add(const char *host, const char *guest)
{
	char real[PATH_MAX];
	struct stat st;

	if (realpath(host, real) == NULL || stat(real, &st) != 0)
		fail("%s: %s", host, strerror(errno));
	if (guest[0] != '/')
		fail("%s: a guest path starts with /", guest);
	if (strcmp(guest, "/") == 0 && S_ISDIR(st.st_mode)) {
		put_children(real, "", true);
		return;
	}
	put_parents(guest);
	put_tree(real, guest, true);
}

static void put_list(const char *list)
{
	char line[2 * NAME_MAX_BYTES], kind[8], a[NAME_MAX_BYTES], b[NAME_MAX_BYTES];
	FILE *in = fopen(list, "r");

	if (in == NULL)
		fail("%s: %s", list, strerror(errno));
	for (int number = 1; fgets(line, sizeof(line), in) != NULL; number++) {
		int fields = sscanf(line, "%7s %4095s %4095s", kind, a, b);

		if (fields <= 0 || kind[0] == '#')
			continue;
		if (fields == 3 && strcmp(kind, "dir") == 0)
			put_directory(a, (unsigned)strtoul(b, NULL, 8) & 07777);
		else if (fields == 3 && strcmp(kind, "link") == 0)
			put_link(a, b);
		else if (fields == 3 && strcmp(kind, "tree") == 0)
			put_children(a, b, false);
		else
			fail("%s:%d: not an entry", list, number);
	}
	fclose(in);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		fail("usage: mkinitrd OUT [-l LIST]... [-a HOST GUEST]...");
	out = fopen(argv[1], "wb");
	if (out == NULL)
		fail("%s: %s", argv[1], strerror(errno));
	inode = 1;
	for (int i = 2; i < argc;) {
		if (strcmp(argv[i], "-l") == 0 && i + 1 < argc) {
			put_list(argv[i + 1]);
			i += 2;
		} else if (strcmp(argv[i], "-a") == 0 && i + 2 < argc) {
			add(argv[i + 1], argv[i + 2]);
			i += 3;
		} else {
			fail("%s: what is that?", argv[i]);
		}
	}
	inode = 0;
	header("TRAILER!!!", 0, 0);
	pad(ARCHIVE_BLOCK);
	if (fclose(out) != 0)
		fail("%s: %s", argv[1], strerror(errno));
	return 0;
}
