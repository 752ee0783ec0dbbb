/* exo_entry.h: one entry of the ring, written and run; for exo.c and exo_machine.c.
 *
 * Entry i of the submission queue has its own slot of the ring's area, so a
 * batch needs no other memory: parameters at the slot's start, results behind
 * them. A message is its root pointer, the data words in the schema's order,
 * and the pointers. The asserts beside the calls hold these shapes to the generated
 * ones. */
#pragma once

#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/task.h"
#include "rt/ring.h"

enum { SLOT = 120, SLOT_RESULTS = 64, RESULTS_SIZE = SLOT - SLOT_RESULTS };
_Static_assert(SLOT * (int)RING_SQ_ENTRIES <= (int)RING_AREA_SIZE, "one slot for each entry");

/* The root pointer of a message, and the pointer to capability `i` beside it. */
#define ROOT(data_words, pointers) ((uint64_t)(pointers) << 48 | (uint64_t)(data_words) << 32)
#define SHAPE(name) ROOT(name##_DATA_WORDS, name##_POINTERS)
#define CAPABILITY(i) ((uint64_t)(i) << 32 | 3)

/* The next entry, all but its message filled in. The message's place is left
 * in *words. */
static inline __attribute__((always_inline)) struct ring_sqe *
prepare(struct ring *ring, uint32_t cap, uint64_t interface, uint16_t method, uint32_t size,
        uint64_t **words)
{
	uint32_t index = ring->sq_tail % RING_SQ_ENTRIES;
	struct ring_sqe *e = &ring->sq[index];

	e->op = RING_CALL;
	e->caps_how = 0;
	e->method = method;
	e->cap = cap;
	e->interface = interface;
	e->params = (uintptr_t)&ring->area[index * SLOT];
	e->params_size = size;
	e->results_size = 0;
	*words = (uint64_t *)&ring->area[index * SLOT];
	return e;
}

static inline __attribute__((always_inline)) void with_results(struct ring_sqe *e)
{
	e->results = e->params + SLOT_RESULTS;
	e->results_size = RESULTS_SIZE;
}

static inline __attribute__((always_inline)) void with_cap(struct ring_sqe *e, uint32_t cap)
{
	e->caps[e->caps_count++] = cap;
}

/* Submits everything and takes all completions; the first bad status counts.
 * An interrupted wait is resumed: the interruption is the program's. */
static inline enum status run(struct ring *ring, const struct ring_cqe **last)
{
	uint32_t pending = ring->sq_tail - ring->sq_head;
	enum status status = STATUS_OK;

	*last = NULL;
	while (pending != 0) {
		const struct ring_cqe *done;
		if (ring_enter(pending, RING_FOREVER) == STATUS_INVALID)
			exo_exit(-1); /* our ring is nonsense: there is no way to say so */
		while ((done = ring_done(ring)) != NULL) {
			pending--;
			*last = done;
			if (done->status != STATUS_OK && status == STATUS_OK)
				status = (enum status)done->status;
		}
	}
	return status;
}

/* One call, prepared and now to be made. */
static inline __attribute__((always_inline)) enum status call(struct ring *ring)
{
	const struct ring_cqe *last;

	ring_push(ring);
	return run(ring, &last);
}

static inline __attribute__((always_inline)) enum status call_for(struct ring *ring,
                                                                  const struct ring_cqe **done)
{
	ring_push(ring);
	return run(ring, done);
}

/* The capability that pointer word `word` of the results names. */
static inline uint32_t cap_of(const struct ring_cqe *done, uint64_t word)
{
	uint32_t index = (uint32_t)(word >> 32);

	assert((uint32_t)word == 3 && index < RING_CAPS);
	return done->caps[index];
}

static inline const uint64_t *results_of(const struct ring_sqe *e)
{
	return (const uint64_t *)(uintptr_t)e->results;
}
