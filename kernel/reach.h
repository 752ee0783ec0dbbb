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

typedef uint64_t __attribute__((may_alias)) word;

/* True: `size` bytes at `address`, as the thread sees its ring, are in the area of the
 * ring, whose page this is, and that is a multiple of 8: *out is where. `size` is at
 * most the area's. */
static inline __attribute__((always_inline)) bool
in_area(const struct thread_ring *r, struct ring *page, uint64_t address, uint32_t size,
        word **out)
{
	uint64_t at = address - r->area;
	uint64_t words = at >> 3 | at << 61; /* what is no multiple is large */
	/* An integer: it may be anywhere. */
	uintptr_t to = (uintptr_t)page + at + offsetof(struct ring, area);

	*out = (word *)to;
	return __builtin_expect(words <= (RING_AREA_SIZE - size) / 8, 1);
}

/* The same of any size; NULL: they are not. */
static inline word *reach_area(const struct thread_ring *r, uint64_t address, uint32_t size)
{
	word *at;

	return size <= RING_AREA_SIZE && in_area(r, r->page, address, size, &at) ? at : NULL;
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
