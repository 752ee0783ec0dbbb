/* ledger.c: see ledger.h.
 *
 * What a ledger has paid for keeps it, closed or not, so objects may point at the
 * ledger that they are charged to. A Ledger object for a child is charged to the
 * parent: a child begins with all that it was given. */
#include "kernel/ledger.h"

#include "abi/ledger.capnp.h"
#include "kernel/endpoint.h"
#include "kernel/libos.h"
#include "kernel/memobject.h"
#include "kernel/notification.h"
#include "kernel/park.h"
#include "kernel/revoker.h"
#include "kernel/ring.h"

static struct ledger_object *create(struct ledger *ledger, struct ledger *payer, bool owner)
{
	struct ledger_object *l = block_alloc(payer, sizeof(*l));

	if (!l)
		return NULL;
	object_init(&l->object, &ledger_type);
	l->ledger = ledger;
	l->payer = payer;
	l->owner = owner;
	return l;
}

struct object *ledger_object_create(struct ledger *ledger)
{
	struct ledger_object *l = create(ledger, ledger, false);

	return l ? &l->object : NULL;
}

static enum status call_query(struct ledger *l, struct call *call)
{
	struct ledger_query_results_builder results = ledger_query_results_build(&call->results);

	ledger_query_results_set_limit(results, l->limit);
	ledger_query_results_set_used(results, l->used);
	ledger_query_results_set_peak(results, l->peak);
	return STATUS_OK;
}

/* The results of all methods that make something are of one shape. */
static enum status answer_made(struct call *call, struct object *made)
{
	if (!made)
		return STATUS_NO_MEMORY;
	ledger_child_results_set_ledger(ledger_child_results_build(&call->results),
	                                call_answer_cap(call, made));
	return STATUS_OK;
}

static enum status call_child(struct ledger *l, struct call *call)
{
	struct ledger_child_params_reader params = {call->params};
	struct ledger *child = ledger_create(l, ledger_child_params_get_bytes(params));
	struct ledger_object *o;

	if (!child)
		return STATUS_NO_MEMORY;
	o = create(child, l, true);
	if (!o)
		ledger_close(child);
	return answer_made(call, o ? &o->object : NULL);
}

static enum status call_donate(struct ledger *l, struct call *call)
{
	struct ledger_donate_params_reader params = {call->params};
	struct ledger *to;
	uint32_t index;

	to = ledger_donate_params_get_to(params, &index) ? NULL : ledger_that_came(call, index);
	if (!to)
		return call_refuse(call, STATUS_NO_CAP, "no Ledger to donate to");
	if (ledger_is_closed(to))
		return call_refuse(call, STATUS_GONE, "that ledger is closed");
	return ledger_donate(l, to, ledger_donate_params_get_bytes(params));
}

static enum status call_reclaim(struct ledger *l, struct call *call)
{
	struct ledger_reclaim_params_reader params = {call->params};
	struct ledger *child;
	uint64_t moved;
	uint32_t index;
	enum status status;

	child = ledger_reclaim_params_get_child(params, &index) ? NULL :
	                                                          ledger_that_came(call, index);
	if (!child)
		return call_refuse(call, STATUS_NO_CAP, "no Ledger to take from");
	if (child->parent != l)
		return call_refuse(call, STATUS_DENIED, "no child of this ledger");
	moved = ledger_reclaim_params_get_bytes(params);
	if (moved > ledger_left(child))
		moved = ledger_left(child);
	status = ledger_reclaim(child, moved);
	if (status)
		return status;
	ledger_return(l, 0); /* if it is closed, that is its parent's */
	ledger_reclaim_results_set_bytes(ledger_reclaim_results_build(&call->results), moved);
	return STATUS_OK;
}

/* Methods that make an object, by number. */
static struct object *(*const makers[])(struct ledger *) = {
	[LEDGER_MEMORY - LEDGER_MEMORY] = memory_pool_create_charging,
	[LEDGER_ENDPOINT - LEDGER_MEMORY] = endpoint_create,
	[LEDGER_NOTIFICATION - LEDGER_MEMORY] = notification_create,
	[LEDGER_REVOKER - LEDGER_MEMORY] = revoker_create,
	[LEDGER_PARK_SPACE - LEDGER_MEMORY] = parkspace_create,
	[LEDGER_SPENDER - LEDGER_MEMORY] = ledger_object_create,
};

static enum status call_make(struct ledger *l, struct call *call)
{
	unsigned which = call->method - LEDGER_MEMORY;

	return which < ARRAY_SIZE(makers) ? answer_made(call, makers[which](l)) : STATUS_NO_METHOD;
}

static enum status call_end(const struct ledger_object *o, struct call *call)
{
	struct process *caller = call->thread->process;
	bool more;

	if (!o->owner)
		return call_refuse(call, STATUS_DENIED, "a ledger is ended by who made it");
	ledger_shut(o->ledger);
	more = !libos_end_on(o->ledger, caller);
	if (!call->thread->process || caller->end_reason)
		return CALL_PENDING; /* nobody is left to be answered */
	ledger_end_results_set_more(ledger_end_results_build(&call->results), more);
	return STATUS_OK;
}

static enum status ledger_call(struct object *o, struct call *call)
{
	struct ledger *l = ((struct ledger_object *)o)->ledger;

	/* Who lives below could put off its end. */
	if (call->method != LEDGER_END && ring_is_to_wait(call, l))
		return STATUS_NO_MEMORY;
	switch (call->method) {
	case LEDGER_QUERY:
		return call_query(l, call);
	case LEDGER_CHILD:
		return call_child(l, call);
	case LEDGER_DONATE:
		return call_donate(l, call);
	case LEDGER_RECLAIM:
		return call_reclaim(l, call);
	case LEDGER_END:
		return call_end((struct ledger_object *)o, call);
	default:
		return call_make(l, call);
	}
}

static void ledger_destroy(struct object *o)
{
	struct ledger_object *l = (struct ledger_object *)o;

	if (l->owner)
		ledger_close(l->ledger);
	block_free(l, sizeof(*l), l->payer);
}

const struct object_type ledger_type = {
	.name = "ledger",
	.interface = LEDGER_ID,
	.call = ledger_call,
	.destroy = ledger_destroy,
};

struct ledger *ledger_that_came(const struct call *call, uint32_t index)
{
	struct object *o = call_cap(call, index, &ledger_type);

	return o ? ((struct ledger_object *)o)->ledger : NULL;
}
