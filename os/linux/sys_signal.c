/* sys_signal.c: the calls about signals. */
#include "lib/posix/errno.h"
#include "os/linux/lock.h"
#include "os/linux/process.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"
#include "os/linux/time.h"
#include "os/linux/user.h"

enum { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2, SIGSET_SIZE = 8 };

int64_t sys_rt_sigaction(uint64_t signal, uint64_t from, uint64_t to, uint64_t size)
{
	struct task *task = current();
	struct signal_action old, new;

	if (size != SIGSET_SIZE || signal < 1 || signal > SIGNALS)
		return -EINVAL;
	old = task->signals->actions[signal - 1];
	if (from != 0) {
		if (signal == SIGKILL || signal == SIGSTOP)
			return -EINVAL;
		if (user_read(&new, from, sizeof new) != 0)
			return -EFAULT;
		new.mask &= ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
		task->signals->actions[signal - 1] = new;
		signal_action_changed(task, (uint32_t)signal);
	}
	return to != 0 ? user_write(to, &old, sizeof old) : 0;
}

int64_t sys_rt_sigprocmask(uint64_t how, uint64_t from, uint64_t to, uint64_t size)
{
	struct task *task = current();
	uint64_t old = task->signals->blocked, set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (from != 0) {
		if (user_read(&set, from, sizeof set) != 0)
			return -EFAULT;
		if (how > SIG_SETMASK)
			return -EINVAL;
		signals_set_blocked(task, how == SIG_BLOCK     ? old | set
		                          : how == SIG_UNBLOCK ? old & ~set
		                                               : set);
	}
	return to != 0 ? user_write(to, &old, sizeof old) : 0;
}

int64_t sys_rt_sigpending(uint64_t to, uint64_t size)
{
	uint64_t pending = current()->signals->pending & current()->signals->blocked;

	return size > SIGSET_SIZE ? -EINVAL : user_write(to, &pending, size);
}

/* Sleeps until a signal comes that is not blocked. */
static int64_t pause(void)
{
	struct wait_event event = { 0 };

	while (lock_sleep(&event, event.sequence, 0) != -EINTR)
		;
	return -ERESTARTNOHAND;
}

int64_t sys_pause(void)
{
	return pause();
}

int64_t sys_rt_sigsuspend(uint64_t from, uint64_t size)
{
	struct task *task = current();
	uint64_t saved = task->signals->blocked, set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (user_read(&set, from, sizeof set) != 0)
		return -EFAULT;
	signals_set_blocked(task, set);
	(void)pause();
	task->signals->saved_blocked = saved;
	task->signals->restore_blocked = true;
	signals_update(task);
	return -ERESTARTNOHAND;
}

int64_t sys_rt_sigtimedwait(uint64_t from, uint64_t info_to, uint64_t timeout, uint64_t size)
{
	struct task *task = current();
	struct wait_event event = { 0 };
	struct signal_info info;
	uint64_t set, saved = task->signals->blocked, deadline = 0;
	int64_t length;
	uint32_t signal;
	int result = 0;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (user_read(&set, from, sizeof set) != 0)
		return -EFAULT;
	set &= ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP)); /* nobody catches these */
	if (timeout != 0) {
		result = time_read_timespec(timeout, &length);
		if (result != 0)
			return result;
		deadline = time_deadline(length);
	}
	signal = signal_take(task, set, &info);
	if (signal == 0) {
		signals_set_blocked(task, saved & ~set);
		do
			result = lock_sleep(&event, event.sequence, deadline);
		while (result == 0);
		signal = signal_take(task, set, &info);
		signals_set_blocked(task, saved);
	}
	if (signal == 0)
		return result == -EINTR ? -EINTR : -EAGAIN;
	if (info_to != 0) {
		int32_t out[32] = { (int32_t)signal, 0, info.code, 0, (int32_t)info.pid,
		                    (int32_t)info.uid, info.status };
		if (user_write(info_to, out, sizeof out) != 0)
			return -EFAULT;
	}
	return signal;
}

int64_t sys_sigaltstack(uint64_t from, uint64_t to)
{
	struct signals *s = current()->signals;
	bool in_use = signals_on_stack(s, task_regs(current())->rsp);
	struct { uint64_t sp; int32_t flags; uint32_t padding; uint64_t size; } old, new;

	old.sp = s->stack;
	old.flags = s->stack_size == 0 ? SS_DISABLE : in_use ? SS_ONSTACK : 0;
	old.padding = 0;
	old.size = s->stack_size;
	if (from != 0) {
		if (user_read(&new, from, sizeof new) != 0)
			return -EFAULT;
		if (in_use)
			return -EPERM;
		if ((new.flags & ~(SS_DISABLE | SS_ONSTACK)) != 0)
			return -EINVAL;
		if ((new.flags & SS_DISABLE) != 0) {
			new.sp = 0;
			new.size = 0;
		} else if (new.size < MINSIGSTKSZ || !user_range(new.sp, new.size)) {
			return -ENOMEM;
		}
		s->stack = new.sp;
		s->stack_size = new.size;
	}
	return to != 0 ? user_write(to, &old, sizeof old) : 0;
}

/* Sending. */

/* PID 1 is not to be ended by other processes: what it has no handler for does
 * not reach it. */
static void send(struct task *task, uint32_t signal, const struct signal_info *info)
{
	if (signal == 0)
		return;
	if (task == task_init && task != current() &&
	    task->signals->actions[signal - 1].handler == SIG_DFL)
		return;
	signal_send(task, signal, info);
}

static int64_t send_to_all(uint32_t signal, const struct signal_info *info)
{
	int64_t result = -ESRCH;

	for (struct task *task = task_all; task != NULL; task = task->next) {
		if (task == task_init || task == current() || task->state == TASK_ZOMBIE)
			continue;
		send(task, signal, info);
		result = 0;
	}
	return result;
}

static int64_t send_to_group(uint32_t group, uint32_t signal, const struct signal_info *info)
{
	int64_t result = -ESRCH;

	for (struct task *task = task_all; task != NULL; task = task->next) {
		if (task->group != group || task->state == TASK_ZOMBIE)
			continue;
		send(task, signal, info);
		result = 0;
	}
	return result;
}

static struct signal_info from_me(int32_t code)
{
	return (struct signal_info){ .code = code, .pid = current()->pid, .uid = current()->uid };
}

int64_t sys_kill(uint64_t pid, uint64_t signal)
{
	struct signal_info info = from_me(SI_USER);
	int32_t to = (int32_t)pid;
	struct task *task;

	if (signal > SIGNALS)
		return -EINVAL;
	if (to == -1)
		return send_to_all((uint32_t)signal, &info);
	if (to <= 0)
		return send_to_group(to == 0 ? current()->group : (uint32_t)-to, (uint32_t)signal, &info);
	task = task_find((uint32_t)to);
	if (task == NULL)
		return -ESRCH;
	send(task, (uint32_t)signal, &info);
	return 0;
}

int64_t sys_tkill(uint64_t tid, uint64_t signal)
{
	struct signal_info info = from_me(SI_TKILL);
	struct task *task = task_find((uint32_t)tid);

	if (signal > SIGNALS || (int32_t)tid <= 0)
		return -EINVAL;
	if (task == NULL)
		return -ESRCH;
	send(task, (uint32_t)signal, &info);
	return 0;
}

int64_t sys_tgkill(uint64_t pid, uint64_t tid, uint64_t signal)
{
	if ((int32_t)pid <= 0)
		return -EINVAL;
	return (uint32_t)pid == (uint32_t)tid ? sys_tkill(tid, signal) : -ESRCH;
}
