/* panic.h: we are wrong. Never for what a program, a module or a device did.
 *
 * Says what and where, with a symbolised backtrace, stops the other CPUs and
 * powers off with status 255. */
#pragma once

#include <stdint.h>

enum { PANIC_STATUS = 255 };

_Noreturn void panic(const char *format, ...)
	__attribute__((format(printf, 1, 2), cold));

/* For a fault in the kernel: the backtrace starts at `rip`, whose frame
 * pointer is `rbp`. Neither is trusted. */
_Noreturn void panic_at(uint64_t rip, uint64_t rbp, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

/* The VECTOR_HALT handler's body: this CPU stops for good. */
_Noreturn void panic_halt(void);

/* For KASSERT: one constant, so that a call is short. */
_Noreturn void panic_false(const char *what) __attribute__((cold));

#define PANIC_STRING(x) #x
#define PANIC_AT(line) __FILE_NAME__ ":" PANIC_STRING(line) ": "
#define KASSERT(x) \
	do { \
		if (__builtin_expect(!(x), 0)) \
			panic_false(PANIC_AT(__LINE__) #x); \
	} while (0)
