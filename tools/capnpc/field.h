/* field.h: the fields of a struct as C sees them, groups flattened. */
#pragma once

#include "tools/capnpc/schema.h"

#include <stdbool.h>

enum { FIELD_CHOICES_MAX = 16 };

/* A union's tag and what it must be for a member to be the chosen one. */
struct choice {
	uint32_t offset;  /* in 16-bit units */
	uint16_t value;
};

/* One slot of a struct, or a group that is a union's member (no `type`). */
struct field {
	const char *where;   /* "abi/x.capnp:Foo.bar", for messages */
	const char *owner;   /* "foo" */
	const char *name;    /* "bar", or "group_bar" in a group */
	bool is_group;
	struct capnp_struct type;
	enum schema_type kind;
	uint32_t offset;
	bool defaulted;      /* the schema gives a default */
	struct capnp_struct value;
	struct choice choice[FIELD_CHOICES_MAX];  /* the unions it is in */
	unsigned choices;
};

/* A union: that of a struct itself, or of one of its groups. */
struct variant {
	const char *owner;         /* the struct: "foo" */
	const char *prefix;        /* the struct or group: "foo_group" */
	uint32_t offset;
	struct capnp_list fields;  /* List(Field) */
};

struct field_visitor {
	const struct schema *schema;
	void (*field)(const struct field_visitor *v, const struct field *f);
	void (*variant)(const struct field_visitor *v, const struct variant *u);
};

/* Visits every field and union of `node`, in the order of the schema. Either
 * function of the visitor may be NULL. */
void field_each(const struct field_visitor *v, struct capnp_struct node);

/* The default of a number as raw bits; a float's too. */
uint64_t field_default_bits(const struct field *f);
