/* leaves.h: what a Linux program does to leave libOS linux, and to hear of those that
 * have: by the capabilities that test/boot/linux_stages.capnp gives it. */
#pragma once

#include "test/boot/linux/exo.h"
#include "test/boot/linux_stages.h"

#include "abi/libos.capnp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MEMORY_SIZE = 0, MEMORY_READ = 1, MEMORY_WRITE = 2,
	BECOME_WORDS = 5, REFUSED = 100, /* + a status: how a child ends that was */
};

static const struct capset_entry *held(const char *name)
{
	const struct capset_entry *entry;

	if (ring == NULL)
		(void)exo_enter(0, 0);
	entry = exo_find(name);
	if (entry != NULL)
		return entry;
	printf("no %s\n", name);
	exit(99);
}

/* What a child has of its parent's memory is not its ring. */
static pid_t fork_child(void)
{
	pid_t child = fork();

	if (child < 0) {
		printf("fork: %d\n", errno);
		exit(99);
	}
	if (child == 0)
		ring = NULL;
	return child;
}

/* As wait4 tells it; -1: it cannot be waited for. */
static int status_of(pid_t child)
{
	int status = -1;
	pid_t got;

	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	return got == child ? status : -1;
}

static bool exited_with(pid_t child, int code)
{
	int status = status_of(child);

	if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == code)
		return true;
	printf("status %#x, not of exit %d\n", (unsigned)status, code);
	return false;
}

static const struct capset_entry *target_named(unsigned target)
{
	char name[] = "target0";

	name[6] = (char)('0' + target);
	return held(name);
}

/* The entry that makes this process a stage under a target. */
static struct ring_sqe becoming(unsigned target, unsigned kind, uint64_t params[BECOME_WORDS],
                                uint64_t results[16])
{
	const struct capset_entry *program = held("bundle");
	uint64_t size, none = 0;

	(void)exo_serve(exo_call(program, MEMORY_SIZE, &none, 1, 0, results));
	size = results[1] * 4096;
	memcpy(params, (uint64_t[]){ EXO_ROOT(3, 1), STAGE_ARGUMENT(kind, target, size), 0, size,
	                             EXO_CAPABILITY_0 }, 8 * BECOME_WORDS);
	return exo_call(target_named(target), LIBOS_BECOME, params, BECOME_WORDS, program->cap, results);
}

/* Comes back refused, or not. */
static enum status move_to(unsigned target, unsigned kind)
{
	uint64_t params[BECOME_WORDS], results[16];

	return (enum status)exo_serve(becoming(target, kind, params, results)).status;
}

/* A child that moves at once. */
static pid_t mover(unsigned target, unsigned kind)
{
	pid_t child = fork_child();

	if (child == 0)
		_exit(REFUSED + (int)move_to(target, kind));
	return child;
}

static void leave_by_exit(int code)
{
	(void)exo_system_call(SYS_EXIT, (uint64_t)(int64_t)code, 0, NULL);
}

static struct stage_board board(void)
{
	const uint64_t params[] = { EXO_ROOT(2, 0), 0, sizeof(struct stage_board) };
	uint64_t results[16];
	struct stage_board now;

	CHECK(exo_serve(exo_call(held("board"), MEMORY_READ, params, 3, 0, results)).status == STATUS_OK);
	memcpy(&now, &results[2], sizeof now);
	return now;
}

static void let_go_of(unsigned target)
{
	const uint64_t params[] = { EXO_ROOT(1, 1), target * 4, (uint64_t)4 << 35 | (uint64_t)2 << 32 | 1, 1 };
	uint64_t results[16];

	CHECK(exo_serve(exo_call(held("board"), MEMORY_WRITE, params, 4, 0, results)).status == STATUS_OK);
}

static bool has_arrived(unsigned target)
{
	for (unsigned tries = 0; tries < 20000; tries++) {
		if (board().arrived[target] != 0)
			return true;
		usleep(1000);
	}
	return false;
}
