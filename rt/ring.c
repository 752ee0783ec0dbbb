/* ring.c: the synchronous calls over a ring.
 *
 * Each fills one entry, enters once and takes the one completion. The
 * exokernel finishes what it consumed before cap_enter answers OK for it, so a
 * missing completion means that the wait itself was cut short; the call is
 * then still under way and its completion must not be mistaken for a later
 * one's: take() waits on until it comes. */
#include "rt/ring.h"

/* Enters until the completion is there. An interrupted wait is only resumed:
 * the interruption is for the program, and is delivered when that runs. */
static const struct ring_cqe *take(struct ring *ring)
{
	const struct ring_cqe *done;

	do {
		(void)ring_enter(1, RING_FOREVER);
		done = ring_done(ring);
	} while (done == NULL);
	return done;
}

enum status ring_call(struct ring *ring, struct ring_call *call)
{
	struct ring_sqe *e = ring_next(ring);
	const struct ring_cqe *done;

	e->op = RING_CALL;
	e->caps_how = (uint8_t)call->caps_count;
	e->method = call->method;
	e->cap = call->cap;
	e->user_data = 0;
	e->interface = call->interface;
	e->params = (uintptr_t)call->params;
	e->params_size = call->params_size;
	e->results = (uintptr_t)call->results;
	e->results_size = call->results != NULL ? call->results_size : 0;
	for (uint32_t i = 0; i < call->caps_count; i++)
		e->caps[i] = call->caps[i];
	ring_push(ring);

	done = take(ring);
	call->results_size = done->results_size;
	for (uint32_t i = 0; i < RING_CAPS; i++)
		call->caps[i] = done->caps[i];
	return (enum status)done->status;
}

static struct ring_sqe *next_word(struct ring *ring, enum ring_op op, const uint32_t *word,
                                  uint32_t expected)
{
	struct ring_sqe *e = ring_next(ring);

	e->op = (uint8_t)op;
	e->caps_how = 0;
	e->user_data = 0;
	e->cap = 0;
	e->word = (uintptr_t)word;
	e->expected = expected;
	return e;
}

enum status ring_park(struct ring *ring, const uint32_t *word, uint32_t expected, uint64_t timeout)
{
	next_word(ring, RING_PARK, word, expected)->timeout = timeout;
	ring_push(ring);
	return (enum status)take(ring)->status;
}

enum status ring_wake(struct ring *ring, const uint32_t *word, uint32_t most)
{
	(void)next_word(ring, RING_WAKE, word, most);
	ring_push(ring);
	return (enum status)take(ring)->status;
}

enum status ring_release(struct ring *ring, uint32_t cap)
{
	struct ring_sqe *e = ring_next(ring);

	e->op = RING_RELEASE;
	e->caps_how = 0;
	e->user_data = 0;
	e->cap = cap;
	ring_push(ring);
	return (enum status)take(ring)->status;
}

_Noreturn void ring_exit(int32_t code)
{
	__asm__ volatile("syscall" : : "a"((uint64_t)SYS_EXIT), "D"((uint64_t)(int64_t)code) : "memory");
	__builtin_trap();
}
