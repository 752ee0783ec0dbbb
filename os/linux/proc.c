/* proc.c: what /proc says: lib/vfs/procfs.h's tables, filled from the tasks. */
#include "lib/posix/errno.h"
#include "lib/vfs/procfs.h"
#include "os/linux/exo.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"
#include "os/linux/signal.h"
#include "os/linux/start.h"
#include "os/linux/time.h"
#include "rt/module_string.h"

enum { TICK_NS = 10000000, KIB_PER_PAGE = 4 };

static const char *state_name(const struct task *task)
{
	return task->state == TASK_ZOMBIE    ? "Z (zombie)"
	       : task->state == TASK_STOPPED ? "T (stopped)"
	       : task->sleeping_on != NULL   ? "S (sleeping)"
	                                     : "R (running)";
}

static uint64_t pages_of(const struct task *task)
{
	return task->state != TASK_ZOMBIE && task->mm != NULL ? task->mm->pages : 0;
}

/* /proc: */

static void line(struct text *out, const char *name, uint64_t kib)
{
	text_string(out, name);
	text_padded(out, kib, 10, ' ');
	text_string(out, " kB\n");
}

static int meminfo(void *context, uint32_t pid, struct text *out)
{
	uint64_t pages = 0, limit = 0;

	(void)context;
	(void)pid;
	(void)!exo_available(&pages, &limit);
	pages += pages_spare();
	line(out, "MemTotal:     ", start_memory_limit * KIB_PER_PAGE);
	line(out, "MemFree:      ", pages * KIB_PER_PAGE);
	line(out, "MemAvailable: ", pages * KIB_PER_PAGE);
	line(out, "Buffers:      ", 0);
	line(out, "Cached:       ", 0);
	line(out, "SwapTotal:    ", 0);
	line(out, "SwapFree:     ", 0);
	return 0;
}

static int uptime(void *context, uint32_t pid, struct text *out)
{
	uint64_t now = env_monotonic();

	(void)context;
	(void)pid;
	text_unsigned(out, now / NS_PER_S);
	text_char(out, '.');
	text_padded(out, now % NS_PER_S / TICK_NS, 2, '0');
	text_string(out, " 0.00\n");
	return 0;
}

static int loadavg(void *context, uint32_t pid, struct text *out)
{
	(void)context;
	(void)pid;
	text_string(out, "0.00 0.00 0.00 1/");
	text_unsigned(out, task_count());
	text_string(out, " 1\n");
	return 0;
}

static int version(void *context, uint32_t pid, struct text *out)
{
	(void)context;
	(void)pid;
	text_string(out, "Linux version 6.1.0-tessera (Tessera linux.mod)\n");
	return 0;
}

static int mounts(void *context, uint32_t pid, struct text *out)
{
	(void)context;
	(void)pid;
	procfs_mounts(&the_vfs, &current()->place, out);
	return 0;
}

static int stat_all(void *context, uint32_t pid, struct text *out)
{
	(void)context;
	(void)pid;
	text_string(out, "cpu  0 0 0 0 0 0 0 0 0 0\n");
	for (uint32_t i = 0; i < start_processors; i++) {
		text_string(out, "cpu");
		text_unsigned(out, i);
		text_string(out, " 0 0 0 0 0 0 0 0 0 0\n");
	}
	text_string(out, "btime ");
	text_unsigned(out, (env_realtime() - env_monotonic()) / NS_PER_S);
	text_string(out, "\nprocesses ");
	text_unsigned(out, task_count());
	text_char(out, '\n');
	return 0;
}

static int filesystems(void *context, uint32_t pid, struct text *out)
{
	(void)context;
	(void)pid;
	text_string(out, "nodev\ttmpfs\nnodev\tproc\n");
	return 0;
}

static const struct procfs_entry top[] = {
	{ "meminfo", S_IFREG | 0444, meminfo, NULL },
	{ "uptime", S_IFREG | 0444, uptime, NULL },
	{ "loadavg", S_IFREG | 0444, loadavg, NULL },
	{ "version", S_IFREG | 0444, version, NULL },
	{ "mounts", S_IFREG | 0444, mounts, NULL },
	{ "stat", S_IFREG | 0444, stat_all, NULL },
	{ "filesystems", S_IFREG | 0444, filesystems, NULL },
	{ 0 },
};

/* /proc/PID: */

static int stat(void *context, uint32_t pid, struct text *out)
{
	const struct task *task = task_find(pid);

	(void)context;
	if (task == NULL)
		return -ESRCH;
	text_unsigned(out, pid);
	text_string(out, " (");
	text_string(out, task->name);
	text_string(out, ") ");
	text_char(out, state_name(task)[0]);
	text_char(out, ' ');
	text_unsigned(out, task->parent != NULL ? task->parent->pid : 0);
	text_char(out, ' ');
	text_unsigned(out, task->group);
	text_char(out, ' ');
	text_unsigned(out, task->session);
	text_string(out, " 1281 ");
	text_signed(out, the_tty.foreground);
	text_string(out, " 0 0 0 0 0 0 0 0 0 20 0 1 0 ");
	text_unsigned(out, task->start_time / TICK_NS);
	text_char(out, ' ');
	text_unsigned(out, pages_of(task) * PAGE_SIZE);
	text_char(out, ' ');
	text_unsigned(out, pages_of(task));
	text_string(out, " 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

static void field(struct text *out, const char *name, uint64_t value)
{
	text_string(out, name);
	text_unsigned(out, value);
	text_char(out, '\n');
}

static void size_field(struct text *out, const char *name, uint64_t pages)
{
	text_string(out, name);
	text_padded(out, pages * KIB_PER_PAGE, 8, ' ');
	text_string(out, " kB\n");
}

static void set_field(struct text *out, const char *name, uint64_t set)
{
	text_string(out, name);
	for (int shift = 60; shift >= 0; shift -= 4)
		text_char(out, "0123456789abcdef"[set >> shift & 15]);
	text_char(out, '\n');
}

static void signal_fields(struct text *out, const struct signals *signals)
{
	uint64_t ignored = 0, caught = 0;

	for (uint32_t i = 1; i <= SIGNALS; i++) {
		uint64_t handler = signals->actions[i - 1].handler;
		ignored |= handler == SIG_IGN ? signal_bit(i) : 0;
		caught |= handler > SIG_IGN ? signal_bit(i) : 0;
	}
	set_field(out, "SigPnd:\t", signals->pending);
	set_field(out, "ShdPnd:\t", 0);
	set_field(out, "SigBlk:\t", signals->blocked);
	set_field(out, "SigIgn:\t", ignored);
	set_field(out, "SigCgt:\t", caught);
}

static int status(void *context, uint32_t pid, struct text *out)
{
	const struct task *task = task_find(pid);

	(void)context;
	if (task == NULL)
		return -ESRCH;
	text_string(out, "Name:\t");
	text_string(out, task->name);
	text_string(out, "\nState:\t");
	text_string(out, state_name(task));
	field(out, "\nTgid:\t", pid);
	field(out, "Pid:\t", pid);
	field(out, "PPid:\t", task->parent != NULL ? task->parent->pid : 0);
	field(out, "Uid:\t", task->uid);
	field(out, "Gid:\t", task->gid);
	if (task->state != TASK_ZOMBIE) {
		size_field(out, "VmSize:\t", pages_of(task));
		size_field(out, "VmRSS:\t", pages_of(task));
	}
	field(out, "Threads:\t", 1);
	if (task->state != TASK_ZOMBIE)
		signal_fields(out, task->signals);
	return 0;
}

static int statm(void *context, uint32_t pid, struct text *out)
{
	const struct task *task = task_find(pid);

	(void)context;
	if (task == NULL)
		return -ESRCH;
	text_unsigned(out, pages_of(task));
	text_char(out, ' ');
	text_unsigned(out, pages_of(task));
	text_string(out, " 0 0 0 ");
	text_unsigned(out, pages_of(task));
	text_string(out, " 0\n");
	return 0;
}

/* Of a process that lives and was executed. */
static const struct mm_origin *origin_of(uint32_t pid)
{
	const struct task *task = task_find(pid);

	return task != NULL && task->state != TASK_ZOMBIE && task->mm != NULL ? task->mm->origin : NULL;
}

static int cmdline(void *context, uint32_t pid, struct text *out)
{
	const struct mm_origin *origin = origin_of(pid);

	(void)context;
	if (origin != NULL)
		text_bytes(out, origin->bytes + origin->path_size, origin->arguments_size);
	return 0;
}

static int comm(void *context, uint32_t pid, struct text *out)
{
	const struct task *task = task_find(pid);

	(void)context;
	if (task == NULL)
		return -ESRCH;
	text_string(out, task->name);
	text_char(out, '\n');
	return 0;
}

static int maps(void *context, uint32_t pid, struct text *out)
{
	const struct task *task = task_find(pid);

	(void)context;
	if (task == NULL || task->state == TASK_ZOMBIE)
		return -ESRCH;
	for (uint32_t i = 0; i < task->mm->count; i++) {
		const struct vma *v = &task->mm->vmas[i];
		text_hex(out, v->start);
		text_char(out, '-');
		text_hex(out, v->end);
		text_char(out, ' ');
		text_char(out, (v->what & MM_READ) != 0 ? 'r' : '-');
		text_char(out, (v->what & MM_WRITE) != 0 ? 'w' : '-');
		text_char(out, (v->what & MM_EXECUTE) != 0 ? 'x' : '-');
		text_char(out, (v->what & MM_SHARED) != 0 ? 's' : 'p');
		text_char(out, ' ');
		text_hex(out, v->offset);
		text_string(out, " 00:00 ");
		text_unsigned(out, v->file != NULL ? v->file->number : 0);
		text_string(out, (v->what & MM_STACK) != 0  ? " [stack]"
		                 : (v->what & MM_HEAP) != 0 ? " [heap]"
		                                            : "");
		if (v->file != NULL && v->file == task->program && task->mm->origin != NULL) {
			text_char(out, ' ');
			text_string(out, task->mm->origin->bytes);
		}
		text_char(out, '\n');
	}
	return 0;
}

static int program_text(void *context, uint32_t pid, struct text *out)
{
	const struct mm_origin *origin = origin_of(pid);

	(void)context;
	if (origin == NULL)
		return -ENOENT;
	text_string(out, origin->bytes);
	return 0;
}

static int program(void *context, uint32_t pid, struct inode **out)
{
	const struct task *task = task_find(pid);

	(void)context;
	if (task == NULL || task->program == NULL)
		return -ENOENT;
	*out = inode_get(task->program);
	return 0;
}

static int directory_text(const struct task *task, struct inode *directory, struct text *out)
{
	char *buffer = kmalloc(PATH_MAX);
	int64_t length;

	if (buffer == NULL)
		return -ENOMEM;
	length = vfs_directory_path(&task->place, directory, buffer, PATH_MAX);
	if (length > 0)
		text_string(out, buffer);
	kfree(buffer);
	return length < 0 ? (int)length : 0;
}

static const struct task *with_place(uint32_t pid)
{
	const struct task *task = task_find(pid);

	return task != NULL && task->state != TASK_ZOMBIE && task->place.cwd != NULL ? task : NULL;
}

static int cwd_text(void *context, uint32_t pid, struct text *out)
{
	const struct task *task = with_place(pid);

	(void)context;
	return task != NULL ? directory_text(task, task->place.cwd, out) : -ENOENT;
}

static int cwd(void *context, uint32_t pid, struct inode **out)
{
	const struct task *task = with_place(pid);

	(void)context;
	if (task == NULL)
		return -ENOENT;
	*out = inode_get(task->place.cwd);
	return 0;
}

static int root_text(void *context, uint32_t pid, struct text *out)
{
	(void)context;
	(void)pid;
	text_char(out, '/');
	return 0;
}

static int root(void *context, uint32_t pid, struct inode **out)
{
	const struct task *task = with_place(pid);

	(void)context;
	if (task == NULL)
		return -ENOENT;
	*out = inode_get(task->place.root);
	return 0;
}

static const struct procfs_entry process[] = {
	{ "stat", S_IFREG | 0444, stat, NULL },
	{ "status", S_IFREG | 0444, status, NULL },
	{ "statm", S_IFREG | 0444, statm, NULL },
	{ "cmdline", S_IFREG | 0444, cmdline, NULL },
	{ "comm", S_IFREG | 0444, comm, NULL },
	{ "maps", S_IFREG | 0444, maps, NULL },
	{ "mounts", S_IFREG | 0444, mounts, NULL },
	{ "exe", S_IFLNK | 0777, program_text, program },
	{ "cwd", S_IFLNK | 0777, cwd_text, cwd },
	{ "root", S_IFLNK | 0777, root_text, root },
	{ 0 },
};

/* The tree. */

static uint32_t next_process(void *context, uint32_t after)
{
	const struct task *task = task_next(after);

	(void)context;
	return task != NULL ? task->pid : 0;
}

static uint32_t self(void *context)
{
	(void)context;
	return current()->pid;
}

static const struct fdtable *files_of(uint32_t pid)
{
	const struct task *task = task_find(pid);

	return task != NULL && task->state != TASK_ZOMBIE ? task->files : NULL;
}

static int64_t next_fd(void *context, uint32_t pid, int64_t from)
{
	const struct fdtable *files = files_of(pid);

	(void)context;
	for (int64_t fd = from; files != NULL && fd < (int64_t)files->capacity; fd++)
		if (files->files[fd] != NULL)
			return fd;
	return -1;
}

static struct file *fd_file(void *context, uint32_t pid, int64_t fd)
{
	const struct fdtable *files = files_of(pid);

	(void)context;
	return files != NULL ? fdtable_file(files, fd) : NULL;
}

static int fd_path(void *context, uint32_t pid, int64_t fd, struct text *out)
{
	const struct file *file = fd_file(context, pid, fd);

	if (file == NULL)
		return -ENOENT;
	if (inode_is(file->inode, S_IFDIR) && directory_text(current(), file->inode, out) == 0)
		return 0;
	text_string(out, inode_is(file->inode, S_IFIFO)   ? "pipe:["
	                 : inode_is(file->inode, S_IFCHR) ? "/dev/console"
	                 : inode_is(file->inode, S_IFDIR) ? "directory:["
	                                                  : "file:[");
	if (!inode_is(file->inode, S_IFCHR)) {
		text_unsigned(out, file->inode->number);
		text_char(out, ']');
	}
	return 0;
}

static const struct procfs_source source = {
	.top = top,
	.process = process,
	.next_process = next_process,
	.self = self,
	.next_fd = next_fd,
	.fd_file = fd_file,
	.fd_path = fd_path,
};

int proc_create(struct fs **out)
{
	return procfs_create(&source, out);
}
