/* thread.h: a thread: registers, rings, and what it waits for.
 *
 * A thread fills one frame. Its first fields are known to gate.S. */
#pragma once

#include "abi/ring.h"
#include "kernel/arch/x86_64/regs.h"
#include "kernel/link.h"
#include "kernel/object.h"
#include "kernel/pending.h"
#include "kernel/schedctx.h"

struct process;

/* A waiting thread is claimed for a CPU by its lowest bit (fast.h). */
enum thread_state {
	THREAD_NEW = 0,     /* not started */
	THREAD_READY = 4,   /* on a run queue, or waits for processor time */
	THREAD_RUNNING = 2, /* some CPU's current */
	THREAD_WAITING = 3, /* in cap_enter */
	THREAD_SUSPENDED = 6, /* would be ready */
	THREAD_ENDED = 8,
};

/* A thread has up to two rings: its program's, by the authority of the process,
 * and its module's, by that of the libOS. */
enum thread_ring_kind { RING_PROGRAM, RING_MODULE, RING_KINDS };

struct thread_ring {
	struct ring *page;  /* NULL: there is none */
	uint64_t address;   /* where the thread sees it, */
	uint64_t area;      /* and its area */
	struct domain *domain; /* by whose authority it asks */
	const struct capslot *found; /* where `found_id` stands in its table */
	uint32_t found_id;           /* looked up last; 0: none yet */
	uint32_t sq_head;   /* ours; what stands in the page is for the reader */
	uint32_t cq_tail;
	uint32_t pending;   /* entries consumed and not answered */
	uint32_t serving;   /* the entry that is served: one consumed long ago, if it was chained */
	uint32_t paused_at;   /* an entry that is to go on: which, */
	uint64_t paused_done; /* and from where */
	uint16_t again;       /* how often cap_enter was made again for the next entry */
	uint8_t answered_at[RING_SQ_ENTRIES]; /* where in cq the entry's completion went */
};

/* A call that a thread has received and not yet answered. */
#define SERVED_GONE ((struct pending *)1)
struct served {
	struct pending *call; /* NULL: none; SERVED_GONE: its caller is gone */
	uint64_t token;       /* of its latest call; modulo RING_SERVED, the slot's number */
};

struct thread {
	struct thread_regs regs; /* must be first */
	struct object object;
	struct process *process; /* NULL once ended */
	struct thread *next_in_process;
	uint32_t number; /* in its process, from 1: for people */
	struct ledger *ledger;

	enum thread_state state;
	uint8_t cpu;       /* where it runs or ran last */
	union {
		struct {
			bool dying;       /* ends before it runs again */
			bool interrupted; /* Thread.interrupt is to be delivered */
			bool suspended;   /* is not to run; any state but ENDED */
			bool asleep;      /* its ring is not polled: cap_enter is to change that */
		};
		uint32_t attention;       /* 0: none of these; for the fast paths */
	};
	bool left; /* its program has, and the module is to be told: so that, why */
	int32_t end_code;
	uint32_t end_reason;

	struct thread *next; /* of those that are to end */
	struct runqueue_node node;
	struct sched_context *context; /* what it runs on; NULL: it cannot run */
	struct sched_context *own_context; /* bound to it; NULL: it is passive */
	struct thread *lender;   /* whose context it has; that one waits */
	struct thread *borrower; /* who has what it had, */
	struct pending *lent_for; /* for which call of its own */
	struct link serves;       /* endpoints where it received last, oldest first */
	struct sched_context first; /* its own until another is bound */

	struct thread_ring rings[RING_KINDS];

	unsigned wait_ring;   /* WAITING: which ring, and for how many more completions; */
	uint32_t wait_more;   /* else the program's, and 1 */
	struct timeout wait_timeout;
	struct pending *pending; /* its entries that are still to be answered */
	struct pending *direct;  /* WAITING: own[0], if that is all it waits for, and is not
	                            listed (pending.h); else NULL */
	uint8_t own_used;        /* bit i: own[i] is */
	uint16_t slots_used;     /* bit i: served[i] is kept for a receive or a call */
	uint16_t slots_program;  /* bit i: of the program's ring, not of the module's */
	struct {
		struct timeout next; /* look */
		uint64_t every;      /* ns; 0: never */
		uint8_t ring;        /* which */
		uint8_t quiet;       /* how often there was nothing */
	} poll;              /* poll.h */
	struct served served[RING_SERVED];
	struct pending own[PENDING_OWN];

	uint8_t fpu[] __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct thread, rings[RING_PROGRAM].address) == THREAD_RING, "gate.S");

extern const struct object_type thread_type, thread_control_type;

struct thread_start {
	uint64_t entry, stack, argument, module_stack, ring, fs_base;
};

struct thread_start_reader;
struct thread_start thread_read_start(struct thread_start_reader reader);

/* The capability to "the thread that calls". */
struct object *thread_control_object(void);

/* A thread in `p`, THREAD_NEW, with one reference, the caller's. If that goes
 * before it was started, it ends. The start's addresses are checked: INVALID. */
enum status thread_create(struct process *p, const struct thread_start *start,
                          struct thread **out) MUST_CHECK;

/* From THREAD_NEW to ready: BUSY or GONE if it is not that any more. */
enum status thread_start(struct thread *t) MUST_CHECK;

/* Ends some of those that are to end. At every exit (leave.h). */
extern struct thread *thread_doomed;
void thread_end_doomed(void);

/* Ends it wherever it is. If it is another CPU's current, that CPU does it at
 * its next entry. */
void thread_kill(struct thread *t, int32_t code, uint32_t reason);

/* It ends, or its program has moved away. Of what happens in ring 3 under a module the
 * module is told: the thread's end is the module's to make. Else the thread ends. */
void thread_leave(struct thread *t, int32_t code, uint32_t reason);

/* Ends a thread that runs nowhere. */
void thread_end(struct thread *t);

/* Wakes a thread from cap_enter with `status`. */
void thread_wake(struct thread *t, enum status status);

struct domain *thread_domain(const struct thread *t, unsigned ring);

/* Gives a program's thread its ring. */
enum status thread_add_program_ring(struct thread *t) MUST_CHECK;
