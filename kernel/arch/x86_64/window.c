/* window.c: see window.h. */
#include "kernel/arch/x86_64/window.h"

#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/kmem.h"
#include "kernel/panic.h"
#include "kernel/string.h"

enum {
	GATE_SIZE = 4096,
	IDT_ENTRIES = 256,
	STUB_SIZE = 16,
	IST_STACKS = 4,
	TSS_OFFSET = 0x100, /* in WINDOW_TABLES */
};

/* SDM 3A, 6.14.1 */
struct idt_entry {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct idt_entry) == 16, "SDM");

/* SDM 3A, 7.7 */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* ist[0] is IST1 */
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM");

extern const char gate_stubs_native[], gate_stubs_module[];
extern const uint8_t gate_vectors[], gate_vectors_end[];
extern const char gate_syscall[];

struct cpu *cpus[MAX_CPUS];
unsigned cpu_count;
static struct paddr idt_native, idt_module;
static uint64_t entries[MAX_CPUS][2]; /* of the window slot, by view */
static void *tables_of[MAX_CPUS];     /* the tables page, writable */


static uint8_t ist_of(uint8_t vector)
{
	switch (vector) {
	case 1:
		return 1; /* #DB */
	case 2:
		return 2; /* NMI */
	case 8:
		return 3; /* #DF */
	case 18:
		return 4; /* #MC */
	default:
		return 0;
	}
}

static bool open_to_programs(uint8_t vector)
{
	return vector == 3 || vector == 4 || vector == VECTOR_LINUX32 ||
	       vector == VECTOR_EXOKERNEL;
}

static struct paddr build_idt(const char *stubs)
{
	struct paddr page = boot_alloc_page();
	struct idt_entry *idt = phys_to_virt(page);

	for (const uint8_t *v = gate_vectors; v < gate_vectors_end; v++, stubs += STUB_SIZE) {
		uint64_t at = gate_address(stubs);

		idt[*v] = (struct idt_entry){
			.offset_low = (uint16_t)at,
			.offset_middle = (uint16_t)(at >> 16),
			.offset_high = (uint32_t)(at >> 32),
			.selector = SEL_KERNEL_CODE,
			.ist = ist_of(*v),
			.type = open_to_programs(*v) ? 0xee : 0x8e, /* interrupt gates */
		};
	}
	return page;
}

/* Flat 64-bit segments, all marked accessed: the page is read-only. */
static void build_tables(void *page)
{
	uint64_t *gdt = page;
	struct tss *tss = (struct tss *)((char *)page + TSS_OFFSET);
	uint64_t base = WINDOW_TABLES + TSS_OFFSET;

	gdt[SEL_KERNEL_CODE / 8] = 0x00af9b000000ffff;
	gdt[SEL_KERNEL_DATA / 8] = 0x00cf93000000ffff;
	gdt[SEL_MODULE_CODE / 8] = 0x00afbb000000ffff;
	gdt[SEL_MODULE_DATA / 8] = 0x00cfb3000000ffff;
	gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
	gdt[SEL_USER_CODE / 8] = 0x00affb000000ffff;
	gdt[SEL_TSS / 8] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
	                   0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
	tss->rsp[0] = ENTRY_STACK_TOP;
	for (unsigned i = 1; i <= IST_STACKS; i++)
		tss->ist[i - 1] = IST_STACK_TOP(i);
	tss->iomap = sizeof(*tss); /* past the limit: no port is open to ring 1 */
}

/* Shows `page` at window address `at` in the bottom-level table `table`. */
static void show(uint64_t *table, uint64_t at, struct paddr page, uint64_t flags)
{
	table[(at >> PAGE_SHIFT) % 512] = page.v | flags | PTE_PRESENT;
}

/* The three levels under the window slot; returns the bottom one. */
static uint64_t *build_view(uint64_t *slot)
{
	struct paddr third = boot_alloc_page(), second = boot_alloc_page();
	struct paddr bottom = boot_alloc_page();

	*slot = third.v | PTE_PRESENT | PTE_WRITE;
	*(uint64_t *)phys_to_virt(third) = second.v | PTE_PRESENT | PTE_WRITE;
	*(uint64_t *)phys_to_virt(second) = bottom.v | PTE_PRESENT | PTE_WRITE;
	return phys_to_virt(bottom);
}

static void show_private(uint64_t *native, struct paddr *cpu_area)
{
	uint64_t data = PTE_WRITE | PTE_NX;

	/* struct cpu is one run of pages, as kernel code keeps pointers to it
	 * in the linear map. */
	for (uint64_t at = 0; at < page_up(sizeof(struct cpu)); at += PAGE_SIZE)
		show(native, CPU_AREA + at, paddr(cpu_area->v + at), data);
	for (uint64_t at = KERNEL_STACK; at < KERNEL_STACK_TOP; at += PAGE_SIZE)
		show(native, at, boot_alloc_page(), data);
}

static char cpu_areas[MAX_CPUS][(sizeof(struct cpu) + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE]
	__attribute__((aligned(PAGE_SIZE)));

static void build_window(unsigned index)
{
	uint64_t data = PTE_WRITE | PTE_NX;
	struct paddr area = virt_to_phys(cpu_areas[index]);
	struct paddr cells = boot_alloc_page(), tables = boot_alloc_page();
	struct paddr top = boot_alloc_page();
	struct cpu *cpu = phys_to_virt(area);
	uint64_t *views[2] = {build_view(&entries[index][0]), build_view(&entries[index][1])};
	struct paddr stack;

	tables_of[index] = phys_to_virt(tables);
	build_tables(tables_of[index]);
	for (unsigned v = 0; v < 2; v++) {
		show(views[v], GATE_ENTRY, virt_to_phys(gate_start), 0);
		show(views[v], WINDOW_IDT, v ? idt_module : idt_native, PTE_NX);
		show(views[v], WINDOW_TABLES, tables, PTE_NX);
		show(views[v], WINDOW_CELLS, cells, PTE_NX);
	}
	for (unsigned i = 0; i <= IST_STACKS; i++) {
		stack = boot_alloc_page();
		show(views[0], IST_STACK(i), stack, data);
		show(views[1], IST_STACK(i), stack, data);
	}
	show_private(views[0], &area);
	memcpy(phys_to_virt(top), kernel_top, PAGE_SIZE);
	((uint64_t *)phys_to_virt(top))[SLOT_WINDOW] = entries[index][0];
	*cpu = (struct cpu){
		.index = index,
		.self = cpu,
		.cells = phys_to_virt(cells),
		.kernel_top = top.v,
		.armed = UINT64_MAX,
		.stop_at = UINT64_MAX,
	};
	cpu->cells->kernel_top = top.v;
	cpus[index] = cpu;
}

void windows_init(void)
{
	KASSERT(gate_end - gate_start == GATE_SIZE);
	idt_native = build_idt(gate_stubs_native);
	idt_module = build_idt(gate_stubs_module);
	for (unsigned i = 0; i < cpu_count; i++)
		build_window(i);
}

uint64_t window_entry(unsigned cpu, bool module_view)
{
	return entries[cpu][module_view];
}

void window_enter(unsigned cpu, void (*entry)(void))
{
	struct table_pointer gdt = {SEL_TSS + 16 - 1, WINDOW_TABLES};
	struct table_pointer writable = {SEL_TSS + 16 - 1, (uint64_t)tables_of[cpu]};
	struct table_pointer idt = {IDT_ENTRIES * sizeof(struct idt_entry) - 1, WINDOW_IDT};

	write_cr3(cpus[cpu]->kernel_top);
	lgdt(&writable);
	ltr(SEL_TSS); /* marks the TSS busy: the window's GDT is read-only */
	lgdt(&gdt);
	reload_segments();
	lidt(&idt);
	wrmsr(MSR_STAR, (uint64_t)SEL_KERNEL_CODE << 32 | (uint64_t)SEL_SYSRET << 48);
	wrmsr(MSR_LSTAR, gate_address(gate_syscall));
	wrmsr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	__asm__ volatile("movq %0, %%rsp; xorl %%ebp, %%ebp; call *%1; ud2" ::"r"(
				 (uint64_t)KERNEL_STACK_TOP),
	                 "r"(entry)
	                 : "memory");
	__builtin_unreachable();
}
