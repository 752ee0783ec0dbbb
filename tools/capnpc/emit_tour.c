/* emit_tour.c: abi/tours.h, for readers_fuzz.c alone: for each struct there is, a function
 * that calls all its getters and hands on what they gave (tour.h). */
#include "tools/capnpc/emit.h"

#include "tools/capnpc/names.h"

#include <inttypes.h>

static unsigned bits_of(enum schema_type kind)
{
	switch (kind) {
	case TYPE_BOOL:
		return 1;
	case TYPE_INT8:
	case TYPE_UINT8:
		return 8;
	case TYPE_INT32:
	case TYPE_UINT32:
	case TYPE_FLOAT32:
		return 32;
	case TYPE_INT64:
	case TYPE_UINT64:
	case TYPE_FLOAT64:
		return 64;
	default:
		return 16; /* enums, too */
	}
}

/* "	{ TYPE vN; enum status sN = GETTER;", N being how deep in lists. */
static void open_value(FILE *out, const char *type, unsigned n, const char *getter)
{
	fprintf(out, "\t{ %s v%u; enum status s%u = %s;\n", type, n, n, getter);
}

static void tour_value(FILE *out, const struct schema *s, struct capnp_struct type, unsigned n,
                       const char *where, const char *getter);

/* The elements of list v(n - 1), and one past the last. */
static void tour_elements(FILE *out, const struct schema *s, struct capnp_struct type, unsigned n,
                          const char *where)
{
	const char *of = names_format("(v%u, i%u", n - 1, n);
	enum schema_type kind = schema_type_kind(type);

	fprintf(out, "\tfor (uint32_t i%u = 0; tour_goes_on(t, v%u, i%u); i%u++) {\n", n, n - 1, n, n);
	switch (kind) {
	case TYPE_STRUCT: {
		const char *name = emit_named(s, type, where);
		fprintf(out, "\ttour_%s(t, %s_list_get%s));\n", name, name, of);
		break;
	}
	case TYPE_TEXT:
		tour_value(out, s, type, n, where, names_format("capnp_list_text%s, &v%u)", of, n));
		break;
	case TYPE_DATA:
		tour_value(out, s, type, n, where, names_format("capnp_list_data%s, &v%u)", of, n));
		break;
	case TYPE_INTERFACE:
		tour_value(out, s, type, n, where, names_format("capnp_list_capability%s, &v%u)", of, n));
		break;
	case TYPE_LIST:
		tour_value(out, s, type, n, where,
		           names_format("capnp_list_list%s, %s, &v%u)", of,
		                        emit_element(schema_struct(type, TYPE_ELEMENT_P), where), n));
		break;
	default:
		fprintf(out, "\ttour_element(t, v%u, i%u, %u, capnp_list_%s%s));\n", n - 1, n,
		        bits_of(kind), emit_number(s, type).raw, of);
	}
	fputs("\t}\n", out);
}

static void tour_list(FILE *out, const struct schema *s, struct capnp_struct type, unsigned n,
                      const char *where, const char *getter)
{
	struct capnp_struct element = schema_struct(type, TYPE_ELEMENT_P);

	open_value(out, "struct capnp_list", n, getter);
	fprintf(out, "\ttour_list(t, s%u, v%u, %s);\n", n, n, emit_element(element, where));
	if (schema_type_kind(element) != TYPE_VOID)
		tour_elements(out, s, element, n + 1, where);
	fputs("\t}\n", out);
}

static void tour_value(FILE *out, const struct schema *s, struct capnp_struct type, unsigned n,
                       const char *where, const char *getter)
{
	switch (schema_type_kind(type)) {
	case TYPE_TEXT:
		open_value(out, "struct capnp_text", n, getter);
		fprintf(out, "\ttour_text(t, s%u, v%u); }\n", n, n);
		break;
	case TYPE_DATA:
		open_value(out, "struct capnp_data", n, getter);
		fprintf(out, "\ttour_data(t, s%u, v%u); }\n", n, n);
		break;
	case TYPE_INTERFACE:
		open_value(out, "uint32_t", n, getter);
		fprintf(out, "\ttour_capability(t, s%u, v%u); }\n", n, n);
		break;
	case TYPE_LIST:
		tour_list(out, s, type, n, where, getter);
		break;
	default: {
		const char *name = emit_named(s, type, where);
		open_value(out, names_format("struct %s_reader", name), n, getter);
		fprintf(out, "\ttour_struct(t, s%u, v%u.s);\n\ttour_%s(t, v%u); }\n", n, n, name, n);
	}
	}
}

static void tour_field(const struct field_visitor *v, const struct field *f)
{
	FILE *out = ((const struct emit_printer *)v)->out;

	if (f->is_group || f->kind == TYPE_VOID)
		return;
	if (f->kind == TYPE_TEXT || f->kind == TYPE_DATA || f->kind == TYPE_LIST ||
	    f->kind == TYPE_STRUCT || f->kind == TYPE_INTERFACE) {
		fprintf(out, "\ttour_has(t, r.s, %u, %s_has_%s(r));\n", f->offset, f->owner, f->name);
		tour_value(out, v->schema, f->type, 0, f->where,
		           names_format("%s_get_%s(r, &v0)", f->owner, f->name));
	} else {
		fprintf(out, "\ttour_number(t, r.s, %u, %u, UINT64_C(%#" PRIx64 "), (uint64_t)%s_get_%s%s(r));\n",
		        f->offset, bits_of(f->kind), field_default_bits(f), f->owner, f->name,
		        emit_number(v->schema, f->type).suffix);
	}
}

static void tour_variant(const struct field_visitor *v, const struct variant *u)
{
	fprintf(((const struct emit_printer *)v)->out,
	        "\ttour_number(t, r.s, %u, 16, 0, (uint64_t)%s_which(r));\n", u->offset, u->prefix);
}

void emit_tour_declaration(FILE *out, const struct schema *s, struct capnp_struct node)
{
	const char *name = names_prefix(schema_text(node, NODE_NAME_P));

	(void)s;
	if (schema_node_kind(node) == NODE_STRUCT)
		fprintf(out, "static void tour_%s(struct tour *t, struct %s_reader r);\n", name, name);
}

void emit_tour(FILE *out, const struct schema *s, struct capnp_struct node)
{
	struct emit_printer p = { { s, tour_field, tour_variant }, out };
	const char *name = names_prefix(schema_text(node, NODE_NAME_P));

	if (schema_node_kind(node) != NODE_STRUCT)
		return;
	fprintf(out, "static void tour_%s(struct tour *t, struct %s_reader r)\n{\n", name, name);
	fputs("\tif (!tour_enter(t, r.s))\n\t\treturn;\n", out);
	field_each(&p.visitor, node);
	fputs("\ttour_leave(t);\n}\n", out);
	fprintf(out, "static enum status tour_root_%s(struct tour *t)\n{\n\tstruct %s_reader r;\n", name, name);
	fprintf(out, "\tenum status status = %s_read(t->bytes, t->size, &r);\n", name);
	fprintf(out, "\ttour_struct(t, status, r.s);\n\ttour_%s(t, r);\n\treturn status;\n}\n", name);
}

void emit_tour_entry(FILE *out, const struct schema *s, struct capnp_struct node)
{
	(void)s;
	if (schema_node_kind(node) == NODE_STRUCT)
		fprintf(out, "\ttour_root_%s,\n", names_prefix(schema_text(node, NODE_NAME_P)));
}
