/* bundle.c: the boot bundle's directory, checked; bundle.h says what passes. */
#include "core/bundle.h"

#include "abi/bundle.capnp.h"
#include "core/name.h"

/* Finds the trailer, and in it where the directory is. */
static const char *find_directory(const uint8_t *bytes, size_t size,
                                  struct bundle_trailer *trailer)
{
	if (size < BUNDLE_PAGE + sizeof *trailer)
		return "bundle cut short";
	size -= sizeof *trailer;
	__builtin_memcpy(trailer, bytes + size, sizeof *trailer);
	if (trailer->magic != BUNDLE_MAGIC)
		return "no bundle: magic number missing at the end";
	if (trailer->directory_offset < BUNDLE_PAGE || trailer->directory_offset > size ||
	    trailer->directory_size > size - trailer->directory_offset)
		return "directory outside the bundle";
	if (trailer->directory_offset % CAPNP_WORD != 0)
		return "directory not aligned";
	return NULL;
}

static bool read_entry(struct capnp_list entries, uint32_t i, struct bundle_entry *out)
{
	struct entry_reader entry = entry_list_get(entries, i);
	out->offset = entry_get_offset(entry);
	out->size = entry_get_size(entry);
	return entry_get_name(entry, &out->name) == STATUS_OK;
}

static uint64_t pages(uint64_t bytes)
{
	return bytes / BUNDLE_PAGE + (bytes % BUNDLE_PAGE != 0);
}

static bool share_a_page(struct bundle_entry a, struct bundle_entry b)
{
	uint64_t first_a = a.offset / BUNDLE_PAGE, first_b = b.offset / BUNDLE_PAGE;
	return first_a < first_b + pages(b.size) && first_b < first_a + pages(a.size);
}

/* `end`: where blobs must have ended. */
static const char *check_entry(struct bundle_entry entry, uint64_t end)
{
	if (!name_valid(entry.name))
		return "blob's name is not 1 to 31 characters of a-z, 0-9 and -";
	if (entry.offset % BUNDLE_PAGE != 0)
		return "blob not on a page boundary";
	if (entry.offset < BUNDLE_PAGE || entry.offset > end || entry.size > end - entry.offset)
		return "blob outside the bundle";
	return NULL;
}

static const char *check_entries(struct capnp_list list, uint64_t end)
{
	struct bundle_entry entries[BUNDLE_ENTRIES_MAX];
	if (list.count > BUNDLE_ENTRIES_MAX)
		return "too many blobs";
	for (uint32_t i = 0; i < list.count; i++) {
		if (!read_entry(list, i, &entries[i]))
			return "directory malformed";
		const char *reason = check_entry(entries[i], end);
		if (reason != NULL)
			return reason;
		for (uint32_t j = 0; j < i; j++) {
			if (text_equal(entries[i].name, entries[j].name))
				return "two blobs of one name";
			if (share_a_page(entries[i], entries[j]))
				return "blobs overlap";
		}
	}
	return NULL;
}

static const char *open_checked(const uint8_t *bytes, size_t size, struct bundle *out)
{
	struct bundle_trailer trailer;
	struct directory_reader directory;
	const char *reason = find_directory(bytes, size, &trailer);
	if (reason != NULL)
		return reason;
	if (directory_read(bytes + trailer.directory_offset, trailer.directory_size, &directory) !=
	            STATUS_OK ||
	    directory_get_entries(directory, &out->entries) != STATUS_OK)
		return "directory malformed";
	return check_entries(out->entries, trailer.directory_offset);
}

enum status bundle_open(const void *bytes, size_t size, struct bundle *out)
{
	*out = (struct bundle){ .reason = NULL };
	out->reason = open_checked(bytes, size, out);
	if (out->reason == NULL)
		return STATUS_OK;
	out->entries.count = 0;
	return STATUS_BAD_MESSAGE;
}

struct bundle_entry bundle_entry(const struct bundle *bundle, uint32_t i)
{
	struct bundle_entry entry;
	if (!read_entry(bundle->entries, i, &entry))
		entry = (struct bundle_entry){ .name = { "", 0 } };
	return entry;
}

enum status bundle_find(const struct bundle *bundle, const char *name, struct bundle_entry *out)
{
	for (uint32_t i = 0; i < bundle->entries.count; i++) {
		*out = bundle_entry(bundle, i);
		if (text_equal(out->name, capnp_text_from(name)))
			return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}
