/* park.h: waiting for a word in memory to change; and ParkSpaces. */
#pragma once

#include "kernel/object.h"

/* One WAKE answers no more than this many: whoever wants more asks again. */
enum { PARK_WAKE_MOST = 1024, PARK_WAKE_STEP = 128 };

/* PARK: keeps the thread's entry until a wake or its timeout. CALL_PENDING, or
 * AGAIN if the word is not what was expected. */
enum status park(struct thread *t, unsigned ring, const struct ring_sqe *sqe);

/* WAKE: answers the oldest that are parked at the word; *woken of them. */
enum status park_wake(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                      uint32_t *woken);

struct ledger;

/* Makes a ParkSpace: entries that name it meet only each other. NULL: the ledger
 * cannot pay. */
struct object *parkspace_create(struct ledger *ledger);

extern const struct object_type parkspace_type;
