/* emit_builder.c: the setters of a struct. Setting a union's member, or a
 * field of a group that is one, chooses it. */
#include "tools/capnpc/emit.h"

#include "tools/capnpc/names.h"

#include <inttypes.h>
#include <string.h>

static void open_setter(FILE *out, const struct field *f, const char *type, const char *verb,
                        const char *suffix, const char *rest)
{
	const char *space = type[strlen(type) - 1] == '*' ? "" : " ";
	fprintf(out, "static inline %s%s%s_%s_%s%s(struct %s_builder b%s)\n{\n", type, space, f->owner,
	        verb, f->name, suffix, f->owner, rest);
	if (f->choices == 0 && f->kind == TYPE_VOID)
		fprintf(out, "\t(void)b;\n");
	for (unsigned i = 0; i < f->choices; i++)
		fprintf(out, "\tcapnp_put_u16(b.s, %u, %u);\n", f->choice[i].offset, f->choice[i].value);
}

static void set_number(FILE *out, const struct field *f, struct emit_number number)
{
	uint64_t bits = field_default_bits(f);
	open_setter(out, f, "void", "set", number.suffix, names_format(", %s value", number.type));
	fprintf(out, "\tcapnp_put_%s(b.s, %u, value%s);\n}\n", number.raw, f->offset,
	        bits != 0 ? names_format(" ^ %#" PRIx64, bits) : "");
}

/* A setter that hands its value on to `call`. */
static void set_value(FILE *out, const struct field *f, const char *call, const char *type)
{
	open_setter(out, f, "void", "set", "", names_format(", %s value", type));
	fprintf(out, "\t%s(&b.s, %u, value);\n}\n", call, f->offset);
}

static void init_data(FILE *out, const struct field *f)
{
	open_setter(out, f, "uint8_t *", "init", "", ", size_t size");
	fprintf(out, "\treturn capnp_init_data(&b.s, %u, size);\n}\n", f->offset);
}

static void init_struct(FILE *out, const struct field *f, const char *name)
{
	open_setter(out, f, names_format("struct %s_builder", name), "init", "", "");
	fprintf(out,
	        "\treturn (struct %s_builder){ capnp_init_struct(&b.s, %u, %s_DATA_WORDS, %s_POINTERS)"
	        " };\n}\n",
	        name, f->offset, names_upper(name), names_upper(name));
}

static void init_list(FILE *out, const struct schema *s, const struct field *f)
{
	struct capnp_struct type = schema_struct(f->type, TYPE_ELEMENT_P);
	open_setter(out, f, "struct capnp_list_builder", "init", "", ", uint32_t count");
	if (schema_type_kind(type) == TYPE_STRUCT) {
		const char *name = names_upper(emit_named(s, type, f->where));
		fprintf(out,
		        "\treturn capnp_init_struct_list(&b.s, %u, %s_DATA_WORDS, %s_POINTERS, count);\n}\n",
		        f->offset, name, name);
	} else {
		fprintf(out, "\treturn capnp_init_list(&b.s, %u, %s, count);\n}\n", f->offset,
		        emit_element(type, f->where));
	}
}

static void set_nothing(FILE *out, const struct field *f)
{
	open_setter(out, f, "void", "set", "", "");
	fprintf(out, "}\n");
}

static void set_field(const struct field_visitor *v, const struct field *f)
{
	FILE *out = ((const struct emit_printer *)v)->out;
	if (f->is_group) {
		set_nothing(out, f);
		return;
	}
	switch (f->kind) {
	case TYPE_VOID:
		set_nothing(out, f);
		break;
	case TYPE_TEXT:
		set_value(out, f, "capnp_set_text", "struct capnp_text");
		break;
	case TYPE_DATA:
		set_value(out, f, "capnp_set_data", "struct capnp_data");
		init_data(out, f);
		break;
	case TYPE_LIST:
		init_list(out, v->schema, f);
		break;
	case TYPE_STRUCT:
		init_struct(out, f, emit_named(v->schema, f->type, f->where));
		break;
	case TYPE_INTERFACE:
		set_value(out, f, "capnp_set_capability", "uint32_t");
		break;
	default:
		set_number(out, f, emit_number(v->schema, f->type));
	}
}

void emit_builder(FILE *out, const struct schema *s, struct capnp_struct node)
{
	const char *name = names_prefix(schema_text(node, NODE_NAME_P)), *upper = names_upper(name);
	fprintf(out,
	        "static inline struct %s_builder %s_build(struct capnp_builder *b)\n{\n"
	        "\treturn (struct %s_builder){ capnp_init_root(b, %s_DATA_WORDS, %s_POINTERS) };\n}\n",
	        name, name, name, upper, upper);
	fprintf(out,
	        "static inline struct %s_builder %s_list_build(struct capnp_list_builder list, "
	        "uint32_t i)\n{\n"
	        "\treturn (struct %s_builder){ capnp_list_struct_builder(list, i) };\n}\n",
	        name, name, name);
	struct emit_printer p = { { s, set_field, NULL }, out };
	field_each(&p.visitor, node);
	putc('\n', out);
}
