/* sched.c: see sched.h. */
#include "kernel/sched.h"

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/window.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/revoker.h"
#include "kernel/space.h"

enum { INTERRUPT_RETRY_NS = 1000000 };

extern const char gate_resume[], gate_syscall_module[], gate_syscall_native[];

static void append(struct cpu *cpu, struct thread *t)
{
	t->next = NULL;
	t->prev = cpu->ready_tail;
	if (cpu->ready_tail)
		cpu->ready_tail->next = t;
	else
		cpu->ready_head = t;
	cpu->ready_tail = t;
	t->cpu = (uint8_t)cpu->index;
}

static struct cpu *idle_cpu(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpus[i]->idle && !cpus[i]->ready_head)
			return cpus[i];
	return NULL;
}

/* This CPU if it is about to be free, else where the thread ran last if that is
 * idle, else any idle one. */
static struct cpu *choose_cpu(const struct thread *t)
{
	struct cpu *here = this_cpu->self, *cpu;

	if (!here->ready_head && (!here->current || here->current->state != THREAD_RUNNING))
		return here;
	if (cpus[t->cpu]->idle && !cpus[t->cpu]->ready_head)
		return cpus[t->cpu];
	cpu = idle_cpu();
	return cpu ? cpu : here;
}

void sched_enqueue(struct thread *t)
{
	struct cpu *cpu = choose_cpu(t);

	append(cpu, t);
	if (cpu != this_cpu->self)
		apic_send_ipi(cpu->index, VECTOR_KICK);
}

void sched_dequeue(struct thread *t)
{
	struct cpu *cpu = cpus[t->cpu];

	*(t->prev ? &t->prev->next : &cpu->ready_head) = t->next;
	*(t->next ? &t->next->prev : &cpu->ready_tail) = t->prev;
	t->next = t->prev = NULL;
}

void sched_kick(struct thread *t)
{
	if (t->cpu != this_cpu->index)
		apic_send_ipi(t->cpu, VECTOR_KICK);
}

void sched_tick(void)
{
	uint64_t now = clock_now();

	this_cpu->armed = TIMEOUT_NEVER;
	timeout_run(now);
	if (this_cpu->ready_head && now >= this_cpu->slice_end)
		this_cpu->reschedule = true;
}

/* The thread's registers are in memory from now on, not in this CPU. */
static void save_registers(struct thread *t)
{
	struct cpu *cpu = this_cpu;

	if (cpu->registers != t)
		return;
	t->regs.fs_base = rdfsbase();
	t->regs.gs_base = rdgsbase();
	xsave(t->fpu, boot_xcr0);
	cpu->registers = NULL;
}

static void load_registers(struct thread *t)
{
	if (this_cpu->registers == t)
		return;
	null_segments(); /* a thread may have left selectors of its own */
	wrfsbase(t->regs.fs_base);
	wrgsbase(t->regs.gs_base);
	xrstor(t->fpu, boot_xcr0);
	this_cpu->registers = t;
}

/* Which table the gate loads, and what it needs to know of the module. */
static void load_space(struct thread *t)
{
	struct space *space = t->process->space;
	struct cpu *cpu = this_cpu;
	uint64_t top = virt_to_phys(space->top[cpu->index]).v;

	cpu->running = space;
	/* `loaded` is what stands in CR3 whenever the lock is free: tlb_leave
	 * relies on it. */
	if (space->module) {
		if (cpu->loaded)
			write_cr3(cpu->kernel_top);
		cpu->next_top = top;
		cpu->loaded = NULL;
		cpu->cells->syscall = gate_address(gate_syscall_module);
		cpu->cells->module_stack = t->regs.module_stack;
		cpu->cells->module_syscall = t->process->module_syscall;
		cpu->cells->module_trap = t->process->module_trap;
		return;
	}
	if (cpu->loaded != space)
		write_cr3(top);
	cpu->next_top = 0;
	cpu->loaded = space;
	cpu->cells->syscall = gate_address(gate_syscall_native);
}

/* The current thread stops running here; what becomes of it is decided. */
static void put_current(void)
{
	struct thread *t = this_cpu->current;

	if (!t)
		return;
	save_registers(t);
	this_cpu->current = NULL;
	this_cpu->running = NULL;
	if (t->state == THREAD_RUNNING && t->dying) {
		thread_end(t);
	} else if (t->state == THREAD_RUNNING && t->suspended) {
		t->state = THREAD_SUSPENDED;
	} else if (t->state == THREAD_RUNNING) {
		t->state = THREAD_READY;
		append(this_cpu->self, t);
	}
	object_drop(&t->object); /* what being current held */
}

static bool current_goes_on(void)
{
	const struct thread *t = this_cpu->current;

	return t && t->state == THREAD_RUNNING && !t->dying && !t->suspended &&
	       !this_cpu->reschedule;
}

/* Moves a thread of a busier CPU here. */
static struct thread *steal(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpus[i]->ready_head && cpus[i]->current)
			return cpus[i]->ready_head;
	return NULL;
}

static bool take_next(void)
{
	struct thread *t = this_cpu->ready_head;

	if (!t)
		t = steal();
	if (!t)
		return false;
	sched_dequeue(t);
	t->state = THREAD_RUNNING;
	t->cpu = (uint8_t)this_cpu->index;
	object_hold(&t->object);
	this_cpu->current = t;
	this_cpu->slice_end = clock_now() + SCHED_SLICE_NS;
	return true;
}

/* Thread.interrupt found the thread in its module: look again soon. */
static bool interrupt_is_due(void)
{
	return this_cpu->current && this_cpu->current->interrupted;
}

static void arm_timer(void)
{
	uint64_t at = timeout_next();
	uint64_t now;

	if (this_cpu->ready_head && this_cpu->slice_end < at)
		at = this_cpu->slice_end;
	if (at == this_cpu->armed && !interrupt_is_due())
		return;
	now = clock_now();
	if (interrupt_is_due() && at > now + INTERRUPT_RETRY_NS)
		at = now + INTERRUPT_RETRY_NS;
	this_cpu->armed = at;
	apic_arm_timer(at == TIMEOUT_NEVER ? UINT64_MAX : at > now ? at - now : 0);
}

static void idle(void)
{
	this_cpu->loaded = NULL;
	write_cr3(this_cpu->kernel_top);
	this_cpu->idle = true;
	arm_timer();
	kernel_unlock();
	sti_hlt_cli();
	kernel_lock();
	this_cpu->idle = false;
	ring_serve_chained();
	thread_reap();
}

_Noreturn static void resume(struct thread *t)
{
	load_registers(t);
	load_space(t);
	arm_timer();
	kernel_unlock();
	((void (*)(struct thread *))gate_address(gate_resume))(t);
	__builtin_unreachable();
}

void sched_leave(void)
{
	for (;;) {
		ring_serve_chained();
		revoker_reap();
		thread_reap();
		if (current_goes_on()) {
			if (this_cpu->current->interrupted)
				process_deliver_interrupt(this_cpu->current);
			if (current_goes_on())
				resume(this_cpu->current);
		}
		put_current();
		this_cpu->reschedule = false;
		while (!take_next())
			idle();
	}
}
