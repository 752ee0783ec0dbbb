/* space_calls.c: the interface AddressSpace (abi/space.capnp): from messages to
 * space.h's functions, which judge the values. */
#include "kernel/revoker.h"
#include "kernel/space.h"

/* The memory that map is to show, and what its interface keeps out. */
static enum status find_memory(const struct call *call, uint32_t index,
                               struct space_mapping *what)
{
	struct object *o;

	what->memory = (struct memobject *)call_cap(call, index, &memobject_type);
	if (what->memory)
		return STATUS_OK;
	o = call_cap(call, index, &readonly_memory_type);
	if (o) {
		what->memory = ((struct readonly_memory *)o)->memory;
		what->sealed = true;
		return STATUS_OK;
	}
	what->memory = (struct memobject *)call_cap(call, index, &shared_buffer_type);
	if (!what->memory)
		return STATUS_NO_CAP;
	return what->access & (ACCESS_PRIVATE | ACCESS_EXECUTE) ? STATUS_DENIED : STATUS_OK;
}

static enum status call_map(struct space *s, struct call *call)
{
	struct address_space_map_params_reader params = {call->params};
	struct space_mapping what = {
		.page = address_space_map_params_get_page(params),
		.address = address_space_map_params_get_address(params),
		.pages = address_space_map_params_get_pages(params),
		.access = address_space_map_params_get_access(params),
	};
	enum status status;
	uint32_t index;

	if (address_space_map_params_get_object(params, &index))
		return STATUS_NO_CAP;
	status = find_memory(call, index, &what);
	if (status)
		return status;
	if (call->caps[index]->type == &lease_type)
		what.lease = call->caps[index];
	return space_map(s, &what);
}

static enum status call_unmap(struct space *s, struct call *call)
{
	struct address_space_unmap_params_reader params = {call->params};
	uint64_t next;
	enum status status = space_unmap(s, address_space_unmap_params_get_address(params),
	                                 address_space_unmap_params_get_pages(params), &next);

	if (!status && next)
		address_space_unmap_results_set_next(
			address_space_unmap_results_build(&call->results), next);
	return status;
}

static enum status call_protect(struct space *s, struct call *call)
{
	struct address_space_protect_params_reader params = {call->params};
	uint64_t next;
	enum status status = space_protect(s, address_space_protect_params_get_address(params),
	                                   address_space_protect_params_get_pages(params),
	                                   address_space_protect_params_get_access(params),
	                                   &next);

	if (!status && next)
		address_space_protect_results_set_next(
			address_space_protect_results_build(&call->results), next);
	return status;
}

static enum status call_share(struct space *s, struct call *call)
{
	struct address_space_share_params_reader params = {call->params};
	struct object *from;
	uint64_t next;
	uint32_t index;
	enum status status;

	if (address_space_share_params_get_source(params, &index))
		return STATUS_NO_CAP;
	from = call_cap(call, index, &space_type);
	if (!from)
		return STATUS_NO_CAP;
	status = space_share(s, (struct space *)from,
	                     address_space_share_params_get_address(params),
	                     address_space_share_params_get_pages(params), &next);
	if (!status && next)
		address_space_share_results_set_next(
			address_space_share_results_build(&call->results), next);
	return status;
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

static enum status call_reserve(struct space *s, struct call *call)
{
	struct address_space_reserve_params_reader params = {call->params};
	uint64_t address;
	enum status status = space_reserve(s, address_space_reserve_params_get_pages(params),
	                                   &address);

	if (!status)
		address_space_reserve_results_set_address(
			address_space_reserve_results_build(&call->results), address);
	return status;
}

static enum status space_call(struct object *o, struct call *call)
{
	struct space *s = (struct space *)o;
	struct address_space_fresh_params_reader fresh = {call->params};
	struct address_space_resolve_params_reader resolve = {call->params};
	struct address_space_unreserve_params_reader unreserve = {call->params};
	struct address_space_commit_params_reader commit = {call->params};

	switch (call->method) {
	case ADDRESS_SPACE_MAP:
		return call_map(s, call);
	case ADDRESS_SPACE_FRESH:
		return space_fresh(s, address_space_fresh_params_get_address(fresh),
		                   address_space_fresh_params_get_pages(fresh),
		                   address_space_fresh_params_get_access(fresh));
	case ADDRESS_SPACE_UNMAP:
		return call_unmap(s, call);
	case ADDRESS_SPACE_PROTECT:
		return call_protect(s, call);
	case ADDRESS_SPACE_SHARE:
		return call_share(s, call);
	case ADDRESS_SPACE_RESOLVE:
		return space_resolve(s, address_space_resolve_params_get_address(resolve));
	case ADDRESS_SPACE_QUERY:
		return call_query(s, call);
	case ADDRESS_SPACE_RESERVE:
		return call_reserve(s, call);
	case ADDRESS_SPACE_UNRESERVE:
		return space_unreserve(s, address_space_unreserve_params_get_address(unreserve));
	case ADDRESS_SPACE_COMMIT:
		return space_commit(s, address_space_commit_params_get_address(commit),
		                    address_space_commit_params_get_pages(commit),
		                    address_space_commit_params_get_access(commit));
	default:
		return STATUS_NO_METHOD;
	}
}

const struct object_type space_type = {
	.name = "address space",
	.interface = ADDRESS_SPACE_ID,
	.call = space_call,
	.destroy = space_destroy,
};
