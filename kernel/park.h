/* park.h: waiting for a word in memory to change. */
#pragma once

#include "kernel/ring.h"

/* PARK: keeps the thread's entry until a wake or its timeout. CALL_PENDING, or
 * AGAIN if *word is not what was expected. */
enum status park(struct thread *t, unsigned kind, const struct ring_sqe *sqe,
                 const uint32_t *word);

/* WAKE: answers the oldest `most` that are parked at `word`; how many. */
uint32_t park_wake(const uint32_t *word, uint32_t most);
