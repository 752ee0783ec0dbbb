/* lock.pml: the exokernel's lock (lock.c) and the TLB shootdown that is done under
 * it (tlb.c).
 *
 * Each CPU enters, shared or exclusive, and may go on from shared to exclusive. One
 * that is exclusive may take a page away and wait until nobody has a translation of
 * it. A program elsewhere may be using the page; its CPU answers from the interrupt,
 * or where it waits for a lock, and nowhere else.
 *
 * Who is exclusive is alone; nobody waits for ever; while somebody waits to be, a CPU
 * leaves a shared stay once at most; when tlb_sync returns, nobody
 * has the translation; a program goes on in its own space, which answering leaves. (A CPU that never gets its turn is not looked for: the lock
 * makes no promise of that.)
 *
 * Broken, each of them to be found out:
 *   -DNO_ANSWER      lock_wait does not answer
 *   -DUPGRADE_KEEPS  lock_upgrade keeps this CPU's own lock
 *   -DOWN_FIRST      kernel_lock takes this CPU's own lock first
 *   -DOWN_ONLY       kernel_lock takes no other
 *   -DNO_WAIT        tlb_sync does not wait for the answers
 *   -DNO_PRECEDENCE  fast_enter() does not look whether the lock is wanted
 *   -DNO_RELOAD      fast_enter() does not look whether lock_shared_of() has waited
 */
#define CPUS 3

bool lock[CPUS], flush[CPUS];
bool wanted[CPUS]; /* LONG_WAY_WANTED: somebody exclusive waits for the lock */
byte passed[CPUS]; /* shared stays since then */
bool loaded[CPUS]; /* the TLB has the page */
bool away[CPUS];   /* CR3 has the exokernel's own tables, not the program's */
bool mapped = true;
byte shared, exclusive; /* CPUs that are */
byte finished;

/* tlb_answer() */
inline answer()
{
	atomic { flush[me] -> loaded[me] = false; away[me] = true; flush[me] = false }
}

/* lock_wait(), lock_shared() */
inline take(n)
{
	do
	:: atomic { !lock[n] -> lock[n] = true; break }
#ifndef NO_ANSWER
	:: answer()
#endif
	od
}

/* kernel_lock()'s first try, lock_wait_first() */
inline take_first(n)
{
	do
	:: atomic { !lock[n] -> lock[n] = true; wanted[n] = false; passed[n] = 0; break }
	:: atomic { lock[n] && !wanted[n] -> wanted[n] = true }
#ifndef NO_ANSWER
	:: answer()
#endif
	od
}

/* `has`: this CPU's own lock already. */
inline kernel_lock(has)
{
	i = 0;
	do
	:: i < CPUS ->
		if
#ifdef OWN_ONLY
		:: i != me
		:: i == me -> take_first(me)
#else
		:: has && i == me
		:: !(has && i == me) -> take_first(i)
#endif
		fi;
		i++
	:: else -> break
	od;
	exclusive++;
	assert(exclusive == 1 && shared == 0)
}

inline kernel_unlock()
{
	exclusive--;
	do
	:: i > 0 ->
		i--;
#ifdef OWN_ONLY
		if
		:: i == me -> lock[me] = false
		:: else
		fi
#else
		lock[i] = false
#endif
	:: else -> break
	od
}

/* tlb_forget(), tlb_sync() */
inline shoot_down()
{
	atomic {
		mapped = false;
		loaded[me] = false;
		for (i : 0 .. CPUS - 1) { flush[i] = (i != me) } /* ask() */
	}
#ifndef NO_WAIT
	for (i : 0 .. CPUS - 1) { !flush[i] }
#endif
	atomic {
		for (i : 0 .. CPUS - 1) { assert(!loaded[i]) }
	}
}

proctype cpu(byte me)
{
	byte i, rounds;

	do
	/* In a program. */
	:: mapped && !loaded[me] -> loaded[me] = true
	:: answer(); away[me] = false /* trap_outside(): answer_unlocked(), then sched_leave() */
	/* trap_syscall() */
	:: rounds < 2 ->
		rounds++;
		take(me);
		shared++;
		assert(exclusive == 0);
		shared--;
#ifndef NO_RELOAD
		away[me] = false; /* switch_to_native() */
#endif
		if
#ifndef NO_PRECEDENCE
		:: !wanted[me] ->
#else
		:: true ->
#endif
			assert(!away[me]);
			if
			:: wanted[me] -> passed[me]++; assert(passed[me] <= 1) /* who came before it was */
			:: else
			fi;
			lock[me] = false /* unlock_shared_of() */
		:: /* lock_upgrade() */
#ifdef UPGRADE_KEEPS
			kernel_lock(true);
#else
			lock[me] = false;
			do
			:: atomic { !wanted[me] || lock[me] -> break }
			:: answer()
			od;
			kernel_lock(false);
#endif
			away[me] = false; /* resume() */
			kernel_unlock()
		fi
	/* trap_outside() */
	:: rounds < 2 ->
		rounds++;
#ifdef OWN_FIRST
		take(me);
		kernel_lock(true);
#else
		kernel_lock(false);
#endif
		if
		:: mapped -> shoot_down()
		:: true
		fi;
		away[me] = false;
		kernel_unlock()
	:: rounds == 2 -> break
	od;
	finished++;
	do
	:: answer()
	:: finished == CPUS -> break
	od
}

init
{
	atomic { run cpu(0); run cpu(1); run cpu(2) }
}
