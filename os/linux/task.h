/* task.h: a thread of the module, and the Linux process that it serves.
 *
 * A task stands at the top of its own stack block (frame.h). It is made by
 * task_allocate(), runs until its thread ends, and is freed by the parent that
 * collects it. All fields are guarded by the module lock, except those that
 * say otherwise; "own" means that only the task's thread touches it. */
#pragma once

#include "abi/ring.h"
#include "lib/posix/env.h"
#include "lib/vfs/fdtable.h"
#include "lib/vfs/vfs.h"
#include "os/linux/frame.h"

#include <stdbool.h>

enum task_work {
	TASK_WORK_SIGNAL = 1, /* signals may be pending, or the process is to stop or end */
};

enum task_state {
	TASK_RUNNING,
	TASK_STOPPED,
	TASK_ZOMBIE,
};

/* Resource limits that are kept; the others read as unlimited. */
enum { RLIMIT_STACK = 3, RLIMIT_NOFILE = 7, RLIMIT_COUNT = 16 };

struct rlimit {
	uint64_t soft, hard;
};

enum { TASK_NAME = 16, TASK_WAKES = 4 };

struct mm;
struct signals;

struct task {
	/* Set by anyone under the lock, read by the thread on its way out.
	 * Offset TASK_WORK, for entry.S. */
	uint32_t work;
	uint32_t pid;

	/* Own. */
	struct ring *ring;
	struct mm *mm;          /* NULL: a worker of the module, without a program */
	uint64_t tid_address;   /* where a new process is to write its PID, or 0 */
	uint64_t trap, trap_error, trap_address; /* the last one that became a signal */
	uint64_t fs_base, gs_base; /* for the child, until it begins */
	void *fpu;              /* likewise */
	uint32_t flush_status;  /* exo.c: what went wrong in the batch so far */
	uint32_t wake_count;    /* words to wake once the lock is dropped */
	uint32_t *wakes[TASK_WAKES];

	/* The exokernel's objects; 0 where there is none. */
	uint32_t process_cap, space_cap, thread_cap;
	uint32_t host_cap;      /* the process that its thread is one of */
	uint32_t slot;
	bool granted;           /* its program may hold capabilities */

	/* Family. */
	struct task *next_in_table; /* of those whose PID has the same hash */
	struct task *next, *previous; /* all that are in the table */
	struct task *parent, *first_child, *next_sibling;
	enum task_state state;
	int32_t exit_status;    /* as wait4 tells it */
	uint32_t group, session;
	bool executed;          /* since fork: setpgid is refused then */
	bool stop_told;         /* to the parent's wait4 */
	bool continued;         /* and that is still to be told */
	bool ending;            /* a fatal signal or exit_group: nothing else counts */
	struct task *vfork_parent;
	bool borrows;           /* vfork.c: runs in its parent's memory */
	uint32_t own_thread_cap; /* then: of its own process, not started yet */
	uint32_t off_stack;     /* and 1 once the borrowed thread has left the stack */
	struct exec_later *later;
	struct wait_event child_event;  /* a child changed state */
	struct wait_event state_event;  /* this one was continued, or released its vfork parent */
	struct wait_event *sleeping_on; /* NULL: not asleep */

	/* Credentials and limits. */
	uint32_t uid, euid, suid, gid, egid, sgid;
	struct rlimit limits[RLIMIT_COUNT];

	/* What it shares or owns. */
	struct fdtable *files;
	struct vfs_place place;
	struct signals *signals;
	struct inode *program;  /* /proc/PID/exe, referenced */
	uint64_t start_time;
	uint64_t alarm_at, alarm_interval; /* ITIMER_REAL; 0: off */
	char name[TASK_NAME];
};
_Static_assert(sizeof(struct task) <= TASK_SIZE, "frame.h");
_Static_assert(offsetof(struct task, work) == TASK_WORK, "frame.h");

/* The task that runs this code. */
static inline struct task *current(void)
{
	uint64_t rsp;
	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return (struct task *)((rsp | (STACK_SIZE - 1)) + 1 - TASK_SIZE);
}

/* The registers of the program that `task` serves, when it is in the module. */
static inline struct regs *task_regs(struct task *task)
{
	return (struct regs *)((uintptr_t)task - REGS_SIZE);
}

/* PID 1. */
extern struct task *task_init __attribute__((visibility("hidden")));

/* Gives the thread that the exokernel started its task: no process's. */
void task_start(void);

/* A task with a stack and a place for its ring, all else zero. NULL: no memory
 * or no slot. Not in the table until task_insert(). */
struct task *task_allocate(void);
void task_free(struct task *task);
/* Where the ring of its first thread is to appear, and of a second one. */
uint64_t task_ring_address(const struct task *task);
uint64_t task_second_ring_address(const struct task *task);

void task_insert(struct task *task);
void task_remove(struct task *task);
/* NULL if there is none (zombies count). */
struct task *task_find(uint32_t pid);
/* All of them, in no order: for (task = task_all; task != NULL; task = task->next) */
extern struct task *task_all __attribute__((visibility("hidden")));
/* The task with the least PID above `after`, or NULL. */
struct task *task_next(uint32_t after);
uint32_t task_count(void);

void task_adopt(struct task *parent, struct task *child);
void task_disown(struct task *child);

/* Does anything keep the task from waiting? */
static inline bool task_interrupted(const struct task *task)
{
	return (*(const volatile uint32_t *)&task->work & TASK_WORK_SIGNAL) != 0;
}
