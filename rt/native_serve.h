/* native_serve.h: native programs that serve calls.
 *
 *     static enum status greet(struct native_request *r) { ... }
 *
 *     native_endpoint(self, &endpoint);
 *     native_facet(self, endpoint, HELLO_ID, badge, &facet);  for a client
 *     native_serve(self, endpoint, greet, &state);
 *
 * native_serve() receives a call, has it served, answers it and waits for the
 * next one by a single entry (SERVE, abi/ring.h), again and again. It knows no
 * schema: what is asked are r->interface, r->method and r->params, and the
 * generated readers and builders do the rest.
 *
 * Nobody may post to the thread's ring meanwhile (RING_POSTED, abi/ring.h): what
 * comes is taken for the entry's own completion.
 *
 * Params and results stand in the ring's area, where native_call() builds its
 * messages, too. So in between: read the params, then make calls of your own
 * (native_print() is one), then build the results. */
#pragma once

#include "rt/native.h"

struct native_request {
	struct native *self;
	void *state;         /* as given to native_serve() */
	uint64_t badge;      /* of the facet that was called */
	uint64_t interface;  /* 0: the last capability to that facet is gone */
	uint16_t method;
	bool stop;           /* set it: native_serve() returns when this is answered */
	struct capnp_struct params;
	uint32_t caps_count;
	uint32_t caps[RING_CAPS]; /* came with the call; see native_take() */
	struct capnp_builder results;
	const char *reason;       /* native_refuse()'s */
	uint32_t out_count, out_move;
	uint32_t out[RING_CAPS];
};

/* Serves one call. OK: the results are the answer; else the status, and why. If
 * r->interface is 0 nobody waits for an answer. */
typedef enum status native_method(struct native_request *r);

/* The capability that params' pointer names is the program's from now on, to
 * release one day. Those that are not taken are released when the call is
 * answered. 0: there is none at that index, or it was taken before. */
uint32_t native_take(struct native_request *r, uint32_t index);

/* Adds a capability to the answer; the index for the results. Copied, the program
 * keeps it; moved, it goes when the caller gets it. */
uint32_t native_answer_copy(struct native_request *r, uint32_t cap);
uint32_t native_answer_move(struct native_request *r, uint32_t cap);

/* `return native_refuse(r, STATUS_X, "words for people");` */
MUST_CHECK enum status native_refuse(struct native_request *r, enum status status,
                                     const char *reason);

/* Serves calls at `endpoint` until a request says stop: OK. Else why it cannot
 * receive (any more): NO_CAP, GONE, NO_METHOD, NO_MEMORY. A call that cannot be
 * answered as `method` wants is refused, and told so to the caller. */
MUST_CHECK enum status native_serve(struct native *self, uint32_t endpoint,
                                    native_method *method, void *state);

/* Ledger.endpoint, of the ledger in the CapSet; Endpoint.facet. */
MUST_CHECK enum status native_endpoint(struct native *self, uint32_t *endpoint);
MUST_CHECK enum status native_facet(struct native *self, uint32_t endpoint, uint64_t interface,
                                    uint64_t badge, uint32_t *facet);
