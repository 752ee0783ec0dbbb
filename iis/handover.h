/* handover.h: from NONE to the libOS that the manifest names. */
#pragma once

#include "core/bundle.h"
#include "core/manifest.h"
#include "rt/native.h"

/* All checked, and all inside the bundle as it is mapped. */
struct handover {
	struct capnp_data message;    /* the manifest as it came */
	struct manifest manifest;
	struct bundle_entry initrd;   /* where it lies in the bundle */
	struct capnp_data module;     /* the libOS's ELF image */
};

/* Loads the libOS and becomes its first process, or refuses. The libOS finds
 * in its CapSet what the manifest grants, and:
 *   initrd   MemoryObject: a copy-on-write child of the bundle
 *   start    MemoryObject: u64 bytes of initrd, u64 bytes of the manifest's
 *            message, the message. */
_Noreturn void hand_over(struct native *self, const struct handover *handover);
