/* ending.h: how what is large ends.
 *
 * An address space, a memory object, a domain's table, an endpoint: each is as large as
 * a program made it, and the exokernel is not preempted. So they end by steps. What
 * nobody can reach any more is put on a list; each entry of the exokernel does
 * ENDING_WORK of what is listed at most, so that what is small is gone at once, and
 * the rest is done a little at each exit, where a CPU is idle, and by whoever needs
 * it: a call that is refused for want of memory while something ends that is charged to
 * that ledger, or below it, is made again when that has ended (ring.c), and so is one
 * that asks what a ledger has used. While other things end, which may map what that ledger
 * paid for, a refused call is made again 255 times at most, and 4,096 times in all: nobody
 * keeps another from hearing that there is no more. What is listed stays charged until it
 * is freed.
 *
 * None of them ends within another one's step: how deep they hold each other does not
 * matter.
 *
 * Exclusive (lock.h). */
#pragma once

#include "core/captable.h"

struct ledger;

enum {
	ENDING_WORK = 512, /* pages, or as much as they cost: about 100 instructions each */
	ENDING_MORE = 32,  /* of what others have left, at each exit */
};

/* What stands in the place of its struct object. */
struct ending {
	bool (*step)(struct object *);
	struct ending *next;
};

extern struct ending *ending_first; /* NULL: there is none */

/* Of the work that this entry of the exokernel may do; may be negative. Long ranges
 * (space_walk.c) count as well: of more entries of a ring others come in between. */
extern int ending_left;

/* All that ends so has its ledger there. */
struct charged {
	struct object object;
	struct ledger *ledger;
};

/* `o` has no references any more. step(o) frees some of it, takes that from ending_left, and
 * says whether that was all: then the object is gone. If not, there is nothing left. */
void ending_add(struct object *o, bool (*step)(struct object *));

/* So much of it, and as much of the threads that are to end: neither waits for the other. */
void ending_go_on(int work);

/* Before the exokernel is left, if anything ended; unless this entry has taken long. */
void ending_leave(void);

/* One more, or one less, ends that is charged to `l`. */
void ending_count(struct ledger *l, int more);

/* True: something ends that is charged to `l` or below. Who then returns NO_MEMORY to the
 * ring is asked again. So it is where something else ends, for it may map what `l` has paid
 * for, but not for ever. */
bool ending_concerns(const struct ledger *l);
extern enum ending_awaited {
	ENDING_NONE,
	ENDING_ELSEWHERE,
	ENDING_HERE,
} ending_awaited;
