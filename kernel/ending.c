/* ending.c: see ending.h. */
#include "kernel/ending.h"

#include "core/ledger.h"
#include "kernel/leave.h"
#include "kernel/thread.h"

_Static_assert(sizeof(struct ending) <= sizeof(struct object), "it takes its place");

struct ending *ending_first;
int ending_left = ENDING_WORK;
enum ending_awaited ending_awaited;

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
		if (!e->step((struct object *)e)) {
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
	leave_chores = true;
	go_on();
}

void ending_go_on(int work)
{
	ending_left = work;
	thread_end_doomed();
	go_on();
}

void ending_leave(void)
{
	ending_go_on(ENDING_MORE);
	ending_left = ENDING_WORK;
	leave_chores |= ending_first || thread_doomed;
}

/* Whose the threads are is not looked at: they are soon gone. */
bool ending_concerns(const struct ledger *ledger)
{
	ending_awaited = ENDING_HERE;
	if (thread_doomed)
		return true;
	for (const struct ending *e = ending_first; e; e = e->next)
		for (const struct ledger *l = ((const struct charged *)e)->ledger; l; l = l->parent)
			if (l == ledger)
				return true;
	ending_awaited = ending_first ? ENDING_ELSEWHERE : ENDING_NONE;
	return false;
}
