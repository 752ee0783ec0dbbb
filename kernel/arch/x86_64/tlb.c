/* tlb.c: see tlb.h.
 *
 * A thread under a module enters the exokernel by a change of CR3, which
 * empties the TLB (no PCIDs, no global pages): for it, being in the kernel is
 * enough. A native thread's translations live on in the kernel.
 *
 * The waiting CPU holds the kernel lock; the others answer from the interrupt,
 * or from the loop in which they wait for the lock. */
#include "kernel/arch/x86_64/tlb.h"

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/panic.h"

static bool shows(const struct space *shown, const struct space *s)
{
	return shown && (shown == s || shown->module == s);
}

void tlb_forget(struct space *s, uint64_t address)
{
	if (shows(this_cpu->loaded, s))
		invlpg(address);
	s->stale = true;
}

static void ask(struct cpu *cpu)
{
	cpu->flush = true;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the look at it in tlb_answer */
	apic_send_ipi(cpu->index, VECTOR_SHOOTDOWN);
}

void tlb_sync(struct space *s)
{
	if (!s->stale)
		return;
	s->stale = false;
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *cpu = cpus[i];

		if (cpu != this_cpu->self && (shows(cpu->running, s) || shows(cpu->loaded, s)))
			ask(cpu);
	}
	for (unsigned i = 0; i < cpu_count; i++)
		while (cpus[i] != this_cpu->self && cpus[i]->flush)
			pause();
}

/* Other CPUs have what their current threads are in, or nothing, when their locks are free. */
void tlb_leave(const struct space *s)
{
	KASSERT(this_cpu->running != s);
	if (this_cpu->loaded == s) {
		this_cpu->loaded = NULL;
		write_cr3(this_cpu->kernel_top);
	}
}

/* In the kernel on this CPU's own tables, no space is loaded any more. */
void tlb_answer(void)
{
	if (!this_cpu->flush)
		return;
	this_cpu->loaded = NULL;
	write_cr3(this_cpu->kernel_top);
	__atomic_store_n(&this_cpu->flush, false, __ATOMIC_RELEASE);
}
