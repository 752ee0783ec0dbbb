/* schema.h: where things stand in the structs of Cap'n Proto's schema.capnp,
 * in which `capnp compile` describes schemas to its plugins, and typed access
 * to them. The table is what `capnp compile -ocapnp schema.capnp` prints for
 * version 0.9.2; layouts only ever grow.
 *
 * _P counts pointers. _U16, _U32 and _U64 count units of that size and _BIT
 * counts bits, from the start of the data section. */
#pragma once

#include "core/capnp.h"

enum {
	REQUEST_NODES_P = 0,            /* List(Node) */
	REQUEST_FILES_P = 1,            /* List(RequestedFile) */

	FILE_ID_U64 = 0,
	FILE_NAME_P = 0,
	FILE_IMPORTS_P = 1,             /* List(Import) */
	IMPORT_ID_U64 = 0,

	NODE_ID_U64 = 0,
	NODE_SCOPE_U64 = 2,             /* 0 for a method's own structs */
	NODE_KIND_U16 = 6,              /* enum schema_node */
	NODE_GENERIC_BIT = 288,
	NODE_NAME_P = 0,                /* "abi/x.capnp:Outer.Inner" */
	NODE_NESTED_P = 1,              /* List(NestedNode) */
	NODE_STRUCT_DATA_WORDS_U16 = 7,
	NODE_STRUCT_POINTERS_U16 = 12,
	NODE_STRUCT_TAGS_U16 = 15,      /* members of the union, or 0 */
	NODE_STRUCT_TAG_U32 = 8,        /* the tag's own offset, in 16-bit units */
	NODE_FIELDS_P = 3,              /* List(Field) */
	NODE_ENUMERANTS_P = 3,          /* List(Enumerant) */
	NODE_METHODS_P = 3,             /* List(Method) */
	NODE_SUPERCLASSES_P = 4,        /* List(Superclass) */
	NODE_CONST_TYPE_P = 3,
	NODE_CONST_VALUE_P = 4,

	NESTED_ID_U64 = 0,

	FIELD_NAME_P = 0,
	FIELD_TAG_U16 = 1,              /* default 65535: not in a union */
	FIELD_KIND_U16 = 4,             /* 0 slot, 1 group */
	FIELD_SLOT_OFFSET_U32 = 1,      /* in units of the type's size */
	FIELD_SLOT_DEFAULTED_BIT = 128,
	FIELD_SLOT_TYPE_P = 2,
	FIELD_SLOT_VALUE_P = 3,
	FIELD_GROUP_U64 = 2,            /* the group's node */

	ENUMERANT_NAME_P = 0,

	METHOD_NAME_P = 0,
	METHOD_PARAMS_U64 = 1,
	METHOD_RESULTS_U64 = 2,
	METHOD_IMPLICIT_P = 4,          /* its type parameters */

	SUPERCLASS_ID_U64 = 0,

	TYPE_KIND_U16 = 0,              /* enum schema_type */
	TYPE_ID_U64 = 1,                /* enums, structs, interfaces */
	TYPE_ELEMENT_P = 0,             /* lists */
	TYPE_ANY_U16 = 4,               /* AnyPointer: 0 unconstrained */
	TYPE_ANY_KIND_U16 = 5,          /* and then: 3 Capability */

	VALUE_BIT = 16,
	VALUE_U8 = 2,
	VALUE_U16 = 1,
	VALUE_U32 = 1,
	VALUE_U64 = 1,
	VALUE_P = 0,

	SCHEMA_NO_TAG = 65535,
	SCHEMA_ANY_CAPABILITY = 3,
};

enum schema_node {
	NODE_FILE, NODE_STRUCT, NODE_ENUM, NODE_INTERFACE, NODE_CONST, NODE_ANNOTATION,
};

enum schema_type {
	TYPE_VOID, TYPE_BOOL, TYPE_INT8, TYPE_INT16, TYPE_INT32, TYPE_INT64, TYPE_UINT8,
	TYPE_UINT16, TYPE_UINT32, TYPE_UINT64, TYPE_FLOAT32, TYPE_FLOAT64, TYPE_TEXT, TYPE_DATA,
	TYPE_LIST, TYPE_ENUM, TYPE_STRUCT, TYPE_INTERFACE, TYPE_ANY,
};

/* A whole request. */
struct schema {
	struct capnp_list nodes;
	struct capnp_list files;
};

/* These fail on a malformed request, and schema_node on an id not in it. */
struct schema schema_read(struct capnp_struct request);
struct capnp_struct schema_node(const struct schema *s, uint64_t id);
struct capnp_list schema_list(struct capnp_struct s, uint32_t pointer);
struct capnp_struct schema_struct(struct capnp_struct s, uint32_t pointer);
const char *schema_text(struct capnp_struct s, uint32_t pointer);

static inline enum schema_node schema_node_kind(struct capnp_struct node)
{
	return (enum schema_node)capnp_get_u16(node, NODE_KIND_U16, 0);
}

/* An unconstrained AnyPointer that must be a Capability counts as an
 * interface. */
static inline enum schema_type schema_type_kind(struct capnp_struct type)
{
	enum schema_type kind = (enum schema_type)capnp_get_u16(type, TYPE_KIND_U16, 0);
	if (kind == TYPE_ANY && capnp_get_u16(type, TYPE_ANY_U16, 0) == 0 &&
	    capnp_get_u16(type, TYPE_ANY_KIND_U16, 0) == SCHEMA_ANY_CAPABILITY)
		return TYPE_INTERFACE;
	return kind;
}
