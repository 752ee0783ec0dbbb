/* schedclock.h: whose time a CPU uses. For sched.c and schedctx.c only.
 *
 * A clock that runs is charged when it stops, when somebody asks, and at the end
 * of the budget: not in between. */
#pragma once

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/sched.h"

/* What has been used up to `now`. The clock runs. */
static inline void sched_clock_charge(struct cpu *cpu, uint64_t now)
{
	struct sched_context *c = cpu->context;

	if (now <= cpu->since)
		return;
	c->consumed += now - cpu->since;
	budget_charge(&c->budget, cpu->since, now);
	cpu->since = now;
}

static inline void sched_clock_end(struct cpu *cpu, uint64_t left, uint64_t now)
{
	cpu->budget_end = left < TIMEOUT_NEVER - now ? now + left : TIMEOUT_NEVER;
}

/* From `now` on, the CPU uses the context's time. */
static inline void sched_clock_start(struct cpu *cpu, struct sched_context *c, uint64_t now)
{
	KASSERT(!cpu->context && !c->exhausted);
	cpu->context = c;
	cpu->since = now;
	cpu->slice_end = now + (c->slice ? c->slice : SCHED_SLICE_NS);
	sched_clock_end(cpu, budget_run(&c->budget, now), now);
}

/* It uses nobody's, until it looks again at what its thread runs on. A turn that
 * goes on later is not a new one. */
static inline void sched_clock_hold(struct cpu *cpu, uint64_t now)
{
	struct sched_context *c = cpu->context;

	if (!c)
		return;
	sched_clock_charge(cpu, now);
	cpu->context = NULL;
	cpu->stop_at = TIMEOUT_NEVER;
	c->slice = cpu->slice_end > now ? cpu->slice_end - now : 1;
}

/* Nothing is left: that is told, and the context's user is on no queue. */
void sched_run_out(struct sched_context *c, uint64_t now);

/* The same, and whoever has used up its budget has run out. */
static inline void sched_clock_stop(struct cpu *cpu, uint64_t now)
{
	struct sched_context *c = cpu->context;

	sched_clock_hold(cpu, now);
	if (c && !budget_run(&c->budget, now) && !c->exhausted)
		sched_run_out(c, now);
}

/* At the end of the budget: true if more has come back meanwhile. */
bool sched_clock_extend(struct cpu *cpu, uint64_t now);
