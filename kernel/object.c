/* object.c: see object.h. */
#include "kernel/object.h"

#include "kernel/endpoint.h"
#include "kernel/panic.h"

uint64_t object_interface(const struct object *o)
{
	return o->type == &facet_type ? ((const struct facet *)o)->interface : o->type->interface;
}

struct object *call_cap(const struct call *call, uint32_t index,
                        const struct object_type *type)
{
	if (index >= call->caps_count)
		return NULL;
	return call->caps[index]->type == type ? call->caps[index] : NULL;
}

uint32_t call_answer_cap(struct call *call, struct object *o)
{
	KASSERT(call->out_count < RING_CAPS);
	call->out[call->out_count] = o;
	return call->out_count++;
}
