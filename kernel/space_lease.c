/* space_lease.c: see space_lease.h. */
#include "kernel/space_lease.h"

#include "kernel/arch/x86_64/tlb.h"
#include "kernel/panic.h"
#include "kernel/space_walk.h"

static size_t size_of(unsigned depth)
{
	return sizeof(struct lease_mapping) + depth * sizeof(struct lease_tie);
}
_Static_assert(sizeof(struct lease_mapping) + LEASE_DEPTH * sizeof(struct lease_tie) <=
               KMEM_BLOCK_MAX, "");

/* A free number in the space, or 0. */
static uint8_t free_number(struct space *s)
{
	if (!s->leased)
		s->leased = block_alloc(s->ledger, SPACE_LEASED_BYTES);
	for (uint8_t i = 1; s->leased && i <= SPACE_LEASED_MAX; i++)
		if (!s->leased[i])
			return i;
	return 0;
}

static enum status check_room(struct revoker *const *revokers, unsigned depth, uint64_t pages)
{
	for (unsigned i = 0; i < depth; i++)
		if (revokers[i]->mapping_count == REVOKER_MAPPINGS ||
		    revokers[i]->mapped_pages + pages > REVOKER_PAGES)
			return STATUS_NO_SLOT;
	return STATUS_OK;
}

static enum status create(struct space *s, struct revoker *const *revokers, unsigned depth,
                          uint64_t address, uint64_t pages, struct lease_mapping **out)
{
	struct lease_mapping *m;
	uint8_t number = free_number(s);

	if (!s->leased)
		return STATUS_NO_MEMORY;
	if (!number || check_room(revokers, depth, pages))
		return STATUS_NO_SLOT;
	m = block_alloc(s->ledger, size_of(depth));
	if (!m)
		return STATUS_NO_MEMORY;
	m->space = s;
	m->address = address;
	m->pages = (uint32_t)pages;
	m->entries = 1;
	m->number = number;
	m->depth = (uint8_t)depth;
	s->leased[number] = m;
	for (unsigned i = 0; i < depth; i++) {
		struct revoker *r = revokers[i];

		m->ties[i].revoker = r;
		m->ties[i].mapping = m;
		link_append(&r->mappings, &m->ties[i].link);
		r->mapping_count++;
		r->mapped_pages += m->pages;
	}
	*out = m;
	return STATUS_OK;
}

enum status leased_begin(struct space *s, const struct object *lease, uint64_t address,
                         uint64_t pages, struct lease_mapping **out)
{
	struct revoker *revokers[LEASE_DEPTH];
	unsigned depth = 0;

	for (; lease->type == &lease_type; lease = ((const struct lease *)lease)->target) {
		struct revoker *r = ((const struct lease *)lease)->revoker;
		unsigned i = 0;

		while (i < depth && revokers[i] != r)
			i++;
		if (i == depth) /* each of them once */
			revokers[depth++] = r;
	}
	return create(s, revokers, depth, address, pages, out);
}

enum status leased_copy(struct space *s, const struct lease_mapping *old, uint64_t address,
                        uint64_t pages, struct lease_mapping **out)
{
	struct revoker *revokers[LEASE_DEPTH];
	uint64_t old_end = old->address + ((uint64_t)old->pages << PAGE_SHIFT);
	uint64_t end = address + (pages << PAGE_SHIFT);

	address = address > old->address ? address : old->address;
	end = end < old_end ? end : old_end;
	for (unsigned i = 0; i < old->depth; i++)
		revokers[i] = old->ties[i].revoker;
	return create(s, revokers, old->depth, address, (end - address) >> PAGE_SHIFT, out);
}

static void end(struct lease_mapping *m)
{
	for (unsigned i = 0; i < m->depth; i++) {
		struct revoker *r = m->ties[i].revoker;

		link_remove(&m->ties[i].link);
		r->mapping_count--;
		r->mapped_pages -= m->pages;
	}
	m->space->leased[m->number] = NULL;
	block_free(m, size_of(m->depth), m->space->ledger);
}

void leased_done(struct lease_mapping *m)
{
	if (--m->entries == 0)
		end(m);
}

void leased_gone(struct space *s, uint64_t entry)
{
	leased_done(s->leased[leased_number(entry)]);
}

/* Takes its pages away; the record stays for now. */
static void unmap(struct lease_mapping *m)
{
	struct walk w = walk_range(m->space, m->address, m->pages, false);
	uint64_t *entry;

	m->entries++;
	for (; (entry = walk_next(&w)); walk_step(&w)) {
		if (!(*entry & PTE_PRESENT) || leased_number(*entry) != m->number)
			continue;
		entry_clear(m->space, entry);
		tlb_forget(m->space, w.address);
	}
	KASSERT(m->entries == 1);
}

/* One shoot-down for a space, however many of its mappings go. Nobody takes a
 * frame between the two rounds. */
void leased_revoke(struct revoker *r)
{
	for (struct link *l = r->mappings.next; l != &r->mappings; l = l->next)
		unmap(link_owner(l, struct lease_tie, link)->mapping);
	while (!link_empty(&r->mappings)) {
		struct lease_mapping *m =
			link_owner(r->mappings.next, struct lease_tie, link)->mapping;

		tlb_sync(m->space);
		leased_done(m);
	}
}
