/* bundle.h: the boot bundle, the one file that the loader hands the exokernel.
 *
 *   0                   the IIS, an ELF image
 *   page boundaries     blobs: the manifest, the initrd, ...
 *   8-aligned           the directory, a flat message (abi/bundle.capnp)
 *   last 16 bytes       struct bundle_trailer
 *
 * bundle_open() checks all of it once. What passes promises that every blob
 * starts on a page boundary past the first page, ends before the directory,
 * shares no page with another, and that names are ids (core/name.h) and differ.
 * The bytes must not change meanwhile. */
#pragma once

#include "abi/status.h"
#include "core/capnp.h"

#include <stddef.h>
#include <stdint.h>

enum {
	BUNDLE_MAGIC = 0x42525354,  /* "TSRB" */
	BUNDLE_PAGE = 4096,
	BUNDLE_ENTRIES_MAX = 32,
};

struct bundle_trailer {
	uint64_t directory_offset;
	uint32_t directory_size;
	uint32_t magic;
};
_Static_assert(sizeof(struct bundle_trailer) == 16, "format");

struct bundle_entry {
	struct capnp_text name;
	uint64_t offset, size;  /* bytes, in the bundle */
};

struct bundle {
	struct capnp_list entries;  /* .count, then bundle_entry() */
	const char *reason;         /* why it was refused; NULL if it was not */
};

/* Checks the bundle of `size` bytes at `bytes`, 8-aligned. STATUS_BAD_MESSAGE
 * if anything is off; out->reason then says what. */
MUST_CHECK enum status bundle_open(const void *bytes, size_t size, struct bundle *out);

/* Of a bundle that passed; i < entries.count. */
struct bundle_entry bundle_entry(const struct bundle *bundle, uint32_t i);

/* STATUS_NOT_FOUND if there is no blob of that name. */
MUST_CHECK enum status bundle_find(const struct bundle *bundle, const char *name,
                                   struct bundle_entry *out);
