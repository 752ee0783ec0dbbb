/* call.h: CALL: an entry becomes a method of an object. */
#pragma once

#include "kernel/thread.h"

/* Serves the entry. CALL_PENDING: the answer comes later; CALL_PAUSED: it is to be served
 * again; else cqe says what it is. */
enum status call_serve(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                       struct ring_cqe *cqe) MUST_CHECK;
