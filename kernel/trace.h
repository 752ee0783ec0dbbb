/* trace.h: tells the machine's owner what happens on the rings.
 *
 * On if the machine has a debug console at TRACE_PORT that reads back
 * TRACE_READBACK (`./tess trace` gives it one): each event is then one message
 * of abi/trace.capnp, written there before its cause goes on. What is off costs
 * one test of `trace_on` at each place below.
 *
 * Nothing here allocates or refuses, and a message has a largest size. There is
 * one buffer: call exclusively only (lock.h). Fast paths that are not exclusive
 * are not taken while trace_on. */
#pragma once

#include "kernel/object.h"

enum { TRACE_PORT = 0x4e9, TRACE_READBACK = 0x74 };

extern bool trace_on;

/* Before the first thread. */
void trace_init(void);

void trace_note_entry(const struct thread *t, unsigned ring, uint32_t sq,
                      const struct ring_sqe *sqe);
void trace_note_params(const void *params, uint32_t size);
void trace_write_unanswered(const struct thread *t);
void trace_write_answered(const struct thread *t, unsigned ring, uint32_t sq,
                          const struct ring_cqe *cqe);
void trace_write_posted(const struct thread *t, unsigned ring, const struct ring_cqe *cqe);
void trace_write_enter(const struct thread *t, unsigned ring, uint64_t least,
                       uint64_t timeout);
void trace_write_woken(const struct thread *t, enum status status);
void trace_write_start(const struct thread *t);
void trace_write_end(const struct thread *t);

/* Entry `sq` of the ring is about to be served; `sqe` is the exokernel's copy.
 * Also when a chained entry is served at last. */
static inline void trace_entry(const struct thread *t, unsigned ring, uint32_t sq,
                               const struct ring_sqe *sqe)
{
	if (trace_on)
		trace_note_entry(t, ring, sq, sqe);
}

/* The exokernel's copy of its params. Without this the trace has a copy of its
 * own, which another thread of the program may make a different one. */
static inline void trace_params(const void *params, uint32_t size)
{
	if (trace_on)
		trace_note_params(params, size);
}

/* It was served, and there is no completion: not yet, or never. Does nothing if
 * there was one, or if somebody has said so before. */
static inline void trace_unanswered(const struct thread *t)
{
	if (trace_on)
		trace_write_unanswered(t);
}

/* Its completion is about to be posted, whoever caused it; the results are where
 * the thread wants them. */
static inline void trace_answered(const struct thread *t, unsigned ring, uint32_t sq,
                                  const struct ring_cqe *cqe)
{
	if (trace_on)
		trace_write_answered(t, ring, sq, cqe);
}

/* A completion of no entry is about to be posted. */
static inline void trace_posted(const struct thread *t, unsigned ring,
                                const struct ring_cqe *cqe)
{
	if (trace_on)
		trace_write_posted(t, ring, cqe);
}

/* cap_enter begins, whatever it comes to. */
static inline void trace_enter(const struct thread *t, unsigned ring, uint64_t least,
                               uint64_t timeout)
{
	if (trace_on)
		trace_write_enter(t, ring, least, timeout);
}

/* A wait ends with `status`. */
static inline void trace_woken(const struct thread *t, enum status status)
{
	if (trace_on && status != STATUS_OK)
		trace_write_woken(t, status);
}

/* A thread begins, its registers set. */
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
