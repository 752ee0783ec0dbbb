/* power.c: see power.h. */
#include "kernel/power.h"

#include "abi/power.capnp.h"
#include "kernel/arch/x86_64/power.h"
#include "kernel/panic.h"
#include "kernel/trace.h"

static enum status power_call(struct object *o, struct call *call)
{
	struct power_off_params_reader params = {call->params};

	(void)o;
	if (call->method != POWER_OFF)
		return STATUS_NO_METHOD;
	trace_unanswered(call->thread);
	power_off(power_off_params_get_status(params));
}

static void power_destroy(struct object *o)
{
	(void)o;
	panic("the power lost its last reference");
}

static const struct object_type power_type = {
	.name = "power",
	.interface = POWER_ID,
	.call = power_call,
	.destroy = power_destroy,
};

struct object *power_object(void)
{
	static struct object object = {.type = &power_type, .refs = 1};

	object_hold(&object);
	return &object;
}
