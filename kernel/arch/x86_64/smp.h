/* smp.h: the other CPUs. */
#pragma once

#include "kernel/arch/x86_64/boot_stack.h"
#include "kernel/types.h"

/* Starts every other CPU that ACPI lists, waits until each has come, for a
 * second at most, and logs how many did. Each calls entry(its index, from 1)
 * with interrupts off, on a boot stack of its own of SMP_STACK_SIZE bytes, with
 * boot_cpu_features() done and kernel_top loaded; its APIC is not yet enabled.
 * `entry` must not return. CPUs that come too late are parked for good. */
void smp_start(void (*entry)(unsigned cpu));

/* Whether that CPU runs; the boot CPU (0) always does. */
bool smp_online(unsigned cpu);

/* How many run, the boot CPU included. */
extern unsigned smp_count;

extern char smp_stacks[MAX_CPUS][SMP_STACK_SIZE];
