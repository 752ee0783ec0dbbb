/* object.c: see object.h. */
#include "kernel/object.h"

#include "kernel/endpoint.h"
#include "kernel/panic.h"
#include "kernel/revoker.h"

uint64_t object_interface(const struct object *o)
{
	return o->type == &facet_type ? ((const struct facet *)o)->interface : o->type->interface;
}

struct object *call_cap(const struct call *call, uint32_t index,
                        const struct object_type *type)
{
	struct object *o;

	if (index >= call->caps_count)
		return NULL;
	o = object_resolve(call->caps[index]);
	return o && o->type == type ? o : NULL;
}

uint32_t call_answer_cap(struct call *call, struct object *o)
{
	KASSERT(call->out_count < RING_CAPS);
	call->out[call->out_count] = o;
	return call->out_count++;
}
