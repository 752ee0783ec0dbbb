/* memobject.h: memory objects: numbered pages, each a frame found at first use.
 *
 * The whole object is charged to its ledger when it is made, so finding a frame
 * cannot fail for want of memory; only the slot tables (one page for 1024
 * slots) are charged as they come.
 *
 * A copy-on-write child shares its parent's frames until one side writes. A
 * frame that is mapped writable at the time of the split is copied at once, as
 * nobody would notice a write through that mapping. A mapping made before a
 * split frame is written keeps showing the frame it was made with.
 *
 * A slice is a memory object over a range of another one's pages: it asks that
 * one for its frames, so all of the above holds as if the range were asked for
 * in the whole. */
#pragma once

#include "kernel/kmem.h"
#include "kernel/object.h"

enum {
	MEMOBJECT_INLINE = 8,
	MEMOBJECT_SLOTS = 1024, /* in one page */
	MEMOBJECT_TABLES = 512,
	MEMOBJECT_CHILD_PAGES = 65536, /* one call may have to copy them all */
	MEMOBJECT_PAGES_MAX = MEMOBJECT_SLOTS * MEMOBJECT_TABLES,
};

struct memobject {
	struct object object;
	struct ledger *ledger;
	uint32_t pages;
	uint32_t own : 31; /* slots whose frame came from this object's reservation */
	uint32_t part : 1; /* a slice: it has no frames of its own */
	union {
		uint32_t slots[MEMOBJECT_INLINE]; /* pages <= MEMOBJECT_INLINE */
		uint32_t **tables;                /* one page of pointers to tables */
		struct {                          /* part */
			struct memobject *whole;  /* held; no slice itself */
			uint32_t first;           /* its page that is ours of number 0 */
		};
	};
};

/* A narrower facet of a memory object: it cannot be mapped writable. */
struct readonly_memory {
	struct object object;
	struct memobject *memory;
	struct ledger *ledger;
};

/* A shared buffer is a slice with a type of its own. */
extern const struct object_type memobject_type, readonly_memory_type, shared_buffer_type;

/* NULL: too large, or the ledger cannot pay. */
struct memobject *memobject_create(struct ledger *ledger, uint64_t pages);

/* An object over frames that the pool never had: the boot bundle. */
struct memobject *memobject_adopt(struct ledger *ledger, struct paddr start, uint64_t pages);

/* A copy-on-write child of `pages` pages from `page` on. STATUS_INVALID: there are no
 * such pages, or they are more than MEMOBJECT_CHILD_PAGES. */
enum status memobject_child(struct memobject *parent, struct ledger *ledger, uint64_t page,
                            uint64_t pages, struct memobject **child) MUST_CHECK;

/* A slice of `m`, with one reference. `type`: what it is to its holder.
 * STATUS_INVALID: there are no such pages. */
enum status memobject_slice(struct memobject *m, struct ledger *ledger, uint64_t page,
                            uint64_t pages, const struct object_type *type,
                            struct memobject **out) MUST_CHECK;

/* The destructor of a memory object and of a shared buffer. */
void memobject_destroy(struct object *o);

/* The frame of page `page` (in range), found if need be. `write`: the caller
 * will write to it or map it so. No reference is taken. */
enum status memobject_frame(struct memobject *m, uint32_t page, bool write,
                            uint32_t *number) MUST_CHECK;

/* Bytes in or out; the range lies inside, the kernel's side is mapped. */
enum status memobject_copy(struct memobject *m, uint64_t offset, void *bytes,
                           size_t size, bool write) MUST_CHECK;

/* A MemoryPool capability: its holder may allocate, from its own ledger. */
struct memory_pool {
	struct object object;
	struct ledger *ledger; /* what this structure is charged to */
	bool charges;          /* that ledger pays for all, whoever allocates */
};
extern const struct object_type memory_pool_type;
struct object *memory_pool_create(struct ledger *ledger);
/* One that spends from `ledger`, whoever calls: Ledger.memory. */
struct object *memory_pool_create_charging(struct ledger *ledger);
