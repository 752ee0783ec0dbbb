/* ledger.h: accounts for memory.
 *
 * Everything that the exokernel allocates is charged, in bytes, to the ledger
 * of the domain that it is for. A ledger's limit came out of its parent's: the
 * parent is charged with the whole limit when the child is made and credited
 * when the child ends, so no ledger can promise what it does not have.
 *
 * What must always hold, in the whole tree: `used` is at most `limit`, and it is
 * what was charged to the ledger itself plus its children's limits. A donation
 * keeps both: it climbs to the common ancestor and comes down on the other side.
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"

struct ledger {
	uint64_t limit; /* bytes */
	uint64_t used;  /* bytes, <= limit; limits of children included */
	uint64_t peak;
	struct ledger *parent; /* NULL: the root */
	uint16_t id;           /* its index among all ledgers */
	uint16_t depth;        /* the root's is 0 */
	uint32_t refs;         /* what is charged to it keeps it */
};

/* -- what is proved, in words that the contracts below share ------------------- */

/*@ // All ledgers of a system: any set; nothing but what `tree` says is assumed of it.
    axiomatic Ledgers { predicate is_ledger(struct ledger *l) reads \nothing; }

    logic integer limit_of{L}(struct ledger *l) = l->limit;
    logic integer used_of{L}(struct ledger *l) = l->used;
    logic integer left{L}(struct ledger *l) = l->limit - l->used;
    predicate solvent{L}(struct ledger *l) = l->used <= l->limit;
    predicate all_solvent{L} = \forall struct ledger *l; is_ledger(l) ==> solvent(l);

    // Parents are ledgers nearer to the root, and were charged with what they gave.
    predicate tree{L} =
      (\forall struct ledger *l; is_ledger(l) ==> \valid(l) &&
        (l->parent == \null || is_ledger(l->parent) && l->parent->depth < l->depth)) &&
      (\forall struct ledger *k, *l; is_ledger(k) && is_ledger(l) && k != l ==> \separated(k, l));
    lemma fields_apart{L}: \forall struct ledger *k, *l; tree && is_ledger(k) && is_ledger(l) &&
      k != l ==>
      &k->limit != &l->used && &k->limit != &l->peak && &k->used != &l->peak &&
      &k->limit != &l->limit && &k->used != &l->used && &k->peak != &l->peak;
    lemma parent_nearer{L}: \forall struct ledger *l; tree && is_ledger(l) && l->parent != \null ==>
      is_ledger(l->parent) && l->parent->depth < l->depth && l->parent != l;
    predicate bounded{L} = \forall struct ledger *l; is_ledger(l) ==>
      l->limit <= UINT64_MAX / 2; // so that no sum of two overflows
    predicate backed{L} = \forall struct ledger *l; is_ledger(l) && l->parent != \null ==>
      l->limit <= l->parent->used;

    predicate above{L}(struct ledger *top, struct ledger *l) =
      l == top || l->parent != \null && above(top, l->parent);

    predicate same{A, B}(struct ledger *l) =
      \at(l->limit, A) == \at(l->limit, B) && \at(l->used, A) == \at(l->used, B);
    predicate limits_stay{A, B}(struct ledger *but) = \forall struct ledger *l; is_ledger(l) &&
      l != but ==> \at(l->limit, A) == \at(l->limit, B);
    predicate uses_stay{A, B}(struct ledger *but) = \forall struct ledger *l; is_ledger(l) &&
      l != but ==> \at(l->used, A) == \at(l->used, B);
    predicate roots_stay{A, B} = \forall struct ledger *l; is_ledger(l) &&
      \at(l->parent, A) == \null ==> \at(l->limit, A) == \at(l->limit, B);
    // Nobody but those two has more or less to spend.
    predicate others_keep{A, B}(struct ledger *k, struct ledger *m) =
      \forall struct ledger *l; is_ledger(l) && l != k && l != m ==> left{A}(l) == left{B}(l);
*/

/*@ requires \valid(l);
    assigns l->limit, l->used, l->peak, l->parent, l->depth, l->refs;
    ensures l->limit == limit && l->used == 0 && l->parent == \null && l->depth == 0;
*/
/* The root: everything there is. */
void ledger_init_root(struct ledger *l, uint64_t limit);

/*@ requires \valid(l) && \valid(parent) && \separated(l, parent) && solvent(parent);
    assigns l->limit, l->used, l->peak, l->parent, l->depth, l->refs, parent->used, parent->peak;
    behavior ok:
      assumes parent->depth < UINT16_MAX && limit <= left(parent);
      ensures \result == STATUS_OK && solvent(parent) && solvent(l);
      ensures parent->used == \old(parent->used) + limit;
      ensures l->limit == limit && l->used == 0 && l->parent == parent &&
        l->depth == parent->depth + 1;
    behavior refused:
      assumes !(parent->depth < UINT16_MAX && limit <= left(parent));
      ensures \result != STATUS_OK && *l == \old(*l) && *parent == \old(*parent);
    complete behaviors; disjoint behaviors;
*/
/* A child with `limit` bytes of `parent`'s. NO_MEMORY: it has not that much.
 * INVALID: the tree is as deep as it may be. */
enum status ledger_init_child(struct ledger *l, struct ledger *parent,
                              uint64_t limit) MUST_CHECK;

/*@ requires \valid(l) && (l->parent == \null || \valid(l->parent) && \separated(l, l->parent) &&
             l->limit <= l->parent->used);
    assigns l->limit, l->parent, l->parent->used;
    ensures l->limit == 0 && l->parent == \null;
    ensures \old(l->parent) != \null ==>
      \old(l->parent)->used == \old(l->parent->used) - \old(l->limit);
*/
/* Gives the limit back to the parent. Nothing may be charged any more. */
void ledger_end(struct ledger *l);

/*@ requires \valid_read(l) && solvent(l);
    assigns \nothing;
    ensures \result == left(l);
*/
static inline uint64_t ledger_left(const struct ledger *l)
{
	return l->limit - l->used;
}

/*@ requires \valid(l) && solvent(l);
    assigns l->used, l->peak;
    behavior ok:
      assumes bytes <= left(l);
      ensures \result == STATUS_OK && l->used == \old(l->used) + bytes && solvent(l);
      ensures l->peak == \max(\old(l->peak), l->used);
    behavior refused:
      assumes bytes > left(l);
      assigns \nothing;
      ensures \result == STATUS_NO_MEMORY && l->used == \old(l->used) && l->peak == \old(l->peak);
    complete behaviors; disjoint behaviors;
*/
static inline enum status MUST_CHECK ledger_charge(struct ledger *l, uint64_t bytes)
{
	if (bytes > l->limit - l->used)
		return STATUS_NO_MEMORY;
	l->used += bytes;
	if (l->used > l->peak)
		l->peak = l->used;
	return STATUS_OK;
}

/*@ requires \valid(l) && bytes <= l->used;
    assigns l->used;
    ensures l->used == \old(l->used) - bytes;
*/
static inline void ledger_credit(struct ledger *l, uint64_t bytes)
{
	l->used -= bytes;
}

/*@ requires tree && bounded && backed && all_solvent && is_ledger(from) && is_ledger(to);
    assigns {l->limit | struct ledger *l; is_ledger(l)};
    assigns {l->used | struct ledger *l; is_ledger(l)};
    assigns {l->peak | struct ledger *l; is_ledger(l)};
    ensures refused: \result != STATUS_OK ==>
      \forall struct ledger *l; is_ledger(l) ==> same{Pre, Post}(l);
    ensures enough: \result == STATUS_OK ==> bytes <= \old(left(from));
    ensures from: \result == STATUS_OK && from != to ==> left(from) == \old(left(from)) - bytes;
    ensures to: \result == STATUS_OK && from != to ==> left(to) == \old(left(to)) + bytes;
    ensures itself: from == to ==> left(to) == \old(left(to));
    ensures others: others_keep{Pre, Post}(from, to);
    ensures solvent: all_solvent && roots_stay{Pre, Post};
*/
/* Moves `bytes` of what `from` has left to `to`, anywhere in the same tree, or
 * nothing. NO_MEMORY: it has not that much. INVALID: they are of two trees. */
enum status ledger_donate(struct ledger *from, struct ledger *to, uint64_t bytes) MUST_CHECK;

/*@ requires tree && bounded && backed && all_solvent && is_ledger(child);
    assigns {l->limit | struct ledger *l; is_ledger(l)};
    assigns {l->used | struct ledger *l; is_ledger(l)};
    assigns {l->peak | struct ledger *l; is_ledger(l)};
    ensures refused: \result != STATUS_OK ==>
      \forall struct ledger *l; is_ledger(l) ==> same{Pre, Post}(l);
    ensures enough: \result == STATUS_OK ==> bytes <= \old(left(child));
    ensures from: \result == STATUS_OK ==> left(child) == \old(left(child)) - bytes;
    ensures to: \result == STATUS_OK ==> child->parent != \null &&
      left(child->parent) == \old(left(child->parent)) + bytes;
    ensures others: others_keep{Pre, Post}(child, child->parent);
    ensures solvent: all_solvent && roots_stay{Pre, Post};
*/
/* Takes `bytes` that `child` has left back into its parent. NO_MEMORY: it has not
 * that much. INVALID: it has no parent. */
enum status ledger_reclaim(struct ledger *child, uint64_t bytes) MUST_CHECK;

/*@ requires \valid_read(all + (0 .. count - 1)) && \valid_read(own + (0 .. count - 1));
    requires \forall integer i; 0 <= i < count ==> \valid_read(all[i]) &&
      (all[i]->parent == \null || \valid_read(all[i]->parent));
    assigns \nothing;
*/
/* Walks all of `count` ledgers, of which `own[i]` bytes are charged to the i-th
 * itself; NULL, or what is wrong. For tests. */
const char *ledger_check(const struct ledger *const *all, const uint64_t *own, size_t count);
