/* names.c: see names.h. The tables are generated from the schemas. */
#include "tools/trace/names.h"

#include <stddef.h>

#include "abi/interfaces.h"

const struct names_interface *names_interface(uint64_t id)
{
	for (const struct names_interface *i = names_interfaces; i->name; i++)
		if (i->id == id)
			return i;
	return NULL;
}

const struct names_method *names_method(uint64_t interface, uint16_t method)
{
	const struct names_interface *i = names_interface(interface);

	return i && method < i->count ? &i->methods[method] : NULL;
}

const struct names_struct *names_struct(uint64_t id)
{
	for (const struct names_struct *s = names_structs; s->fields; s++)
		if (s->id == id)
			return s;
	return NULL;
}
