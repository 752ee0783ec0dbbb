/* apic.h: the local APIC (xAPIC, memory-mapped) and the IOAPIC.
 *
 * CPUs are named by index: 0 is the boot CPU, the others follow in the MADT's
 * order. All but apic_send_ipi and apic_halt_others act on the calling CPU's
 * own APIC. Callers have interrupts off. */
#pragma once

#include "kernel/types.h"

/* CPUs that ACPI lists, at most MAX_CPUS. Which of them run: smp.h. */
extern unsigned apic_cpu_count;

/* Masks the 8259s and the IOAPIC, and gives CPUs their indices. Called by
 * boot_main. */
void apic_init(void);

/* Enables this CPU's APIC: spurious vector, timer one-shot and disarmed, all
 * else masked. */
void apic_init_cpu(void);

/* A CPU's APIC id. */
uint8_t apic_id_of(unsigned cpu);

/* This CPU's index, from its APIC. For boot and panic: slow. */
unsigned apic_cpu_index(void);

void apic_eoi(void);

/* Raises VECTOR_TIMER on this CPU once, `ns` from now: 0 is as soon as can be,
 * UINT64_MAX is never. A longer wait than the counter holds (seconds) ends
 * early: compare clock_now() and arm again. */
void apic_arm_timer(uint64_t ns);

void apic_send_ipi(unsigned cpu, uint8_t vector);

/* Sends VECTOR_HALT to every other CPU. Does nothing before apic_init_cpu. */
void apic_halt_others(void);

/* INIT, then the start-up IPI: CPU `cpu` begins at `page`, below 1 MiB. */
void apic_send_init(unsigned cpu);
void apic_send_startup(unsigned cpu, struct paddr page);

/* Delivers ISA interrupt `irq` as `vector` on `cpu`, polarity and trigger as
 * ACPI says, unmasked. Callers serialise: the IOAPIC is one for all. */
void ioapic_route_isa(unsigned irq, uint8_t vector, unsigned cpu);

/* For the clock's calibration: the timer counts down from UINT32_MAX, masked;
 * what it has come to; and the rate that was found. */
void apic_timer_measure(void);
uint32_t apic_timer_count(void);
void apic_timer_set_rate(uint64_t hz);
