/* lock.h: the one lock of the module, and waiting.
 *
 * The lock guards everything but what is marked as a task's own. It is taken
 * by every system call that is not trivial, and held except while a task
 * sleeps. Only the handler of a page fault in module code may find its own
 * task to be the owner: it then goes on without taking it.
 *
 * Waking another thread costs a call to the exokernel, and wakes it into a
 * lock that is still held. So wakes are noted in the task and done when the
 * lock is dropped. */
#pragma once

#include "os/linux/task.h"

enum lock_word { LOCK_FREE, LOCK_HELD, LOCK_CONTENDED };

struct lock {
	uint32_t word;
	struct task *owner;
};
extern struct lock the_lock __attribute__((visibility("hidden")));

void lock_take_slowly(void);
void lock_drop_slowly(struct task *task, uint32_t word);

static inline bool lock_is_mine(void)
{
	return __atomic_load_n(&the_lock.owner, __ATOMIC_RELAXED) == current();
}

static inline void lock_take(void)
{
	uint32_t expected = LOCK_FREE;

	if (!__atomic_compare_exchange_n(&the_lock.word, &expected, LOCK_HELD, false, __ATOMIC_ACQUIRE,
	                                 __ATOMIC_RELAXED))
		lock_take_slowly();
	__atomic_store_n(&the_lock.owner, current(), __ATOMIC_RELAXED);
}

static inline void lock_drop(void)
{
	struct task *task = current();
	uint32_t word;

	__atomic_store_n(&the_lock.owner, NULL, __ATOMIC_RELAXED);
	word = __atomic_exchange_n(&the_lock.word, LOCK_FREE, __ATOMIC_RELEASE);
	if (word == LOCK_CONTENDED || task->wake_count != 0)
		lock_drop_slowly(task, word);
}

/* Lets those who wait for the lock have it first. */
static inline void lock_yield(void)
{
	if (__atomic_load_n(&the_lock.word, __ATOMIC_RELAXED) == LOCK_CONTENDED ||
	    current()->wake_count != 0) {
		lock_drop();
		lock_take();
	}
}

/* Sleeps until event->sequence is no longer `sequence`: 0; -EINTR if the task
 * has signals to look at, -ETIMEDOUT once env_monotonic() passes `deadline`
 * (0: never). Drops the lock meanwhile. */
int lock_sleep(struct wait_event *event, uint32_t sequence, uint64_t deadline);

/* The same, but for as long as it takes: signals wait. */
void lock_sleep_deaf(struct wait_event *event, uint32_t sequence);

/* Gets `task` out of lock_sleep(), or out of its program, to look at its work. */
void lock_rouse(struct task *task);

/* The event that every poll and select sleeps on: env_wake() of an event with
 * this bit in `waiters` wakes it too. */
enum { LOCK_POLLED = 0x80000000u };
extern struct wait_event lock_poll_event __attribute__((visibility("hidden")));
