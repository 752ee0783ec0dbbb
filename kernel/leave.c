/* leave.c: see leave.h. */
#include "kernel/leave.h"

#include "kernel/ending.h"
#include "kernel/revoker.h"
#include "kernel/ring.h"
#include "kernel/thread.h"

bool leave_chores;

/* What is left, or comes of this, is for the next exit. */
void leave_do_all(void)
{
	leave_chores = false;
	ending_leave();
	revoker_let_go();
	ring_serve_ready();
}
