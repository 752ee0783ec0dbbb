/* budget.h: how much processor time may still be used, and when more comes.
 *
 * A budget is so many nanoseconds in a period. Time is counted in cells, an
 * eighth of a period each (rounded up): what is used in one cell comes back eight
 * cells later. So
 *   - in any eight cells in a row no more than the budget is used, and therefore
 *     in no time as long as seven eighths of a period;
 *   - over a long time the rate is never above budget / period;
 *   - whoever always wants gets all of it: nothing is lost by stopping early. It
 *     comes in as many pieces as it was used in: at most one a cell.
 * All that but for what is used past the end of the budget: before anybody notices,
 * and in a pause that is not made because it would be shorter than budget_least.
 * That is counted: it comes off what the next cells have.
 * Eight cells that nothing was used in are forgotten; the next use begins a cell.
 *
 * Two special cases: BUDGET_INFINITE never runs out (it is a plain time slice);
 * period 0 is one shot: what is used does not come back until the budget is
 * set again.
 *
 * Times are nanoseconds of one clock that does not go back; where it seems to,
 * because two processors read it, nothing is charged. Pure: no globals, no
 * allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"

#define BUDGET_INFINITE UINT64_MAX
#define BUDGET_NEVER UINT64_MAX

enum { BUDGET_CELLS = 8 };

/* The least that may be asked for, and that is waited for: less is not worth
 * the change of threads. And the longest period, an hour. */
static const uint64_t budget_least = 20000, budget_period_most = 3600000000000;

struct budget {
	uint64_t budget; /* ns */
	uint64_t period; /* ns; 0: one shot, or infinite */
	uint64_t cell;   /* ns; 0 where period is */
	uint64_t start;  /* when the current cell began */
	uint64_t not_before; /* nothing is left until then */
	unsigned current;
	uint64_t used[BUDGET_CELLS]; /* ns, each <= cell; one shot: used[0] <= budget */
};

/* What budget_set takes. */
bool budget_valid(uint64_t budget, uint64_t period);

/* A budget of which nothing has been used. INVALID unless budget_valid. */
enum status budget_init(struct budget *b, uint64_t budget, uint64_t period) MUST_CHECK;

/* Another budget. With the same period, what has been used stays used; with
 * another, nothing is there until the old one would be whole again: no series of
 * settings gets more out of it than the largest of them. One shot is whole at
 * once. INVALID unless budget_valid; then nothing has changed. */
enum status budget_set(struct budget *b, uint64_t budget, uint64_t period,
                       uint64_t now) MUST_CHECK;

void budget_charge_limited(struct budget *b, uint64_t from, uint64_t to);
uint64_t budget_left_limited(struct budget *b, uint64_t now);

/* [from, to) was used. */
static inline void budget_charge(struct budget *b, uint64_t from, uint64_t to)
{
	if (b->budget != BUDGET_INFINITE)
		budget_charge_limited(b, from, to);
}

/* What is left at `now`, if nothing comes back meanwhile. */
static inline uint64_t budget_left(struct budget *b, uint64_t now)
{
	if (b->budget == BUDGET_INFINITE && now >= b->not_before)
		return BUDGET_INFINITE;
	return budget_left_limited(b, now);
}

/* When, from `now` on, at least budget_least will be left, or all if the budget
 * is less, with nothing used meanwhile. BUDGET_NEVER: that does not come. */
uint64_t budget_next(struct budget *b, uint64_t now);

/* How long to let it run from `now` on before looking again: what is left, or until
 * more comes back if that is less than budget_least away: such a pause is not worth
 * making. 0: it is out of time. */
static inline uint64_t budget_run(struct budget *b, uint64_t now)
{
	uint64_t left = budget_left(b, now), next;

	if (left)
		return left;
	next = budget_next(b, now);
	return next != BUDGET_NEVER && next - now <= budget_least ? next - now : 0;
}

/* When all of it will be left, with nothing used meanwhile. One shot: now. */
uint64_t budget_whole(struct budget *b, uint64_t now);

/* NULL, or what is wrong. For tests. */
const char *budget_check(const struct budget *b);
