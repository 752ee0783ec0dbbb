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

/* Sleeps, and says what the sleeper gave and whether it took `us`. Never less; a
 * busy machine may wake it late, but not five times in a row. */
static void say_slept(const char *what, long (*sleeper)(long), long us)
{
	const char *found = "too long";
	long value = 0;

	for (int tries = 0; tries < 5 && strcmp(found, "too long") == 0; tries++) {
		long start = now_us(CLOCK_MONOTONIC), slept;
		errno = 0;
		value = sleeper(us);
		slept = now_us(CLOCK_MONOTONIC) - start;
		if (slept < us)
			found = "too short";
		else if (slept < us + 1000000)
			found = "well";
	}
	SAY("%s: %ld %s, %s", what, value, errno != 0 ? error_name(errno) : "no error", found);
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
	long sum = 0, early;

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
	early = time(NULL); /* of the last tick: up to a second behind the others */
	gettimeofday(&v, NULL);
	TRUTH(early <= v.tv_sec && v.tv_sec <= time(NULL) + 1);
	early = now_us(CLOCK_REALTIME);
	gettimeofday(&v, NULL);
	TRUTH(early <= v.tv_sec * 1000000 + v.tv_usec);
	TRUTH(v.tv_sec * 1000000 + v.tv_usec <= now_us(CLOCK_REALTIME));
	TRUTH(v.tv_sec > 1700000000);
	for (long end = now_us(CLOCK_MONOTONIC) + 50000; now_us(CLOCK_MONOTONIC) < end;)
		sum++;
	TRUTH(sum > 0 && clock() != (clock_t)-1 && times(NULL) != -1);
}

static struct timespec in_us(long us)
{
	return (struct timespec){ us / 1000000, us % 1000000 * 1000 };
}

static long by_nanosleep(long us)
{
	struct timespec t = in_us(us);

	return nanosleep(&t, NULL);
}

static long by_real_time(long us)
{
	struct timespec t = in_us(us);

	return clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL);
}

static long until(long us)
{
	struct timespec t = in_us(now_us(CLOCK_MONOTONIC) + us);

	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static long by_poll(long us)
{
	return poll(NULL, 0, (int)(us / 1000));
}

static long by_select(long us)
{
	struct timeval t = { us / 1000000, us % 1000000 };

	return select(0, NULL, NULL, NULL, &t);
}

static void sleeps(void)
{
	struct timespec t, at = { 1, 0 };

	say_slept("nanosleep", by_nanosleep, 30000);
	say_slept("clock_nanosleep", by_real_time, 30000);
	say_slept("until then", until, 30000);
	say_slept("poll", by_poll, 30000);
	say_slept("select", by_select, 30000);
	VALUE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
	VALUE(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL));
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

/* Five sleep at once, the first the longest: `order` is that of their ends. */
static void sleep_in_turn(char *order)
{
	long start = now_us(CLOCK_MONOTONIC);
	int ends[2], count = 0;

	pipe(ends);
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			long end = start + 700000 - i * 150000;
			struct timespec at = in_us(end);
			char c;
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
			c = (char)(now_us(CLOCK_MONOTONIC) >= end ? '0' + i : '!');
			write(ends[1], &c, 1);
			_exit(0);
		}
	while (count < 5 && read(ends[0], &order[count], 1) == 1)
		count++;
	while (wait(NULL) > 0)
		;
	close(ends[0]);
	close(ends[1]);
}

/* A busy machine may put some off past others, but not again and again. */
static void many(void)
{
	char order[6] = "";

	for (int tries = 0; tries < 5 && strcmp(order, "43210") != 0 && strchr(order, '!') == NULL; tries++)
		sleep_in_turn(order);
	SAY("order: %s", order);
}

/* Those that never call anything share a processor with one that sleeps, and
 * each gets its turn. */
static void busy(void)
{
	enum { BUSY = 3 };
	pid_t children[BUSY];
	volatile long *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int counting = 0;

	for (int i = 0; i < BUSY; i++) {
		children[i] = fork();
		if (children[i] == 0)
			for (;;)
				counts[i * 64]++;
	}
	say_slept("beside the busy", by_nanosleep, 200000);
	for (int tries = 0; tries < 50 && counting < BUSY; tries++) {
		sleep_ms(100);
		counting = 0;
		for (int i = 0; i < BUSY; i++)
			counting += counts[i * 64] > 0;
	}
	SAY("%d of %d count", counting, BUSY);
	for (int i = 0; i < BUSY; i++) {
		kill(children[i], SIGKILL);
		say_status("busy", collect(children[i]));
	}
}

/* Nobody wakes it, so it waits until then, by either clock. */
static long wait_until(clockid_t clock, int operation, long us)
{
	struct timespec until;
	uint32_t word = 5;
	long at = now_us(clock) + us;

	until = (struct timespec){ at / 1000000, at % 1000000 * 1000 };
	until.tv_nsec += 999; /* what now_us leaves off */
	return syscall(SYS_futex, &word, operation, 5, &until, NULL, ~0u);
}

static long by_futex(long us)
{
	return wait_until(CLOCK_MONOTONIC, 9, us);
}

static long by_futex_of_real_time(long us)
{
	return wait_until(CLOCK_REALTIME, 9 | 256, us);
}

static void futexes(void)
{
	say_slept("a futex", by_futex, 100000);
	say_slept("a futex, real time", by_futex_of_real_time, 100000);
	say_slept("a futex, past", by_futex, -100000);
	say_slept("a futex, real time and past", by_futex_of_real_time, -100000);
}

int main(void)
{
	begin();
	clocks();
	sleeps();
	many();
	busy();
	futexes();
	return 0;
}
