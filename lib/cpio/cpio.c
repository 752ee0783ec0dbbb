/* cpio.c: the reader of newc archives. See cpio.h.
 *
 * Every offset is compared by what is left, never by a sum that could wrap. */
#include "lib/cpio/cpio.h"

#include <stdbool.h>
#include <string.h>

enum {
	HEADER_SIZE = 110,
	MAGIC_SIZE = 6,
	FIELD_SIZE = 8,
	FIELDS = 13,
	ALIGNMENT = 4,
	NAME_SIZE_MAX = 4096, /* as PATH_MAX: with the NUL */
	COMPONENT_MAX = 255,
};

enum field {
	FIELD_INODE, FIELD_MODE, FIELD_UID, FIELD_GID, FIELD_LINKS, FIELD_MTIME, FIELD_SIZE_OF_FILE,
	FIELD_DEV_MAJOR, FIELD_DEV_MINOR, FIELD_RDEV_MAJOR, FIELD_RDEV_MINOR, FIELD_NAME_SIZE,
	FIELD_CHECK,
};

void cpio_start(struct cpio_reader *reader, const void *bytes, size_t size)
{
	*reader = (struct cpio_reader){ .bytes = bytes, .size = size };
}

static enum status bad(struct cpio_reader *reader, const char *error)
{
	reader->error = error;
	return STATUS_BAD_MESSAGE;
}

static size_t left(const struct cpio_reader *reader)
{
	return reader->size - reader->position;
}

static bool parse_hex(const uint8_t *digits, uint32_t *out)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < FIELD_SIZE; i++) {
		uint8_t c = digits[i];
		if (c >= '0' && c <= '9')
			c -= '0';
		else if (c >= 'a' && c <= 'f')
			c -= 'a' - 10;
		else if (c >= 'A' && c <= 'F')
			c -= 'A' - 10;
		else
			return false;
		value = value << 4 | c;
	}
	*out = value;
	return true;
}

/* Moves past `size` bytes and the padding to the next multiple of 4, which may
 * be missing at the very end. False: there are not so many. */
static bool advance(struct cpio_reader *reader, size_t size)
{
	if (size > left(reader))
		return false;
	reader->position += size;
	size_t padding = -reader->position % ALIGNMENT;
	reader->position += padding < left(reader) ? padding : left(reader);
	return true;
}

/* Strips slashes at both ends and "./" in front; checks every component. */
static const char *check_path(struct cpio_entry *entry)
{
	const char *path = entry->path;
	size_t length = entry->path_length;
	for (;;) {
		if (length > 0 && path[0] == '/')
			path++, length--;
		else if (length > 1 && path[0] == '.' && path[1] == '/')
			path++, length--;
		else
			break;
	}
	while (length > 0 && path[length - 1] == '/')
		length--;
	if (length == 1 && path[0] == '.')
		length = 0;
	for (size_t begin = 0, i = 0; i <= length && length > 0; i++) {
		if (i < length && path[i] != '/')
			continue;
		size_t size = i - begin;
		const char *component = path + begin;
		if (size == 0)
			return "empty path component";
		if (size > COMPONENT_MAX)
			return "path component too long";
		if (component[0] == '.' && (size == 1 || (size == 2 && component[1] == '.')))
			return "dot component in a path";
		begin = i + 1;
	}
	entry->path = path;
	entry->path_length = length;
	return NULL;
}

/* Reads header, name and content of the entry at `position`. */
static enum status read_entry(struct cpio_reader *reader, struct cpio_entry *out)
{
	const uint8_t *header = reader->bytes + reader->position;
	uint32_t field[FIELDS];
	if (left(reader) < HEADER_SIZE)
		return bad(reader, "header cut short");
	if (memcmp(header, "070701", MAGIC_SIZE) != 0 && memcmp(header, "070702", MAGIC_SIZE) != 0)
		return bad(reader, "no newc magic number");
	for (unsigned i = 0; i < FIELDS; i++)
		if (!parse_hex(header + MAGIC_SIZE + i * FIELD_SIZE, &field[i]))
			return bad(reader, "a header field is no hexadecimal number");
	uint32_t name_size = field[FIELD_NAME_SIZE];
	if (name_size == 0 || name_size > NAME_SIZE_MAX)
		return bad(reader, "name size out of range");
	if (name_size > left(reader) - HEADER_SIZE)
		return bad(reader, "name cut short");
	const char *name = (const char *)header + HEADER_SIZE;
	if (name[name_size - 1] != '\0' || strlen(name) != name_size - 1)
		return bad(reader, "name does not end with its NUL");
	*out = (struct cpio_entry){
		.archive = reader->archive, .inode = field[FIELD_INODE],
		.dev_major = field[FIELD_DEV_MAJOR], .dev_minor = field[FIELD_DEV_MINOR],
		.mode = field[FIELD_MODE], .uid = field[FIELD_UID], .gid = field[FIELD_GID],
		.links = field[FIELD_LINKS], .mtime = field[FIELD_MTIME],
		.rdev_major = field[FIELD_RDEV_MAJOR], .rdev_minor = field[FIELD_RDEV_MINOR],
		.path = name, .path_length = name_size - 1, .content_size = field[FIELD_SIZE_OF_FILE],
	};
	size_t start = reader->position;
	advance(reader, HEADER_SIZE + name_size);
	out->content = reader->bytes + reader->position;
	if (!advance(reader, out->content_size)) {
		reader->position = start;
		return bad(reader, "content cut short");
	}
	return STATUS_OK;
}

static bool is_trailer(const struct cpio_entry *entry)
{
	static const char trailer[] = "TRAILER!!!";
	return entry->path_length == sizeof(trailer) - 1 &&
	       memcmp(entry->path, trailer, sizeof(trailer) - 1) == 0;
}

static void skip_zeroes(struct cpio_reader *reader)
{
	while (left(reader) > 0 && reader->bytes[reader->position] == 0)
		reader->position++;
}

enum status cpio_next(struct cpio_reader *reader, struct cpio_entry *out)
{
	if (reader->error != NULL)
		return STATUS_BAD_MESSAGE;
	for (;;) {
		if (!reader->inside) {
			skip_zeroes(reader);
			if (left(reader) == 0)
				return STATUS_NOT_FOUND;
			if (reader->position % ALIGNMENT != 0)
				return bad(reader, "archive does not begin at a multiple of 4");
			reader->inside = true;
		}
		if (left(reader) == 0)
			return bad(reader, "no trailer");
		size_t start = reader->position;
		enum status status = read_entry(reader, out);
		if (status != STATUS_OK)
			return status;
		if (!is_trailer(out)) {
			const char *error = check_path(out);
			if (error == NULL)
				return STATUS_OK;
			reader->position = start;
			return bad(reader, error);
		}
		reader->inside = false;
		reader->archive++;
	}
}
