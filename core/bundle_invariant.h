/* bundle_invariant.h: what bundle.h promises of a bundle that passed, as a
 * predicate for the test and the fuzzer. Written from bundle.h. */
#pragma once

#include "core/bundle.h"

#include <stdbool.h>
#include <string.h>

static inline bool bundle_entry_holds(struct bundle_entry entry, uint64_t end)
{
	return entry.offset % BUNDLE_PAGE == 0 && entry.offset >= BUNDLE_PAGE &&
	       (unsigned __int128)entry.offset + entry.size <= end &&
	       entry.name.length >= 1 && entry.name.length <= 31 &&
	       strspn(entry.name.bytes, "abcdefghijklmnopqrstuvwxyz0123456789-") == entry.name.length;
}

static inline bool bundle_holds(const struct bundle *bundle, const uint8_t *bytes, size_t size)
{
	struct bundle_trailer trailer;
	struct bundle_entry found;
	memcpy(&trailer, bytes + size - sizeof trailer, sizeof trailer);
	if (bundle->entries.count > BUNDLE_ENTRIES_MAX || trailer.directory_offset > size)
		return false;
	for (uint32_t i = 0; i < bundle->entries.count; i++) {
		struct bundle_entry entry = bundle_entry(bundle, i);
		if (!bundle_entry_holds(entry, trailer.directory_offset))
			return false;
		if (bundle_find(bundle, entry.name.bytes, &found) != STATUS_OK ||
		    found.name.bytes != entry.name.bytes)
			return false; /* another of that name */
		for (uint32_t j = 0; j < i; j++) {
			struct bundle_entry other = bundle_entry(bundle, j);
			for (uint64_t page = 0; page < entry.size; page += BUNDLE_PAGE)
				if (entry.offset + page >= other.offset &&
				    entry.offset + page < other.offset + other.size)
					return false;
		}
	}
	return true;
}
