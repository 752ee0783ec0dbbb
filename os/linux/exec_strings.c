/* exec_strings.c: a new program's arguments and environment, on their way from
 * the old program's memory to the new one's. They stand in pages of the
 * module's, one after the other, with their NULs. */
#include "lib/posix/errno.h"
#include "os/linux/exec.h"
#include "os/linux/pages.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum {
	STRINGS_FIRST = PAGE_SIZE,
	STRINGS_MOST = 2 << 20,  /* a quarter of the stack, as on Linux */
	STRING_MOST = 128 << 10, /* one string, with its NUL */
};

void exec_strings_free(struct exec_strings *strings)
{
	if (strings->bytes != NULL)
		pages_free(strings->bytes, strings->room / PAGE_SIZE);
	*strings = (struct exec_strings){ 0 };
}

static int strings_grow(struct exec_strings *strings, size_t more)
{
	size_t room = strings->room != 0 ? strings->room : STRINGS_FIRST;
	char *bytes;

	while (room - strings->size < more)
		room *= 2;
	if (room == strings->room)
		return 0;
	if (room > STRINGS_MOST)
		return -E2BIG;
	bytes = pages_allocate(room / PAGE_SIZE, false);
	if (bytes == NULL)
		return -ENOMEM;
	memcpy(bytes, strings->bytes, strings->size);
	if (strings->bytes != NULL)
		pages_free(strings->bytes, strings->room / PAGE_SIZE);
	strings->bytes = bytes;
	strings->room = room;
	return 0;
}

int exec_strings_add(struct exec_strings *strings, const char *text, size_t length)
{
	int result = strings_grow(strings, length + 1);

	if (result != 0)
		return result;
	memcpy(strings->bytes + strings->size, text, length);
	strings->bytes[strings->size + length] = '\0';
	strings->size += length + 1;
	return 0;
}

/* Adds the program's string at `address`. */
static int strings_read(struct exec_strings *strings, uint64_t address)
{
	for (;;) {
		size_t room = strings->room - strings->size;
		int64_t length;
		int result;
		if (room > 0) {
			length = user_read_string(strings->bytes + strings->size, address, room, (int64_t)room);
			if (length < 0)
				return (int)length;
			if (length < (int64_t)room) {
				strings->size += (size_t)length + 1;
				return length < STRING_MOST ? 0 : -E2BIG;
			}
		}
		result = strings_grow(strings, room + 1);
		if (result != 0)
			return result;
	}
}

int exec_strings_read(struct exec_strings *strings, uint64_t array, uint32_t *count)
{
	for (*count = 0; array != 0; ++*count, array += 8) {
		uint64_t address;
		int result;
		if (user_read(&address, array, sizeof address) != 0)
			return -EFAULT;
		if (address == 0)
			break;
		if ((strings->arguments + strings->environment) * sizeof address > STRINGS_MOST - strings->size)
			return -E2BIG; /* their addresses count, too */
		result = strings_read(strings, address);
		if (result != 0)
			return result;
	}
	return 0;
}

int exec_strings_prepend(struct exec_strings *strings, const char *text, bool replace)
{
	size_t length = strlen(text) + 1;
	size_t drop = replace && strings->arguments > 0 ? strlen(strings->bytes) + 1 : 0;
	int result = strings_grow(strings, length);

	if (result != 0)
		return result;
	memmove(strings->bytes + length, strings->bytes + drop, strings->size - drop);
	memcpy(strings->bytes, text, length);
	strings->size += length - drop;
	strings->arguments += drop != 0 ? 0 : 1;
	return 0;
}

void exec_descriptor_path(char *to, uint32_t fd)
{
	static const char prefix[] = "/dev/fd/";
	char digits[10];
	size_t count = 0;

	memcpy(to, prefix, sizeof prefix - 1);
	to += sizeof prefix - 1;
	do
		digits[count++] = (char)('0' + fd % 10);
	while ((fd /= 10) != 0);
	while (count > 0)
		*to++ = digits[--count];
	*to = '\0';
}
