/* leave.c: see leave.h. */
#include "kernel/leave.h"

#include "kernel/ending.h"
#include "kernel/revoker.h"
#include "kernel/ring.h"
#include "kernel/thread.h"

bool leave_chores;

/* What this brings in turn is seen by the next round (sched_leave looks again until
 * somebody may run), or at the next exit. */
void leave_do_all(void)
{
	ring_serve_ready();
	revoker_let_go();
	thread_reap_orphans();
	ending_leave();
	leave_chores = ring_chained_ready.head || !link_empty(&revoker_dead) || thread_orphans ||
	               ending_first;
}
