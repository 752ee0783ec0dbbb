/* trap.c: what gate.S calls, but for native threads' cap_enter, which comes in by fastpath.c.
 *
 * Each is exclusive (lock.h), does what is asked, and leaves by sched_leave(); only
 * an interrupt in the idle loop returns. */
#include "kernel/arch/x86_64/trap.h"

#include "abi/ring.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/window.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/console.h"
#include "kernel/ending.h"
#include "kernel/entropy.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/ring.h"
#include "kernel/sched.h"
#include "abi/process.capnp.h"

struct trap_inside_frame {
	uint64_t rbp, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

void trap_outside(uint64_t vector, uint64_t error);
void trap_inside_handle(struct trap_inside_frame *frame);

static void system_call(struct thread *t, unsigned kind, uint64_t number, uint64_t first,
                        uint64_t second)
{
	switch (number) {
	case SYS_CAP_ENTER:
		ring_enter(t, kind, first, second);
		return;
	case SYS_EXIT:
		thread_leave(t, (int32_t)first, END_REASON_EXITED);
		return;
	default:
		t->regs.rax = STATUS_INVALID;
	}
}

static unsigned kind_of(const struct thread *t)
{
	return (t->regs.cs & 3) == 1 ? RING_MODULE : RING_PROGRAM;
}

void trap_syscall(uint64_t first, uint64_t second, struct thread *t, uint64_t number)
{
	kernel_lock();
	if (!t->dying)
		system_call(t, kind_of(t), number, first, second);
	sched_leave();
}

void trap_enter(uint64_t least, uint64_t timeout_ns, struct thread *t)
{
	lock_upgrade();
	if (!t->dying)
		ring_enter(t, RING_PROGRAM, least, timeout_ns);
	sched_leave();
}

/* True: it was an interrupt, and is dealt with. */
static bool interrupt(uint64_t vector)
{
	switch (vector) {
	case VECTOR_TIMER:
		sched_tick();
		break;
	case VECTOR_UART:
		console_input();
		break;
	case VECTOR_KICK:
	case VECTOR_SHOOTDOWN:
		break;
	case VECTOR_SPURIOUS:
		return true;
	default:
		return false;
	}
	entropy_note();
	apic_eoi();
	return true;
}

/* Interrupts that must be answered without the lock: its holder may wait. */
static void answer_unlocked(uint64_t vector)
{
	if (vector == VECTOR_HALT)
		panic_halt();
	tlb_answer();
}

/* Not of anybody's making: NMI, double fault, machine check. */
static bool is_fatal(uint64_t vector)
{
	return vector == 2 || vector == 8 || vector == 18;
}

void trap_outside(uint64_t vector, uint64_t error)
{
	struct thread *t = this_cpu->current;
	uint64_t address = read_cr2();

	answer_unlocked(vector);
	if (is_fatal(vector))
		panic_at(t->regs.rip, t->regs.rbp, "vector %lu in ring %lu", vector,
		         t->regs.cs & 3);
	kernel_lock();
	if (vector == VECTOR_EXOKERNEL) {
		if (!t->dying)
			system_call(t, kind_of(t), t->regs.rax, t->regs.rdi, t->regs.rsi);
	} else if (!interrupt(vector) && !t->dying) {
		process_fault(t, (uint32_t)vector, (uint32_t)error, vector == 14 ? address : 0);
	}
	sched_leave();
}

/* The gate faulted on what a module or a program left it with. The registers at
 * the fault are the gate's own: only where it happened is worth telling. */
static void gate_fault(struct trap_inside_frame *frame)
{
	struct thread *t = this_cpu->current;
	uint64_t address = read_cr2();

	if (!t)
		panic_at(frame->rip, frame->rbp, "gate fault on an idle CPU, vector %lu",
		         frame->vector);
	t->regs.rip = frame->rip;
	t->regs.cs = frame->cs;
	kernel_lock();
	if (!t->dying)
		process_fault(t, (uint32_t)frame->vector, (uint32_t)frame->error, address);
	sched_leave();
}

void trap_inside_handle(struct trap_inside_frame *frame)
{
	bool in_gate = frame->rip >= GATE_ENTRY && frame->rip < GATE_ENTRY + PAGE_SIZE;

	answer_unlocked(frame->vector);
	if (in_gate && frame->vector < 32 && !is_fatal(frame->vector))
		gate_fault(frame);
	if (frame->vector < 32)
		panic_at(frame->rip, frame->rbp, "vector %lu, error %lx, address %lx",
		         frame->vector, frame->error, read_cr2());
	kernel_lock();
	if (!interrupt(frame->vector))
		panic_at(frame->rip, frame->rbp, "vector %lu", frame->vector);
	ending_left = ENDING_WORK;
	kernel_unlock();
}
