/* abi_proc.c: what /proc/self tells, uname and limits. */
#include "test/boot/linux/abi.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

static char text[65536];

static long get(const char *path)
{
	int fd = open(path, O_RDONLY);
	long total = 0, n;

	if (fd < 0) {
		SAY("%s: %s", path, error_name(errno));
		return -1;
	}
	while ((n = read(fd, text + total, sizeof text - 1 - (size_t)total)) > 0)
		total += n;
	close(fd);
	text[total] = '\0';
	return total;
}

/* The line of the status file that begins so. */
static void say_line(const char *key, bool with_value)
{
	char *line = strstr(text, key);

	if (line == NULL)
		SAY("no %s", key);
	else if (!with_value)
		SAY("%s is there", key);
	else
		SAY("%.*s", (int)strcspn(line, "\n"), line);
}

static void links(void)
{
	char target[4096], here[4096];
	struct stat a, b;
	ssize_t n = readlink("/proc/self", target, sizeof target);

	TRUTH(n > 0 && atoi(target) == getpid());
	n = readlink("/proc/self/cwd", target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	TRUTH(strcmp(getcwd(here, sizeof here), target) == 0);
	n = readlink("/proc/self/exe", target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	TRUTH(n > 0 && strstr(target, "abi_proc") != NULL);
	n = readlink("/proc/self/root", target, sizeof target);
	SAY("root: %.*s", (int)n, target);
	put_file("f", "hello");
	int fd = open("f", O_RDWR);
	char path[40];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	TRUTH(n > 0);
	stat(path, &a);
	fstat(fd, &b);
	TRUTH(a.st_ino == b.st_ino);
	fd = OK(open(path, O_RDONLY));
	VALUE(read(fd, target, 10));
	OK(readlink("/proc/self/fd/99", target, 10));
	OK(open("/proc/self/fd/99", O_RDONLY));
	OK(open("/proc/999999/stat", O_RDONLY));
	OK(open("/proc/self/none", O_RDONLY));
	TRUTH(mkdir("/proc/self/x", 0700) != 0);
	TRUTH(unlink("/proc/self/stat") != 0);
}

static void files(void)
{
	static const char *const status[] = { "PPid:", "Uid:", "Gid:", "VmSize:", "VmRSS:", "Threads:",
		                                  "SigPnd:", "SigBlk:", "SigCgt:" };
	long n;

	n = get("/proc/self/cmdline");
	SAY("cmdline ends: %d", n > 8 && strcmp(text + n - strlen(text) - 1, text) == 0);
	OK(prctl(PR_SET_NAME, "a new name that is long"));
	get("/proc/self/comm");
	SAY("comm: %.*s", (int)strcspn(text, "\n"), text);
	get("/proc/self/status");
	say_line("Name:", true);
	say_line("State:", true);
	for (size_t i = 0; i < sizeof status / sizeof status[0]; i++)
		say_line(status[i], false);
	get("/proc/self/stat");
	TRUTH(atoi(text) == getpid() && strstr(text, "(a new name that) R ") != NULL);
	get("/proc/self/maps");
	TRUTH(strstr(text, "[stack]") != NULL && strstr(text, " r-xp ") != NULL && strstr(text, "abi_proc") != NULL);
	get("/proc/self/statm");
	TRUTH(strspn(text, "0123456789 \n") == strlen(text));
	get("/proc/uptime");
	get("/proc/meminfo");
	say_line("MemTotal:", false);
	say_line("MemFree:", false);
	get("/proc/stat");
	say_line("cpu ", false);
	say_line("btime ", false);
	get("/proc/loadavg");
	get("/proc/mounts");
	get("/proc/version");
	TRUTH(strncmp(text, "Linux version ", 14) == 0);
	get("/proc/filesystems");
}

static void directories(void)
{
	char me[20];
	int found = 0, fds = 0;
	struct dirent *e;
	DIR *dir = opendir("/proc");

	snprintf(me, sizeof me, "%d", getpid());
	while ((e = readdir(dir)) != NULL)
		found += strcmp(e->d_name, me) == 0;
	closedir(dir);
	SAY("in the list: %d", found);
	dir = opendir("/proc/self/fd");
	while ((e = readdir(dir)) != NULL)
		fds += e->d_name[0] != '.';
	closedir(dir);
	SAY("descriptors: %d", fds);
}

/* The state in the stat file, once it is the one wanted, or after ten seconds. */
static char state_of(const char *path, char wanted)
{
	char *end = NULL;

	for (int tries = 0; tries < 1000; tries++) {
		get(path);
		end = strrchr(text, ')');
		if (end != NULL && end[2] == wanted)
			break;
		sleep_ms(10);
	}
	return end != NULL ? end[2] : '?';
}

/* What another process looks like: asleep, stopped, dead. */
static void others(void)
{
	char path[40];
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	snprintf(path, sizeof path, "/proc/%d/stat", child);
	for (int i = 0; i < 3; i++) {
		SAY("state %c", state_of(path, "STZ"[i]));
		kill(child, i == 0 ? SIGSTOP : SIGKILL);
	}
	collect(child);
	TRUTH(access(path, F_OK) != 0 && errno == ENOENT);
}

static void machine(void)
{
	struct rlimit limit, small = { 10, 10 };
	struct utsname name;
	struct sysinfo info;
	struct statfs fs;

	OK(uname(&name));
	SAY("%s %s", name.sysname, name.machine);
	OK(sysinfo(&info));
	TRUTH(info.totalram > 0 && info.procs > 0);
	OK(statfs("/proc", &fs));
	SAY("proc: %lx", (long)fs.f_type);
	OK(statfs("none", &fs));
	OK(fstatfs(99, &fs));
	OK(getrlimit(RLIMIT_STACK, &limit));
	SAY("stack %ld", (long)limit.rlim_cur);
	OK(getrlimit(99, &limit));
	OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 20, 10 }));
	CHILD("few descriptors") {
		OK(setrlimit(RLIMIT_NOFILE, &small));
		OK(getrlimit(RLIMIT_NOFILE, &limit));
		SAY("limit %ld %ld", (long)limit.rlim_cur, (long)limit.rlim_max);
		while (open("/dev/null", O_RDONLY) >= 0)
			;
		SAY("at last: %s", error_name(errno));
		OK(dup(0));
		OK(fcntl(0, F_DUPFD, 10));
		OK(dup2(0, 10));
		VALUE(dup2(0, 9));
		OK(pipe((int[2]){ 0 }));
	}
	SAY("ids %d %d %d %d", getuid(), geteuid(), getgid(), getegid());
	OK(prctl(PR_GET_NAME, text));
	SAY("name %s", text);
	OK(prctl(9999, 0));
	VALUE(nice(0));
	TRUTH(gettid() == getpid());
	OK(syscall(9999));
	OK(syscall(-1L));
}

int main(void)
{
	begin();
	links();
	files();
	directories();
	others();
	machine();
	return 0;
}
