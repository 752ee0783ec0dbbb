/* sorted.c: see sorted.h. */
#include "core/sorted.h"

#include <stddef.h>

/* Marsaglia's xorshift64. */
static uint32_t next_weight(struct sorted *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)(s->random >> 32);
}

static struct sorted_node **link_to(struct sorted *s, const struct sorted_node *node)
{
	struct sorted_node *parent = node->parent;

	if (!parent)
		return &s->root;
	return parent->left == node ? &parent->left : &parent->right;
}

/* The node takes its parent's place, and the parent becomes its child. */
static void rotate_up(struct sorted *s, struct sorted_node *node)
{
	struct sorted_node *parent = node->parent;
	struct sorted_node **link = link_to(s, parent);
	struct sorted_node *moved;

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

void sorted_insert(struct sorted *s, struct sorted_node *node, uint64_t key)
{
	struct sorted_node **link = &s->root;
	struct sorted_node *parent = NULL;

	while (*link) {
		parent = *link;
		link = key < parent->key ? &parent->left : &parent->right;
	}
	*node = (struct sorted_node){
		.key = key, .parent = parent, .weight = next_weight(s), .in = true,
	};
	*link = node;
	if (!s->first || key < s->first->key)
		s->first = node;
	while (node->parent && node->weight < node->parent->weight)
		rotate_up(s, node);
}

static struct sorted_node *leftmost(const struct sorted_node *node)
{
	while (node && node->left)
		node = node->left;
	return (struct sorted_node *)(uintptr_t)node;
}

struct sorted_node *sorted_next(const struct sorted_node *node)
{
	if (node->right)
		return leftmost(node->right);
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

struct sorted_node *sorted_find(const struct sorted *s, uint64_t key)
{
	struct sorted_node *found = NULL;

	for (struct sorted_node *node = s->root; node;) {
		if (node->key == key)
			found = node;
		node = key <= node->key ? node->left : node->right;
	}
	return found;
}

void sorted_remove(struct sorted *s, struct sorted_node *node)
{
	struct sorted_node *child;

	if (s->first == node)
		s->first = sorted_next(node);
	while (node->left && node->right)
		rotate_up(s, node->left->weight < node->right->weight ? node->left : node->right);
	child = node->left ? node->left : node->right;
	*link_to(s, node) = child;
	if (child)
		child->parent = node->parent;
	*node = (struct sorted_node){0};
}

static bool child_ok(const struct sorted_node *node, const struct sorted_node *child)
{
	return !child || (child->parent == node && child->weight >= node->weight);
}

const char *sorted_check(const struct sorted *s)
{
	const struct sorted_node *node = leftmost(s->root);

	if (s->first != node)
		return "the first is not the least";
	if (s->root && s->root->parent)
		return "the root has a parent";
	for (const struct sorted_node *next; node; node = next) {
		next = sorted_next(node);
		if (!node->in)
			return "one in the tree does not know that it is";
		if (!child_ok(node, node->left) || !child_ok(node, node->right))
			return "a child does not know its parent, or is lighter";
		if (next && next->key < node->key)
			return "the order is not that of keys";
	}
	return NULL;
}
