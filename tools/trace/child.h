/* child.h: a process of the host that runs a native program of Tessera.
 *
 * It has nothing mapped but what it is told to map, so the program's fixed
 * addresses are free. None of its system calls reaches the host's kernel: each
 * one stops it, and the caller plays the exokernel (ptrace, PTRACE_SYSEMU). (But a
 * call into the host's vsyscall page, which cannot be unmapped, tells the time.) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What stands in the child for the program's host: a page that no program may
 * use. Below it the host maps nothing. */
enum { CHILD_PAGE = 0x10000 };

struct child {
	pid_t pid;
	int memory; /* /proc/PID/mem */
	int store;  /* the memory that can be mapped shared; the same number there */
	char error[160];
};

enum child_stop {
	CHILD_SYSCALL, /* by syscall or by vector 0x90; number, first, second */
	CHILD_FAULT,   /* address: of the instruction */
	CHILD_TSC,     /* the program read the TSC, at address */
	CHILD_GONE,
};

struct child_event {
	enum child_stop stop;
	uint64_t number, first, second;
	uint64_t address;
};

/* False: not here; see c->error. Then, too, child_end is to be called. */
bool child_start(struct child *c);
void child_end(struct child *c);

/* mmap, munmap and mprotect in the child: 0, or the negative errno. mprotect
 * passes over holes. */
long child_map(struct child *c, uint64_t address, uint64_t size, int protection, int flags,
               uint64_t offset_in_store);
long child_unmap(struct child *c, uint64_t address, uint64_t size);
long child_protect(struct child *c, uint64_t address, uint64_t size, int protection);

/* False: not mapped. Protection does not matter; but nothing is written to the child's
 * own page. */
bool child_read(struct child *c, uint64_t address, void *to, size_t size);
bool child_write(struct child *c, uint64_t address, const void *from, size_t size);

/* Where the program begins. */
void child_set_start(struct child *c, uint64_t entry, uint64_t stack, uint64_t rdi, uint64_t rsi,
                     uint64_t rdx);

/* Runs the program until it stops. */
struct child_event child_run(struct child *c);

/* What its system call answers. */
void child_answer(struct child *c, uint64_t rax, uint64_t rdx);
