/* vfork.c: see vfork.h. */
#include "os/linux/vfork.h"

#include "lib/posix/errno.h"
#include "os/linux/assert.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/syscall.h"
#include "rt/module_string.h"
#include "rt/ring.h"

enum { POLL_NS = 1000000 };

/* What one thread leaves for the other. */
struct exec_later {
	struct program program;
	struct exec_strings strings;
	char path[];
};

void worker_entry(void) __attribute__((visibility("hidden"))); /* entry.S */

/* The first steps of the child's own thread: as execve's last ones. */
static void go_on(void)
{
	struct task *task = current();
	struct exec_later *later = task->later;
	int result;

	lock_take();
	task->later = NULL;
	result = exec_become(&later->program, later->path, &later->strings, task_regs(task));
	exec_strings_free(&later->strings);
	kfree(later);
	if (result != 0)
		process_exit(SIGKILL);
	lock_drop();
	regs_enter(task_regs(task));
}

struct exo_start vfork_own_start(const struct task *child)
{
	return (struct exo_start){
		.entry = (uintptr_t)worker_entry,
		.stack = (uintptr_t)task_regs((struct task *)(uintptr_t)child) - 8,
		.argument = (uintptr_t)go_on,
		.module_stack = (uintptr_t)child,
		.ring = task_second_ring_address(child),
	};
}

void vfork_wait(uint32_t pid)
{
	struct task *task = current();
	const struct task *child;

	while ((child = task_find(pid)) != NULL && child->vfork_parent == task)
		lock_sleep_deaf(&task->state_event, task->state_event.sequence);
	signals_update(task);
}

int vfork_hand_over(struct program *program, const char *path, struct exec_strings *strings)
{
	struct task *task = current();
	size_t size = strlen(path) + 1;
	struct exec_later *later = kmalloc(sizeof *later + size);
	struct mm *mm = mm_create(task->space_cap);

	if (later == NULL || mm == NULL) {
		kfree(later);
		if (mm != NULL)
			mm_destroy(mm);
		return -ENOMEM;
	}
	later->program = *program;
	later->strings = *strings;
	memcpy(later->path, path, size);
	later->program.path = program->path == program->interpreter ? later->program.interpreter
	                                                            : later->path;
	*strings = (struct exec_strings){ 0 };
	task->later = later;
	task->mm = mm;
	return 0;
}

_Noreturn void vfork_leave(void)
{
	struct task *task = current();
	struct ring *ring = task->ring;

	exo_queue_release(task->thread_cap);
	task->thread_cap = task->own_thread_cap;
	task->host_cap = task->process_cap;
	task->borrows = false;
	process_release_vfork(task);
	lock_drop();
	(void)exo_flush();
	task->ring = (struct ring *)task_second_ring_address(task);
	exo_fill_start(ring, task->thread_cap);
	/* From the first of these system calls on the stack is the other thread's. */
	__asm__ volatile("syscall\n\t"
	                 "movl %0, %%eax\n\t"
	                 "xorl %%edi, %%edi\n\t"
	                 "syscall\n\t"
	                 "ud2"
	                 :
	                 : "i"(SYS_EXIT), "a"((uint64_t)SYS_CAP_ENTER), "D"(1ull), "S"(RING_FOREVER)
	                 : "memory");
	__builtin_unreachable();
}

_Noreturn void vfork_end(struct task *task)
{
	__asm__ volatile("movl $1, %0\n\t"
	                 "syscall\n\t"
	                 "ud2"
	                 : "=m"(task->off_stack)
	                 : "a"((uint64_t)SYS_EXIT), "D"(0ull)
	                 : "memory");
	__builtin_unreachable();
}

void vfork_await_end(struct task *zombie)
{
	while (__atomic_load_n(&zombie->off_stack, __ATOMIC_ACQUIRE) == 0)
		exo_park(&zombie->off_stack, 0, POLL_NS);
}
