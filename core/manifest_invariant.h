/* manifest_invariant.h: what manifest.h promises of a manifest that passed, as
 * a predicate for the test and the fuzzer. Written from manifest.h, with the C
 * library's string functions, not from manifest.c. */
#pragma once

#include "core/manifest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static inline bool text_holds(struct capnp_text text, size_t most)
{
	return text.length <= most && strlen(text.bytes) == text.length;
}

static inline bool id_holds(struct capnp_text id)
{
	return text_holds(id, 31) && id.length > 0 &&
	       strspn(id.bytes, "abcdefghijklmnopqrstuvwxyz0123456789-") == id.length;
}

static inline bool path_holds(struct capnp_text path)
{
	char slashed[MANIFEST_PATH_MAX + 1];
	if (!text_holds(path, MANIFEST_PATH_MAX - 1) || path.bytes[0] != '/')
		return false;
	memcpy(slashed, path.bytes, path.length);
	memcpy(slashed + path.length, "/", 2);
	return strstr(slashed, "//") == NULL && strstr(slashed, "/./") == NULL &&
	       strstr(slashed, "/../") == NULL;
}

static inline bool grants_hold(const struct manifest *manifest, const char *const *sources)
{
	static const char given[] = " initrd start libos self space module ";
	if (manifest->grants.count > MANIFEST_GRANTS_MAX)
		return false;
	for (uint32_t i = 0; i < manifest->grants.count; i++) {
		struct manifest_grant grant = manifest_grant(manifest, i);
		char spaced[34] = " ";
		if (!id_holds(grant.name) || !id_holds(grant.source))
			return false;
		strcat(strcat(spaced, grant.name.bytes), " ");
		if (strstr(given, spaced) != NULL)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(manifest_grant(manifest, j).name.bytes, grant.name.bytes) == 0)
				return false;
		bool known = sources == NULL;
		for (size_t j = 0; !known && sources[j] != NULL; j++)
			known = strcmp(sources[j], grant.source.bytes) == 0;
		if (!known)
			return false;
	}
	return true;
}

static inline bool environment_holds(struct capnp_list list)
{
	for (uint32_t i = 0; i < list.count; i++) {
		const char *entry = manifest_text(list, i).bytes;
		size_t name = strcspn(entry, "=");
		if (entry[name] != '=' || name == 0 || isdigit((unsigned char)entry[0]))
			return false;
		for (size_t c = 0; c < name; c++)
			if (!isalnum((unsigned char)entry[c]) && entry[c] != '_')
				return false;
		for (uint32_t j = 0; j < i; j++)
			if (strncmp(manifest_text(list, j).bytes, entry, name + 1) == 0)
				return false;
	}
	return true;
}

static inline bool texts_hold(struct capnp_list list)
{
	if (list.count > MANIFEST_TEXTS_MAX)
		return false;
	for (uint32_t i = 0; i < list.count; i++)
		if (!text_holds(manifest_text(list, i), MANIFEST_TEXT_MAX))
			return false;
	return true;
}

static inline bool manifest_holds(const struct manifest *manifest, const char *const *sources)
{
	if (!text_holds(manifest->name, 63) || manifest->name.length == 0)
		return false;
	for (size_t i = 0; i < manifest->name.length; i++)
		if (!isprint((unsigned char)manifest->name.bytes[i]))
			return false;
	return id_holds(manifest->libos_id) && path_holds(manifest->libos_module) &&
	       grants_hold(manifest, sources) && path_holds(manifest->program_path) &&
	       manifest->arguments.count > 0 && texts_hold(manifest->arguments) &&
	       texts_hold(manifest->environment) && environment_holds(manifest->environment);
}
