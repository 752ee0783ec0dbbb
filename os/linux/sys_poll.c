/* sys_poll.c: poll and select.
 *
 * All pollers of the system sleep on one event. Each marks the events of its
 * files first; when a marked event is woken, all pollers look again. A mark is
 * a bit of the event, so nothing needs to be undone, and nothing is left
 * pointing at a file that goes. */
#include "lib/posix/errno.h"
#include "os/linux/io.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"
#include "os/linux/time.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum { POLL_FEW = 16, SIGSET_SIZE = 8 };

struct pollfd {
	int32_t fd;
	int16_t events, revents;
};

static void mark(struct wait_event *event)
{
	if (event != NULL)
		event->waiters |= LOCK_POLLED;
}

/* What of `wanted` holds of a descriptor now, errors always. */
static uint32_t look(int32_t fd, uint32_t wanted)
{
	struct file *file = io_file((uint32_t)fd);
	struct poll_events events = { 0 };
	uint32_t found;

	if (file == NULL)
		return POLLNVAL;
	found = file_poll(file, &events) & (wanted | POLLERR | POLLHUP);
	if (found == 0) {
		mark(events.in);
		mark(events.out);
	}
	return found;
}

static int64_t look_at_all(struct pollfd *fds, uint64_t count)
{
	int64_t ready = 0;

	for (uint64_t i = 0; i < count; i++) {
		fds[i].revents = 0;
		if (fds[i].fd >= 0)
			fds[i].revents = (int16_t)look(fds[i].fd, (uint16_t)fds[i].events);
		ready += fds[i].revents != 0;
	}
	return ready;
}

/* `deadline` 0: no limit; 1: not at all. */
static int64_t wait_for_any(struct pollfd *fds, uint64_t count, uint64_t deadline)
{
	for (;;) {
		uint32_t sequence = lock_poll_event.sequence;
		int64_t ready = look_at_all(fds, count);
		if (ready != 0 || deadline == 1)
			return ready;
		switch (lock_sleep(&lock_poll_event, sequence, deadline)) {
		case -EINTR:
			return -ERESTARTNOHAND;
		case -ETIMEDOUT:
			deadline = 1;
			break;
		}
	}
}

static int64_t do_poll(uint64_t address, uint64_t count, uint64_t deadline)
{
	struct pollfd few[POLL_FEW], *fds = few;
	int64_t result;

	if (count > FDTABLE_LIMIT_MAX)
		return -EINVAL;
	if (count > POLL_FEW && (fds = kmalloc(count * sizeof *fds)) == NULL)
		return -ENOMEM;
	result = user_read(fds, address, count * sizeof *fds);
	if (result == 0)
		result = wait_for_any(fds, count, deadline);
	if (result >= 0 && user_write(address, fds, count * sizeof *fds) != 0)
		result = -EFAULT;
	if (fds != few)
		kfree(fds);
	return result;
}

/* A timespec's or timeval's deadline; `address` 0: no limit. */
static int read_deadline(uint64_t address, int (*read)(uint64_t, int64_t *), uint64_t *out)
{
	int64_t length;
	int result = address != 0 ? read(address, &length) : 0;

	*out = 0;
	if (result == 0 && address != 0)
		*out = length == 0 ? 1 : time_deadline(length);
	return result;
}

/* What is left of it goes back to the program; if it cannot, never mind. */
static int64_t write_rest(int64_t result, uint64_t address, int (*write)(uint64_t, int64_t),
                          uint64_t deadline)
{
	uint64_t now = env_monotonic();

	if (address != 0 && result != -ERESTARTNOHAND)
		(void)write(address, deadline > now ? (int64_t)(deadline - now) : 0);
	return result;
}

int64_t sys_poll(uint64_t fds, uint64_t count, uint64_t milliseconds)
{
	int32_t ms = (int32_t)milliseconds;

	return do_poll(fds, count, ms < 0 ? 0 : ms == 0 ? 1 : time_deadline((int64_t)ms * 1000000));
}

/* Another mask of signals for the time of the wait. */
static int begin_mask(uint64_t address, uint64_t size, uint64_t *saved)
{
	struct task *task = current();
	uint64_t mask;

	*saved = task->signals->blocked;
	if (address == 0)
		return 0;
	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (user_read(&mask, address, sizeof mask) != 0)
		return -EFAULT;
	signals_set_blocked(task, mask);
	return 0;
}

/* If a signal came, its handler runs before the old mask comes back. */
static void end_mask(uint64_t address, uint64_t saved, int64_t result)
{
	struct task *task = current();

	if (address == 0)
		return;
	if (result == -ERESTARTNOHAND) {
		task->signals->saved_blocked = saved;
		task->signals->restore_blocked = true;
		signals_update(task);
	} else {
		signals_set_blocked(task, saved);
	}
}

int64_t sys_ppoll(uint64_t fds, uint64_t count, uint64_t timeout, uint64_t mask, uint64_t size)
{
	uint64_t deadline, saved;
	int64_t result = read_deadline(timeout, time_read_timespec, &deadline);

	if (result == 0)
		result = begin_mask(mask, size, &saved);
	if (result != 0)
		return result;
	result = do_poll(fds, count, deadline);
	end_mask(mask, saved, result);
	return write_rest(result, timeout, time_write_timespec, deadline);
}

/* select is poll with another way of saying which descriptors. */

struct selection {
	uint32_t limit;                 /* of descriptors; those at and above are not looked at */
	size_t words;                   /* of each set */
	uint64_t *in, *out, *except;    /* one allocation with `fds`, `in` first */
	struct pollfd *fds;             /* room for `limit` */
};

static bool selection_begin(struct selection *s, uint32_t limit)
{
	size_t words = (limit + 63) / 64;

	s->limit = limit;
	s->words = words;
	s->in = kmalloc(3 * words * sizeof *s->in + limit * sizeof *s->fds);
	if (s->in == NULL)
		return false;
	s->out = s->in + words;
	s->except = s->out + words;
	s->fds = (struct pollfd *)(s->except + words);
	return true;
}

static void clear_sets(struct selection *s)
{
	memset(s->in, 0, 3 * s->words * sizeof *s->in);
}

/* A set that the program does not give is empty. */
static int read_sets(struct selection *s, uint64_t in, uint64_t out, uint64_t except)
{
	size_t bytes = s->words * sizeof *s->in;

	clear_sets(s);
	if ((in != 0 && user_read(s->in, in, bytes) != 0) ||
	    (out != 0 && user_read(s->out, out, bytes) != 0) ||
	    (except != 0 && user_read(s->except, except, bytes) != 0))
		return -EFAULT;
	return 0;
}

static int write_sets(const struct selection *s, uint64_t in, uint64_t out, uint64_t except)
{
	size_t bytes = s->words * sizeof *s->in;

	if ((in != 0 && user_write(in, s->in, bytes) != 0) ||
	    (out != 0 && user_write(out, s->out, bytes) != 0) ||
	    (except != 0 && user_write(except, s->except, bytes) != 0))
		return -EFAULT;
	return 0;
}

static bool is_set(const uint64_t *set, uint32_t fd)
{
	return (set[fd / 64] >> fd % 64 & 1) != 0;
}

static uint32_t gather(const struct selection *s)
{
	uint32_t count = 0;

	for (uint32_t fd = 0; fd < s->limit; fd++) {
		uint32_t events = (is_set(s->in, fd) ? POLLIN : 0) |
		                  (is_set(s->out, fd) ? POLLOUT : 0) |
		                  (is_set(s->except, fd) ? POLLPRI : 0);
		if (events != 0)
			s->fds[count++] = (struct pollfd){ .fd = (int32_t)fd, .events = (int16_t)events };
	}
	return count;
}

/* Turns what was found into sets; how many bits, or -EBADF. */
static int64_t scatter(struct selection *s, uint32_t count)
{
	int64_t bits = 0;

	clear_sets(s);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t fd = (uint32_t)s->fds[i].fd, found = (uint16_t)s->fds[i].revents;
		uint32_t events = (uint16_t)s->fds[i].events;
		uint64_t bit = 1ull << fd % 64;
		if ((found & POLLNVAL) != 0)
			return -EBADF;
		if ((events & POLLIN) != 0 && (found & (POLLIN | POLLHUP | POLLERR)) != 0) {
			s->in[fd / 64] |= bit;
			bits++;
		}
		if ((events & POLLOUT) != 0 && (found & (POLLOUT | POLLERR)) != 0) {
			s->out[fd / 64] |= bit;
			bits++;
		}
		if ((events & POLLPRI) != 0 && (found & POLLPRI) != 0) {
			s->except[fd / 64] |= bit;
			bits++;
		}
	}
	return bits;
}

/* What the table has no room for is not looked at, however bad. */
static int64_t do_select(uint64_t limit, uint64_t in, uint64_t out, uint64_t except,
                         uint64_t deadline)
{
	uint32_t room = fdtable_room(current()->files);
	struct selection s;
	uint32_t count;
	int64_t result;

	if ((int32_t)limit < 0)
		return -EINVAL;
	if (!selection_begin(&s, (uint32_t)limit < room ? (uint32_t)limit : room))
		return -ENOMEM;
	result = read_sets(&s, in, out, except);
	if (result == 0) {
		count = gather(&s);
		result = wait_for_any(s.fds, count, deadline);
		if (result >= 0)
			result = scatter(&s, count);
		if (result >= 0 && write_sets(&s, in, out, except) != 0)
			result = -EFAULT;
	}
	kfree(s.in);
	return result;
}

int64_t sys_select(uint64_t limit, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout)
{
	uint64_t deadline;
	int64_t result = read_deadline(timeout, time_read_timeval, &deadline);

	if (result != 0)
		return result;
	result = do_select(limit, in, out, except, deadline);
	return write_rest(result, timeout, time_write_timeval, deadline);
}

int64_t sys_pselect6(uint64_t limit, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout,
                     uint64_t mask)
{
	uint64_t deadline, saved, given[2] = { 0 }; /* address and size of the mask */
	int64_t result = read_deadline(timeout, time_read_timespec, &deadline);

	if (result == 0 && mask != 0)
		result = user_read(given, mask, sizeof given);
	if (result == 0)
		result = begin_mask(given[0], given[1], &saved);
	if (result != 0)
		return result;
	result = do_select(limit, in, out, except, deadline);
	end_mask(given[0], saved, result);
	return write_rest(result, timeout, time_write_timespec, deadline);
}
