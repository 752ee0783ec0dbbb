/* reach.c: see reach.h. */
#include "kernel/reach.h"

#include "kernel/process.h"
#include "kernel/space.h"
#include "kernel/string.h"

void *reach(const struct thread *t, unsigned ring, uint64_t address, bool write, size_t *room)
{
	const struct thread_ring *r = &t->rings[ring];
	const struct space *space;
	uint64_t offset = address - r->address;

	if (offset >= offsetof(struct ring, area) && offset < sizeof(struct ring)) {
		*room = sizeof(struct ring) - offset;
		return (char *)r->page + offset;
	}
	space = space_holding(t->process->space, address);
	if (!space || space_is_region(space) != (ring == RING_MODULE))
		return NULL;
	*room = PAGE_SIZE - address % PAGE_SIZE;
	return space_reach(space, address, write);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

enum status reach_in(const struct thread *t, unsigned ring, void *to, uint64_t address,
                     size_t size)
{
	while (size > 0) {
		size_t room;
		const void *from = reach(t, ring, address, false, &room);

		if (!from)
			return STATUS_FAULT;
		room = least(size, room);
		memcpy(to, from, room);
		to = (char *)to + room;
		address += room;
		size -= room;
	}
	return STATUS_OK;
}

enum status reach_out(const struct thread *t, unsigned ring, uint64_t address, const void *from,
                      size_t size)
{
	while (size > 0) {
		size_t room;
		void *to = reach(t, ring, address, true, &room);

		if (!to)
			return STATUS_FAULT;
		room = least(size, room);
		memcpy(to, from, room);
		from = (const char *)from + room;
		address += room;
		size -= room;
	}
	return STATUS_OK;
}

enum status reach_probe(const struct thread *t, unsigned ring, uint64_t address, size_t size)
{
	while (size > 0) {
		size_t room;

		if (!reach(t, ring, address, true, &room))
			return STATUS_FAULT;
		room = least(size, room);
		address += room;
		size -= room;
	}
	return STATUS_OK;
}

enum status reach_across(struct reached to, struct reached from, size_t size,
                         bool *source)
{
	while (size > 0) {
		size_t there, here;
		void *out = reach(to.thread, to.ring, to.address, true, &there);
		const void *in = reach(from.thread, from.ring, from.address, false, &here);

		if (!out || !in) {
			*source = !in;
			return STATUS_FAULT;
		}
		here = least(size, least(here, there));
		memmove(out, in, here);
		to.address += here;
		from.address += here;
		size -= here;
	}
	return STATUS_OK;
}
