/* recording.h: the part of a recording that is one native process: its start
 * and what its one thread did, in order. */
#pragma once

#include "abi/capset.h"
#include "tools/trace/stream.h"

struct recording {
	uint32_t pid;
	struct trace_event_start_reader start;
	struct trace_event_image_reader image;
	struct capset capset;
	struct trace_event_reader *events; /* after the start; for recording_free */
	size_t count, room;
	char error[160];
};

/* The first native process of that PID. False: there is none that can be
 * replayed, or the recording is damaged: see r->error. The bytes must stay. */
bool recording_find(struct recording *r, const void *bytes, size_t size, uint32_t pid);
void recording_free(struct recording *r);
