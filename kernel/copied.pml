/* copied.pml: capabilities that are copied along with calls, and released, by two CPUs at
 * once: shared (fastpath.c: copy_begin, copy_end; quick.c: release), or exclusive
 * (transfer.c, ring.c).
 *
 * Both CPUs' callers have a capability to one object in a table of their own, and both
 * their servers are of one domain, whose table has fewer places than there are copies. A
 * server can be called or not, as it turns out. Each CPU copies, and releases what the
 * servers have or the other's caller, in any order.
 *
 * There are as many references as capabilities, at all times when somebody is alone; none
 * is put over another; nothing is held or copied that has ended.
 *
 * Broken, each of them to be found out:
 *   -DNO_FLAG         the flag of the servers' table is not taken
 *   -DKEEP_FLAG       a copy that comes to nothing keeps it
 *   -DNO_HOLD         copy_end() takes no reference
 *   -DHOLD_PLAINLY    it counts the reference, but not by an atomic step
 *   -DHOLD_AFTER      it does so when its lock is dropped
 *   -DDROP_LAST       release() drops the last reference, too, shared
 *   -DDROP_PLAINLY    it looks whether it is the last, then counts
 *   -DNO_ROOM         copy_begin() does not look whether there is room
 */
#define PLACES 2
#define STEPS  3

bool own[2] = true;        /* each caller's capability, in its own table */
bool place[PLACES];        /* the servers' table */
bool flag;                 /* its flag */
byte refs = 2;
bool ended;

bool lock[2];

#define EXCLUSIVE atomic { !lock[0] -> lock[0] = true } atomic { !lock[1] -> lock[1] = true; \
	assert(!flag && refs == own[0] + own[1] + place[0] + place[1]);
#define DONE assert(refs == own[0] + own[1] + place[0] + place[1]); \
	ended = (refs == 0); lock[0] = false; lock[1] = false }

inline flag_take()
{
#ifdef NO_FLAG
	got = true
#else
	atomic { got = !flag; flag = true }
#endif
}

/* The place is found, then filled: captable_insert_at() */
inline insert()
{
	if
	:: !place[0] -> at = 0
	:: place[0] && !place[1] -> at = 1
	:: else -> assert(false)
	fi;
	assert(!place[at]);
	place[at] = true
}

inline hold()
{
	assert(!ended);
#ifdef HOLD_PLAINLY
	count = refs;
	refs = count + 1
#else
	refs++
#endif
}

/* copy_begin() to copy_end(): `got` if it went this way. */
inline copy()
{
	got = own[me];
	if
	:: got -> flag_take()
	:: else
	fi;
	if
	:: got ->
#ifndef NO_ROOM
		got = !(place[0] && place[1]);
#endif
		if
		:: true -> skip
		:: true -> got = false /* the claim has failed */
		fi;
		if
		:: got ->
#if !defined(NO_HOLD) && !defined(HOLD_AFTER)
			hold();
#endif
			insert();
			flag = false
		:: else ->
#ifndef KEEP_FLAG
			flag = false
#endif
		fi
	:: else
	fi
}

/* object_drop_shared() */
inline drop()
{
#ifdef DROP_PLAINLY
	got = (refs > 1);
	if
	:: got -> count = refs; refs = count - 1
	:: else
	fi
#else
	atomic {
#ifdef DROP_LAST
		got = true;
		refs--;
		ended = (refs == 0)
#else
		got = (refs > 1);
		if
		:: got -> refs--
		:: else
		fi
#endif
	}
#endif
}

/* release(), of a place in the servers' table. */
inline release()
{
	flag_take();
	if
	:: got ->
		got = place[0];
		if
		:: got -> drop()
		:: else
		fi;
		if
		:: got -> place[0] = false
		:: else
		fi;
		flag = false
	:: else
	fi
}

/* The same of what the other CPU's caller has, by another thread of that one's. */
inline release_other()
{
	got = own[1 - me];
	if
	:: got -> drop()
	:: else
	fi;
	if
	:: got -> own[1 - me] = false
	:: else
	fi
}

proctype cpu(byte me)
{
	byte steps, at, count, what;
	bool got;

	do
	:: steps < STEPS ->
		steps++;
		if
		:: what = 0
		:: what = 1
		:: what = 2
		fi;
		atomic { !lock[me] -> lock[me] = true }
		if
		:: what == 0 -> copy()
		:: what == 1 -> release()
		:: what == 2 -> release_other()
		fi;
		lock[me] = false;
#ifdef HOLD_AFTER
		if
		:: got && what == 0 -> hold()
		:: else
		fi;
#endif
		if
		:: !got -> /* the long way, which drops the last one, too */
			EXCLUSIVE
			if
			:: what == 0 && own[me] && !(place[0] && place[1]) ->
				assert(!ended);
				refs++;
				insert()
			:: what == 1 && place[0] -> refs--; place[0] = false
			:: what == 2 && own[1 - me] -> refs--; own[1 - me] = false
			:: else
			fi;
			DONE
		:: else
		fi
	:: else -> break
	od
}

init
{
	atomic { run cpu(0); run cpu(1) }
	_nr_pr == 1;
	assert(refs == own[0] + own[1] + place[0] + place[1] && !flag)
}
