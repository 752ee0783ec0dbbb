/* field.c: walks a struct's fields through its groups. */
#include "tools/capnpc/field.h"

#include "tools/capnpc/fail.h"
#include "tools/capnpc/names.h"

/* The struct or group being walked. */
struct scope {
	const char *owner;
	const char *path;   /* "", or "group_" */
	const struct field *group;
};

static void each(const struct field_visitor *v, struct capnp_struct node, struct scope scope);

static void choose(struct field *f, uint32_t offset, uint16_t value)
{
	if (f->choices == FIELD_CHOICES_MAX)
		fail("%s: unions nested more than %d deep are not supported", f->where,
		     FIELD_CHOICES_MAX);
	f->choice[f->choices++] = (struct choice){ offset, value };
}

static void one(const struct field_visitor *v, struct capnp_struct node, struct capnp_struct field,
                struct scope scope)
{
	struct field f = *scope.group;
	const char *name = schema_text(field, FIELD_NAME_P);
	uint16_t tag = capnp_get_u16(field, FIELD_TAG_U16, SCHEMA_NO_TAG);
	f.where = names_format("%s.%s", schema_text(node, NODE_NAME_P), name);
	f.owner = scope.owner;
	f.name = names_format("%s%s", scope.path, names_snake(name));
	f.is_group = capnp_get_u16(field, FIELD_KIND_U16, 0) == 1;
	if (tag != SCHEMA_NO_TAG)
		choose(&f, capnp_get_u32(node, NODE_STRUCT_TAG_U32, 0), tag);
	if (f.is_group) {
		if (tag != SCHEMA_NO_TAG && v->field != NULL)
			v->field(v, &f);
		each(v, schema_node(v->schema, capnp_get_u64(field, FIELD_GROUP_U64, 0)),
		     (struct scope){ scope.owner, names_format("%s_", f.name), &f });
		return;
	}
	f.type = schema_struct(field, FIELD_SLOT_TYPE_P);
	f.kind = schema_type_kind(f.type);
	f.offset = capnp_get_u32(field, FIELD_SLOT_OFFSET_U32, 0);
	f.defaulted = capnp_get_bool(field, FIELD_SLOT_DEFAULTED_BIT, false);
	f.value = schema_struct(field, FIELD_SLOT_VALUE_P);
	if (v->field != NULL)
		v->field(v, &f);
}

static void each(const struct field_visitor *v, struct capnp_struct node, struct scope scope)
{
	struct capnp_list fields = schema_list(node, NODE_FIELDS_P);
	if (capnp_get_u16(node, NODE_STRUCT_TAGS_U16, 0) != 0 && v->variant != NULL)
		v->variant(v, &(struct variant){
			scope.owner, names_prefix(schema_text(node, NODE_NAME_P)),
			capnp_get_u32(node, NODE_STRUCT_TAG_U32, 0), fields });
	for (uint32_t i = 0; i < fields.count; i++)
		one(v, node, capnp_list_struct(fields, i), scope);
}

void field_each(const struct field_visitor *v, struct capnp_struct node)
{
	const char *owner = names_prefix(schema_text(node, NODE_NAME_P));
	each(v, node, (struct scope){ owner, "", &(struct field){ .choices = 0 } });
}

uint64_t field_default_bits(const struct field *f)
{
	switch (f->kind) {
	case TYPE_BOOL:
		return capnp_get_bool(f->value, VALUE_BIT, false);
	case TYPE_INT8:
	case TYPE_UINT8:
		return capnp_get_u8(f->value, VALUE_U8, 0);
	case TYPE_INT16:
	case TYPE_UINT16:
	case TYPE_ENUM:
		return capnp_get_u16(f->value, VALUE_U16, 0);
	case TYPE_INT32:
	case TYPE_UINT32:
	case TYPE_FLOAT32:
		return capnp_get_u32(f->value, VALUE_U32, 0);
	case TYPE_INT64:
	case TYPE_UINT64:
	case TYPE_FLOAT64:
		return capnp_get_u64(f->value, VALUE_U64, 0);
	default:
		return 0;
	}
}
