/* names.h: what interfaces, methods and fields are called, as the schemas of
 * abi/ say it, for showing messages to people. */
#pragma once

#include <stdint.h>

enum names_kind {
	NAMES_VOID, NAMES_BOOL, NAMES_I8, NAMES_I16, NAMES_I32, NAMES_I64, NAMES_U8, NAMES_U16,
	NAMES_U32, NAMES_U64, NAMES_TEXT, NAMES_DATA, NAMES_LIST, NAMES_STRUCT, NAMES_CAPABILITY,
};

/* A field that is in no union. */
struct names_field {
	const char *name; /* NULL: the list's end */
	enum names_kind kind;
	uint32_t offset;  /* in units of its size, or the pointer's index */
	uint64_t value;   /* the default's bits */
	uint64_t of;      /* the id of its struct */
};

struct names_struct {
	uint64_t id;
	const struct names_field *fields;
};

struct names_method {
	const char *name;
	uint64_t params, results; /* ids of structs */
};

struct names_interface {
	uint64_t id;
	const char *name;
	uint32_t count;
	const struct names_method *methods;
};

/* NULL: the schemas know no such thing. */
const struct names_interface *names_interface(uint64_t id);
const struct names_method *names_method(uint64_t interface, uint16_t method);
const struct names_struct *names_struct(uint64_t id);
