/* ring.h: cap_enter: from submission entries to calls, from answers to
 * completions. */
#pragma once

#include "kernel/thread.h"
#include "kernel/trace.h"

/* A call that is answered later. Its owner is whoever will answer it. */
struct pending {
	struct thread *thread; /* NULL once abandoned */
	unsigned ring;
	uint64_t user_data;
	struct uaddr results_address;
	uint32_t results_size;
	struct ledger *ledger;
	struct pending *next_in_thread;
	void (*cancel)(struct pending *); /* the thread ends: forget it */
	struct trace_mark trace;
	/* For the owner's use. */
	struct pending *next, *prev;
	struct timeout timeout;
	uint64_t key, argument;
};

/* Serves what is queued on the thread's ring, then returns to it or waits. */
void ring_enter(struct thread *t, unsigned kind, uint64_t least, uint64_t timeout_ns);

/* Keeps `call` for later. NULL: no memory, or no room in its completion queue. */
struct pending *pending_create(const struct call *call, void (*cancel)(struct pending *));

/* Answers it with `status` and frees it. `message`: the results, may be empty. */
void pending_answer(struct pending *p, enum status status, const void *message,
                    uint32_t size);

/* Frees it without an answer. For cancel functions. */
void pending_free(struct pending *p);

/* All of the thread's are cancelled. */
void pending_cancel_all(struct thread *t);

/* A plain queue of them. */
struct pending_queue {
	struct pending *head, *tail;
};
void pending_append(struct pending_queue *q, struct pending *p);
void pending_unlink(struct pending_queue *q, struct pending *p);
