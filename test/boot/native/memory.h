/* memory.h: the calls to memory objects and address spaces that rt/native.h has
 * no wrappers for, and what the programs that test them have in common. */
#pragma once

#include "test/boot/native/check.h"

#include "abi/memory.capnp.h"
#include "abi/space.capnp.h"
#include "rt/ring.h"

enum {
	WORDS = NATIVE_PAGE / 8,
	RW = ACCESS_READ | ACCESS_WRITE,
	RX = ACCESS_READ | ACCESS_EXECUTE,
	NOT_MAPPED = 1 << 16,
};

/* Of a MemoryObject or, with its interface, a ReadOnlyMemory or a SharedBuffer:
 * their methods `size`, `read` and `write` have the same shapes and numbers. */
MUST_CHECK static inline enum status native_size(struct native *self, uint32_t object,
                                                 uint64_t interface, uint64_t *pages)
{
	struct native_call call;
	struct memory_object_size_results_reader results;
	native_call(&call, self, object, interface, MEMORY_OBJECT_SIZE);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = memory_object_size_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		*pages = memory_object_size_results_get_pages(results);
	return status;
}

MUST_CHECK static inline enum status native_read(struct native *self, uint32_t object,
                                                 uint64_t interface, uint64_t offset, void *to,
                                                 uint32_t count)
{
	struct native_call call;
	struct memory_object_read_results_reader results;
	struct capnp_data data;
	_Static_assert((int)SHARED_BUFFER_READ == (int)READ_ONLY_MEMORY_READ &&
	               (int)SHARED_BUFFER_WRITE == (int)MEMORY_OBJECT_WRITE, "");
	native_call(&call, self, object, interface, interface == MEMORY_OBJECT_ID
	            ? (uint16_t)MEMORY_OBJECT_READ : (uint16_t)READ_ONLY_MEMORY_READ);
	struct memory_object_read_params_builder params =
	        memory_object_read_params_build(&call.params);
	memory_object_read_params_set_offset(params, offset);
	memory_object_read_params_set_count(params, count);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = memory_object_read_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		status = memory_object_read_results_get_data(results, &data);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < data.size; i++)
		((uint8_t *)to)[i] = data.bytes[i];
	return data.size == count ? STATUS_OK : STATUS_BAD_MESSAGE;
}

MUST_CHECK static inline enum status native_put(struct native *self, uint32_t object,
                                                uint64_t interface, uint64_t offset,
                                                const void *from, size_t size)
{
	struct native_call call;
	native_call(&call, self, object, interface, MEMORY_OBJECT_WRITE);
	struct memory_object_write_params_builder params =
	        memory_object_write_params_build(&call.params);
	memory_object_write_params_set_offset(params, offset);
	memory_object_write_params_set_data(params, capnp_data_from(from, size));
	return native_send(&call);
}

MUST_CHECK static inline enum status native_read_only(struct native *self, uint32_t object,
                                                      uint32_t *facet)
{
	struct native_call call;
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_READ_ONLY);
	enum status status = native_send(&call);
	*facet = call.caps[0];
	return status;
}

MUST_CHECK static inline enum status native_fresh(struct native *self, uint32_t space,
                                                  uint64_t address, uint64_t pages,
                                                  uint32_t access)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH);
	struct address_space_fresh_params_builder params =
	        address_space_fresh_params_build(&call.params);
	address_space_fresh_params_set_address(params, address);
	address_space_fresh_params_set_pages(params, pages);
	address_space_fresh_params_set_access(params, access);
	return native_send(&call);
}

MUST_CHECK static inline enum status native_protect(struct native *self, uint32_t space,
                                                    uint64_t address, uint64_t pages,
                                                    uint32_t access)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_PROTECT);
	struct address_space_protect_params_builder params =
	        address_space_protect_params_build(&call.params);
	address_space_protect_params_set_address(params, address);
	address_space_protect_params_set_pages(params, pages);
	address_space_protect_params_set_access(params, access);
	return native_send(&call);
}

MUST_CHECK static inline enum status native_share(struct native *self, uint32_t space,
                                                  uint32_t source, uint64_t address,
                                                  uint64_t pages)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_SHARE);
	struct address_space_share_params_builder params =
	        address_space_share_params_build(&call.params);
	address_space_share_params_set_source(params, native_attach(&call, source));
	address_space_share_params_set_address(params, address);
	address_space_share_params_set_pages(params, pages);
	return native_send(&call);
}

MUST_CHECK static inline enum status native_resolve(struct native *self, uint32_t space,
                                                    uint64_t address)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_RESOLVE);
	address_space_resolve_params_set_address(address_space_resolve_params_build(&call.params),
	                                         address);
	return native_send(&call);
}

/* `access`: as the interface has it, or NOT_MAPPED. */
MUST_CHECK static inline enum status native_query(struct native *self, uint32_t space,
                                                  uint64_t address, uint32_t *access)
{
	struct native_call call;
	struct address_space_query_results_reader results;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_QUERY);
	address_space_query_params_set_address(address_space_query_params_build(&call.params),
	                                       address);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = address_space_query_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		*access = address_space_query_results_get_mapped(results)
		                  ? address_space_query_results_get_access(results) : NOT_MAPPED;
	return status;
}

/* -- a test program -------------------------------------------------------------- */

#define OK(call) CHECK_STATUS(&check, STATUS_OK, call)
#define REFUSED(status, call) CHECK_STATUS(&check, STATUS_##status, call)

static struct check check;
static struct native *self;
static uint32_t pool, here;

static inline uint64_t available(void)
{
	uint64_t pages = 0;
	OK(native_available(self, pool, &pages));
	return pages;
}

static inline uint32_t allocate(uint64_t pages)
{
	uint32_t object = 0;
	OK(native_allocate(self, pool, pages, &object));
	return object;
}

static inline void release(uint32_t cap)
{
	OK(ring_release(self->ring, cap));
}

static inline uint64_t word(uint32_t object, uint64_t page)
{
	uint64_t value = ~0ull;
	OK(native_read(self, object, MEMORY_OBJECT_ID, page * NATIVE_PAGE, &value, sizeof value));
	return value;
}

static inline void put(uint32_t object, uint64_t page, uint64_t value)
{
	OK(native_put(self, object, MEMORY_OBJECT_ID, page * NATIVE_PAGE, &value, sizeof value));
}

static inline void nap(uint64_t nanoseconds)
{
	static uint32_t word;
	(void)!ring_park(self->ring, &word, 0, nanoseconds);
}

static inline void start(struct native *given, const char *name)
{
	self = given;
	check = (struct check){ self, name, 0 };
	pool = native_find(self, "memory");
	here = native_find(self, "space");
}

/* Runs every step twice. The second time none may cost a page: page tables and
 * the table of capabilities grow once. */
_Noreturn static inline void run(void (*const *steps)(void), size_t count)
{
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < count; i++) {
			uint64_t before = available();
			steps[i]();
			uint64_t after = available();
			if (round == 1 && after != before)
				native_print(self, "%s: step %lu: %lu pages before, %lu after\n",
				             check.name, i, before, after);
			CHECK(&check, round == 0 || after == before);
		}
	check_end(&check);
}
