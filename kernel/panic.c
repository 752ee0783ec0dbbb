/* panic.c: see panic.h. Runs when anything may be broken, so it takes no lock
 * for long, believes no pointer it has not looked up in the page tables, and a
 * panic within it powers off at once. */
#include "kernel/panic.h"

#include <stdarg.h>

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/power.h"
#include "kernel/arch/x86_64/smp.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/symbols.h"

enum { BACKTRACE_MAX = 32 };

/* 1 + the index of the CPU that panics. */
static unsigned panicked;

static bool within(uint64_t v, uint64_t start, uint64_t end)
{
	return v >= start && v <= end - 16;
}

/* Whether a frame (saved RBP, return address) at `v` would be in a stack. */
static bool in_a_stack(uint64_t v)
{
	for (unsigned i = 1; i <= 4; i++)
		if (within(v, IST_STACK(i), IST_STACK_TOP(i)))
			return true;
	return within(v, KERNEL_STACK, KERNEL_STACK_TOP) ||
	       within(v, ENTRY_STACK, ENTRY_STACK_TOP) ||
	       within(v, (uint64_t)boot_stack, (uint64_t)boot_stack + BOOT_STACK_SIZE) ||
	       within(v, (uint64_t)smp_stacks, (uint64_t)smp_stacks + sizeof(smp_stacks));
}

/* As the MMU would look it up now. Page tables lie in PHYSMAP. */
static bool is_mapped(uint64_t v)
{
	uint64_t entry = read_cr3();

	for (unsigned level = 4; level >= 1; level--) {
		const uint64_t *table = phys_to_virt(paddr(entry & PTE_ADDRESS));

		entry = table[v >> (3 + 9 * level) & 511];
		if (!(entry & PTE_PRESENT))
			return false;
		if (entry & PTE_LARGE && level < 4)
			return true;
	}
	return true;
}

/* `lookup`: an address inside the instruction that `address` tells of. */
static void log_frame(unsigned n, uint64_t address, uint64_t lookup)
{
	char name[SYMBOL_NAME_MAX];
	uint64_t offset;

	if (symbol_lookup(lookup, name, sizeof(name), &offset))
		log_line("  #%u 0x%016lx %s+0x%lx", n, address, name,
		         offset + (address - lookup));
	else
		log_line("  #%u 0x%016lx", n, address);
}

static void backtrace(uint64_t rip, uint64_t rbp)
{
	unsigned n = 0;

	if (rip != 0)
		log_frame(n++, rip, rip);
	for (; n < BACKTRACE_MAX; n++) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (rbp % 8 != 0 || !in_a_stack(rbp) || !is_mapped(rbp) ||
		    !is_mapped(rbp + 15))
			break;
		if (frame[1] == 0)
			break;
		log_frame(n, frame[1], frame[1] - 1);
		rbp = frame[0];
	}
}

_Noreturn void panic_halt(void)
{
	for (;;) {
		cli();
		hlt();
	}
}

/* Lets one CPU through; a CPU that is through already powers off. */
static void become_the_one(void)
{
	unsigned nobody = 0, me = apic_cpu_index() + 1;

	cli();
	if (__atomic_compare_exchange_n(&panicked, &nobody, me, false,
	                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	if (nobody == me)
		power_off(PANIC_STATUS);
	panic_halt();
}

static _Noreturn void panic_with(uint64_t rip, uint64_t rbp, const char *format,
                                 va_list args)
{
	char message[LOG_LINE_MAX];

	become_the_one();
	log_panic_mode();
	apic_halt_others();
	log_format_va(message, sizeof(message), format, args);
	log_line("panic on CPU %u: %s", panicked - 1, message);
	backtrace(rip, rbp);
	power_off(PANIC_STATUS);
}

_Noreturn void panic_at(uint64_t rip, uint64_t rbp, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	panic_with(rip, rbp, format, args);
}

_Noreturn void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	panic_with(0, (uint64_t)__builtin_frame_address(0), format, args);
}

_Noreturn void panic_false(const char *what)
{
	panic_at(0, (uint64_t)__builtin_frame_address(0), "%s is false", what);
}
