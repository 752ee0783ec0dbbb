/* emit.c: what readers and builders share, and the parts of a header
 * that are neither: types, enums, interfaces, constants. */
#include "tools/capnpc/emit.h"

#include "tools/capnpc/fail.h"
#include "tools/capnpc/names.h"

#include <inttypes.h>
#include <string.h>

static const char *prefix_of(struct capnp_struct node)
{
	return names_prefix(schema_text(node, NODE_NAME_P));
}

struct emit_number emit_number(const struct schema *s, struct capnp_struct type)
{
	static const struct emit_number numbers[] = {
		[TYPE_BOOL] = { "bool", "bool", "" },
		[TYPE_INT8] = { "int8_t", "u8", "" },
		[TYPE_INT16] = { "int16_t", "u16", "" },
		[TYPE_INT32] = { "int32_t", "u32", "" },
		[TYPE_INT64] = { "int64_t", "u64", "" },
		[TYPE_UINT8] = { "uint8_t", "u8", "" },
		[TYPE_UINT16] = { "uint16_t", "u16", "" },
		[TYPE_UINT32] = { "uint32_t", "u32", "" },
		[TYPE_UINT64] = { "uint64_t", "u64", "" },
		[TYPE_FLOAT32] = { "uint32_t", "u32", "_bits" },
		[TYPE_FLOAT64] = { "uint64_t", "u64", "_bits" },
		[TYPE_ANY] = { NULL, NULL, NULL },
	};
	enum schema_type kind = schema_type_kind(type);
	if (kind == TYPE_ENUM)
		return (struct emit_number){ names_format("enum %s", emit_named(s, type, "")), "u16", "" };
	return kind <= TYPE_ANY ? numbers[kind] : numbers[TYPE_ANY];
}

const char *emit_element(struct capnp_struct type, const char *where)
{
	switch (schema_type_kind(type)) {
	case TYPE_VOID:
		return "CAPNP_VOID";
	case TYPE_BOOL:
		return "CAPNP_BIT";
	case TYPE_INT8:
	case TYPE_UINT8:
		return "CAPNP_BYTE";
	case TYPE_INT16:
	case TYPE_UINT16:
	case TYPE_ENUM:
		return "CAPNP_TWO_BYTES";
	case TYPE_INT32:
	case TYPE_UINT32:
	case TYPE_FLOAT32:
		return "CAPNP_FOUR_BYTES";
	case TYPE_INT64:
	case TYPE_UINT64:
	case TYPE_FLOAT64:
		return "CAPNP_EIGHT_BYTES";
	case TYPE_STRUCT:
		return "CAPNP_COMPOSITE";
	case TYPE_TEXT:
	case TYPE_DATA:
	case TYPE_LIST:
	case TYPE_INTERFACE:
		return "CAPNP_POINTER";
	case TYPE_ANY:
		break;
	}
	fail("%s: a list of AnyPointer (or of a generic's parameter) is not supported", where);
}

const char *emit_named(const struct schema *s, struct capnp_struct type, const char *where)
{
	struct capnp_struct node = schema_node(s, capnp_get_u64(type, TYPE_ID_U64, 0));
	if (capnp_get_bool(node, NODE_GENERIC_BIT, false))
		fail("%s: generic type %s is not supported", where, schema_text(node, NODE_NAME_P));
	return prefix_of(node);
}

void emit_string(FILE *out, const char *text)
{
	putc('"', out);
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '?')
			fprintf(out, "\\%03o", *c);
		else
			putc(*c, out);
	}
	putc('"', out);
}

static void variant_enum(const struct field_visitor *v, const struct variant *u);

void emit_types(FILE *out, const struct schema *s, struct capnp_struct node)
{
	const char *name = prefix_of(node), *upper = names_upper(name);
	unsigned data_words = capnp_get_u16(node, NODE_STRUCT_DATA_WORDS_U16, 0);
	unsigned pointers = capnp_get_u16(node, NODE_STRUCT_POINTERS_U16, 0);
	fprintf(out, "struct %s_reader {\n\tstruct capnp_struct s;\n};\n", name);
	fprintf(out, "struct %s_builder {\n\tstruct capnp_struct_builder s;\n};\n", name);
	fprintf(out, "enum {\n\t%s_DATA_WORDS = %u,\n\t%s_POINTERS = %u,\n", upper, data_words, upper,
	        pointers);
	fprintf(out, "\t%s_MESSAGE_BYTES = %u,\n};\n",
	        upper, (1 + data_words + pointers) * CAPNP_WORD);
	struct emit_printer p = { { s, NULL, variant_enum }, out };
	field_each(&p.visitor, node);
	putc('\n', out);
}

static void variant_enum(const struct field_visitor *v, const struct variant *u)
{
	FILE *out = ((const struct emit_printer *)v)->out;
	fprintf(out, "enum %s_which {\n", u->prefix);
	for (uint32_t i = 0; i < u->fields.count; i++) {
		struct capnp_struct field = capnp_list_struct(u->fields, i);
		uint16_t tag = capnp_get_u16(field, FIELD_TAG_U16, SCHEMA_NO_TAG);
		if (tag != SCHEMA_NO_TAG)
			fprintf(out, "\t%s_IS_%s = %u,\n", names_upper(u->prefix),
			        names_upper(names_snake(schema_text(field, FIELD_NAME_P))), tag);
	}
	fprintf(out, "};\n");
}

void emit_enum(FILE *out, struct capnp_struct node)
{
	const char *name = prefix_of(node);
	struct capnp_list enumerants = schema_list(node, NODE_ENUMERANTS_P);
	if (enumerants.count == 0)
		fail("%s: an enum without enumerants is not supported", schema_text(node, NODE_NAME_P));
	fprintf(out, "enum %s {\n", name);
	for (uint32_t i = 0; i < enumerants.count; i++) {
		const char *enumerant = schema_text(capnp_list_struct(enumerants, i), ENUMERANT_NAME_P);
		fprintf(out, "\t%s_%s = %u,\n", names_upper(name), names_upper(names_snake(enumerant)), i);
	}
	fprintf(out, "};\n\n");
}

static void emit_method(FILE *out, const struct schema *s, struct capnp_struct interface,
                        struct capnp_struct method, unsigned ordinal)
{
	const char *name = names_upper(names_snake(schema_text(method, METHOD_NAME_P)));
	const char *where = schema_text(interface, NODE_NAME_P);
	if (schema_list(method, METHOD_IMPLICIT_P).count != 0)
		fail("%s.%s: a generic method is not supported", where,
		     schema_text(method, METHOD_NAME_P));
	if (strcmp(name, "ID") == 0)
		fail("%s.id: a method of this name clashes with the interface's own %s_ID", where,
		     names_upper(prefix_of(interface)));
	struct capnp_struct params = schema_node(s, capnp_get_u64(method, METHOD_PARAMS_U64, 0));
	struct capnp_struct results = schema_node(s, capnp_get_u64(method, METHOD_RESULTS_U64, 0));
	fprintf(out, "\t%s_%s = %u,  /* %s -> %s */\n", names_upper(prefix_of(interface)), name,
	        ordinal, prefix_of(params), prefix_of(results));
}

void emit_interface(FILE *out, const struct schema *s, struct capnp_struct node)
{
	const char *name = prefix_of(node);
	struct capnp_list methods = schema_list(node, NODE_METHODS_P);
	struct capnp_list supers = schema_list(node, NODE_SUPERCLASSES_P);
	for (uint32_t i = 0; i < supers.count; i++) {
		struct capnp_struct super = schema_node(
			s, capnp_get_u64(capnp_list_struct(supers, i), SUPERCLASS_ID_U64, 0));
		fprintf(out, "/* %s extends %s. */\n", name, prefix_of(super));
	}
	fprintf(out, "#define %s_ID UINT64_C(%#" PRIx64 ")\n", names_upper(name),
	        capnp_get_u64(node, NODE_ID_U64, 0));
	if (methods.count > 0) {
		fprintf(out, "enum %s_method {\n", name);
		for (uint32_t i = 0; i < methods.count; i++)
			emit_method(out, s, node, capnp_list_struct(methods, i), i);
		fprintf(out, "};\n");
	}
	putc('\n', out);
}

static int64_t signed_value(enum schema_type kind, uint64_t bits)
{
	switch (kind) {
	case TYPE_INT8:
		return (int8_t)bits;
	case TYPE_INT16:
		return (int16_t)bits;
	case TYPE_INT32:
		return (int32_t)bits;
	default:
		return (int64_t)bits;
	}
}

/* Constants that fit an int are enum constants; wider ones are macros, and so is
 * the lowest int. */
static void emit_integer(FILE *out, const char *name, enum schema_type kind, uint64_t bits)
{
	bool negative = kind >= TYPE_INT8 && kind <= TYPE_INT64 && signed_value(kind, bits) < 0;
	int64_t value = signed_value(kind, bits);
	if (negative && value <= INT32_MIN)
		fprintf(out, "#define %s (-INT64_C(%" PRId64 ") - 1)\n", name, -(value + 1));
	else if (negative)
		fprintf(out, "enum { %s = %" PRId64 " };\n", name, value);
	else if (bits <= INT32_MAX)
		fprintf(out, "enum { %s = %" PRIu64 " };\n", name, bits);
	else
		fprintf(out, "#define %s %s(%" PRIu64 ")\n", name,
		        kind == TYPE_INT64 ? "INT64_C" : kind == TYPE_UINT32 ? "UINT32_C" : "UINT64_C",
		        bits);
}

void emit_const(FILE *out, const struct schema *s, struct capnp_struct node)
{
	const char *name = names_upper(prefix_of(node));
	struct field f = { .type = schema_struct(node, NODE_CONST_TYPE_P),
	                   .value = schema_struct(node, NODE_CONST_VALUE_P) };
	f.kind = schema_type_kind(f.type);
	struct emit_number number = emit_number(s, f.type);
	if (f.kind == TYPE_TEXT) {
		fprintf(out, "#define %s ", name);
		emit_string(out, schema_text(f.value, VALUE_P));
		putc('\n', out);
	} else if (number.type != NULL && number.suffix[0] == '\0') {
		emit_integer(out, name, f.kind, field_default_bits(&f));
	} else {
		fprintf(out, "/* const %s: its type has no constant in C. */\n", name);
	}
}
