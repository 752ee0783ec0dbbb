/* iis.c: the initial init system, PID 1 under NONE, in the order of its life.
 *
 * The exokernel starts it with every capability there is and the size of the
 * boot bundle. It reads what the bundle says the system is (the manifest), has
 * the exokernel load that libOS's module, copies over the capabilities that the
 * manifest names, and becomes the libOS's first process. Nothing of it remains.
 *
 * It trusts nothing in the bundle: whatever is wrong with it is said on the
 * console in one line, and the machine goes off with status 1. */
#include "iis/handover.h"
#include "iis/refuse.h"
#include "iis/sources.h"
#include "lib/cpio/cpio.h"
#include "rt/native.h"

#include "abi/space.capnp.h"
#include "core/bundle.h"
#include "core/manifest.h"

/* Where the bundle is shown: past all that the exokernel puts into a native
 * program, with room for any size. */
#define BUNDLE_AT ((uint8_t *)0x100000000)

enum { CPIO_TYPE = 0170000, CPIO_REGULAR = 0100000 };

static const uint8_t *show_bundle(struct native *self, uint64_t size)
{
	enum status status = native_map(self, native_find(self, "space"),
	                                native_find(self, "bundle"), 0, BUNDLE_AT,
	                                native_pages(size), ACCESS_READ);
	refuse_unless_ok(self, status, "bundle", "cannot be mapped");
	return BUNDLE_AT;
}

static struct bundle_entry find_blob(struct native *self, const struct bundle *bundle,
                                     const char *name)
{
	struct bundle_entry entry;
	if (bundle_find(bundle, name, &entry) != STATUS_OK)
		refuse(self, name, "not in the bundle");
	return entry;
}

/* Does the entry stand for the absolute `path`? */
static bool same_path(const struct cpio_entry *entry, struct capnp_text path)
{
	return entry->path_length + 1 == path.length &&
	       __builtin_memcmp(entry->path, path.bytes + 1, entry->path_length) == 0;
}

/* The file in the archive; of several entries with this path the last counts. */
static struct capnp_data find_file(struct native *self, const uint8_t *archive, uint64_t size,
                                   struct capnp_text path)
{
	struct capnp_data found = { NULL, 0 };
	struct cpio_reader reader;
	struct cpio_entry entry;
	enum status status;
	cpio_start(&reader, archive, size);
	while ((status = cpio_next(&reader, &entry)) == STATUS_OK)
		if (same_path(&entry, path) && (entry.mode & CPIO_TYPE) == CPIO_REGULAR)
			found = capnp_data_from(entry.content, entry.content_size);
	if (status != STATUS_NOT_FOUND)
		refuse(self, "initrd", reader.error);
	if (found.size == 0)
		refuse(self, path.bytes, "not a file in the initrd");
	return found;
}

int native_main(struct native *self)
{
	const uint8_t *bytes = show_bundle(self, self->argument);
	struct bundle bundle;
	if (bundle_open(bytes, self->argument, &bundle) != STATUS_OK)
		refuse(self, "bundle", bundle.reason);

	struct handover handover;
	char reason[MANIFEST_REASON_MAX];
	struct bundle_entry message = find_blob(self, &bundle, "manifest");
	handover.message = capnp_data_from(bytes + message.offset, message.size);
	if (manifest_check(handover.message.bytes, handover.message.size, iis_sources,
	                   &handover.manifest, reason, sizeof reason) != STATUS_OK)
		refuse(self, "manifest", reason);

	handover.initrd = find_blob(self, &bundle, "initrd");
	handover.module = find_file(self, bytes + handover.initrd.offset, handover.initrd.size,
	                            handover.manifest.libos_module);
	hand_over(self, &handover);
}
