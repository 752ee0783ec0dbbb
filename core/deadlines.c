/* deadlines.c: see deadlines.h. */
#include "core/deadlines.h"

#include <stddef.h>

/* Marsaglia's xorshift64. */
static uint32_t next_weight(struct deadlines *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return (uint32_t)(d->random >> 32);
}

static struct deadline **link_to(struct deadlines *d, const struct deadline *node)
{
	struct deadline *parent = node->parent;

	if (!parent)
		return &d->root;
	return parent->left == node ? &parent->left : &parent->right;
}

/* The node takes its parent's place, and the parent becomes its child. */
static void rotate_up(struct deadlines *d, struct deadline *node)
{
	struct deadline *parent = node->parent;
	struct deadline **link = link_to(d, parent);
	struct deadline *moved;

	if (parent->left == node) {
		moved = parent->left = node->right;
		node->right = parent;
	} else {
		moved = parent->right = node->left;
		node->left = parent;
	}
	if (moved)
		moved->parent = parent;
	node->parent = parent->parent;
	parent->parent = node;
	*link = node;
}

void deadlines_set(struct deadlines *d, struct deadline *node, uint64_t at)
{
	struct deadline **link = &d->root;
	struct deadline *parent = NULL;

	while (*link) {
		parent = *link;
		link = at < parent->at ? &parent->left : &parent->right;
	}
	*node = (struct deadline){
		.at = at, .parent = parent, .weight = next_weight(d), .set = true,
	};
	*link = node;
	if (!d->first || at < d->first->at)
		d->first = node;
	while (node->parent && node->weight < node->parent->weight)
		rotate_up(d, node);
}

/* Of the earliest one: it has nothing to its left. */
static struct deadline *after_first(const struct deadline *node)
{
	struct deadline *next = node->right;

	if (!next)
		return node->parent;
	while (next->left)
		next = next->left;
	return next;
}

void deadlines_clear(struct deadlines *d, struct deadline *node)
{
	struct deadline *child;

	if (d->first == node)
		d->first = after_first(node);
	while (node->left && node->right)
		rotate_up(d, node->left->weight < node->right->weight ? node->left : node->right);
	child = node->left ? node->left : node->right;
	*link_to(d, node) = child;
	if (child)
		child->parent = node->parent;
	*node = (struct deadline){0};
}

static struct deadline *leftmost(struct deadline *node)
{
	while (node && node->left)
		node = node->left;
	return node;
}

struct deadline *deadlines_next(const struct deadline *node)
{
	if (node->right)
		return leftmost(node->right);
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

struct deadline *deadlines_find(const struct deadlines *d, uint64_t at)
{
	struct deadline *node = d->root, *found = NULL;

	while (node) {
		if (node->at == at)
			found = node;
		node = node->at >= at ? node->left : node->right;
	}
	return found;
}

static bool child_ok(const struct deadline *node, const struct deadline *child)
{
	return !child || (child->parent == node && child->weight >= node->weight);
}

const char *deadlines_check(const struct deadlines *d)
{
	struct deadline *node = leftmost(d->root);

	if (d->first != node)
		return "the first is not the earliest";
	if (d->root && d->root->parent)
		return "the root has a parent";
	for (struct deadline *next; node; node = next) {
		next = deadlines_next(node);
		if (!node->set)
			return "one in the tree is not set";
		if (!child_ok(node, node->left) || !child_ok(node, node->right))
			return "a child does not know its parent, or is lighter";
		if (next && next->at < node->at)
			return "the order is not that of time";
	}
	return NULL;
}
