/* ring_fakes.h: what of the exokernel ring_fuzz.c needs to be there, and no more. */
#pragma once

#include "kernel/ending.h"
#include "kernel/endpoint.h"
#include "kernel/leave.h"
#include "kernel/poll.h"
#include "kernel/ring_invariant.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/trace.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS_MOST = 12 };
#define MEMORY_ADDRESS 0x600000000000u

static uint8_t *memory; /* a page at MEMORY_ADDRESS */
static unsigned blocks;           /* allocated */

struct pending *endpoint_call_of(const struct thread *t)
{
	return t->pending;
}

void endpoint_cancel_leased_receive(struct pending *r)
{
	(void)r;
}

void sched_lend(struct pending *call)
{
	(void)call;
}

void poll_wake(struct thread *t)
{
	t->asleep = false;
}

void timeout_set(struct timeout *t, uint64_t at, void (*expire)(struct timeout *))
{
	t->deadline = (struct sorted_node){.key = at, .in = true};
	t->expire = expire;
}

void timeout_remove(struct timeout *t)
{
	t->deadline.in = false;
}

uint64_t clock_now(void)
{
	return 1;
}

_Noreturn void panic_false(const char *what)
{
	fprintf(stderr, "ring_fuzz: %s\n", what);
	abort();
}

bool leave_chores;
int ending_left;
enum ending_awaited ending_awaited;

bool ending_concerns(const struct ledger *l)
{
	(void)l;
	return false;
}

void ending_go_on(int work)
{
	(void)work;
}

bool trace_on;

void trace_note_entry(const struct thread *t, unsigned ring, uint32_t sq,
                      const struct ring_sqe *sqe)
{
	(void)t, (void)ring, (void)sq, (void)sqe;
}
void trace_write_unanswered(const struct thread *t)
{
	(void)t;
}
void trace_write_answered(const struct thread *t, unsigned ring, uint32_t sq,
                          const struct ring_cqe *cqe)
{
	(void)t, (void)ring, (void)sq, (void)cqe;
}
void trace_write_posted(const struct thread *t, unsigned ring, const struct ring_cqe *cqe)
{
	(void)t, (void)ring, (void)cqe;
}
void trace_write_enter(const struct thread *t, unsigned ring, uint64_t least, uint64_t timeout)
{
	(void)t, (void)ring, (void)least, (void)timeout;
}

void *block_alloc(struct ledger *ledger, size_t size)
{
	(void)ledger; /* nobody's */
	if (blocks == BLOCKS_MOST)
		return NULL;
	blocks++;
	return calloc(1, size);
}

void block_free(void *block, size_t size, struct ledger *ledger)
{
	(void)size;
	(void)ledger;
	expect(blocks > 0, "more is freed than allocated");
	blocks--;
	free(block);
}

const struct space *space_holding(const struct space *s, uint64_t address)
{
	(void)address;
	return s;
}

void *space_reach(const struct space *s, uint64_t address, bool write)
{
	(void)s;
	if (address - MEMORY_ADDRESS >= PAGE_SIZE || (write && address % PAGE_SIZE > 3 * PAGE_SIZE / 4))
		return NULL;
	return memory + (address - MEMORY_ADDRESS);
}
