/* sched.c: see sched.h. */
#include "kernel/sched.h"

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/switch.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/ending.h"
#include "kernel/leave.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/revoker.h"
#include "kernel/schedclock.h"
#include "kernel/space.h"

enum { INTERRUPT_RETRY_NS = 1000000 };

extern const char gate_resume[];

static struct thread *thread_of_node(struct runqueue_node *n)
{
	return (struct thread *)((char *)n - offsetof(struct thread, node));
}

/* --- where to -------------------------------------------------------------- */

/* The priority that its current thread runs at; -1: none does. */
static int running_level(const struct cpu *cpu)
{
	const struct thread *t = cpu->current;

	return t && t->state == THREAD_RUNNING && t->context ? (int)sched_priority(t) : -1;
}

static int queue_level(const struct cpu *cpu)
{
	return cpu->queue.bits ? RUNQUEUE_TOP - __builtin_clzll(cpu->queue.bits) : -1;
}

/* Who is above this would run there at once. */
static int level(const struct cpu *cpu)
{
	int running = running_level(cpu), queued = queue_level(cpu);

	return running > queued ? running : queued;
}

static bool is_free(const struct cpu *cpu)
{
	return cpu->idle && !cpu->queue.bits;
}

/* The CPU with the least to lose; one that has not begun yet is none. */
static struct cpu *lowest_cpu(void)
{
	struct cpu *best = this_cpu->self;
	int best_level = level(best);

	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *cpu = cpus[i];

		if (is_free(cpu))
			return cpu;
		if (cpu->current && level(cpu) < best_level) {
			best = cpu;
			best_level = level(cpu);
		}
	}
	return best;
}

/* This CPU if it is about to be free, else where the thread ran last if that is
 * idle, else any idle one, else this one unless the thread would run at once
 * elsewhere only. */
static struct cpu *choose_cpu(const struct thread *t)
{
	struct cpu *here = this_cpu->self, *lowest;
	int here_level, priority = (int)sched_priority(t);

	if (cpu_count == 1)
		return here;
	here_level = level(here);
	if (here_level < 0)
		return here;
	if (is_free(cpus[t->cpu]))
		return cpus[t->cpu];
	lowest = lowest_cpu();
	if (is_free(lowest) || (here_level >= priority && level(lowest) < priority))
		return lowest;
	return here;
}

/* Somebody of that priority is new on the CPU's queue. */
static void look_again(struct cpu *cpu, int priority)
{
	int running = running_level(cpu);

	if (priority > running)
		cpu->reschedule = true;
	else if (priority == running && cpu->slice_end < cpu->stop_at)
		cpu->stop_at = cpu->slice_end;
	if (cpu != this_cpu->self && priority > running)
		apic_send_ipi(cpu->index, VECTOR_KICK);
}

static void enqueue_on(struct cpu *cpu, struct thread *t)
{
	unsigned priority = sched_priority(t);

	t->cpu = (uint8_t)cpu->index;
	runqueue_append(&cpu->queue, &t->node, priority);
	look_again(cpu, (int)priority);
}

void sched_enqueue(struct thread *t)
{
	if (sched_has_time(t))
		enqueue_on(choose_cpu(t), t);
}

/* What others do meanwhile makes the answer no worse than a moment later. */
bool sched_wants_here(const struct thread *t)
{
	if (cpu_count == 1)
		return true;
	if ((int)sched_priority(t) <= running_level(this_cpu->self))
		return false;
	for (unsigned i = 0; i < cpu_count; i++) {
		if (is_free(cpus[i]))
			return false;
	}
	return true;
}

void sched_enqueue_here(struct thread *t)
{
	enqueue_on(this_cpu->self, t);
}

void sched_dequeue(struct thread *t)
{
	if (runqueue_has(&t->node))
		runqueue_remove(&cpus[t->cpu]->queue, &t->node);
}

__attribute__((cold))
void sched_kick(struct thread *t)
{
	if (t->cpu != this_cpu->index)
		apic_send_ipi(t->cpu, VECTOR_KICK);
}

/* --- turns ----------------------------------------------------------------- */

/* True: somebody waits for the CPU who would be next after this turn. */
static bool is_contended(const struct cpu *cpu)
{
	int running = running_level(cpu);

	return running >= 0 && runqueue_reaches(&cpu->queue, (unsigned)running);
}

static void set_stop(struct cpu *cpu)
{
	cpu->stop_at = cpu->budget_end;
	if (is_contended(cpu) && cpu->slice_end < cpu->stop_at)
		cpu->stop_at = cpu->slice_end;
}

static void start_clock(struct thread *t, uint64_t now)
{
	struct cpu *cpu = this_cpu->self;

	sched_clock_start(cpu, t->context, now);
	cpu->stop_at = cpu->budget_end;
	if (runqueue_reaches(&cpu->queue, sched_priority(t)) && cpu->slice_end < cpu->stop_at)
		cpu->stop_at = cpu->slice_end;
}

__attribute__((cold))
void sched_tick(void)
{
	struct cpu *cpu = this_cpu->self;
	uint64_t now = clock_now();

	cpu->armed = TIMEOUT_NEVER;
	timeout_run(now);
	if (now < cpu->stop_at)
		return;
	if (now >= cpu->budget_end && !sched_clock_extend(cpu, now))
		cpu->reschedule = true;
	if (now >= cpu->slice_end && is_contended(cpu))
		cpu->reschedule = true;
	set_stop(cpu);
}

/* One whose turn is not over is the first of its equals. */
static void requeue(struct thread *t, bool goes_on)
{
	if (!sched_has_time(t))
		return;
	if (goes_on) {
		runqueue_prepend(&this_cpu->queue, &t->node, sched_priority(t));
		return;
	}
	t->context->slice = 0;
	runqueue_append(&this_cpu->queue, &t->node, sched_priority(t));
}

/* Until now having been started has kept it. */
__attribute__((noinline, cold)) static void end_current(struct thread *t)
{
	object_hold(&t->object);
	thread_end(t);
	object_drop(&t->object);
}

/* The current thread stops running here; what becomes of it is decided. */
static void put_current(uint64_t now)
{
	struct thread *t = this_cpu->current;
	struct sched_context *c = this_cpu->context;

	if (!t)
		return;
	if (this_cpu->registers == t)
		switch_from(t);
	this_cpu->registers = NULL;
	sched_clock_stop(this_cpu->self, now);
	this_cpu->current = NULL;
	this_cpu->running = NULL;
	if (t->state == THREAD_RUNNING && t->dying) {
		end_current(t);
	} else if (t->state == THREAD_RUNNING && t->suspended) {
		t->state = THREAD_SUSPENDED;
	} else if (t->state == THREAD_RUNNING) {
		t->state = THREAD_READY;
		requeue(t, c && t->context == c && c->slice > 1);
	} else if (c && t->context == c) {
		c->slice = 0;
	}
}

static bool current_may_go_on(void)
{
	const struct thread *t = this_cpu->current;

	return t && t->state == THREAD_RUNNING && !t->dying && !t->suspended &&
	       !this_cpu->reschedule;
}

static bool current_goes_on(void)
{
	return current_may_go_on() && this_cpu->current->context == this_cpu->context;
}

/* Whose first thread is to run here: of another CPU, if that is busy and the
 * thread more urgent than all here. Of equals it comes from the longest queue. */
__attribute__((cold))
static struct cpu *most_urgent_of_many(void)
{
	struct cpu *best = this_cpu->self;

	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *cpu = cpus[i];
		int above = queue_level(cpu) - queue_level(best);

		if (cpu->current && (above > 0 || (above == 0 && best != this_cpu->self &&
		                                   cpu->queue.count > best->queue.count)))
			best = cpu;
	}
	return best;
}

static struct cpu *most_urgent(void)
{
	return cpu_count == 1 ? this_cpu->self : most_urgent_of_many();
}

/* The current thread has come to another context. */
__attribute__((noinline, cold)) static void change_context(void)
{
	struct thread *t = this_cpu->current;
	uint64_t now = clock_now();

	sched_clock_stop(this_cpu->self, now);
	if (sched_has_time(t) && queue_level(most_urgent()) <= (int)sched_priority(t))
		start_clock(t, now);
	else
		this_cpu->reschedule = true;
}

static bool take_next(uint64_t now)
{
	struct cpu *from = most_urgent();
	struct runqueue_node *first = runqueue_first(&from->queue);
	struct thread *t;

	if (!first)
		return false;
	runqueue_remove(&from->queue, first);
	t = thread_of_node(first);
	t->state = THREAD_RUNNING;
	t->cpu = (uint8_t)this_cpu->index;
	this_cpu->current = t;
	this_cpu->reschedule = false;
	start_clock(t, now);
	return true;
}

__attribute__((noinline)) static void set_timer(uint64_t at)
{
	uint64_t now = clock_now();

	if (this_cpu->current && this_cpu->current->interrupted && at > now + INTERRUPT_RETRY_NS)
		at = now + INTERRUPT_RETRY_NS;
	this_cpu->armed = at;
	apic_arm_timer(at == TIMEOUT_NEVER ? UINT64_MAX : at > now ? at - now : 0);
}

/* A timer that would fire earlier than it must is left to do so: most of what it
 * is set for is called off before it comes. An interrupt that is due found the
 * thread in its module: look again soon. */
static void arm_timer(void)
{
	uint64_t at = timeout_next();

	if (this_cpu->stop_at < at)
		at = this_cpu->stop_at;
	if (at < this_cpu->armed || (this_cpu->current && this_cpu->current->interrupted))
		set_timer(at);
}

__attribute__((cold))
static void idle(void)
{
	this_cpu->loaded = NULL;
	write_cr3(this_cpu->kernel_top);
	this_cpu->idle = true;
	arm_timer();
	ending_left = ENDING_WORK;
	kernel_unlock();
	if (leave_chores)
		sti_nop_cli();
	else
		sti_hlt_cli();
	kernel_lock();
	this_cpu->idle = false;
	leave_do_chores();
}

_Noreturn static void resume(struct thread *t)
{
	switch_to(this_cpu, t);
	arm_timer();
	ending_left = ENDING_WORK;
	kernel_unlock();
	((void (*)(struct thread *))gate_address(gate_resume))(t);
	__builtin_unreachable();
}

__attribute__((noinline)) static void run_another(void)
{
	uint64_t now = clock_now();

	put_current(now);
	while (!take_next(now)) {
		idle();
		now = clock_now();
	}
}

/* What is rare is not inlined: it would make the way of every system call save
 * registers. */
void sched_leave(void)
{
	KASSERT(this_cpu->exclusive); /* who comes from a shared way has to ask first */
	for (;;) {
		leave_do_chores();
		if (current_goes_on()) {
			if (!this_cpu->current->interrupted)
				resume(this_cpu->current);
			process_deliver_interrupt(this_cpu->current);
			if (current_goes_on())
				resume(this_cpu->current);
		}
		if (current_may_go_on())
			change_context();
		else
			run_another();
	}
}
