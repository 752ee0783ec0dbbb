/* entry.h: the user's side of the operations that are measured, as a program in
 * a hurry writes it: entries are filled in place, messages stand in the ring's
 * area, and everything is inlined. All that a reader of the completion would
 * check is checked. Every function says whether it went well. */
#pragma once

#include "bench/native/measure.h"
#include "bench/native/world.h"

#include "abi/notification.capnp.h"
#include "abi/timer.capnp.h"

/* Where messages stand in the area. */
enum { TO_SEND = 512, RECEIVED = 1024 };

enum { ECHO_METHOD = 1 };

/* A struct without pointers as a message: its root pointer, then its words. */
#define ROOT(words) ((uint64_t)(words) << 32)
enum { WORDS = 4 };

struct words {
	uint64_t root, word[WORDS];
};

struct now {
	uint64_t root, monotonic, realtime_offset;
};

ALWAYS_INLINE void *area(struct ring *ring, unsigned at)
{
	return ring->area + at;
}

/* An entry's first four bytes, by one store. */
ALWAYS_INLINE void put_head(struct ring_sqe *e, enum ring_op op, unsigned caps, unsigned method)
{
	uint32_t head = (uint32_t)op | caps << 8 | method << 16;

	__builtin_memcpy(e, &head, sizeof(head));
}

/* All that every CALL has. */
ALWAYS_INLINE struct ring_sqe *fill_call(struct ring_sqe *e, uint32_t cap, uint64_t interface,
                                         uint16_t method, unsigned caps)
{
	put_head(e, RING_CALL, caps, method);
	e->cap = cap;
	e->user_data = 0;
	e->interface = interface;
	e->params_size = 0;
	e->results_size = 0;
	return e;
}

ALWAYS_INLINE struct ring_sqe *call_entry(struct ring *ring, uint32_t cap, uint64_t interface,
                                          uint16_t method, unsigned caps)
{
	return fill_call(ring_next(ring), cap, interface, method, caps);
}

/* Enters, and waits for `count` completions. Whether they came the queue tells. */
ALWAYS_INLINE void enter(struct ring *ring, uint32_t count)
{
	(void)!ring_run(ring, count);
}

/* The next completion is there and good, with as many bytes. */
ALWAYS_INLINE bool answered(struct ring *ring, uint32_t bytes)
{
	const struct ring_cqe *done = ring_done(ring);

	return done && done->status == STATUS_OK && done->results_size == bytes;
}

/* -- calls on an object of the exokernel: Timer.now ------------------------------- */

ALWAYS_INLINE void ask_now(struct ring_sqe *e, struct ring *ring, uint32_t timer, unsigned at)
{
	fill_call(e, timer, TIMER_ID, TIMER_NOW, 0);
	e->results = (uintptr_t)area(ring, at);
	e->results_size = sizeof(struct now);
	e->user_data = e->results;
}

/* The answer is good, and the time in it is read. */
ALWAYS_INLINE bool good_now(const struct ring_cqe *done)
{
	const struct now *now;

	if (done->status != STATUS_OK || done->results_size != sizeof(*now))
		return false;
	now = (const struct now *)done->user_data;
	__asm__ volatile("" ::"r"(now->monotonic)); /* it is in a register: used */
	return now->root == ROOT(2);
}

ALWAYS_INLINE bool call_once(struct ring *ring, uint32_t timer)
{
	const struct ring_cqe *done;

	ask_now(ring_next(ring), ring, timer, RECEIVED);
	ring_push(ring);
	enter(ring, 1);
	done = ring_done(ring);
	return done && good_now(done);
}

ALWAYS_INLINE bool call_batch(struct ring *ring, uint32_t timer)
{
	uint32_t sq = ring->sq_tail, cq = ring->cq_head;

#pragma GCC unroll 4
	for (unsigned i = 0; i < RING_SQ_ENTRIES; i++)
		ask_now(ring_entry(ring, sq + i), ring, timer, i * 32);
	ring_push_all(ring, RING_SQ_ENTRIES);
	enter(ring, RING_SQ_ENTRIES);
	if (ring_ready(ring) != RING_SQ_ENTRIES)
		return false;
#pragma GCC unroll 4
	for (unsigned i = 0; i < RING_SQ_ENTRIES; i++)
		if (!good_now(ring_completion(ring, cq + i)))
			return false;
	ring_consume_all(ring, RING_SQ_ENTRIES);
	return true;
}

/* -- notifications -------------------------------------------------------------------- */

struct bits {
	uint64_t root, bits;
};

ALWAYS_INLINE void push_bits(struct ring *ring, uint32_t notification, uint16_t method,
                             uint64_t bits)
{
	struct ring_sqe *e = call_entry(ring, notification, NOTIFICATION_ID, method, 0);
	struct bits *to_send = area(ring, TO_SEND);

	to_send->root = ROOT(1);
	to_send->bits = bits;
	e->params = (uintptr_t)to_send;
	e->params_size = sizeof(*to_send);
	ring_push(ring);
}

/* -- a client's calls ----------------------------------------------------------------- */

ALWAYS_INLINE bool ipc_empty(struct ring *ring, uint32_t facet)
{
	(void)call_entry(ring, facet, ECHO_INTERFACE, ECHO_METHOD, 0);
	ring_push(ring);
	enter(ring, 1);
	return answered(ring, 0);
}

ALWAYS_INLINE bool ipc_words(struct ring *ring, uint32_t facet)
{
	struct ring_sqe *e = call_entry(ring, facet, ECHO_INTERFACE, ECHO_METHOD, 0);
	struct words *to_send = area(ring, TO_SEND), *received = area(ring, RECEIVED);
	uint64_t sum = 0;

	to_send->root = ROOT(WORDS);
#pragma GCC unroll 4
	for (unsigned i = 0; i < WORDS; i++)
		to_send->word[i] = (uint64_t)facet + i;
	e->params = (uintptr_t)to_send;
	e->params_size = sizeof(*to_send);
	e->results = (uintptr_t)received;
	e->results_size = sizeof(*received);
	ring_push(ring);
	enter(ring, 1);
	if (!answered(ring, sizeof(*received)) || received->root != ROOT(WORDS))
		return false;
#pragma GCC unroll 4
	for (unsigned i = 0; i < WORDS; i++)
		sum += received->word[i];
	return sum == 4 * (uint64_t)facet + 6 + WORDS; /* each came back one more */
}

/* The facet itself is what travels. */
ALWAYS_INLINE bool ipc_cap(struct ring *ring, uint32_t facet)
{
	struct ring_sqe *e = call_entry(ring, facet, ECHO_INTERFACE, ECHO_METHOD, 1);

	e->caps[0] = facet;
	ring_push(ring);
	enter(ring, 1);
	return answered(ring, 0);
}

/* -- a server's answers ----------------------------------------------------------------- */

/* The entry that answers the last call and waits for the next; without a
 * message. */
ALWAYS_INLINE struct ring_sqe *serve_entry(struct ring *ring, uint32_t endpoint, uint64_t token)
{
	struct ring_sqe *e = ring_next(ring);

	put_head(e, RING_SERVE, 0, STATUS_OK); /* the status stands where a method would */
	e->cap = endpoint;
	e->user_data = 0;
	e->token = token;
	e->results = (uintptr_t)area(ring, RECEIVED);
	e->params_size = 0;
	e->results_size = sizeof(struct ring_received) + sizeof(struct words);
	return e;
}

/* The call that came, in the area; NULL: none will any more. */
ALWAYS_INLINE const struct ring_received *received(struct ring *ring,
                                                   const struct ring_cqe *done)
{
	const struct ring_received *call = area(ring, RECEIVED);

	return done && done->status == STATUS_OK && call->interface != 0 ? call : NULL;
}

/* `note` is told of each call. */
ALWAYS_INLINE void serve_empty(struct ring *ring, uint32_t endpoint, void (*note)(void))
{
	const struct ring_received *call;
	uint64_t token = 0;

	for (;;) {
		(void)serve_entry(ring, endpoint, token);
		ring_push(ring);
		enter(ring, 1);
		call = received(ring, ring_done(ring));
		if (!call)
			return;
		token = call->token;
		note();
	}
}

ALWAYS_INLINE void note_nothing(void)
{
}

/* Each word comes back one more. */
ALWAYS_INLINE void serve_words(struct ring *ring, uint32_t endpoint)
{
	const struct ring_received *call;
	struct words *answer = area(ring, TO_SEND);
	uint32_t size = 0;
	uint64_t token = 0;

	for (;;) {
		struct ring_sqe *e = serve_entry(ring, endpoint, token);

		e->params = (uintptr_t)answer;
		e->params_size = size;
		ring_push(ring);
		enter(ring, 1);
		call = received(ring, ring_done(ring));
		const struct words *asked = (const struct words *)(call + 1);
		if (!call || call->params_size != sizeof(*asked) || asked->root != ROOT(WORDS))
			return;
		answer->root = ROOT(WORDS);
#pragma GCC unroll 4
		for (unsigned i = 0; i < WORDS; i++)
			answer->word[i] = asked->word[i] + 1;
		size = sizeof(*answer);
		token = call->token;
	}
}

/* The capability that came is released as the call is answered. */
ALWAYS_INLINE void serve_caps(struct ring *ring, uint32_t endpoint)
{
	const struct ring_received *call;
	uint64_t token = 0;
	uint32_t cap = 0;

	for (;;) {
		const struct ring_cqe *done;

		if (cap) {
			struct ring_sqe *e = ring_next(ring);
			put_head(e, RING_RELEASE, 0, 0);
			e->cap = cap;
			e->user_data = 0;
			ring_push(ring);
		}
		(void)serve_entry(ring, endpoint, token);
		ring_push(ring);
		enter(ring, cap ? 2 : 1);
		if (cap && !answered(ring, 0))
			return;
		done = ring_done(ring);
		call = received(ring, done);
		if (!call || call->caps_count != 1)
			return;
		cap = done->caps[0];
		token = call->token;
	}
}
