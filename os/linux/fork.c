/* fork.c: a new process that is a copy of the one that asks.
 *
 * The exokernel makes the process, its address space and its thread in one
 * call, and shows the parent's memory in it, copy-on-write, in another that
 * also starts it. All that can fail in here is done before. */
#include "lib/posix/errno.h"
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/process.h"
#include "os/linux/syscall.h"
#include "os/linux/time.h"
#include "os/linux/user.h"
#include "os/linux/vfork.h"
#include "rt/module_string.h"

enum {
	CLONE_VM = 0x100,
	CLONE_SIGHAND = 0x800,
	CLONE_VFORK = 0x4000,
	CLONE_THREAD = 0x10000,
	CLONE_SETTLS = 0x80000,
	CLONE_PARENT_SETTID = 0x100000,
	CLONE_CHILD_CLEARTID = 0x200000,
	CLONE_CHILD_SETTID = 0x1000000,
	CLONE_SIGNAL = 0xff,
	/* Sharing that processes of one thread would notice. */
	CLONE_REFUSED = 0x200 | 0x400 | 0x800 | 0x2000 | CLONE_THREAD | 0x20000 | 0x7e000000,
	CLONE_SHARES = 0x200 | 0x400, /* FS, FILES: right with VFORK, for nobody else looks */
};

/* The child's vector registers stand on its own stack, this far down, until it
 * takes them up. fork_begin() needs less than this above. */
enum { FPU_BELOW = 2048 };

static struct task *uncollected; /* zombies whose parents do not care */

void fork_collect_later(struct task *zombie)
{
	zombie->next_sibling = uncollected;
	uncollected = zombie;
}

static void collect(void)
{
	while (uncollected != NULL) {
		struct task *zombie = uncollected;
		uncollected = zombie->next_sibling;
		zombie->next_sibling = NULL;
		process_collect(zombie);
	}
}

static uint64_t read_fs_base(void)
{
	uint64_t base;
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t read_gs_base(void)
{
	uint64_t base;
	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

/* The child's first steps, on its own thread; then it returns to the program. */
void fork_begin(void)
{
	struct task *task = current();

	__asm__ volatile("wrfsbase %0" : : "r"(task->fs_base));
	__asm__ volatile("wrgsbase %0" : : "r"(task->gs_base));
	fpu_load(task->fpu);
	if (task->tid_address != 0)
		(void)user_write(task->tid_address, &task->pid, sizeof task->pid);
}
void fork_return(void) __attribute__((visibility("hidden"))); /* entry.S */

/* What parent and child have in common, and can be had without the exokernel. */
static bool copy_state(struct task *parent, struct task *child)
{
	child->files = fdtable_clone(parent->files);
	child->signals = signals_clone(parent->signals);
	child->mm = child->borrows ? parent->mm : mm_clone(parent->mm, 0);
	if (child->files == NULL || child->signals == NULL || child->mm == NULL)
		return false;
	vfs_place_copy(&child->place, &parent->place);
	process_set_program(child, parent->program);
	child->group = parent->group;
	child->session = parent->session;
	child->uid = parent->uid;
	child->euid = parent->euid;
	child->suid = parent->suid;
	child->gid = parent->gid;
	child->egid = parent->egid;
	child->sgid = parent->sgid;
	memcpy(child->limits, parent->limits, sizeof child->limits);
	memcpy(child->name, parent->name, sizeof child->name);
	child->start_time = env_monotonic();
	child->granted = parent->granted;
	return true;
}

static void drop_state(struct task *child)
{
	if (child->program != NULL) {
		process_set_program(child, NULL);
		vfs_place_drop(&child->place);
	}
	if (child->files != NULL)
		fdtable_put(child->files);
	if (child->mm != NULL && !child->borrows)
		mm_destroy(child->mm);
	signals_free(child->signals);
	task_free(child);
}

static void copy_registers(struct task *child, const struct regs *regs)
{
	struct regs *to = task_regs(child);

	*to = *regs;
	to->rax = 0;
	to->nr = (uint64_t)-1;
	child->fs_base = read_fs_base();
	child->gs_base = read_gs_base();
	child->fpu = (void *)(((uintptr_t)to - FPU_BELOW - fpu_size) & ~63ull);
	memset(child->fpu, 0, 576);
	fpu_save(child->fpu);
}

/* Undoes what the exokernel did. A borrowed thread has not been started. */
static void end_process(struct task *child)
{
	exo_queue_kill(child->process_cap);
	exo_queue_release(child->thread_cap);
	if (child->borrows)
		exo_queue_release(child->own_thread_cap);
	exo_queue_release(child->space_cap);
	exo_queue_wait(child->process_cap);
	exo_queue_release(child->process_cap);
	(void)exo_flush();
}

/* A process whose PID is no task's. One that has moved to another libOS and ended
 * there has given its PID back, though here its parent may not have looked yet. */
static enum status spawn(const struct exo_start *start, struct exo_process *out)
{
	enum status status = exo_spawn(start, out);

	for (uint32_t tries = task_count(); status == STATUS_OK && task_find(out->pid) != NULL; tries--) {
		exo_queue_kill(out->process);
		exo_queue_release(out->thread);
		exo_queue_release(out->space);
		exo_queue_release(out->process);
		(void)exo_flush();
		status = tries > 0 ? exo_spawn(start, out) : STATUS_NO_SLOT;
	}
	return status;
}

/* Makes the child's process, and its thread or the one that it borrows. False:
 * the exokernel has no room for it. */
static bool make_process(struct task *parent, struct task *child)
{
	struct exo_start start = {
		.entry = (uintptr_t)fork_return,
		.stack = (uintptr_t)task_regs(child) - 8,
		.module_stack = (uintptr_t)child,
		.ring = task_ring_address(child),
	};
	struct exo_start later = vfork_own_start(child);
	struct exo_process process;

	if (spawn(child->borrows ? &later : &start, &process) != STATUS_OK)
		return false;
	child->pid = process.pid;
	child->process_cap = process.process;
	child->space_cap = process.space;
	child->thread_cap = process.thread;
	child->host_cap = process.process;
	if (child->granted)
		exo_queue_inherit(child->process_cap, parent->host_cap);
	if (!child->borrows) {
		child->mm->space = process.space;
		mm_queue_share(parent->mm, child->mm);
		return true;
	}
	child->own_thread_cap = process.thread;
	child->host_cap = parent->host_cap;
	child->thread_cap = 0;
	if (exo_thread(parent->host_cap, &start, &child->thread_cap) == STATUS_OK)
		return true;
	end_process(child);
	return false;
}

/* The child may have begun; it can do nothing that matters while its parent
 * holds the lock. */
static void unmake_process(struct task *child)
{
	task_disown(child);
	task_remove(child);
	end_process(child);
	drop_state(child);
}

/* The new task, in the table, or NULL. */
static struct task *make_child(const struct regs *regs, bool borrows)
{
	struct task *parent = current(), *child;

	collect();
	child = task_allocate();
	if (child == NULL)
		return NULL;
	child->borrows = borrows;
	if (!copy_state(parent, child)) {
		drop_state(child);
		return NULL;
	}
	copy_registers(child, regs);
	if (!make_process(parent, child)) {
		drop_state(child);
		return NULL;
	}
	task_insert(child);
	task_adopt(parent, child);
	return child;
}

struct clone_request {
	uint64_t flags, stack, parent_tid, child_tid, tls;
};

static int64_t do_clone(struct regs *regs, const struct clone_request *request)
{
	struct task *child;
	uint32_t pid;

	lock_take();
	child = make_child(regs, (request->flags & CLONE_VM) != 0);
	if (child == NULL) {
		lock_drop();
		return -EAGAIN;
	}
	pid = child->pid;
	if (request->stack != 0)
		task_regs(child)->rsp = request->stack;
	if ((request->flags & CLONE_SETTLS) != 0)
		child->fs_base = request->tls;
	if ((request->flags & CLONE_CHILD_SETTID) != 0)
		child->tid_address = request->child_tid;
	if ((request->flags & CLONE_VFORK) != 0)
		child->vfork_parent = current();
	exo_queue_start(child->thread_cap);
	if (exo_flush() != STATUS_OK) {
		unmake_process(child);
		lock_drop();
		return -EAGAIN;
	}
	if ((request->flags & CLONE_PARENT_SETTID) != 0)
		(void)user_write(request->parent_tid, &pid, sizeof pid);
	if ((request->flags & CLONE_VFORK) != 0)
		vfork_wait(pid);
	lock_drop();
	return pid;
}

int64_t sys_fork(struct regs *regs)
{
	return do_clone(regs, &(struct clone_request){ 0 });
}

int64_t sys_vfork(struct regs *regs)
{
	return do_clone(regs, &(struct clone_request){ .flags = CLONE_VFORK | CLONE_VM });
}

int64_t sys_clone(struct regs *regs)
{
	struct clone_request request = {
		.flags = regs->rdi, .stack = regs->rsi, .parent_tid = regs->rdx, .child_tid = regs->r10,
		.tls = regs->r8,
	};
	bool shares = (request.flags & (CLONE_VM | CLONE_SHARES)) != 0;

	if (((request.flags & CLONE_SIGHAND) != 0 && (request.flags & CLONE_VM) == 0) ||
	    ((request.flags & CLONE_THREAD) != 0 && (request.flags & CLONE_SIGHAND) == 0))
		return -EINVAL;
	if ((request.flags & CLONE_REFUSED & ~(uint64_t)CLONE_SHARES) != 0 ||
	    (shares && (request.flags & CLONE_VFORK) == 0))
		return -ENOSYS;
	if ((request.flags & CLONE_SETTLS) != 0 && request.tls >= PROGRAM_END)
		return -EPERM;
	return do_clone(regs, &request);
}
