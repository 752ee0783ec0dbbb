/* space_calls.c: the interface AddressSpace (abi/space.capnp): from messages to
 * space.h's functions, which judge the values. */
#include "kernel/revoker.h"
#include "kernel/ring.h"
#include "kernel/space.h"

/* How many pages of its range the call has done before; they are taken off. */
static uint64_t resume(const struct call *call, uint64_t *address, uint64_t *pages)
{
	uint64_t done = ring_resumed(call->thread, call->ring);

	if (done >= *pages) /* that was another entry */
		return 0;
	*address += done << PAGE_SHIFT;
	*pages -= done;
	return done;
}

/* What finds frames pauses after so many pages. True: the range is done in parts. What is to
 * be refused is refused as a whole. */
static bool has_parts(const struct space *s, uint64_t address, uint64_t pages)
{
	return pages <= SPACE_CALL_PAGES && ring_may_pause() && space_range_ok(s, address, pages);
}

static enum status map_part(struct space *s, const struct call *call, struct space_mapping *what)
{
	uint64_t done = resume(call, &what->address, &what->pages);
	bool more = what->pages > SPACE_STEP_FOUND;
	enum status status;

	what->page += done;
	if (more)
		what->pages = SPACE_STEP_FOUND;
	status = space_map(s, what);
	return status || !more ? status :
		ring_pause(call->thread, call->ring, done + SPACE_STEP_FOUND);
}

__attribute__((noinline))
static enum status long_fresh(struct space *s, const struct call *call, uint64_t address,
                              uint64_t pages, uint32_t access)
{
	uint64_t done;
	enum status status;

	if (!has_parts(s, address, pages))
		return space_fresh(s, address, pages, access);
	done = resume(call, &address, &pages) + SPACE_STEP_FOUND;
	if (pages <= SPACE_STEP_FOUND)
		return space_fresh(s, address, pages, access);
	status = space_fresh(s, address, SPACE_STEP_FOUND, access);
	return status ? status : ring_pause(call->thread, call->ring, done);
}

/* As page faults have it, nothing is long. */
static inline enum status call_fresh(struct space *s, const struct call *call, uint64_t address,
                                     uint64_t pages, uint32_t access)
{
	return pages > SPACE_STEP_FOUND ? long_fresh(s, call, address, pages, access) :
	                                  space_fresh(s, address, pages, access);
}

/* Of unmap, protect and share: goes on at `next` by itself, or leaves that to the caller. */
static enum status end_range(struct call *call, enum status status, uint64_t done,
                             uint64_t address, uint64_t next)
{
	if (status || !next)
		return status;
	done += (next - address) >> PAGE_SHIFT;
	if (done < SPACE_CALL_PAGES && ring_may_pause())
		return ring_pause(call->thread, call->ring, done);
	address_space_unmap_results_set_next(
		address_space_unmap_results_build(&call->results), next);
	return STATUS_OK;
}
_Static_assert((int)ADDRESS_SPACE_UNMAP_RESULTS_DATA_WORDS == 1 &&
               (int)ADDRESS_SPACE_PROTECT_RESULTS_DATA_WORDS == 1 &&
               (int)ADDRESS_SPACE_SHARE_RESULTS_DATA_WORDS == 1, "end_range");

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
	if (what.pages > SPACE_STEP_FOUND && !what.lease &&
	    has_parts(s, what.address, what.pages) &&
	    what.pages <= what.memory->pages && what.page <= what.memory->pages - what.pages)
		return map_part(s, call, &what);
	return space_map(s, &what);
}

static enum status call_unmap(struct space *s, struct call *call)
{
	struct address_space_unmap_params_reader params = {call->params};
	uint64_t address = address_space_unmap_params_get_address(params);
	uint64_t pages = address_space_unmap_params_get_pages(params), next;
	uint64_t done = resume(call, &address, &pages);
	enum status status = space_unmap(s, address, pages, &next);

	return end_range(call, status, done, address, next);
}

static enum status call_protect(struct space *s, struct call *call)
{
	struct address_space_protect_params_reader params = {call->params};
	uint64_t address = address_space_protect_params_get_address(params);
	uint64_t pages = address_space_protect_params_get_pages(params), next;
	uint64_t done = resume(call, &address, &pages);
	enum status status = space_protect(s, address, pages,
	                                   address_space_protect_params_get_access(params), &next);

	return end_range(call, status, done, address, next);
}

static enum status call_share(struct space *s, struct call *call)
{
	struct address_space_share_params_reader params = {call->params};
	uint64_t address = address_space_share_params_get_address(params);
	uint64_t pages = address_space_share_params_get_pages(params), next, done;
	struct object *from;
	uint32_t index;
	enum status status;

	if (address_space_share_params_get_source(params, &index))
		return STATUS_NO_CAP;
	from = call_cap(call, index, &space_type);
	if (!from)
		return STATUS_NO_CAP;
	if (call->caps[index]->type == &lease_type) /* revoking would not find what is shown */
		return call_refuse(call, STATUS_DENIED, "a leased space shares nothing");
	done = resume(call, &address, &pages);
	status = space_share(s, (struct space *)from, address, pages, &next);
	return end_range(call, status, done, address, next);
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
	enum status status;

	switch (call->method) {
	case ADDRESS_SPACE_MAP:
		return call_map(s, call);
	case ADDRESS_SPACE_FRESH:
		return call_fresh(s, call, address_space_fresh_params_get_address(fresh),
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
		status = space_committable(s, address_space_commit_params_get_address(commit),
		                           address_space_commit_params_get_pages(commit));
		return status ? status :
			call_fresh(s, call, address_space_commit_params_get_address(commit),
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
