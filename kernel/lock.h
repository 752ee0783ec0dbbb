/* lock.h: who may touch what in the exokernel.
 *
 * Every CPU has a lock. There are two ways to be in the exokernel:
 *   shared     with this CPU's own lock. The way of the fast paths: two CPUs that
 *              do not need each other do not wait for each other
 *   exclusive  with every CPU's lock: alone. The way of everything else
 *
 * Shared, a CPU may touch
 *   - its own struct cpu and run queue, its current thread and that one's rings;
 *   - a waiting thread that it has claimed (fast.h), and that one's rings;
 *   - an object's reference count, by the atomic functions, but never to zero;
 *   - an endpoint's or a notification's queues, having taken the object's flag,
 *     and a domain's table, having taken the domain's: by a try, never by waiting.
 * It may read whatever is only changed or freed exclusively: tables, spaces,
 * objects' fields. It allocates nothing, frees nothing, and sets no timeout. Who
 * finds more to do asks for the exclusive way, having changed nothing. So does who
 * finds that its lock is wanted: whoever waits to be exclusive has it first. */
#pragma once

#include "kernel/arch/x86_64/cpu.h"

/* The lowest bit is set from now on; gives what it was. gcc knows that instruction, but
 * puts the address into a register first. */
static inline __attribute__((always_inline)) bool bit_take(uint32_t *word)
{
#if defined(__SANITIZE_THREAD__) || defined(__clang__)
	return __atomic_fetch_or(word, 1, __ATOMIC_ACQUIRE) & 1;
#else
	bool was;

	__asm__ volatile("lock btsl $0, %1" : "=@ccc"(was), "+m"(*word) : : "memory");
	return was;
#endif
}

/* From outside: exclusive at once. */
void kernel_lock(void);

/* From outside: shared. True: it had to wait, and may have answered a flush of the
 * TLB meanwhile (tlb.h): no process's space may be loaded any more. */
void lock_wait(struct cpu *cpu);
static inline bool lock_shared_of(struct cpu *self)
{
	if (!__builtin_expect(bit_take(&self->lock), 0))
		return false;
	lock_wait(self);
	return true;
}

/* Drops it, where it cannot be exclusive. */
static inline void unlock_shared_of(struct cpu *self)
{
	__atomic_store_n(&self->lock, 0, __ATOMIC_RELEASE);
}

/* From shared to exclusive. Others may have been in between: look again at
 * whatever was seen. Nothing happens if it is exclusive already. */
void lock_upgrade_of_many(void);
static inline void lock_upgrade(void)
{
	if (cpu_count > 1 && !this_cpu->exclusive)
		lock_upgrade_of_many();
	this_cpu->exclusive = true;
}

/* Drops whichever it is. */
void kernel_unlock_of_many(void);
static inline void kernel_unlock(void)
{
	bool all = this_cpu->exclusive && cpu_count > 1;

	this_cpu->exclusive = false;
	if (all)
		kernel_unlock_of_many();
	else
		unlock_shared_of(this_cpu);
}

/* A try for an object's or a domain's flag; shared only (exclusive needs none). */
static inline __attribute__((always_inline)) bool flag_take(uint32_t *flag)
{
	return !bit_take(flag);
}

static inline __attribute__((always_inline)) void flag_drop(uint32_t *flag)
{
	__atomic_store_n(flag, 0, __ATOMIC_RELEASE);
}
