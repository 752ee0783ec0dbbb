/* memory.h: a replayed program's memory: its image, and what it maps with the
 * calls it made on its own address space. */
#pragma once

#include "tools/trace/child.h"
#include "tools/trace/print.h"

struct memory_object {
	uint32_t cap;
	uint64_t base, pages; /* in the child's store */
};

struct memory {
	struct child *child;
	uint64_t space; /* the own address space, as Entry.object has it */
	uint64_t used;  /* bytes of the store */
	uint64_t entry; /* of the program that was loaded */
	struct memory_object *objects;
	size_t count, room;
	char error[200];
};

/* All of these: false says why not in m->error. */

/* The ELF program in `bytes`, as the exokernel loads one. `checksum`: of the
 * executable pages at `address`, as a recording has it. */
bool memory_load(struct memory *m, const void *bytes, size_t size);
bool memory_checksum(struct memory *m, uint64_t address, uint32_t pages, uint64_t *checksum);

/* Zeroed pages, or the page of some bytes, read-only. */
bool memory_fresh(struct memory *m, uint64_t address, uint64_t pages, int protection);

/* Capability `cap` is a memory object with these bytes. */
bool memory_give(struct memory *m, uint32_t cap, const void *bytes, size_t size);

/* A call was answered OK: does to the program's memory what it did. */
bool memory_follow(struct memory *m, const struct asked *asked, uint64_t object,
                   struct capnp_data results, const uint32_t *came, unsigned came_count);

void memory_forget(struct memory *m, uint32_t cap);
void memory_free(struct memory *m);
