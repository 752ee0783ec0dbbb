/* capset.h: what a CapSet calls a name; for programs and modules. */
#pragma once

#include "abi/capset.h"

#include <stddef.h>

/* NULL: there is none. Names may be added meanwhile: the count says how many are whole. */
static inline const struct capset_entry *capset_entry(const struct capset *set, const char *name)
{
	uint32_t count = __atomic_load_n(&set->count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count && i < CAPSET_MAX; i++) {
		const char *a = set->entries[i].name, *b = name;

		while (*a != '\0' && *a == *b)
			a++, b++;
		if (*a == *b)
			return &set->entries[i];
	}
	return NULL;
}

/* The capability of that name, or 0. */
static inline uint32_t capset_find(const struct capset *set, const char *name)
{
	const struct capset_entry *entry = capset_entry(set, name);

	return entry != NULL ? entry->cap : 0;
}
