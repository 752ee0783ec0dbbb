/* transfer.pml: capabilities that travel beside CALL and RETURN (transfer.c,
 * endpoint.c, core/captable.c).
 *
 * A block marked atomic is a whole entry into the exokernel, in which the CPU is
 * alone (lock.pml). Two threads of one domain call a server, both with the domain's
 * two capabilities: the first is moved by both, the second moved by one and copied
 * by the other. The server receives and answers, once with the first moved back.
 * Meanwhile, whenever they like: a call is cancelled or its thread dies, the
 * endpoint is closed, the sender releases the first capability, its object is
 * revoked, the sender's domain ends, the receiver's table is full.
 *
 * No capability is lost, doubled or half there, no revoked one comes alive again,
 * and the id of an undone move is what it was.
 *
 * Broken, each of them to be found out:
 *   -DNO_RESERVE      a moved capability stays visible while it travels
 *   -DNO_UNDO         a queued call that ends leaves its transfer as it is
 *   -DNO_ROOM_FIRST   the receiver's places are looked for one by one
 *   -DNO_HOLD         the transfer does not hold the sender's domain
 *   -DNEW_EPOCH       the receiver's slot has the epoch of now, not of the take
 *   -DRELEASE_MOVING  RELEASE takes a reserved slot
 */
#define MOVING 255
#define FILLER 3 /* an object that takes up the receiver's slots */

typedef slot { byte object, epoch, use }; /* object 0: free */
typedef table { slot s[2] };
table t[2];
#define SENDER 0
#define RECEIVER 1
byte refs[4], epoch[4];
byte domain_refs = 1; /* of the sender's */
bool owned = true;    /* the sender's process has it still */
bool closed, revoked, let_go; /* let_go: of object 1 */

typedef transfer {
	bool queued, copies_second; /* the first is always moved */
	byte object[2], epoch[2], use[2];
};
transfer x[2];
bool done[2];

#define moved(n, i) (i == 0 || !x[n].copies_second)

inline drop(what)
{
	assert(refs[what] > 0);
	refs[what]--;
	if
	:: what == 1 && refs[1] == 0 -> let_go = true
	:: else
	fi
}

/* captable.c: empty() */
inline clear(d, i)
{
	t[d].s[i].object = 0;
	t[d].s[i].use++
}

/* domain_drop(), destroy() */
inline domain_drop()
{
	domain_refs--;
	if
	:: domain_refs == 0 ->
		for (j : 0 .. 1) {
			if
			:: t[SENDER].s[j].object -> drop(t[SENDER].s[j].object); clear(SENDER, j)
			:: else
			fi
		}
	:: else
	fi
}

/* transfer_undo(), captable_restore() */
inline undo(n, count)
{
	for (i : 0 .. count - 1) {
		if
		:: moved(n, i) ->
			if
			:: t[SENDER].s[i].use == x[n].use[i] && t[SENDER].s[i].epoch == MOVING ->
				t[SENDER].s[i].epoch = x[n].epoch[i]
			:: else
			fi;
			/* The id is what it was. */
			assert(t[SENDER].s[i].object == x[n].object[i] &&
			       t[SENDER].s[i].epoch == x[n].epoch[i] &&
			       t[SENDER].s[i].use == x[n].use[i])
		:: else -> drop(x[n].object[i])
		fi
	}
#ifndef NO_HOLD
	domain_drop()
#endif
}

/* transfer_take(), take_one(), captable_reserve(): of the ids that the slots had at
 * first. x[n].queued tells whether it has them all. */
inline take(n)
{
#ifndef NO_HOLD
	domain_refs++;
#endif
	x[n].queued = true;
	for (k : 0 .. 1) {
		if
		:: !x[n].queued
		:: x[n].queued && t[SENDER].s[k].object && t[SENDER].s[k].use == 0 &&
		   t[SENDER].s[k].epoch == epoch[t[SENDER].s[k].object] ->
			x[n].object[k] = t[SENDER].s[k].object;
			x[n].epoch[k] = t[SENDER].s[k].epoch;
			x[n].use[k] = 0;
			if
			:: moved(n, k) ->
#ifndef NO_RESERVE
				t[SENDER].s[k].epoch = MOVING
#else
				skip
#endif
			:: else -> refs[x[n].object[k]]++
			fi
		:: else ->
			x[n].queued = false;
			undo(n, k)
		fi
	}
}

#ifdef RELEASE_MOVING
#define REMOVABLE true
#else
#define REMOVABLE (t[SENDER].s[0].epoch != MOVING)
#endif
#define FREE(d) ((t[d].s[0].object == 0) + (t[d].s[1].object == 0))

/* captable_insert_at() */
inline insert(d, what, old)
{
	if
	:: t[d].s[0].object == 0 -> j = 0
	:: else -> assert(t[d].s[1].object == 0); j = 1
	fi;
	t[d].s[j].object = what;
#ifdef NEW_EPOCH
	t[d].s[j].epoch = epoch[what]
#else
	t[d].s[j].epoch = old
#endif
}

/* transfer_give(), after domain_reserve() has found room for all; captable_commit() */
inline give(n)
{
	for (i : 0 .. 1) {
#ifdef NO_ROOM_FIRST
		if
		:: FREE(RECEIVER) == 0 -> break
		:: else
		fi;
#endif
		if
		:: moved(n, i) ->
			assert(t[SENDER].s[i].object == x[n].object[i] &&
			       t[SENDER].s[i].use == x[n].use[i]);
			clear(SENDER, i)
		:: else
		fi;
		insert(RECEIVER, x[n].object[i], x[n].epoch[i])
	}
#ifndef NO_HOLD
	domain_drop()
#endif
}

#define HAS(d, o) ((t[d].s[0].object == o) + (t[d].s[1].object == o))
#define COPIES(o) ((x[0].queued && x[0].copies_second && x[0].object[1] == o) + \
                   (x[1].queued && x[1].copies_second && x[1].object[1] == o))
#define LIVE(d, i) (t[d].s[i].object == 1 && t[d].s[i].epoch == epoch[1])

/* What holds whenever nobody is in the exokernel. */
inline check()
{
	assert(refs[1] == HAS(SENDER, 1) + HAS(RECEIVER, 1));
	assert(let_go || refs[1] == 1);
	assert(refs[2] == HAS(SENDER, 2) + HAS(RECEIVER, 2) + COPIES(2));
	assert(!revoked || !(LIVE(SENDER, 0) || LIVE(SENDER, 1) || LIVE(RECEIVER, 0) ||
	                     LIVE(RECEIVER, 1)));
	i = 0; j = 0; k = 0 /* no two states differ by these */
}

/* refuse_call(), endpoint_cancel_call(): dequeue_call(c, true) */
inline refuse(n)
{
	x[n].queued = false;
#ifndef NO_UNDO
	undo(n, 2);
#endif
	done[n] = true
}

/* facet_call(), keep_caps() */
proctype caller(byte n)
{
	byte i, j, k;

	atomic {
		if
		:: closed || !owned -> done[n] = true
		:: else ->
			take(n);
			done[n] = !x[n].queued
		fi;
		check()
	}
	done[n]
}

/* match(), deliver(); then RETURN: return_caps(), or the server's death. */
proctype server()
{
	byte i, j, k, n, at; /* at: a slot */

	do
	:: atomic { !(done[0] && done[1]) && (x[0].queued || x[1].queued) ->
		if
		:: x[0].queued -> n = 0
		:: x[1].queued -> n = 1
		fi;
		if
#ifdef NO_ROOM_FIRST
		:: FREE(RECEIVER) >= 1 ->
#else
		:: FREE(RECEIVER) == 2 ->
#endif
			x[n].queued = false;
			give(n);
			assert(HAS(RECEIVER, x[n].object[0]) && HAS(RECEIVER, x[n].object[1]))
		:: else -> refuse(n)
		fi;
		check()
	   }
	   if
	   :: atomic { !done[n] && HAS(RECEIVER, 1) && owned && FREE(SENDER) ->
		/* Take and give in one: the first capability goes back. */
		at = (t[RECEIVER].s[1].object == 1 -> 1 : 0);
		if
		:: t[RECEIVER].s[at].epoch == epoch[1] ->
			i = t[RECEIVER].s[at].epoch;
			clear(RECEIVER, at);
			insert(SENDER, 1, i)
		:: else /* NO_CAP: it was revoked */
		fi;
		done[n] = true;
		check()
	   }
	   :: atomic { done[n] = true } /* without any, or endpoint_thread_end() */
	   fi
	:: atomic { HAS(RECEIVER, FILLER) -> /* RELEASE */
		at = (t[RECEIVER].s[0].object == FILLER -> 0 : 1);
		drop(FILLER);
		clear(RECEIVER, at);
		check()
	   }
	:: done[0] && done[1] -> break
	od
}

/* serve_cancel(), pending_cancel_all() */
proctype canceller(byte n)
{
	byte i, j, k;

	if
	:: atomic { x[n].queued -> refuse(n); check() }
	:: done[n]
	fi
}

/* endpoint_destroy() */
proctype closer()
{
	byte i, j, k;

	atomic {
		closed = true;
		if
		:: x[0].queued -> refuse(0)
		:: else
		fi;
		if
		:: x[1].queued -> refuse(1)
		:: else
		fi;
		check()
	}
}

/* serve_release(), captable_remove(); object_revoke(); the process's end */
proctype others()
{
	byte i, j, k;

	if
	:: atomic { owned && t[SENDER].s[0].object && t[SENDER].s[0].use == 0 && REMOVABLE ->
		drop(1); clear(SENDER, 0); check() }
	:: skip
	fi;
	if
	:: atomic { revoked = true; epoch[1]++; check() }
	:: skip
	fi;
	atomic { owned = false; domain_drop(); check() }
}

init
{
	byte i;

	atomic {
		t[SENDER].s[0].object = 1;
		t[SENDER].s[1].object = 2;
		refs[1] = 1;
		refs[2] = 1;
		x[1].copies_second = true;
		if
		:: t[RECEIVER].s[0].object = FILLER; refs[FILLER] = 1
		:: skip
		fi;
		run caller(0); run caller(1); run server(); run others();
		run canceller(0);
		if
		:: run closer()
		:: skip
		fi
	}
	atomic { _nr_pr == 1 ->
		for (i : 0 .. 1) {
			if
			:: t[RECEIVER].s[i].object -> drop(t[RECEIVER].s[i].object)
			:: else
			fi
		}
		assert(domain_refs == 0 && !refs[1] && !refs[2] && !refs[FILLER])
	}
}
