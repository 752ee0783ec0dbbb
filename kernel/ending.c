/* ending.c: see ending.h. */
#include "kernel/ending.h"

#include "kernel/account.h"
#include "kernel/leave.h"
#include "kernel/thread.h"

_Static_assert(sizeof(struct ending) <= sizeof(struct object), "it takes its place");

struct ending *ending_first;
int ending_left = ENDING_WORK;
enum ending_awaited ending_awaited;

void ending_count(struct ledger *l, int more)
{
	for (; l; l = l->parent)
		account_of(l)->ending += (uint32_t)more;
}

/* The latest goes first. What a step lets go of comes before what is left of it, so
 * the list is short. */
static void go_on(void)
{
	static bool stepping;

	if (stepping)
		return;
	stepping = true;
	while (ending_first && ending_left > 0) {
		struct ending *e = ending_first, *rest = e->next, **last = &ending_first;

		ending_first = NULL;
		ending_count(((struct charged *)e)->ledger, -1); /* which may end with it */
		if (!e->step((struct object *)e)) {
			ending_count(((struct charged *)e)->ledger, 1);
			e->next = rest;
			rest = e;
		}
		while (*last)
			last = &(*last)->next;
		*last = rest;
	}
	stepping = false;
}

void ending_add(struct object *o, bool (*step)(struct object *))
{
	struct ending *e = (struct ending *)o;

	*e = (struct ending){step, ending_first};
	ending_first = e;
	ending_count(((struct charged *)e)->ledger, 1);
	leave_chores = true;
	go_on();
}

void ending_go_on(int work)
{
	ending_left = work;
	go_on();
	ending_left += work;
	thread_end_doomed();
}

void ending_leave(void)
{
	int rest = ending_left - 2 * ENDING_MORE;

	if (ending_left > 0) {
		ending_go_on(ENDING_MORE);
		ending_left += rest;
	}
	leave_chores |= ending_first || thread_doomed;
}

/* What is charged there comes before others'. */
static void prefer(const struct ledger *ledger)
{
	for (struct ending **link = &ending_first, *e; (e = *link); link = &e->next) {
		if (ledger_is_below(((struct charged *)e)->ledger, ledger)) {
			*link = e->next;
			e->next = ending_first;
			ending_first = e;
			return;
		}
	}
}

bool ending_concerns(const struct ledger *ledger)
{
	if (account_of(ledger)->ending) {
		prefer(ledger);
		ending_awaited = ENDING_HERE;
		return true;
	}
	ending_awaited = leave_chores ? ENDING_ELSEWHERE : ENDING_NONE;
	return false;
}
