/* ledger.c: see ledger.h. */
#include "core/ledger.h"

#include <stddef.h>

void ledger_init_root(struct ledger *l, uint64_t limit)
{
	uint16_t id = l->id;

	*l = (struct ledger){.limit = limit, .id = id, .refs = 1};
}

enum status ledger_init_child(struct ledger *l, struct ledger *parent,
                              uint64_t limit)
{
	uint16_t id = l->id;
	enum status status = ledger_charge(parent, limit);

	if (status)
		return status;
	*l = (struct ledger){.limit = limit, .parent = parent, .id = id, .refs = 1};
	return STATUS_OK;
}

void ledger_end(struct ledger *l)
{
	if (l->parent)
		ledger_credit(l->parent, l->limit);
	l->parent = NULL;
	l->limit = 0;
}

static unsigned depth_of(const struct ledger *l)
{
	unsigned depth = 0;

	for (; l->parent; l = l->parent)
		depth++;
	return depth;
}

/* Whoever is deeper moves up, and `from` first: so a ledger above both gives
 * before it takes, and its peak stays what it was. */
enum status ledger_donate(struct ledger *from, struct ledger *to, uint64_t bytes)
{
	unsigned from_depth = depth_of(from), to_depth = depth_of(to);

	if (bytes > ledger_left(from))
		return STATUS_NO_MEMORY;
	while (from != to) {
		if (from_depth >= to_depth) {
			from->limit -= bytes;
			from = from->parent;
			from->used -= bytes;
			from_depth--;
		} else {
			to->limit += bytes;
			to = to->parent;
			to->used += bytes;
			if (to->used > to->peak)
				to->peak = to->used;
			to_depth--;
		}
	}
	return STATUS_OK;
}

enum status ledger_reclaim(struct ledger *l, struct ledger *child, uint64_t bytes,
                           uint64_t *moved)
{
	if (child->parent != l)
		return STATUS_DENIED;
	*moved = bytes < ledger_left(child) ? bytes : ledger_left(child);
	return ledger_donate(child, l, *moved);
}
