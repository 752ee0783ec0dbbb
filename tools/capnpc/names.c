/* names.c: the translation from Cap'n Proto's camelCase to house names. */
#include "tools/capnpc/names.h"

#include "tools/capnpc/fail.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *names_format(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *out = length < 0 ? NULL : malloc((size_t)length + 1);
	if (out == NULL)
		fail("out of memory");
	va_start(arguments, format);
	vsnprintf(out, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return out;
}

/* Does a new word start at name[i], i > 0? */
static int starts_word(const char *name, size_t i)
{
	if (!isupper((unsigned char)name[i]) || !isalnum((unsigned char)name[i - 1]))
		return 0;
	return !isupper((unsigned char)name[i - 1]) || islower((unsigned char)name[i + 1]);
}

char *names_snake(const char *name)
{
	char *out = names_format("%s%s", name, name), *to = out;
	for (size_t i = 0; name[i] != '\0'; i++) {
		if (i > 0 && starts_word(name, i))
			*to++ = '_';
		int letter = tolower((unsigned char)name[i]);
		*to++ = isalnum(letter) ? (char)letter : '_';
	}
	*to = '\0';
	return out;
}

char *names_prefix(const char *display_name)
{
	const char *colon = strrchr(display_name, ':');
	return names_snake(colon != NULL ? colon + 1 : display_name);
}

char *names_file(const char *display_name)
{
	const char *colon = strrchr(display_name, ':');
	size_t length = colon != NULL ? (size_t)(colon - display_name) : strlen(display_name);
	return names_format("%.*s", (int)length, display_name);
}

char *names_upper(const char *name)
{
	char *out = names_format("%s", name);
	for (char *c = out; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	return out;
}
