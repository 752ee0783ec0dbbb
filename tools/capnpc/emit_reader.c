/* emit_reader.c: the getters of a struct. */
#include "tools/capnpc/emit.h"

#include "tools/capnpc/fail.h"
#include "tools/capnpc/names.h"

#include <inttypes.h>

/* "static inline TYPE foo_get_bar(struct foo_reader r" and the rest. */
static void open_getter(FILE *out, const struct field *f, const char *type, const char *suffix,
                        const char *rest)
{
	fprintf(out, "static inline %s %s_get_%s%s(struct %s_reader r%s)\n{\n", type, f->owner,
	        f->name, suffix, f->owner, rest);
}

static void get_number(FILE *out, const struct field *f, struct emit_number number)
{
	open_getter(out, f, number.type, number.suffix, "");
	fprintf(out, "\treturn (%s)capnp_get_%s(r.s, %u, %#" PRIx64 ");\n}\n", number.type, number.raw,
	        f->offset, field_default_bits(f));
}

/* A pointer's getter returns a status and has an out-parameter of `type`,
 * which `call` fills; `extra` goes before it. */
static void get_pointer(FILE *out, const struct field *f, const char *call, const char *extra,
                        const char *type, const char *member)
{
	fprintf(out, "static inline bool %s_has_%s(struct %s_reader r)\n{\n", f->owner, f->name,
	        f->owner);
	fprintf(out, "\treturn capnp_has_pointer(&r.s, %u);\n}\n", f->offset);
	open_getter(out, f, "MUST_CHECK enum status", "", names_format(", %s *out", type));
	if (f->kind == TYPE_TEXT && f->defaulted) {
		fprintf(out, "\tif (!capnp_has_pointer(&r.s, %u)) {\n\t\t*out = capnp_text_from(",
		        f->offset);
		emit_string(out, schema_text(f->value, VALUE_P));
		fprintf(out, ");\n\t\treturn STATUS_OK;\n\t}\n");
	}
	fprintf(out, "\treturn %s(&r.s, %u, %s%s);\n}\n", call, f->offset, extra, member);
}

static void get_list(FILE *out, const struct field *f)
{
	const char *element = emit_element(schema_struct(f->type, TYPE_ELEMENT_P), f->where);
	get_pointer(out, f, "capnp_get_list", names_format("%s, ", element), "struct capnp_list",
	            "out");
}

static void get_field(const struct field_visitor *v, const struct field *f)
{
	FILE *out = ((const struct emit_printer *)v)->out;
	if (f->is_group || f->kind == TYPE_VOID)
		return;
	if (f->defaulted && (f->kind == TYPE_DATA || f->kind == TYPE_LIST || f->kind == TYPE_STRUCT))
		fail("%s: a default for a struct, list or data field is not supported", f->where);
	switch (f->kind) {
	case TYPE_TEXT:
		get_pointer(out, f, "capnp_get_text", "", "struct capnp_text", "out");
		break;
	case TYPE_DATA:
		get_pointer(out, f, "capnp_get_data", "", "struct capnp_data", "out");
		break;
	case TYPE_LIST:
		get_list(out, f);
		break;
	case TYPE_STRUCT:
		get_pointer(out, f, "capnp_get_struct", "",
		            names_format("struct %s_reader", emit_named(v->schema, f->type, f->where)),
		            "&out->s");
		break;
	case TYPE_INTERFACE:
		get_pointer(out, f, "capnp_get_capability", "", "uint32_t", "out");
		break;
	case TYPE_ANY:
		fail("%s: AnyPointer (or a generic's parameter) is not supported", f->where);
	default:
		get_number(out, f, emit_number(v->schema, f->type));
	}
}

static void get_variant(const struct field_visitor *v, const struct variant *u)
{
	FILE *out = ((const struct emit_printer *)v)->out;
	fprintf(out, "static inline enum %s_which %s_which(struct %s_reader r)\n{\n", u->prefix,
	        u->prefix, u->owner);
	fprintf(out, "\treturn (enum %s_which)capnp_get_u16(r.s, %u, 0);\n}\n", u->prefix, u->offset);
}

void emit_reader(FILE *out, const struct schema *s, struct capnp_struct node)
{
	const char *name = names_prefix(schema_text(node, NODE_NAME_P));
	fprintf(out,
	        "MUST_CHECK static inline enum status %s_read(const void *bytes, size_t size,\n"
	        "        struct %s_reader *out)\n{\n"
	        "\treturn capnp_read_root(bytes, size, &out->s);\n}\n",
	        name, name);
	fprintf(out,
	        "static inline struct %s_reader %s_list_get(struct capnp_list list, uint32_t i)\n{\n"
	        "\treturn (struct %s_reader){ capnp_list_struct(list, i) };\n}\n",
	        name, name, name);
	struct emit_printer p = { { s, get_field, get_variant }, out };
	field_each(&p.visitor, node);
	putc('\n', out);
}
