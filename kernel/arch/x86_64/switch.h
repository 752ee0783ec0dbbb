/* switch.h: a CPU changes over from one thread to another. */
#pragma once

#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/window.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/process.h"
#include "kernel/space.h"

extern const char gate_syscall_module[], gate_syscall_native[];

/* The thread's registers are in memory from now on, not in this CPU. */
static inline void switch_from(struct thread *t)
{
	struct cpu *cpu = this_cpu;

	if (cpu->registers != t)
		return;
	t->regs.fs_base = rdfsbase();
	t->regs.gs_base = rdgsbase();
	xsave(t->fpu, boot_xcr0);
	cpu->registers = NULL;
}

static inline void switch_registers(struct thread *t)
{
	null_segments(); /* a thread may have left selectors of its own */
	wrfsbase(t->regs.fs_base);
	wrgsbase(t->regs.gs_base);
	xrstor(t->fpu, boot_xcr0);
	this_cpu->registers = t;
}

/* Which table the gate loads, and what it needs to know of the module. */
static inline void switch_to_module(struct thread *t, struct space *space)
{
	struct cpu *cpu = this_cpu;

	if (cpu->loaded)
		write_cr3(cpu->kernel_top);
	cpu->next_top = space_top(space, cpu->index);
	cpu->loaded = NULL;
	cpu->cells->syscall = gate_address(gate_syscall_module);
	cpu->cells->module_stack = t->regs.module_stack;
	cpu->cells->module_syscall = t->process->module_syscall;
	cpu->cells->module_trap = t->process->module_trap;
}

/* `loaded` is what stands in CR3 whenever the lock is free: tlb_leave relies on
 * it. Where it is not NULL, the cells are those of a native space. */
static inline void switch_to_native(struct space *space)
{
	struct cpu *cpu = this_cpu;

	if (cpu->loaded == space)
		return;
	write_cr3(space_top(space, cpu->index));
	if (!cpu->loaded) {
		cpu->next_top = 0;
		cpu->cells->syscall = gate_address(gate_syscall_native);
	}
	cpu->loaded = space;
}

static inline void switch_space(struct thread *t)
{
	struct space *space = t->process->space;

	this_cpu->running = space;
	if (space->module)
		switch_to_module(t, space);
	else
		switch_to_native(space);
}

/* All that `t` needs is in this CPU, or will be when the gate has resumed it. */
static inline void switch_to(struct thread *t)
{
	if (this_cpu->registers != t)
		switch_registers(t);
	switch_space(t);
}
