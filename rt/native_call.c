/* native_call.c: the start of a native program, and its calls. */
#include "rt/native.h"

#include "abi/console.capnp.h"
#include "abi/exception.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/power.capnp.h"
#include "abi/space.capnp.h"
#include "rt/capset.h"
#include "rt/ring.h"

_Noreturn void native_begin(uint64_t argument, struct ring *ring, const struct capset *capset);

_Noreturn void native_begin(uint64_t argument, struct ring *ring, const struct capset *capset)
{
	struct native self = { .argument = argument, .ring = ring, .capset = capset };
	self.console = native_find(&self, "console");
	ring_exit(native_main(&self));
}

uint32_t native_find(const struct native *self, const char *name)
{
	return capset_find(self->capset, name);
}

void native_call(struct native_call *call, struct native *self, uint32_t cap, uint64_t interface,
                 uint16_t method)
{
	*call = (struct native_call){
		.self = self, .cap = cap, .interface = interface, .method = method,
	};
	capnp_builder_start(&call->params, self->ring->area, NATIVE_MESSAGE_MAX);
}

uint32_t native_attach(struct native_call *call, uint32_t cap)
{
	if (call->caps_count == RING_CAPS) {
		capnp_fail(&call->params, STATUS_INVALID);
		return 0;
	}
	call->caps[call->caps_count] = cap;
	return call->caps_count++;
}

enum status native_send(struct native_call *call)
{
	uint8_t *area = call->self->ring->area;
	struct ring_call ring = {
		.cap = call->cap,
		.method = call->method,
		.interface = call->interface,
		.params = area,
		.params_size = (uint32_t)capnp_builder_size(&call->params),
		.results = area + NATIVE_MESSAGE_MAX,
		.results_size = NATIVE_MESSAGE_MAX,
		.caps_count = call->caps_count,
	};
	if (call->params.status != STATUS_OK)
		return call->params.status;
	for (uint32_t i = 0; i < RING_CAPS; i++)
		ring.caps[i] = call->caps[i];
	enum status status = ring_call(call->self->ring, &ring);
	for (uint32_t i = 0; i < RING_CAPS; i++)
		call->caps[i] = ring.caps[i];
	call->results = area + NATIVE_MESSAGE_MAX;
	call->results_size = ring.results_size;
	call->status = status;
	return status;
}

/* Results beside a status that is not OK are an Exception (abi/ring.h). */
const char *native_reason(const struct native_call *call)
{
	struct exception_reader exception;
	struct capnp_text reason;
	if (call->status == STATUS_OK || call->results_size == 0 ||
	    exception_read(call->results, call->results_size, &exception) != STATUS_OK ||
	    exception_get_reason(exception, &reason) != STATUS_OK)
		return "";
	return reason.bytes;
}

/* The capability that a result names by its index in call->caps. */
static enum status came(const struct native_call *call, enum status read, uint32_t index,
                        uint32_t *out)
{
	if (read == STATUS_OK && index < RING_CAPS && call->caps[index] != 0) {
		*out = call->caps[index];
		return STATUS_OK;
	}
	return STATUS_BAD_MESSAGE;
}

void native_write(struct native *self, const char *bytes, size_t size)
{
	enum { MOST = 512 };
	while (size > 0) {
		size_t part = size < MOST ? size : MOST;
		struct native_call call;
		native_call(&call, self, self->console, CONSOLE_ID, CONSOLE_WRITE);
		console_write_params_set_data(console_write_params_build(&call.params),
		                              capnp_data_from(bytes, part));
		if (native_send(&call) != STATUS_OK)
			return;
		bytes += part;
		size -= part;
	}
}

_Noreturn void native_off(struct native *self, uint32_t status)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "power"), POWER_ID, POWER_OFF);
	power_off_params_set_status(power_off_params_build(&call.params), status);
	(void)!native_send(&call);
	ring_exit((int32_t)status);
}

enum status native_allocate(struct native *self, uint32_t pool, uint64_t pages, uint32_t *object)
{
	struct native_call call;
	struct memory_pool_allocate_results_reader results;
	uint32_t index = RING_CAPS;
	native_call(&call, self, pool, MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE);
	memory_pool_allocate_params_set_pages(memory_pool_allocate_params_build(&call.params), pages);
	enum status status = native_send(&call);
	if (status != STATUS_OK)
		return status;
	status = memory_pool_allocate_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		status = memory_pool_allocate_results_get_object(results, &index);
	return came(&call, status, index, object);
}

enum status native_available(struct native *self, uint32_t pool, uint64_t *pages)
{
	struct native_call call;
	struct memory_pool_available_results_reader results;
	native_call(&call, self, pool, MEMORY_POOL_ID, MEMORY_POOL_AVAILABLE);
	enum status status = native_send(&call);
	if (status != STATUS_OK)
		return status;
	status = memory_pool_available_results_read(call.results, call.results_size, &results);
	*pages = status == STATUS_OK ? memory_pool_available_results_get_pages(results) : 0;
	return status;
}

enum status native_child(struct native *self, uint32_t object, uint64_t page, uint64_t pages,
                         uint32_t *child)
{
	struct native_call call;
	struct memory_object_child_results_reader results;
	uint32_t index = RING_CAPS;
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_CHILD);
	struct memory_object_child_params_builder params =
	        memory_object_child_params_build(&call.params);
	memory_object_child_params_set_page(params, page);
	memory_object_child_params_set_pages(params, pages);
	enum status status = native_send(&call);
	if (status != STATUS_OK)
		return status;
	status = memory_object_child_results_read(call.results, call.results_size, &results);
	if (status == STATUS_OK)
		status = memory_object_child_results_get_object(results, &index);
	return came(&call, status, index, child);
}

enum status native_map(struct native *self, uint32_t space, uint32_t object, uint64_t page,
                       void *address, uint64_t pages, uint32_t access)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_MAP);
	struct address_space_map_params_builder params =
	        address_space_map_params_build(&call.params);
	address_space_map_params_set_object(params, native_attach(&call, object));
	address_space_map_params_set_page(params, page);
	address_space_map_params_set_address(params, (uintptr_t)address);
	address_space_map_params_set_pages(params, pages);
	address_space_map_params_set_access(params, access);
	return native_send(&call);
}

enum status native_unmap(struct native *self, uint32_t space, void *address, uint64_t pages)
{
	struct native_call call;
	native_call(&call, self, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_UNMAP);
	struct address_space_unmap_params_builder params =
	        address_space_unmap_params_build(&call.params);
	address_space_unmap_params_set_address(params, (uintptr_t)address);
	address_space_unmap_params_set_pages(params, pages);
	return native_send(&call);
}
