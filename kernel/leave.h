/* leave.h: what is put off until the exokernel is left, so that it does not happen in
 * the middle of something else. */
#pragma once

#include <stdbool.h>

/* Whoever puts something off says so. Exclusive (lock.h). */
extern bool leave_chores;

/* All that must be done before anybody runs, and a little of what has time. */
void leave_do_all(void);
static inline void leave_do_chores(void)
{
	if (__builtin_expect(leave_chores, 0))
		leave_do_all();
}
