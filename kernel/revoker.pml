/* revoker.pml: revocation against use (revoker.c, space_lease.c, endpoint.c, tlb.c).
 *
 * A MemoryObject is leased by revoker 0, and that lease leased again by revoker 1.
 * A client on another CPU calls and maps through the second lease; a program there
 * uses what was mapped, without entering the exokernel, by way of its TLB. Whoever
 * holds a revoker may revoke, and let the revoker itself go.
 *
 * Once revoke has answered, nothing begins through a lease of it, inner or outer,
 * and nobody sees a page through one; a call that was accepted before goes on. A
 * receive that waits by a lease gets no call that comes after. What a call through a
 * lease answers is dead if the lease was revoked meanwhile. What dead leases hold is
 * let go soon, although they are kept; what is freed is never looked at.
 *
 * Broken, each of them to be found out:
 *   -DNO_COMPARE     lease_target() does not compare epochs
 *   -DOUTER_ONLY     lease_target() looks at the outer lease only
 *   -DNO_SYNC        leased_revoke() does not wait for the other CPUs' TLBs
 *   -DSYNC_FIRST     leased_revoke() does that before it changes the page table
 *   -DONE_TIE        a mapping is known to its outer lease's revoker only
 *   -DNO_USERS       a revoker's block goes with its last capability
 *   -DNO_DEAD        revoke() puts no leases among the dead
 *   -DANSWER_NOW     an answer's lease gets the revoker's epoch of now
 *   -DWAITS_ON       match() does not ask whether a receiver's lease is good
 *   -DNOT_HELD       a receive that waits does not hold its lease
 */

/* Lease i is made by revoker i. Lease 1's target is lease 0; lease 0's is the
 * object. Lease 2 is the answer to a call through lease 0. */
byte epoch[2];
byte users[2];
bool held[2] = true;  /* the revoker has a capability */
bool freed[2];        /* its block is gone */
bool revoked[2];      /* revoke has answered */

byte lease_epoch[3];
bool target[3];       /* it has one: not let go yet */
bool dead[3];         /* among the dead */
byte lease_refs[3];
byte object_refs = 1; /* of the MemoryObject: what lease 0 holds */

bool entry, in_tlb;   /* the page-table entry; the other CPU's copy */
bool tie[2];          /* the mapping is among the revoker's */
bool flush;           /* that CPU is asked to forget */
bool lock;            /* exclusive: held by every CPU that is inside */
byte serving;         /* calls accepted through the leases, not yet answered */
bool waits;           /* a receive by lease 1 is queued */

#define REVOKER(n) (n == 1)

inline enter() { atomic { !lock -> lock = true } }
inline leave() { lock = false }

/* leave_revoker() */
inline leave_revoker(r)
{
	assert(!freed[r]);
	users[r]--;
	if
#ifndef NO_USERS
	:: users[r] == 0 && !held[r] -> freed[r] = true
	:: !(users[r] == 0 && !held[r])
#else
	:: true
#endif
	fi
}

inline drop_object()
{
	assert(object_refs > 0);
	object_refs--
}

/* object_drop() of a lease's target; let_go(), lease_destroy() of the inner lease */
inline let_go(n)
{
	dead[n] = false;
	if
	:: target[n] ->
		target[n] = false;
		leave_revoker(REVOKER(n));
		if
		:: n == 1 ->
			lease_refs[0]--;
			if
			:: lease_refs[0] == 0 ->
				dead[0] = false;
				if
				:: target[0] ->
					target[0] = false;
					leave_revoker(0);
					drop_object()
				:: else
				fi
			:: else
			fi
		:: else -> drop_object()
		fi
	:: else
	fi
}

/* revoker_reap(), at each exit: some of them. */
inline reap()
{
	if
	:: dead[0] -> let_go(0)
	:: dead[1] -> let_go(1)
	:: dead[2] -> let_go(2)
	:: else
	fi
}

/* lease_target(): `live` */
inline look(n)
{
	live = target[n];
	if
	:: live ->
		assert(!freed[REVOKER(n)]);
#ifndef NO_COMPARE
		live = (lease_epoch[n] == epoch[REVOKER(n)]);
#endif
	:: else
	fi
}

inline resolve()
{
	look(1);
	if
	:: live ->
		assert(lease_refs[0] > 0);
#ifndef OUTER_ONLY
		look(0)
#endif
	:: else
	fi
}

/* object_drop() of lease 1 */
inline drop_lease()
{
	assert(lease_refs[1] > 0);
	lease_refs[1]--;
	if
	:: lease_refs[1] == 0 -> let_go(1)
	:: else
	fi
}

/* The client: calls through lease 1, and lets it go in the end. */
proctype client()
{
	bool live;
	byte rounds;

	do
	:: rounds < 2 ->
		rounds++;
		enter();
		resolve();
		if
		:: live -> /* lease_call() */
			assert(!revoked[0] && !revoked[1]);
			serving++
		:: live -> /* leased_begin(), with a tie for each revoker */
			assert(!revoked[0] && !revoked[1]);
			entry = true;
			tie[1] = true;
#ifndef ONE_TIE
			tie[0] = true
#endif
		:: live && !waits -> /* receive() */
			assert(!revoked[0] && !revoked[1]);
			waits = true;
#ifndef NOT_HELD
			lease_refs[1]++
#endif
		:: !live
		fi;
		leave()
	:: serving -> enter(); serving--; leave() /* the server's answer, whatever was revoked */
	:: rounds == 2 && !serving -> break
	od;
	enter();
	if
	:: true -> drop_lease()
	:: true /* keeps it for ever */
	fi;
	leave()
}

/* A call comes, or none: facet_call(), match(). */
proctype caller()
{
	bool live;

	enter();
	if
	:: waits ->
#ifndef WAITS_ON
		assert(lease_refs[1] > 0);
		resolve();
#else
		live = true;
#endif
		assert(!live || !revoked[0] && !revoked[1]); /* else it is told GONE */
		waits = false;
#ifndef NOT_HELD
		drop_lease()
#endif
	:: true
	fi;
	leave()
}

/* leased_revoke(): unmap(), tlb_forget(), tlb_sync() */
inline undo(r)
{
	if
	:: tie[r] ->
#ifndef SYNC_FIRST
		entry = false;
#endif
		flush = true;
#ifndef NO_SYNC
		!flush;
#endif
		entry = false;
		tie[0] = false;
		tie[1] = false
	:: else
	fi
}

/* revoke() */
inline revoke(r)
{
	epoch[r]++;
#ifndef NO_DEAD
	dead[r] = target[r] && lease_epoch[r] != epoch[r];
#endif
	undo(r)
}

/* A call through lease 0 whose method revokes that lease itself before it answers
 * with a capability: lease_call(), lease_answer(), lease_alike(), lease_init(). */
proctype answered()
{
	bool live, began;
	byte was;

	enter();
	look(0);
	began = live;
	if
	:: began && held[0] ->
		was = lease_epoch[0];
		revoke(0);
		revoked[0] = true;
		object_refs++;
		lease_refs[2] = 1;
		target[2] = true;
		users[0]++;
#ifdef ANSWER_NOW
		lease_epoch[2] = epoch[0];
#else
		lease_epoch[2] = was;
		dead[2] = true;
#endif
		look(2);
		assert(!live)
	:: else
	fi;
	leave()
}

proctype revoker(byte r)
{
	if
	:: enter(); revoke(r); leave(); revoked[r] = true
	:: true
	fi;
	enter();
	revoke(r); /* revoker_destroy() */
	held[r] = false;
	users[r]++;
	leave_revoker(r);
#ifdef NO_USERS
	freed[r] = true;
#endif
	leave();
	revoked[r] = true
}

/* Another CPU's entries and exits. */
proctype exits()
{
	do
	:: enter(); reap(); leave()
	:: atomic { !lock && _nr_pr == 3 && !dead[0] && !dead[1] && !dead[2] -> break }
	od
}

/* A program that runs on the other CPU; tlb_answer(), when it is asked. */
proctype program()
{
	do
	:: entry && !in_tlb -> in_tlb = true
	:: in_tlb -> assert(!revoked[0] && !revoked[1]) /* it reads the page */
	:: atomic { flush -> in_tlb = false; flush = false }
	:: _nr_pr == 2 && !flush -> break
	od
}

init
{
	atomic {
		target[0] = true; target[1] = true;
		lease_refs[0] = 1; lease_refs[1] = 1;
		users[0] = 1; users[1] = 1;
		run program(); run exits(); run client(); run caller();
		run revoker(0); run revoker(1);
		if
		:: run answered()
		:: skip
		fi
	}
	_nr_pr == 1;
	assert(object_refs == 0 && lease_refs[0] == 0 && freed[0] && freed[1])
}
