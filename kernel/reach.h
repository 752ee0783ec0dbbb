/* reach.h: a thread's memory, as its ring's entries name it.
 *
 * A ring reaches only its own half: a program's ring the program's memory, a
 * module's ring the module region. What lies in the ring's own `area` is reached
 * without a page walk. Nothing is kept: a page may go as soon as the call ends. */
#pragma once

#include "kernel/thread.h"

/* The kernel's pointer to `address`, good for *room bytes, at least one. NULL: it
 * is not mapped, or (write) not writable. */
void *reach(const struct thread *t, unsigned ring, uint64_t address, bool write, size_t *room);

/* The same for `size` bytes that lie 8-aligned in the ring's area; NULL: they do not. */
static inline void *reach_area(const struct thread_ring *r, uint64_t address, uint32_t size)
{
	uint64_t offset = address - r->address - offsetof(struct ring, area);

	if (size > RING_AREA_SIZE || offset > RING_AREA_SIZE - size || offset % 8)
		return NULL;
	return r->page->area + offset;
}

/* FAULT: some of it cannot be reached; what came before may have been copied. */
enum status reach_in(const struct thread *t, unsigned ring, void *to, uint64_t address,
                     size_t size) MUST_CHECK;
enum status reach_out(const struct thread *t, unsigned ring, uint64_t address, const void *from,
                      size_t size) MUST_CHECK;
/* Whether reach_out would succeed. */
enum status reach_probe(const struct thread *t, unsigned ring, uint64_t address,
                        size_t size) MUST_CHECK;

/* From one thread's memory to another's. FAULT: *source tells which of the two
 * could not be reached. */
struct reached {
	const struct thread *thread;
	unsigned ring;
	uint64_t address;
};
enum status reach_across(struct reached to, struct reached from, size_t size,
                         bool *source) MUST_CHECK;
