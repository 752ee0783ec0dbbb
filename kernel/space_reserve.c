/* space_reserve.c: ranges that a process space has set aside: a list by address,
 * disjoint. The page tables know nothing of them. */
#include "kernel/space_walk.h"

struct space_reservation {
	struct space_reservation *next;
	uint64_t address, end;
};
_Static_assert(sizeof(struct space) <= 128, "a space fits a block of that size");

/* The first page in [address, end) that is mapped, or `end`. *left: entries that
 * may still be looked at; 0: it is not known. */
static uint64_t first_mapped(const struct space *s, uint64_t address, uint64_t end,
                             uint64_t *left)
{
	struct walk w = walk_range(s, address, (end - address) >> PAGE_SHIFT, false);
	uint64_t *entry;

	w.left = *left;
	for (; (entry = walk_next(&w)); walk_step(&w))
		if (*entry & PTE_PRESENT)
			break;
	*left = w.left;
	return w.address;
}

/* A free range of `size` bytes; *link: where its reservation belongs. The first
 * that fits, passing over 2 MiB for each page that is in the way. */
static enum status find(struct space *s, uint64_t size, uint64_t *address,
                        struct space_reservation ***link)
{
	uint64_t at = SPACE_RESERVE_LOW, left = SPACE_CALL_PAGES;

	*link = &s->reserved;
	while (size <= SPACE_RESERVE_HIGH - at) {
		struct space_reservation *r = **link;
		uint64_t mapped;

		if (r && r->end <= at) {
			*link = &r->next;
			continue;
		}
		if (r && r->address < at + size) {
			at = r->end;
			continue;
		}
		mapped = first_mapped(s, at, at + size, &left);
		if (left == 0)
			return STATUS_NO_SLOT;
		if (mapped == at + size) {
			*address = at;
			return STATUS_OK;
		}
		at = (mapped | (512 * PAGE_SIZE - 1)) + 1;
	}
	return STATUS_NO_SLOT;
}

enum status space_reserve(struct space *s, uint64_t pages, uint64_t *address)
{
	struct space_reservation *r, **link;
	enum status status;

	if (space_is_region(s) || pages == 0 ||
	    pages > (SPACE_RESERVE_HIGH - SPACE_RESERVE_LOW) >> PAGE_SHIFT)
		return STATUS_INVALID;
	if (s->reserved_count == SPACE_RESERVED_MAX)
		return STATUS_NO_SLOT;
	status = find(s, pages << PAGE_SHIFT, address, &link);
	if (status)
		return status;
	r = block_alloc(s->ledger, sizeof(*r));
	if (!r)
		return STATUS_NO_MEMORY;
	r->address = *address;
	r->end = *address + (pages << PAGE_SHIFT);
	r->next = *link;
	*link = r;
	s->reserved_count++;
	return STATUS_OK;
}

static void drop(struct space *s, struct space_reservation **link)
{
	struct space_reservation *r = *link;

	*link = r->next;
	s->reserved_count--;
	block_free(r, sizeof(*r), s->ledger);
}

enum status space_unreserve(struct space *s, uint64_t address)
{
	for (struct space_reservation **link = &s->reserved; *link; link = &(*link)->next)
		if ((*link)->address == address) {
			drop(s, link);
			return STATUS_OK;
		}
	return STATUS_NOT_FOUND;
}

enum status space_committable(const struct space *s, uint64_t address, uint64_t pages)
{
	const struct space_reservation *r = s->reserved;

	if (!space_range_ok(s, address, pages))
		return STATUS_INVALID;
	while (r && r->end <= address)
		r = r->next;
	if (!r || address < r->address || pages > (r->end - address) >> PAGE_SHIFT)
		return STATUS_NOT_FOUND;
	return STATUS_OK;
}

void space_unreserve_all(struct space *s)
{
	while (s->reserved)
		drop(s, &s->reserved);
}
