/* rows.c: what some common operations cost, on any system that runs Linux
 * programs. The same binary runs under Tessera's libOS `linux` and under Linux,
 * as PID 1 on both:
 *
 *   /bench/rows insns|wall
 *
 * A row times `samples` batches of `batch` calls of its `once`; what it reports
 * is the median batch, less the median batch of calls that do nothing, over
 * `batch`. Under QEMU's -icount shift=0 a TSC tick is an executed instruction.
 * For `wall`, ticks become nanoseconds by the system's own monotonic clock, read
 * over the whole run.
 *
 * Prints "row NAME N" for each, or "row NAME n/a REASON" where the system cannot
 * do it. System calls are made directly: libc's share is not what we are after. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	SAMPLES_MAX = 101,
	FAULTS = 64, /* a batch of them */
	APART = 17 * PAGE,
	SETTLE_NS = 20000000,
};

struct row {
	const char *name;
	unsigned samples, batch;
	long (*start)(void); /* makes what `once` needs; may be NULL */
	long (*once)(void);  /* below 0: a negative errno, here and in start */
	void (*stop)(void);  /* called even if start failed; may be NULL */
};

static inline long call4(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
	                 : "+a"(number)
	                 : "D"(a), "S"(b), "d"(c), "r"(r10)
	                 : "rcx", "r11", "memory");
	return number;
}

static inline long call3(long number, long a, long b, long c)
{
	return call4(number, a, b, c, 0);
}

/* -- system calls and signals ------------------------------------------------- */

static volatile unsigned signals_taken;
static long self;

static long nothing_once(void)
{
	return 0;
}

static long getpid_once(void)
{
	return call3(SYS_getpid, 0, 0, 0);
}

static void on_signal(int number)
{
	(void)number;
	signals_taken++;
}

static long signal_start(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (sigaction(SIGUSR1, &action, NULL))
		return -errno;
	self = getpid();
	call3(SYS_kill, self, SIGUSR1, 0);
	return signals_taken ? 0 : -ENOSYS;
}

static long signal_once(void)
{
	return call3(SYS_kill, self, SIGUSR1, 0);
}

/* -- processes ---------------------------------------------------------------- */

static void wait_for(long pid)
{
	call4(SYS_wait4, pid, 0, 0, 0);
}

static long fork_wait_once(void)
{
	long pid = call3(SYS_fork, 0, 0, 0);

	if (pid == 0)
		call3(SYS_exit_group, 0, 0, 0);
	return pid < 0 ? pid : call4(SYS_wait4, pid, 0, 0, 0);
}

static long fork_exec(const char *path)
{
	const char *arguments[] = {path, NULL}, *environment[] = {NULL};
	int status = 0;
	long pid = call3(SYS_fork, 0, 0, 0), got;

	if (pid == 0) {
		call3(SYS_execve, (long)path, (long)arguments, (long)environment);
		call3(SYS_exit_group, 1, 0, 0);
	}
	if (pid < 0)
		return pid;
	got = call4(SYS_wait4, pid, (long)&status, 0, 0);
	return got < 0 ? got : status ? -ENOEXEC : 0;
}

static long fork_exec_once(void)
{
	return fork_exec("/bench/nothing");
}

static long fork_exec_libc_once(void)
{
	return fork_exec("/bench/nothing_libc");
}

/* -- memory ------------------------------------------------------------------- */

static char *fresh, *next_page;
static size_t fresh_size, stride;
static int hold[2] = {-1, -1};
static long holder;

/* Room for every batch, with a page for each call, `step` bytes apart. */
static long map_apart(size_t step)
{
	stride = step;
	fresh_size = (size_t)SAMPLES_MAX * FAULTS * stride;
	fresh = mmap(NULL, fresh_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED)
		return -errno;
	madvise(fresh, fresh_size, MADV_NOHUGEPAGE); /* one fault each is what we count */
	next_page = fresh;
	return 0;
}

/* So far apart that no system brings in one page with another: each touch is a
 * fault, and one page is what it brings. */
static long map_scattered(void)
{
	return map_apart(APART);
}

static long map_fresh(void)
{
	return map_apart(PAGE);
}

static void unmap_fresh(void)
{
	if (fresh != MAP_FAILED)
		munmap(fresh, fresh_size);
}

static long touch_once(void)
{
	*(volatile char *)next_page = 1;
	next_page += stride;
	return 0;
}

/* A child that shares the pages until it is let go. */
static long cow_start(void)
{
	long status = map_fresh();
	char byte;

	if (status < 0)
		return status;
	memset(fresh, 1, fresh_size);
	if (pipe(hold))
		return -errno;
	holder = call3(SYS_fork, 0, 0, 0);
	if (holder == 0) {
		call3(SYS_close, hold[1], 0, 0);
		call3(SYS_read, hold[0], (long)&byte, 1);
		call3(SYS_exit_group, 0, 0, 0);
	}
	return holder < 0 ? holder : 0;
}

static void cow_stop(void)
{
	close(hold[0]);
	close(hold[1]);
	if (holder > 0)
		wait_for(holder);
	unmap_fresh();
}

/* -- pipes -------------------------------------------------------------------- */

static int there[2] = {-1, -1}, back[2] = {-1, -1};
static long echo;
static char block[PAGE];

static void echo_bytes(void)
{
	char byte;

	call3(SYS_close, there[1], 0, 0);
	while (call3(SYS_read, there[0], (long)&byte, 1) == 1)
		call3(SYS_write, back[1], (long)&byte, 1);
	call3(SYS_exit_group, 0, 0, 0);
}

static long pingpong_start(void)
{
	if (pipe(there) || pipe(back))
		return -errno;
	echo = call3(SYS_fork, 0, 0, 0);
	if (echo == 0)
		echo_bytes();
	return echo < 0 ? echo : 0;
}

static long pingpong_once(void)
{
	char byte = 0;
	long done = call3(SYS_write, there[1], (long)&byte, 1);

	return done < 0 ? done : call3(SYS_read, back[0], (long)&byte, 1);
}

static void close_pipes(void)
{
	for (unsigned i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

static void pingpong_stop(void)
{
	close_pipes();
	if (echo > 0)
		wait_for(echo);
}

static long pipe_start(void)
{
	return pipe(there) ? -errno : 0;
}

static long pipe_once(void)
{
	long done = call3(SYS_write, there[1], (long)block, PAGE);

	return done < 0 ? done : call3(SYS_read, there[0], (long)block, PAGE);
}

/* -- files -------------------------------------------------------------------- */

static const char deep[] = "/tmp/a/b/c"; /* four components */
static const char created[] = "/tmp/new";

static long file_new(const char *path)
{
	long fd = call4(SYS_openat, AT_FDCWD, (long)path, O_CREAT | O_WRONLY, 0644), done;

	if (fd < 0)
		return fd;
	done = call3(SYS_write, fd, (long)block, PAGE);
	call3(SYS_close, fd, 0, 0);
	return done;
}

static long file_start(void)
{
	mkdir("/tmp", 0755);
	mkdir("/tmp/a", 0755);
	mkdir("/tmp/a/b", 0755);
	return file_new(deep);
}

static long file_read_once(void)
{
	long fd = call4(SYS_openat, AT_FDCWD, (long)deep, O_RDONLY, 0), done;

	if (fd < 0)
		return fd;
	done = call3(SYS_read, fd, (long)block, PAGE);
	call3(SYS_close, fd, 0, 0);
	return done;
}

static long stat_once(void)
{
	struct stat s;

	return call4(SYS_newfstatat, AT_FDCWD, (long)deep, (long)&s, 0);
}

static long file_create_once(void)
{
	long done = file_new(created);

	return done < 0 ? done : call3(SYS_unlink, (long)created, 0, 0);
}

/* -- measuring ---------------------------------------------------------------- */

static const struct row rows[] = {
	{"getpid", 51, 1000, NULL, getpid_once, NULL},
	{"fault_anon", 51, FAULTS, map_scattered, touch_once, unmap_fresh},
	{"touch_in_order", 51, FAULTS, map_fresh, touch_once, unmap_fresh},
	{"fork_wait", 101, 1, NULL, fork_wait_once, NULL},
	{"fork_exec", 101, 1, NULL, fork_exec_once, NULL},
	{"fork_exec_libc", 51, 1, NULL, fork_exec_libc_once, NULL},
	{"fault_cow", 51, FAULTS, cow_start, touch_once, cow_stop},
	{"pipe_pingpong", 51, 20, pingpong_start, pingpong_once, pingpong_stop},
	{"pipe_4k", 51, 20, pipe_start, pipe_once, close_pipes},
	{"signal_self", 51, 20, signal_start, signal_once, NULL},
	{"file_read", 51, 20, file_start, file_read_once, NULL},
	{"stat_deep", 51, 20, file_start, stat_once, NULL},
	{"file_create", 51, 10, file_start, file_create_once, NULL},
};

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t now_ns(void)
{
	struct timespec t = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* The median batch in ticks, or below 0 what `once` said. */
static long median_batch(const struct row *row, long (*once)(void))
{
	static uint64_t taken[SAMPLES_MAX];

	for (unsigned i = 0; i < row->samples; i++) {
		uint64_t start = rdtsc();

		for (unsigned n = row->batch; n > 0; n--) {
			long status = once();

			if (status < 0)
				return status;
		}
		taken[i] = rdtsc() - start;
	}
	qsort(taken, row->samples, sizeof(taken[0]), compare);
	return (long)taken[row->samples / 2];
}

/* Ticks that one `once` takes. */
static long measure(const struct row *row)
{
	long status = row->start ? row->start() : 0, idle, busy = status;

	if (status >= 0)
		busy = median_batch(row, row->once);
	if (row->stop)
		row->stop();
	if (busy < 0)
		return busy;
	idle = median_batch(row, nothing_once);
	return busy <= idle ? 0 : (busy - idle + row->batch / 2) / row->batch;
}

int main(int argc, char **argv)
{
	int wall = argc > 1 && strcmp(argv[1], "wall") == 0;
	uint64_t start_tsc = rdtsc(), start_ns = now_ns();

	while (wall && now_ns() - start_ns < SETTLE_NS && now_ns() > start_ns)
		;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		long ticks = measure(&rows[i]);
		double scale = 1;

		if (wall)
			scale = (double)(now_ns() - start_ns) / (double)(rdtsc() - start_tsc);
		if (ticks < 0)
			dprintf(1, "row %s n/a %s\n", rows[i].name, strerror((int)-ticks));
		else
			dprintf(1, "row %s %.0f\n", rows[i].name, (double)ticks * scale);
	}
	return 0;
}
