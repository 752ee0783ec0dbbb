/* worker.h: threads that begin in the module. Under the lock. */
#pragma once

#include "os/linux/task.h"

/* A task in no process table. NULL: no memory. */
struct task *worker_create(const char *name);
/* Runs `function`, which must not return, on it. False: no memory; the task is
 * then still the caller's to free. */
bool worker_start(struct task *task, void (*function)(void));
