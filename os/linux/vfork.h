/* vfork.h: children that run in their parent's memory until they execute or end.
 *
 * An address space belongs to a process, so such a child's program runs on a
 * second thread of its parent's process, while the parent waits. Its own process
 * is made at once, for its PID, with a thread that is not started. When the
 * child executes, the checked program and the strings are left for that thread,
 * which starts on the same stack as the borrowed one leaves it. */
#pragma once

#include "os/linux/exec.h"
#include "os/linux/exo.h"

/* Where the thread of the child's own process is to begin. */
struct exo_start vfork_own_start(const struct task *child);

/* The parent's wait: until the child has its own memory or has ended. Signals,
 * even SIGKILL, wait too: the child uses the parent's memory. */
void vfork_wait(uint32_t pid);

/* Leaves the program for the child's own thread; takes over both arguments.
 * -ENOMEM: nothing has changed. Then vfork_leave(). */
MUST_CHECK int vfork_hand_over(struct program *program, const char *path,
                               struct exec_strings *strings);
/* Ends the borrowed thread, with the child going on as its own. Drops the lock. */
_Noreturn void vfork_leave(void);

/* Ends a borrowed thread for good; what follows is vfork_await_end(). */
_Noreturn void vfork_end(struct task *task);
/* Waits until nobody stands on the zombie's stack any more. */
void vfork_await_end(struct task *zombie);
