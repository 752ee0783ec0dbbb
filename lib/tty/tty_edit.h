/* tty_edit.h: between the two halves of the line discipline. */
#pragma once

#include "lib/tty/tty.h"

static inline uint8_t *tty_byte(struct tty *tty, uint32_t position)
{
	return &tty->input[position % TTY_INPUT];
}

/* Does the byte at `position` end a line? A NUL that does is an EOF character:
 * it hands the line over and is not part of it. */
static inline bool tty_ends(const struct tty *tty, uint32_t position)
{
	uint32_t index = position % TTY_INPUT;
	return (tty->ends[index / 8] >> (index % 8)) & 1;
}

/* Output with OPOST's processing. Gathered: tty_flush_output() sends it. */
void tty_put(struct tty *tty, uint8_t c);
void tty_flush_output(struct tty *tty);

void tty_flush_input(struct tty *tty);
