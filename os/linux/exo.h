/* exo.h: all that the module asks of the exokernel.
 *
 * Everything goes over the calling thread's own ring, so nothing here needs a
 * lock. Requests are messages of fixed shape, written word by word into the
 * ring's area: these calls are on the way of every page fault and every fork,
 * and a general builder would cost more than the exokernel's own work.
 *
 * The queue_ functions only add to a batch, of at most RING_SQ_ENTRIES;
 * exo_flush() hands it over, waits for all of it and returns the first status
 * that is not OK. Every other function flushes. */
#pragma once

#include "abi/capset.h"
#include "abi/ring.h"
#include "abi/status.h"

#include <stddef.h>
#include <stdint.h>

/* What the CapSet calls them; 0 where the module was not granted one. */
struct exo_caps {
	uint32_t console, timer, memory, power, libos, self, space, module, initrd, start,
	         entropy, inspector;
};
extern struct exo_caps exo __attribute__((visibility("hidden")));

enum exo_access {
	EXO_READ = 1,
	EXO_WRITE = 2,
	EXO_EXECUTE = 4,
	EXO_PRIVATE = 8,
};

/* Where a new thread begins: abi/process.capnp's ThreadStart. */
struct exo_start {
	uint64_t entry, stack, argument, module_stack, ring;
};

struct exo_process {
	uint32_t process, space, thread, pid;
};

/* Reads the CapSet. */
void exo_begin(void);
/* What it calls `name`, or 0. */
uint32_t exo_find(const char *name);

/* Memory. */
MUST_CHECK enum status exo_allocate(uint64_t pages, uint32_t *object);
MUST_CHECK enum status exo_available(uint64_t *pages, uint64_t *limit);
MUST_CHECK enum status exo_object_size(uint32_t object, uint64_t *pages);

/* Address spaces: abi/space.capnp. */
MUST_CHECK enum status exo_map(uint32_t space, uint32_t object, uint64_t page, uint64_t address,
                               uint64_t pages, uint32_t access);
MUST_CHECK enum status exo_fresh(uint32_t space, uint64_t address, uint64_t pages,
                                 uint32_t access);
MUST_CHECK enum status exo_unmap(uint32_t space, uint64_t address, uint64_t pages);
MUST_CHECK enum status exo_protect(uint32_t space, uint64_t address, uint64_t pages,
                                   uint32_t access);
MUST_CHECK enum status exo_resolve(uint32_t space, uint64_t address);
/* `mapped`: how many of them there are at the most. */
void exo_queue_share(uint32_t space, uint32_t source, uint64_t address, uint64_t pages,
                     uint64_t mapped);
void exo_queue_fresh(uint32_t space, uint64_t address, uint64_t pages, uint32_t access);
void exo_queue_resolve(uint32_t space, uint64_t address);
void exo_queue_map(uint32_t space, uint32_t object, uint64_t page, uint64_t address,
                   uint64_t pages, uint32_t access);

/* Processes and threads. */
MUST_CHECK enum status exo_spawn(const struct exo_start *start, struct exo_process *out);
MUST_CHECK enum status exo_thread(uint32_t process, const struct exo_start *start,
                                  uint32_t *thread);
void exo_queue_start(uint32_t thread);
/* Only writes and pushes the entry, on `ring`. */
struct ring;
void exo_fill_start(struct ring *ring, uint32_t thread);
void exo_interrupt(uint32_t thread);
void exo_queue_kill(uint32_t process);
void exo_queue_wait(uint32_t process); /* done when its last thread has ended */
void exo_queue_release(uint32_t cap);
/* Into the CapSet of the process's program: a capability by that name, of less than
 * 40 bytes; or all that another's program holds by name. */
MUST_CHECK enum status exo_grant(uint32_t process, const char *name, uint32_t cap);
void exo_queue_inherit(uint32_t process, uint32_t from);
_Noreturn void exo_exit(int32_t code);

/* Waiting. exo_park() takes along what was queued. */
void exo_park(const uint32_t *word, uint32_t expected, uint64_t timeout);
void exo_queue_wake(const uint32_t *word, uint32_t most);

enum status exo_flush(void);

/* The machine. exo_console_read() waits; *size in: room, out: bytes. */
void exo_console_write(const void *bytes, size_t size);
MUST_CHECK enum status exo_console_read(void *bytes, size_t *size);
MUST_CHECK enum status exo_clock(uint64_t *realtime_offset, uint64_t *multiplier, uint32_t *shift,
                                 uint64_t *base);
/* How many processors run us. */
uint32_t exo_processors(void);
/* Random bytes. What was queued before stays to be told by exo_flush(). */
enum { EXO_ENTROPY_SIZE = 32 };
MUST_CHECK enum status exo_entropy(uint8_t bytes[EXO_ENTROPY_SIZE]);
_Noreturn void exo_power_off(uint32_t status);
