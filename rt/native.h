/* native.h: what a native program (ring 3, no libOS code) starts from.
 *
 * native_start.S is where the exokernel starts the first thread; it calls
 * native_main(), and what that returns ends the thread. There are no globals:
 * all that a program was given hangs off the struct native it is handed.
 *
 * A call is three steps. native_call() begins it, with params to be built by
 * the generated builders; native_send() makes it; the generated readers read
 * call.results, which stays good until the next call. Both messages stand in
 * the ring's area, so they are small: NATIVE_MESSAGE_MAX bytes. The common
 * calls are wrapped below. */
#pragma once

#include "abi/capset.h"
#include "abi/ring.h"
#include "abi/status.h"
#include "core/capnp.h"

#include <stddef.h>
#include <stdint.h>

enum { NATIVE_MESSAGE_MAX = (RING_AREA_SIZE / 2) & ~7, NATIVE_PAGE = 4096 };

struct native {
	uint64_t argument;
	struct ring *ring;
	const struct capset *capset;
	uint32_t console;  /* the capability of that name, or 0 */
	uint32_t payer;    /* the Ledger that its children are charged to; 0: its own */
};

/* The program's own. */
int native_main(struct native *self);

/* The first capability of that name in the CapSet, or 0. */
uint32_t native_find(const struct native *self, const char *name);

struct native_call {
	struct native *self;
	struct capnp_builder params;
	uint32_t cap;
	uint16_t method;
	uint64_t interface;
	uint32_t caps_count;
	uint32_t caps[RING_CAPS];  /* going; after native_send(): what came */
	const void *results;
	uint32_t results_size;
	enum status status;
};

void native_call(struct native_call *call, struct native *self, uint32_t cap, uint64_t interface,
                 uint16_t method);

/* Sends a capability along; the index to put into the params. */
uint32_t native_attach(struct native_call *call, uint32_t cap);

/* The call's status, or why it could not be made. */
MUST_CHECK enum status native_send(struct native_call *call);

/* Why the object refused what native_send() sent: its words, or "" where it gave
 * none. Good until the next call. */
const char *native_reason(const struct native_call *call);

/* Console: all bytes, or as many as it takes. */
void native_write(struct native *self, const char *bytes, size_t size);

/* A line or so of diagnostics: %s %c %d %u %x %lu %lx %%, with no widths. */
__attribute__((format(printf, 2, 3))) void native_print(struct native *self, const char *format,
                                                        ...);
const char *native_status(enum status status);

/* Power.off; if that is not to be had, the thread ends. */
_Noreturn void native_off(struct native *self, uint32_t status);

/* MemoryPool and MemoryObject. */
MUST_CHECK enum status native_allocate(struct native *self, uint32_t pool, uint64_t pages,
                                       uint32_t *object);
MUST_CHECK enum status native_available(struct native *self, uint32_t pool, uint64_t *pages);
MUST_CHECK enum status native_child(struct native *self, uint32_t object, uint64_t page,
                                    uint64_t pages, uint32_t *child);

/* AddressSpace; `access` is abi/space.capnp's. */
MUST_CHECK enum status native_map(struct native *self, uint32_t space, uint32_t object,
                                  uint64_t page, void *address, uint64_t pages, uint32_t access);
MUST_CHECK enum status native_unmap(struct native *self, uint32_t space, void *address,
                                    uint64_t pages);

static inline uint64_t native_pages(uint64_t bytes)
{
	return bytes / NATIVE_PAGE + (bytes % NATIVE_PAGE != 0);
}
