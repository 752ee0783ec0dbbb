/* sys_process.c: who a process is: ids, groups, limits, and its end. */
#include "lib/posix/errno.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/process.h"
#include "os/linux/start.h"
#include "os/linux/syscall.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum {
	ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004,
	RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1,
	PR_SET_PDEATHSIG = 1, PR_SET_NAME = 15, PR_GET_NAME = 16,
};
#define ID_LEAVE ((uint32_t)-1)

int64_t sys_getpid(void)
{
	return current()->pid;
}

int64_t sys_gettid(void)
{
	return current()->pid;
}

int64_t sys_getppid(void)
{
	const struct task *parent = current()->parent;

	return parent != NULL ? parent->pid : 0;
}

int64_t sys_exit(uint64_t code)
{
	process_exit(status_exited((int32_t)code));
}

int64_t sys_exit_group(uint64_t code)
{
	process_exit(status_exited((int32_t)code));
}

int64_t sys_set_tid_address(uint64_t address)
{
	(void)address; /* only of use to threads */
	return current()->pid;
}

int64_t sys_set_robust_list(uint64_t head, uint64_t size)
{
	(void)head;
	return size == 24 ? 0 : -EINVAL;
}

int64_t sys_sched_yield(void)
{
	return 0;
}

int64_t sys_sched_getaffinity(uint64_t pid, uint64_t size, uint64_t to)
{
	uint64_t all = UINT64_MAX >> (64 - start_processors); /* there are 64 at most */

	(void)pid;
	if (size < sizeof all || size % sizeof all != 0)
		return -EINVAL;
	return user_write(to, &all, sizeof all) == 0 ? (int64_t)sizeof all : -EFAULT;
}

int64_t sys_arch_prctl(uint64_t what, uint64_t value)
{
	uint64_t base;

	if (what <= ARCH_SET_FS && what >= ARCH_SET_GS && value >= PROGRAM_END)
		return -EPERM;
	switch (what) {
	case ARCH_SET_FS:
		__asm__ volatile("wrfsbase %0" : : "r"(value));
		return 0;
	case ARCH_SET_GS:
		__asm__ volatile("wrgsbase %0" : : "r"(value));
		return 0;
	case ARCH_GET_FS:
		__asm__ volatile("rdfsbase %0" : "=r"(base));
		return user_write(value, &base, sizeof base);
	case ARCH_GET_GS:
		__asm__ volatile("rdgsbase %0" : "=r"(base));
		return user_write(value, &base, sizeof base);
	default:
		return -EINVAL;
	}
}

int64_t sys_prctl(uint64_t what, uint64_t value)
{
	struct task *task = current();
	char name[TASK_NAME];
	int64_t result;

	switch (what) {
	case PR_SET_NAME:
		result = user_read_string(name, value, TASK_NAME, TASK_NAME - 1);
		if (result < 0)
			return result;
		name[result] = '\0';
		memcpy(task->name, name, (size_t)result + 1);
		return 0;
	case PR_GET_NAME:
		return user_write(value, task->name, TASK_NAME);
	case PR_SET_PDEATHSIG:
		return 0;
	default:
		return -EINVAL;
	}
}

/* Groups and sessions. */

static struct task *task_or_me(uint64_t pid)
{
	return (uint32_t)pid == 0 ? current() : task_find((uint32_t)pid);
}

int64_t sys_getpgid(uint64_t pid)
{
	const struct task *task = task_or_me(pid);

	return task != NULL ? (int64_t)task->group : -ESRCH;
}

int64_t sys_getpgrp(void)
{
	return current()->group;
}

int64_t sys_getsid(uint64_t pid)
{
	const struct task *task = task_or_me(pid);

	return task != NULL ? (int64_t)task->session : -ESRCH;
}

static bool group_in_session(uint32_t group, uint32_t session)
{
	for (struct task *task = task_all; task != NULL; task = task->next)
		if (task->group == group && task->session == session)
			return true;
	return false;
}

int64_t sys_setpgid(uint64_t pid, uint64_t group)
{
	struct task *me = current(), *task = task_or_me(pid);
	uint32_t to = (uint32_t)group != 0 ? (uint32_t)group
	              : (uint32_t)pid != 0 ? (uint32_t)pid
	                                   : me->pid;

	if ((int32_t)to < 0)
		return -EINVAL;
	if (task == NULL || (task != me && task->parent != me))
		return -ESRCH;
	if (task->pid == task->session || task->session != me->session)
		return -EPERM;
	if (task != me && task->executed)
		return -EACCES;
	if (to != task->pid && !group_in_session(to, me->session))
		return -EPERM;
	task->group = to;
	return 0;
}

int64_t sys_setsid(void)
{
	struct task *task = current();

	if (task->group == task->pid && task != task_init)
		return -EPERM;
	task->group = task->pid;
	task->session = task->pid;
	return task->pid;
}

/* Credentials. Everybody may do everything, but is told what was set. */

int64_t sys_getuid(void)  { return current()->uid; }
int64_t sys_geteuid(void) { return current()->euid; }
int64_t sys_getgid(void)  { return current()->gid; }
int64_t sys_getegid(void) { return current()->egid; }

int64_t sys_setresuid(uint64_t real, uint64_t effective, uint64_t saved)
{
	struct task *task = current();

	task->uid = (uint32_t)real != ID_LEAVE ? (uint32_t)real : task->uid;
	task->euid = (uint32_t)effective != ID_LEAVE ? (uint32_t)effective : task->euid;
	task->suid = (uint32_t)saved != ID_LEAVE ? (uint32_t)saved : task->suid;
	return 0;
}

int64_t sys_setresgid(uint64_t real, uint64_t effective, uint64_t saved)
{
	struct task *task = current();

	task->gid = (uint32_t)real != ID_LEAVE ? (uint32_t)real : task->gid;
	task->egid = (uint32_t)effective != ID_LEAVE ? (uint32_t)effective : task->egid;
	task->sgid = (uint32_t)saved != ID_LEAVE ? (uint32_t)saved : task->sgid;
	return 0;
}

int64_t sys_setuid(uint64_t id)
{
	return sys_setresuid(id, id, id);
}

int64_t sys_setgid(uint64_t id)
{
	return sys_setresgid(id, id, id);
}

int64_t sys_setreuid(uint64_t real, uint64_t effective)
{
	return sys_setresuid(real, effective, effective);
}

int64_t sys_setregid(uint64_t real, uint64_t effective)
{
	return sys_setresgid(real, effective, effective);
}

static int64_t write_ids(uint64_t a, uint64_t b, uint64_t c, uint32_t x, uint32_t y, uint32_t z)
{
	if (user_write(a, &x, sizeof x) != 0 || user_write(b, &y, sizeof y) != 0 ||
	    user_write(c, &z, sizeof z) != 0)
		return -EFAULT;
	return 0;
}

int64_t sys_getresuid(uint64_t real, uint64_t effective, uint64_t saved)
{
	const struct task *task = current();

	return write_ids(real, effective, saved, task->uid, task->euid, task->suid);
}

int64_t sys_getresgid(uint64_t real, uint64_t effective, uint64_t saved)
{
	const struct task *task = current();

	return write_ids(real, effective, saved, task->gid, task->egid, task->sgid);
}

int64_t sys_setfsuid(uint64_t id)
{
	(void)id;
	return current()->euid;
}

int64_t sys_setfsgid(uint64_t id)
{
	(void)id;
	return current()->egid;
}

int64_t sys_getgroups(uint64_t size, uint64_t to)
{
	(void)size;
	(void)to;
	return 0;
}

int64_t sys_setgroups(uint64_t size, uint64_t from)
{
	(void)size;
	(void)from;
	return 0;
}

int64_t sys_capget(uint64_t head, uint64_t data)
{
	uint32_t all[6] = { ~0u, ~0u, 0, ~0u, ~0u, 0 };

	(void)head;
	return data != 0 ? user_write(data, all, sizeof all) : 0;
}

/* Limits. */

static int set_limit(struct task *task, uint32_t which, const struct rlimit *limit)
{
	if (limit->soft > limit->hard)
		return -EINVAL;
	if (which == RLIMIT_NOFILE) {
		if (limit->hard > FDTABLE_LIMIT_MAX)
			return -EPERM;
		task->files->limit = (uint32_t)limit->soft;
	}
	task->limits[which] = *limit;
	return 0;
}

int64_t sys_prlimit64(uint64_t pid, uint64_t which, uint64_t from, uint64_t to)
{
	struct task *task = task_or_me(pid);
	struct rlimit old, new;
	int result = 0;

	if (task == NULL || task->state == TASK_ZOMBIE)
		return -ESRCH;
	if (which >= RLIMIT_COUNT)
		return -EINVAL;
	old = task->limits[which];
	if (from != 0) {
		result = user_read(&new, from, sizeof new);
		if (result == 0)
			result = set_limit(task, (uint32_t)which, &new);
	}
	if (result == 0 && to != 0)
		result = user_write(to, &old, sizeof old);
	return result;
}

int64_t sys_getrlimit(uint64_t which, uint64_t to)
{
	return sys_prlimit64(0, which, 0, to);
}

int64_t sys_setrlimit(uint64_t which, uint64_t from)
{
	return sys_prlimit64(0, which, from, 0);
}

int64_t sys_getrusage(uint64_t who, uint64_t to)
{
	if ((int32_t)who < RUSAGE_CHILDREN || (int32_t)who > RUSAGE_THREAD)
		return -EINVAL;
	return user_range(to, SIZE_RUSAGE) ? user_clear((void *)to, SIZE_RUSAGE) : -EFAULT;
}

int64_t sys_getpriority(uint64_t which, uint64_t who)
{
	(void)which;
	(void)who;
	return 20; /* nice 0, as the raw call has it */
}

int64_t sys_setpriority(uint64_t which, uint64_t who, uint64_t value)
{
	(void)which;
	(void)who;
	(void)value;
	return 0;
}
