/* link.h: a circular list of things that contain their link. The head is a link
 * itself, so what is on a list can leave it without knowing which one it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};

static inline void link_init(struct link *l)
{
	l->next = l->prev = l;
}

static inline bool link_empty(const struct link *head)
{
	return head->next == head;
}

static inline void link_append(struct link *head, struct link *l)
{
	l->next = head;
	l->prev = head->prev;
	head->prev->next = l;
	head->prev = l;
}

/* Off its list, if it is on one. */
static inline void link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

/* All that is on `from` comes first on `head`'s list. */
static inline void link_splice(struct link *head, struct link *from)
{
	if (link_empty(from))
		return;
	from->prev->next = head->next;
	head->next->prev = from->prev;
	from->next->prev = head;
	head->next = from->next;
	link_init(from);
}

#define link_owner(l, type, member) ((type *)((char *)(l) - offsetof(type, member)))
