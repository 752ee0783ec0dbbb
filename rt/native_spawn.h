/* native_spawn.h: native programs that make threads and processes.
 *
 * Making a process takes three capabilities of the caller: "spawner"
 * (ProcessSpawner), "memory" (a pool, for one page that the child's memory
 * passes through) and "space" (its own address space). The child's memory is
 * charged to the child: to the `bytes` it is given of the caller's ledger, or of
 * self->payer.
 *
 *     struct native_child child;
 *     native_spawn_self(self, serve, argument, NATIVE_CHILD_BYTES, &child);
 *     native_grant(self, child.process, "endpoint", endpoint);
 *     native_start(self, child.thread);
 *     native_wait(self, child.process, &end);
 *     native_forget(self, &child);
 *
 * A child finds in its CapSet what it was granted before it starts, and these:
 * self (its Process), space (its AddressSpace), console (if the caller has one),
 * and, from the exokernel, thread (ThreadControl). */
#pragma once

#include "rt/native.h"

enum {
	NATIVE_CHILD_BYTES = 1 << 20, /* room for a small program, and to spare */
	NATIVE_STACK = 16384,         /* enough for a thread that uses this library */
};

struct native_child {
	uint32_t process, space, thread; /* Process, AddressSpace, Thread: not started */
	uint32_t pid;
};

struct native_end {
	int32_t code;
	uint32_t reason; /* END_REASON_* of abi/process.capnp.h */
};

/* A child that runs the ELF program of `size` bytes at `elf` from its start:
 * native_main(), if it was linked with this library. BAD_MESSAGE: it is none. */
MUST_CHECK enum status native_spawn_image(struct native *self, const void *elf, size_t size,
                                          uint64_t argument, uint64_t bytes,
                                          struct native_child *child);

/* A child that runs a copy of this program as it is now, its data included, at
 * another function. The caller's stack and what it has mapped beside its image
 * are not copied. */
MUST_CHECK enum status native_spawn_self(struct native *self, int (*main)(struct native *),
                                         uint64_t argument, uint64_t bytes,
                                         struct native_child *child);

/* Process.grant; Thread.start; Process.kill; Process.wait, which waits. */
MUST_CHECK enum status native_grant(struct native *self, uint32_t process, const char *name,
                                    uint32_t object);
MUST_CHECK enum status native_start(struct native *self, uint32_t thread);
MUST_CHECK enum status native_kill(struct native *self, uint32_t process, int32_t code);
MUST_CHECK enum status native_wait(struct native *self, uint32_t process,
                                   struct native_end *end);

/* Releases the child's three capabilities. One that was not started ends. */
void native_forget(struct native *self, const struct native_child *child);

/* One more thread of this program, running already: main(its own struct native),
 * with a ring of its own, on the `size` bytes at `stack`. What main returns ends
 * the thread only. Needs "self" in the CapSet. */
MUST_CHECK enum status native_thread(struct native *self, int (*main)(struct native *),
                                     uint64_t argument, void *stack, size_t size,
                                     uint32_t *thread);
