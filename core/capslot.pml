/* capslot.pml: the order in which a slot's words are written (capslot_set,
 * capslot_set_epoch) and read without a lock (capslot_has, then capslot_read;
 * fastpath.c's look_up). That other CPUs see that order too is what release and
 * acquire are for.
 *
 * One CPU uses a slot again and again; another asks for the id of one use. It finds
 * that use's object or nothing; nothing if the use was over, or hidden for good,
 * before it asked, or is of a capability that was revoked on its way there.
 *
 * Broken, each of them to be found out:
 *   -DFILL_ID_FIRST  the id is there before what it names
 *   -DCLEAR_ID_LAST  the id is there still when the rest is gone
 *   -DNO_FIRST       the id is not looked at before the object
 *   -DNO_LAST        the id is not looked at again
 *   -DNO_EPOCH       the epoch is not looked at
 */
#define USES 4
#define MOVING 3
#define NEXT_FREE 1 /* a free slot's epoch; the same as */
#define LIVE 1      /* the objects' own */
#define REVOKED(use) (use == 2)

byte object, epoch = NEXT_FREE, id; /* of the slot; id: which use */
byte over; /* the last use that is over, or will be by commit */
byte asks; /* for which use */

/* capslot_set() */
inline fill(use)
{
#ifdef FILL_ID_FIRST
	id = use;
#endif
	object = use;
	epoch = (REVOKED(use) -> 0 : LIVE);
	id = use
}

inline clear()
{
#ifndef CLEAR_ID_LAST
	id = 0; /* inverted: nobody's */
#endif
	epoch = NEXT_FREE;
	object = 0;
	id = 0
}

proctype writer()
{
	byte use;

	for (use : 1 .. USES) {
		fill(use);
		if
		:: !REVOKED(use) ->
			epoch = MOVING; /* captable_reserve() */
			if
			:: epoch = LIVE; /* captable_restore() */
				epoch = MOVING
			:: true
			fi;
			over = use /* captable_commit() */
		:: true /* captable_remove() */
		fi;
		clear();
		over = use
	}
}

proctype reader()
{
	byte before = over, what;
	bool found;

	found = true;
#ifndef NO_FIRST
	found = (id == asks);
#endif
	what = object;
	found = found && what;
#ifndef NO_EPOCH
	found = found && epoch == LIVE;
#endif
#ifndef NO_LAST
	found = found && id == asks;
#endif
	assert(!found || (what == asks && asks > before && !REVOKED(asks)))
}

init
{
	atomic {
		select(asks : 1 .. USES);
		run writer();
		run reader()
	}
}
