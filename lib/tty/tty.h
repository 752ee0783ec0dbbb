/* tty.h: a terminal's line discipline, between a console and its readers.
 *
 * Bytes typed come in by tty_input; what programs write, and the echo, goes
 * out by ops->write in bulk. In canonical mode input is edited in a line and
 * handed over when it is whole; otherwise by VMIN and VTIME. With ISIG the
 * INTR, QUIT and SUSP characters signal the foreground process group.
 *
 * tty_edit.c is the half that takes input in and edits the line, tty.c the half
 * that programs see. */
#pragma once

#include "lib/posix/termios.h"
#include "lib/vfs/vfs.h"

enum { TTY_INPUT = 4096, TTY_LINE_MAX = 4095, TTY_OUTPUT = 1024 };

struct tty_ops {
	/* Puts bytes (the core's memory) on the screen; all of them. */
	void (*write)(void *context, const void *bytes, size_t size);
	/* Signals a process group. False: every process in it ignores or blocks it. */
	bool (*signal)(void *context, int32_t group, int signal);
	/* Who calls: session and process group of the current process. NULL: no job
	 * control, everybody is in the foreground. */
	void (*caller)(void *context, int32_t *session, int32_t *group);
};

struct tty;

/* Makes it a plain line: bytes pass as they are, both ways, without echo or
 * signals; VEOF still ends the input. Before it is used. */
void tty_set_plain(struct tty *tty);

struct tty {
	const struct tty_ops *ops;
	void *context;
	struct ktermios termios;
	struct winsize size;
	int32_t session;          /* 0: nobody's controlling terminal */
	int32_t foreground;       /* process group; 0: none */
	struct wait_event readable;
	struct vfs_device console, terminal, serial; /* 5:1, 5:0, 4:64 */

	/* Input ring: [head, line) may be read, [line, tail) is being edited. In
	 * canonical mode `ends` has a bit for each byte that ends a line. */
	uint32_t head, line, tail;
	uint8_t input[TTY_INPUT];
	uint8_t ends[TTY_INPUT / 8];
	bool literal;             /* LNEXT was typed */
	bool hung_up;
	uint64_t last_input;      /* env_monotonic() when the last byte came: VTIME */
	uint32_t column;          /* of the cursor, for erasing tabs */
	uint32_t line_column;     /* where the edited line begins */
	uint32_t out_used;
	uint8_t out[TTY_OUTPUT];
};

/* Sane settings; OPOST on, ONLCR off (the host's terminal adds the CR), 24x80. */
void tty_init(struct tty *tty, const struct tty_ops *ops, void *context);

/* Makes it what /dev/console, /dev/tty and /dev/ttyS0 open. */
void tty_register(struct tty *tty, struct vfs *vfs);

/* Bytes from the keyboard. Those that find no room are dropped, with a bell. */
void tty_input(struct tty *tty, const void *bytes, size_t size);

/* The line hung up or ended: readers get what is there, then end of file. */
void tty_hangup(struct tty *tty);

/* The session leader `session` goes, or takes it (TIOCSCTTY does that too). */
void tty_set_session(struct tty *tty, int32_t session, int32_t foreground);

/* The whole-structure checker: traps at the first broken invariant. */
void tty_check(const struct tty *tty);
