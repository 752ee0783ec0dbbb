/* emit.h: the parts of a generated header. All print to `out`, and fail on
 * what they cannot express. */
#pragma once

#include "tools/capnpc/field.h"

#include <stdio.h>

/* A visitor whose functions find the stream they print to. */
struct emit_printer {
	struct field_visitor visitor;
	FILE *out;
};

/* Getters and setters for every field of a struct node; emit_types() must have
 * come first for all structs in the header. */
void emit_reader(FILE *out, const struct schema *s, struct capnp_struct node);
void emit_builder(FILE *out, const struct schema *s, struct capnp_struct node);

/* The structs that hold a reader and a builder, the sizes, and the enums of
 * the unions. */
void emit_types(FILE *out, const struct schema *s, struct capnp_struct node);

void emit_enum(FILE *out, struct capnp_struct node);
void emit_interface(FILE *out, const struct schema *s, struct capnp_struct node);
void emit_const(FILE *out, const struct schema *s, struct capnp_struct node);

/* Tables of the names in the whole request, for tools/trace/names.c. */
void emit_names(FILE *out, const struct schema *s);

/* A walk through all that a struct's getters give, for readers_fuzz.c: its declaration,
 * itself, and its place in the table of them. */
void emit_tour_declaration(FILE *out, const struct schema *s, struct capnp_struct node);
void emit_tour(FILE *out, const struct schema *s, struct capnp_struct node);
void emit_tour_entry(FILE *out, const struct schema *s, struct capnp_struct node);

/* How a field's type looks in C, numbers only: `type` is what its functions
 * speak ("int16_t"), `raw` the core accessor's suffix ("u16"). Floats are raw
 * bits: the kernel has no floating point. NULL if it is no number. */
struct emit_number {
	const char *type;
	const char *raw;
	const char *suffix;  /* of the accessor's name: "_bits" for floats */
};
struct emit_number emit_number(const struct schema *s, struct capnp_struct type);

/* The core's name for a list's element ("CAPNP_BYTE"); fails on `where` if
 * there can be no such list. */
const char *emit_element(struct capnp_struct type, const char *where);

/* The prefix of the struct, enum or interface that a type names: "foo". */
const char *emit_named(const struct schema *s, struct capnp_struct type, const char *where);

/* A C string literal with everything unusual escaped. */
void emit_string(FILE *out, const char *text);
