/* boot.c: takes the machine over from the loader.
 *
 * Reads what the loader left (checking all of it), works out which RAM is free
 * and builds kernel_top. No work grows with the size of RAM, save one table
 * entry per GiB (2 MiB at a region's edges, or where a CPU lacks 1 GiB pages).
 *
 * No mapping is ever global and CR4.PGE stays off: modules run in ring 1, a
 * supervisor to the MMU, and must not reach the kernel through a TLB entry
 * that outlived a switch of CR3. */
#include "kernel/arch/x86_64/boot.h"

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/string.h"

/* Xen's public/arch-x86/hvm/start_info.h, version 1. */
enum { PVH_MAGIC = 0x336ec578, PVH_VERSION = 1, PVH_MEMMAP_MAX = 256 };

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_count;
	uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_start_info) == 56, "PVH ABI");

struct pvh_module {
	uint64_t start;
	uint64_t size;
	uint64_t command_line;
	uint64_t reserved;
};
_Static_assert(sizeof(struct pvh_module) == 32, "PVH ABI");

enum { MEMMAP_RAM = 1 };

struct pvh_memmap {
	uint64_t start;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_memmap) == 24, "PVH ABI");

#define EARLY_END (1ul << 30) /* boot.S maps physical memory up to here */
#define LOW_END (1ul << 20)
#define SIZE_1G (1ul << 30)
#define SIZE_2M (1ul << 21)

struct boot_info boot_info;
uint64_t kernel_top[512] __attribute__((aligned(PAGE_SIZE)));
uint32_t boot_xsave_size;
uint64_t boot_xcr0;
extern uint64_t boot_entry_tsc; /* boot.S */

/* --- the CPU ----------------------------------------------------------- */

static void require(bool there, const char *feature)
{
	if (!there)
		panic("this CPU has no %s, which Tessera needs", feature);
}

static void set_xcr0(void)
{
	bool avx = cpuid(1, 0).ecx >> 28 & 1;

	boot_xcr0 = XCR0_X87 | XCR0_SSE | (avx ? XCR0_AVX : 0);
	xsetbv(0, boot_xcr0);
	boot_xsave_size = cpuid(0xd, 0).ebx;
}

void boot_cpu_features(void)
{
	uint32_t max = cpuid(0, 0).eax;
	struct cpuid one = cpuid(1, 0);
	struct cpuid seven = max >= 7 ? cpuid(7, 0) : (struct cpuid){0};
	uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE |
	               CR4_FSGSBASE | CR4_SMEP | CR4_SMAP;

	require(one.ecx >> 26 & 1 && max >= 0xd, "XSAVE");
	require(seven.ebx >> 0 & 1, "FSGSBASE");
	require(seven.ebx >> 7 & 1, "SMEP");
	require(seven.ebx >> 20 & 1, "SMAP");
	require(cpuid(0x80000001, 0).edx >> 20 & 1, "NX");
	if (seven.ecx >> 2 & 1)
		cr4 |= CR4_UMIP;

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	write_cr4(cr4);
	clac();
	set_xcr0();
}

/* --- free RAM ---------------------------------------------------------- */

static struct boot_region *const regions = boot_info.usable;

static void region_remove(unsigned i)
{
	boot_info.usable_count--;
	memmove(&regions[i], &regions[i + 1],
	        (boot_info.usable_count - i) * sizeof(regions[0]));
}

static void leave_unused(uint64_t start, uint64_t end)
{
	log_line("boot: memory from 0x%lx to 0x%lx is not used", start, end);
}

static void region_insert(unsigned i, uint64_t start, uint64_t end)
{
	if (boot_info.usable_count == BOOT_REGIONS) {
		leave_unused(start, end);
		return;
	}
	memmove(&regions[i + 1], &regions[i],
	        (boot_info.usable_count - i) * sizeof(regions[0]));
	regions[i] = (struct boot_region){paddr(start), end - start};
	boot_info.usable_count++;
}

/* Adds [start, end), both page-aligned, joining it with what it touches. */
static void region_add(uint64_t start, uint64_t end)
{
	unsigned i = 0;

	if (end > BOOT_RAM_END) {
		leave_unused(start > BOOT_RAM_END ? start : BOOT_RAM_END, end);
		end = BOOT_RAM_END;
	}
	if (start >= end)
		return;
	while (i < boot_info.usable_count) {
		uint64_t other = regions[i].start.v;
		uint64_t other_end = other + regions[i].size;

		if (other_end < start) {
			i++;
			continue;
		}
		if (other > end)
			break;
		start = other < start ? other : start;
		end = other_end > end ? other_end : end;
		region_remove(i);
	}
	region_insert(i, start, end);
}

/* Takes [start, end), both page-aligned, out. */
static void region_cut(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < boot_info.usable_count;) {
		uint64_t other = regions[i].start.v;
		uint64_t other_end = other + regions[i].size;

		if (other_end <= start || other >= end) {
			i++;
			continue;
		}
		region_remove(i);
		if (other < start)
			region_insert(i++, other, start);
		if (other_end > end)
			region_insert(i++, end, other_end);
	}
}

static bool region_holds(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < boot_info.usable_count; i++)
		if (regions[i].start.v <= start &&
		    end <= regions[i].start.v + regions[i].size)
			return true;
	return false;
}

struct paddr boot_alloc_page(void)
{
	struct paddr page;

	if (boot_info.usable_count == 0)
		panic("no RAM for the kernel's tables");
	page = regions[0].start;
	regions[0].start.v += PAGE_SIZE;
	regions[0].size -= PAGE_SIZE;
	if (regions[0].size == 0)
		region_remove(0);
	memset(phys_to_virt(page), 0, PAGE_SIZE);
	return page;
}

/* --- what the loader says ---------------------------------------------- */

/* What boot.S's tables reach, or panic. */
static const void *early_read(uint64_t start, uint64_t size, const char *what)
{
	if (start == 0 || start >= EARLY_END || size > EARLY_END - start)
		panic("the loader's %s at 0x%lx is out of reach", what, start);
	return phys_to_virt(paddr(start));
}

/* An entry's range, cut to what we can use; false: nothing is left. */
static bool memmap_range(const struct pvh_memmap *e, uint64_t *start, uint64_t *end)
{
	if (e->start >= BOOT_PHYS_END || e->size == 0)
		return false;
	*start = e->start;
	*end = e->size > BOOT_PHYS_END - e->start ? BOOT_PHYS_END
	                                          : e->start + e->size;
	return true;
}

/* RAM is rounded in, all else out; where they overlap it is not RAM. */
static void read_memmap(const struct pvh_start_info *info)
{
	const struct pvh_memmap *map;
	uint64_t start, end;

	if (info->memmap_count == 0 || info->memmap_count > PVH_MEMMAP_MAX)
		panic("the loader's memory map has %u entries", info->memmap_count);
	map = early_read(info->memmap, info->memmap_count * sizeof(*map),
	                 "memory map");
	for (unsigned i = 0; i < info->memmap_count; i++)
		if (map[i].type == MEMMAP_RAM && memmap_range(&map[i], &start, &end))
			region_add(page_up(start), page_down(end));
	for (unsigned i = 0; i < info->memmap_count; i++)
		if (map[i].type != MEMMAP_RAM && memmap_range(&map[i], &start, &end))
			region_cut(page_down(start), page_up(end));
}

static void read_bundle(const struct pvh_start_info *info)
{
	const struct pvh_module *module;
	uint64_t start, end;

	if (info->module_count == 0)
		panic("the loader gave no bundle (QEMU: -initrd FILE)");
	module = early_read(info->modules, sizeof(*module), "module list");
	start = module->start;
	end = start + module->size;
	if (module->size == 0 || end < start || end > BOOT_PHYS_END ||
	    !region_holds(page_down(start), page_up(end)))
		panic("the bundle, 0x%lx bytes at 0x%lx, is not in RAM",
		      module->size, start);
	if (start < virt_to_phys(kernel_end).v)
		panic("the bundle at 0x%lx overlaps the kernel", start);
	boot_info.bundle = paddr(start);
	boot_info.bundle_size = module->size;
}

static void read_start_info(struct paddr start_info)
{
	const struct pvh_start_info *info =
		early_read(start_info.v, sizeof(*info), "start info");

	if (info->magic != PVH_MAGIC || info->version < PVH_VERSION)
		panic("no PVH start info, version %u or later, at 0x%lx",
		      PVH_VERSION, start_info.v);
	read_memmap(info);
	if (!region_holds(virt_to_phys(kernel_start).v, virt_to_phys(kernel_end).v))
		panic("the kernel's own image is not in the loader's map");
	read_bundle(info);
	boot_info.rsdp = paddr(info->rsdp);
}

/* --- the kernel's tables ----------------------------------------------- */

/* The entry for `virt` at `level` (1: 4 KiB, 2: 2 MiB, 3: 1 GiB), tables made
 * as needed; null where a larger page already stands. */
static uint64_t *table_entry(uint64_t virt, unsigned level)
{
	uint64_t *table = kernel_top;

	for (unsigned l = 4;; l--) {
		uint64_t *entry = &table[virt >> (3 + 9 * l) & 511];

		if (l == level)
			return entry;
		if (*entry == 0)
			*entry = boot_alloc_page().v | PTE_PRESENT | PTE_WRITE;
		if (*entry & PTE_LARGE)
			return NULL;
		table = phys_to_virt(paddr(*entry & PTE_ADDRESS));
	}
}

/* Maps [phys, end) by pages of `level`, smaller ones where a table stands in the
 * way; what is mapped already stays as it is. */
static void map(uint64_t virt, uint64_t phys, uint64_t end, unsigned level,
                uint64_t flags)
{
	uint64_t step = 1ul << (3 + 9 * level);
	uint64_t leaf = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY |
	                (level > 1 ? PTE_LARGE : 0);

	for (; phys < end; virt += step, phys += step) {
		uint64_t *entry = table_entry(virt, level);

		if (entry && *entry == 0)
			*entry = phys | flags | leaf;
		else if (entry && level > 1 && !(*entry & PTE_LARGE))
			map(virt, phys, phys + step, level - 1, flags);
	}
}

static void map_image(const char *start, const char *end, uint64_t flags)
{
	KASSERT(page_down((uint64_t)start) == (uint64_t)start);
	map((uint64_t)start, virt_to_phys(start).v, virt_to_phys(end).v, 1, flags);
}

/* By 1 GiB pages in the middle and 2 MiB pages around it, rounded out. */
static void map_ram(uint64_t start, uint64_t end)
{
	bool huge = cpuid(0x80000001, 0).edx >> 26 & 1;
	uint64_t middle, middle_end;

	start &= ~(SIZE_2M - 1);
	end = (end + SIZE_2M - 1) & ~(SIZE_2M - 1);
	middle = (start + SIZE_1G - 1) & ~(SIZE_1G - 1);
	middle_end = end & ~(SIZE_1G - 1);
	if (!huge || middle >= middle_end)
		middle = middle_end = end;
	map(PHYSMAP_BASE + start, start, middle, 2, PTE_WRITE | PTE_NX);
	map(PHYSMAP_BASE + middle, middle, middle_end, 3, PTE_WRITE | PTE_NX);
	map(PHYSMAP_BASE + middle_end, middle_end, end, 2, PTE_WRITE | PTE_NX);
}

void boot_map(struct paddr start, uint64_t size, bool uncached)
{
	uint64_t flags = PTE_WRITE | PTE_NX | (uncached ? PTE_PCD | PTE_PWT : 0);
	uint64_t first = page_down(start.v);

	KASSERT(start.v < BOOT_PHYS_END && size <= BOOT_PHYS_END - start.v);
	map(PHYSMAP_BASE + first, first, page_up(start.v + size), 1, flags);
}

/* `ram`: the regions before anything was cut out of them. The tables' own pages
 * come from below EARLY_END: boot.S maps no more, and regions[0] is lowest. */
static void build_kernel_top(const struct boot_region *ram, unsigned count)
{
	map_image(text_start, text_end, 0);
	map_image(rodata_start, rodata_end, PTE_NX);
	map_image(data_start, bss_end, PTE_WRITE | PTE_NX);
	for (unsigned i = 0; i < count; i++)
		map_ram(ram[i].start.v, ram[i].start.v + ram[i].size);
	KASSERT(kernel_top[SLOT_PHYSMAP] && kernel_top[SLOT_KERNEL]);
	KASSERT(kernel_top[0] == 0);
	KASSERT(regions[0].start.v < EARLY_END);
	write_cr3(virt_to_phys(kernel_top).v);
}

_Noreturn void boot_main(struct paddr start_info)
{
	struct boot_region ram[BOOT_REGIONS];
	unsigned ram_count;

	boot_info.entry_tsc = boot_entry_tsc;
	boot_cpu_features();
	read_start_info(start_info);
	ram_count = boot_info.usable_count;
	memcpy(ram, regions, sizeof(ram));
	region_cut(0, LOW_END);
	region_cut(virt_to_phys(kernel_start).v, virt_to_phys(kernel_end).v);
	region_cut(page_down(boot_info.bundle.v),
	           page_up(boot_info.bundle.v + boot_info.bundle_size));
	build_kernel_top(ram, ram_count);
	acpi_init();
	apic_init();
	kernel_main();
}
