/* console.c: the terminal: the machine's console behind lib/'s line discipline.
 *
 * The module's first thread reads it and feeds the terminal. What programs write goes
 * out in the thread that writes it, as one call while it fits a message. */
#include "lib/posix/errno.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/signal.h"
#include "os/linux/start.h"

enum { READ_MOST = 256 };

struct tty the_tty;

static void write_out(void *context, const void *bytes, size_t size)
{
	(void)context;
	exo_console_write(bytes, size);
}

static bool signal_group(void *context, int32_t group, int signal)
{
	bool heard = false;

	(void)context;
	for (struct task *task = task_all; task != NULL; task = task->next) {
		if (task->group != (uint32_t)group || task->state == TASK_ZOMBIE)
			continue;
		heard |= !signal_is_deaf(task, (uint32_t)signal);
		signal_send(task, (uint32_t)signal, NULL);
	}
	return heard;
}

static void caller(void *context, int32_t *session, int32_t *group)
{
	(void)context;
	*session = (int32_t)current()->session;
	*group = (int32_t)current()->group;
}

static const struct tty_ops operations = { write_out, signal_group, caller };

_Noreturn void console_run(void)
{
	uint8_t bytes[READ_MOST];

	for (;;) {
		size_t size = sizeof bytes;
		if (exo_console_read(bytes, &size) != STATUS_OK)
			break;
		lock_take();
		tty_input(&the_tty, bytes, size);
		lock_drop();
	}
	lock_take();
	tty_hangup(&the_tty);
	lock_drop();
	exo_exit(0);
}

void console_start(void)
{
	tty_init(&the_tty, &operations, NULL);
	tty_register(&the_tty, &the_vfs);
}
