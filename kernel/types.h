/* types.h: the kinds of address, and the few helpers that everything needs.
 *
 * A physical address, an address in a program or module, and a kernel pointer
 * never mix: the first two are one-field structs, the third a C pointer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/arch/x86_64/layout.h"

/* A physical address. */
struct paddr {
	uint64_t v;
};

/* An address that a program or a module named: an allegation until checked. */
struct uaddr {
	uint64_t v;
};

static inline struct paddr paddr(uint64_t v)
{
	return (struct paddr){v};
}

/* RAM, the LAPIC and the IOAPIC, through the linear map. */
static inline void *phys_to_virt(struct paddr p)
{
	return (void *)(PHYSMAP_BASE + p.v);
}

/* For pointers into the linear map or into the kernel's image. */
static inline struct paddr virt_to_phys(const void *p)
{
	uint64_t v = (uint64_t)p;

	return paddr(v >= KERNEL_BASE ? v - KERNEL_BASE : v - PHYSMAP_BASE);
}

static inline uint64_t page_down(uint64_t v)
{
	return v & ~(uint64_t)(PAGE_SIZE - 1);
}

/* Wraps to 0 within the last page of the 64-bit range. */
static inline uint64_t page_up(uint64_t v)
{
	return page_down(v + PAGE_SIZE - 1);
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
