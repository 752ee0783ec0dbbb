/* log.h: what the kernel has to say to whoever debugs it.
 *
 * Lines go to QEMU's debug console (port 0xe9), where there is one, and to a
 * ring in memory. COM1 is the guest's console and is never written here. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

enum { LOG_RING_SIZE = 16384, LOG_LINE_MAX = 240 };

/* Writes one line, "tessera: " first and a newline last; longer lines are cut.
 * Any CPU, any time. Knows %s %c %d %u %x %p %%, with l (or ll, z), a width
 * and a leading 0. Control characters and bytes past ASCII come out as \xNN. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_line_va(const char *format, va_list args)
	__attribute__((format(printf, 1, 0)));

/* Formats into `buffer`, always terminated; returns the length without the
 * terminator. The same conversions as log_line. */
size_t log_format(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t log_format_va(char *buffer, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Copies the newest lines, oldest first, at most `size` bytes, unterminated. */
size_t log_read(char *buffer, size_t size);

/* For panic: from now on do not wait for the lock (its holder may be stopped),
 * and use COM1 where there is no debug console. */
void log_panic_mode(void);
