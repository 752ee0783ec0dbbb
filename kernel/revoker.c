/* revoker.c: see revoker.h. */
#include "kernel/revoker.h"

#include "abi/libos.capnp.h"
#include "abi/revoker.capnp.h"
#include "kernel/domain.h"
#include "kernel/ending.h"
#include "kernel/leave.h"
#include "kernel/panic.h"
#include "kernel/space_lease.h"

_Static_assert(sizeof(struct lease) == 64, "one small block");

/* Dead leases that still hold a target. */
struct link revoker_dead = {&revoker_dead, &revoker_dead};

struct object *lease_target(const struct object *o)
{
	const struct lease *l = (const struct lease *)o;

	for (;;) {
		if (!l->target || l->epoch != l->revoker->epoch)
			return NULL;
		if (l->target->type != &lease_type)
			return l->target;
		l = (const struct lease *)l->target;
	}
}

static uint32_t depth_of(const struct object *o)
{
	return o->type == &lease_type ? ((const struct lease *)o)->depth : 0;
}

/* Makes a lease of a zeroed block, taking over the reference to `target`. */
static void lease_init(struct lease *l, struct revoker *r, uint32_t epoch,
                       struct object *target, struct ledger *ledger)
{
	object_init(&l->object, &lease_type);
	l->target = target;
	l->revoker = r;
	l->epoch = epoch;
	l->depth = depth_of(target) + 1;
	l->ledger = ledger;
	r->users++;
	/* It may have been revoked while the call that it is for was served. */
	link_append(epoch == r->epoch ? &r->live : &revoker_dead, &l->link);
	leave_chores = true;
}

static void leave_revoker(struct revoker *r)
{
	if (--r->users == 0 && r->object.refs == 0)
		block_free(r, sizeof(*r), r->ledger);
}

static void let_go(struct lease *l)
{
	struct object *target = l->target;
	struct revoker *r = l->revoker;

	link_remove(&l->link);
	if (!target)
		return;
	l->target = NULL;
	l->revoker = NULL;
	leave_revoker(r);
	object_drop(target);
}

void revoker_let_go(void)
{
	for (unsigned i = 0; i < LEASE_REAP && ending_left > 0 && !link_empty(&revoker_dead); i++)
		let_go(link_owner(revoker_dead.next, struct lease, link));
	leave_chores |= !link_empty(&revoker_dead);
}

static void lease_destroy(struct object *o)
{
	struct lease *l = (struct lease *)o;

	let_go(l);
	block_free(l, sizeof(*l), l->ledger);
}

/* Leases `o` as `l` is, inner leases first, taking over the reference. NULL: no
 * memory, and `o` is let go. */
static struct object *lease_alike(const struct lease *l, struct object *o,
                                  struct ledger *ledger)
{
	struct lease *new;

	if (l->target->type == &lease_type)
		o = lease_alike((struct lease *)l->target, o, ledger);
	if (!o)
		return NULL;
	new = block_alloc(ledger, sizeof(*new));
	if (!new) {
		object_drop(o);
		return NULL;
	}
	lease_init(new, l->revoker, l->epoch, o, ledger);
	return &new->object;
}

/* On failure the answer keeps what was not leased yet, and is dropped as a whole:
 * the method has run, but nothing that it made is left. */
static enum status lease_answer(const struct lease *l, struct call *call,
                                struct ledger *ledger)
{
	for (unsigned i = 0; i < call->out_count; i++)
		if (depth_of(call->out[i]) + l->depth > LEASE_DEPTH)
			return call_refuse(call, STATUS_INVALID, "too many leases of leases");
	for (unsigned i = 0; i < call->out_count; i++) {
		struct object *o = lease_alike(l, call->out[i], ledger);

		if (!o) {
			call->out[i] = call->out[--call->out_count];
			return STATUS_NO_MEMORY;
		}
		call->out[i] = o;
	}
	return STATUS_OK;
}

static enum status lease_call(struct object *o, struct call *call)
{
	struct lease *l = (struct lease *)o;
	struct object *target = lease_target(o);
	struct ledger *ledger = call->domain->ledger; /* may outlive the domain */
	enum status status;

	if (!target)
		return STATUS_GONE;
	object_hold(target);
	status = target->type->call(target, call);
	object_drop(target);
	return status ? status : lease_answer(l, call, ledger);
}

/* `interface` is the target's: whoever looks resolves first. */
const struct object_type lease_type = {
	.name = "lease",
	.interface = 0,
	.call = lease_call,
	.destroy = lease_destroy,
};

static void revoke(struct revoker *r)
{
	r->epoch++;
	link_splice(&revoker_dead, &r->live); /* first: they wait for nobody else's */
	leave_chores = true;
	leased_revoke(r);
}

static enum status call_lease(struct revoker *r, struct call *call)
{
	struct revoker_lease_params_reader params = {call->params};
	struct object *target, *end;
	struct lease *l;
	uint32_t index;

	if (revoker_lease_params_get_object(params, &index) || index >= call->caps_count)
		return STATUS_NO_CAP;
	target = call->caps[index];
	end = object_resolve(target);
	if (!end)
		return STATUS_GONE;
	if (end == &r->object) /* its leases would never be without it */
		return call_refuse(call, STATUS_INVALID, "a revoker cannot lease itself");
	if (depth_of(target) == LEASE_DEPTH)
		return call_refuse(call, STATUS_INVALID, "too many leases of leases");
	l = block_alloc(call->domain->ledger, sizeof(*l));
	if (!l)
		return STATUS_NO_MEMORY;
	object_hold(target);
	lease_init(l, r, r->epoch, target, call->domain->ledger);
	revoker_lease_results_set_lease(revoker_lease_results_build(&call->results),
	                                call_answer_cap(call, &l->object));
	return STATUS_OK;
}

static enum status revoker_call(struct object *o, struct call *call)
{
	struct revoker *r = (struct revoker *)o;

	switch (call->method) {
	case REVOKER_LEASE:
		return call_lease(r, call);
	case REVOKER_REVOKE:
		revoke(r);
		return STATUS_OK;
	default:
		return STATUS_NO_METHOD;
	}
}

/* Nobody can revoke any more, so it is done now. */
static void revoker_destroy(struct object *o)
{
	struct revoker *r = (struct revoker *)o;

	revoke(r);
	r->users++;
	leave_revoker(r);
}

const struct object_type revoker_type = {
	.name = "revoker",
	.interface = REVOKER_ID,
	.call = revoker_call,
	.destroy = revoker_destroy,
};

struct object *revoker_create(struct ledger *ledger)
{
	struct revoker *r = block_alloc(ledger, sizeof(*r));

	if (!r)
		return NULL;
	object_init(&r->object, &revoker_type);
	r->ledger = ledger;
	link_init(&r->live);
	link_init(&r->mappings);
	return &r->object;
}
