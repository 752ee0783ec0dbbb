/* acpi.c: see acpi.h. Layouts are those of the ACPI specification 6.5, chapter
 * 5.2; fields are read by offset, as many are not aligned. */
#include "kernel/arch/x86_64/acpi.h"

#include "kernel/arch/x86_64/boot.h"
#include "kernel/log.h"
#include "kernel/string.h"

enum {
	RSDP_SIZE_1 = 20, RSDP_SIZE_2 = 36, RSDP_REVISION = 15, RSDP_RSDT = 16,
	RSDP_LENGTH = 20, RSDP_XSDT = 24,
	TABLE_LENGTH = 4, TABLE_HEADER = 36, TABLE_MAX = 1 << 20,
	MADT_LAPIC = 36, MADT_ENTRIES = 44,
	FADT_PM1A_CONTROL = 64, FADT_PM_TIMER = 76, FADT_PM_TIMER_LENGTH = 91,
	FADT_FLAGS = 112, FADT_SIZE = 116, FADT_TIMER_32BIT = 1 << 8,
};

/* What a PC has where no table says otherwise; the port is QEMU's. */
struct acpi_info acpi_info = {
	.cpu_count = 1,
	.lapic = {0xfee00000},
	.ioapic = {0xfec00000},
	.pm1a_control = 0x604,
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool sum_is_zero(const uint8_t *p, size_t size)
{
	uint8_t sum = 0;

	while (size-- > 0)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

/* Physical memory that firmware names, mapped; null past what can be. */
static const uint8_t *reach(uint64_t start, uint64_t size)
{
	if (start == 0 || start >= BOOT_PHYS_END || size > BOOT_PHYS_END - start)
		return NULL;
	boot_map(paddr(start), size, false);
	return phys_to_virt(paddr(start));
}

/* A whole table whose signature is `name`, or null. */
static const uint8_t *table_at(uint64_t start, const char *name, uint32_t *length)
{
	const uint8_t *table = reach(start, TABLE_HEADER);

	if (!table || memcmp(table, name, 4) != 0)
		return NULL;
	*length = get32(table + TABLE_LENGTH);
	if (*length < TABLE_HEADER || *length > TABLE_MAX || !reach(start, *length) ||
	    !sum_is_zero(table, *length)) {
		log_line("acpi: damaged table %s at 0x%lx", name, start);
		return NULL;
	}
	return table;
}

/* --- the MADT ---------------------------------------------------------- */

enum { MADT_CPU = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_64 = 5 };

static void madt_cpu(const uint8_t *e)
{
	if (!(get32(e + 4) & 1))
		return; /* not enabled */
	if (acpi_info.cpu_count < MAX_CPUS)
		acpi_info.lapic_ids[acpi_info.cpu_count++] = e[3];
	else
		log_line("acpi: more than %u CPUs, LAPIC %u unused", MAX_CPUS, e[3]);
}

/* Polarity in flags bits 1:0 and trigger in 3:2; 0 is "as the bus", which on
 * ISA is edge and active high. */
static void madt_override(const uint8_t *e)
{
	uint16_t flags = get16(e + 8);

	if (e[2] == 0 && e[3] < ACPI_ISA_IRQS)
		acpi_info.isa[e[3]] = (struct acpi_isa_irq){
			.gsi = get32(e + 4),
			.active_low = (flags & 3) == 3,
			.level = (flags >> 2 & 3) == 3,
		};
}

static void madt_entry(const uint8_t *e, unsigned size)
{
	if (e[0] == MADT_CPU && size >= 8)
		madt_cpu(e);
	else if (e[0] == MADT_IOAPIC && size >= 12 && get32(e + 8) == 0)
		acpi_info.ioapic = paddr(get32(e + 4));
	else if (e[0] == MADT_OVERRIDE && size >= 10)
		madt_override(e);
	else if (e[0] == MADT_LAPIC_64 && size >= 12)
		acpi_info.lapic = paddr(get64(e + 4));
}

static void read_madt(const uint8_t *madt, uint32_t length)
{
	if (length < MADT_ENTRIES)
		return;
	acpi_info.cpu_count = 0;
	acpi_info.lapic = paddr(get32(madt + MADT_LAPIC));
	for (uint32_t at = MADT_ENTRIES; at + 2 <= length;) {
		uint32_t size = madt[at + 1];

		if (size < 2 || size > length - at) {
			log_line("acpi: damaged MADT entry at %u", at);
			break;
		}
		madt_entry(madt + at, size);
		at += size;
	}
	if (acpi_info.cpu_count == 0)
		acpi_info.cpu_count = 1;
}

/* --- the FADT and the root --------------------------------------------- */

static uint16_t port_of(uint32_t address)
{
	return address <= UINT16_MAX ? (uint16_t)address : 0;
}

static void read_fadt(const uint8_t *fadt, uint32_t length)
{
	if (length < FADT_SIZE)
		return;
	acpi_info.pm1a_control = port_of(get32(fadt + FADT_PM1A_CONTROL));
	if (fadt[FADT_PM_TIMER_LENGTH] == 4)
		acpi_info.pm_timer = port_of(get32(fadt + FADT_PM_TIMER));
	acpi_info.pm_timer_32bit = get32(fadt + FADT_FLAGS) & FADT_TIMER_32BIT;
}

static void read_root(const uint8_t *root, uint32_t length, unsigned width)
{
	uint32_t size;

	for (uint32_t at = TABLE_HEADER; at + width <= length; at += width) {
		uint64_t start = width == 8 ? get64(root + at) : get32(root + at);
		const uint8_t *table;

		if ((table = table_at(start, "APIC", &size)))
			read_madt(table, size);
		else if ((table = table_at(start, "FACP", &size)))
			read_fadt(table, size);
	}
}

static bool is_rsdp(const uint8_t *p)
{
	return memcmp(p, "RSD PTR ", 8) == 0 && sum_is_zero(p, RSDP_SIZE_1);
}

/* Where a BIOS leaves it, for loaders that do not say. */
static const uint8_t *find_rsdp(void)
{
	if (boot_info.rsdp.v != 0) {
		const uint8_t *p = reach(boot_info.rsdp.v, RSDP_SIZE_2);

		return p && is_rsdp(p) ? p : NULL;
	}
	for (uint64_t at = 0xe0000; at < 0x100000; at += 16) {
		const uint8_t *p = phys_to_virt(paddr(at));

		if (is_rsdp(p))
			return p;
	}
	return NULL;
}

void acpi_init(void)
{
	const uint8_t *rsdp, *root = NULL;
	unsigned width = 8;
	uint32_t length;

	for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
		acpi_info.isa[i].gsi = i;
	reach(0xe0000, 0x20000);
	rsdp = find_rsdp();
	if (!rsdp) {
		log_line("acpi: no root pointer (0x%lx)", boot_info.rsdp.v);
		return;
	}
	if (rsdp[RSDP_REVISION] >= 2 && get32(rsdp + RSDP_LENGTH) >= RSDP_SIZE_2 &&
	    sum_is_zero(rsdp, RSDP_SIZE_2))
		root = table_at(get64(rsdp + RSDP_XSDT), "XSDT", &length);
	if (!root) {
		root = table_at(get32(rsdp + RSDP_RSDT), "RSDT", &length);
		width = 4;
	}
	if (!root)
		return;
	acpi_info.found = true;
	read_root(root, length, width);
}
