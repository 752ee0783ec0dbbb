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

static inline bool names_hold(struct capnp_list grants, const char *given)
{
	if (grants.count > MANIFEST_GRANTS_MAX)
		return false;
	for (uint32_t i = 0; i < grants.count; i++) {
		struct manifest_grant grant = manifest_grant(grants, i);
		char spaced[34] = " ";
		if (!id_holds(grant.name) || !id_holds(grant.source))
			return false;
		strcat(strcat(spaced, grant.name.bytes), " ");
		if (strstr(given, spaced) != NULL)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(manifest_grant(grants, j).name.bytes, grant.name.bytes) == 0)
				return false;
	}
	return true;
}

static inline bool libos_grants_hold(struct capnp_list grants, const char *const *sources)
{
	for (uint32_t i = 0; i < grants.count && sources != NULL; i++) {
		size_t j = 0;
		while (sources[j] != NULL &&
		       strcmp(sources[j], manifest_grant(grants, i).source.bytes) != 0)
			j++;
		if (sources[j] == NULL)
			return false;
	}
	return names_hold(grants, " initrd start libos self space module modules thread inspector ");
}

static inline bool program_grants_hold(struct capnp_list grants, struct capnp_list libos)
{
	for (uint32_t i = 0; i < grants.count; i++) {
		uint32_t j = 0;
		while (j < libos.count && strcmp(manifest_grant(libos, j).name.bytes,
		                                 manifest_grant(grants, i).source.bytes) != 0)
			j++;
		if (j == libos.count)
			return false;
	}
	return names_hold(grants, " thread inspector ");
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
	       libos_grants_hold(manifest->grants, sources) && path_holds(manifest->program_path) &&
	       program_grants_hold(manifest->program_grants, manifest->grants) &&
	       manifest->arguments.count > 0 && texts_hold(manifest->arguments) &&
	       texts_hold(manifest->environment) && environment_holds(manifest->environment);
}
