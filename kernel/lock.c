/* lock.c: see lock.h.
 *
 * A lock is taken by whoever runs: one that is handed over in turn stands still
 * whenever a hypervisor has taken the next CPU in line off its processor. The
 * exclusive way takes all in the order of the CPUs, holding none at first. */
#include "kernel/lock.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/x86.h"

void lock_wait(struct cpu *cpu)
{
	do {
		while (__atomic_load_n(&cpu->lock, __ATOMIC_RELAXED)) {
			tlb_answer(); /* the holder may be waiting for us */
			pause();
		}
	} while (bit_take(&cpu->lock));
}

void kernel_lock(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		(void)lock_shared_of(cpus[i]);
	this_cpu->exclusive = true;
}

void lock_upgrade_of_many(void)
{
	unlock_shared_of(this_cpu);
	kernel_lock();
}

void kernel_unlock_of_many(void)
{
	for (unsigned i = cpu_count; i-- > 0;)
		__atomic_store_n(&cpus[i]->lock, 0, __ATOMIC_RELEASE);
}
