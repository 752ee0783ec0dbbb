/* switch.h: a CPU changes over from one thread to another. */
#pragma once

#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/window.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/process.h"
#include "kernel/space.h"

extern const char gate_syscall_module[], native_syscall[];

#define SWITCH static inline __attribute__((always_inline))

/* The current thread's registers are in memory from now on, not in this CPU. */
SWITCH void switch_from(struct thread *t)
{
	t->regs.fs_base = rdfsbase();
	t->regs.gs_base = rdgsbase();
	xsave(t->fpu, XCR0_ALL);
}

SWITCH void switch_registers(struct cpu *cpu, struct thread *t)
{
	null_segments(); /* a thread may have left selectors of its own */
	wrfsbase(t->regs.fs_base);
	wrgsbase(t->regs.gs_base);
	xrstor(t->fpu, XCR0_ALL);
	cpu->registers = t;
}

/* Which table the gate loads, and what it needs to know of the module. */
static inline void switch_to_module(struct cpu *cpu, struct thread *t, struct space *space)
{
	if (cpu->loaded)
		write_cr3(cpu->kernel_top);
	cpu->next_top = space->top[cpu->index];
	cpu->loaded = NULL;
	cpu->cells->syscall = gate_address(gate_syscall_module);
	cpu->cells->module_stack = t->regs.module_stack;
	cpu->cells->module_syscall = t->process->module_syscall;
	cpu->cells->module_trap = t->process->module_trap;
}

/* `loaded` is what stands in CR3 whenever the lock is free: tlb_leave relies on
 * it. Where it is not NULL, the cells are those of a native space. */
SWITCH void switch_to_native(struct cpu *cpu, struct space *space)
{
	if (cpu->loaded == space)
		return;
	write_cr3(space->top[cpu->index]);
	if (__builtin_expect(!cpu->loaded, 0)) {
		cpu->next_top = 0;
		cpu->cells->syscall = (uint64_t)native_syscall;
	}
	cpu->loaded = space;
}

/* All that `t` needs is in this CPU, or will be when the gate has resumed it. */
static inline void switch_to(struct cpu *cpu, struct thread *t)
{
	struct space *space = t->process->space;

	if (cpu->registers != t)
		switch_registers(cpu, t);
	cpu->running = space;
	if (space->module)
		switch_to_module(cpu, t, space);
	else
		switch_to_native(cpu, space);
}
