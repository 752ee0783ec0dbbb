/* name.h: what an id is, wherever ids are used: in the libOS table, in a
 * manifest, in a bundle's directory. 1 to 31 characters of [a-z0-9-]. */
#pragma once

#include "core/capnp.h"

#include <stdbool.h>

enum { NAME_MAX_LENGTH = 31 };

static inline bool name_valid(struct capnp_text name)
{
	if (name.length == 0 || name.length > NAME_MAX_LENGTH)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		char c = name.bytes[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

static inline bool text_equal(struct capnp_text a, struct capnp_text b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++)
		if (a.bytes[i] != b.bytes[i])
			return false;
	return true;
}
