/* exo.h: a Linux program's own way to the exokernel: vector 0x90, a ring and a CapSet. */
#pragma once

#include "abi/module.h"
#include "abi/ring.h"
#include "abi/status.h"
#include "rt/capset.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static struct ring *ring; /* since the first exo_enter(); a process's own */
static int failures;

#define CHECK(condition) \
	((condition) ? (void)0 : (void)(failures++, printf("%d: not %s\n", __LINE__, #condition)))

static inline uint64_t exo_system_call(uint64_t number, uint64_t first, uint64_t second, uint64_t *rdx)
{
	uint64_t rax = number, at;

	__asm__ volatile("int $0x90" : "+a"(rax), "+D"(first), "+S"(second), "=d"(at)
	                 : : "rcx", "r8", "r9", "r10", "r11", "memory");
	if (rdx)
		*rdx = at;
	return rax;
}

static inline uint64_t exo_enter(uint64_t least, uint64_t timeout)
{
	uint64_t at = 0, status = exo_system_call(SYS_CAP_ENTER, least, timeout, &at);

	ring = (struct ring *)at;
	return status;
}

/* Adds an entry; nobody is told. */
static inline void exo_push(struct ring_sqe entry)
{
	ring->sq[ring->sq_tail % RING_SQ_ENTRIES] = entry;
	__atomic_store_n(&ring->sq_tail, ring->sq_tail + 1, __ATOMIC_RELEASE);
}

/* The next completion, which must be there. */
static inline struct ring_cqe exo_take(void)
{
	if (ring->cq_head == __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE))
		return (struct ring_cqe){ .status = STATUS_COUNT };
	return ring->cq[ring->cq_head++ % RING_CQ_ENTRIES];
}

/* One entry, and its completion. */
static inline struct ring_cqe exo_serve(struct ring_sqe entry)
{
	exo_push(entry);
	if (exo_enter(1, RING_FOREVER) != STATUS_OK)
		return (struct ring_cqe){ .status = STATUS_COUNT };
	return exo_take();
}

static inline const struct capset_entry *exo_find(const char *name)
{
	return capset_entry((const struct capset *)PROGRAM_CAPSET, name);
}

/* A call with `words` of params and the capability `with` (0: none) along; its answer
 * is in `results`. The exokernel writes to no page that is still to be copied. */
static inline struct ring_sqe exo_call(const struct capset_entry *cap, uint16_t method,
                                       const uint64_t *params, uint32_t words, uint32_t with,
                                       uint64_t results[16])
{
	*(volatile uint64_t *)results = 0;
	return (struct ring_sqe){
		.op = RING_CALL, .cap = cap->cap, .interface = cap->interface, .method = method,
		.params = (uintptr_t)params, .params_size = words * 8, .user_data = 0x77,
		.results = (uintptr_t)results, .results_size = 128,
		.caps_count = with != 0, .caps = { with },
	};
}

/* A message's root, and the first capability beside it. */
#define EXO_ROOT(data_words, pointers) ((uint64_t)(pointers) << 48 | (uint64_t)(data_words) << 32)
#define EXO_CAPABILITY_0 UINT64_C(3)
