/* apic.c: see apic.h. Registers and bits: Intel SDM volume 3, chapter 11; the
 * 82093AA data sheet for the IOAPIC. */
#include "kernel/arch/x86_64/apic.h"

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/panic.h"

enum {
	LAPIC_ID = 0x20, LAPIC_TPR = 0x80, LAPIC_EOI = 0xb0, LAPIC_SVR = 0xf0,
	LAPIC_ICR_LOW = 0x300, LAPIC_ICR_HIGH = 0x310, LAPIC_TIMER = 0x320,
	LAPIC_LINT0 = 0x350, LAPIC_LINT1 = 0x360, LAPIC_ERROR = 0x370,
	LAPIC_INITIAL = 0x380, LAPIC_CURRENT = 0x390, LAPIC_DIVIDE = 0x3e0,

	LAPIC_ENABLE = 1 << 8,
	LVT_MASKED = 1 << 16,
	DIVIDE_BY_1 = 0xb,
	ICR_INIT = 5 << 8, ICR_STARTUP = 6 << 8, ICR_PENDING = 1 << 12,
	ICR_ASSERT = 1 << 14, ICR_OTHERS = 3 << 18,

	APIC_BASE_X2APIC = 1 << 10, APIC_BASE_ENABLE = 1 << 11,

	IOAPIC_SELECT = 0x00, IOAPIC_WINDOW = 0x10,
	IOAPIC_VERSION = 1, IOAPIC_REDIRECTION = 0x10,
	REDIRECT_LOW_ACTIVE = 1 << 13, REDIRECT_LEVEL = 1 << 15,
	REDIRECT_MASKED = 1 << 16,

	PIC1_DATA = 0x21, PIC2_DATA = 0xa1,
};

unsigned apic_cpu_count = 1;

static volatile uint8_t *lapic; /* null before apic_init */
static volatile uint8_t *ioapic;
static unsigned ioapic_inputs;
static uint8_t lapic_ids[MAX_CPUS]; /* by CPU index */
static bool can_send; /* CPU 0's APIC is enabled */

/* Timer ticks per ns, times 2^32. Set once, on CPU 0. */
static uint64_t timer_mult;

static uint32_t lapic_read(unsigned reg)
{
	return *(volatile uint32_t *)(lapic + reg);
}

static void lapic_write(unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(lapic + reg) = v;
}

static uint32_t ioapic_read(uint32_t reg)
{
	*(volatile uint32_t *)(ioapic + IOAPIC_SELECT) = reg;
	return *(volatile uint32_t *)(ioapic + IOAPIC_WINDOW);
}

static void ioapic_write(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(ioapic + IOAPIC_SELECT) = reg;
	*(volatile uint32_t *)(ioapic + IOAPIC_WINDOW) = v;
}

/* The boot CPU is 0; the others follow in the MADT's order. */
static void name_cpus(uint8_t boot_id)
{
	lapic_ids[0] = boot_id;
	apic_cpu_count = 1;
	for (unsigned i = 0; acpi_info.found && i < acpi_info.cpu_count; i++)
		if (acpi_info.lapic_ids[i] != boot_id && apic_cpu_count < MAX_CPUS)
			lapic_ids[apic_cpu_count++] = acpi_info.lapic_ids[i];
}

static void mask_all(void)
{
	outb(PIC1_DATA, 0xff);
	outb(PIC2_DATA, 0xff);
	ioapic_inputs = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
	for (unsigned i = 0; i < ioapic_inputs; i++)
		ioapic_write(IOAPIC_REDIRECTION + 2 * i, REDIRECT_MASKED);
}

void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (base & APIC_BASE_X2APIC)
		panic("the loader left the APIC in x2APIC mode");
	if (acpi_info.lapic.v >= BOOT_PHYS_END ||
	    page_down(acpi_info.lapic.v) != page_down(base & PTE_ADDRESS))
		acpi_info.lapic = paddr(base & PTE_ADDRESS);
	boot_map(acpi_info.lapic, PAGE_SIZE, true);
	boot_map(acpi_info.ioapic, PAGE_SIZE, true);
	lapic = phys_to_virt(acpi_info.lapic);
	ioapic = phys_to_virt(acpi_info.ioapic);
	name_cpus((uint8_t)(lapic_read(LAPIC_ID) >> 24));
	mask_all();
}

void apic_init_cpu(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	lapic_write(LAPIC_SVR, LAPIC_ENABLE | VECTOR_SPURIOUS);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LINT0, LVT_MASKED);
	lapic_write(LAPIC_LINT1, LVT_MASKED);
	lapic_write(LAPIC_ERROR, LVT_MASKED);
	lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
	lapic_write(LAPIC_INITIAL, 0);
	lapic_write(LAPIC_TIMER, VECTOR_TIMER); /* one-shot */
	can_send = true;
}

unsigned apic_cpu_index(void)
{
	uint8_t id;

	if (!lapic)
		return 0;
	id = (uint8_t)(lapic_read(LAPIC_ID) >> 24);
	for (unsigned i = 0; i < apic_cpu_count; i++)
		if (lapic_ids[i] == id)
			return i;
	return 0;
}

void apic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

/* --- between CPUs ------------------------------------------------------ */

static void send(unsigned cpu, uint32_t command)
{
	KASSERT(cpu < apic_cpu_count);
	while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING)
		pause();
	lapic_write(LAPIC_ICR_HIGH, (uint32_t)lapic_ids[cpu] << 24);
	lapic_write(LAPIC_ICR_LOW, command | ICR_ASSERT);
}

void apic_send_ipi(unsigned cpu, uint8_t vector)
{
	send(cpu, vector);
}

void apic_send_init(unsigned cpu)
{
	send(cpu, ICR_INIT);
}

void apic_send_startup(unsigned cpu, struct paddr page)
{
	KASSERT(page.v < 1 << 20 && page.v % PAGE_SIZE == 0);
	send(cpu, ICR_STARTUP | (uint32_t)(page.v >> PAGE_SHIFT));
}

void apic_halt_others(void)
{
	if (can_send)
		lapic_write(LAPIC_ICR_LOW, ICR_OTHERS | ICR_ASSERT | VECTOR_HALT);
}

uint8_t apic_id_of(unsigned cpu)
{
	KASSERT(cpu < apic_cpu_count);
	return lapic_ids[cpu];
}

/* --- the timer --------------------------------------------------------- */

void apic_timer_measure(void)
{
	lapic_write(LAPIC_TIMER, VECTOR_TIMER | LVT_MASKED);
	lapic_write(LAPIC_INITIAL, UINT32_MAX);
}

uint32_t apic_timer_count(void)
{
	return lapic_read(LAPIC_CURRENT);
}

void apic_timer_set_rate(uint64_t hz)
{
	KASSERT(hz > 0 && hz <= UINT32_MAX);
	timer_mult = (hz << 32) / 1000000000;
	lapic_write(LAPIC_INITIAL, 0);
	lapic_write(LAPIC_TIMER, VECTOR_TIMER);
}

void apic_arm_timer(uint64_t ns)
{
	unsigned __int128 ticks = (unsigned __int128)ns * timer_mult >> 32;

	if (ns == UINT64_MAX)
		ticks = 0; /* disarms */
	else if (ticks == 0)
		ticks = 1;
	else if (ticks > UINT32_MAX)
		ticks = UINT32_MAX;
	lapic_write(LAPIC_INITIAL, (uint32_t)ticks);
}

/* --- the IOAPIC -------------------------------------------------------- */

void ioapic_route_isa(unsigned irq, uint8_t vector, unsigned cpu)
{
	const struct acpi_isa_irq *isa;
	uint32_t low = vector;

	KASSERT(irq < ACPI_ISA_IRQS && cpu < apic_cpu_count);
	isa = &acpi_info.isa[irq];
	if (isa->gsi >= ioapic_inputs)
		panic("ISA interrupt %u is at IOAPIC input %u of %u", irq, isa->gsi,
		      ioapic_inputs);
	low |= isa->active_low ? REDIRECT_LOW_ACTIVE : 0;
	low |= isa->level ? REDIRECT_LEVEL : 0;
	ioapic_write(IOAPIC_REDIRECTION + 2 * isa->gsi + 1,
	             (uint32_t)lapic_ids[cpu] << 24);
	ioapic_write(IOAPIC_REDIRECTION + 2 * isa->gsi, low);
}
