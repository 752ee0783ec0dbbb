/* main.c: from a bare machine to the initial init system.
 *
 * Registers NONE, the first libOS: an empty module that holds a capability for
 * everything. Starts the IIS as PID 1 under it. */
#include "abi/module.h"
#include "core/elf.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/smp.h"
#include "kernel/arch/x86_64/uart.h"
#include "kernel/arch/x86_64/window.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/console.h"
#include "kernel/domain.h"
#include "kernel/entropy.h"
#include "kernel/inspector.h"
#include "kernel/ledger.h"
#include "kernel/libos.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/power.h"
#include "kernel/sched.h"
#include "kernel/spawner.h"
#include "kernel/string.h"
#include "kernel/timer.h"

/* Bytes of RAM that were not the bundle's, before anything was taken. */
static uint64_t memory_at_start;

static void note_memory(void)
{
	memory_at_start = (uint64_t)(kernel_end - kernel_start);
	for (unsigned i = 0; i < boot_info.usable_count; i++)
		memory_at_start += boot_info.usable[i].size;
}

static void grant(struct libos *l, const char *name, struct object *o)
{
	if (!o || domain_grant(l->domain, name, strlen(name), o))
		panic("NONE cannot be given %s", name);
}

static void map_segment(struct space *space, struct memobject *bundle,
                        const struct elf_segment *s)
{
	uint64_t start = page_down(s->vaddr);
	uint64_t pages = (page_up(s->vaddr + s->memory_size) - start) >> PAGE_SHIFT;
	uint32_t access = ACCESS_READ | (s->flags & ELF_WRITE ? ACCESS_WRITE : 0) |
	                  (s->flags & ELF_EXECUTE ? ACCESS_EXECUTE : 0);

	if (space_fresh(space, start, pages, access))
		panic("no memory for the IIS");
	for (uint64_t done = 0; done < s->file_size;) {
		uint64_t at = s->vaddr + done;
		uint64_t step = PAGE_SIZE - at % PAGE_SIZE;

		if (step > s->file_size - done)
			step = s->file_size - done;
		if (memobject_copy(bundle, s->file_offset + done,
		                   space_reach(space, at, false), step, false))
			panic("the IIS cannot be read");
		done += step;
	}
}

/* The exokernel knows of the bundle where it starts and how long it is, and
 * that an ELF program stands at its beginning. */
static uint64_t load_iis(struct space *space, struct memobject *bundle)
{
	struct elf_image elf;

	if (boot_info.bundle.v % PAGE_SIZE)
		panic("the IIS does not begin on a page");
	if (elf_check(phys_to_virt(boot_info.bundle), boot_info.bundle_size, PAGE_SIZE,
	              PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE, &elf) || elf.type != ELF_EXEC)
		panic("the IIS cannot be loaded: %s", elf.reason ? elf.reason : "no ET_EXEC");
	for (unsigned i = 0; i < elf.segment_count; i++)
		map_segment(space, bundle, &elf.segments[i]);
	if (space_fresh(space, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE,
	                PROGRAM_STACK_SIZE >> PAGE_SHIFT, ACCESS_READ | ACCESS_WRITE))
		panic("no memory for the IIS's stack");
	return elf.entry;
}

static struct libos *register_none(void)
{
	struct libos *none;

	if (libos_register("NONE", 4, kmem_root, page_down(ledger_room(kmem_root)),
	                   &none))
		panic("NONE cannot be registered");
	grant(none, "console", console_object());
	grant(none, "timer", timer_object());
	grant(none, "memory", memory_pool_create(none->domain->ledger));
	grant(none, "ledger", ledger_object_create(none->domain->ledger));
	grant(none, "power", power_object());
	grant(none, "libos", libos_table_object());
	grant(none, "entropy", entropy_object());
	grant(none, "inspector", inspector_object());
	grant(none, "spawner", spawner_object());
	grant(none, "thread", thread_control_object());
	return none;
}

static void start_iis(void)
{
	uint64_t pages = page_up(boot_info.bundle_size) >> PAGE_SHIFT;
	struct libos *none = register_none();
	struct thread_start start = {
		.stack = PROGRAM_STACK_TOP,
		.argument = boot_info.bundle_size,
	};
	struct memobject *bundle;
	struct process *process;
	struct thread *thread;

	bundle = memobject_adopt(none->domain->ledger, boot_info.bundle, pages);
	if (!bundle || process_create(none, 1, &process))
		panic("no memory for PID 1");
	grant(none, "bundle", &bundle->object);
	object_hold(&process->space->object);
	grant(none, "space", &process->space->object);
	object_hold(&process->object);
	grant(none, "self", &process->object);
	process->domain = none->domain;
	domain_hold(none->domain);
	start.entry = load_iis(process->space, bundle);
	if (thread_create(process, &start, &thread))
		panic("no memory for the IIS's thread");
	if (space_map_frame(process->space, PROGRAM_CAPSET, virt_to_frame(none->domain->capset),
	                    PTE_PRESENT | PTE_USER | PTE_NX))
		panic("no memory for the IIS's CapSet");
	none->used = true;
	object_drop(&none->object);
	object_drop(&process->object);
	log_line("%lu bytes of memory taken at the IIS's start, bundle excluded",
	         memory_at_start - ((uint64_t)kmem_frames.free_count << PAGE_SHIFT));
	if (thread_start(thread))
		panic("the IIS's thread does not start");
	object_drop(&thread->object);
}

static void other_cpu_main(void)
{
	apic_init_cpu();
	kernel_lock();
	sched_leave();
}

static void other_cpu(unsigned index)
{
	window_enter(index, other_cpu_main);
}

static void first_cpu_main(void)
{
	clock_init();
	entropy_init();
	uart_init();
	uart_enable_rx_interrupt();
	kernel_lock();
	start_iis();
	kernel_unlock();
	if (cpu_count > 1)
		smp_start(other_cpu);
	kernel_lock();
	sched_leave();
}

void kernel_main(void)
{
	note_memory();
	apic_init_cpu();
	cpu_count = apic_cpu_count ? apic_cpu_count : 1;
	windows_init();
	kmem_init();
	window_enter(0, first_cpu_main);
}
