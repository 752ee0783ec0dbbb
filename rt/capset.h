/* capset.h: what a CapSet calls a name; for programs and modules. */
#pragma once

#include "abi/capset.h"

/* The capability, or 0. Names may be added meanwhile: the count says how many are whole. */
static inline uint32_t capset_find(const struct capset *set, const char *name)
{
	uint32_t count = __atomic_load_n(&set->count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count && i < CAPSET_MAX; i++) {
		const char *a = set->entries[i].name, *b = name;

		while (*a != '\0' && *a == *b)
			a++, b++;
		if (*a == *b)
			return set->entries[i].cap;
	}
	return 0;
}
