/* print.h: events and their messages as text. Whatever bytes a recording holds,
 * what is printed is printable. */
#pragma once

#include "abi/trace.capnp.h"

#include <stdio.h>

/* What an entry asks, wherever it was found. */
struct asked {
	uint8_t op;
	uint16_t method;
	uint32_t cap;
	uint64_t interface;
	uint64_t address, second; /* params or word; results or timeout */
	uint32_t room;            /* resultsRoom */
	struct capnp_data params;
	uint32_t params_size;
	unsigned caps_count;
	uint32_t caps[8];
	uint8_t moved;
	bool chained;
	struct capnp_text type;
};

/* False: a pointer in it is of another kind than the schema says. */
bool asked_read(struct trace_event_entry_reader entry, struct asked *out);

/* "MemoryPool.allocate(pages = 4)" */
void print_asked(FILE *out, const struct asked *a);

/* "ok (object = cap 10008)" */
void print_answer(FILE *out, struct trace_event_completion_reader c, uint64_t interface,
                  uint16_t method);

const char *print_status(unsigned status);

/* One line; `all` shows cap_enter too. */
void print_event(FILE *out, struct trace_event_reader event, bool all);

/* Bytes, between quotes and escaped; most of a long text is left out. */
void print_bytes(FILE *out, const void *bytes, size_t size);
