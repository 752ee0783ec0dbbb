/* space_calls.c: the interface AddressSpace (abi/space.capnp): from messages to
 * space.h's functions, which judge the values. */
#include "kernel/space.h"

static enum status call_map(struct space *s, struct call *call)
{
	struct address_space_map_params_reader params = {call->params};
	struct object *o;
	uint32_t index;
	bool sealed = false;

	if (address_space_map_params_get_object(params, &index))
		return STATUS_NO_CAP;
	o = call_cap(call, index, &memobject_type);
	if (!o) {
		o = call_cap(call, index, &readonly_memory_type);
		if (!o)
			return STATUS_NO_CAP;
		sealed = true;
		o = &((struct readonly_memory *)o)->memory->object;
	}
	return space_map(s, (struct memobject *)o, address_space_map_params_get_page(params),
	                 address_space_map_params_get_address(params),
	                 address_space_map_params_get_pages(params),
	                 address_space_map_params_get_access(params), sealed);
}

static enum status call_share(struct space *s, struct call *call)
{
	struct address_space_share_params_reader params = {call->params};
	struct object *from;
	uint32_t index;

	if (address_space_share_params_get_source(params, &index))
		return STATUS_NO_CAP;
	from = call_cap(call, index, &space_type);
	if (!from)
		return STATUS_NO_CAP;
	return space_share(s, (struct space *)from,
	                   address_space_share_params_get_address(params),
	                   address_space_share_params_get_pages(params));
}

static enum status call_query(const struct space *s, struct call *call)
{
	struct address_space_query_params_reader params = {call->params};
	struct address_space_query_results_builder results =
		address_space_query_results_build(&call->results);
	uint64_t address = page_down(address_space_query_params_get_address(params));
	bool mapped;
	uint32_t access;

	if (!space_range_ok(s, address, 1))
		return STATUS_INVALID;
	access = space_access(s, address, &mapped);
	address_space_query_results_set_mapped(results, mapped);
	address_space_query_results_set_access(results, access);
	return STATUS_OK;
}

static enum status space_call(struct object *o, struct call *call)
{
	struct space *s = (struct space *)o;
	struct address_space_fresh_params_reader fresh = {call->params};
	struct address_space_unmap_params_reader unmap = {call->params};
	struct address_space_protect_params_reader protect = {call->params};
	struct address_space_resolve_params_reader resolve = {call->params};

	switch (call->method) {
	case ADDRESS_SPACE_MAP:
		return call_map(s, call);
	case ADDRESS_SPACE_FRESH:
		return space_fresh(s, address_space_fresh_params_get_address(fresh),
		                   address_space_fresh_params_get_pages(fresh),
		                   address_space_fresh_params_get_access(fresh));
	case ADDRESS_SPACE_UNMAP:
		return space_unmap(s, address_space_unmap_params_get_address(unmap),
		                   address_space_unmap_params_get_pages(unmap));
	case ADDRESS_SPACE_PROTECT:
		return space_protect(s, address_space_protect_params_get_address(protect),
		                     address_space_protect_params_get_pages(protect),
		                     address_space_protect_params_get_access(protect));
	case ADDRESS_SPACE_SHARE:
		return call_share(s, call);
	case ADDRESS_SPACE_RESOLVE:
		return space_resolve(s, address_space_resolve_params_get_address(resolve));
	case ADDRESS_SPACE_QUERY:
		return call_query(s, call);
	default:
		return STATUS_NO_METHOD;
	}
}

const struct object_type space_type = {
	"address space", ADDRESS_SPACE_ID, space_call, space_destroy,
};
