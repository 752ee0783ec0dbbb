/* exit.c: how a process ends, and what is left of it until its parent looks.
 *
 * The thread that ends cannot free the stack it stands on. It becomes a zombie,
 * which whoever collects it frees: its parent in wait4, or, if the parent does
 * not care, the next fork of any process. Before the stack is used again the
 * collector waits until the exokernel has ended the thread. */
#include "lib/posix/errno.h"
#include "lib/posix/termios.h"
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/process.h"
#include "os/linux/start.h"
#include "os/linux/time.h"
#include "os/linux/vfork.h"

enum { EXIT_BY_SIGNAL = 128 };

static void raise_sigchld(struct task *task, int32_t code, int32_t status)
{
	struct task *parent = task->parent;
	const struct signal_action *action;
	struct signal_info info = {
		.code = code, .pid = task->pid, .uid = task->uid, .status = status,
	};

	if (parent == NULL || parent->mm == NULL)
		return;
	action = &parent->signals->actions[SIGCHLD - 1];
	if ((code == CLD_STOPPED || code == CLD_CONTINUED) && (action->flags & SA_NOCLDSTOP) != 0)
		return;
	signal_send(parent, SIGCHLD, &info);
}

void process_tell_parent(struct task *task, int32_t code, int32_t status)
{
	raise_sigchld(task, code, status);
	if (task->parent != NULL)
		env_wake(&task->parent->child_event);
}

void process_release_vfork(struct task *task)
{
	if (task->vfork_parent != NULL) {
		env_wake(&task->vfork_parent->state_event);
		task->vfork_parent = NULL;
	}
}

void process_set_program(struct task *task, struct inode *program)
{
	struct inode *old = task->program;

	task->program = program;
	if (program != NULL) {
		inode_get(program);
		program->busy++;
	}
	if (old != NULL) {
		old->busy--;
		inode_put(old);
	}
}

/* Of a zombie: if its parent does not care, the next fork collects it. */
static bool leave_uncared_for(struct task *task)
{
	const struct signal_action *action = &task->parent->signals->actions[SIGCHLD - 1];

	if (action->handler != SIG_IGN && (action->flags & SA_NOCLDWAIT) == 0)
		return false;
	task_disown(task);
	fork_collect_later(task);
	return true;
}

/* `task` has lost its parent: if that was all that kept its group from being orphaned,
 * and some of it is stopped, nobody would continue it. Source: POSIX, _exit(). */
static void hang_up(const struct task *task, const struct task *parent)
{
	bool stopped = false;

	if (parent->group == task->group || parent->session != task->session ||
	    !signal_orphaned(task->group))
		return;
	for (const struct task *t = task_all; t != NULL; t = t->next)
		stopped |= t->group == task->group && t->state == TASK_STOPPED;
	for (struct task *t = task_all; stopped && t != NULL; t = t->next) {
		if (t->group != task->group)
			continue;
		signal_send(t, SIGHUP, NULL);
		signal_send(t, SIGCONT, NULL);
	}
}

/* PID 1 takes the children of a process that ends. */
static void give_children_away(struct task *task)
{
	struct task *child;
	bool zombies = false;

	while ((child = task->first_child) != NULL) {
		task_disown(child);
		task_adopt(task_init, child);
		hang_up(child, task);
		zombies |= child->state == TASK_ZOMBIE && !leave_uncared_for(child);
	}
	if (zombies) {
		signal_send(task_init, SIGCHLD, NULL);
		env_wake(&task_init->child_event);
	}
}

static void let_go(struct task *task)
{
	time_cancel_alarm(task);
	process_release_vfork(task);
	if (task->session == task->pid && the_tty.session == (int32_t)task->session)
		tty_set_session(&the_tty, 0, 0);
	fdtable_put(task->files);
	vfs_place_drop(&task->place);
	process_set_program(task, NULL);
	if (!task->borrows)
		mm_end(task->mm);
	give_children_away(task);
}

/* The exit status that the machine's owner sees. */
static uint32_t power_status(int32_t status)
{
	uint32_t signal = (uint32_t)status & 0x7f;

	return signal != 0 ? EXIT_BY_SIGNAL + signal : (uint32_t)status >> 8 & 0xff;
}

_Noreturn void process_exit(int32_t status)
{
	struct task *task = current();
	uint32_t signal = (uint32_t)status & 0x7f;

	assert(lock_is_mine());
	if (task == task_init)
		exo_power_off(power_status(status));
	let_go(task);
	task->exit_status = status;
	task->state = TASK_ZOMBIE;
	hang_up(task, task->parent);
	process_tell_parent(task, signal != 0 ? CLD_KILLED : CLD_EXITED,
	                    signal != 0 ? (int32_t)signal : status >> 8);
	(void)leave_uncared_for(task);
	exo_queue_release(task->space_cap);
	exo_queue_release(task->thread_cap);
	if (task->borrows) { /* its own process has not even begun */
		exo_queue_release(task->own_thread_cap);
		exo_queue_kill(task->process_cap);
	}
	lock_drop();
	(void)exo_flush();
	if (task->borrows)
		vfork_end(task);
	exo_exit(status);
}

void process_collect(struct task *zombie)
{
	assert(zombie->state == TASK_ZOMBIE && lock_is_mine());
	if (zombie->parent != NULL)
		task_disown(zombie);
	task_remove(zombie);
	exo_queue_wait(zombie->process_cap);
	exo_queue_release(zombie->process_cap);
	(void)exo_flush();
	if (zombie->borrows)
		vfork_await_end(zombie);
	signals_free(zombie->signals);
	task_free(zombie);
}
