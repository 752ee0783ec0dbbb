/* fast_ask.h: one who asks, and is not easily put off; and this program as his server. */
#pragma once

#include "test/boot/native/fast.h"

enum { BELL = 5, PARKED = 999, CANCEL = 998, BESIDE = 1, SECOND = 2 };

static volatile uint32_t posted, roused[STATUS_COUNT]; /* by what was no answer */

static void park_for(struct ring *ring, uint64_t nanoseconds)
{
	static uint32_t word;
	struct ring_sqe *e = entry(ring, RING_PARK, 0);

	e->user_data = PARKED;
	e->word = (uintptr_t)&word;
	e->timeout = nanoseconds;
	ring_push(ring);
}

/* Takes the second of the thread's own records for long; the first is free again. */
static void wait_beside(struct ring *ring)
{
	park_for(ring, MS);
	park_for(ring, LONG);
	(void)!ring_enter(1, RING_FOREVER);
	(void)ring_done(ring);
}

/* Takes all that are free: what is free was not somebody's. */
static void take_records(struct ring *ring)
{
	for (unsigned i = 0; i < 3; i++)
		park_for(ring, MS);
	(void)!ring_enter(3, RING_FOREVER);
	while (ring_done(ring))
		;
}

static void cancel_call(struct ring *ring, uint64_t user_data)
{
	struct ring_sqe *e = entry(ring, RING_CANCEL, 0);

	e->user_data = CANCEL;
	e->target = user_data;
	ring_push(ring);
}

/* Asks once, and looks at whatever comes before the answer. `hold` BESIDE: it waits for
 * something else, too; SECOND: by the second of its records, the first being free. */
_Noreturn static void ask_stubbornly(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_sqe *e;
	uint64_t timeout = a->timeout ? a->timeout : RING_FOREVER;
	const struct ring_cqe *cqe;

	if (a->hold == BESIDE)
		wait_beside(ring);
	if (a->hold == SECOND)
		park_for(ring, MS);
	e = entry(ring, RING_CALL, a->facet);
	e->interface = INTERFACE;
	e->user_data = which + 1;
	e->params = (uintptr_t)ring->area;
	e->params_size = 32;
	e->results = (uintptr_t)(ring->area + 512);
	e->results_size = 64;
	ring_push(ring);
	for (;;) {
		enum status status = ring_enter(1, timeout);

		timeout = RING_FOREVER;
		if (status != STATUS_OK && a->cancels)
			cancel_call(ring, which + 1);
		else if (status != STATUS_OK)
			park_for(ring, MS); /* by a record beside the call's */
		if (status != STATUS_OK)
			roused[status]++;
		while ((cqe = ring_done(ring)) != NULL) {
			if (cqe->flags & RING_POSTED || cqe->user_data == PARKED) {
				posted += cqe->user_data != PARKED;
				continue;
			}
			if (cqe->user_data == CANCEL)
				continue;
			a->status = (enum status)cqe->status;
			a->who[0] = cqe->user_data;
			a->answers++;
		}
		if (a->answers && a->hold == BESIDE)
			cancel_call(ring, which + 1);
		if (a->answers) /* a second one would be seen */
			(void)!ring_enter(1, 20 * MS);
		if (a->answers)
			break;
	}
	while ((cqe = ring_done(ring)) != NULL)
		a->answers += cqe->user_data != PARKED && cqe->user_data != CANCEL;
	if (a->hold == BESIDE)
		take_records(ring);
	a->served = 1;
	ring_exit(0);
}

/* One that has `budget` ns, and no more. */
static inline void start_asker_with(unsigned i, void (*role)(uint64_t, struct ring *),
                                    uint32_t facet, uint64_t budget)
{
	struct worker *w = act(i, role);

	actors[i].facet = facet;
	OK(create_context(control, budget, 0, 31, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
}

static inline void start_asker(unsigned i, uint32_t facet)
{
	start_asker_with(i, ask_stubbornly, facet, SCHEDULING_INFINITE);
}

static uint64_t token;

/* We are the server: receives the next call, the fast way if we wait first. */
static enum status receive(uint32_t endpoint, enum ring_op op, uint64_t answered)
{
	struct ring_sqe *e = entry(self->ring, op, endpoint);
	struct ring_received *in = (struct ring_received *)(self->ring->area + 1024);
	enum status status;

	e->token = answered;
	e->results = (uintptr_t)in;
	e->results_size = 512;
	e->params = (uintptr_t)self->ring->area;
	e->params_size = op == RING_SERVE && answered ? 16 : 0;
	ring_push(self->ring);
	(void)!ring_enter(1, RING_FOREVER);
	status = take(self->ring);
	token = status == STATUS_OK ? in->token : 0;
	return status;
}

static enum status give_back(uint64_t to)
{
	struct ring_sqe *e = entry(self->ring, RING_RETURN, 0);

	e->token = to;
	ring_push(self->ring);
	(void)!ring_enter(1, RING_FOREVER);
	return take(self->ring);
}

/* Something comes to its ring that it did not ask for. */
static void post_to(uint32_t thread)
{
	struct ring_sqe *e = entry(self->ring, RING_POST, thread);

	e->target = 5;
	ring_push(self->ring);
	(void)!ring_enter(1, RING_FOREVER);
	OK(take(self->ring));
}
