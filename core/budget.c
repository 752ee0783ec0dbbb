/* budget.c: see budget.h. No sum overflows: used[] is at most `cell` each, which
 * is at most an eighth of an hour, and times that would lie past the end of the
 * clock are BUDGET_NEVER. */
#include "core/budget.h"

#include <stddef.h>

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? BUDGET_NEVER : a + b;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool budget_valid(uint64_t budget, uint64_t period)
{
	if (period == 0)
		return budget >= budget_least;
	return budget >= budget_least && budget <= period && period <= budget_period_most;
}

static struct budget fresh(uint64_t budget, uint64_t period)
{
	return (struct budget){
		.budget = budget,
		.period = period,
		.cell = period / BUDGET_CELLS + (period % BUDGET_CELLS != 0),
	};
}

enum status budget_init(struct budget *b, uint64_t budget, uint64_t period)
{
	if (!budget_valid(budget, period))
		return STATUS_INVALID;
	*b = fresh(budget, period);
	return STATUS_OK;
}

enum status budget_set(struct budget *b, uint64_t budget, uint64_t period, uint64_t now)
{
	uint64_t whole;

	if (!budget_valid(budget, period))
		return STATUS_INVALID;
	if (period == b->period && period) {
		b->budget = budget;
		return STATUS_OK;
	}
	whole = budget_whole(b, now);
	*b = fresh(budget, period);
	b->not_before = whole > now ? whole : 0;
	return STATUS_OK;
}

/* Makes the cell that holds `now` the current one. */
static void advance(struct budget *b, uint64_t now)
{
	if (!b->period || now < b->start)
		return;
	for (unsigned i = 0; i < BUDGET_CELLS && now - b->start >= b->cell; i++) {
		b->current = (b->current + 1) % BUDGET_CELLS;
		b->used[b->current] = 0;
		b->start += b->cell;
	}
	if (now - b->start >= b->cell)
		b->start = now;
}

static uint64_t used(const struct budget *b)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < BUDGET_CELLS; i++)
		sum += b->used[i];
	return sum;
}

static void charge_once(struct budget *b, uint64_t time)
{
	b->used[0] += least(time, b->budget - b->used[0]);
}

void budget_charge_limited(struct budget *b, uint64_t from, uint64_t to)
{
	if (to <= from)
		return;
	if (!b->period) {
		charge_once(b, to - from);
		return;
	}
	if (from < b->start)
		from = least(b->start, to);
	if (to - from > b->cell * BUDGET_CELLS)
		from = to - b->cell * BUDGET_CELLS; /* the rest has come back already */
	while (from < to) {
		uint64_t part;

		advance(b, from);
		part = least(to - from, b->cell - (from - b->start));
		b->used[b->current] += least(part, b->cell - b->used[b->current]);
		from += part;
	}
}

uint64_t budget_left_limited(struct budget *b, uint64_t now)
{
	uint64_t sum;

	if (now < b->not_before)
		return 0;
	advance(b, now);
	sum = used(b);
	return sum < b->budget ? b->budget - sum : 0;
}

/* When the sum of what is used has come down to `most`: cells come back oldest
 * first, each when its place is needed. */
static uint64_t when_used_is(struct budget *b, uint64_t most, uint64_t now)
{
	uint64_t at, sum;

	advance(b, now);
	sum = used(b);
	at = b->start;
	for (unsigned i = 1; i <= BUDGET_CELLS && sum > most; i++) {
		sum -= b->used[(b->current + i) % BUDGET_CELLS];
		at = plus(at, b->cell);
	}
	return at > now ? at : now;
}

uint64_t budget_next(struct budget *b, uint64_t now)
{
	uint64_t wanted = least(b->budget, budget_least);

	if (now < b->not_before)
		now = b->not_before;
	if (b->budget == BUDGET_INFINITE)
		return now;
	if (!b->period)
		return b->used[0] < b->budget ? now : BUDGET_NEVER;
	return when_used_is(b, b->budget - wanted, now);
}

uint64_t budget_whole(struct budget *b, uint64_t now)
{
	if (now < b->not_before)
		now = b->not_before;
	return b->period ? when_used_is(b, 0, now) : now;
}

const char *budget_check(const struct budget *b)
{
	if (!budget_valid(b->budget, b->period))
		return "it could not have been set so";
	if (b->current >= BUDGET_CELLS)
		return "the current cell is none";
	if (b->period && (b->cell > b->period || b->period > b->cell * BUDGET_CELLS))
		return "eight cells are no period";
	for (unsigned i = 0; i < BUDGET_CELLS; i++)
		if (b->used[i] > (b->period ? b->cell : i == 0 ? b->budget : 0))
			return "more was used in a cell than there is";
	return NULL;
}
