/* pending.h: entries that are answered later.
 *
 * Every entry that a ring has consumed gets exactly one completion. One that is
 * not answered at once leaves a record here, which keeps a place in the
 * completion queue for it. A thread has a few records of its own, so that what
 * threads do all the time (one call, one receive, one park) allocates nothing.
 *
 * Nearly always a thread that waits has one record, whose completion ends the wait.
 * That one is `direct`: it stands in own[0], and neither in the thread's list nor in
 * any count, for the fast paths to make and unmake by as little as possible. Whoever
 * needs to see it listed asks for it: pending_settle. */
#pragma once

#include "abi/ring.h"
#include "abi/status.h"
#include "kernel/timeout.h"
#include "kernel/types.h"

struct call;
struct endpoint;
struct facet;
struct ledger;
struct object;
struct served;
struct space;
struct thread;
struct thread_ring;
struct transfer;

enum { PENDING_OWN = 3, PENDING_HEAP = 0xff };

/* A plain queue of records. */
struct pending_queue {
	struct pending *head, *tail;
};
enum { PENDING_QUEUE_MOST = 1024 }; /* in one that is gone through, or answered, as a whole */

/* A call on an endpoint: queued, then served. */
struct pending_call {
	struct facet *facet;
	struct uaddr params;
	uint32_t params_size;
	uint16_t method;
	uint8_t priority;        /* queued: its place among them */
	struct thread *server;   /* NULL: nobody has received it yet */
	struct served *served;   /* which of the server's it is then */
	struct transfer *transfer; /* queued: the capabilities that travel; or NULL */
	struct ledger *transfer_ledger; /* who pays for that */
};

/* A receive that waits on an endpoint. */
struct pending_receive {
	struct endpoint *endpoint;
	struct object *lease;      /* held; if its cancel is endpoint_cancel_leased_receive */
	struct served *served;     /* the thread's, kept for the call to come */
};

/* A park; see park.c. */
struct pending_park {
	struct timeout timeout;
	struct sorted_node place;   /* in the tree of words */
	const struct space *space;  /* of a private word; NULL: shared */
	uint64_t address;           /* in the space; shared: physical, its frame held */
	struct object *park_space;  /* held; or NULL */
};

/* A chained entry that waits for an earlier one's answer. */
struct pending_chained {
	struct ring_sqe *sqe;        /* the kernel's copy */
	struct ledger *ledger;       /* who pays for that */
	struct pending_queue *queue; /* where it waits */
	struct uaddr results;        /* of the earlier entry */
	struct ring_cqe earlier;     /* its completion, once there */
};

struct pending {
	struct thread *thread;
	struct pending *next_in_thread, *prev_in_thread;
	struct thread_ring *on; /* its ring, */
	uint8_t ring;  /* and which of the thread's: enum thread_ring_kind; of the
	                  thread's own that are free: the program's */
	uint8_t place; /* which of the thread's own, or PENDING_HEAP */
	uint32_t sq;   /* the entry's number on its ring */
	uint64_t user_data;
	struct uaddr results_address;
	uint32_t results_size;
	struct ledger *ledger;            /* PENDING_HEAP: who pays */
	void (*cancel)(struct pending *); /* forget it: frees it without an answer */
	struct pending_queue chained;     /* entries that wait for this one's answer */
	/* For the owner's use. */
	struct pending *next, *prev; /* of the thread's own: NULL where they are in no queue */
	union {
		struct {
			struct timeout timeout;
			uint64_t key, argument;
		};
		struct pending_call call;
		struct pending_receive receive;
		struct pending_chained chain;
		struct pending_park park; /* its timeout is the one above */
	};
};

/* Keeps `call` for later. NULL: no memory. */
struct pending *pending_create(const struct call *call, void (*cancel)(struct pending *));
/* The same for an entry that is no call of a method, of a ring that has a domain. */
struct pending *pending_create_for(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                                   void (*cancel)(struct pending *));

/* Answers it with `status` and frees it. `message`: the results, may be empty. */
void pending_answer(struct pending *p, enum status status, const void *message, uint32_t size);

/* Posts what `cqe` says (all but user_data) and frees it. */
void pending_complete(struct pending *p, const struct ring_cqe *cqe);

/* Frees it without an answer. For cancel functions. */
void pending_free(struct pending *p);

/* All of the thread's are cancelled. */
void pending_cancel_all(struct thread *t);

/* The thread is about to wait for one more completion of that ring: if its only
 * record is to be that, it is direct from now on. */
void pending_unlist(struct thread *t, unsigned ring);

/* A direct one is listed as others are. */
void pending_settle(struct thread *t);

/* The thread's record of entry `sq` of that ring; NULL: it is answered. */
struct pending *pending_of_entry(const struct thread *t, unsigned ring, uint32_t sq);

void pending_append(struct pending_queue *q, struct pending *p);
void pending_unlink(struct pending_queue *q, struct pending *p);
/* Not past PENDING_QUEUE_MOST. */
uint32_t pending_count(const struct pending_queue *q);
