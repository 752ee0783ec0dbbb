/* ring.h: a thread's side of its ring (abi/ring.h), for native programs and
 * modules alike.
 *
 * ring_call() and its kin are synchronous: when they return, both queues are
 * empty again. A caller in a hurry fills entries in place with ring_next(),
 * ring_push(), enters once with ring_run() and reads the completions with
 * ring_done(). Nothing here allocates, and a ring is used by its own thread
 * only, so nothing here locks. */
#pragma once

#include "abi/ring.h"
#include "abi/status.h"

#include <stddef.h>
#include <stdint.h>

/* One CALL. In: what is asked. Out: `results_size` bytes came, and `caps` are
 * the ids of the capabilities that came beside them (0: none). */
struct ring_call {
	uint32_t cap;
	uint16_t method;
	uint64_t interface;
	const void *params;    /* 8-aligned; best inside ring->area */
	uint32_t params_size;
	uint32_t results_size; /* in: room at `results` */
	void *results;         /* 8-aligned; NULL: not wanted */
	uint32_t caps_count;   /* in: how many of `caps` travel */
	uint32_t caps[RING_CAPS];
};

/* The status of the call itself, or why it could not be made. */
MUST_CHECK enum status ring_call(struct ring *ring, struct ring_call *call);

/* Drops a capability. */
MUST_CHECK enum status ring_release(struct ring *ring, uint32_t cap);

/* Waits while *word is `expected`, `timeout` nanoseconds at most: OK when
 * woken, AGAIN if the word had already changed, TIMEOUT, INTERRUPTED. */
MUST_CHECK enum status ring_park(struct ring *ring, const uint32_t *word, uint32_t expected,
                                 uint64_t timeout);

/* Wakes up to `most` threads parked at `word`. */
MUST_CHECK enum status ring_wake(struct ring *ring, const uint32_t *word, uint32_t most);

/* Ends the calling thread. */
_Noreturn void ring_exit(int32_t code);

/* The raw system call. */
static inline enum status ring_enter(uint64_t min_complete, uint64_t timeout)
{
	uint64_t rax = SYS_CAP_ENTER;
	__asm__ volatile("syscall"
	                 : "+a"(rax), "+D"(min_complete), "+S"(timeout)
	                 :
	                 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
	return (enum status)rax;
}

/* The calling thread's ring, as the exokernel tells it. */
static inline struct ring *ring_self(void)
{
	uint64_t rax = SYS_CAP_ENTER, rdi = 0, rsi = 0;
	struct ring *ring;
	__asm__ volatile("syscall"
	                 : "+a"(rax), "+D"(rdi), "+S"(rsi), "=d"(ring)
	                 :
	                 : "rcx", "r8", "r9", "r10", "r11", "memory");
	return ring;
}

/* Several at a time: entries are numbered from ring->sq_tail on; then as many are
 * handed over at once. */
static inline struct ring_sqe *ring_entry(struct ring *ring, uint32_t number)
{
	return &ring->sq[number % RING_SQ_ENTRIES];
}

/* The entry to fill next; its bytes are whatever they were last. There is one
 * if fewer than RING_SQ_ENTRIES were pushed since the last ring_run(). */
static inline struct ring_sqe *ring_next(struct ring *ring)
{
	return ring_entry(ring, ring->sq_tail);
}

/* The entries are whole before they can be seen. */
static inline void ring_push_all(struct ring *ring, uint32_t count)
{
	__atomic_store_n(&ring->sq_tail, ring->sq_tail + count, __ATOMIC_RELEASE);
}

/* Hands the entry over: it is whole before it can be seen. */
static inline void ring_push(struct ring *ring)
{
	ring_push_all(ring, 1);
}

/* After a push to a ring that the exokernel looks at by itself: true if it has stopped,
 * and might not see what was pushed. */
static inline int ring_is_asleep(const struct ring *ring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* sq_tail is seen before flags are read */
	return __atomic_load_n(&ring->flags, __ATOMIC_RELAXED) & RING_ASLEEP;
}

/* The same, and while waiting for what was pushed: makes it look again if it has
 * stopped. True: it had. */
static inline int ring_rouse(struct ring *ring)
{
	if (!ring_is_asleep(ring))
		return 0;
	(void)ring_enter(0, RING_FOREVER);
	return 1;
}

/* Submits all that was pushed and waits for `count` completions. */
MUST_CHECK static inline enum status ring_run(struct ring *ring, uint32_t count)
{
	(void)ring;
	return ring_enter(count, RING_FOREVER);
}

/* The next completion, not consumed yet; NULL if there is none. */
static inline const struct ring_cqe *ring_first(const struct ring *ring)
{
	uint32_t head = ring->cq_head;

	if (head == __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE))
		return NULL;
	return &ring->cq[head % RING_CQ_ENTRIES];
}

/* Several at a time: how many there are, the one of that number, from ring->cq_head on,
 * and that as many are done with. */
static inline uint32_t ring_ready(const struct ring *ring)
{
	return __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) - ring->cq_head;
}

static inline const struct ring_cqe *ring_completion(const struct ring *ring, uint32_t number)
{
	return &ring->cq[number % RING_CQ_ENTRIES];
}

static inline void ring_consume_all(struct ring *ring, uint32_t count)
{
	__atomic_store_n(&ring->cq_head, ring->cq_head + count, __ATOMIC_RELEASE);
}

/* Gives its place back: it is not looked at any more. */
static inline void ring_consume(struct ring *ring)
{
	ring_consume_all(ring, 1);
}

/* The next completion, consumed; good until the next entry is pushed. NULL if
 * there is none. Not for a ring that others post to (RING_POSTED), or that is looked
 * at (ThreadControl.poll): its place might be taken while it is read. */
static inline const struct ring_cqe *ring_done(struct ring *ring)
{
	uint32_t head = ring->cq_head;

	if (head == __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE))
		return NULL;
	__atomic_store_n(&ring->cq_head, head + 1, __ATOMIC_RELAXED); /* ring_push orders */
	return &ring->cq[head % RING_CQ_ENTRIES];
}
