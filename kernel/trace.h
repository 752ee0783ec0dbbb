/* trace.h: tells the machine's owner what happens on the rings.
 *
 * On if the machine has a debug console at TRACE_PORT that reads back
 * TRACE_READBACK (`./tess trace` gives it one): each event is then one message
 * of abi/trace.capnp, written there before its cause goes on. What is off costs
 * one test of `trace_on` at each place below.
 *
 * Nothing here allocates or refuses, and a message has a largest size. There is
 * one buffer: call only under the kernel lock (exclusive). */
#pragma once

#include "kernel/object.h"

enum { TRACE_PORT = 0x4e9, TRACE_READBACK = 0x74 };

extern bool trace_on;

/* Before the first thread. */
void trace_init(void);

/* What is kept of an entry whose completion comes later. */
struct trace_mark {
	uint64_t number; /* 0: nothing was kept */
	uint64_t time;
	uint64_t interface;
	const struct object_type *type; /* NULL: none */
	uint32_t cap;
	uint16_t method;
	uint8_t op;
};

void trace_note_entry(const struct ring_sqe *sqe);
void trace_note_target(const struct object *target, const void *params, uint32_t size);
void trace_note_mark(struct trace_mark *mark);
void trace_write_served(const struct thread *t, unsigned kind, const struct ring_cqe *cqe,
                        const void *results);
void trace_write_later(const struct thread *t, unsigned kind, const struct trace_mark *mark,
                       const struct ring_cqe *cqe, const void *results);
void trace_write_enter(const struct thread *t, unsigned kind, uint64_t least,
                       uint64_t timeout);
void trace_write_woken(const struct thread *t, enum status status);
void trace_write_start(const struct thread *t);
void trace_write_end(const struct thread *t);

/* An entry was consumed; `sqe` is the exokernel's copy. What follows, up to
 * trace_served or trace_unanswered, is about it. */
static inline void trace_entry(const struct ring_sqe *sqe)
{
	if (trace_on)
		trace_note_entry(sqe);
}

/* Its target was found and its params were copied (`params` is that copy). */
static inline void trace_target(const struct object *target, const void *params,
                                uint32_t size)
{
	if (trace_on)
		trace_note_target(target, params, size);
}

/* Its completion is posted. `results`: cqe->results_size bytes that were written
 * to the caller, if the operation has results. */
static inline void trace_served(const struct thread *t, unsigned kind,
                                const struct ring_cqe *cqe, const void *results)
{
	if (trace_on)
		trace_write_served(t, kind, cqe, results);
}

/* It was served, and there is no completion: not now, or never. */
static inline void trace_unanswered(const struct thread *t, unsigned kind)
{
	if (trace_on)
		trace_write_served(t, kind, NULL, NULL);
}

/* Whatever will answer it later keeps this. */
static inline void trace_mark(struct trace_mark *mark)
{
	if (trace_on)
		trace_note_mark(mark);
}

/* The completion of a marked entry is posted, by anybody. A mark with number 0
 * is of no entry: a completion that somebody queued. */
static inline void trace_later(const struct thread *t, unsigned kind,
                               const struct trace_mark *mark, const struct ring_cqe *cqe,
                               const void *results)
{
	if (trace_on)
		trace_write_later(t, kind, mark, cqe, results);
}

/* cap_enter begins, on a thread that has the ring. */
static inline void trace_enter(const struct thread *t, unsigned kind, uint64_t least,
                               uint64_t timeout)
{
	if (trace_on)
		trace_write_enter(t, kind, least, timeout);
}

/* A wait ends with `status`. */
static inline void trace_woken(const struct thread *t, enum status status)
{
	if (trace_on && status != STATUS_OK)
		trace_write_woken(t, status);
}

/* A thread begins, its registers set; also after Libos.become. */
static inline void trace_start(const struct thread *t)
{
	if (trace_on)
		trace_write_start(t);
}

/* A thread has ended, and still belongs to its process. */
static inline void trace_end(const struct thread *t)
{
	if (trace_on)
		trace_write_end(t);
}
