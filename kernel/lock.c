/* lock.c: see lock.h.
 *
 * A lock is taken by whoever runs: one that is handed over in turn stands still
 * whenever a hypervisor has taken the next CPU in line off its processor. The
 * exclusive way takes all in the order of the CPUs, holding none at first. It tells a
 * CPU that it wants its lock, so that one that is in and out by the shared way all the
 * time makes room. */
#include "kernel/lock.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/x86.h"

/* Whoever wants the lock may have lost its processor. A test may wait longer. */
#ifndef LOCK_PATIENCE
#define LOCK_PATIENCE 1000
#endif

static bool is_taken(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->lock, __ATOMIC_RELAXED);
}

static bool is_wanted(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->long_way, __ATOMIC_RELAXED) & LONG_WAY_WANTED;
}

static void meanwhile(void)
{
	tlb_answer(); /* the holder may be waiting for us */
	pause();
}

void lock_wait(struct cpu *cpu)
{
	do {
		while (is_taken(cpu))
			meanwhile();
	} while (bit_take(&cpu->lock));
}

/* Others that wait for it say again that they do. */
static void lock_wait_first(struct cpu *cpu)
{
	do {
		while (is_taken(cpu)) {
			(void)__atomic_fetch_or(&cpu->long_way, LONG_WAY_WANTED, __ATOMIC_RELAXED);
			meanwhile();
		}
	} while (bit_take(&cpu->lock));
	(void)__atomic_fetch_and(&cpu->long_way, LONG_WAY_TRACED, __ATOMIC_RELAXED);
}

void kernel_lock(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (bit_take(&cpus[i]->lock))
			lock_wait_first(cpus[i]);
	this_cpu->exclusive = true;
}

void lock_upgrade_of_many(void)
{
	unlock_shared_of(this_cpu);
	for (unsigned n = 0; n < LOCK_PATIENCE && is_wanted(this_cpu) && !is_taken(this_cpu); n++)
		meanwhile();
	kernel_lock();
}

void kernel_unlock_of_many(void)
{
	for (unsigned i = cpu_count; i-- > 0;)
		__atomic_store_n(&cpus[i]->lock, 0, __ATOMIC_RELEASE);
}
