/* transfer.c: see transfer.h. */
#include "kernel/transfer.h"

static bool is_moved(const struct transfer *x, unsigned i)
{
	return x->moved >> i & 1;
}

static enum status take_one(struct transfer *x, unsigned i, uint32_t id)
{
	struct captable_move *cap = &x->caps[i];
	const struct capslot *slot;

	if (is_moved(x, i))
		return captable_reserve(&x->from->table, id, cap);
	if (!captable_lookup(&x->from->table, id))
		return STATUS_NO_CAP;
	slot = captable_slot(&x->from->table, id);
	*cap = (struct captable_move){id, slot->epoch, slot->object};
	object_hold(cap->object);
	return STATUS_OK;
}

enum status transfer_take(struct transfer *x, struct domain *from, const uint32_t *ids,
                          unsigned count, unsigned moved)
{
	if (count > RING_CAPS || moved >> count)
		return STATUS_INVALID;
	*x = (struct transfer){.from = from, .moved = (uint8_t)moved};
	domain_hold(from);
	for (; x->count < count; x->count++) {
		enum status status = take_one(x, x->count, ids[x->count]);

		if (status) {
			transfer_undo(x);
			return status;
		}
	}
	return STATUS_OK;
}

/* The reference that the sender's slot, or take, had is the new slot's. */
enum status transfer_give(struct transfer *x, struct domain *to, uint32_t *ids)
{
	enum status status = domain_reserve(to, x->count);

	if (status)
		return status;
	for (unsigned i = 0; i < x->count; i++) {
		struct captable_move *cap = &x->caps[i];

		if (is_moved(x, i)) {
			struct object *o = captable_commit(&x->from->table, cap);

			KASSERT(o == cap->object);
		}
		status = captable_insert_at(&to->table, cap->object, cap->epoch, &ids[i]);
		KASSERT(!status);
	}
	domain_drop(x->from);
	return STATUS_OK;
}

void transfer_finish(struct transfer *x)
{
	for (unsigned i = 0; i < x->count; i++)
		object_drop(is_moved(x, i) ? captable_commit(&x->from->table, &x->caps[i]) :
		                             x->caps[i].object);
	domain_drop(x->from);
}

void transfer_undo(struct transfer *x)
{
	for (unsigned i = 0; i < x->count; i++) {
		if (is_moved(x, i))
			captable_restore(&x->from->table, &x->caps[i]);
		else
			object_drop(x->caps[i].object);
	}
	domain_drop(x->from);
}
