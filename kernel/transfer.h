/* transfer.h: capabilities that travel beside a message.
 *
 * take finds them in the sender's table and keeps them: a copied one by a
 * reference, a moved one by reserving its slot. Then either give puts all of
 * them into the receiver's table, or undo leaves the sender with what it had.
 * Between the two anything may die: no capability is lost, doubled or half
 * there (transfer.pml is the model). One that is revoked on the way arrives dead. */
#pragma once

#include "kernel/domain.h"
#include "kernel/object.h"

struct transfer {
	struct domain *from; /* held */
	uint8_t count;
	uint8_t moved; /* bit i: caps[i] is moved */
	struct captable_move caps[RING_CAPS];
};

/* All or nothing. NO_CAP: one of the ids is not live; INVALID: more than RING_CAPS. */
enum status transfer_take(struct transfer *x, struct domain *from, const uint32_t *ids,
                          unsigned count, unsigned moved) MUST_CHECK;

/* Into `to`, all or nothing: NO_MEMORY or NO_SLOT leave it as taken. */
enum status transfer_give(struct transfer *x, struct domain *to, uint32_t *ids) MUST_CHECK;

/* The receiver was the exokernel, which has taken what references it wanted. */
void transfer_finish(struct transfer *x);

void transfer_undo(struct transfer *x);
