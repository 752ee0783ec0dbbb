/* deadlines.h: what is to happen when, in order of time.
 *
 * A search tree by time that is a heap by random weight (a treap): whatever
 * times are asked for, setting and clearing take a number of steps that grows as
 * the logarithm of how many there are. Equal times come in the order of setting.
 *
 * (It orders any numbers: kernel/park.c has it order words.)
 *
 * Pure: no globals, no allocation, no locking. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	uint64_t at;
	struct deadline *left, *right, *parent;
	uint32_t weight;
	bool set;
};

struct deadlines {
	struct deadline *root;
	struct deadline *first; /* the earliest, or NULL */
	uint64_t random;        /* not 0; nobody else knows it */
};

/* It is not set already. */
void deadlines_set(struct deadlines *d, struct deadline *node, uint64_t at);

/* It is set. */
void deadlines_clear(struct deadlines *d, struct deadline *node);

/* The first of those that are set to `at`, or NULL. */
struct deadline *deadlines_find(const struct deadlines *d, uint64_t at);

/* The one that comes after it, or NULL. */
struct deadline *deadlines_next(const struct deadline *node);

/* Walks everything; NULL, or what is wrong. For tests. */
const char *deadlines_check(const struct deadlines *d);
