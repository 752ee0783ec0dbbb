/* play.h: the table of operations, and the actor that draws from it. Before it goes
 * brood.h, for a native program, or no_brood.h, for a module. */
#pragma once

#include "test/boot/chaos/ops_ipc.h"
#include "test/boot/chaos/ops_life.h"
#include "test/boot/chaos/ops_memory.h"

enum {
	TAKEN = 0xff,  /* gives: `done` takes the capability */
	BATCH = 6,
	CROWDED = SLOTS - 4, /* so many are awaited that some are cancelled */
	SPOILED_ONE_IN = 10,
	FAULT_ONE_IN = 60000,
	EXIT_ONE_IN = 20000,
	BESIDE_ONE_IN = 20,
};

/* Those without `make` have no params: method `plain` of what they are called on. */
static const struct {
	struct op op;
	uint16_t plain;
} table[] = {
#define PLAIN(weight, kind, METHOD, ...) \
	{ { #METHOD, weight, kind, { __VA_ARGS__ }, NULL, NULL }, METHOD }
#define OP(weight, kind, make, done, ...) \
	{ { #make, weight, kind, { __VA_ARGS__ }, make, done }, 0 }
	/* the ring */
	OP(2, K_NONE, op_nop, NULL, 0),
	OP(30, K_NONE, op_release, NULL, 0),
	OP(6, K_NONE, op_cancel, NULL, 0),
	OP(4, K_NONE, op_post, NULL, 0),
	OP(6, K_NONE, op_park, NULL, 0),
	OP(8, K_NONE, op_wake, NULL, 0),
	/* endpoints */
	OP(6, K_ENDPOINT, op_facet, NULL, K_FACET),
	PLAIN(2, K_ENDPOINT, ENDPOINT_INFO, 0),
	OP(30, K_FACET, op_ask, NULL, 0),
	OP(6, K_CANARY, op_ask_canary, canary_answered, 0),
	OP(14, K_ENDPOINT, op_recv, NULL, 0),
	OP(24, K_NONE, op_return, NULL, 0),
	OP(24, K_ENDPOINT, op_serve, NULL, 0),
	/* notifications */
	OP(6, K_NOTIFICATION, op_signal, NULL, 0),
	OP(4, K_SIGNALLER, op_signal_by, NULL, 0),
	OP(4, K_NOTIFICATION, op_wait_bits, NULL, 0),
	OP(3, K_NOTIFICATION, op_poll, NULL, 0),
	OP(3, K_NOTIFICATION, op_bind_bits, bound_bits, 0),
	OP(2, K_NOTIFICATION, op_unbind_bits, unbound_bits, 0),
	PLAIN(2, K_NOTIFICATION, NOTIFICATION_SIGNALLER, K_SIGNALLER),
	/* ledgers */
	PLAIN(2, K_LEDGER, LEDGER_QUERY, 0),
	OP(3, K_LEDGER, op_ledger_child, ledger_born, K_LEDGER),
	OP(2, K_LEDGER, op_ledger_donate, NULL, 0),
	OP(2, K_LEDGER, op_ledger_reclaim, NULL, 0),
	PLAIN(2, K_LEDGER, LEDGER_MEMORY, K_POOL),
	PLAIN(3, K_LEDGER, LEDGER_ENDPOINT, K_ENDPOINT),
	PLAIN(3, K_LEDGER, LEDGER_NOTIFICATION, K_NOTIFICATION),
	PLAIN(3, K_LEDGER, LEDGER_REVOKER, K_REVOKER),
	PLAIN(2, K_LEDGER, LEDGER_PARK_SPACE, K_PARKSPACE),
	PLAIN(1, K_LEDGER, LEDGER_SPENDER, K_LEDGER),
	PLAIN(1, K_LEDGER, LEDGER_END, 0),
	/* memory */
	OP(8, K_POOL, op_allocate, NULL, K_MEMORY),
	PLAIN(1, K_POOL, MEMORY_POOL_AVAILABLE, 0),
	PLAIN(1, K_MEMORY, MEMORY_OBJECT_SIZE, 0),
	OP(4, K_MEMORY, op_read, NULL, 0),
	OP(5, K_MEMORY, op_write, NULL, 0),
	OP(4, K_MEMORY, op_memory_child, NULL, K_MEMORY),
	OP(2, K_MEMORY, op_read_only, NULL, K_READONLY),
	OP(3, K_MEMORY, op_slice, NULL, K_MEMORY),
	OP(2, K_MEMORY, op_share_buffer, NULL, K_BUFFER),
	PLAIN(1, K_READONLY, READ_ONLY_MEMORY_SIZE, 0),
	OP(2, K_READONLY, op_read_readonly, NULL, 0),
	PLAIN(1, K_BUFFER, SHARED_BUFFER_SIZE, 0),
	OP(2, K_BUFFER, op_read_buffer, NULL, 0),
	OP(2, K_BUFFER, op_write_buffer, NULL, 0),
	/* address spaces */
	OP(10, K_SPACE, op_map, mapped, 0),
	OP(5, K_SPACE, op_fresh, mapped, 0),
	OP(4, K_SPACE, op_unmap, unmapped, 0),
	OP(4, K_SPACE, op_protect, NULL, 0),
	OP(5, K_SPACE, op_share, mapped, 0),
	OP(5, K_SPACE, op_resolve, NULL, 0),
	OP(2, K_SPACE, op_query_page, NULL, 0),
	OP(2, K_SPACE, op_reserve, reserved, 0),
	OP(1, K_SPACE, op_unreserve, NULL, 0),
	OP(2, K_SPACE, op_commit, mapped, 0),
	/* leases */
	OP(8, K_REVOKER, op_lease, NULL, 0),
	PLAIN(2, K_REVOKER, REVOKER_REVOKE, 0),
	/* threads */
	OP(4, K_THREAD, op_start, started, 0),
	PLAIN(3, K_THREAD, THREAD_INTERRUPT, 0),
	OP(1, K_THREAD, op_kill_thread, NULL, 0),
	OP(2, K_THREAD, op_thread_tls, NULL, 0),
	PLAIN(3, K_THREAD, THREAD_SUSPEND, 0),
	PLAIN(12, K_THREAD, THREAD_RESUME, 0),
	PLAIN(2, K_THREAD, THREAD_INFO, 0),
	OP(1, K_OWNTHREAD, op_own_tls, NULL, 0),
	OP(1, K_OWNTHREAD, op_poll_ring, NULL, 0),
	PLAIN(1, K_OWNTHREAD, THREAD_CONTROL_INFO, 0),
	OP(3, K_OWNTHREAD, op_own_thread, NULL, K_THREAD),
	OP(3, K_PROCESS, op_idle_thread, NULL, K_THREAD),
	OP(2, K_SELF, op_recruit, NULL, K_THREAD),
	/* processes */
	PLAIN(2, K_PROCESS, PROCESS_INFO, 0),
	OP(1, K_PROCESS, op_kill, NULL, 0),
	PLAIN(2, K_PROCESS, PROCESS_WAIT, 0),
	PLAIN(1, K_PROCESS, PROCESS_FAULT, 0),
	OP(2, K_PROCESS, op_grant, NULL, 0),
	PLAIN(2, K_PROCESS, PROCESS_HANDLE, K_HANDLE),
	PLAIN(1, K_HANDLE, PROCESS_HANDLE_INFO, 0),
	OP(1, K_HANDLE, op_kill_by_handle, NULL, 0),
	PLAIN(1, K_HANDLE, PROCESS_HANDLE_WAIT, 0),
	/* libOSes */
	OP(3, K_TABLE, op_load, NULL, K_LIBOS),
	PLAIN(1, K_TABLE, LIBOS_TABLE_LIST, 0),
	OP(3, K_LIBOS, op_libos_grant, NULL, 0),
	PLAIN(1, K_LIBOS, LIBOS_SPACE, K_SPACE),
	OP(2, K_LIBOS, op_libos_spawn, NULL, K_PROCESS, K_SPACE, K_THREAD),
	OP(1, K_LIBOS, op_libos_thread, NULL, K_THREAD),
	/* processor time */
	OP(3, K_CONTROL, op_create_context, NULL, K_CONTEXT),
	OP(1, K_CONTROL, op_child_control, NULL, K_CONTROL),
	PLAIN(1, K_CONTROL, SCHEDULING_CONTROL_INFO, 0),
	OP(3, K_CONTEXT, op_configure, NULL, 0),
	OP(4, K_CONTEXT, op_bind, bound_context, 0),
	OP(2, K_CONTEXT, op_unbind, unbound_context, 0),
	PLAIN(2, K_CONTEXT, SCHEDULING_CONTEXT_QUERY, 0),
	OP(2, K_CONTEXT, op_notify, NULL, 0),
	/* what else there is */
	OP(3, K_TIMER, op_now, told_time, 0),
	OP(3, K_TIMER, op_sleep, NULL, 0),
	PLAIN(1, K_TIMER, TIMER_SCALE, 0),
	OP(1, K_ENTROPY, op_entropy, NULL, 0),
	OP(2, K_INSPECTOR, op_look, NULL, 0),
	OP(2, K_MESSAGES, op_send, NULL, 0),
	PLAIN(2, K_MESSAGES, MESSAGE_BUFFER_RECEIVE, 0),
	PLAIN(1, K_MESSAGES, MESSAGE_BUFFER_WAITING, 0),
	BROOD_ROWS /* last: a module's table is the same up to here */
};
enum { OPS = sizeof table / sizeof table[0] };
_Static_assert((int)OPS <= (int)BOARD_OPS, "each has its row");

/* -- spoiling ---------------------------------------------------------------------------- */

static uint64_t bad_address(struct actor *a)
{
	static const uint64_t bad[] = {
		0, 0x1000, 0x7ffffffffff0, 0x00007ffffffff000, 0x0000800000000000,
		0xffff800000000000, 0xffffc00000000000, 0xffffffff80000000, 0xfffffffffffffff8,
	};

	return one_in(a, 2) ? bad[below(a, sizeof bad / sizeof bad[0])] : next(a) | UINT64_C(1) << 47;
}

static uint32_t any_cap(struct actor *a)
{
	const struct held *h = pick(a, 1 + (unsigned)below(a, K_BOARD - 1));

	return h && !one_in(a, 4) ? h->cap : (uint32_t)(next(a) & next(a));
}

/* Wrong in one way; whatever comes is right. */
static void spoil(struct actor *a, struct request *q)
{
	struct ring_sqe *e = &q->e;

	switch (below(a, 10)) {
	case 0:
		e->cap = any_cap(a);
		break;
	case 1:
		e->method = (uint16_t)below(a, 12);
		break;
	case 2:
		e->caps_how = (uint8_t)next(a);
		break;
	case 3:
		e->caps[below(a, RING_CAPS)] = any_cap(a);
		break;
	case 4:
		e->params = bad_address(a);
		break;
	case 5:
		e->results = bad_address(a);
		break;
	case 6:
		e->params_size = (uint32_t)(next(a) >> below(a, 64));
		break;
	case 7:
		e->results_size = (uint32_t)below(a, 64);
		break;
	case 8:
		e->op = (uint8_t)below(a, RING_OP_COUNT + 2);
		break;
	default:
		q->slot->params[below(a, PARAMS_WORDS)] ^= next(a) & next(a) & next(a);
	}
}

/* -- a step -------------------------------------------------------------------------------- */

static unsigned draw(struct actor *a)
{
	static uint32_t weights; /* of all; the same for every thread */
	uint32_t sum = weights, at;
	unsigned i;

	if (!sum) {
		for (i = 0; i < OPS; i++)
			sum += table[i].op.weight;
		weights = sum;
	}
	at = (uint32_t)below(a, sum);
	for (i = 0; at >= table[i].op.weight; i++)
		at -= table[i].op.weight;
	return i;
}

static struct slot *free_slot(struct actor *a)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!a->slots[i].busy)
			return &a->slots[i];
	return NULL;
}

static bool make(struct actor *a, struct request *q, unsigned i)
{
	const struct op *op = &table[i].op;
	struct slot *slot = q->slot;

	slot->op = (uint8_t)i;
	slot->used_count = 0;
	slot->info = 0;
	slot->brood = 0;
	slot->note = 0;
	for (unsigned n = 0; n < RING_CAPS; n++)
		slot->gives[n] = op->gives[n];
	q->e = (struct ring_sqe){
		.results = (uintptr_t)slot->results, .results_size = sizeof slot->results,
	};
	capnp_builder_start(&q->b, slot->params, sizeof slot->params);
	if (a->chain_kind && op->target != a->chain_kind)
		return false;
	if (!op->make)
		return call_on(a, q, op->target, table[i].plain);
	return op->make(a, q);
}

static void push(struct actor *a, struct request *q)
{
	struct slot *slot = q->slot;
	struct ring_sqe *to = ring_next(a->ring);

	slot->busy = true;
	a->busy++;
	slot->user_data = (uint64_t)++a->serial << 8 | (uint64_t)(slot - a->slots);
	q->e.user_data = slot->user_data;
	for (unsigned i = 0; i < slot->used_count; i++)
		if (slot->used[i].moved)
			forget(a, slot->used[i].kind, slot->used[i].held.cap);
	*to = q->e;
	ring_push(a->ring);
}

/* The next entry may be called on what this one brings. */
static void offer_chain(struct actor *a, const struct request *q)
{
	unsigned field = (unsigned)below(a, 3), kind = q->slot->gives[field];

	a->chain_kind = K_NONE;
	if (q->e.op != RING_CALL || !one_in(a, 8))
		return;
	if (table[q->slot->op].op.make == op_ask) {
		kind = some_kind(a);
		field = 0;
	}
	if (kind == TAKEN || kind >= K_TRAVEL)
		return;
	a->chain_kind = (uint8_t)kind;
	a->chain = RING_CHAIN(1, field);
}

static bool step(struct actor *a)
{
	struct request q = { .slot = free_slot(a) };
	bool made = false;

	if (q.slot == NULL)
		return false;
	for (unsigned tries = 0; tries < 200 && !made; tries++) {
		if (tries == 100)
			a->chain_kind = K_NONE;
		made = make(a, &q, draw(a));
	}
	if (!made)
		return false;
	if (q.e.op == RING_CALL || q.e.op == RING_RETURN || q.e.op == RING_SERVE) {
		if (q.b.status != STATUS_OK)
			chaos_failed("a message does not fit", a->random, q.slot->op, q.b.status, 0);
		q.e.params = (uintptr_t)q.slot->params;
		q.e.params_size = (uint32_t)capnp_builder_size(&q.b);
	}
	q.slot->meant = !q.e.chained;
	if (one_in(a, SPOILED_ONE_IN)) {
		spoil(a, &q);
		q.slot->meant = false;
		__atomic_fetch_add(&board->spoiled, 1, __ATOMIC_RELAXED);
	}
	q.slot->receives = (q.e.op == RING_RECV || q.e.op == RING_SERVE) &&
	                   q.e.results == (uintptr_t)q.slot->results &&
	                   q.e.results_size > sizeof(struct ring_received);
	push(a, &q);
	offer_chain(a, &q);
	return true;
}

static void cancel_oldest(struct actor *a)
{
	struct request q = { .slot = free_slot(a) };
	struct slot *oldest = NULL;

	for (unsigned i = 0; i < SLOTS; i++)
		if (a->slots[i].busy && (!oldest || a->slots[i].user_data < oldest->user_data))
			oldest = &a->slots[i];
	if (!oldest || !q.slot)
		return;
	*q.slot = (struct slot){ .meant = false };
	q.e = (struct ring_sqe){ .op = RING_CANCEL, .target = oldest->user_data };
	push(a, &q);
}

/* -- an answer ------------------------------------------------------------------------------- */

static void keep_answer(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	bool own = table[slot->op].op.make == op_ask;

	for (unsigned i = 0; i < slot->used_count && !slot->meant; i++)
		if (slot->used[i].moved)
			throw_away(a, slot->used[i].held.cap); /* or it was not */
	if (own) {
		keep_sent(a, slot->results, cqe, cqe->results_size);
		return;
	}
	for (unsigned i = 0; i < RING_CAPS; i++) {
		unsigned kind = slot->meant ? slot->gives[i] : K_NONE;

		if (kind != TAKEN && kind != K_NONE && cqe->caps[i] == 0)
			chaos_failed("a capability did not come", a->random, slot->op, 0, i);
		if (kind != TAKEN && cqe->caps[i])
			keep(a, kind, (struct held){ .cap = cqe->caps[i], .info = slot->info });
	}
}

static void received(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	const struct ring_received *r = (const struct ring_received *)slot->results;

	if (r->token && a->token_count < RING_SERVED)
		a->tokens[a->token_count++] = r->token;
	keep_sent(a, slot->results + HEADER_WORDS, cqe,
	          cqe->results_size - (uint32_t)sizeof(struct ring_received));
}

/* What it named may be gone: then it is not named again. */
static void refused(struct actor *a, struct slot *slot, enum status status)
{
	for (unsigned i = 0; i < slot->used_count; i++) {
		struct used *u = &slot->used[i];

		if (u->kind >= K_BOARD)
			continue;
		if (status == STATUS_NO_CAP || status == STATUS_GONE) {
			if (!slot->meant)
				continue;
			if (!u->moved)
				forget(a, u->kind, u->held.cap);
			if (!u->held.fixed)
				throw_away(a, u->held.cap);
		} else if (u->moved) {
			keep(a, u->kind, u->held);
		}
	}
}

static void tally(const struct slot *slot, uint32_t status)
{
	volatile struct board *b = board;

	__atomic_fetch_add(&b->op[slot->op].asked, 1, __ATOMIC_RELAXED);
	if (status == STATUS_OK || (table[slot->op].op.make == op_park && status == STATUS_TIMEOUT))
		__atomic_fetch_add(&b->op[slot->op].ok, 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&b->status[slot->op][status], 1, __ATOMIC_RELAXED);
}

/* A call whose answer was refused is still to be answered. */
static void keep_token(struct actor *a, const struct slot *slot, enum status status)
{
	bool (*make)(struct actor *, struct request *) = table[slot->op].op.make;

	if ((make == op_return || make == op_serve) && slot->note && status != STATUS_GONE &&
	    status != STATUS_NOT_FOUND && a->token_count < RING_SERVED)
		a->tokens[a->token_count++] = slot->note;
}

static void answered(struct actor *a, const struct ring_cqe *cqe)
{
	struct slot *slot = &a->slots[cqe->user_data & 0xff];

	if (cqe->flags & RING_POSTED)
		return;
	if ((cqe->user_data & 0xff) >= SLOTS || !slot->busy || slot->user_data != cqe->user_data ||
	    cqe->status >= STATUS_COUNT || cqe->results_size > sizeof slot->results) {
		if ((cqe->user_data & 0xff) >= SLOTS || !slot->busy || slot->meant)
			chaos_failed("a completion that nobody asked for", a->random, slot->op,
			             cqe->status, cqe->user_data);
		return;
	}
	slot->busy = false;
	a->busy--;
	if (slot->meant && cqe->status != STATUS_CANCELLED)
		tally(slot, cqe->status);
	if (cqe->status != STATUS_OK) {
		if (cqe->caps[0] | cqe->caps[1] | cqe->caps[2] | cqe->caps[3])
			chaos_failed("refused, and capabilities came", a->random, slot->op,
			             cqe->status, cqe->user_data);
		refused(a, slot, (enum status)cqe->status);
		keep_token(a, slot, (enum status)cqe->status);
	} else if (slot->receives) {
		received(a, slot, cqe);
	} else {
		if (table[slot->op].op.done && slot->meant)
			table[slot->op].op.done(a, slot, cqe);
		keep_answer(a, slot, cqe);
	}
	brood_answered(a, slot, (enum status)cqe->status);
}

/* Copied before its place is given back: others post to the ring, and the exokernel
 * may look at it meanwhile. */
static void take_answers(struct actor *a)
{
	const struct ring_cqe *done;

	while ((done = ring_first(a->ring)) != NULL) {
		struct ring_cqe cqe = *done;

		ring_consume(a->ring);
		answered(a, &cqe);
	}
}

/* -- for ever ---------------------------------------------------------------------------------- */

static void enter(struct actor *a)
{
	uint64_t least = one_in(a, 3) ? 0 : below(a, 4);
	uint64_t timeout = one_in(a, 3) ? 0 : below(a, one_in(a, 20) ? 3000000 : 100000);
	uint64_t rax = SYS_CAP_ENTER;

	if (one_in(a, 200))
		least = next(a) >> below(a, 64), timeout = below(a, 1000000);
	if (a->module || one_in(a, 2))
		__asm__ volatile("syscall" : "+a"(rax), "+D"(least), "+S"(timeout) :
		                 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
	else
		__asm__ volatile("int $0x90" : "+a"(rax), "+D"(least), "+S"(timeout) :
		                 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
}

static void batch(struct actor *a)
{
	unsigned count = 1 + (unsigned)below(a, BATCH), made = 0;

	a->chain_kind = K_NONE;
	while (made < count && a->busy < SLOTS - 1 && step(a))
		made++;
	a->chain_kind = K_NONE;
	for (unsigned i = 0; i < 3 && a->busy > CROWDED && a->busy < SLOTS; i++)
		cancel_oldest(a);
	__atomic_fetch_add(&board->steps, made, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->cell[a->cell], made + 1, __ATOMIC_RELAXED);
	enter(a);
	take_answers(a);
}

_Noreturn static void play(struct actor *a)
{
	learn_capset(a);
	for (;;) {
		batch(a);
		if (one_in(a, EXIT_ONE_IN))
			ring_exit((int32_t)next(a));
		if (one_in(a, FAULT_ONE_IN))
			*(volatile uint64_t *)bad_address(a) = 1;
		if (a->beside && one_in(a, BESIDE_ONE_IN))
			a->beside(a);
	}
}
