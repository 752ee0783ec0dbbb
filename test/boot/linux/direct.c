/* direct.c: a Linux program that also talks to the exokernel itself, by vector
 * 0x90: it gets a ring and a CapSet of its own, its entries are served, and its
 * Linux system calls go on as if nothing had been. A child of it has a ring of
 * its own, and none of its parent's memory shows there. */
#include "test/boot/linux/exo.h"

#include <sys/wait.h>
#include <unistd.h>

enum { METHOD_SET_TLS, METHOD_INFO, METHOD_THREAD, RUNNING = 2 };

static struct ring_cqe call(const struct capset_entry *cap, uint16_t method,
                            const uint64_t *params, uint32_t words, uint64_t results[16])
{
	return exo_serve(exo_call(cap, method, params, words, 0, results));
}

static void calls(void)
{
	const struct capset_entry *thread = exo_find("thread");
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
	CHECK(exo_serve((struct ring_sqe){ .op = RING_NOP, .user_data = 5 }).status == STATUS_OK);
	CHECK(exo_serve((struct ring_sqe){ .op = RING_OP_COUNT }).status == STATUS_INVALID);
	CHECK(exo_serve((struct ring_sqe){ .op = RING_CALL, .cap = 0x12345 }).status == STATUS_NO_CAP);
	CHECK(exo_serve((struct ring_sqe){ .op = RING_RELEASE, .cap = 0 }).status == STATUS_NO_CAP);
}

static int round_trip(void)
{
	CHECK(exo_enter(0, 0) == STATUS_OK);
	CHECK((uintptr_t)ring >= PROGRAM_RINGS && (uintptr_t)ring % 4096 == 0);
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
