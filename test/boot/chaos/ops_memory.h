/* ops_memory.h: operations on ledgers, memory and address spaces. */
#pragma once

#include "test/boot/chaos/actor.h"

enum { PAGES_MOST = 8, ACCESS_ALL = ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE | ACCESS_PRIVATE };

/* -- ledgers -------------------------------------------------------------------------- */

static bool op_ledger_child(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_LEDGER, LEDGER_CHILD))
		return false;
	/* Sometimes enough for a process. */
	ledger_child_params_set_bytes(ledger_child_params_build(&q->b),
	                              below(a, one_in(a, 6) ? 300 : 64) * 4096);
	return true;
}

static void ledger_born(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	if (slot->used_count) {
		a->parent = slot->used[0].held.cap;
		a->child = cqe->caps[0];
	}
}

static bool op_ledger_donate(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_LEDGER, LEDGER_DONATE) || !has(a, K_LEDGER))
		return false;
	struct ledger_donate_params_builder p = ledger_donate_params_build(&q->b);
	ledger_donate_params_set_to(p, attach(a, q, K_LEDGER));
	ledger_donate_params_set_bytes(p, below(a, 4) * 4096);
	return true;
}

static bool op_ledger_reclaim(struct actor *a, struct request *q)
{
	const struct held parent = { .cap = a->parent }, child = { .cap = a->child };
	if (!a->child || !call_chosen(a, q, K_LEDGER, LEDGER_RECLAIM, &parent))
		return false;
	struct ledger_reclaim_params_builder p = ledger_reclaim_params_build(&q->b);
	ledger_reclaim_params_set_child(p, attach_held(q, K_LEDGER, &child, false));
	ledger_reclaim_params_set_bytes(p, below(a, 8) * 4096);
	a->child = 0;
	return true;
}

/* -- memory --------------------------------------------------------------------------- */

static bool op_allocate(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_POOL, MEMORY_POOL_ALLOCATE))
		return false;
	q->slot->info = (uint8_t)(1 + below(a, PAGES_MOST));
	memory_pool_allocate_params_set_pages(memory_pool_allocate_params_build(&q->b),
	                                      q->slot->info);
	return true;
}

/* The pages of what the entry is called on; those of a chained one are not known. */
static uint64_t pages_of_target(const struct request *q)
{
	return q->slot->used_count && q->slot->used[0].held.info ? q->slot->used[0].held.info : 1;
}

static uint64_t some_offset(struct actor *a, const struct request *q, unsigned size)
{
	return below(a, pages_of_target(q) * 4096 - size + 1);
}

#define READ_OP(name, kind, METHOD, prefix)                                              \
	static bool name(struct actor *a, struct request *q)                            \
	{                                                                                \
		unsigned count = 1 + (unsigned)below(a, 200);                            \
		if (!call_on(a, q, kind, METHOD))                                        \
			return false;                                                    \
		struct prefix##_read_params_builder p = prefix##_read_params_build(&q->b); \
		prefix##_read_params_set_offset(p, some_offset(a, q, count));            \
		prefix##_read_params_set_count(p, count);                                \
		return true;                                                             \
	}
READ_OP(op_read, K_MEMORY, MEMORY_OBJECT_READ, memory_object)
READ_OP(op_read_readonly, K_READONLY, READ_ONLY_MEMORY_READ, read_only_memory)
READ_OP(op_read_buffer, K_BUFFER, SHARED_BUFFER_READ, shared_buffer)

#define WRITE_OP(name, kind, METHOD, prefix)                                               \
	static bool name(struct actor *a, struct request *q)                              \
	{                                                                                  \
		uint64_t data[8];                                                          \
		if (!call_on(a, q, kind, METHOD))                                          \
			return false;                                                      \
		struct prefix##_write_params_builder p = prefix##_write_params_build(&q->b); \
		for (unsigned i = 0; i < 8; i++)                                           \
			data[i] = next(a);                                                 \
		prefix##_write_params_set_offset(p, some_offset(a, q, sizeof data));       \
		prefix##_write_params_set_data(p, capnp_data_from(data, sizeof data));     \
		return true;                                                               \
	}
WRITE_OP(op_write, K_MEMORY, MEMORY_OBJECT_WRITE, memory_object)
WRITE_OP(op_write_buffer, K_BUFFER, SHARED_BUFFER_WRITE, shared_buffer)

#define PART_OP(name, METHOD, part)                                                        \
	static bool name(struct actor *a, struct request *q)                              \
	{                                                                                  \
		if (!call_on(a, q, K_MEMORY, METHOD))                                      \
			return false;                                                      \
		struct memory_object_##part##_params_builder p =                           \
			memory_object_##part##_params_build(&q->b);                        \
		uint64_t page = below(a, pages_of_target(q));                              \
		q->slot->info = (uint8_t)(1 + below(a, pages_of_target(q) - page));        \
		memory_object_##part##_params_set_page(p, page);                           \
		memory_object_##part##_params_set_pages(p, q->slot->info);                 \
		return true;                                                               \
	}
PART_OP(op_memory_child, MEMORY_OBJECT_CHILD, child)
PART_OP(op_slice, MEMORY_OBJECT_SLICE, slice)
PART_OP(op_share_buffer, MEMORY_OBJECT_SHARE, share)

static bool op_read_only(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_MEMORY, MEMORY_OBJECT_READ_ONLY))
		return false;
	q->slot->info = (uint8_t)pages_of_target(q);
	return true;
}

/* -- address spaces ----------------------------------------------------------------------- */

/* Rarely an address that matters to whoever lives there. */
static uint64_t some_address(struct actor *a)
{
	static const uint64_t others[] = {
		0x400000, 0x410000, 0x420000, 0x7fffefff0000, 0x7ffff0001000, 0x200000000,
		0x7ffff0000000, 0x1000, 0xffffc00000200000, 0xffffc07fffe01000, 0xffffffff80000000,
	};

	if (one_in(a, 3000))
		return others[below(a, sizeof others / sizeof others[0])];
	return (a->module && one_in(a, 2) ? ARENA_MODULE : ARENA) + below(a, ARENA_PAGES) * 4096;
}

static struct place *some_place(struct actor *a)
{
	for (unsigned i = 0; i < PLACES; i++) {
		struct place *p = &a->places[below(a, PLACES)];

		if (p->space)
			return p;
	}
	return NULL;
}

/* Where something is mapped, most likely: the entry's target and an address. */
static bool at_place(struct actor *a, struct request *q, uint16_t method, uint64_t *address)
{
	struct place *p = some_place(a);

	if (!call_on(a, q, K_SPACE, method))
		return false;
	*address = some_address(a);
	if (p && !q->e.chained && !one_in(a, 16)) {
		q->e.cap = p->space;
		q->slot->used[0].held.cap = p->space;
		*address = p->address;
	}
	return true;
}

static void mapped(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	a->places[below(a, PLACES)] = (struct place){ slot->used[0].held.cap, slot->note };
}

static uint32_t some_access(struct actor *a)
{
	static const uint8_t usual[] = {
		ACCESS_READ, ACCESS_READ | ACCESS_WRITE, ACCESS_READ | ACCESS_WRITE,
		ACCESS_READ | ACCESS_WRITE | ACCESS_PRIVATE, ACCESS_READ | ACCESS_PRIVATE,
		ACCESS_READ | ACCESS_EXECUTE,
	};

	return one_in(a, 30) ? (uint32_t)below(a, ACCESS_ALL + 1) : usual[below(a, sizeof usual)];
}

static bool op_map(struct actor *a, struct request *q)
{
	static const uint8_t mappable[] = { K_MEMORY, K_MEMORY, K_MEMORY, K_READONLY, K_BUFFER };
	unsigned kind = mappable[below(a, sizeof mappable)];
	uint32_t access = some_access(a);

	if (!call_on(a, q, K_SPACE, ADDRESS_SPACE_MAP) || !has(a, kind))
		return false;
	struct address_space_map_params_builder p = address_space_map_params_build(&q->b);
	const struct held *h = pick(a, kind);
	uint64_t pages = h->info ? h->info : 1, page = below(a, pages);
	if (kind == K_READONLY && !one_in(a, 8))
		access = ACCESS_READ;
	if (kind == K_BUFFER && !one_in(a, 8))
		access = ACCESS_READ | ACCESS_WRITE;
	q->slot->note = some_address(a);
	address_space_map_params_set_object(p, attach_held(q, kind, h, false));
	address_space_map_params_set_page(p, page);
	address_space_map_params_set_pages(p, 1 + below(a, pages - page));
	address_space_map_params_set_address(p, q->slot->note);
	address_space_map_params_set_access(p, access);
	return true;
}

static bool op_fresh(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_SPACE, ADDRESS_SPACE_FRESH))
		return false;
	struct address_space_fresh_params_builder p = address_space_fresh_params_build(&q->b);
	q->slot->note = some_address(a);
	address_space_fresh_params_set_address(p, q->slot->note);
	address_space_fresh_params_set_pages(p, 1 + below(a, 4));
	address_space_fresh_params_set_access(p, ACCESS_READ | ACCESS_WRITE);
	return true;
}

static bool op_unmap(struct actor *a, struct request *q)
{
	uint64_t address;
	if (!at_place(a, q, ADDRESS_SPACE_UNMAP, &address))
		return false;
	struct address_space_unmap_params_builder p = address_space_unmap_params_build(&q->b);
	q->slot->note = address;
	address_space_unmap_params_set_address(p, address);
	address_space_unmap_params_set_pages(p, 1 + below(a, 8));
	return true;
}

/* Nothing is there any more. */
static void unmapped(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	for (unsigned i = 0; i < PLACES; i++)
		if (slot->used_count && a->places[i].space == slot->used[0].held.cap &&
		    a->places[i].address == slot->note)
			a->places[i].space = 0;
}

static bool op_protect(struct actor *a, struct request *q)
{
	uint64_t address;
	if (!at_place(a, q, ADDRESS_SPACE_PROTECT, &address))
		return false;
	struct address_space_protect_params_builder p = address_space_protect_params_build(&q->b);
	address_space_protect_params_set_address(p, address);
	address_space_protect_params_set_pages(p, 1 + below(a, 4));
	address_space_protect_params_set_access(p, some_access(a) & 7);
	return true;
}

static bool op_share(struct actor *a, struct request *q)
{
	struct place *from = some_place(a);
	if (!from || !call_on(a, q, K_SPACE, ADDRESS_SPACE_SHARE) ||
	    (q->e.cap == from->space && !one_in(a, 16)))
		return false;
	struct address_space_share_params_builder p = address_space_share_params_build(&q->b);
	const struct held h = { .cap = from->space };
	address_space_share_params_set_source(p, attach_held(q, K_SPACE, &h, false));
	address_space_share_params_set_address(p, from->address);
	address_space_share_params_set_pages(p, 1 + below(a, 8));
	q->slot->note = from->address;
	return true;
}

static bool op_resolve(struct actor *a, struct request *q)
{
	uint64_t address;
	if (!at_place(a, q, ADDRESS_SPACE_RESOLVE, &address))
		return false;
	address_space_resolve_params_set_address(address_space_resolve_params_build(&q->b),
	                                         address);
	return true;
}

static bool op_query_page(struct actor *a, struct request *q)
{
	uint64_t address;
	if (!at_place(a, q, ADDRESS_SPACE_QUERY, &address))
		return false;
	address_space_query_params_set_address(address_space_query_params_build(&q->b), address);
	return true;
}

static bool op_reserve(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_SPACE, ADDRESS_SPACE_RESERVE))
		return false;
	address_space_reserve_params_set_pages(address_space_reserve_params_build(&q->b),
	                                       1 + below(a, 1u << below(a, 20)));
	return true;
}

static void reserved(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	struct address_space_reserve_results_reader r;

	if (slot->used_count && address_space_reserve_results_read(slot->results, 24, &r) == STATUS_OK)
		a->reserved = (struct place){ slot->used[0].held.cap,
		                              address_space_reserve_results_get_address(r) };
}

static bool at_reserved(struct actor *a, struct request *q, uint16_t method)
{
	if (!a->reserved.space || !call_on(a, q, K_SPACE, method))
		return false;
	if (q->e.chained)
		return false;
	q->e.cap = a->reserved.space;
	q->slot->used[0].held.cap = a->reserved.space;
	return true;
}

static bool op_unreserve(struct actor *a, struct request *q)
{
	if (!at_reserved(a, q, ADDRESS_SPACE_UNRESERVE))
		return false;
	address_space_unreserve_params_set_address(address_space_unreserve_params_build(&q->b),
	                                           a->reserved.address);
	a->reserved.space = 0;
	return true;
}

static bool op_commit(struct actor *a, struct request *q)
{
	if (!at_reserved(a, q, ADDRESS_SPACE_COMMIT))
		return false;
	struct address_space_commit_params_builder p = address_space_commit_params_build(&q->b);
	q->slot->note = a->reserved.address;
	address_space_commit_params_set_address(p, a->reserved.address);
	address_space_commit_params_set_pages(p, 1);
	address_space_commit_params_set_access(p, ACCESS_READ | ACCESS_WRITE);
	return true;
}
