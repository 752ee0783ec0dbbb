/* time.h: the clock, read without a call, and alarms. */
#pragma once

#include <stdint.h>

struct task;

enum { NS_PER_S = 1000000000, NS_PER_US = 1000 };

struct timespec {
	int64_t seconds, nanoseconds;
};
struct timeval {
	int64_t seconds, microseconds;
};

/* Learns the clock's scale from the exokernel. */
void time_start(void);

/* env_monotonic() and env_realtime() are implemented here. */

/* The nanoseconds of what a program gave: -EFAULT, -EINVAL. Too many: INT64_MAX. */
int time_read_timespec(uint64_t address, int64_t *out);
int time_read_timeval(uint64_t address, int64_t *out);
int time_write_timespec(uint64_t address, int64_t nanoseconds);
int time_write_timeval(uint64_t address, int64_t nanoseconds);
/* What env_monotonic() will be `nanoseconds` from now; never 0. */
uint64_t time_deadline(int64_t nanoseconds);

/* Under the lock. */
void time_cancel_alarm(struct task *task);
