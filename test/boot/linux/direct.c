/* direct.c: a Linux program that also talks to the exokernel itself, by vector
 * 0x90: it gets a ring and a CapSet of its own, its entries are served, and its
 * Linux system calls go on as if nothing had been. A child of it has a ring of
 * its own, and none of its parent's memory shows there. */
#include "abi/capset.h"
#include "abi/module.h"
#include "abi/ring.h"
#include "abi/status.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { METHOD_SET_TLS, METHOD_INFO, METHOD_THREAD, RUNNING = 2 };

static struct ring *ring;
static int failures;

#define CHECK(condition) \
	((condition) ? (void)0 : (void)(failures++, printf("%d: not %s\n", __LINE__, #condition)))

static uint64_t enter(uint64_t least, uint64_t timeout, uint64_t *rdx)
{
	uint64_t rax = SYS_CAP_ENTER, at;

	__asm__ volatile("int $0x90" : "+a"(rax), "+D"(least), "+S"(timeout), "=d"(at)
	                 : : "rcx", "r8", "r9", "r10", "r11", "memory");
	if (rdx)
		*rdx = at;
	return rax;
}

/* One entry, and its completion. */
static struct ring_cqe serve(struct ring_sqe entry)
{
	struct ring_cqe none = { .status = STATUS_COUNT };

	ring->sq[ring->sq_tail % RING_SQ_ENTRIES] = entry;
	__atomic_store_n(&ring->sq_tail, ring->sq_tail + 1, __ATOMIC_RELEASE);
	if (enter(1, RING_FOREVER, NULL) != STATUS_OK || ring->cq_head == ring->cq_tail)
		return none;
	return ring->cq[ring->cq_head++ % RING_CQ_ENTRIES];
}

static const struct capset_entry *find(const char *name)
{
	const struct capset *set = (const struct capset *)PROGRAM_CAPSET;

	for (uint32_t i = 0; i < set->count; i++)
		if (strcmp(set->entries[i].name, name) == 0)
			return &set->entries[i];
	return NULL;
}

/* A call with `words` of params; the answer is in *results. */
static struct ring_cqe call(const struct capset_entry *cap, uint16_t method,
                            const uint64_t *params, uint32_t words, uint64_t results[16])
{
	return serve((struct ring_sqe){
		.op = RING_CALL, .cap = cap->cap, .interface = cap->interface, .method = method,
		.params = (uintptr_t)params, .params_size = words * 8,
		.results = (uintptr_t)results, .results_size = 128, .user_data = 0x77,
	});
}

static void calls(void)
{
	const struct capset_entry *thread = find("thread");
	uint64_t results[16] = { 0 }, empty = 0;
	uint64_t tls[] = { (uint64_t)2 << 32, 0, 1ul << 47 };
	struct ring_cqe done;

	CHECK(thread != NULL);
	if (thread == NULL)
		return;
	done = call(thread, METHOD_INFO, &empty, 1, results);
	CHECK(done.status == STATUS_OK && done.user_data == 0x77 && done.results_size >= 16);
	CHECK((uint32_t)results[1] == RUNNING);
	CHECK(call(thread, METHOD_SET_TLS, tls, 3, results).status == STATUS_INVALID);
	CHECK(call(thread, METHOD_THREAD, &empty, 1, results).status == STATUS_DENIED);
	CHECK(call(thread, 99, &empty, 1, results).status == STATUS_NO_METHOD);
}

static void entries(void)
{
	CHECK(serve((struct ring_sqe){ .op = RING_NOP, .user_data = 5 }).status == STATUS_OK);
	CHECK(serve((struct ring_sqe){ .op = RING_OP_COUNT }).status == STATUS_INVALID);
	CHECK(serve((struct ring_sqe){ .op = RING_CALL, .cap = 0x12345 }).status == STATUS_NO_CAP);
	CHECK(serve((struct ring_sqe){ .op = RING_RELEASE, .cap = 0 }).status == STATUS_NO_CAP);
}

static int round_trip(void)
{
	uint64_t at = 0;

	CHECK(enter(0, 0, &at) == STATUS_OK);
	ring = (struct ring *)at;
	CHECK(at >= PROGRAM_RINGS && at % 4096 == 0);
	entries();
	calls();
	CHECK(getpid() > 0 && write(1, "", 0) == 0);
	return failures;
}

int main(void)
{
	int status = -1;
	uint32_t tail;
	pid_t child;

	round_trip();
	tail = ring->sq_tail;
	child = fork();
	if (child == 0)
		_exit(round_trip());
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(ring->sq_tail == tail); /* the child's ring is another */
	round_trip();
	printf("direct: %d wrong\n", failures);
	return failures != 0;
}
