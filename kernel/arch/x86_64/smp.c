/* smp.c: see smp.h. All CPUs are started at once; each finds its index, and by
 * it its stack, from its APIC id, so they need not wait for one another. */
#include "kernel/arch/x86_64/smp.h"

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/string.h"

#define TRAMPOLINE 0x8000ul /* in the first MiB, which is never handed out */
#define NS_PER_MS 1000000ul

enum { WAIT_FIRST_MS = 10, WAIT_ALL_MS = 1000 };

/* A CPU leaves EXPECTED once: to ONLINE by itself, to GIVEN_UP by CPU 0. */
enum smp_state { SMP_ABSENT, SMP_EXPECTED, SMP_ONLINE, SMP_GIVEN_UP };

extern const char trampoline_start[], trampoline_end[];

uint8_t smp_cpu_of_apic[256]; /* read by boot.S */
unsigned smp_count = 1;

static uint8_t state[MAX_CPUS] = {SMP_ONLINE};
static void (*ap_entry_point)(unsigned cpu);

bool smp_online(unsigned cpu)
{
	return cpu < MAX_CPUS &&
	       __atomic_load_n(&state[cpu], __ATOMIC_ACQUIRE) == SMP_ONLINE;
}

static bool leave_expected(unsigned cpu, enum smp_state to)
{
	uint8_t expected = SMP_EXPECTED;

	return __atomic_compare_exchange_n(&state[cpu], &expected, (uint8_t)to, false,
	                                   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Called by boot.S on each CPU's boot stack. */
_Noreturn void smp_ap_main(unsigned cpu);
_Noreturn void smp_ap_main(unsigned cpu)
{
	boot_cpu_features();
	write_cr3(virt_to_phys(kernel_top).v);
	if (leave_expected(cpu, SMP_ONLINE)) {
		ap_entry_point(cpu);
		panic("CPU %u's entry returned", cpu);
	}
	panic_halt();
}

static unsigned online(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < apic_cpu_count; i++)
		n += smp_online(i);
	return n;
}

static void wait_until_online(uint64_t ms)
{
	uint64_t end = clock_now() + ms * NS_PER_MS;

	while (online() < apic_cpu_count && clock_now() < end)
		pause();
}

static void start_expected(void)
{
	for (unsigned i = 1; i < apic_cpu_count; i++)
		if (!smp_online(i))
			apic_send_startup(i, paddr(TRAMPOLINE));
}

/* The SDM asks for 10 ms between INIT and start-up and for a second start-up
 * IPI; CPUs of this century need neither (Linux: init_udelay = 0), so the
 * second is sent only to those that have not come. */
void smp_start(void (*entry)(unsigned cpu))
{
	KASSERT((size_t)(trampoline_end - trampoline_start) <= PAGE_SIZE);
	ap_entry_point = entry;
	memcpy(phys_to_virt(paddr(TRAMPOLINE)), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	for (unsigned i = 1; i < apic_cpu_count; i++) {
		smp_cpu_of_apic[apic_id_of(i)] = (uint8_t)i;
		__atomic_store_n(&state[i], SMP_EXPECTED, __ATOMIC_RELEASE);
		apic_send_init(i);
	}
	start_expected();
	wait_until_online(WAIT_FIRST_MS);
	if (online() < apic_cpu_count) {
		start_expected();
		wait_until_online(WAIT_ALL_MS);
	}
	for (unsigned i = 1; i < apic_cpu_count; i++)
		leave_expected(i, SMP_GIVEN_UP);
	smp_count = online();
	log_line("smp: %u of %u CPUs run", smp_count, apic_cpu_count);
}
