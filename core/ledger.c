/* ledger.c: see ledger.h. */
#include "core/ledger.h"

/*@ requires \valid(l) && (parent == \null || \valid(parent) && \separated(l, parent));
    requires parent == \null || parent->depth < UINT16_MAX;
    assigns l->limit, l->used, l->peak, l->parent, l->depth, l->refs;
    ensures l->limit == limit && l->used == 0 && l->parent == parent;
    ensures l->depth == (parent == \null ? 0 : parent->depth + 1);
*/
static void init(struct ledger *l, struct ledger *parent, uint64_t limit)
{
	l->limit = limit;
	l->used = 0;
	l->peak = 0;
	l->parent = parent;
	l->depth = parent ? (uint16_t)(parent->depth + 1) : 0;
	l->refs = 1;
}

void ledger_init_root(struct ledger *l, uint64_t limit)
{
	init(l, NULL, limit);
}

enum status ledger_init_child(struct ledger *l, struct ledger *parent,
                              uint64_t limit)
{
	enum status status;

	if (parent->depth == UINT16_MAX)
		return STATUS_INVALID;
	status = ledger_charge(parent, limit);
	if (status)
		return status;
	init(l, parent, limit);
	return STATUS_OK;
}

void ledger_end(struct ledger *l)
{
	if (l->parent)
		ledger_credit(l->parent, l->limit);
	l->parent = NULL;
	l->limit = 0;
}

/*@ requires tree && is_ledger(a) && is_ledger(b);
    assigns \nothing;
    ensures \result != \null ==> is_ledger(\result) && above(\result, a) && above(\result, b);
*/
/* The nearest ledger above both, or one of them; NULL: they are of two trees. */
static struct ledger *common_ancestor(struct ledger *a, struct ledger *b)
{
	/*@ loop invariant (a == \null || is_ledger(a)) && (b == \null || is_ledger(b));
	    loop invariant a != \null ==>
	      \forall struct ledger *l; above(l, a) ==> above(l, \at(a, Pre));
	    loop invariant b != \null ==>
	      \forall struct ledger *l; above(l, b) ==> above(l, \at(b, Pre));
	    loop assigns a, b;
	    loop variant (a == \null ? 0 : a->depth + 1) + (b == \null ? 0 : b->depth + 1);
	*/
	while (a && b && a != b)
		if (a->depth >= b->depth)
			a = a->parent;
		else
			b = b->parent;
	return a && b ? a : NULL;
}

/*@ requires tree && is_ledger(l) && is_ledger(l->parent);
    requires bytes <= l->limit && bytes <= l->parent->used;
    assigns l->limit, l->parent->used;
    ensures l->limit == \old(l->limit) - bytes && l->parent->used == \old(l->parent->used) - bytes;
    ensures limits_stay{Pre, Post}(l) && uses_stay{Pre, Post}(l->parent);
    ensures left(l) == \old(left(l)) - bytes && left(l->parent) == \old(left(l->parent)) + bytes;
    ensures others_keep{Pre, Post}(l, l->parent);
*/
static void shrink(struct ledger *l, uint64_t bytes)
{
	l->limit -= bytes;
	ledger_credit(l->parent, bytes);
}

/*@ requires tree && is_ledger(l) && is_ledger(l->parent);
    requires l->limit + bytes <= UINT64_MAX && l->parent->used + bytes <= UINT64_MAX;
    assigns l->limit, l->parent->used, l->parent->peak;
    ensures l->limit == \old(l->limit) + bytes && l->parent->used == \old(l->parent->used) + bytes;
    ensures limits_stay{Pre, Post}(l) && uses_stay{Pre, Post}(l->parent);
    ensures left(l) == \old(left(l)) + bytes && left(l->parent) == \old(left(l->parent)) - bytes;
    ensures others_keep{Pre, Post}(l, l->parent);
*/
static void extend(struct ledger *l, uint64_t bytes)
{
	struct ledger *parent = l->parent;

	l->limit += bytes;
	parent->used += bytes;
	if (parent->used > parent->peak)
		parent->peak = parent->used;
}

/*@ requires tree && bounded && backed && all_solvent && is_ledger(l) && is_ledger(top) && above(top, l);
    requires bytes <= left(l);
    assigns {k->limit | struct ledger *k; is_ledger(k)};
    assigns {k->used | struct ledger *k; is_ledger(k)};
    ensures from: l != top ==> left(l) == \old(left(l)) - bytes;
    ensures to: left(top) == \old(left(top)) + (l == top ? 0 : bytes);
    ensures others: others_keep{Pre, Post}(l, top);
    ensures bounded && all_solvent && roots_stay{Pre, Post};
*/
/* What `l` has left goes up to `top`, a parent at a time. */
static void give_up(struct ledger *l, struct ledger *top, uint64_t bytes)
{
	//@ ghost struct ledger *first = l;
	/*@ loop invariant is_ledger(l) && above(top, l) && bytes <= l->limit == limit_of{Pre}(l);
	    loop invariant l == first || l->depth < first->depth;
	    loop invariant left(l) == left{Pre}(l) + (l == first ? 0 : bytes);
	    loop invariant l != first ==> left(first) == left{Pre}(first) - bytes;
	    loop invariant \forall struct ledger *k; is_ledger(k) && k->depth < l->depth ==>
	      same{Pre, Here}(k);
	    loop invariant \forall struct ledger *k; is_ledger(k) ==> k->limit <= limit_of{Pre}(k);
	    loop invariant others_keep{Pre, Here}(first, l) && roots_stay{Pre, Here};
	    loop assigns l, {k->limit | struct ledger *k; is_ledger(k)},
	      {k->used | struct ledger *k; is_ledger(k)};
	    loop variant l->depth;
	*/
	for (; l != top; l = l->parent) {
		//@ assert is_ledger(l->parent) && l->parent->depth < l->depth && l->parent != first;
		//@ assert limit_of{Pre}(l) <= used_of{Pre}(l->parent) && same{Pre, Here}(l->parent);
		//@ assert bytes <= l->parent->used && bytes <= l->parent->limit;
		shrink(l, bytes);
	}
	//@ assert \forall struct ledger *k; is_ledger(k) ==> left(k) >= 0;
}

/*@ requires tree && bounded && all_solvent && is_ledger(l) && is_ledger(top) && above(top, l);
    requires bytes <= left(top);
    assigns {k->limit | struct ledger *k; is_ledger(k)};
    assigns {k->used | struct ledger *k; is_ledger(k)};
    assigns {k->peak | struct ledger *k; is_ledger(k)};
    ensures from: left(top) == \old(left(top)) - (l == top ? 0 : bytes);
    ensures to: l != top ==> left(l) == \old(left(l)) + bytes;
    ensures others: others_keep{Pre, Post}(l, top);
    ensures all_solvent && roots_stay{Pre, Post};
*/
/* What `top` has left comes down to `l`. From below, as that is how the tree is
 * linked: until it ends, one ledger owes what its parent will bring. */
static void hand_down(struct ledger *l, struct ledger *top, uint64_t bytes)
{
	//@ ghost struct ledger *first = l;
	//@ assert left(top) <= top->limit <= UINT64_MAX / 2;
	//@ assert bytes <= limit_of(top) <= UINT64_MAX / 2;
	/*@ loop invariant is_ledger(l) && above(top, l) && l->limit == limit_of{Pre}(l);
	    loop invariant l == first || l->depth < first->depth;
	    loop invariant left(l) == left{Pre}(l) - (l == first ? 0 : bytes);
	    loop invariant l != first ==> left(first) == left{Pre}(first) + bytes;
	    loop invariant \forall struct ledger *k; is_ledger(k) && k->depth < l->depth ==>
	      same{Pre, Here}(k);
	    loop invariant others_keep{Pre, Here}(first, l) && roots_stay{Pre, Here};
	    loop assigns l, {k->limit | struct ledger *k; is_ledger(k)},
	      {k->used | struct ledger *k; is_ledger(k)}, {k->peak | struct ledger *k; is_ledger(k)};
	    loop variant l->depth;
	*/
	for (; l != top; l = l->parent) {
		//@ assert is_ledger(l->parent) && l->parent->depth < l->depth && l->parent != first;
		//@ assert same{Pre, Here}(l->parent);
		//@ assert bytes <= limit_of{Pre}(top) <= UINT64_MAX / 2;
		//@ assert l->limit <= UINT64_MAX / 2 && l->parent->used <= limit_of{Pre}(l->parent) <= UINT64_MAX / 2;
		extend(l, bytes);
	}
	//@ assert \forall struct ledger *k; is_ledger(k) ==> left(k) >= 0;
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

/*@ requires \valid_read(l) && (l->parent == \null || \valid_read(l->parent));
    assigns \nothing;
*/
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
	//@ loop invariant i <= count; loop assigns i; loop variant count - i;
	for (size_t i = 0; i < count; i++) {
		const char *wrong = check_one(all[i]);
		uint64_t left = all[i]->used - own[i];

		if (wrong)
			return wrong;
		if (own[i] > all[i]->used)
			return "a ledger has more charged to it than it has used";
		//@ loop invariant j <= count; loop assigns j, left; loop variant count - j;
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
