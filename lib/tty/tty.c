/* tty.c: what programs see of a terminal. See tty.h.
 * Source: termios(3), ioctl_tty(2), and POSIX chapter 11 for VMIN and VTIME. */
#include "lib/tty/tty.h"

#include "lib/posix/errno.h"
#include "lib/tty/tty_edit.h"

#include <string.h>

enum {
	WRITE_CHUNK = 256,
	WRITE_MOST = 4 << 20, /* bytes of one call: its caller keeps the lock */
	TENTH_OF_SECOND = 100000000,
};

static const struct ktermios sane = {
	.c_iflag = ICRNL | IXON | IMAXBEL | IUTF8,
	.c_oflag = OPOST,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1,
	          [VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15,
	          [VWERASE] = 23, [VLNEXT] = 22 },
};

void tty_init(struct tty *tty, const struct tty_ops *ops, void *context)
{
	memset(tty, 0, sizeof(*tty));
	tty->ops = ops;
	tty->context = context;
	tty->termios = sane;
	tty->size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
}

void tty_set_plain(struct tty *tty)
{
	tty->termios.c_iflag = 0;
	tty->termios.c_oflag = 0;
	tty->termios.c_lflag = ICANON;
}

static struct tty *tty_of(const struct file *file)
{
	return file->data;
}

static bool is_canonical(const struct tty *tty)
{
	return (tty->termios.c_lflag & ICANON) != 0;
}

/* -- job control -- */

/* The caller's session and group. False: nobody keeps any. */
static bool caller(const struct tty *tty, int32_t *session, int32_t *group)
{
	*session = *group = 0;
	if (tty->ops->caller == NULL)
		return false;
	tty->ops->caller(tty->context, session, group);
	return true;
}

static bool controls_caller(const struct tty *tty)
{
	int32_t session, group;
	return !caller(tty, &session, &group) || (tty->session != 0 && session == tty->session);
}

/* 0 if the caller may go on; a background process is signalled, and then its
 * call restarts. */
static int check_foreground(struct tty *tty, int signal)
{
	int32_t session, group;
	if (!caller(tty, &session, &group) || session != tty->session || tty->session == 0 ||
	    tty->foreground == 0 || group == tty->foreground)
		return 0;
	if (tty->ops->signal(tty->context, group, signal))
		return -ERESTARTSYS;
	return signal == SIGTTIN ? -EIO : 0;
}

void tty_set_session(struct tty *tty, int32_t session, int32_t foreground)
{
	tty->session = session;
	tty->foreground = foreground;
}

static int64_t take_session(struct tty *tty, uintptr_t steal)
{
	int32_t session, group;
	if (!caller(tty, &session, &group))
		return 0;
	if (tty->session != 0 && tty->session != session && steal != 1)
		return -EPERM;
	if (tty->session != session)
		tty_set_session(tty, session, group);
	return 0;
}

/* -- reading -- */

/* Bytes that a read in canonical mode may take, without the EOF character that
 * may come after them. *whole is set to what it takes with it. */
static uint32_t line_length(const struct tty *tty, size_t most, uint32_t *whole)
{
	uint32_t position = tty->head;
	while (position != tty->line && position - tty->head < most) {
		bool ends = tty_ends(tty, position);
		if (ends && tty->input[position % TTY_INPUT] == '\0')
			break;
		position++;
		if (ends) {
			*whole = position - tty->head;
			return *whole;
		}
	}
	uint32_t length = position - tty->head;
	bool eof = position != tty->line && tty_ends(tty, position) &&
	           tty->input[position % TTY_INPUT] == '\0';
	*whole = length + eof;
	return length;
}

/* Copies the next `size` bytes of input out, and drops `whole`. */
static int64_t take(struct tty *tty, uint8_t *buffer, uint32_t size, uint32_t whole)
{
	uint32_t first = TTY_INPUT - tty->head % TTY_INPUT;
	if (first > size)
		first = size;
	if (env_copy(buffer, tty_byte(tty, tty->head), first) != 0 ||
	    env_copy(buffer + first, tty->input, size - first) != 0)
		return -EFAULT;
	tty->head += whole;
	return size;
}

static int64_t wait_input(const struct file *file, struct wait *wait, uint64_t deadline)
{
	struct tty *tty = tty_of(file);
	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	wait->event = &tty->readable;
	wait->sequence = tty->readable.sequence;
	wait->deadline = deadline;
	return -EAGAIN;
}

static int64_t read_canonical(struct file *file, void *buffer, size_t size, struct wait *wait)
{
	struct tty *tty = tty_of(file);
	uint32_t whole;
	if (tty->head == tty->line)
		return tty->hung_up ? 0 : wait_input(file, wait, 0);
	uint32_t length = line_length(tty, size, &whole);
	return take(tty, buffer, length, whole);
}

/* The four cases of VMIN and VTIME. With both, the timer runs from byte to
 * byte, and only once there is one. */
static int64_t read_raw(struct file *file, void *buffer, size_t size, struct wait *wait)
{
	struct tty *tty = tty_of(file);
	uint32_t available = tty->line - tty->head;
	uint64_t minimum = tty->termios.c_cc[VMIN];
	uint64_t time = (uint64_t)tty->termios.c_cc[VTIME] * TENTH_OF_SECOND;
	uint64_t deadline = 0;
	if (minimum > size)
		minimum = size;
	if (available > 0 && (available >= minimum || tty->hung_up || (file->flags & O_NONBLOCK)))
		return take(tty, buffer, available < size ? available : (uint32_t)size,
		            available < size ? available : (uint32_t)size);
	if (tty->hung_up || (minimum == 0 && time == 0))
		return 0;
	if (minimum == 0)
		deadline = wait->deadline != 0 ? wait->deadline : env_monotonic() + time;
	else if (time > 0 && available > 0)
		deadline = tty->last_input + time;
	if (deadline != 0 && env_monotonic() >= deadline)
		return take(tty, buffer, available, available);
	return wait_input(file, wait, deadline);
}

static int64_t tty_read(struct file *file, void *buffer, size_t size, struct wait *wait)
{
	struct tty *tty = tty_of(file);
	int result = check_foreground(tty, SIGTTIN);
	if (result != 0 || size == 0)
		return result;
	return is_canonical(tty) ? read_canonical(file, buffer, size, wait)
	                         : read_raw(file, buffer, size, wait);
}

/* -- writing -- */

static int64_t tty_write(struct file *file, const void *buffer, size_t size, struct wait *wait)
{
	struct tty *tty = tty_of(file);
	uint8_t chunk[WRITE_CHUNK];
	size_t done = 0;
	(void)wait;
	if (size > WRITE_MOST)
		size = WRITE_MOST;
	int result = tty->termios.c_lflag & TOSTOP ? check_foreground(tty, SIGTTOU) : 0;
	if (tty->hung_up)
		result = -EIO;
	while (done < size && result == 0) {
		size_t step = size - done < WRITE_CHUNK ? size - done : WRITE_CHUNK;
		result = env_copy(chunk, (const uint8_t *)buffer + done, step);
		for (size_t i = 0; i < step && result == 0; i++)
			tty_put(tty, chunk[i]);
		if (result == 0)
			done += step;
	}
	tty_flush_output(tty);
	return done > 0 ? (int64_t)done : result;
}

/* -- control -- */

/* Where canonical mode begins or ends, what was typed so far counts as handed
 * over. */
static void set_termios(struct tty *tty, const struct ktermios *termios)
{
	bool toggled = (tty->termios.c_lflag ^ termios->c_lflag) & ICANON;
	tty->termios = *termios;
	if (toggled) {
		tty->line = tty->tail;
		tty->literal = false;
	}
	env_wake(&tty->readable); /* what is enough to read may be less now */
}

static int64_t ioctl_set_termios(struct tty *tty, uint32_t request, uintptr_t argument)
{
	struct ktermios termios;
	int result = check_foreground(tty, SIGTTOU);
	if (result == 0)
		result = env_copy(&termios, (const void *)argument, sizeof(termios));
	if (result != 0)
		return result;
	if (request == TCSETSF)
		tty_flush_input(tty);
	set_termios(tty, &termios);
	return 0;
}

static int64_t ioctl_set_size(struct tty *tty, uintptr_t argument)
{
	struct winsize size;
	int result = env_copy(&size, (const void *)argument, sizeof(size));
	if (result != 0)
		return result;
	bool changed = memcmp(&size, &tty->size, sizeof(size)) != 0;
	tty->size = size;
	if (changed && tty->foreground != 0)
		tty->ops->signal(tty->context, tty->foreground, SIGWINCH);
	return 0;
}

static int64_t put_number(uintptr_t argument, int32_t number)
{
	return env_copy((void *)argument, &number, sizeof(number));
}

static int64_t ioctl_set_group(struct tty *tty, uintptr_t argument)
{
	int32_t group;
	if (!controls_caller(tty))
		return -ENOTTY;
	int result = check_foreground(tty, SIGTTOU);
	if (result == 0)
		result = env_copy(&group, (const void *)argument, sizeof(group));
	if (result != 0)
		return result;
	if (group <= 0)
		return -EINVAL;
	tty->foreground = group;
	return 0;
}

static int32_t readable_bytes(const struct tty *tty)
{
	uint32_t whole;
	return (int32_t)(is_canonical(tty) ? line_length(tty, TTY_INPUT, &whole)
	                                   : tty->line - tty->head);
}

static int64_t ioctl_session(struct tty *tty, uint32_t request, uintptr_t argument)
{
	if (request == TIOCSCTTY)
		return take_session(tty, argument);
	if (!controls_caller(tty))
		return -ENOTTY;
	if (request == TIOCGPGRP)
		return put_number(argument, tty->foreground);
	if (request == TIOCGSID)
		return put_number(argument, tty->session);
	tty_set_session(tty, 0, 0); /* TIOCNOTTY */
	return 0;
}

static int64_t ioctl_flush(struct tty *tty, uintptr_t queue)
{
	if (queue > TCIOFLUSH)
		return -EINVAL;
	if (queue != TCOFLUSH)
		tty_flush_input(tty);
	return 0;
}

static int64_t tty_ioctl(struct file *file, uint32_t request, uintptr_t argument)
{
	struct tty *tty = tty_of(file);
	switch (request) {
	case TCGETS:
		return env_copy((void *)argument, &tty->termios, sizeof(tty->termios));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return ioctl_set_termios(tty, request, argument);
	case TIOCGWINSZ:
		return env_copy((void *)argument, &tty->size, sizeof(tty->size));
	case TIOCSWINSZ:
		return ioctl_set_size(tty, argument);
	case TIOCSPGRP:
		return ioctl_set_group(tty, argument);
	case TIOCGPGRP:
	case TIOCGSID:
	case TIOCSCTTY:
	case TIOCNOTTY:
		return ioctl_session(tty, request, argument);
	case FIONREAD:
		return put_number(argument, readable_bytes(tty));
	case TIOCOUTQ:
		return put_number(argument, 0);
	case TCFLSH:
		return ioctl_flush(tty, argument);
	case TCSBRK: /* output is out as soon as it is written */
	case TCSBRKP:
	case TCXONC:
	case TIOCEXCL:
	case TIOCNXCL:
		return 0;
	default:
		return -ENOTTY;
	}
}

static uint32_t tty_poll(struct file *file, struct poll_events *events)
{
	struct tty *tty = tty_of(file);
	uint32_t minimum = !is_canonical(tty) && tty->termios.c_cc[VTIME] == 0
	                           && tty->termios.c_cc[VMIN] > 0 ? tty->termios.c_cc[VMIN] : 1;
	uint32_t bits = POLLOUT | POLLWRNORM;
	events->in = &tty->readable;
	if (tty->line - tty->head >= minimum || tty->hung_up)
		bits |= POLLIN | POLLRDNORM;
	return tty->hung_up ? bits | POLLHUP : bits;
}

void tty_hangup(struct tty *tty)
{
	tty->hung_up = true;
	tty->line = tty->tail;
	env_wake(&tty->readable);
}

/* -- opening -- */

static const struct file_ops tty_files = {
	.read = tty_read, .write = tty_write, .ioctl = tty_ioctl, .poll = tty_poll,
};

static int open_console(struct vfs_device *device, struct file *file)
{
	file->ops = &tty_files;
	file->data = device->context;
	return 0;
}

/* /dev/tty is the caller's controlling terminal, if it has one. */
static int open_controlling(struct vfs_device *device, struct file *file)
{
	return controls_caller(device->context) ? open_console(device, file) : -ENXIO;
}

static void add(struct vfs *vfs, struct vfs_device *device, uint64_t number, struct tty *tty,
                int (*open)(struct vfs_device *device, struct file *file))
{
	*device = (struct vfs_device){ .number = number, .open = open, .context = tty };
	vfs_add_device(vfs, device);
}

void tty_register(struct tty *tty, struct vfs *vfs)
{
	add(vfs, &tty->terminal, device_number(5, 0), tty, open_controlling);
	add(vfs, &tty->console, device_number(5, 1), tty, open_console);
	add(vfs, &tty->serial, device_number(4, 64), tty, open_console);
}

/* -- the checker -- */

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

void tty_check(const struct tty *tty)
{
	check(tty->tail - tty->head <= TTY_INPUT);
	check(tty->line - tty->head <= tty->tail - tty->head);
	check(is_canonical(tty) || tty->line == tty->tail);
	for (uint32_t position = tty->line; position != tty->tail; position++)
		check(!tty_ends(tty, position));
	check(tty->out_used == 0); /* outside of a call all of it is out */
}
