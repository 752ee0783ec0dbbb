/* wait.c: wait4 and waitid. Source: wait(2), POSIX waitid. */
#include "lib/posix/errno.h"
#include "os/linux/lock.h"
#include "os/linux/process.h"
#include "os/linux/syscall.h"
#include "os/linux/user.h"

enum { WNOHANG = 1, WSTOPPED = 2, WEXITED = 4, WCONTINUED = 8, WNOWAIT = 0x1000000 };
#define WAIT_FLAGS_IGNORED 0xe0000000u /* __WNOTHREAD, __WALL, __WCLONE */
#define WAITID_FLAGS (WNOHANG | WNOWAIT | WSTOPPED | WEXITED | WCONTINUED | WAIT_FLAGS_IGNORED)
enum kind { P_ALL, P_PID, P_PGID };

/* Which children are meant. */
static bool is_meant(const struct task *child, enum kind kind, uint32_t id)
{
	return kind == P_ALL || (kind == P_PID ? child->pid : child->group) == id;
}

struct report {
	uint32_t pid, uid;
	int32_t status; /* as wait4 tells it */
};

/* Has the child something to tell? It is told once, but for WNOWAIT. */
static bool report_of(struct task *child, uint32_t options, struct report *out)
{
	out->pid = child->pid;
	out->uid = child->uid;
	out->status = child->exit_status;
	if (child->state == TASK_ZOMBIE && (options & WEXITED) != 0) {
		if ((options & WNOWAIT) == 0)
			process_collect(child);
		return true;
	}
	if (child->state == TASK_STOPPED && (options & WSTOPPED) != 0 && !child->stop_told) {
		child->stop_told = (options & WNOWAIT) == 0;
		return true;
	}
	if (child->continued && (options & WCONTINUED) != 0) {
		out->status = STATUS_CONTINUED;
		child->continued = (options & WNOWAIT) != 0;
		return true;
	}
	return false;
}

/* 0 and a report; 0 and pid 0 (WNOHANG); -ECHILD; -ERESTARTSYS. */
static int wait_for(enum kind kind, uint32_t id, uint32_t options, struct report *out)
{
	struct task *task = current();

	for (;;) {
		uint32_t sequence = task->child_event.sequence;
		bool any = false;

		for (struct task *child = task->first_child; child != NULL; child = child->next_sibling) {
			if (!is_meant(child, kind, id))
				continue;
			any = true;
			if (report_of(child, options, out))
				return 0;
		}
		if (!any)
			return -ECHILD;
		*out = (struct report){ 0 };
		if ((options & WNOHANG) != 0)
			return 0;
		if (lock_sleep(&task->child_event, sequence, 0) == -EINTR)
			return -ERESTARTSYS;
	}
}

int64_t sys_wait4(uint64_t pid, uint64_t status, uint64_t options, uint64_t usage)
{
	int32_t which = (int32_t)pid;
	enum kind kind = which == -1 ? P_ALL : which > 0 ? P_PID : P_PGID;
	uint32_t id = which > 0 ? (uint32_t)pid : which == 0 ? current()->group : -(uint32_t)pid;
	struct report report;
	int result;

	if ((options & ~(uint64_t)(WNOHANG | WSTOPPED | WCONTINUED | WAIT_FLAGS_IGNORED)) != 0)
		return -EINVAL;
	result = wait_for(kind, id, (uint32_t)options | WEXITED, &report);
	if (result != 0 || report.pid == 0)
		return result;
	if (status != 0 && user_write(status, &report.status, sizeof report.status) != 0)
		return -EFAULT;
	if (usage != 0 && (!user_range(usage, SIZE_RUSAGE) || user_clear((void *)usage, SIZE_RUSAGE) != 0))
		return -EFAULT;
	return report.pid;
}

static int32_t code_of(int32_t status, int32_t *value)
{
	*value = status & 0x7f;
	if (status == STATUS_CONTINUED) {
		*value = 18; /* SIGCONT */
		return CLD_CONTINUED;
	}
	if (*value == 0x7f) {
		*value = status >> 8;
		return CLD_STOPPED;
	}
	if (*value != 0)
		return CLD_KILLED;
	*value = status >> 8;
	return CLD_EXITED;
}

int64_t sys_waitid(uint64_t kind, uint64_t id, uint64_t info, uint64_t options, uint64_t usage)
{
	struct report report;
	int32_t out[32] = { 0 }; /* siginfo_t */
	int result;

	(void)usage;
	if (kind > P_PGID || (options & ~(uint64_t)WAITID_FLAGS) != 0 ||
	    (options & (WEXITED | WSTOPPED | WCONTINUED)) == 0 ||
	    (kind == P_PID && (int32_t)id <= 0) || (kind == P_PGID && (int32_t)id < 0))
		return -EINVAL;
	result = wait_for((enum kind)kind, (uint32_t)id != 0 ? (uint32_t)id : current()->group,
	                  (uint32_t)options, &report);
	if (result != 0)
		return result;
	if (report.pid != 0) {
		out[0] = SIGCHLD;
		out[2] = code_of(report.status, &out[6]);
		out[4] = (int32_t)report.pid;
		out[5] = (int32_t)report.uid;
	}
	return info != 0 ? user_write(info, out, sizeof out) : 0;
}
