/* schedcontrol.c: see schedcontrol.h. */
#include "kernel/schedcontrol.h"

#include "abi/scheduling.capnp.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/domain.h"
#include "kernel/notification.h"
#include "kernel/panic.h"
#include "kernel/revoker.h"
#include "kernel/sched.h"

struct sched_control {
	struct object object;
	struct sched_control *parent; /* held; NULL: the first */
	struct ledger *ledger;
	uint32_t max_priority;
	uint32_t share, used; /* millionths of a processor */
};

/* --- shares ------------------------------------------------------------------ */

/* What a valid budget takes. No overflow: budgets with a period are at most an
 * hour, 3.6e12 ns. */
static uint32_t share_of(uint64_t budget, uint64_t period)
{
	uint64_t scaled = budget * SCHEDULING_PROCESSOR;

	if (!period)
		return SCHEDULING_PROCESSOR;
	return (uint32_t)(scaled / period + (scaled % period != 0));
}

static bool has_share(const struct sched_control *control, uint32_t share)
{
	return control->share == SCHEDULING_NO_LIMIT || share <= control->share - control->used;
}

static void take_share(struct sched_control *control, uint32_t share)
{
	if (control->share != SCHEDULING_NO_LIMIT)
		control->used += share;
}

static void return_share(struct sched_control *control, uint32_t share)
{
	if (control->share == SCHEDULING_NO_LIMIT)
		return;
	KASSERT(share <= control->used);
	control->used -= share;
}

static void free_context(struct sched_context *c)
{
	return_share(c->control, c->share);
	object_drop(&c->control->object);
	block_free(c, sizeof(*c), c->ledger);
}

/* Nothing counts any more of what was used with more share than it has now; or
 * than a context that nobody holds needs. */
static void settled(struct timeout *timeout)
{
	struct sched_context *c = (struct sched_context *)((char *)timeout -
	                                                   offsetof(struct sched_context, settle));

	if (c->object.refs == 0) {
		free_context(c);
		return;
	}
	return_share(c->control, c->share - c->wanted);
	c->share = c->wanted;
}

/* `whole`: when all that has been used so far is forgotten. */
static void change_share(struct sched_context *c, uint32_t wanted, uint64_t whole, uint64_t now)
{
	c->wanted = wanted;
	timeout_cancel(&c->settle);
	if (wanted > c->share) {
		take_share(c->control, wanted - c->share);
		c->share = wanted;
	} else if (whole > now && c->control->share != SCHEDULING_NO_LIMIT) {
		timeout_set(&c->settle, whole, settled);
	} else {
		settled(&c->settle);
	}
}

/* --- SchedulingControl --------------------------------------------------------- */

static enum status may_give(struct call *call, const struct sched_control *control,
                            uint32_t priority)
{
	if (priority >= RUNQUEUE_PRIORITIES)
		return call_refuse(call, STATUS_INVALID, "priorities go from 0 to 63");
	if (priority > control->max_priority)
		return call_refuse(call, STATUS_DENIED, "the priority is above the control's");
	return STATUS_OK;
}

static enum status may_be(struct call *call, const struct sched_control *control,
                          uint64_t budget, uint64_t period, uint32_t priority)
{
	if (!budget_valid(budget, period))
		return call_refuse(call, STATUS_INVALID, "no such budget and period");
	return may_give(call, control, priority);
}

static enum status no_share(struct call *call)
{
	return call_refuse(call, STATUS_BUDGET, "the control's share has not that much left");
}

static enum status call_create(struct sched_control *control, struct call *call)
{
	struct scheduling_control_create_params_reader params = {call->params};
	uint64_t budget = scheduling_control_create_params_get_budget_ns(params);
	uint64_t period = scheduling_control_create_params_get_period_ns(params);
	uint32_t priority = scheduling_control_create_params_get_priority(params), share;
	struct ledger *ledger = call->domain->ledger;
	struct sched_context *c;
	enum status status = may_be(call, control, budget, period, priority);

	if (status)
		return status;
	share = share_of(budget, period);
	if (!has_share(control, share))
		return no_share(call);
	c = block_alloc(ledger, sizeof(*c));
	if (!c)
		return STATUS_NO_MEMORY;
	object_init(&c->object, &sched_context_type);
	if (budget_init(&c->budget, budget, period))
		panic("a valid budget is refused");
	c->priority = (uint8_t)priority;
	c->ledger = ledger;
	object_hold(&control->object);
	c->control = control;
	c->share = c->wanted = share;
	take_share(control, share);
	scheduling_control_create_results_set_context(
		scheduling_control_create_results_build(&call->results),
		call_answer_cap(call, &c->object));
	return STATUS_OK;
}

static enum status call_child(struct sched_control *control, struct call *call)
{
	struct scheduling_control_child_params_reader params = {call->params};
	uint32_t priority = scheduling_control_child_params_get_max_priority(params);
	uint32_t share = scheduling_control_child_params_get_share(params);
	struct ledger *ledger = call->domain->ledger;
	struct sched_control *child;
	enum status status = may_give(call, control, priority);

	if (status)
		return status;
	if (share == 0)
		return call_refuse(call, STATUS_INVALID, "share 0 is nothing");
	if (!has_share(control, share))
		return no_share(call);
	child = block_alloc(ledger, sizeof(*child));
	if (!child)
		return STATUS_NO_MEMORY;
	object_init(&child->object, &sched_control_type);
	object_hold(&control->object);
	child->parent = control;
	child->ledger = ledger;
	child->max_priority = priority;
	child->share = share;
	take_share(control, share);
	scheduling_control_child_results_set_control(
		scheduling_control_child_results_build(&call->results),
		call_answer_cap(call, &child->object));
	return STATUS_OK;
}

static enum status control_info(const struct sched_control *control, struct call *call)
{
	struct scheduling_control_info_results_builder results =
		scheduling_control_info_results_build(&call->results);

	scheduling_control_info_results_set_max_priority(results, control->max_priority);
	scheduling_control_info_results_set_share(results, control->share);
	scheduling_control_info_results_set_used(results, control->used);
	return STATUS_OK;
}

static enum status control_call(struct object *o, struct call *call)
{
	struct sched_control *control = (struct sched_control *)o;

	switch (call->method) {
	case SCHEDULING_CONTROL_CREATE:
		return call_create(control, call);
	case SCHEDULING_CONTROL_CHILD:
		return call_child(control, call);
	case SCHEDULING_CONTROL_INFO:
		return control_info(control, call);
	default:
		return STATUS_NO_METHOD;
	}
}

/* A control may be the last to hold its parent, and so on up: not by recursion,
 * for whoever makes them decides how many. */
static void control_destroy(struct object *o)
{
	struct sched_control *control = (struct sched_control *)o;

	while (control) {
		struct sched_control *parent = control->parent;

		KASSERT(control->used == 0 && parent);
		return_share(parent, control->share);
		block_free(control, sizeof(*control), control->ledger);
		control = --parent->object.refs == 0 ? parent : NULL;
	}
}

const struct object_type sched_control_type = {
	.name = "scheduling control",
	.interface = SCHEDULING_CONTROL_ID,
	.call = control_call,
	.destroy = control_destroy,
};

struct object *sched_control_object(void)
{
	static struct sched_control first = {
		.object = {.type = &sched_control_type, .refs = 1},
		.max_priority = RUNQUEUE_TOP,
		.share = SCHEDULING_NO_LIMIT,
	};

	object_hold(&first.object);
	return &first.object;
}

/* --- SchedulingContext ----------------------------------------------------------- */

static enum status call_configure(struct sched_context *c, struct call *call)
{
	struct scheduling_context_configure_params_reader params = {call->params};
	uint64_t budget = scheduling_context_configure_params_get_budget_ns(params);
	uint64_t period = scheduling_context_configure_params_get_period_ns(params);
	uint32_t priority = scheduling_context_configure_params_get_priority(params);
	enum status status = may_be(call, c->control, budget, period, priority);
	uint64_t now = clock_now(), whole;
	uint32_t share;

	if (status)
		return status;
	share = share_of(budget, period);
	if (share > c->share && !has_share(c->control, share - c->share))
		return no_share(call);
	sched_charge(c, now);
	whole = budget_whole(&c->budget, now);
	if (budget_set(&c->budget, budget, period, now))
		panic("a valid budget is refused");
	change_share(c, share, whole, now);
	c->priority = (uint8_t)priority;
	sched_changed(c, now);
	return STATUS_OK;
}

static enum status call_bind(struct sched_context *c, struct call *call)
{
	struct scheduling_context_bind_params_reader params = {call->params};
	struct object *o;
	struct thread *t;
	uint32_t index;

	if (scheduling_context_bind_params_get_thread(params, &index))
		return STATUS_NO_CAP;
	o = call_cap(call, index, &thread_type);
	if (!o)
		return call_refuse(call, STATUS_NO_CAP, "it is no thread");
	t = (struct thread *)((char *)o - offsetof(struct thread, object));
	if (t->state == THREAD_ENDED)
		return call_refuse(call, STATUS_GONE, "the thread has ended");
	if (c->home)
		return call_refuse(call, STATUS_BUSY, "the context is bound already");
	if (t->own_context && t->own_context != &t->first)
		return call_refuse(call, STATUS_BUSY, "the thread has a context bound already");
	sched_bind(c, t);
	return STATUS_OK;
}

static enum status call_unbind(struct sched_context *c, struct call *call)
{
	if (!c->home)
		return call_refuse(call, STATUS_NOT_FOUND, "no thread is bound");
	sched_unbind(c);
	return STATUS_OK;
}

static enum status context_query(struct sched_context *c, struct call *call)
{
	struct scheduling_context_query_results_builder results =
		scheduling_context_query_results_build(&call->results);
	uint64_t now = clock_now();

	sched_charge(c, now);
	scheduling_context_query_results_set_consumed_ns(results, c->consumed);
	scheduling_context_query_results_set_remaining_ns(results, budget_left(&c->budget, now));
	scheduling_context_query_results_set_exhausted(results, c->exhaustions);
	scheduling_context_query_results_set_next_ns(results, budget_next(&c->budget, now));
	scheduling_context_query_results_set_budget_ns(results, c->budget.budget);
	scheduling_context_query_results_set_period_ns(results, c->budget.period);
	scheduling_context_query_results_set_priority(results, c->priority);
	scheduling_context_query_results_set_bound(results, c->home != NULL);
	return STATUS_OK;
}

static void set_notification(struct sched_context *c, struct object *o, uint64_t bits)
{
	struct object *old = c->notification;

	if (o)
		object_hold(o);
	c->notification = o;
	c->bits = bits;
	if (old)
		object_drop(old);
}

static bool is_signaller(struct object *o)
{
	struct object *target = object_resolve(o);

	return target && notification_of(target);
}

static enum status call_notify(struct sched_context *c, struct call *call)
{
	struct scheduling_context_notify_params_reader params = {call->params};
	uint64_t bits = scheduling_context_notify_params_get_bits(params);
	uint32_t index;

	if (!scheduling_context_notify_params_has_signaller(params)) {
		set_notification(c, NULL, 0);
		return STATUS_OK;
	}
	if (scheduling_context_notify_params_get_signaller(params, &index) ||
	    index >= call->caps_count || !is_signaller(call->caps[index]))
		return call_refuse(call, STATUS_NO_CAP, "it is no notification and no signaller");
	if (bits == 0)
		return call_refuse(call, STATUS_INVALID, "no bits");
	set_notification(c, call->caps[index], bits);
	if (c->exhausted)
		sched_context_signal(c);
	return STATUS_OK;
}

static enum status context_call(struct object *o, struct call *call)
{
	struct sched_context *c = (struct sched_context *)o;

	switch (call->method) {
	case SCHEDULING_CONTEXT_CONFIGURE:
		return call_configure(c, call);
	case SCHEDULING_CONTEXT_BIND:
		return call_bind(c, call);
	case SCHEDULING_CONTEXT_UNBIND:
		return call_unbind(c, call);
	case SCHEDULING_CONTEXT_QUERY:
		return context_query(c, call);
	case SCHEDULING_CONTEXT_NOTIFY:
		return call_notify(c, call);
	default:
		return STATUS_NO_METHOD;
	}
}

/* A thread that it is bound to holds it, so it has none. */
static void context_destroy(struct object *o)
{
	struct sched_context *c = (struct sched_context *)o;
	uint64_t now = clock_now(), whole = budget_whole(&c->budget, now);

	KASSERT(!c->home && !c->user);
	timeout_cancel(&c->refill);
	timeout_cancel(&c->settle);
	set_notification(c, NULL, 0);
	if (whole > now && c->control->share != SCHEDULING_NO_LIMIT)
		timeout_set(&c->settle, whole, settled);
	else
		free_context(c);
}

const struct object_type sched_context_type = {
	.name = "scheduling context",
	.interface = SCHEDULING_CONTEXT_ID,
	.call = context_call,
	.destroy = context_destroy,
};
