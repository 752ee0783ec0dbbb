/* lock.c: a lock of three states over PARK and WAKE, and sleeping on events.
 *
 * Nothing is lost between deciding to sleep and sleeping: PARK compares the
 * event's sequence number, and whoever wants a sleeper's attention, be it for
 * the event itself or for a signal, moves that number first, under the lock.
 * Sleepers that were woken for nothing look again and go back to sleep.
 * Source of the lock: Drepper, "Futexes Are Tricky", mutex2. */
#include "os/linux/lock.h"

#include "lib/posix/errno.h"
#include "os/linux/assert.h"
#include "os/linux/exo.h"

struct lock the_lock;
struct wait_event lock_poll_event;

void lock_take_slowly(void)
{
	assert(!lock_is_mine());
	while (__atomic_exchange_n(&the_lock.word, LOCK_CONTENDED, __ATOMIC_ACQUIRE) != LOCK_FREE)
		exo_park(&the_lock.word, LOCK_CONTENDED, RING_FOREVER);
}

/* `word` is what the lock's word was when it was given back. */
static void queue_wakes(struct task *task, uint32_t word)
{
	for (uint32_t i = 0; i < task->wake_count; i++)
		exo_queue_wake(task->wakes[i], UINT32_MAX);
	task->wake_count = 0;
	if (word == LOCK_CONTENDED)
		exo_queue_wake(&the_lock.word, 1);
}

void lock_drop_slowly(struct task *task, uint32_t word)
{
	queue_wakes(task, word);
	exo_flush();
}

static void note_wake(uint32_t *word)
{
	struct task *task = current();

	assert(lock_is_mine());
	for (uint32_t i = 0; i < task->wake_count; i++)
		if (task->wakes[i] == word)
			return;
	if (task->wake_count == TASK_WAKES) {
		queue_wakes(task, LOCK_HELD);
		exo_flush();
	}
	task->wakes[task->wake_count++] = word;
}

void env_wake(struct wait_event *event)
{
	event->sequence++;
	if (event->waiters == 0)
		return;
	if ((event->waiters & ~LOCK_POLLED) != 0)
		note_wake(&event->sequence);
	if ((event->waiters & LOCK_POLLED) != 0) {
		event->waiters &= ~LOCK_POLLED;
		lock_poll_event.sequence++;
		if (lock_poll_event.waiters != 0)
			note_wake(&lock_poll_event.sequence);
	}
}

int lock_sleep(struct wait_event *event, uint32_t sequence, uint64_t deadline)
{
	struct task *task = current();
	uint64_t timeout = RING_FOREVER;
	uint32_t word;

	assert(lock_is_mine() && task->sleeping_on == NULL);
	if (task_interrupted(task))
		return -EINTR;
	if (event->sequence != sequence)
		return 0;
	if (deadline != 0) {
		uint64_t now = env_monotonic();
		if (now >= deadline)
			return -ETIMEDOUT;
		timeout = deadline - now;
	}
	event->waiters++;
	task->sleeping_on = event;

	__atomic_store_n(&the_lock.owner, NULL, __ATOMIC_RELAXED);
	word = __atomic_exchange_n(&the_lock.word, LOCK_FREE, __ATOMIC_RELEASE);
	queue_wakes(task, word);
	exo_park(&event->sequence, sequence, timeout);
	lock_take();

	task->sleeping_on = NULL;
	event->waiters--;
	if (event->sequence != sequence)
		return 0;
	if (task_interrupted(task))
		return -EINTR;
	return deadline != 0 && env_monotonic() >= deadline ? -ETIMEDOUT : 0;
}

void lock_sleep_deaf(struct wait_event *event, uint32_t sequence)
{
	struct task *task = current();
	uint32_t work = task->work;

	task->work = 0;
	(void)lock_sleep(event, sequence, 0);
	task->work |= work;
}

void lock_rouse(struct task *task)
{
	assert(lock_is_mine());
	if (task->sleeping_on != NULL)
		env_wake(task->sleeping_on);
	else if (task != current())
		exo_interrupt(task->thread_cap);
}
