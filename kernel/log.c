/* log.c: see log.h. A line is put together on the caller's stack and handed
 * over under the lock, so lines of different CPUs never mix. */
#include "kernel/log.h"

#include "kernel/arch/x86_64/uart.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/string.h"

enum { DEBUG_PORT = 0xe9 };

static bool lock;

/* Under the lock. */
static char ring[LOG_RING_SIZE];
static uint64_t ring_end; /* bytes ever written */

static bool panicking;

/* --- formatting -------------------------------------------------------- */

struct out {
	char *buffer;
	size_t size, used; /* one byte of size stays free for the terminator */
};

static void put(struct out *o, char c)
{
	if (o->used + 1 < o->size)
		o->buffer[o->used++] = c;
}

static void put_safely(struct out *o, char c)
{
	unsigned char byte = (unsigned char)c;

	if (byte >= 0x20 && byte < 0x7f) {
		put(o, c);
		return;
	}
	put(o, '\\');
	put(o, 'x');
	put(o, "0123456789abcdef"[byte >> 4]);
	put(o, "0123456789abcdef"[byte & 15]);
}

static void put_string(struct out *o, const char *s, unsigned width)
{
	unsigned length = 0;

	for (s = s ? s : "(null)"; *s != '\0'; s++, length++)
		put_safely(o, *s);
	for (; length < width; length++)
		put(o, ' ');
}

static void put_number(struct out *o, uint64_t v, unsigned base, unsigned width,
                       char fill, bool negative)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	if (negative && fill == '0')
		put(o, '-');
	for (; width > n + negative; width--)
		put(o, fill);
	if (negative && fill != '0')
		put(o, '-');
	while (n > 0)
		put(o, digits[--n]);
}

/* va_list in a struct, to pass it by reference in C17 without surprises. */
struct arguments {
	va_list list;
};

static uint64_t next_unsigned(struct arguments *a, bool is_long)
{
	return is_long ? va_arg(a->list, unsigned long) : va_arg(a->list, unsigned);
}

/* One conversion, `f` past its '%'; returns what follows it. */
static const char *convert(struct out *o, const char *f, struct arguments *a)
{
	char fill = ' ';
	unsigned width = 0;
	bool is_long = false;
	int64_t v;

	for (; *f == '0'; f++)
		fill = '0';
	for (; *f >= '0' && *f <= '9'; f++)
		width = width * 10 + (unsigned)(*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		is_long = true;
	switch (*f) {
	case 's':
		put_string(o, va_arg(a->list, const char *), width);
		break;
	case 'c':
		put_safely(o, (char)va_arg(a->list, int));
		break;
	case 'd':
		v = is_long ? va_arg(a->list, long) : va_arg(a->list, int);
		put_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, width, fill,
		           v < 0);
		break;
	case 'u':
		put_number(o, next_unsigned(a, is_long), 10, width, fill, false);
		break;
	case 'x':
		put_number(o, next_unsigned(a, is_long), 16, width, fill, false);
		break;
	case 'p':
		put(o, '0');
		put(o, 'x');
		put_number(o, (uint64_t)va_arg(a->list, void *), 16, 16, '0', false);
		break;
	case '\0':
		return f;
	default:
		put(o, *f);
	}
	return f + 1;
}

size_t log_format_va(char *buffer, size_t size, const char *format, va_list args)
{
	struct out o = {buffer, size, 0};
	struct arguments a;

	if (size == 0)
		return 0;
	va_copy(a.list, args);
	while (*format != '\0') {
		if (*format == '%')
			format = convert(&o, format + 1, &a);
		else
			put(&o, *format++);
	}
	va_end(a.list);
	buffer[o.used] = '\0';
	return o.used;
}

size_t log_format(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = log_format_va(buffer, size, format, args);
	va_end(args);
	return n;
}

/* --- the sinks --------------------------------------------------------- */

static void ring_write(const char *line, size_t size)
{
	for (size_t done = 0; done < size;) {
		size_t at = ring_end % LOG_RING_SIZE;
		size_t part = LOG_RING_SIZE - at;

		if (part > size - done)
			part = size - done;
		memcpy(ring + at, line + done, part);
		ring_end += part;
		done += part;
	}
}

/* With interrupts off, or an interrupt's line would wait for ours for ever. */
static uint64_t log_lock(void)
{
	uint64_t flags = read_rflags();

	cli();
	while (__atomic_exchange_n(&lock, true, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&panicking, __ATOMIC_RELAXED))
		pause();
	return flags;
}

static void log_unlock(uint64_t flags)
{
	__atomic_store_n(&lock, false, __ATOMIC_RELEASE);
	if (flags & RFLAGS_IF)
		sti();
}

void log_panic_mode(void)
{
	__atomic_store_n(&panicking, true, __ATOMIC_RELAXED);
}

void log_line_va(const char *format, va_list args)
{
	static const char prefix[] = "tessera: ";
	char line[LOG_LINE_MAX];
	size_t n = sizeof(prefix) - 1;
	uint64_t flags;

	memcpy(line, prefix, n);
	n += log_format_va(line + n, sizeof(line) - n, format, args);
	line[n++] = '\n'; /* over the terminator */

	flags = log_lock();
	ring_write(line, n);
	if (inb(DEBUG_PORT) == DEBUG_PORT)
		outsb(DEBUG_PORT, line, n);
	else if (__atomic_load_n(&panicking, __ATOMIC_RELAXED))
		uart_write(line, n);
	log_unlock(flags);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line_va(format, args);
	va_end(args);
}

size_t log_read(char *buffer, size_t size)
{
	uint64_t flags = log_lock();
	uint64_t held = ring_end < LOG_RING_SIZE ? ring_end : LOG_RING_SIZE;
	uint64_t from;

	if (size > held)
		size = held;
	from = ring_end - size;
	for (size_t i = 0; i < size; i++)
		buffer[i] = ring[(from + i) % LOG_RING_SIZE];
	log_unlock(flags);
	return size;
}
