/* park.pml: waiting for a word to change (park.c), against waking, timeouts,
 * cancellation and death.
 *
 * Two threads wait for word 0 to change, a third for word 1, whose hash is the same.
 * Another changes the words, without any lock, and wakes. What it stores stays in
 * its CPU's store buffer for as long as that likes, but not beyond the exchange that
 * takes the exokernel's lock. The second thread's wait has a timeout, may be
 * cancelled, and the thread may die.
 *
 * Who waits for a word that has changed is woken; nobody is woken by the change of
 * another word; every PARK gets one answer, and none after its end; WAKE tells how
 * many it has woken.
 *
 * Broken, each of them to be found out:
 *   -DCHECK_UNLOCKED  the word is looked at before the lock is taken
 *   -DNO_CHECK        the word is not looked at
 *   -DNO_FENCE        taking the lock does not empty the store buffer
 *   -DWAKE_FIRST      (the program's mistake) it wakes, then changes the word
 *   -DHASH_ONLY       WAKE takes two words with one hash for the same: no waits_for()
 *   -DTIMER_STAYS     unpark() leaves the timeout set
 *   -DTREE_STAYS      expired() leaves the record in the tree
 */
#define WAITERS 3
#define MORTAL 1 /* the waiter that has a timeout, may be cancelled, and may die */
#define WORD(w) (w == 2)

mtype = { NONE, OK, AGAIN, TIMEOUT, CANCELLED };

bool lock;
bool word[2];     /* changed, as the memory has it */
bool buffered[2]; /* changed, in the waker's store buffer */
bool intended[2]; /* the waker has changed it */

bool parked[WAITERS]; /* in the tree */
bool timer;           /* park.timeout of the mortal's record */
bool alive[WAITERS];  /* there is a record */
mtype answer[WAITERS] = NONE;
bool dead;
byte oks, woken;

/* kernel_lock() */
inline enter()
{
	atomic { !lock -> lock = true }
}

inline leave()
{
	lock = false
}

/* unpark() */
inline unpark(w)
{
	parked[w] = false;
#ifndef TIMER_STAYS
	if
	:: w == MORTAL -> timer = false
	:: else
	fi
#endif
}

/* pending_answer() */
inline complete(w, status)
{
	assert(alive[w] && answer[w] == NONE);
	alive[w] = false;
	answer[w] = status
}

/* park(), keep() */
proctype waiter(byte me)
{
	bool changed;

#ifdef CHECK_UNLOCKED
	changed = word[WORD(me)];
	enter();
#else
	enter();
	changed = word[WORD(me)];
#endif
#ifdef NO_CHECK
	changed = false;
#endif
	if
	:: dead && me == MORTAL
	:: !(dead && me == MORTAL) && changed -> answer[me] = AGAIN
	:: !(dead && me == MORTAL) && !changed ->
		alive[me] = true;
		parked[me] = true;
		timer = timer || me == MORTAL
	fi;
	leave();
	answer[me] != NONE || (dead && me == MORTAL);
	assert(answer[me] != OK || intended[WORD(me)])
}

#ifdef HASH_ONLY
#define WAITS_FOR(w, n) true
#else
#define WAITS_FOR(w, n) (WORD(w) == n)
#endif

/* park_wake(), of at most two */
inline wake(n)
{
	enter();
#ifndef NO_FENCE
	!buffered[0] && !buffered[1];
#endif
	most = 2;
	for (i : 0 .. WAITERS - 1) {
		if
		:: parked[i] && WAITS_FOR(i, n) && most ->
			unpark(i);
			complete(i, OK);
			oks++;
			most--
		:: else
		fi
	}
	woken = woken + 2 - most;
	leave()
}

inline change(n)
{
	intended[n] = true;
	buffered[n] = true
}

proctype waker()
{
	byte i, most;

#ifdef WAKE_FIRST
	wake(0);
	change(0);
#else
	change(0);
	wake(0);
#endif
	change(1);
	wake(1)
}

proctype store_buffer()
{
	do
	:: atomic { buffered[0] -> buffered[0] = false; word[0] = true }
	:: atomic { buffered[1] -> buffered[1] = false; word[1] = true; break }
	od
}

/* timeout_run(): expired() */
proctype clock()
{
	do
	:: enter();
		if
		:: timer ->
			timer = false;
			assert(parked[MORTAL]);
#ifndef TREE_STAYS
			unpark(MORTAL);
#endif
			complete(MORTAL, TIMEOUT)
		:: else
		fi;
		leave()
	:: break
	od
}

/* serve_cancel(), or the thread's end: pending_cancel_all() */
proctype canceller()
{
	enter();
	if
	:: alive[MORTAL] ->
		unpark(MORTAL);
		complete(MORTAL, CANCELLED)
	:: alive[MORTAL] ->
		unpark(MORTAL);
		alive[MORTAL] = false;
		dead = true
	:: !alive[MORTAL] && answer[MORTAL] == NONE -> dead = true
	:: answer[MORTAL] != NONE
	fi;
	leave()
}

init
{
	atomic {
		run waiter(0); run waiter(1); run waiter(2);
		run waker(); run store_buffer(); run clock();
		if
		:: run canceller()
		:: skip
		fi
	}
	_nr_pr == 1; /* never, if somebody waits for ever */
	assert(!parked[0] && !parked[MORTAL] && !parked[2] && !alive[MORTAL] && oks == woken)
}
