/* tty_edit.c: what is typed: echo, editing, signals. See tty.h.
 * Source: termios(3); Linux drivers/tty/n_tty.c for how erasing looks. */
#include "lib/tty/tty_edit.h"

enum { TAB = 8, BELL = 7, BACKSPACE = 8, DELETE = 127, CARET_BIT = 0100 };

/* -- output -- */

void tty_flush_output(struct tty *tty)
{
	if (tty->out_used > 0)
		tty->ops->write(tty->context, tty->out, tty->out_used);
	tty->out_used = 0;
}

static void put_raw(struct tty *tty, uint8_t c)
{
	if (tty->out_used == TTY_OUTPUT)
		tty_flush_output(tty);
	tty->out[tty->out_used++] = c;
}

static uint32_t column_after(uint32_t column, uint8_t c)
{
	if (c == '\r' || c == '\n')
		return 0;
	if (c == '\t')
		return (column / TAB + 1) * TAB;
	if (c == BACKSPACE)
		return column > 0 ? column - 1 : 0;
	bool continues = (c & 0xc0) == 0x80; /* inside a UTF-8 character */
	return c < ' ' || c == DELETE || continues ? column : column + 1;
}

void tty_put(struct tty *tty, uint8_t c)
{
	uint32_t flags = tty->termios.c_oflag;
	if (flags & OPOST) {
		if (c == '\r' && (flags & ONOCR) && tty->column == 0)
			return;
		if (c == '\r' && (flags & OCRNL))
			c = '\n';
		else if (c == '\n' && (flags & ONLCR))
			put_raw(tty, '\r');
	}
	put_raw(tty, c);
	tty->column = column_after(tty->column, c);
}

/* -- echo -- */

static bool has(const struct tty *tty, uint32_t flag)
{
	return (tty->termios.c_lflag & flag) != 0;
}

static bool is_control(uint8_t c)
{
	return c < ' ' || c == DELETE;
}

/* Does echo show this as ^X? */
static bool shown_as_caret(const struct tty *tty, uint8_t c)
{
	return is_control(c) && c != '\t' && c != '\n' && has(tty, ECHOCTL);
}

static void show(struct tty *tty, uint8_t c)
{
	if (shown_as_caret(tty, c)) {
		tty_put(tty, '^');
		tty_put(tty, c ^ CARET_BIT);
	} else {
		tty_put(tty, c);
	}
}

static void echo(struct tty *tty, uint8_t c)
{
	if (has(tty, ECHO))
		show(tty, c);
	else if (c == '\n' && has(tty, ECHONL) && has(tty, ICANON))
		tty_put(tty, c);
}

/* -- the line being edited -- */

static void set_end(struct tty *tty, uint32_t position, bool end)
{
	uint32_t index = position % TTY_INPUT;
	uint8_t bit = (uint8_t)(1u << (index % 8));
	if (end)
		tty->ends[index / 8] |= bit;
	else
		tty->ends[index / 8] &= (uint8_t)~bit;
}

/* False, with a bell, if there is no room. One place is kept for a line's end. */
static bool append(struct tty *tty, uint8_t c, bool end)
{
	uint32_t used = tty->tail - tty->head;
	if (used >= (end ? (uint32_t)TTY_INPUT : (uint32_t)TTY_LINE_MAX)) {
		if (tty->termios.c_iflag & IMAXBEL)
			tty_put(tty, BELL);
		return false;
	}
	if (tty->tail == tty->line)
		tty->line_column = tty->column;
	*tty_byte(tty, tty->tail) = c;
	set_end(tty, tty->tail, end);
	tty->tail++;
	return true;
}

static void hand_over(struct tty *tty)
{
	tty->line = tty->tail;
	env_wake(&tty->readable);
}

/* The cursor's column after the edited line up to `end`. */
static uint32_t column_at(struct tty *tty, uint32_t end)
{
	uint32_t column = tty->line_column;
	for (uint32_t position = tty->line; position != end; position++) {
		uint8_t c = *tty_byte(tty, position);
		column = shown_as_caret(tty, c) ? column + 2 : column_after(column, c);
	}
	return column;
}

static bool inside_character(const struct tty *tty, uint8_t c)
{
	return (tty->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* The space and the way back leave the column as it is. */
static void rub_out(struct tty *tty)
{
	tty_put(tty, BACKSPACE);
	put_raw(tty, ' ');
	put_raw(tty, BACKSPACE);
}

/* Takes the last character off the line, and off the screen if `visibly`. */
static void erase_character(struct tty *tty, bool visibly)
{
	do
		tty->tail--;
	while (tty->tail != tty->line && inside_character(tty, *tty_byte(tty, tty->tail)));
	if (!visibly)
		return;
	uint8_t c = *tty_byte(tty, tty->tail);
	if (c == '\t') {
		uint32_t column = column_at(tty, tty->tail);
		for (uint32_t i = column; i < column_after(column, c); i++)
			tty_put(tty, BACKSPACE);
	} else {
		for (unsigned i = 0; i < (shown_as_caret(tty, c) ? 2u : 1u); i++)
			rub_out(tty);
	}
}

static void erase(struct tty *tty, uint8_t c)
{
	bool visibly = has(tty, ECHO) && has(tty, ECHOE);
	if (tty->tail == tty->line)
		return;
	erase_character(tty, visibly);
	if (!visibly)
		echo(tty, c);
}

static bool in_word(uint8_t c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static void erase_word(struct tty *tty, uint8_t c)
{
	bool visibly = has(tty, ECHO) && has(tty, ECHOE), word_seen = false;
	if (tty->tail == tty->line)
		return;
	while (tty->tail != tty->line) {
		bool word = in_word(*tty_byte(tty, tty->tail - 1));
		if (word_seen && !word)
			break;
		word_seen |= word;
		erase_character(tty, visibly);
	}
	if (!visibly)
		echo(tty, c);
}

static void kill_line(struct tty *tty, uint8_t c)
{
	bool visibly = has(tty, ECHO) && has(tty, ECHOK) && has(tty, ECHOKE) && has(tty, ECHOE);
	while (tty->tail != tty->line)
		erase_character(tty, visibly);
	if (visibly)
		return;
	echo(tty, c);
	if (has(tty, ECHOK))
		echo(tty, '\n');
}

static void reprint(struct tty *tty, uint8_t c)
{
	echo(tty, c);
	echo(tty, '\n');
	tty->line_column = tty->column;
	for (uint32_t position = tty->line; position != tty->tail; position++)
		echo(tty, *tty_byte(tty, position));
}

void tty_flush_input(struct tty *tty)
{
	tty->head = tty->line = tty->tail = 0;
	tty->literal = false;
}

/* -- one byte typed -- */

/* Is `c` the special character at `index`? NUL there means that there is none. */
static bool special(const struct tty *tty, unsigned index, uint8_t c)
{
	return c != '\0' && tty->termios.c_cc[index] == c;
}

static int signal_for(const struct tty *tty, uint8_t c)
{
	if (special(tty, VINTR, c))
		return SIGINT;
	if (special(tty, VQUIT, c))
		return SIGQUIT;
	return special(tty, VSUSP, c) ? SIGTSTP : 0;
}

static bool input_signal(struct tty *tty, uint8_t c)
{
	int signal = has(tty, ISIG) ? signal_for(tty, c) : 0;
	if (signal == 0)
		return false;
	if (!has(tty, NOFLSH))
		tty_flush_input(tty);
	echo(tty, c);
	if (tty->foreground != 0)
		tty->ops->signal(tty->context, tty->foreground, signal);
	return true;
}

/* The characters that edit a line. */
static bool input_editing(struct tty *tty, uint8_t c)
{
	bool extended = has(tty, IEXTEN);
	if (special(tty, VERASE, c))
		erase(tty, c);
	else if (special(tty, VKILL, c))
		kill_line(tty, c);
	else if (extended && special(tty, VWERASE, c))
		erase_word(tty, c);
	else if (extended && special(tty, VREPRINT, c) && has(tty, ECHO))
		reprint(tty, c);
	else if (extended && special(tty, VLNEXT, c))
		tty->literal = true;
	else
		return false;
	return true;
}

static void input_canonical(struct tty *tty, uint8_t c)
{
	bool ends = c == '\n' || special(tty, VEOL, c) || (has(tty, IEXTEN) && special(tty, VEOL2, c));
	if (special(tty, VEOF, c)) {
		if (append(tty, '\0', true))
			hand_over(tty);
	} else if (append(tty, c, ends)) {
		echo(tty, c);
		if (ends)
			hand_over(tty);
	}
}

static void input_raw(struct tty *tty, uint8_t c)
{
	if (append(tty, c, false)) {
		echo(tty, c);
		hand_over(tty);
	}
}

static bool is_canonical(const struct tty *tty)
{
	return has(tty, ICANON);
}

/* False: c_iflag says that it is to be dropped. */
static bool translate(const struct tty *tty, uint8_t *c)
{
	uint32_t flags = tty->termios.c_iflag;
	if (flags & ISTRIP)
		*c &= 0x7f;
	if (*c == '\r') {
		if (flags & IGNCR)
			return false;
		if (flags & ICRNL)
			*c = '\n';
	} else if (*c == '\n' && (flags & INLCR)) {
		*c = '\r';
	}
	/* Output never stops here, so there is nothing to stop or start. */
	return !((flags & IXON) && (special(tty, VSTART, *c) || special(tty, VSTOP, *c)));
}

static void input_byte(struct tty *tty, uint8_t c)
{
	if (tty->literal) {
		tty->literal = false;
		if (append(tty, c, false))
			echo(tty, c);
		return;
	}
	if (!translate(tty, &c) || input_signal(tty, c))
		return;
	if (!is_canonical(tty))
		input_raw(tty, c);
	else if (!input_editing(tty, c))
		input_canonical(tty, c);
}

void tty_input(struct tty *tty, const void *bytes, size_t size)
{
	tty->last_input = env_monotonic();
	for (size_t i = 0; i < size; i++)
		input_byte(tty, ((const uint8_t *)bytes)[i]);
	tty_flush_output(tty);
}
