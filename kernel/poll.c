/* poll.c: see poll.h. */
#include "kernel/poll.h"

#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/ring.h"
#include "kernel/sched.h"

enum { QUIET_MOST = 64, LEAST_NS = 20000, MOST_NS = 1000000000 };

static bool look(struct thread *t)
{
	uint64_t since = sched_pay(t);
	bool found = ring_poll(t, t->poll.ring);

	sched_paid(t, since);
	return found;
}

static void tell(struct thread *t, bool asleep)
{
	t->asleep = asleep;
	__atomic_store_n(&t->rings[t->poll.ring].page->flags, asleep ? RING_ASLEEP : 0,
	                 __ATOMIC_SEQ_CST);
}

static bool goes_on(const struct thread *t)
{
	return !timeout_is_set(&t->poll.next) && t->poll.every && !t->dying;
}

/* One that could run and does not is not looked at, but will be. */
static void due(struct timeout *timeout)
{
	struct thread *t = (struct thread *)((char *)timeout - offsetof(struct thread, poll.next));
	const struct thread *current = this_cpu->current;
	bool runs = t->state == THREAD_RUNNING && !t->dying;

	if (runs && (!current || sched_priority(current) <= sched_priority(t)) && look(t))
		t->poll.quiet = 0;
	else
		t->poll.quiet++;
	if (goes_on(t)) {
		if (t->poll.quiet < QUIET_MOST && (runs || t->state == THREAD_READY) &&
		    sched_has_time(t)) {
			timeout_set(timeout, clock_now() + t->poll.every, due);
			return;
		}
		tell(t, true);
		if (runs && look(t) && goes_on(t)) /* there may be more */
			poll_wake(t);
	}
}

void poll_wake(struct thread *t)
{
	tell(t, false);
	t->poll.quiet = 0;
	timeout_set(&t->poll.next, clock_now() + t->poll.every, due);
}

enum status poll_ask(struct thread *t, unsigned ring, uint64_t every)
{
	if (every && (every < LEAST_NS || every > MOST_NS))
		return STATUS_INVALID;
	if (t->poll.every)
		tell(t, false); /* of the ring that was */
	timeout_cancel(&t->poll.next);
	t->poll.every = every;
	t->poll.ring = (uint8_t)ring;
	if (every)
		poll_wake(t);
	return STATUS_OK;
}
