/* park.c: see park.h. A word is known by its physical address, so it may be
 * mapped at different places. The waiters of all words stand in one tree, those
 * of one word in order of arrival. Each holds the word's frame: nobody else's
 * word can come to stand there. */
#include "kernel/park.h"

#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/ring.h"

static struct sorted waiters;

static uint64_t key_of(const uint32_t *word)
{
	return virt_to_phys(word).v;
}

static struct pending *pending_at(struct sorted_node *node)
{
	return (struct pending *)((char *)node - offsetof(struct pending, word));
}

static void unpark(struct pending *p)
{
	uint64_t key = p->word.key;

	sorted_remove(&waiters, &p->word);
	timeout_cancel(&p->timeout);
	page_drop((uint32_t)(key >> PAGE_SHIFT));
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
	if (!waiters.random)
		waiters.random = rdtsc() | 1;
	sorted_insert(&waiters, &p->word, key_of(word));
	frames_hold(&kmem_frames, (uint32_t)(p->word.key >> PAGE_SHIFT));
	if (sqe->timeout < UINT64_MAX / 2)
		timeout_set(&p->timeout, clock_now() + sqe->timeout, expired);
	return CALL_PENDING;
}

uint32_t park_wake(const uint32_t *word, uint32_t most)
{
	struct sorted_node *node;
	uint32_t woken = 0;

	while (woken < most && (node = sorted_find(&waiters, key_of(word)))) {
		struct pending *p = pending_at(node);

		unpark(p);
		pending_answer(p, STATUS_OK, NULL, 0);
		woken++;
	}
	return woken;
}
