/* stream.h: reads a recording: messages of abi/trace.capnp, one after another,
 * each behind a table of its one segment. Nothing in the bytes is trusted. */
#pragma once

#include "abi/trace.capnp.h"

#include <stdbool.h>
#include <stddef.h>

struct stream {
	const uint8_t *bytes; /* 8-aligned */
	size_t size;
	size_t at;            /* where the next message begins */
	uint64_t count;       /* events read so far */
	char error[120];      /* "": none */
};

void stream_start(struct stream *s, const void *bytes, size_t size);

/* The next event. False: there is none, or the stream is broken: see s->error.
 * Events are numbered without gaps from the first one on. */
bool stream_next(struct stream *s, struct trace_event_reader *event);

/* The whole file, for free(); NULL with errno set. */
void *stream_load(const char *path, size_t *size);
