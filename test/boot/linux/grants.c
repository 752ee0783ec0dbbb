/* grants.c: a Linux program that holds capabilities of its own, as the manifest says
 * (test/boot/grants.capnp), by its ring and vector 0x90. It can call these, and nothing
 * else; its children hold what it still holds when it forks, whatever they execute.
 *
 *     grants         all of it
 *     grants NAME... ends with 0 if it holds those, in this order, and they work */
#include "test/boot/linux/exo.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TIMER_NOW = 0, ENTROPY_READ = 0, BASICS = 2,
	SLOT_BITS = 12, GENERATIONS = 4, /* of an id: core/captable.h */
};

static bool works(const struct capset_entry *entry)
{
	const uint64_t eight[] = { EXO_ROOT(1, 0), 8 };
	uint64_t results[16];

	if (strcmp(entry->name, "clock") == 0)
		return exo_serve(exo_call(entry, TIMER_NOW, eight, 2, 0, results)).status == STATUS_OK &&
		       results[1] != 0;
	return exo_serve(exo_call(entry, ENTROPY_READ, eight, 2, 0, results)).status == STATUS_OK &&
	       results[2] != 0;
}

/* Nothing that could be an id of its table is anything else. */
static bool nothing_else(void)
{
	const struct capset *set = (const struct capset *)PROGRAM_CAPSET;
	struct capset_entry guess = *exo_find("thread");
	uint64_t results[16], none = 0;

	for (guess.cap = 0; guess.cap < GENERATIONS << SLOT_BITS; guess.cap++) {
		bool listed = false;
		for (uint32_t i = 0; i < set->count; i++)
			listed |= set->entries[i].cap == guess.cap;
		if (!listed && exo_serve(exo_call(&guess, 1, &none, 1, 0, results)).status != STATUS_NO_CAP)
			return false;
	}
	return true;
}

/* 0: those and no others, and they work; else what is wrong. */
static int holds(int count, const char *const *names)
{
	const struct capset *set = (const struct capset *)PROGRAM_CAPSET;

	if (exo_enter(0, 0) != STATUS_OK)
		return 1;
	if (set->count != (uint32_t)(BASICS + count))
		return 2;
	for (int i = 0; i < count; i++)
		if (strcmp(set->entries[BASICS + i].name, names[i]) != 0 || !works(&set->entries[BASICS + i]))
			return 3 + i;
	return nothing_else() ? 0 : 10;
}

static int ending_of(pid_t child)
{
	int status = -1;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int of_child(int count, const char *const *names)
{
	pid_t child = fork();

	if (child == 0)
		_exit(holds(count, names));
	return ending_of(child);
}

/* The same of a program that is executed, by a fork or a vfork. */
static int of_program(bool shares, const char *first, const char *second)
{
	pid_t child = shares ? vfork() : fork();

	if (child == 0) {
		execl("/grants", "grants", first, second, NULL);
		_exit(99);
	}
	return ending_of(child);
}

static void release(const char *name)
{
	CHECK(exo_serve((struct ring_sqe){ .op = RING_RELEASE, .cap = exo_find(name)->cap }).status ==
	      STATUS_OK);
}

static void refusals(void)
{
	struct capset_entry clock = *exo_find("clock");
	uint64_t results[16], none = 0;

	CHECK(exo_serve(exo_call(&clock, 99, &none, 1, 0, results)).status == STATUS_NO_METHOD);
	clock.interface++;
	CHECK(exo_serve(exo_call(&clock, 0, &none, 1, 0, results)).status == STATUS_NO_METHOD);
}

/* A child lets go of all it has: that is between it and its own children. */
static void a_child_lets_go(void)
{
	pid_t child = fork();

	if (child == 0) {
		failures = 0;
		(void)exo_enter(0, 0);
		release("clock");
		release("chance");
		CHECK(of_child(0, NULL) == 0);
		CHECK(of_program(true, NULL, NULL) == 0);
		_exit(failures);
	}
	CHECK(ending_of(child) == 0);
}

static int all(void)
{
	static const char *const both[] = { "clock", "chance" };

	CHECK(holds(2, both) == 0);
	refusals();
	CHECK(of_child(2, both) == 0);
	CHECK(of_program(false, "clock", "chance") == 0);
	CHECK(of_program(true, "clock", "chance") == 0);
	a_child_lets_go();
	CHECK(works(exo_find("clock")) && works(exo_find("chance")));
	release("chance");
	CHECK(of_child(1, both) == 0);
	CHECK(of_program(true, "clock", NULL) == 0);
	CHECK(of_program(false, "clock", "chance") == 2);
	printf("grants: %d wrong\n", failures);
	return failures != 0;
}

int main(int count, char **arguments)
{
	if (count == 1 && getpid() == 1)
		return all();
	return holds(count - 1, (const char *const *)arguments + 1);
}
