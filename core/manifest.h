/* manifest.h: the manifest (abi/manifest.capnp), read and judged.
 *
 * The schema compiler knows types only: it takes a manifest that lacks a field,
 * grants a name twice or runs no program. manifest_check() knows the rest, and
 * is the same code in the build, in the IIS and in a libOS.
 *
 * A manifest that passes promises:
 *   - name is up to MANIFEST_NAME_MAX printable ASCII characters
 *   - libos.id and the grants' names are ids (core/name.h); the names of the
 *     grants differ, and none is one that the IIS or the exokernel gives
 *   - libos.module and program.path are absolute, without empty, `.` or `..`
 *     components, and shorter than MANIFEST_PATH_MAX
 *   - each grant's source is one the caller knows; of the program's grants, a name that
 *     the libOS is granted
 *   - at least one argument; each entry of the environment is NAME=value, and
 *     no NAME stands twice
 *   - no text holds a NUL, and lists and texts stay under the limits below.
 * Afterwards the accessors here cannot fail. Texts point into the message and
 * end in a NUL. The message must not change meanwhile: copy it first. */
#pragma once

#include "abi/status.h"
#include "core/capnp.h"

#include <stddef.h>
#include <stdint.h>

enum {
	MANIFEST_NAME_MAX = 63,
	MANIFEST_GRANTS_MAX = 32,
	MANIFEST_TEXTS_MAX = 64,     /* arguments; environment entries */
	MANIFEST_TEXT_MAX = 16383,   /* bytes of one of these, without its NUL */
	MANIFEST_PATH_MAX = 256,     /* bytes of a path, with its NUL */
	MANIFEST_REASON_MAX = 160,   /* bytes; no reason is longer, with its NUL */
};

struct manifest {
	struct capnp_text name;
	struct capnp_text libos_id;
	struct capnp_text libos_module;
	uint64_t libos_memory_pages;   /* 0: all that is left */
	struct capnp_text program_path;
	bool plain_console;
	struct capnp_list grants;      /* the libOS's: .count, then manifest_grant() */
	struct capnp_list program_grants;
	struct capnp_list arguments;   /* .count, then manifest_text() */
	struct capnp_list environment;
};

struct manifest_grant {
	struct capnp_text name, source;
};

/* Reads the message of `size` bytes at the 8-aligned `bytes`. `sources` are the
 * names a grant may come from, ended by NULL; NULL itself: any id will do.
 * STATUS_BAD_MESSAGE if it is refused, with `FIELD: why` in `reason` (at most
 * MANIFEST_REASON_MAX bytes, cut if `reason_size` is less). */
MUST_CHECK enum status manifest_check(const void *bytes, size_t size, const char *const *sources,
                                      struct manifest *out, char *reason, size_t reason_size);

/* Of a manifest that passed; i < count. */
struct manifest_grant manifest_grant(struct capnp_list grants, uint32_t i);
struct capnp_text manifest_text(struct capnp_list list, uint32_t i);
