/* park.c: see park.h.
 *
 * A private word is known by its address space and its address there: its page
 * may be copied while somebody waits. A shared word is known by its place in
 * physical memory, as it may be mapped at different addresses; each waiter holds
 * the frame, so that nobody else's word can come to stand there. (The space of a
 * private word is not held: a thread's entries are cancelled before it leaves
 * its space.)
 *
 * Waiters stand in one tree, ordered by a hash of the word that they wait for, in
 * order of arrival for each. The hash is keyed, so nobody can choose words that
 * have it in common, and the tree stays shallow: what others have parked costs a
 * logarithm. */
#include "kernel/park.h"

#include "abi/ledger.capnp.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/process.h"
#include "kernel/revoker.h"
#include "kernel/ring.h"
#include "kernel/space.h"

_Static_assert(offsetof(struct pending, park.timeout) == offsetof(struct pending, timeout),
               "pending_create clears it");

struct parkspace {
	struct object object;
	struct ledger *ledger;
};

struct word {
	const uint32_t *value;
	const struct space *space;
	uint64_t address;
	struct object *park_space;
};

static struct sorted parked;
static uint64_t secret;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
	return x ^ x >> 32;
}

static uint64_t hash_of(const struct word *w)
{
	if (!secret) {
		secret = mix(rdtsc() | 1);
		parked.random = mix(secret) | 1;
	}
	return mix(mix(mix(w->address ^ secret) + (uint64_t)w->space) + (uint64_t)w->park_space);
}

/* The word that an entry names. The ring reaches its own half only. */
static enum status find_word(const struct thread *t, unsigned ring,
                             const struct ring_sqe *sqe, struct word *w)
{
	const struct domain *d = thread_domain(t, ring);
	bool shared;

	if (sqe->word % sizeof(uint32_t))
		return STATUS_INVALID;
	w->park_space = NULL;
	if (sqe->cap) {
		struct object *o = d ? captable_lookup(&d->table, sqe->cap) : NULL;

		if (!o)
			return STATUS_NO_CAP;
		w->park_space = object_resolve(o);
		if (!w->park_space)
			return STATUS_GONE;
		if (w->park_space->type != &parkspace_type)
			return STATUS_NO_CAP;
	}
	w->space = space_holding(t->process->space, sqe->word);
	if (!w->space || space_is_region(w->space) != (ring == RING_MODULE))
		return STATUS_FAULT;
	w->value = space_word(w->space, sqe->word, &shared);
	if (!w->value)
		return STATUS_FAULT;
	w->address = sqe->word;
	if (shared) {
		w->space = NULL;
		w->address = virt_to_phys(w->value).v;
	}
	return STATUS_OK;
}

static bool waits_for(const struct pending *p, const struct word *w)
{
	return p->park.address == w->address && p->park.space == w->space &&
	       p->park.park_space == w->park_space;
}

static void unpark(struct pending *p)
{
	sorted_remove(&parked, &p->park.place);
	timeout_cancel(&p->park.timeout);
	if (!p->park.space)
		page_drop((uint32_t)(p->park.address >> PAGE_SHIFT));
	if (p->park.park_space)
		object_drop(p->park.park_space);
}

static void cancel(struct pending *p)
{
	unpark(p);
	pending_free(p);
}

static void expired(struct timeout *timeout)
{
	struct pending *p = (struct pending *)((char *)timeout -
	                                       offsetof(struct pending, park.timeout));

	unpark(p);
	pending_answer(p, STATUS_TIMEOUT, NULL, 0);
}

static void keep(struct pending *p, const struct word *w, uint64_t timeout_ns)
{
	p->park.space = w->space;
	p->park.address = w->address;
	p->park.park_space = w->park_space;
	if (!w->space)
		frames_hold(&kmem_frames, (uint32_t)(w->address >> PAGE_SHIFT));
	if (w->park_space)
		object_hold(w->park_space);
	sorted_insert(&parked, &p->park.place, hash_of(w));
	if (timeout_ns < UINT64_MAX / 2)
		timeout_set(&p->park.timeout, clock_now() + timeout_ns, expired);
}

enum status park(struct thread *t, unsigned ring, const struct ring_sqe *sqe)
{
	struct pending *p;
	struct word w;
	enum status status = find_word(t, ring, sqe, &w);

	if (status)
		return status;
	if (__atomic_load_n(w.value, __ATOMIC_ACQUIRE) != sqe->expected)
		return STATUS_AGAIN;
	if (sqe->timeout == 0)
		return STATUS_TIMEOUT;
	if (!thread_domain(t, ring))
		return STATUS_NO_CAP;
	p = pending_create_for(t, ring, sqe, cancel);
	if (!p)
		return STATUS_NO_MEMORY;
	keep(p, &w, sqe->timeout);
	return CALL_PENDING;
}

enum status park_wake(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                      uint32_t *woken)
{
	uint32_t most = sqe->expected < PARK_WAKE_MOST ? sqe->expected : PARK_WAKE_MOST;
	struct sorted_node *place, *next;
	struct word w;
	uint64_t hash;
	uint32_t left = PARK_WAKE_STEP;
	enum status status = find_word(t, ring, sqe, &w);

	if (status)
		return status;
	*woken = (uint32_t)ring_resumed(t, ring);
	hash = hash_of(&w);
	for (place = sorted_find(&parked, hash); place && *woken < most; place = next) {
		struct pending *p = (struct pending *)((char *)place -
		                                       offsetof(struct pending, park.place));

		next = sorted_next(place);
		if (place->key != hash)
			break;
		if (!waits_for(p, &w))
			continue; /* two words with one hash */
		if (left-- == 0 && ring_may_pause())
			return ring_pause(t, ring, *woken);
		unpark(p);
		pending_answer(p, STATUS_OK, NULL, 0);
		(*woken)++;
	}
	return STATUS_OK;
}

static enum status parkspace_call(struct object *o, struct call *call)
{
	(void)o, (void)call;
	return STATUS_NO_METHOD;
}

static void parkspace_destroy(struct object *o)
{
	struct parkspace *p = (struct parkspace *)o;

	block_free(p, sizeof(*p), p->ledger);
}

const struct object_type parkspace_type = {
	.name = "park space",
	.interface = PARK_SPACE_ID,
	.call = parkspace_call,
	.destroy = parkspace_destroy,
};

struct object *parkspace_create(struct ledger *ledger)
{
	struct parkspace *p = block_alloc(ledger, sizeof(*p));

	if (!p)
		return NULL;
	object_init(&p->object, &parkspace_type);
	p->ledger = ledger;
	return &p->object;
}
