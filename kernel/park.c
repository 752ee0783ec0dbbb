/* park.c: see park.h. A word is known by its physical address, so it may be
 * mapped at different places; buckets keep the waiters in order of arrival. Each
 * waiter holds the word's frame: nobody else's word can come to stand there. */
#include "kernel/park.h"

#include "kernel/arch/x86_64/clock.h"
#include "kernel/domain.h"
#include "kernel/ring.h"

enum { PARK_BUCKETS = 64 };

static struct pending_queue buckets[PARK_BUCKETS];

static uint64_t key_of(const uint32_t *word)
{
	return virt_to_phys(word).v;
}

static struct pending_queue *bucket_of(uint64_t key)
{
	return &buckets[(key >> 2 ^ key >> 12) % PARK_BUCKETS];
}

static void unpark(struct pending *p)
{
	pending_unlink(bucket_of(p->key), p);
	timeout_cancel(&p->timeout);
	page_drop((uint32_t)(p->key >> PAGE_SHIFT));
}

static void cancel(struct pending *p)
{
	unpark(p);
	pending_free(p);
}

static void expired(struct timeout *timeout)
{
	struct pending *p =
		(struct pending *)((char *)timeout - offsetof(struct pending, timeout));

	unpark(p);
	pending_answer(p, STATUS_TIMEOUT, NULL, 0);
}

enum status park(struct thread *t, unsigned kind, const struct ring_sqe *sqe,
                 const uint32_t *word)
{
	struct call call = {
		.thread = t,
		.domain = thread_domain(t, kind),
		.ring = kind,
		.user_data = sqe->user_data,
	};
	struct pending *p;

	if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != sqe->expected)
		return STATUS_AGAIN;
	if (sqe->timeout == 0)
		return STATUS_TIMEOUT;
	if (!call.domain)
		return STATUS_NO_CAP;
	p = pending_create(&call, cancel);
	if (!p)
		return STATUS_NO_MEMORY;
	p->key = key_of(word);
	frames_hold(&kmem_frames, (uint32_t)(p->key >> PAGE_SHIFT));
	pending_append(bucket_of(p->key), p);
	if (sqe->timeout < UINT64_MAX / 2)
		timeout_set(&p->timeout, clock_now() + sqe->timeout, expired);
	return CALL_PENDING;
}

uint32_t park_wake(const uint32_t *word, uint32_t most)
{
	uint64_t key = key_of(word);
	struct pending_queue *q = bucket_of(key);
	uint32_t woken = 0;

	for (struct pending *p = q->head, *next; p && woken < most; p = next) {
		next = p->next;
		if (p->key != key)
			continue;
		unpark(p);
		pending_answer(p, STATUS_OK, NULL, 0);
		woken++;
	}
	return woken;
}
