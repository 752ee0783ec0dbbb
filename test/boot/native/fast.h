/* fast.h: for tests that compare the fast ways with the long one. */
#pragma once

#include "test/boot/native/sched_cast.h"

/* A wait that is not for ever is the long way's. */
#define LONG_WAY (1000 * MS)

/* The status of the ring's next completion; STATUS_COUNT: there is none. */
static inline enum status take(struct ring *ring)
{
	const struct ring_cqe *cqe = ring_done(ring);

	return cqe ? (enum status)cqe->status : STATUS_COUNT;
}
