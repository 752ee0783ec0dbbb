/* time.c: the clock is the processor's time stamp counter, scaled as the
 * exokernel says (abi/timer.capnp), so reading it needs no call. Alarms are
 * kept by a worker, which is there once the first is set. */
#include "os/linux/time.h"

#include "lib/posix/env.h"
#include "lib/posix/errno.h"
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/signal.h"
#include "os/linux/start.h"
#include "os/linux/syscall.h"
#include "os/linux/user.h"
#include "os/linux/worker.h"

enum {
	CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_PROCESS = 2, CLOCK_THREAD = 3,
	CLOCK_MONOTONIC_RAW = 4, CLOCK_REALTIME_COARSE = 5, CLOCK_MONOTONIC_COARSE = 6,
	CLOCK_BOOTTIME = 7,
	TIMER_ABSTIME = 1,
	ITIMER_REAL = 0,
	TICKS_PER_S = 100,
	ALARMS_APART = 1000000, /* ns at least between two looks at the alarms */
};

static struct {
	uint64_t multiplier, base, realtime_offset;
	uint32_t shift;
} scale;

static struct wait_event alarm_event; /* the earliest alarm may have changed */
static bool alarm_worker;

void time_start(void)
{
	if (exo_clock(&scale.realtime_offset, &scale.multiplier, &scale.shift, &scale.base) != STATUS_OK)
		fatal("no clock", 0);
}

uint64_t env_monotonic(void)
{
	uint32_t low, high;
	uint64_t ticks;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	ticks = ((uint64_t)high << 32 | low) - scale.base;
	return (uint64_t)((unsigned __int128)ticks * scale.multiplier >> scale.shift);
}

uint64_t env_realtime(void)
{
	return env_monotonic() + scale.realtime_offset;
}

/* Reading and writing what programs give. */

static int nanoseconds_of(int64_t seconds, int64_t rest, int64_t unit, int64_t *out)
{
	if (seconds < 0 || rest < 0 || rest >= NS_PER_S / unit)
		return -EINVAL;
	*out = seconds >= INT64_MAX / NS_PER_S ? INT64_MAX : seconds * NS_PER_S + rest * unit;
	return 0;
}

int time_read_timespec(uint64_t address, int64_t *out)
{
	struct timespec t;

	if (user_read(&t, address, sizeof t) != 0)
		return -EFAULT;
	return nanoseconds_of(t.seconds, t.nanoseconds, 1, out);
}

int time_read_timeval(uint64_t address, int64_t *out)
{
	struct timeval t;

	if (user_read(&t, address, sizeof t) != 0)
		return -EFAULT;
	return nanoseconds_of(t.seconds, t.microseconds, NS_PER_US, out);
}

int time_write_timespec(uint64_t address, int64_t nanoseconds)
{
	struct timespec t = { nanoseconds / NS_PER_S, nanoseconds % NS_PER_S };

	return user_write(address, &t, sizeof t);
}

int time_write_timeval(uint64_t address, int64_t nanoseconds)
{
	struct timeval t = { nanoseconds / NS_PER_S, nanoseconds % NS_PER_S / NS_PER_US };

	return user_write(address, &t, sizeof t);
}

uint64_t time_deadline(int64_t nanoseconds)
{
	uint64_t now = env_monotonic();
	uint64_t at = now + (uint64_t)nanoseconds;

	return at < now ? UINT64_MAX : at == 0 ? 1 : at;
}

/* Clocks. */

static int read_clock(uint64_t clock, uint64_t *out)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		*out = env_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*out = env_monotonic();
		return 0;
	case CLOCK_PROCESS:
	case CLOCK_THREAD: /* as if it had always been running */
		*out = env_monotonic() - current()->start_time;
		return 0;
	default:
		return -EINVAL;
	}
}

int64_t sys_clock_gettime(uint64_t clock, uint64_t to)
{
	uint64_t now;
	int result = read_clock(clock, &now);

	return result != 0 ? result : time_write_timespec(to, (int64_t)now);
}

int64_t sys_clock_getres(uint64_t clock, uint64_t to)
{
	uint64_t now;

	if (read_clock(clock, &now) != 0)
		return -EINVAL;
	return to != 0 ? time_write_timespec(to, 1) : 0;
}

int64_t sys_gettimeofday(uint64_t to, uint64_t zone)
{
	if (zone != 0 && (!user_range(zone, 8) || user_clear((void *)zone, 8) != 0))
		return -EFAULT;
	return to != 0 ? time_write_timeval(to, (int64_t)env_realtime()) : 0;
}

int64_t sys_time(uint64_t to)
{
	int64_t now = (int64_t)(env_realtime() / NS_PER_S);

	if (to != 0 && user_write(to, &now, sizeof now) != 0)
		return -EFAULT;
	return now;
}

int64_t sys_settimeofday(uint64_t from, uint64_t zone)
{
	int64_t now;
	int result;

	(void)zone;
	if (from == 0)
		return 0;
	result = time_read_timeval(from, &now);
	if (result == 0)
		scale.realtime_offset = (uint64_t)now - env_monotonic();
	return result;
}

int64_t sys_clock_settime(uint64_t clock, uint64_t from)
{
	int64_t now;
	int result = time_read_timespec(from, &now);

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	if (result == 0)
		scale.realtime_offset = (uint64_t)now - env_monotonic();
	return result;
}

int64_t sys_times(uint64_t to)
{
	int64_t ticks = (int64_t)(env_monotonic() / (NS_PER_S / TICKS_PER_S));

	if (to != 0 && (!user_range(to, 32) || user_clear((void *)to, 32) != 0))
		return -EFAULT;
	return ticks;
}

/* Sleeping. Nobody wakes the event: only time or a signal does. */
static int64_t sleep_until(uint64_t deadline, uint64_t rest)
{
	struct wait_event event = { 0 };
	uint64_t now;
	int result;

	do
		result = lock_sleep(&event, event.sequence, deadline);
	while (result == 0);
	if (result == -ETIMEDOUT)
		return 0;
	now = env_monotonic();
	if (rest != 0 && time_write_timespec(rest, now < deadline ? (int64_t)(deadline - now) : 0) != 0)
		return -EFAULT;
	return -ERESTARTNOHAND;
}

int64_t sys_nanosleep(uint64_t from, uint64_t rest)
{
	int64_t length;
	int result = time_read_timespec(from, &length);

	return result != 0 ? result : sleep_until(time_deadline(length), rest);
}

int64_t sys_clock_nanosleep(uint64_t clock, uint64_t flags, uint64_t from, uint64_t rest)
{
	int64_t length;
	uint64_t now;
	int result = read_clock(clock, &now);

	if (result == 0)
		result = time_read_timespec(from, &length);
	if (result != 0)
		return result;
	if ((flags & TIMER_ABSTIME) == 0)
		return sleep_until(time_deadline(length), rest);
	return (uint64_t)length <= now ? 0 : sleep_until(time_deadline(length - (int64_t)now), 0);
}

/* Alarms. */

/* Signals those whose time has come; when the next one is due, or 0. */
static uint64_t ring_alarms(void)
{
	uint64_t now = env_monotonic(), next = 0;

	for (struct task *task = task_all; task != NULL; task = task->next) {
		if (task->alarm_at == 0 || task->state == TASK_ZOMBIE)
			continue;
		if (task->alarm_at <= now) {
			task->alarm_at = task->alarm_interval != 0 ? now + task->alarm_interval : 0;
			signal_send(task, SIGALRM, NULL);
		}
		if (task->alarm_at != 0 && (next == 0 || task->alarm_at < next))
			next = task->alarm_at;
	}
	return next;
}

static void watch_alarms(void)
{
	lock_take();
	for (;;) {
		uint32_t sequence = alarm_event.sequence;
		uint64_t next = ring_alarms(), least = env_monotonic() + ALARMS_APART;
		if (next != 0 && next < least)
			next = least; /* else it might never sleep, and keep the lock */
		(void)lock_sleep(&alarm_event, sequence, next);
	}
}

void time_cancel_alarm(struct task *task)
{
	task->alarm_at = 0;
	task->alarm_interval = 0;
}

static bool start_worker(void)
{
	struct task *worker = worker_create("alarm");

	if (worker == NULL)
		return false;
	alarm_worker = worker_start(worker, watch_alarms);
	if (!alarm_worker)
		task_free(worker);
	return alarm_worker;
}

static int set_alarm(int64_t value, int64_t interval, int64_t *old_value, int64_t *old_interval)
{
	struct task *task = current();
	uint64_t now = env_monotonic();

	*old_value = task->alarm_at == 0 ? 0 : task->alarm_at > now ? (int64_t)(task->alarm_at - now) : 1;
	*old_interval = (int64_t)task->alarm_interval;
	if (value != 0 && !alarm_worker && !start_worker())
		return -ENOMEM;
	task->alarm_at = value != 0 ? time_deadline(value) : 0;
	task->alarm_interval = (uint64_t)interval;
	env_wake(&alarm_event);
	return 0;
}

int64_t sys_alarm(uint64_t seconds)
{
	int64_t old, interval;
	int result = set_alarm((int64_t)(uint32_t)seconds * NS_PER_S, 0, &old, &interval);

	return result != 0 ? result : (old + NS_PER_S - 1) / NS_PER_S;
}

int64_t sys_setitimer(uint64_t which, uint64_t from, uint64_t to)
{
	int64_t value = 0, interval = 0;
	int result = 0;

	if (which != ITIMER_REAL)
		return which < 3 ? -ENOSYS : -EINVAL;
	if (from != 0) {
		result = time_read_timeval(from, &interval);
		if (result == 0)
			result = time_read_timeval(from + sizeof(struct timeval), &value);
	}
	if (result == 0)
		result = set_alarm(value, interval, &value, &interval);
	if (result == 0 && to != 0 && (time_write_timeval(to, interval) != 0 ||
	                               time_write_timeval(to + sizeof(struct timeval), value) != 0))
		result = -EFAULT;
	return result;
}

int64_t sys_getitimer(uint64_t which, uint64_t to)
{
	struct task *task = current();
	uint64_t now = env_monotonic();

	if (which != ITIMER_REAL)
		return which < 3 ? -ENOSYS : -EINVAL;
	if (time_write_timeval(to, (int64_t)task->alarm_interval) != 0 ||
	    time_write_timeval(to + sizeof(struct timeval),
	                  task->alarm_at > now ? (int64_t)(task->alarm_at - now) : 0) != 0)
		return -EFAULT;
	return 0;
}
