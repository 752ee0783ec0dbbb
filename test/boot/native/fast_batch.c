/* fast_batch.c: batches of CALLs and RELEASEs, as random as an attacker likes: what the
 * fast way does and answers is what the long way does and answers, completion by
 * completion and word by word of the area. */
#include "test/boot/native/sched.h"

enum { SCRIPTS = 1000, IDS = 10, COPIES = 4, LAST = 7, WORDS_OF_AREA = RING_AREA_SIZE / 8 };

#define PATTERN 0x5a5a5a5a5a5a5a5aull

static uint64_t seed;
static uint32_t ids[IDS], stale;

static uint64_t random(uint64_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * 0x2545f4914f6cdd1d >> 16) % below;
}

/* -- what is released -------------------------------------------------------------------- */

/* Copies of a capability that is held elsewhere too; some that are the last; and none. */
static void make_ids(void)
{
	for (unsigned i = 0; i < IDS; i++)
		ids[i] = i < COPIES ? own_thread() : i < LAST ? notification() : 0;
	ids[LAST] = stale;
	ids[LAST + 1] = 0xffffffff;
}

/* -- entries ------------------------------------------------------------------------------- */

static uint64_t some_address(const struct ring_sqe *e)
{
	uint64_t ring = (uintptr_t)self->ring, area = (uintptr_t)self->ring->area;

	switch (random(16)) {
	case 0: return area;
	case 1: return area + RING_AREA_SIZE - 24;
	case 2: return area + RING_AREA_SIZE - 40;
	case 3: return area + RING_AREA_SIZE - 32;
	case 4: return area + RING_AREA_SIZE - 23;
	case 5: return area + RING_AREA_SIZE - 16; /* out of the page */
	case 6: return ring + offsetof(struct ring, reserved); /* what is the exokernel's? */
	case 7: return ring - 8;
	case 8: return area + random(RING_AREA_SIZE - 40); /* not aligned, mostly */
	case 9: return -8ull;
	case 10: return area + (1ull << 63);
	case 11: return (uintptr_t)e; /* over what asks for them */
	default: return area + 8 * random(WORDS_OF_AREA - 5);
	}
}

static void fill_call(struct ring_sqe *e)
{
	static const uint32_t params[] = {0, 8, 16, 7 * 8, 4096, 12}, results[] = {24, 8, 23, 0, 32, 16};
	uint64_t area_end = (uintptr_t)self->ring->area + RING_AREA_SIZE;

	e->op = RING_CALL;
	e->cap = random(8) ? timer : ids[random(IDS)];
	e->interface = random(16) ? TIMER_ID : NOTIFICATION_ID;
	e->method = (uint16_t)(random(12) ? TIMER_NOW : random(8) ? 1000 : 0xffff);
	e->results_size = random(4) ? 24 + 8 * (random(4) ? 0 : (uint32_t)random(8)) : results[random(6)];
	e->results = some_address(e);
	/* Room that is not needed, and is not there, is for the long way to see only. */
	if (e->results + e->results_size > area_end && e->results <= area_end - 24)
		e->results_size = 24;
	if (random(2) == 0) {
		e->params_size = params[random(6)];
		e->params = (uintptr_t)self->ring->area + 8 * random(WORDS_OF_AREA - 5);
	}
	e->caps_how = random(24) ? 0 : (uint8_t)(1 << random(8));
	if (e->method == TIMER_NOW && e->params_size == 8)
		e->params_size = 0; /* what it is not to look at: it has no params */
	if (e->method != TIMER_NOW && e->method < 8)
		e->method = 1000;
}

static void fill(struct ring_sqe *e, uint64_t number)
{
	*e = (struct ring_sqe){ .user_data = number };
	switch (random(12)) {
	case 0:
		e->op = (uint8_t)(random(2) ? RING_NOP : RING_OP_COUNT);
		break;
	case 1:
	case 2:
		e->op = RING_RELEASE;
		e->cap = ids[random(IDS)];
		e->caps_how = (uint8_t)random(256);
		break;
	default:
		fill_call(e);
	}
}

/* Those at the front are most often RELEASEs: only there is it fast. */
static void fill_all(unsigned count)
{
	unsigned released = random(2) ? (unsigned)random(count + 1) : 0;

	for (unsigned i = 0; i < count; i++) {
		struct ring_sqe *e = ring_entry(self->ring, self->ring->sq_tail + i);

		fill(e, 100 + i);
		if (i < released)
			*e = (struct ring_sqe){ .op = RING_RELEASE, .user_data = 100 + i,
			                        .cap = ids[random(IDS)] };
	}
}

/* -- both ways ------------------------------------------------------------------------------ */

struct outcome {
	uint32_t done;
	struct ring_cqe cqes[2 * RING_CQ_ENTRIES];
	uint32_t came[3]; /* how many at each entering */
	uint64_t area[WORDS_OF_AREA];
	enum status left[IDS];
};

static struct outcome outcomes[2];

/* One completion more than there can be: that is not for the fast way. */
static void enter(bool slowly, uint32_t least)
{
	(void)!ring_enter(slowly ? least + 1 : least, slowly ? 1 : RING_FOREVER);
}

static void take_all(struct outcome *o, unsigned stage)
{
	const struct ring_cqe *cqe;

	o->came[stage] = ring_ready(self->ring);
	CHECK(&check, o->came[stage] <= RING_CQ_ENTRIES); /* none over another */
	for (; (cqe = ring_done(self->ring)) != NULL; o->done++)
		if (o->done < 2 * RING_CQ_ENTRIES)
			o->cqes[o->done] = *cqe;
}

/* Completions that nobody has taken yet. */
static void leave_completions(unsigned count)
{
	while (count > 0) {
		unsigned some = count < RING_SQ_ENTRIES ? count : RING_SQ_ENTRIES;

		for (unsigned i = 0; i < some; i++)
			*ring_entry(self->ring, self->ring->sq_tail + i) =
			        (struct ring_sqe){ .user_data = i };
		ring_push_all(self->ring, some);
		(void)!ring_enter(0, 0);
		count -= some;
	}
}

static void play(struct outcome *o, bool slowly, uint64_t script)
{
	struct ring *ring = self->ring;
	unsigned count, before;

	*o = (struct outcome){ .done = 0 };
	make_ids();
	seed = script * 0x9e3779b97f4a7c15 + 1;
	count = 1 + (unsigned)random(RING_SQ_ENTRIES);
	before = random(3) ? 0 : RING_CQ_ENTRIES - (unsigned)random(random(2) ? 4 : 32);
	if (before + count == RING_CQ_ENTRIES)
		before--; /* one more could not be asked for */
	leave_completions(before);
	fill_all(count);
	for (unsigned i = 0; i < WORDS_OF_AREA; i++)
		((uint64_t *)ring->area)[i] = PATTERN;
	ring_push_all(ring, count);
	enter(slowly, before + count < RING_CQ_ENTRIES ? before + count : 0);
	take_all(o, 0);
	enter(slowly, 0);
	take_all(o, 1);
	enter(slowly, 0);
	take_all(o, 2);
	/* Whatever time it is, it is not the pattern. */
	for (unsigned i = 0; i < WORDS_OF_AREA; i++) {
		uint64_t word = ((uint64_t *)ring->area)[i];

		o->area[i] = word == PATTERN || word == 0 || word == 2ull << 32 ? word : 1;
	}
	for (unsigned i = 0; i < LAST; i++)
		o->left[i] = ring_release(ring, ids[i]);
}

static bool same_cqe(const struct ring_cqe *a, const struct ring_cqe *b)
{
	return a->user_data == b->user_data && a->status == b->status && a->flags == b->flags &&
	       a->results_size == b->results_size && (a->caps[0] == 0) == (b->caps[0] == 0) &&
	       a->caps[1] == 0 && b->caps[1] == 0 && a->caps[2] == 0 && b->caps[3] == 0;
}

static bool same(const struct outcome *a, const struct outcome *b, uint64_t script)
{
	for (unsigned i = 0; i < a->done && i < b->done; i++) {
		const struct ring_cqe *x = &a->cqes[i], *y = &b->cqes[i];

		if (same_cqe(x, y))
			continue;
		native_print(self, "script %lu, completion %u: %lu %s %u %u; the long way %lu %s %u %u\n",
		             script, i, x->user_data, native_status(x->status), x->flags,
		             x->results_size, y->user_data, native_status(y->status), y->flags,
		             y->results_size);
		return false;
	}
	for (unsigned i = 0; i < WORDS_OF_AREA; i++)
		if (a->area[i] != b->area[i]) {
			native_print(self, "script %lu, word %u: %lx; the long way %lx\n", script, i,
			             a->area[i], b->area[i]);
			return false;
		}
	for (unsigned i = 0; i < LAST; i++)
		if (a->left[i] != b->left[i]) {
			native_print(self, "script %lu, id %u: %s; the long way %s\n", script, i,
			             native_status(a->left[i]), native_status(b->left[i]));
			return false;
		}
	return a->done == b->done && a->came[0] == b->came[0] && a->came[1] == b->came[1];
}

static void both_ways_are_one(void)
{
	for (uint64_t script = 0; script < SCRIPTS; script++) {
		play(&outcomes[0], false, script);
		play(&outcomes[1], true, script);
		if (!same(&outcomes[0], &outcomes[1], script)) {
			native_print(self, "script %lu: %u completions, %u %u; the long way %u, %u %u\n",
			             script, outcomes[0].done, outcomes[0].came[0],
			             outcomes[0].came[1], outcomes[1].done, outcomes[1].came[0],
			             outcomes[1].came[1]);
			check_failed(&check, "the two ways differ", __LINE__);
			return;
		}
	}
}

/* In place, and by a clock that nobody has read yet: the fast way cannot, and must have
 * left the params as they were. */
static void the_first_time(void)
{
	struct ring *ring = self->ring;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t *at = (uint64_t *)(ring->area + 64 * i);

		at[0] = 0;
		*ring_entry(ring, ring->sq_tail + i) = (struct ring_sqe){
			.op = RING_CALL, .cap = timer, .interface = TIMER_ID, .method = TIMER_NOW,
			.params = (uintptr_t)at, .params_size = 8,
			.results = (uintptr_t)at, .results_size = 24,
		};
	}
	ring_push_all(ring, 2);
	OK(ring_run(ring, 2));
	for (unsigned i = 0; i < 2; i++) {
		const struct ring_cqe *cqe = &ring->cq[ring->cq_head++ % RING_CQ_ENTRIES];

		OK((enum status)cqe->status);
		if (cqe->results_size != 24)
			native_print(self, "%u bytes\n", cqe->results_size);
		CHECK(&check, cqe->results_size == 24);
	}
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { both_ways_are_one };

	start_sched(given, "fast_batch");
	the_first_time();
	stale = notification();
	release(stale);
	run(steps, sizeof steps / sizeof steps[0]);
}
