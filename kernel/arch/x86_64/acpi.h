/* acpi.h: what the firmware's tables say about CPUs, interrupts and power.
 *
 * Reads the RSDP, RSDT or XSDT, MADT and FADT once, with every length and
 * checksum checked; never runs AML. */
#pragma once

#include "kernel/types.h"

enum { ACPI_ISA_IRQS = 16 };

struct acpi_isa_irq {
	uint32_t gsi;
	bool active_low;
	bool level;
};

struct acpi_info {
	bool found;              /* false: the rest holds the PC's defaults */
	unsigned cpu_count;      /* enabled CPUs, at most MAX_CPUS, at least 1 */
	uint8_t lapic_ids[MAX_CPUS]; /* in the MADT's order */
	struct paddr lapic;
	struct paddr ioapic;     /* the one whose inputs start at GSI 0 */
	struct acpi_isa_irq isa[ACPI_ISA_IRQS];
	uint16_t pm1a_control;   /* I/O port; 0: none */
	uint16_t pm_timer;       /* I/O port; 0: none */
	bool pm_timer_32bit;
};

extern struct acpi_info acpi_info;

/* Fills acpi_info from boot_info.rsdp. A table that is missing or damaged is
 * logged and leaves its defaults. */
void acpi_init(void);
