/* dirent.c: see dirent.h. */
#include "lib/vfs/dirent.h"

#include "lib/posix/errno.h"
#include "lib/posix/fcntl.h"

#include <string.h>

int dirent_put(struct dirent_writer *writer, struct name name, uint64_t number, uint32_t mode,
               uint64_t next)
{
	union {
		struct linux_dirent64 head;
		uint8_t bytes[(DIRENT_NAME_OFFSET + NAME_MAX + 1 + 7) & ~7];
	} record;
	size_t length = (DIRENT_NAME_OFFSET + name.length + 1 + 7) & ~(size_t)7;
	if (writer->size - writer->used < length)
		return -EINVAL;
	memset(record.bytes + length - 8, 0, 8);
	record.head.d_ino = number;
	record.head.d_off = (int64_t)next;
	record.head.d_reclen = (uint16_t)length;
	record.head.d_type = (uint8_t)((mode & S_IFMT) >> DIRENT_TYPE_SHIFT);
	memcpy(record.bytes + DIRENT_NAME_OFFSET, name.bytes, name.length);
	record.bytes[DIRENT_NAME_OFFSET + name.length] = '\0';
	int result = env_copy(writer->buffer + writer->used, &record, length);
	if (result == 0)
		writer->used += length;
	return result;
}
