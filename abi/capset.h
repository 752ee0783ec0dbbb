/* capset.h: the read-only page that names a domain's first capabilities. */
#pragma once

#include <stdint.h>

enum { CAPSET_NAME = 40, CAPSET_MAX = 63 };

struct capset_entry {
	uint64_t interface; /* schema id */
	uint32_t cap;
	uint32_t reserved;
	char name[CAPSET_NAME]; /* NUL-terminated */
	uint64_t reserved2;
};
_Static_assert(sizeof(struct capset_entry) == 64, "ABI");

struct capset {
	uint32_t count; /* may grow; read first, with acquire: the entries before it are whole */
	uint32_t reserved[15];
	struct capset_entry entries[CAPSET_MAX];
};
_Static_assert(sizeof(struct capset) == 4096, "ABI");
