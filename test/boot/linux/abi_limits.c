/* abi_limits.c: many of everything, up to where there is no more. */
#include "test/boot/linux/abi.h"

#include <poll.h>
#include <sys/resource.h>

static void descriptors(void)
{
	struct rlimit limit = { 1000, 1000 };
	static struct pollfd all[1000];
	int count = 0, fd;

	setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = open("/dev/null", O_RDWR)) >= 0)
		count++;
	SAY("opened %d, then %s", count, error_name(errno));
	for (int i = 0; i < 1000; i++)
		all[i] = (struct pollfd){ i, POLLOUT, 0 };
	VALUE(poll(all, 1000, 0));
	CHILD("a child has them all") {
		VALUE(close(999));
		VALUE(dup(3));
		VALUE(dup(3));
	}
	for (int i = 3; i < 1000; i++)
		close(i);
	VALUE(dup(0));
	close(3);
}

static void processes(void)
{
	enum { MANY = 200 };
	int gate[2], good = 0, status;
	pid_t children[MANY];

	pipe(gate);
	for (int i = 0; i < MANY; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char c;
			close(gate[1]);
			read(gate[0], &c, 1);
			_exit(i & 127);
		}
	}
	close(gate[1]);
	for (int i = 0; i < MANY; i++)
		good += waitpid(children[i], &status, 0) == children[i] && status == (i & 127) << 8;
	SAY("%d at once: %d", MANY, good);
	good = 0;
	for (int i = 0; i < 500; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(3);
		good += collect(child) == 3 << 8;
	}
	SAY("500 one after the other: %d", good);
	good = 0;
	for (int i = 0; i < 100; i++)
		if (fork() == 0)
			_exit(fork() == 0 ? 0 : 0);
	while (wait(NULL) > 0)
		good++;
	SAY("100 with orphans: %d", good);
	for (int depth = 0; depth < 40; depth++) {
		pid_t child = fork();
		if (child != 0) {
			int end = collect(child);
			if (depth != 0)
				_exit(WEXITSTATUS(end) + 1);
			SAY("40 deep: %d", WEXITSTATUS(end));
			return;
		}
	}
	_exit(1);
}

static void arguments(void)
{
	static char large[131072 + 10];
	enum { MANY = 700000 };
	static char *list[40002];
	char *none[] = { NULL }, **many;

	memset(large, 'a', sizeof large);
	large[131071] = '\0';
	list[0] = "x";
	list[1] = large;
	CHILD("one of 128 KiB") execve("/proc/self/exe", list, none);
	large[131071] = 'a';
	large[131072] = '\0';
	OK(execve("/proc/self/exe", list, none));
	large[1000] = '\0';
	for (int i = 1; i < 10000; i++)
		list[i] = large;
	OK(execve("/proc/self/exe", list, none));
	for (int i = 1; i < 1500; i++)
		list[i] = large;
	list[1500] = NULL;
	CHILD("1.5 MB of them") execve("/proc/self/exe", list, none);
	for (int i = 1; i < 40000; i++)
		list[i] = "y";
	CHILD("40000 of them") execve("/proc/self/exe", list, list);
	many = malloc((MANY + 1) * sizeof *many);
	for (int i = 0; i < MANY; i++)
		many[i] = "";
	many[MANY] = NULL;
	OK(execve("/proc/self/exe", many, none)); /* their addresses count */
	OK(execve("/proc/self/exe", none, many));
	free(many);
}

static void memory(void)
{
	enum { MANY = 3000 };
	static char *pages[MANY];
	long good = 0;

	for (int i = 0; i < MANY; i++) {
		pages[i] = mmap(NULL, 8192, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ,
		                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages[i] != MAP_FAILED && i % 2)
			pages[i][4096] = (char)i;
	}
	for (int i = 0; i < MANY; i++)
		good += pages[i] != MAP_FAILED && pages[i][4096] == (i % 2 ? (char)i : 0);
	SAY("%d ranges: %ld", MANY, good);
	CHILD("a child with them") {
		good = 0;
		for (int i = 1; i < MANY; i += 2)
			good += ++pages[i][4096] == (char)(i + 1);
		_exit(good == MANY / 2);
	}
	good = 0;
	for (int i = 0; i < MANY; i++)
		good += munmap(pages[i], 8192) == 0;
	SAY("given back: %ld", good);
	for (int i = 0; i < 30; i++) {
		char *p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED) {
			SAY("round %d: %s", i, error_name(errno));
			break;
		}
		for (int n = 0; n < 16 << 20; n += 4096)
			p[n] = 1;
		munmap(p, 16 << 20);
	}
	SAY("480 MB, one after the other");
	OK(munmap(OK(mmap(NULL, 1ul << 38, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)), 1ul << 38));
}

static void files(void)
{
	char name[300], block[4096];
	int fd = open("big", O_RDWR | O_CREAT, 0600), good = 0, depth;
	long total = 0;

	memset(block, 'b', sizeof block);
	for (int i = 0; i < 4096; i++)
		total += write(fd, block, sizeof block);
	SAY("a file of %ld", total);
	for (int i = 0; i < 4096; i += 97)
		good += pread(fd, block, 4096, i * 4096L) == 4096 && block[99] == 'b';
	SAY("read: %d", good);
	VALUE(lseek(fd, 1L << 40, SEEK_SET));
	VALUE(lseek(fd, INT64_MAX, SEEK_SET));
	VALUE(lseek(fd, 1, SEEK_CUR));
	OK(unlink("big"));
	close(fd);
	good = 0;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "file%d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
		good += fd >= 0 && write(fd, name, 4) == 4;
		close(fd);
	}
	SAY("%d files", good);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "file%d", i);
		good -= unlink(name) == 0;
	}
	SAY("%d left", good);
	memset(name, 'd', 200);
	name[200] = '\0';
	for (depth = 0; depth < 50; depth++)
		if (mkdir(name, 0700) != 0 || chdir(name) != 0)
			break;
	SAY("%d deep", depth);
	VALUE(syscall(SYS_getcwd, block, sizeof block));
	while (depth-- > 0)
		if (chdir("..") != 0 || rmdir(name) != 0)
			break;
	SAY("and back: %d", depth);
}

int main(int count, char **arguments_given, char **environment)
{
	long length = 0, variables = 0;

	if (count > 1) {
		for (int i = 0; i < count; i++)
			length += (long)strlen(arguments_given[i]);
		while (environment[variables] != NULL)
			variables++;
		SAY("%d arguments, %ld bytes, %ld variables", count, length, variables);
		return 0;
	}
	begin();
	descriptors();
	processes();
	arguments();
	memory();
	files();
	return 0;
}
