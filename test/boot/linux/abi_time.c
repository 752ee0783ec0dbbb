/* abi_time.c: clocks and sleeps. Only bounds are printed. */
#include "test/boot/linux/abi.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

static long now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* How long since, in words: late is allowed, early is not. */
static void say_slept(const char *what, long since, long at_least)
{
	long slept = now_us(CLOCK_MONOTONIC) - since;

	SAY("%s: %s", what, slept < at_least ? "too short" : slept < at_least + 2000000 ? "well" : "too long");
}

static void clocks(void)
{
	static const clockid_t ids[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
	};
	struct timespec t, last = { 0, 0 };
	struct timeval v;
	bool forward = true;
	long sum = 0;

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		SAY("clock %d:", ids[i]);
		OK(syscall(SYS_clock_gettime, ids[i], &t));
		TRUTH(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
		OK(syscall(SYS_clock_getres, ids[i], &t));
		TRUTH(t.tv_sec == 0 && t.tv_nsec > 0);
	}
	OK(syscall(SYS_clock_gettime, 99, &t));
	OK(syscall(SYS_clock_getres, 99, &t));
	OK(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL));
	OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8));
	OK(syscall(SYS_gettimeofday, 8, NULL));
	OK(syscall(SYS_gettimeofday, NULL, NULL));
	OK(syscall(SYS_time, 8));
	for (int i = 0; i < 200000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		forward &= t.tv_sec > last.tv_sec || (t.tv_sec == last.tv_sec && t.tv_nsec >= last.tv_nsec);
		last = t;
	}
	TRUTH(forward);
	gettimeofday(&v, NULL);
	TRUTH(labs(time(NULL) - v.tv_sec) <= 1);
	TRUTH(labs(now_us(CLOCK_REALTIME) / 1000000 - v.tv_sec) <= 1);
	TRUTH(v.tv_sec > 1700000000);
	for (long end = now_us(CLOCK_MONOTONIC) + 50000; now_us(CLOCK_MONOTONIC) < end;)
		sum++;
	TRUTH(sum > 0 && clock() != (clock_t)-1 && times(NULL) != -1);
}

static void sleeps(void)
{
	struct timespec t = { 0, 30000000 }, at;
	struct timeval v = { 0, 30000 };
	long start = now_us(CLOCK_MONOTONIC);

	VALUE(nanosleep(&t, NULL));
	say_slept("nanosleep", start, 30000);
	start = now_us(CLOCK_MONOTONIC);
	VALUE(clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL));
	say_slept("clock_nanosleep", start, 30000);
	start = now_us(CLOCK_MONOTONIC);
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += at.tv_nsec >= 970000000;
	at.tv_nsec = (at.tv_nsec + 30000000) % 1000000000;
	VALUE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
	say_slept("until then", start, 29000);
	VALUE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
	at = (struct timespec){ 1, 0 };
	VALUE(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL));
	start = now_us(CLOCK_MONOTONIC);
	VALUE(poll(NULL, 0, 30));
	say_slept("poll", start, 30000);
	start = now_us(CLOCK_MONOTONIC);
	VALUE(select(0, NULL, NULL, NULL, &v));
	say_slept("select", start, 30000);
	t = (struct timespec){ 0, 1000000000 };
	VALUE(nanosleep(&t, NULL));
	t = (struct timespec){ -1, 0 };
	VALUE(nanosleep(&t, NULL));
	t = (struct timespec){ 0, -1 };
	VALUE(nanosleep(&t, NULL));
	t = (struct timespec){ 0, 0 };
	VALUE(nanosleep(&t, NULL));
	VALUE(syscall(SYS_nanosleep, 8, NULL));
	VALUE(clock_nanosleep(99, 0, &t, NULL));
	VALUE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, 8, NULL));
}

/* Ten sleep at once, one after the other: the order is theirs. */
static void many(void)
{
	int ends[2], count = 0;
	char order[11] = "";

	pipe(ends);
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			char c = (char)('0' + i);
			sleep_ms(900 - i * 200); /* a busy host puts things off */
			write(ends[1], &c, 1);
			_exit(0);
		}
	while (count < 5 && read(ends[0], &order[count], 1) == 1)
		count++;
	SAY("order: %s", order);
	while (wait(NULL) > 0)
		;
}

/* Two that never call anything share a processor with one that sleeps. */
static void busy(void)
{
	pid_t children[3];
	volatile long *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long start = now_us(CLOCK_MONOTONIC);

	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (children[i] == 0)
			for (;;)
				counts[i * 64]++;
	}
	sleep_ms(200);
	say_slept("beside the busy", start, 200000);
	for (int i = 0; i < 3; i++) {
		kill(children[i], SIGKILL);
		say_status("busy", collect(children[i]));
		TRUTH(counts[i * 64] > 0);
	}
}

int main(void)
{
	begin();
	clocks();
	sleeps();
	many();
	busy();
	return 0;
}
