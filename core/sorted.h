/* sorted.h: things in order of a number: timeouts by time, waiters by the word
 * that they wait at.
 *
 * A search tree by key that is a heap by random weight (a treap): whatever keys
 * are chosen, all takes a number of steps that grows as the logarithm of how many
 * there are. Equal keys stand in the order of insertion.
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sorted_node {
	uint64_t key;
	struct sorted_node *left, *right, *parent;
	uint32_t weight;
	bool in;
};

struct sorted {
	struct sorted_node *root;
	struct sorted_node *first; /* of the least key, or NULL */
	uint64_t random;           /* not 0; nobody else knows it */
};

/* It is not in already. */
void sorted_insert(struct sorted *s, struct sorted_node *node, uint64_t key);

/* It is in. */
void sorted_remove(struct sorted *s, struct sorted_node *node);

/* The first of those with that key, or NULL. */
struct sorted_node *sorted_find(const struct sorted *s, uint64_t key);

/* The one after it, or NULL. */
struct sorted_node *sorted_next(const struct sorted_node *node);

/* Walks everything; NULL, or what is wrong. For tests. */
const char *sorted_check(const struct sorted *s);
