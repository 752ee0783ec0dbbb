/* signal.c: posting, taking and the default actions.
 * Source: signal(7); Linux kernel/signal.c for the order of things. */
#include "os/linux/signal.h"

#include "lib/posix/errno.h"
#include "lib/posix/termios.h"
#include "os/linux/assert.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/process.h"
#include "rt/module_string.h"

#define BIT(signal) (1ull << ((signal)-1))
#define STOPS (BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))
#define IGNORED (BIT(SIGCHLD) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGCONT))
#define UNBLOCKABLE (BIT(SIGKILL) | BIT(SIGSTOP))
#define SYNCHRONOUS \
	(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGFPE) | BIT(SIGSYS))

enum { SYSCALL_SIZE = 2 }; /* bytes of the syscall instruction */

struct signals *signals_create(void)
{
	struct signals *signals = kmalloc(sizeof *signals);

	if (signals != NULL)
		memset(signals, 0, sizeof *signals);
	return signals;
}

struct signals *signals_clone(const struct signals *signals)
{
	struct signals *clone = kmalloc(sizeof *clone);

	if (clone != NULL) {
		memcpy(clone, signals, offsetof(struct signals, info));
		clone->pending = 0;
	}
	return clone;
}

void signals_reset(struct signals *signals)
{
	for (uint32_t i = 0; i < SIGNALS; i++) {
		struct signal_action *action = &signals->actions[i];
		if (action->handler > SIG_IGN)
			*action = (struct signal_action){ 0 };
	}
	signals->stack_size = 0;
}

void signals_free(struct signals *signals)
{
	kfree(signals);
}

void signals_update(struct task *task)
{
	const struct signals *s = task->signals;
	uint32_t work = task->work & ~(uint32_t)TASK_WORK_SIGNAL;

	if (task->ending || (s->pending & ~s->blocked) != 0 || s->restore_blocked)
		work |= TASK_WORK_SIGNAL;
	__atomic_store_n(&task->work, work, __ATOMIC_RELEASE);
}

void signals_set_blocked(struct task *task, uint64_t blocked)
{
	task->signals->blocked = blocked & ~UNBLOCKABLE;
	signals_update(task);
}

static bool is_ignored(const struct task *task, uint32_t signal)
{
	uint64_t handler = task->signals->actions[signal - 1].handler;

	return handler == SIG_IGN || (handler == SIG_DFL && (IGNORED & signal_bit(signal)) != 0);
}

bool signal_is_deaf(const struct task *task, uint32_t signal)
{
	return is_ignored(task, signal) || (task->signals->blocked & signal_bit(signal)) != 0;
}

/* What a stop or SIGCONT does even if it is blocked or ignored. */
static void stop_or_continue(struct task *task, uint32_t signal)
{
	if ((STOPS & signal_bit(signal)) != 0) {
		task->signals->pending &= ~BIT(SIGCONT);
		return;
	}
	if (signal != SIGCONT && signal != SIGKILL)
		return;
	task->signals->pending &= ~STOPS;
	if (task->state != TASK_STOPPED)
		return;
	task->state = TASK_RUNNING;
	env_wake(&task->state_event);
	if (signal == SIGCONT) {
		task->continued = true;
		process_tell_parent(task, CLD_CONTINUED, SIGCONT);
	}
}

void signal_send(struct task *task, uint32_t signal, const struct signal_info *info)
{
	struct signals *s = task->signals;
	uint64_t bit = signal_bit(signal);

	assert(signal >= 1 && signal <= SIGNALS && lock_is_mine());
	if (task->state == TASK_ZOMBIE || task->mm == NULL)
		return;
	if (task == task_init && (STOPS & bit) != 0 && s->actions[signal - 1].handler == SIG_DFL)
		return; /* nobody would continue it */
	stop_or_continue(task, signal);
	if (is_ignored(task, signal) && (s->blocked & bit) == 0)
		return;
	if ((s->pending & bit) != 0)
		return;
	s->pending |= bit;
	s->info[signal - 1] = info != NULL ? *info : (struct signal_info){ .code = SI_KERNEL };
	if ((s->blocked & bit) != 0)
		return;
	signals_update(task);
	lock_rouse(task);
}

void signal_force(uint32_t signal, int32_t code, uint64_t address)
{
	struct task *task = current();
	struct signals *s = task->signals;
	struct signal_action *action = &s->actions[signal - 1];
	struct signal_info info = { .code = code, .value = address };

	if (action->handler == SIG_IGN || (s->blocked & signal_bit(signal)) != 0) {
		*action = (struct signal_action){ 0 };
		s->blocked &= ~signal_bit(signal);
	}
	signal_send(task, signal, &info);
}

void signal_action_changed(struct task *task, uint32_t signal)
{
	if (is_ignored(task, signal))
		task->signals->pending &= ~signal_bit(signal);
	signals_update(task);
}

uint32_t signal_take(struct task *task, uint64_t set, struct signal_info *info)
{
	uint64_t ready = task->signals->pending & set;
	uint32_t signal;

	if (ready == 0)
		return 0;
	if ((ready & SYNCHRONOUS) != 0)
		ready &= SYNCHRONOUS;
	signal = (uint32_t)__builtin_ctzll(ready) + 1;
	task->signals->pending &= ~signal_bit(signal);
	*info = task->signals->info[signal - 1];
	signals_update(task);
	return signal;
}

bool signal_orphaned(uint32_t group)
{
	for (const struct task *task = task_all; task != NULL; task = task->next)
		if (task->group == group && task->state != TASK_ZOMBIE && task->parent != NULL &&
		    task->parent->group != group && task->parent->session == task->session)
			return false;
	return true;
}

/* Sleeps until SIGCONT or SIGKILL. */
static void stop(struct task *task, uint32_t signal)
{
	task->state = TASK_STOPPED;
	task->stop_told = false;
	task->exit_status = status_stopped(signal);
	process_tell_parent(task, CLD_STOPPED, (int32_t)signal);
	while (task->state == TASK_STOPPED && !task->ending)
		lock_sleep_deaf(&task->state_event, task->state_event.sequence);
	task->state = TASK_RUNNING;
	signals_update(task);
}

/* Sends the program back into the system call that a signal cut short. */
static void restart(struct regs *regs)
{
	if ((int64_t)regs->nr < 0)
		return;
	regs->rax = regs->nr;
	regs->rip -= SYSCALL_SIZE;
	regs->nr = (uint64_t)-1;
}

static bool was_cut_short(const struct regs *regs)
{
	return (int64_t)regs->nr >= 0 &&
	       ((int64_t)regs->rax == -ERESTARTSYS || (int64_t)regs->rax == -ERESTARTNOHAND);
}

static void run_handler(struct task *task, struct regs *regs, uint32_t signal,
                        const struct signal_info *info)
{
	struct signals *s = task->signals;
	struct signal_action *kept = &s->actions[signal - 1];
	struct signal_action action = *kept;
	uint64_t blocked = s->restore_blocked ? s->saved_blocked : s->blocked;

	if (was_cut_short(regs)) {
		if ((int64_t)regs->rax == -ERESTARTSYS && (action.flags & SA_RESTART) != 0)
			restart(regs);
		else
			regs->rax = (uint64_t)-EINTR;
	}
	s->restore_blocked = false;
	if (sigframe_push(regs, signal, info, &action, blocked) != 0)
		process_exit(SIGSEGV);
	if ((action.flags & SA_RESETHAND) != 0)
		kept->handler = SIG_DFL;
	regs->nr = (uint64_t)-1;
	signals_set_blocked(task, s->blocked | action.mask |
	                                  ((action.flags & SA_NODEFER) != 0 ? 0 : signal_bit(signal)));
}

void task_work(struct regs *regs)
{
	struct task *task = current();
	struct signals *s = task->signals;
	struct signal_info info;
	uint32_t signal;

	lock_take();
	for (;;) {
		if (task->ending)
			process_exit(task->exit_status);
		signal = signal_take(task, ~s->blocked, &info);
		if (signal == 0)
			break;
		if (s->actions[signal - 1].handler > SIG_IGN)
			run_handler(task, regs, signal, &info);
		else if (is_ignored(task, signal))
			continue;
		else if ((STOPS & signal_bit(signal)) == 0)
			process_exit((int32_t)signal);
		else if (signal == SIGSTOP || !signal_orphaned(task->group))
			stop(task, signal);
	}
	if (s->restore_blocked) {
		s->restore_blocked = false;
		signals_set_blocked(task, s->saved_blocked);
	}
	if (was_cut_short(regs))
		restart(regs);
	signals_update(task);
	lock_drop();
}
