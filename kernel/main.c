/* main.c: from a bare machine to the initial init system.
 *
 * Registers NONE, the first libOS: an empty module that holds a capability for
 * everything. Starts the IIS as PID 1 under it. */
#include "abi/module.h"
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
#include "kernel/image.h"
#include "kernel/libos.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/messages.h"
#include "kernel/panic.h"
#include "kernel/power.h"
#include "kernel/sched.h"
#include "kernel/schedcontrol.h"
#include "kernel/spawner.h"
#include "kernel/string.h"
#include "kernel/timer.h"
#include "kernel/trace.h"

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

static struct libos *register_none(void)
{
	const struct libos_request request = {
		.id = "NONE", .id_length = 4, .ledger = kmem_root,
		.bytes = page_down(ledger_room(kmem_root)),
	};
	struct libos *none;

	if (libos_register(&request, &none))
		panic("NONE cannot be registered");
	grant(none, "console", console_object());
	grant(none, "timer", timer_object());
	grant(none, "memory", memory_pool_create(none->domain->ledger));
	grant(none, "ledger", ledger_object_create(none->domain->ledger));
	grant(none, "power", power_object());
	grant(none, "scheduling", sched_control_object());
	grant(none, "libos", libos_table_object());
	grant(none, "entropy", entropy_object());
	grant(none, "inspector", inspector_object());
	grant(none, "spawner", spawner_object());
	grant(none, "thread", thread_control_object());
	object_hold(message_buffer_object(none->messages));
	grant(none, "modules", message_buffer_object(none->messages));
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
	if (process_use_domain(process, none->domain))
		panic("no memory for the IIS's CapSet");
	if (boot_info.bundle.v % PAGE_SIZE)
		panic("the IIS does not begin on a page");
	/* The exokernel knows of the bundle where it starts and how long it is, and
	 * that an ELF program stands at its beginning. */
	if (image_load_program(process->space, bundle, boot_info.bundle_size, &start.entry))
		panic("the IIS cannot be loaded");
	if (thread_create(process, &start, &thread))
		panic("no memory for the IIS's thread");
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
	trace_init();
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
