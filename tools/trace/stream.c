/* stream.c: see stream.h. */
#include "tools/trace/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 64 * 1024 }; /* more than the exokernel ever writes */

struct frame {
	uint32_t segments_less_one, words;
};

void stream_start(struct stream *s, const void *bytes, size_t size)
{
	*s = (struct stream){ .bytes = bytes, .size = size };
}

static bool broken(struct stream *s, const char *what)
{
	snprintf(s->error, sizeof s->error, "event %llu, byte %zu: %s",
	         (unsigned long long)s->count, s->at, what);
	return false;
}

bool stream_next(struct stream *s, struct trace_event_reader *event)
{
	size_t left = s->size - s->at;
	struct frame frame;
	size_t size;

	if (s->error[0] || left == 0)
		return false;
	if (left < sizeof frame)
		return broken(s, "the recording is cut short");
	memcpy(&frame, s->bytes + s->at, sizeof frame);
	size = (size_t)frame.words * CAPNP_WORD;
	if (frame.segments_less_one || size == 0 || size > MESSAGE_MAX)
		return broken(s, "this is no recording, or it is damaged");
	if (size > left - sizeof frame)
		return broken(s, "the recording is cut short");
	if (trace_event_read(s->bytes + s->at + sizeof frame, size, event))
		return broken(s, "not a well-formed Cap'n Proto message");
	if (trace_event_get_sequence(*event) != s->count)
		return broken(s, "an event is missing before this one");
	s->at += sizeof frame + size;
	s->count++;
	return true;
}

static void *read_all(FILE *in, size_t *size)
{
	size_t room = 1 << 16;
	char *bytes = malloc(room);

	*size = 0;
	while (bytes) {
		size_t got = fread(bytes + *size, 1, room - *size, in);
		char *more;

		*size += got;
		if (got == 0)
			break;
		if (*size < room)
			continue;
		more = realloc(bytes, room *= 2);
		if (!more)
			free(bytes);
		bytes = more;
	}
	if (bytes && ferror(in)) {
		free(bytes);
		bytes = NULL;
	}
	return bytes;
}

void *stream_load(const char *path, size_t *size)
{
	FILE *in = fopen(path, "rb");
	void *bytes;
	int error;

	if (!in)
		return NULL;
	bytes = read_all(in, size);
	error = errno;
	fclose(in);
	errno = error;
	return bytes;
}
