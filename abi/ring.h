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
	                  word must lie in the ring's own half (program or module) */
	RING_WAKE,     /* wake up to `expected` threads parked at `word` */
	RING_OP_COUNT
};

enum {
	RING_SQ_ENTRIES = 16,
	RING_CQ_ENTRIES = 32,
	RING_CAPS = 4,         /* capabilities that fit beside one message */
	RING_MESSAGE_MAX = 4096, /* bytes: the longest params or results message */
};
#define RING_FOREVER UINT64_MAX

struct ring_sqe {
	uint8_t op;         /* enum ring_op */
	uint8_t caps_count; /* how many of caps[] travel with the call */
	uint16_t method;    /* the method's ordinal in its interface */
	uint32_t cap;
	uint64_t user_data; /* comes back in the completion */
	uint64_t interface; /* the schema's id */
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
	                             index i means caps[i]. Copied. */
};
_Static_assert(sizeof(struct ring_sqe) == 64, "ABI");

struct ring_cqe {
	uint64_t user_data;
	int32_t status;        /* enum status */
	uint32_t results_size; /* bytes written to the results buffer;
	                          WAKE: how many were woken */
	uint32_t caps[RING_CAPS]; /* new capability ids, by index; 0: none */
};
_Static_assert(sizeof(struct ring_cqe) == 32, "ABI");

enum { RING_AREA_SIZE = 4096 - 64 - RING_SQ_ENTRIES * 64 - RING_CQ_ENTRIES * 32 };

struct ring {
	uint32_t sq_head, sq_tail;
	uint32_t cq_head, cq_tail;
	uint32_t reserved[12];
	struct ring_sqe sq[RING_SQ_ENTRIES];
	struct ring_cqe cq[RING_CQ_ENTRIES];
	uint8_t area[RING_AREA_SIZE];
};
_Static_assert(sizeof(struct ring) == 4096, "ABI");
