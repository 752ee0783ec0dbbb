/* worker.c: threads of the module that begin in it: PID 1's, and those that
 * serve no program. They belong to the first process, and end with it. */
#include "os/linux/worker.h"

#include "os/linux/exo.h"
#include "rt/module_string.h"

void worker_entry(void) __attribute__((visibility("hidden"))); /* entry.S */

struct task *worker_create(const char *name)
{
	struct task *task = task_allocate();

	if (task != NULL)
		memcpy(task->name, name, strlen(name) + 1);
	return task;
}

bool worker_start(struct task *task, void (*function)(void))
{
	struct exo_start start = {
		.entry = (uintptr_t)worker_entry,
		.stack = (uintptr_t)task_regs(task) - 8, /* below what may become a program's */
		.argument = (uintptr_t)function,
		.module_stack = (uintptr_t)task,
		.ring = task_ring_address(task),
	};

	if (exo_thread(exo.self, &start, &task->thread_cap) != STATUS_OK)
		return false;
	exo_queue_start(task->thread_cap);
	return exo_flush() == STATUS_OK;
}
