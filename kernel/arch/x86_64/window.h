/* window.h: each CPU's window (layout.h): descriptor tables, entry stacks, the
 * gate, and the CPU's own data. */
#pragma once

#include "kernel/types.h"

/* Builds the windows of all cpu_count CPUs, and cpus[]. Boot only. */
void windows_init(void);

/* Makes this CPU use its window; it goes on at `entry` on its kernel stack. */
_Noreturn void window_enter(unsigned cpu, void (*entry)(void));

/* What stands in the window slot of CPU `cpu`'s top-level tables. */
uint64_t window_entry(unsigned cpu, bool module_view);

/* Where something of the gate's page is seen in the window. */
extern const char gate_start[], gate_end[];
static inline uint64_t gate_address(const char *in_gate)
{
	return GATE_ENTRY + (uint64_t)(in_gate - gate_start);
}
