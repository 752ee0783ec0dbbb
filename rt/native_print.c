/* native_print.c: a printf for diagnostics, unbuffered beyond one call. */
#include "rt/native.h"

#include <stdarg.h>

struct line {
	struct native *self;
	size_t used;
	char bytes[256];
};

static void put(struct line *line, char c)
{
	if (line->used == sizeof line->bytes) {
		native_write(line->self, line->bytes, line->used);
		line->used = 0;
	}
	line->bytes[line->used++] = c;
}

static void put_string(struct line *line, const char *string)
{
	while (*string != '\0')
		put(line, *string++);
}

static void put_number(struct line *line, uint64_t number, unsigned base)
{
	if (number >= base)
		put_number(line, number / base, base);
	put(line, "0123456789abcdef"[number % base]);
}

static void put_signed(struct line *line, int32_t number)
{
	if (number < 0)
		put(line, '-');
	put_number(line, number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
}

void native_print(struct native *self, const char *format, ...)
{
	struct line line = { .self = self };
	va_list arguments;
	va_start(arguments, format);
	for (; *format != '\0'; format++) {
		if (*format != '%') {
			put(&line, *format);
			continue;
		}
		bool wide = *++format == 'l';
		if (wide)
			format++;
		switch (*format) {
		case 's':
			put_string(&line, va_arg(arguments, const char *));
			break;
		case 'c':
			put(&line, (char)va_arg(arguments, int));
			break;
		case 'd':
			put_signed(&line, va_arg(arguments, int32_t));
			break;
		case 'u':
		case 'x':
			put_number(&line, wide ? va_arg(arguments, uint64_t) : va_arg(arguments, uint32_t),
			           *format == 'u' ? 10 : 16);
			break;
		default:
			put(&line, *format);
		}
	}
	va_end(arguments);
	native_write(self, line.bytes, line.used);
}

const char *native_status(enum status status)
{
	static const char *const names[] = {
		[STATUS_OK] = "ok",
		[STATUS_INVALID] = "invalid argument",
		[STATUS_NO_CAP] = "no such capability",
		[STATUS_NO_METHOD] = "no such method",
		[STATUS_NO_MEMORY] = "out of memory",
		[STATUS_NO_SLOT] = "no free slot",
		[STATUS_EXISTS] = "exists already",
		[STATUS_NOT_FOUND] = "not found",
		[STATUS_DENIED] = "denied",
		[STATUS_BUSY] = "busy",
		[STATUS_TIMEOUT] = "timed out",
		[STATUS_FAULT] = "bad buffer",
		[STATUS_TOO_SMALL] = "does not fit",
		[STATUS_GONE] = "gone",
		[STATUS_BAD_MESSAGE] = "malformed",
		[STATUS_INTERRUPTED] = "interrupted",
		[STATUS_AGAIN] = "changed meanwhile",
		[STATUS_CANCELLED] = "cancelled",
		[STATUS_BUDGET] = "out of CPU time",
	};
	_Static_assert(sizeof names / sizeof names[0] == STATUS_COUNT, "one name each");
	return (unsigned)status < STATUS_COUNT ? names[status] : "unknown status";
}
