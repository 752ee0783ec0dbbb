/* boot.h: from the loader's entry to kernel_main.
 *
 * When kernel_main runs, on the boot stack of CPU 0 with interrupts off:
 * - boot_info says which RAM is free, where the bundle is and where ACPI's root;
 * - kernel_top is loaded: PHYSMAP and KERNEL are filled, the low half is empty;
 * - boot_cpu_features() has run; SYSCALL, the IDT and the TSS are not set up;
 *   the GDT is a temporary one with layout.h's kernel selectors;
 * - acpi_init() has run, the LAPIC and IOAPIC are mapped, the PICs are masked.
 * Left to kernel_main, in this order: apic_init_cpu(), clock_init(),
 * uart_init(), and smp_start() once the other CPUs have something to do. */
#pragma once

#include "kernel/arch/x86_64/boot_stack.h"
#include "kernel/types.h"

enum { BOOT_REGIONS = 32 };

/* Physical memory past this is neither mapped nor used: PHYSMAP is one slot. */
#define BOOT_PHYS_END (512ul << 30)
/* So much RAM holds fewer than 2^32 page table entries, or slots for capabilities, and a
 * frame's and an object's references are counted in 32 bits. */
#define BOOT_RAM_END  (32ul << 30)

struct boot_region {
	struct paddr start; /* page-aligned */
	uint64_t size;      /* whole pages, not 0 */
};

struct boot_info {
	/* Free RAM, sorted, disjoint: without the first MiB, the kernel's image
	 * (its early tables and stacks are part of it) and the bundle. */
	struct boot_region usable[BOOT_REGIONS];
	unsigned usable_count;
	struct paddr bundle; /* not page-aligned by itself: as the loader put it */
	uint64_t bundle_size;
	struct paddr rsdp; /* 0: the loader named none */
	uint64_t entry_tsc; /* the TSC at the kernel's first instruction */
};

extern struct boot_info boot_info;

/* The kernel's template of a top-level table. Slots PHYSMAP and KERNEL never
 * change after boot, so they can be copied into other top-level tables. No
 * mapping is global. */
extern uint64_t kernel_top[512];

/* Size in bytes of the XSAVE area for the features in XCR0 (standard format). */
extern uint32_t boot_xsave_size;

/* XCR0 as set on every CPU: x87, SSE and, where there is one, AVX. */
extern uint64_t boot_xcr0;

/* A zeroed page, taken out of boot_info.usable. Only before the frame
 * allocator takes the regions over; panics when there is none. */
struct paddr boot_alloc_page(void);

/* Makes physical memory or registers that the loader's map does not call RAM
 * reachable by phys_to_virt (uncached: as device registers). Boot only. */
void boot_map(struct paddr start, uint64_t size, bool uncached);

/* Sets CR0, CR4, EFER.NXE and XCR0 on this CPU and clears RFLAGS.AC. Panics,
 * naming it, if the CPU lacks a feature that Tessera stands on. */
void boot_cpu_features(void);

/* The linker script's marks, all page-aligned. */
extern const char kernel_start[], text_start[], text_end[];
extern const char rodata_start[], rodata_end[];
extern const char data_start[], data_end[];
extern const char bss_start[], bss_end[], kernel_end[];

extern char boot_stack[BOOT_STACK_SIZE];

/* Called by boot.S; `start_info` is the PVH start-of-day structure. */
_Noreturn void boot_main(struct paddr start_info);

/* Where the portable kernel begins. */
_Noreturn void kernel_main(void);
