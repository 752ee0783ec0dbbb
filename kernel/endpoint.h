/* endpoint.h: calls that programs serve.
 *
 * An endpoint is where servers receive; a facet of it is what clients call, with
 * the interface and the badge that its maker gave it. A call is a record of its
 * caller's (pending.h): it waits on the endpoint, then in a slot of the thread
 * that received it, until that answers. Messages are copied once, from thread to
 * thread, when caller and receiver have met; the exokernel keeps none.
 *
 * A caller that waits lends its scheduling context to who serves it, or will. */
#pragma once

#include "kernel/link.h"
#include "kernel/object.h"
#include "kernel/pending.h"

struct endpoint {
	struct object object; /* refs: capabilities to receive with */
	struct ledger *ledger;
	uint32_t flag;        /* lock.h */
	bool closed;          /* nobody can receive any more */
	uint32_t facets;
	uint32_t waiting;     /* in calls */
	struct pending_queue calls;     /* highest priority first, then oldest */
	struct pending_queue receivers; /* oldest first */
	struct facet *gone;   /* facets without capabilities, for the server to hear of */
	struct thread *server; /* who received last, held; or NULL */
	struct link served;    /* on that one's list */
};

struct facet {
	struct object object;
	struct endpoint *endpoint;
	uint64_t interface, badge;
	struct ledger *ledger;
	struct facet *next_gone;
};

extern const struct object_type endpoint_type, facet_type;

/* One reference; NULL: no memory. */
struct object *endpoint_create(struct ledger *ledger);

/* CALL on a facet. The answer comes later: CALL_PENDING. */
enum status facet_call(struct facet *f, const struct call *call,
                       const struct ring_sqe *sqe) MUST_CHECK;

/* RECV, RETURN and SERVE. */
enum status endpoint_serve(struct thread *t, unsigned ring, const struct ring_sqe *sqe) MUST_CHECK;

/* What ends the records of calls and receives. */
void endpoint_cancel_call(struct pending *c);
void endpoint_cancel_receive(struct pending *r);
void endpoint_cancel_leased_receive(struct pending *r);

/* The first of the thread's calls that is still to be answered; NULL: there is none. */
struct pending *endpoint_call_of(const struct thread *t);

/* A call that waits in a queue is of that priority now, if its own was lower. */
void endpoint_raise_call(struct pending *c, unsigned priority);

/* The thread ends: who waits for its answer waits no longer. */
void endpoint_thread_end(struct thread *t);
