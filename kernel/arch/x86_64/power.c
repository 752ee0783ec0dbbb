/* power.c: see power.h. */
#include "kernel/arch/x86_64/power.h"

#include "kernel/account.h"
#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/panic.h"

enum {
	PM1_SLEEP = 1 << 13, /* SLP_EN, with SLP_TYP 0: S5 on QEMU's machines */
	QEMU_EXIT = 0xf4,
	PATIENCE = 1000000, /* QEMU obeys from another thread */
};

/* The accounts are exact at any time, so at this one; runs are judged by it. */
static void check_accounts(void)
{
	const char *wrong = account_check();

	if (wrong)
		log_line("accounting: WRONG: %s", wrong);
	else
		log_line("accounting: exact, %u frames free, %u ledgers", kmem_frames.free_count,
		         account_count());
}

_Noreturn void power_off(uint32_t status)
{
	cli();
	check_accounts();
	log_line("power off, status %u", status);
	if (acpi_info.pm1a_control != 0)
		outw(acpi_info.pm1a_control, PM1_SLEEP);
	for (unsigned i = 0; i < PATIENCE; i++)
		pause();
	outl(QEMU_EXIT, status);
	panic_halt();
}
