/* schema.c: access to a code generator request; anything malformed is fatal,
 * as it comes from our own compiler. */
#include "tools/capnpc/schema.h"

#include "tools/capnpc/fail.h"

struct capnp_list schema_list(struct capnp_struct s, uint32_t pointer)
{
	struct capnp_list list;
	if (capnp_get_list(&s, pointer, CAPNP_COMPOSITE, &list) != STATUS_OK)
		fail("bad request: a list was expected");
	return list;
}

struct capnp_struct schema_struct(struct capnp_struct s, uint32_t pointer)
{
	struct capnp_struct out;
	if (capnp_get_struct(&s, pointer, &out) != STATUS_OK)
		fail("bad request: a struct was expected");
	return out;
}

const char *schema_text(struct capnp_struct s, uint32_t pointer)
{
	struct capnp_text text;
	if (capnp_get_text(&s, pointer, &text) != STATUS_OK)
		fail("bad request: text was expected");
	return text.bytes;
}

struct schema schema_read(struct capnp_struct request)
{
	return (struct schema){ schema_list(request, REQUEST_NODES_P),
	                        schema_list(request, REQUEST_FILES_P) };
}

struct capnp_struct schema_node(const struct schema *s, uint64_t id)
{
	for (uint32_t i = 0; i < s->nodes.count; i++) {
		struct capnp_struct node = capnp_list_struct(s->nodes, i);
		if (capnp_get_u64(node, NODE_ID_U64, 0) == id)
			return node;
	}
	fail("bad request: node %#llx is missing", (unsigned long long)id);
}
