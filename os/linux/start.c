/* start.c: from the exokernel's hand-over to PID 1's first instruction.
 *
 * The first thread sets everything up and then serves the console: nobody holds
 * a capability to it, so it could not be interrupted for a signal. PID 1 runs
 * on a thread that we made. */
#include "os/linux/start.h"

#include "core/manifest.h"
#include "lib/cpio/cpio.h"
#include "lib/posix/errno.h"
#include "lib/vfs/devfs.h"
#include "lib/vfs/ramfs.h"
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/layout.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"
#include "os/linux/process.h"
#include "os/linux/random.h"
#include "os/linux/syscall.h"
#include "os/linux/time.h"
#include "os/linux/worker.h"
#include "rt/module_string.h"

struct vfs the_vfs;
uint64_t start_memory_limit;
uint32_t start_processors;

/* What stands in the object "start", before the manifest. */
struct start_head {
	uint64_t initrd_size, manifest_size;
};

static struct devfs_devices devices;
static const struct start_head *start_head; /* until PID 1 has begun */
static uint64_t start_pages;

static const void *show(uint32_t object, uint64_t address, uint64_t *pages)
{
	if (exo_object_size(object, pages) != STATUS_OK ||
	    exo_map(exo.module, object, 0, address, *pages, EXO_READ) != STATUS_OK)
		fatal("what the module starts from cannot be mapped", address);
	return (const void *)address;
}

static void hide(uint32_t object, uint64_t address, uint64_t pages)
{
	(void)!exo_unmap(exo.module, address, pages);
	exo_queue_release(object);
	(void)exo_flush();
}

static void random_device(void *context, void *buffer, size_t size)
{
	(void)context;
	random_bytes(buffer, size);
}

static struct manifest manifest; /* good until start_head is hidden */

static void mount(struct vfs_place *place, const char *path, struct fs *fs)
{
	int result = vfs_mkdir(place, NULL, path, 0755);

	if ((result != 0 && result != -EEXIST) || vfs_mount(&the_vfs, place, path, fs) != 0)
		fatal("a file system cannot be mounted", 0);
}

static void start_files(const void *initrd, uint64_t size)
{
	struct vfs_place *place = &task_init->place;
	const char *error = NULL;
	struct fs *root, *dev, *proc;

	if (ramfs_create(0, &root) != 0)
		fatal("no memory for files", 0);
	if (ramfs_fill_from_cpio(root, initrd, size, &error) != 0)
		fatal(error != NULL ? error : "the initrd does not fit", 0);
	vfs_init(&the_vfs, root);
	vfs_place_init(&the_vfs, place);
	devices.random = random_device;
	devfs_register(&the_vfs, &devices);
	console_start();
	if (manifest.plain_console)
		tty_set_plain(&the_tty);
	if (devfs_create(&dev) != 0 || proc_create(&proc) != 0)
		fatal("no memory for devices", 0);
	mount(place, "/dev", dev);
	mount(place, "/proc", proc);
}

static void open_console(struct task *task)
{
	struct file *file;

	if (vfs_open(&task->place, NULL, "/dev/console", O_RDWR, 0, &file) != 0 ||
	    fdtable_insert(task->files, file, 0, 0) != 0 || fdtable_dup(task->files, 0) != 1 ||
	    fdtable_dup(task->files, 0) != 2)
		fatal("the console cannot be opened", 0);
	tty_set_session(&the_tty, 1, 1); /* PID 1 leads the session of its terminal */
}

static void start_task(struct task *task)
{
	task->pid = 1;
	task->group = 1;
	task->session = 1;
	task->process_cap = exo.self;
	task->host_cap = exo.self;
	task->space_cap = exo.space;
	for (unsigned i = 0; i < RLIMIT_COUNT; i++)
		task->limits[i] = (struct rlimit){ UINT64_MAX, UINT64_MAX };
	task->limits[RLIMIT_STACK].soft = MM_STACK_SIZE;
	task->limits[RLIMIT_NOFILE] = (struct rlimit){ FDTABLE_LIMIT, FDTABLE_LIMIT_MAX };
	task->files = fdtable_create();
	task->signals = signals_create();
	task->mm = mm_create(task->space_cap);
	task->start_time = env_monotonic();
	if (task->files == NULL || task->signals == NULL || task->mm == NULL)
		fatal("no memory for the first process", 0);
	task_insert(task);
}

static int add_texts(struct exec_strings *strings, struct capnp_list list, uint32_t *count)
{
	for (*count = 0; *count < list.count; ++*count) {
		struct capnp_text text = manifest_text(list, *count);
		int result = exec_strings_add(strings, text.bytes, text.length);
		if (result != 0)
			return result;
	}
	return 0;
}

static _Noreturn void no_program(const char *path, int result)
{
	exo_console_write("linux: cannot run ", 18);
	exo_console_write(path, strlen(path));
	fatal(": error", (uint64_t)(int64_t)-result);
}

/* Runs what the manifest says; `regs` is how it begins. */
static void run_first(struct regs *regs)
{
	struct exec_strings strings = { 0 };
	int result;

	result = add_texts(&strings, manifest.arguments, &strings.arguments);
	if (result == 0)
		result = add_texts(&strings, manifest.environment, &strings.environment);
	if (result == 0)
		result = process_exec(&(struct exec_path){ .string = manifest.program_path.bytes }, &strings,
		                      regs);
	exec_strings_free(&strings);
	if (result != 0)
		no_program(manifest.program_path.bytes, result);
}

/* What the manifest gives the program itself; its children have it from there. */
static void grant_program(struct task *task)
{
	for (uint32_t i = 0; i < manifest.program_grants.count; i++) {
		struct manifest_grant grant = manifest_grant(manifest.program_grants, i);
		if (exo_grant(task->process_cap, grant.name.bytes, exo_find(grant.source.bytes)) != STATUS_OK)
			fatal("what the program is to hold cannot be granted", i);
		task->granted = true;
	}
}

/* PID 1's thread. */
static void begin(void)
{
	struct regs *regs = task_regs(current());

	lock_take();
	open_console(current());
	grant_program(current());
	run_first(regs);
	hide(exo.start, LAYOUT_START, start_pages);
	lock_drop();
	regs_enter(regs);
}

static void map_start(void)
{
	char reason[MANIFEST_REASON_MAX];

	start_head = show(exo.start, LAYOUT_START, &start_pages);
	if (start_head->manifest_size > start_pages * PAGE_SIZE - sizeof *start_head)
		fatal("the manifest is cut short", 0);
	if (manifest_check(start_head + 1, start_head->manifest_size, NULL, &manifest, reason,
	                   sizeof reason) != STATUS_OK)
		fatal(reason, 0);
}

/* The first instruction in C. Does not come back. */
void linux_start(void)
{
	const void *initrd;
	uint64_t initrd_pages, spare;

	task_start();
	exo_begin();
	time_start();
	random_start();
	fpu_start();
	(void)!exo_available(&spare, &start_memory_limit);
	start_processors = exo_processors();

	lock_take();
	task_init = worker_create("init");
	if (task_init == NULL)
		fatal("no memory for the first process", 0);
	map_start();
	initrd = show(exo.initrd, LAYOUT_INITRD, &initrd_pages);
	if (start_head->initrd_size > initrd_pages * PAGE_SIZE)
		fatal("the initrd is cut short", 0);
	start_files(initrd, start_head->initrd_size);
	hide(exo.initrd, LAYOUT_INITRD, initrd_pages);
	start_task(task_init);
	if (!worker_start(task_init, begin))
		fatal("the first process cannot be started", 0);
	lock_drop();
	console_run();
}
