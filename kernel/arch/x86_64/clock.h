/* clock.h: time since boot, from the TSC.
 *
 *     ns = (tsc - tsc_base) * mult >> shift      (128-bit product)
 * The scale is set once by clock_init and then never changes, so it may be
 * handed to programs. Its shift is the same on every machine. */
#pragma once

#include "kernel/arch/x86_64/x86.h"
#include "kernel/types.h"

enum { CLOCK_SHIFT = 32 };

struct clock_scale {
	uint64_t mult;
	uint32_t shift;
	uint32_t reserved;
	uint64_t tsc_base; /* the TSC at the kernel's first instruction */
};

extern struct clock_scale clock_scale;
extern uint64_t clock_tsc_hz;

/* Finds the rates of the TSC and of the LAPIC timer: from CPUID where it tells,
 * else against ACPI's PM timer, for a millisecond at most. After
 * apic_init_cpu(), on CPU 0. */
void clock_init(void);

/* Nanoseconds since the kernel's first instruction; 0 before clock_init. */
uint64_t clock_now(void);
static inline uint64_t clock_ns_from_tsc(uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)(tsc - clock_scale.tsc_base) * clock_scale.mult >>
	                  CLOCK_SHIFT);
}

/* The same inlined, where every instruction counts. */
static inline uint64_t clock_read(void)
{
	return clock_ns_from_tsc(rdtsc());
}

/* The wall clock, in ns since 1970-01-01 UTC, at the moment when clock_now()
 * was 0. Good to a second: it is read from the CMOS clock, once, when first
 * asked for. 0: the CMOS clock makes no sense. */
uint64_t clock_wall_at_boot(void);

/* The same; 0: nobody has asked yet. */
extern uint64_t clock_wall;
static inline uint64_t clock_wall_if_known(void)
{
	return __atomic_load_n(&clock_wall, __ATOMIC_RELAXED);
}
