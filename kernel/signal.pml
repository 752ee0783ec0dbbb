/* signal.pml: a thread that waits for one thing or two, and what comes to it: signals by
 * the fast way of two CPUs at once (fastpath.c: signal, wake_waiter) and by the long one
 * (notification.c), interrupts and suspensions (thread.c). Where its record stands
 * meanwhile: in the thread's list, or `direct` (pending.c).
 *
 * The thread is run by a CPU of its own, or by one that leaves the exokernel just when
 * it is ready. Two notifications, with a flag each; each signaller signals both.
 *
 * No signal is lost or told twice; the thread goes on for a reason, on one CPU at a time,
 * and not while it is suspended; a record stands in one place; no reference is lost.
 *
 * Broken, each of them to be found out:
 *   -DNO_CLAIM        claim() does not look whether the thread waits
 *   -DNO_PUT_BACK     a claimed thread that is not taken stays claimed
 *   -DNO_DIRECT       claim() does not look what the thread waits for
 *   -DNO_ATTENTION    claim() does not look whether it is to run
 *   -DNO_FLAG         the notification's flag is not taken
 *   -DKEEP_FLAG       a path that is not taken keeps it
 *   -DNO_SETTLE       thread_wake() leaves a record direct
 *   -DKEEP_DIRECT     answered() leaves it
 *   -DNO_HOLD         a path that is not taken has dropped the waiter's reference
 *   -DSHARED_LEAVE    signal() comes to sched_leave() with its own lock only
 */
#define NONE 2
#define ALL  3 /* both signallers' bits */

mtype = { READY, RUNNING, WAITING, SUSPENDED, ENDED };
mtype state = RUNNING;
bool attention;      /* it is suspended, or about to be */
byte direct = NONE;  /* which of its records */
bool listed[2];
byte cq;             /* completions that it has not seen */
byte taken[2];       /* bits that it was told of each */
bool interrupted;
byte resumed;        /* by how many CPUs */

bool queued[2], flag[2]; /* of the notifications */
byte bits[2], refs[2] = 1;

bool lock[3];

/* kernel_lock(), kernel_unlock() */
#define EXCLUSIVE atomic { !lock[0] -> lock[0] = true } atomic { !lock[1] -> lock[1] = true } \
	atomic { !lock[2] -> lock[2] = true; assert(!flag[0] && !flag[1]);
#define DONE lock[0] = false; lock[1] = false; lock[2] = false }

inline tell(n)
{
	assert(!(taken[n] & bits[n]));
	taken[n] = taken[n] | bits[n];
	bits[n] = 0;
	cq++
}

/* pending_settle() */
inline settle()
{
	if
	:: direct != NONE ->
		assert(!listed[direct]);
		listed[direct] = true;
		direct = NONE
	:: else
	fi
}

/* thread_wake(), make_ready() */
inline wake()
{
#ifndef NO_SETTLE
	settle();
#endif
	state = (attention -> SUSPENDED : READY)
}

/* cap_enter's entry on notification n: call_wait() */
inline ask(n)
{
	if
	:: bits[n] -> tell(n)
	:: else ->
		assert(!listed[n] && direct != n);
		queued[n] = true;
		listed[n] = true;
		refs[n]++
	fi
}

/* sched_leave(): whoever is ready runs. */
inline take_next()
{
	if
	:: state == READY ->
		assert(!attention);
		state = RUNNING;
		resumed++;
		assert(resumed == 1)
	:: else
	fi
}

/* notification_signal(), pending_answer(), post() */
inline signal_slowly(n)
{
	bits[n] = bits[n] | mine;
	if
	:: queued[n] ->
		queued[n] = false;
		settle();
		assert(listed[n]);
		listed[n] = false;
		refs[n]--;
		tell(n);
		if
		:: state == WAITING -> wake()
		:: else
		fi
	:: else
	fi
}

inline flag_take(n)
{
#ifdef NO_FLAG
	got = true
#else
	atomic { got = !flag[n]; flag[n] = true }
#endif
}

/* claim() */
inline claim(n)
{
	atomic {
#ifdef NO_CLAIM
		got = true;
#else
		got = (state == WAITING);
#endif
		if
		:: got -> state = RUNNING
		:: else
		fi
	}
	if
	:: got ->
#ifndef NO_DIRECT
		got = (direct == n);
#endif
#ifndef NO_ATTENTION
		got = (got && !attention);
#endif
		if
		:: !got ->
#ifndef NO_PUT_BACK
			state = WAITING
#endif
		:: else
		fi
	:: else
	fi
}

/* wake_waiter(), or the bits are kept: `got` if it went this way. */
inline signal_fast(n)
{
	flag_take(n);
	if
	:: got && queued[n] ->
		refs[n]--;
		claim(n);
		if
		:: got ->
			assert(queued[n]);
			queued[n] = false;
			bits[n] = bits[n] | mine;
			tell(n);
#ifndef KEEP_DIRECT
			direct = NONE;
#endif
			assert(state == RUNNING && !resumed);
			state = READY
		:: else ->
#ifndef NO_HOLD
			refs[n]++
#endif
		fi;
#ifdef KEEP_FLAG
		if
		:: got -> flag[n] = false
		:: else
		fi
#else
		flag[n] = false
#endif
	:: got && !queued[n] ->
		bits[n] = bits[n] | mine;
		flag[n] = false
	:: else
	fi
}

inline signal(n)
{
	atomic { !lock[me] -> lock[me] = true } /* lock_shared() */
	signal_fast(n);
	if
	:: got -> /* somebody else is to run, perhaps */
#ifdef SHARED_LEAVE
		if
		:: state == READY -> assert(!attention); state = RUNNING; resumed++; assert(resumed == 1)
		:: true
		fi;
		lock[me] = false
#else
		lock[me] = false;
		EXCLUSIVE take_next(); DONE
#endif
	:: else ->
		lock[me] = false; /* lock_upgrade() */
		EXCLUSIVE signal_slowly(n); DONE
	fi
}

proctype signaller(byte me)
{
	byte mine = 1 << me;
	bool got;

	if
	:: signal(0); signal(1)
	:: signal(1); signal(0)
	:: EXCLUSIVE /* Thread.interrupt */
		if
		:: state == WAITING -> wake(); interrupted = true
		:: else
		fi;
		DONE;
		signal(1); signal(0)
	:: EXCLUSIVE /* Thread.suspend, by one of them */
		if
		:: me == 0 ->
			attention = true;
			if
			:: state == READY -> state = SUSPENDED
			:: else
			fi
		:: else
		fi;
		DONE;
		signal(0); signal(1);
		EXCLUSIVE
		if
		:: me == 0 ->
			attention = false;
			if
			:: state == SUSPENDED -> state = READY
			:: else
			fi
		:: else
		fi;
		DONE
	fi
}

/* The thread, and the CPU that it is on when nobody else's. */
proctype waiter()
{
	bool waits;

	do
	:: taken[0] != ALL || taken[1] != ALL ->
		EXCLUSIVE
		if
		:: !queued[0] && taken[0] != ALL -> ask(0)
		:: !queued[1] && taken[1] != ALL -> ask(1)
		:: !queued[0] && !queued[1] && taken[0] != ALL && taken[1] != ALL -> ask(0); ask(1)
		:: queued[0] || queued[1] -> skip /* it was interrupted: it waits again */
		:: else /* all has come just now */
		fi;
		waits = (cq == 0);
		if
		:: waits ->
			state = WAITING;
			assert(direct == NONE);
			if /* pending_unlist() */
			:: listed[0] != listed[1] ->
				direct = (listed[0] -> 0 : 1);
				listed[direct] = false
			:: else
			fi
		:: else
		fi;
		DONE;
		do
		:: !waits -> break
		:: waits && resumed -> atomic { resumed--; waits = false }
		:: waits && state == READY -> EXCLUSIVE take_next(); DONE
		od;
		atomic {
			assert(state == RUNNING && (cq || interrupted));
			cq = 0;
			interrupted = false
		}
	:: else -> break
	od;
	EXCLUSIVE assert(!queued[0] && !queued[1] && !listed[0] && !listed[1] && direct == NONE);
	state = ENDED;
	DONE
}

init
{
	atomic { run signaller(0); run signaller(1); run waiter() }
	_nr_pr == 1;
	assert(state == ENDED && refs[0] == 1 && refs[1] == 1 && bits[0] == 0 && bits[1] == 0)
}
