/* ring.h: the page that a thread shares with the exokernel.
 *
 * A thread writes submission entries and calls cap_enter; the exokernel
 * consumes them and appends completions. Indices run freely and are taken
 * modulo the queue's size. Each index has one writer:
 *     sq_tail, cq_head  the thread          sq_head, cq_tail  the exokernel
 * Nothing the thread can write here is trusted: the exokernel copies an entry
 * before it looks at it, and its own copies of sq_head and cq_tail decide.
 *
 * Messages may stand anywhere in the thread's memory; those that lie inside
 * `area` are reached without a page walk and are the fast way.
 *
 * The two system calls, by `syscall` from a module or a native program and by
 * vector 0x90 from any program:
 *     rax = SYS_CAP_ENTER, rdi = least number of unconsumed completions to wait
 *           for, rsi = how long to wait in nanoseconds (RING_FOREVER: no limit)
 *           -> rax = enum status, rdx = the ring's address
 *     rax = SYS_EXIT, rdi = exit code: ends the calling thread
 * Registers kept: rbx, rbp, rsp, r12-r15. All others are clobbered. A program's
 * thread that has no ring yet gets one at its first cap_enter by the vector. */
#pragma once

#include <stdint.h>

enum { SYS_CAP_ENTER = 0, SYS_EXIT = 1 };

enum ring_op {
	RING_NOP = 0,  /* completes at once */
	RING_CALL,     /* invoke `method` of `interface` on `cap` */
	RING_RELEASE,  /* drop `cap` */
	RING_PARK,     /* wait while the u32 at `word` equals `expected`; the
	                  word must lie in the ring's own half (program or module).
	                  `cap`: 0, or a ParkSpace that wakers must name too */
	RING_WAKE,     /* wake up to `expected` threads parked at `word` */
	RING_RECV,     /* wait for a call at endpoint `cap`; it comes as a struct
	                  ring_received and the params, at `results` */
	RING_RETURN,   /* answer the call `token` with `status`, `params`, `caps` */
	RING_SERVE,    /* RETURN, unless `token` is 0, then RECV: one entry, one
	                  completion. A caller that is gone is no error */
	RING_CANCEL,   /* the entry of this ring with user_data `target` that has no
	                  completion yet gets one: CANCELLED. NOT_FOUND: none */
	RING_POST,     /* a completion with user_data `target`, results_size
	                  `expected` and flag RING_POSTED, on the ring of the thread
	                  `cap` (0: this one). BUSY: its queue is full */
	RING_OP_COUNT
};

enum {
	RING_SQ_ENTRIES = 16,
	RING_CQ_ENTRIES = 32,
	RING_CAPS = 4,         /* capabilities that fit beside one message */
	RING_MESSAGE_MAX = 4096, /* bytes: the longest params or results message */
	RING_SERVED = 16,      /* calls that a thread may have received and not answered */
};
#define RING_FOREVER UINT64_MAX

struct ring_sqe {
	uint8_t op; /* enum ring_op */
	union {
		uint8_t caps_how; /* the three below at once */
		struct {
			uint8_t caps_count : 3; /* how many of caps[] travel */
			uint8_t chained : 1;    /* `cap` is a RING_CHAIN(): the target is a
			                           capability of an earlier entry's answer */
			uint8_t caps_move : 4;  /* bit i: caps[i] is moved, not copied */
		};
	};
	union {
		uint16_t method; /* the method's ordinal in its interface */
		uint16_t status; /* RETURN, SERVE: enum status; not OK: `params` is an
		                    Exception (abi/exception.capnp) or empty */
	};
	uint32_t cap;
	uint64_t user_data; /* comes back in the completion */
	union {
		uint64_t interface; /* the schema's id */
		uint64_t token;     /* RETURN, SERVE: of struct ring_received */
		uint64_t target;    /* CANCEL, POST */
	};
	union {
		uint64_t params; /* address of the params message, 8-aligned */
		uint64_t word;   /* PARK, WAKE: address of a u32, 4-aligned */
	};
	union {
		uint64_t results; /* address of the results buffer, 8-aligned */
		uint64_t timeout; /* PARK: nanoseconds, or RING_FOREVER */
	};
	uint32_t params_size;
	union {
		uint32_t results_size; /* bytes the buffer can take; 0: not wanted */
		uint32_t expected;     /* PARK: the value; WAKE: how many */
	};
	uint32_t caps[RING_CAPS]; /* ids; a capability pointer in params with
	                             index i means caps[i] */
};
_Static_assert(sizeof(struct ring_sqe) == 64, "ABI");

/* A chained entry's target: the capability that pointer field `field` of the
 * results' root names, in the answer to the entry `back` places before this one
 * (1 to 15). It waits for that answer, and fails as that fails. */
#define RING_CHAIN(back, field) ((uint32_t)(back) | (uint32_t)(field) << 8)

enum ring_flag {
	RING_EXCEPTION = 1, /* the results are an Exception: why the object refused.
	                       Without it a status that is not OK is the ring's own */
	RING_POSTED = 2,    /* no entry's completion: POST or a bound notification */
};

struct ring_cqe {
	uint64_t user_data;
	uint16_t status;       /* enum status */
	uint16_t flags;        /* enum ring_flag */
	uint32_t results_size; /* bytes written to the results buffer;
	                          WAKE: how many were woken */
	uint32_t caps[RING_CAPS]; /* new capability ids, by index; 0: none */
};
_Static_assert(sizeof(struct ring_cqe) == 32, "ABI");

/* What RECV and SERVE put in front of the params. A call with interface 0 says
 * that the last capability to the facet `badge` is gone; it has no token and
 * takes no answer. */
struct ring_received {
	uint64_t token;     /* names the call in RETURN and SERVE on this ring; never 0 */
	uint64_t badge;     /* of the facet that was called */
	uint64_t interface;
	uint16_t method;
	uint16_t caps_count; /* their ids are in the completion */
	uint32_t params_size;
};
_Static_assert(sizeof(struct ring_received) == 32, "ABI");

enum { RING_AREA_SIZE = 4096 - 64 - RING_SQ_ENTRIES * 64 - RING_CQ_ENTRIES * 32 };

/* What the exokernel says of a ring that it was asked to look at by itself
 * (ThreadControl.poll). It says so before it looks for the last time: who pushes, and
 * reads this then (ring_rouse), misses nothing. Who waits for completions without
 * cap_enter reads it again and again. */
enum ring_state {
	RING_ASLEEP = 1, /* it has stopped looking: the next cap_enter makes it go on */
};

struct ring {
	uint32_t sq_head, sq_tail;
	uint32_t cq_head, cq_tail;
	uint32_t flags; /* enum ring_state; the exokernel writes it */
	uint32_t reserved[11];
	struct ring_sqe sq[RING_SQ_ENTRIES];
	struct ring_cqe cq[RING_CQ_ENTRIES];
	uint8_t area[RING_AREA_SIZE];
};
_Static_assert(sizeof(struct ring) == 4096, "ABI");
