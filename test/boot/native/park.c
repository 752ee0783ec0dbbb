/* park.c: who meets whom in PARK and WAKE: threads that wait for the same word,
 * however it is mapped and whatever is copied meanwhile, and name the same
 * ParkSpace; nobody else. One thread is enough: an entry that waits does not keep
 * it from going on. Every step runs twice, and must give back every page. */
#include "test/boot/native/memory_space.h"
#include "test/boot/native/revoker.h"

enum { MANY = 20, STILL = 1000 };

static uint32_t waiting; /* PARKs that have no completion yet */

static uint32_t park_space(void)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_PARK_SPACE);
	OK(native_send(&call));
	return call.caps[0];
}

static struct ring_sqe *entry(enum ring_op op, uintptr_t word, uint32_t expected, uint32_t cap)
{
	struct ring_sqe *e = ring_next(self->ring);
	e->op = (uint8_t)op;
	e->caps_how = 0;
	e->cap = cap;
	e->user_data = (uint64_t)op << 32;
	e->word = word;
	e->expected = expected;
	return e;
}

/* The entry that was just made: its completion, if it has one now. What it woke
 * comes first. */
static struct ring_cqe answer(void)
{
	struct ring_cqe own = { .status = STILL };
	const struct ring_cqe *done;
	ring_push(self->ring);
	(void)!ring_enter(0, 0);
	while ((done = ring_done(self->ring)) != NULL) {
		if (done->user_data >> 32 == RING_PARK && done->status == STATUS_OK)
			waiting--;
		else
			own = *done;
	}
	return own;
}

/* STILL: it waits. */
static uint32_t park_in(uint32_t cap, uintptr_t word, uint32_t expected, uint64_t timeout)
{
	entry(RING_PARK, word, expected, cap)->timeout = timeout;
	struct ring_cqe own = answer();
	waiting += own.status == STILL;
	return own.status;
}

static void parks(uint32_t cap, uintptr_t word)
{
	CHECK(&check, park_in(cap, word, 0, RING_FOREVER) == STILL);
}

/* How many it woke, or 100 + status. */
static uint32_t wake_in(uint32_t cap, uintptr_t word, uint32_t most)
{
	uint32_t before = waiting;
	(void)entry(RING_WAKE, word, most, cap);
	struct ring_cqe own = answer();
	if (own.status != STATUS_OK)
		return 100 + own.status;
	CHECK(&check, before - waiting == own.results_size);
	return own.results_size;
}

static void a_word_is_met_at_its_address(void)
{
	OK(fresh(AT, 2, RW));
	parks(0, AT + 8);
	CHECK(&check, wake_in(0, AT + 4, 5) == 0 && wake_in(0, AT + 12, 5) == 0);
	CHECK(&check, wake_in(0, PAGE(1) + 8, 5) == 0);
	CHECK(&check, wake_in(0, AT + 8, 0) == 0);
	CHECK(&check, wake_in(0, AT + 8, 5) == 1 && wake_in(0, AT + 8, 5) == 0);
	for (unsigned i = 0; i < MANY; i++)
		parks(0, i % 2 ? AT : PAGE(1));
	CHECK(&check, wake_in(0, AT, 3) == 3);
	CHECK(&check, wake_in(0, PAGE(1), ~0u) == MANY / 2);
	CHECK(&check, wake_in(0, AT, ~0u) == MANY / 2 - 3);
	CHECK(&check, waiting == 0);
	OK(unmap(AT, 2));
}

static void the_oldest_comes_first(void)
{
	static uint64_t order[3];
	const struct ring_cqe *done;
	unsigned count = 0;
	OK(fresh(AT, 1, RW));
	for (unsigned i = 0; i < 3; i++) {
		struct ring_sqe *e = entry(RING_PARK, AT, 0, 0);
		e->timeout = RING_FOREVER;
		e->user_data = 10 + i;
		ring_push(self->ring);
		(void)!ring_enter(0, 0);
	}
	(void)entry(RING_WAKE, AT, 2, 0);
	ring_push(self->ring);
	(void)entry(RING_WAKE, AT, 2, 0);
	ring_push(self->ring);
	(void)!ring_enter(0, 0);
	while ((done = ring_done(self->ring)) != NULL)
		if (done->user_data >> 32 == 0 && count < 3)
			order[count++] = done->user_data;
	CHECK(&check, count == 3 && order[0] == 10 && order[1] == 11 && order[2] == 12);
	OK(unmap(AT, 1));
}

/* What was once missed: the frame changes under the waiter. */
static void a_private_word_is_met_after_its_page_was_copied(void)
{
	spawn();
	for (unsigned again = 0; again < 2; again++) {
		OK(fresh(AT, 1, RW));
		parks(0, AT);
		OK(native_share(self, other.space, here, AT, 1));
		if (again) {
			OK(resolve(AT));
			WORD(AT) = 1;
			CHECK(&check, wake_in(0, AT, 5) == 1);
		} else { /* and parked on a page that is copied afterwards */
			parks(0, AT);
			OK(resolve(AT));
			parks(0, AT);
			CHECK(&check, wake_in(0, AT, 5) == 3);
		}
		OK(unmap(AT, 1));
		OK(native_unmap(self, other.space, (void *)AT, 1));
	}
	release_other();
}

static void a_shared_word_is_met_wherever_it_is_mapped(void)
{
	uint32_t object = allocate(2);
	OK(map(object, 1, AT, 1, RW));
	OK(map(object, 0, PAGE(1), 2, ACCESS_READ));
	parks(0, AT + 16);
	CHECK(&check, wake_in(0, PAGE(1) + 16, 5) == 0);
	CHECK(&check, wake_in(0, PAGE(2) + 16, 5) == 1);
	parks(0, PAGE(2));
	CHECK(&check, wake_in(0, AT, 5) == 1);
	/* Private views of it are words of their own. */
	OK(map(object, 1, PAGE(3), 1, RW | ACCESS_PRIVATE));
	OK(map(object, 1, PAGE(4), 1, RW | ACCESS_PRIVATE));
	parks(0, PAGE(3));
	CHECK(&check, wake_in(0, PAGE(4), 5) == 0 && wake_in(0, AT, 5) == 0);
	CHECK(&check, wake_in(0, PAGE(3), 5) == 1);
	OK(unmap(AT, 5));
	release(object);
}

/* Nobody else's word may come to stand where somebody waits. */
static void a_waiter_holds_a_shared_frame(void)
{
	uint32_t object = allocate(1);
	OK(map(object, 0, AT, 1, RW));
	WORD(AT) = 0;
	parks(0, AT);
	OK(unmap(AT, 1));
	release(object);
	uint32_t others[MANY];
	for (unsigned i = 0; i < MANY; i++) {
		others[i] = allocate(1);
		OK(map(others[i], 0, AT, 1, RW));
		CHECK(&check, wake_in(0, AT, 5) == 0);
	}
	OK(unmap(AT, 1));
	for (unsigned i = 0; i < MANY; i++)
		release(others[i]);
	/* CANCEL is the way out. */
	struct ring_sqe *e = entry(RING_CANCEL, 0, 0, 0);
	e->target = (uint64_t)RING_PARK << 32;
	e->user_data = 1;
	ring_push(self->ring);
	(void)!ring_enter(0, 0);
	unsigned cancelled = 0;
	for (const struct ring_cqe *done; (done = ring_done(self->ring)) != NULL;)
		cancelled += done->status == STATUS_CANCELLED;
	CHECK(&check, cancelled == 1);
	waiting--;
}

static void park_spaces_keep_apart(void)
{
	uint32_t a = park_space(), b = park_space(), object = allocate(1);
	for (unsigned shared = 0; shared < 2; shared++) {
		if (shared)
			OK(map(object, 0, AT, 1, RW));
		else
			OK(fresh(AT, 1, RW));
		parks(a, AT);
		parks(0, AT);
		parks(b, AT);
		CHECK(&check, wake_in(a, AT, 5) == 1 && wake_in(a, AT, 5) == 0);
		CHECK(&check, wake_in(0, AT, 5) == 1 && wake_in(0, AT, 5) == 0);
		CHECK(&check, wake_in(b, AT, 5) == 1 && waiting == 0);
		OK(unmap(AT, 1));
	}
	release(a), release(b), release(object);
}

static void a_park_space_ends_after_its_waiters(void)
{
	uint32_t a = park_space();
	OK(fresh(AT, 1, RW));
	entry(RING_PARK, AT, 0, a)->timeout = 500 * NAP; /* later than all below */
	ring_push(self->ring);
	(void)!ring_enter(0, 0);
	release(a);
	uint32_t b = park_space(); /* perhaps in its place */
	(void)entry(RING_WAKE, AT, 5, b);
	ring_push(self->ring);
	unsigned timed_out = 0;
	for (unsigned got = 0; got < 2;) {
		const struct ring_cqe *done;
		(void)!ring_enter(1, RING_FOREVER);
		while ((done = ring_done(self->ring)) != NULL) {
			got++;
			timed_out += done->status == STATUS_TIMEOUT;
			CHECK(&check, done->results_size == 0);
		}
	}
	CHECK(&check, timed_out == 1);
	release(b);
	OK(unmap(AT, 1));
}

static void refusals(void)
{
	uint32_t revoker = revoker_new(), space = park_space();
	uint32_t lease = lease_of(revoker, space);
	struct native_call call;
	OK(fresh(AT, 1, RW));
	WORD(AT) = 1;
	CHECK(&check, park_in(0, AT, 0, RING_FOREVER) == STATUS_AGAIN);
	CHECK(&check, park_in(0, AT, 1, 0) == STATUS_TIMEOUT);
	CHECK(&check, park_in(0, AT + 2, 0, RING_FOREVER) == STATUS_INVALID);
	CHECK(&check, park_in(0, FAR_AT, 0, RING_FOREVER) == STATUS_FAULT);
	CHECK(&check, park_in(0, MODULE_CAPSET, 0, RING_FOREVER) == STATUS_FAULT);
	CHECK(&check, park_in(0, ~(uintptr_t)3, 0, RING_FOREVER) == STATUS_FAULT);
	CHECK(&check, park_in(pool, AT, 1, RING_FOREVER) == STATUS_NO_CAP);
	CHECK(&check, park_in(0xfffff, AT, 1, RING_FOREVER) == STATUS_NO_CAP);
	CHECK(&check, wake_in(0, AT + 1, 1) == 100 + STATUS_INVALID);
	CHECK(&check, wake_in(0, FAR_AT, 1) == 100 + STATUS_FAULT);
	CHECK(&check, wake_in(0, MODULE_CAPSET, 1) == 100 + STATUS_FAULT);
	CHECK(&check, wake_in(here, AT, 1) == 100 + STATUS_NO_CAP);
	OK(protect(AT, 1, 0));
	CHECK(&check, wake_in(0, AT, 1) == 100 + STATUS_FAULT); /* hidden from the program */
	OK(protect(AT, 1, RW));
	/* Through a lease it is the same ParkSpace, until it is not. */
	WORD(AT) = 0;
	parks(lease, AT);
	CHECK(&check, wake_in(space, AT, 1) == 1);
	parks(space, AT);
	CHECK(&check, wake_in(lease, AT, 1) == 1);
	parks(lease, AT);
	revoke(revoker);
	CHECK(&check, park_in(lease, AT, 0, RING_FOREVER) == STATUS_GONE);
	CHECK(&check, wake_in(lease, AT, 1) == 100 + STATUS_GONE);
	CHECK(&check, wake_in(space, AT, 1) == 1); /* it was accepted before */
	native_call(&call, self, space, PARK_SPACE_ID, 0);
	REFUSED(NO_METHOD, native_send(&call));
	OK(unmap(AT, 1));
	release(lease), release(space), release(revoker);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_word_is_met_at_its_address, the_oldest_comes_first,
		a_private_word_is_met_after_its_page_was_copied,
		a_shared_word_is_met_wherever_it_is_mapped, a_waiter_holds_a_shared_frame,
		park_spaces_keep_apart, a_park_space_ends_after_its_waiters, refusals,
	};
	start_with_control(given, "park");
	run(steps, sizeof steps / sizeof steps[0]);
}
