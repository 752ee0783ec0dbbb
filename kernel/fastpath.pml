/* fastpath.pml: from caller to server and back on one CPU, while another does the
 * same (fastpath.c), and the slow way, which is exclusive (endpoint.c, sched.c).
 *
 * Two CPUs, two clients, and one server or two at one endpoint. Each client calls
 * twice, then ends. A lock of each CPU's own keeps the exclusive way apart from the shared
 * one (lock.pml); between the two CPUs when both are shared there is the endpoint's
 * flag and the claim.
 *
 * No thread runs on two CPUs, or with registers that are not its latest; who is not
 * claimed is not touched; every call is answered, and every server waits again.
 *
 * Broken, each of them to be found out:
 *   -DEARLY_WAITING   hand_over() shows that a thread waits before it has saved it
 *   -DUNLOCK_EARLY    hand_over() drops the lock before it shows that a thread waits
 *   -DNO_CLAIM        claim() does not look whether the thread waits
 *   -DNO_PUT_BACK     a claimed thread that is not taken stays claimed
 *   -DNO_FLAG         the endpoint's flag is not taken
 *   -DKEEP_FLAG       a path that is not taken keeps it
 *   -DKEEP_REGISTERS  put_current() leaves in cpu->registers what it has saved
 */
#define THREADS 4
#define CLIENT(t) (t < 2)
#define NONE 255
#define MEMORY 255

mtype = { READY, RUNNING, WAITING, ENDED };
mtype state[THREADS];
byte latest[THREADS];    /* where the thread's registers are: a CPU, or memory */
bool in_user[THREADS];   /* some CPU runs the thread's own code */
byte owner[THREADS];     /* which CPU may touch the thread while it is RUNNING */
byte served[THREADS];    /* whose call the server has to answer */
byte rounds[THREADS];

byte current[2], registers[2]; /* of struct cpu */
bool lock[2];

bool flag;
byte receiver0 = 2, receiver1 = NONE; /* of the endpoint */
byte call0 = NONE, call1 = NONE;

/* switch_from(); switch_registers() */
inline save(t)
{
	assert(latest[t] == me);
	latest[t] = MEMORY
}

inline load(t)
{
	assert(latest[t] == MEMORY);
	latest[t] = me;
	registers[me] = t
}

/* claim(), as which `got` tells the result; thread.direct and thread.attention may
 * say that it is not to be. */
inline claim(t)
{
	atomic {
#ifdef NO_CLAIM
		got = true;
#else
		got = (state[t] == WAITING);
#endif
		if
		:: got -> state[t] = RUNNING; owner[t] = me
		:: else
		fi
	}
	if
	:: got
	:: got -> got = false;
#ifndef NO_PUT_BACK
		state[t] = WAITING
#endif
	:: !got
	fi
}

inline flag_take()
{
#ifdef NO_FLAG
	got = true
#else
	atomic { got = !flag; flag = true }
#endif
}

/* hand_over(), to its end: `to` runs on. */
inline hand_over(to)
{
#ifdef EARLY_WAITING
	state[t] = WAITING;
#endif
#ifdef UNLOCK_EARLY
	lock[me] = false;
#endif
	save(t);
	current[me] = to;
	state[t] = WAITING;
	load(to);
	lock[me] = false
}

/* call_server(): `got` if it went this way. */
inline call_server()
{
	flag_take();
	if
	:: got ->
		other = receiver0;
		if
		:: other == NONE || receiver1 != NONE -> got = false
		:: else -> claim(other)
		fi;
		if
		:: got ->
			receiver0 = NONE;
			flag = false;
			assert(owner[other] == me && state[other] == RUNNING);
			served[other] = t;
			hand_over(other)
		:: else ->
#ifndef KEEP_FLAG
			flag = false
#endif
		fi
	:: else
	fi
}

/* serve_caller() */
inline serve_caller()
{
	flag_take();
	if
	:: got ->
		other = served[t];
		if
		:: call0 != NONE || receiver0 != NONE -> got = false
		:: else -> claim(other)
		fi;
		if
		:: got ->
			assert(owner[other] == me && state[other] == RUNNING);
			served[t] = NONE;
			receiver0 = t;
			flag = false;
			hand_over(other)
		:: else -> flag = false
		fi
	:: else
	fi
}

/* The exclusive way: facet_call(), match(), deliver(); ring.c: wait() */
inline call_slowly()
{
	if
	:: receiver0 != NONE ->
		assert(state[receiver0] == WAITING && served[receiver0] == NONE);
		served[receiver0] = t;
		state[receiver0] = READY;
		receiver0 = receiver1;
		receiver1 = NONE
	:: receiver0 == NONE && call0 == NONE -> call0 = t
	:: receiver0 == NONE && call0 != NONE -> call1 = t
	fi;
	state[t] = WAITING
}

/* endpoint_serve(): answer(), receive(), match() */
inline serve_slowly()
{
	assert(state[served[t]] == WAITING);
	state[served[t]] = READY;
	served[t] = NONE;
	if
	:: call0 != NONE ->
		served[t] = call0;
		call0 = call1;
		call1 = NONE
	:: call0 == NONE && receiver0 == NONE -> receiver0 = t; state[t] = WAITING
	:: call0 == NONE && receiver0 != NONE -> receiver1 = t; state[t] = WAITING
	fi
}

/* sched_leave(), put_current(), take_next(): any thread that is ready. */
inline leave()
{
	if
	:: current[me] != NONE && state[current[me]] != RUNNING ->
		if
		:: state[t] != ENDED && registers[me] == t -> save(t)
		:: else
		fi;
#ifndef KEEP_REGISTERS
		registers[me] = NONE;
#endif
		current[me] = NONE
	:: else
	fi;
	if
	:: current[me] == NONE ->
		if
		:: state[0] == READY -> current[me] = 0
		:: state[1] == READY -> current[me] = 1
		:: state[2] == READY -> current[me] = 2
		:: state[3] == READY -> current[me] = 3
		:: else
		fi
	:: else
	fi;
	if
	:: current[me] != NONE ->
		state[current[me]] = RUNNING;
		owner[current[me]] = me;
		if
		:: registers[me] != current[me] -> load(current[me])
		:: else -> assert(latest[current[me]] == me)
		fi
	:: else
	fi
}

#define SOME_READY (state[0] == READY || state[1] == READY || state[2] == READY || \
                    state[3] == READY)
#define ALL_ENDED  (state[0] == ENDED && state[1] == ENDED)

proctype cpu(byte me)
{
	byte t = me, other;
	bool got;

	do
	:: current[me] != NONE ->
		t = current[me];
		atomic { assert(!in_user[t] && latest[t] == me); in_user[t] = true }
		in_user[t] = false;
		atomic { !lock[me] -> lock[me] = true } /* lock_shared() */
		got = false;
		if
		:: CLIENT(t) && rounds[t] < 2 -> rounds[t]++; call_server()
		:: CLIENT(t) && rounds[t] == 2 -> rounds[t]++
		:: !CLIENT(t) -> serve_caller()
		fi;
		if
		:: !got ->
			lock[me] = false; /* lock_upgrade() */
			atomic { !lock[0] -> lock[0] = true }
			atomic { !lock[1] -> lock[1] = true;
				assert(!flag);
				if
				:: CLIENT(t) && rounds[t] <= 2 -> call_slowly()
				:: CLIENT(t) && rounds[t] > 2 -> state[t] = ENDED
				:: !CLIENT(t) -> serve_slowly()
				fi;
				leave();
				lock[0] = false;
				lock[1] = false
			}
		:: else
		fi
	:: current[me] == NONE && SOME_READY -> /* idle(), woken by VECTOR_KICK */
		atomic { !lock[0] -> lock[0] = true }
		atomic { !lock[1] -> lock[1] = true; leave(); lock[0] = false; lock[1] = false }
	:: current[me] == NONE && ALL_ENDED && !SOME_READY -> break
	od
}

init
{
	byte t;
	bool two_servers;

	atomic {
		for (t : 0 .. THREADS - 1) {
			state[t] = (CLIENT(t) -> RUNNING : WAITING);
			owner[t] = t;
			latest[t] = (CLIENT(t) -> t : MEMORY);
			served[t] = NONE
		}
		current[0] = 0; registers[0] = 0;
		current[1] = 1; registers[1] = 1;
		if
		:: two_servers = true; receiver1 = 3
		:: true
		fi;
		run cpu(0); run cpu(1)
	}
	_nr_pr == 1;
	assert(receiver0 != NONE && (receiver1 != NONE) == two_servers && receiver0 != receiver1);
	assert(state[2] == WAITING && state[3] == WAITING && call0 == NONE)
}
