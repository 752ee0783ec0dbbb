/* recording.c: see recording.h. */
#include "tools/trace/recording.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool refuse(struct recording *r,
                                                         const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(r->error, sizeof r->error, format, arguments);
	va_end(arguments);
	return false;
}

static bool append(struct recording *r, struct trace_event_reader event)
{
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		void *more = realloc(r->events, room * sizeof *r->events);

		if (!more)
			return refuse(r, "out of memory");
		r->events = more;
		r->room = room;
	}
	r->events[r->count++] = event;
	return true;
}

/* Does the event begin a native process of that PID? */
static bool begins(struct recording *r, struct trace_event_reader event)
{
	struct capnp_data capset;

	if (trace_event_which(event) != TRACE_EVENT_IS_START ||
	    trace_event_get_pid(event) != r->pid || trace_event_get_thread(event) != 1 ||
	    trace_event_get_start(event, &r->start) ||
	    trace_event_start_get_capset(r->start, &capset) ||
	    trace_event_start_get_image(r->start, &r->image) ||
	    capset.size < offsetof(struct capset, entries) || capset.size > sizeof r->capset)
		return false;
	memset(&r->capset, 0, sizeof r->capset);
	memcpy(&r->capset, capset.bytes, capset.size);
	return true;
}

/* Processes of one PID at a time share a libOS's id only if they are the same. */
static bool same_process(struct trace_event_reader a, struct trace_event_reader b)
{
	struct capnp_text x, y;

	return trace_event_get_pid(a) == trace_event_get_pid(b) &&
	       !trace_event_get_libos(a, &x) && !trace_event_get_libos(b, &y) &&
	       x.length == y.length && memcmp(x.bytes, y.bytes, x.length) == 0;
}

static bool collect(struct recording *r, struct stream *s, struct trace_event_reader first)
{
	struct trace_event_reader event;
	bool ended = false;

	while (stream_next(s, &event)) {
		if (ended)
			continue; /* but the rest must be well-formed */
		if (trace_event_get_pid(event) == r->pid &&
		    trace_event_which(event) == TRACE_EVENT_IS_START &&
		    trace_event_get_thread(event) == 1) {
			ended = true; /* it has become something else */
			continue;
		}
		if (!same_process(event, first))
			continue;
		if (trace_event_get_thread(event) != 1)
			return refuse(r, "process %u has several threads: only a program of one "
			              "thread can be replayed", r->pid);
		if (!append(r, event))
			return false;
		ended = trace_event_which(event) == TRACE_EVENT_IS_END;
	}
	return true;
}

bool recording_find(struct recording *r, const void *bytes, size_t size, uint32_t pid)
{
	struct trace_event_reader event;
	struct stream s;
	bool found = false;

	*r = (struct recording){ .pid = pid };
	stream_start(&s, bytes, size);
	while (!found && stream_next(&s, &event))
		found = begins(r, event);
	if (found && !collect(r, &s, event))
		return false;
	if (s.error[0])
		return refuse(r, "%s", s.error);
	return found || refuse(r, "no native program with PID %u begins in it", pid);
}

void recording_free(struct recording *r)
{
	free(r->events);
	r->events = NULL;
}
