/* assert.h: what the module believes of itself. A broken belief turns
 * the machine off, with a line on the console. */
#pragma once

#include <stdint.h>

/* `address` is the instruction or datum that the message is about. */
_Noreturn void fatal(const char *what, uint64_t address);
_Noreturn void assert_failed(const char *what, const char *file, int line);

#define assert(condition) \
	((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
