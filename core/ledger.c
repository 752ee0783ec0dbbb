/* ledger.c: see ledger.h. */
#include "core/ledger.h"

void ledger_init_root(struct ledger *l, uint64_t limit)
{
	uint16_t id = l->id;

	*l = (struct ledger){.limit = limit, .id = id, .refs = 1};
}

enum status ledger_init_child(struct ledger *l, struct ledger *parent,
                              uint64_t limit)
{
	uint16_t id = l->id;
	enum status status;

	if (parent->depth == UINT16_MAX)
		return STATUS_INVALID;
	status = ledger_charge(parent, limit);
	if (status)
		return status;
	*l = (struct ledger){.limit = limit, .parent = parent, .id = id,
	                     .depth = (uint16_t)(parent->depth + 1), .refs = 1};
	return STATUS_OK;
}

void ledger_end(struct ledger *l)
{
	if (l->parent)
		ledger_credit(l->parent, l->limit);
	l->parent = NULL;
	l->limit = 0;
}

/* The nearest ledger above both, or one of them; NULL: they are of two trees. */
static struct ledger *common_ancestor(struct ledger *a, struct ledger *b)
{
	while (a && b && a != b)
		if (a->depth >= b->depth)
			a = a->parent;
		else
			b = b->parent;
	return a && b ? a : NULL;
}

/* What `l` has left goes up to `top`, a parent at a time. */
static void give_up(struct ledger *l, const struct ledger *top, uint64_t bytes)
{
	for (; l != top; l = l->parent) {
		l->limit -= bytes;
		ledger_credit(l->parent, bytes);
	}
}

/* What `top` has left comes down to `l`. From below, as that is how the tree is
 * linked: until it ends, one ledger owes what its parent will bring. */
static void hand_down(struct ledger *l, const struct ledger *top, uint64_t bytes)
{
	for (; l != top; l = l->parent) {
		struct ledger *parent = l->parent;

		l->limit += bytes;
		parent->used += bytes;
		if (parent->used > parent->peak)
			parent->peak = parent->used;
	}
}

enum status ledger_donate(struct ledger *from, struct ledger *to, uint64_t bytes)
{
	struct ledger *top = common_ancestor(from, to);

	if (!top)
		return STATUS_INVALID;
	if (bytes > ledger_left(from))
		return STATUS_NO_MEMORY;
	give_up(from, top, bytes);
	hand_down(to, top, bytes);
	return STATUS_OK;
}

enum status ledger_reclaim(struct ledger *child, uint64_t bytes)
{
	return child->parent ? ledger_donate(child, child->parent, bytes) : STATUS_INVALID;
}

static const char *check_one(const struct ledger *l)
{
	if (l->used > l->limit)
		return "a ledger has used more than its limit";
	if (l->peak < l->used)
		return "a ledger's peak is below what it uses";
	if (l->depth != (l->parent ? l->parent->depth + 1 : 0))
		return "a ledger's depth is not its parent's and one";
	return NULL;
}

const char *ledger_check(const struct ledger *const *all, const uint64_t *own, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *wrong = check_one(all[i]);
		uint64_t left = all[i]->used - own[i];

		if (wrong)
			return wrong;
		if (own[i] > all[i]->used)
			return "a ledger has more charged to it than it has used";
		for (size_t j = 0; j < count; j++) {
			if (all[j]->parent != all[i])
				continue;
			if (all[j]->limit > left)
				return "a ledger has promised more than it is charged for";
			left -= all[j]->limit;
		}
		if (left)
			return "a ledger is charged for what nobody has";
	}
	return NULL;
}
