/* process.h: how Linux processes come, go on as other programs, and end.
 * All of it is called with the lock held. */
#pragma once

#include "os/linux/signal.h"
#include "os/linux/task.h"

/* Wait statuses, as wait4 has them. */
static inline int32_t status_exited(int32_t code)
{
	return (code & 0xff) << 8;
}
static inline int32_t status_stopped(uint32_t signal)
{
	return (int32_t)(signal << 8 | 0x7f);
}
enum { STATUS_CONTINUED = 0xffff };

/* exit.c. Ends the current process; `status` as wait4 tells it. Drops the lock. */
_Noreturn void process_exit(int32_t status);
/* Tells the parent that the task stopped, went on or ended. */
void process_tell_parent(struct task *task, int32_t code, int32_t status);
/* Frees what is left of a zombie. */
void process_collect(struct task *zombie);
/* fork.c. The next fork collects it. */
void fork_collect_later(struct task *zombie);
/* A parent that waits in vfork may go on. */
void process_release_vfork(struct task *task);

/* exec.c. Strings that become the new program's arguments and environment. */
struct exec_strings {
	char *bytes;           /* one after the other, with their NULs */
	size_t size, room;
	uint32_t arguments, environment; /* how many */
};
void exec_strings_free(struct exec_strings *strings);
int exec_strings_add(struct exec_strings *strings, const char *text, size_t length);

/* How the program was named. */
struct exec_path {
	struct inode *base;  /* what the path starts from; NULL: the working directory */
	const char *string;
	bool by_descriptor;  /* `base` is the program itself; the string only tells how */
};

/* Makes the current process run that program. 0: `regs` is how it begins.
 * Negative: nothing has changed. Positive: its memory is lost, and it must end. */
int process_exec(const struct exec_path *path, struct exec_strings *strings, struct regs *regs);
void process_set_program(struct task *task, struct inode *program);
