/* ops_ipc.h: the ring's own operations; endpoints, notifications, leases. Who takes
 * part tells the others in each message what the capabilities beside it are:
 * word 0 holds their kinds, word 1 their pages, a byte each. */
#pragma once

#include "test/boot/chaos/ops_memory.h"

enum { PARK_WORDS = 8, RECEIVES = 10, HEADER_WORDS = sizeof(struct ring_received) / 8 };

static uint32_t words[PARK_WORDS]; /* that threads of this process park at */

/* -- messages between us ------------------------------------------------------------------ */

static void pack_message(struct actor *a, struct request *q, unsigned count)
{
	struct capnp_struct_builder root;
	uint64_t kinds = 0, infos = 0;

	capnp_builder_start(&q->b, q->slot->params, sizeof q->slot->params);
	root = capnp_init_root(&q->b, 2, RING_CAPS);
	for (unsigned i = 0; i < count; i++) {
		unsigned kind = some_kind(a);
		const struct held *h = pick(a, kind);

		if (kind == K_NONE)
			break;
		capnp_set_capability(&root, i, attach_held(q, kind, h, !h->fixed && one_in(a, 3)));
		kinds |= (uint64_t)kind << (8 * i);
		infos |= (uint64_t)h->info << (8 * i);
	}
	capnp_set_u64(root, 0, kinds);
	capnp_set_u64(root, 1, infos);
}

static void keep_sent(struct actor *a, const uint64_t *message, const struct ring_cqe *cqe,
                      uint32_t size)
{
	uint64_t kinds = size >= 24 ? message[1] : 0, infos = size >= 24 ? message[2] : 0;

	for (unsigned i = 0; i < RING_CAPS; i++) {
		unsigned kind = kinds >> (8 * i) & 0xff;
		uint8_t pages = infos >> (8 * i) & 0xff;

		if (cqe->caps[i])
			keep(a, kind < K_TRAVEL ? kind : K_NONE,
			     (struct held){ .cap = cqe->caps[i], .info = pages < 9 ? pages : 1 });
	}
}

/* -- calling and serving ------------------------------------------------------------------ */

static bool op_facet(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_ENDPOINT, ENDPOINT_FACET))
		return false;
	struct endpoint_facet_params_builder p = endpoint_facet_params_build(&q->b);
	endpoint_facet_params_set_interface(p, CHAOS_INTERFACE);
	endpoint_facet_params_set_badge(p, next(a));
	return true;
}

static bool op_ask(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_FACET, (uint16_t)next(a)))
		return false;
	pack_message(a, q, one_in(a, 2) ? (unsigned)below(a, RING_CAPS + 1) : 0);
	return true;
}

static bool op_ask_canary(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_CANARY, 0))
		return false;
	pack_message(a, q, one_in(a, 8) ? (unsigned)below(a, RING_CAPS + 1) : 0);
	q->slot->note = q->slot->params[2];
	return true;
}

static void canary_answered(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	if (slot->results[0] != chaos_mix(slot->note))
		chaos_failed("the canary's answer is wrong", a->random, slot->op, 0,
		             slot->results[0]);
}

/* Calls that were received or may be at any time. */
static unsigned receives(const struct actor *a)
{
	unsigned count = a->token_count;

	for (unsigned i = 0; i < SLOTS; i++)
		count += a->slots[i].busy && a->slots[i].receives;
	return count;
}

static bool op_recv(struct actor *a, struct request *q)
{
	if (receives(a) > RECEIVES || !target(a, q, K_ENDPOINT) || q->e.chained)
		return false;
	q->e.op = RING_RECV;
	return true;
}

static uint64_t some_token(struct actor *a)
{
	unsigned i = (unsigned)below(a, a->token_count);
	uint64_t token = a->tokens[i];

	a->tokens[i] = a->tokens[--a->token_count];
	return token;
}

static void pack_answer(struct actor *a, struct request *q)
{
	q->e.token = some_token(a);
	q->slot->note = q->e.token;
	if (one_in(a, 6))
		q->e.status = (uint16_t)below(a, STATUS_COUNT);
	pack_message(a, q, q->e.status ? 0 : (unsigned)below(a, RING_CAPS + 1));
}

static bool op_return(struct actor *a, struct request *q)
{
	if (!a->token_count)
		return false;
	q->e.op = RING_RETURN;
	pack_answer(a, q);
	return true;
}

static bool op_serve(struct actor *a, struct request *q)
{
	if (receives(a) > RECEIVES || !target(a, q, K_ENDPOINT) || q->e.chained)
		return false;
	q->e.op = RING_SERVE;
	if (a->token_count)
		pack_answer(a, q);
	return true;
}

/* -- the ring's own ------------------------------------------------------------------------ */

static bool op_nop(struct actor *a, struct request *q)
{
	(void)a;
	q->e.op = RING_NOP;
	return true;
}

static bool op_release(struct actor *a, struct request *q)
{
	unsigned kind = some_kind(a);
	const struct held *h = pick(a, kind);

	q->e.op = RING_RELEASE;
	if (a->garbage_count) {
		q->e.cap = a->garbage[--a->garbage_count];
		return true;
	}
	if (kind == K_NONE || h->fixed || a->count[kind] < KEPT / 2)
		return false;
	q->e.cap = h->cap;
	forget(a, kind, h->cap);
	return true;
}

static bool op_cancel(struct actor *a, struct request *q)
{
	unsigned i = (unsigned)below(a, SLOTS);

	q->e.op = RING_CANCEL;
	if (!a->slots[i].busy || &a->slots[i] == q->slot)
		return false;
	q->e.target = a->slots[i].user_data;
	return true;
}

static bool op_post(struct actor *a, struct request *q)
{
	if (one_in(a, 2) && (!target(a, q, K_THREAD) || q->e.chained))
		return false;
	q->e.op = RING_POST;
	q->e.target = next(a);
	q->e.expected = (uint32_t)next(a);
	return true;
}

static uint64_t some_word(struct actor *a)
{
	struct place *p = some_place(a);

	if (p && p->space == a->pool[K_HERE][0].cap && one_in(a, 3) && !a->module)
		return p->address + 4 * below(a, 8);
	return (uintptr_t)&words[below(a, PARK_WORDS)];
}

static bool op_park(struct actor *a, struct request *q)
{
	if (one_in(a, 4) && (!target(a, q, K_PARKSPACE) || q->e.chained))
		return false;
	q->e.op = RING_PARK;
	q->e.word = some_word(a);
	q->e.expected = one_in(a, 16);
	q->e.timeout = one_in(a, 4) ? RING_FOREVER : below(a, 1000000);
	return true;
}

static bool op_wake(struct actor *a, struct request *q)
{
	if (one_in(a, 4) && (!target(a, q, K_PARKSPACE) || q->e.chained))
		return false;
	q->e.op = RING_WAKE;
	q->e.word = some_word(a);
	q->e.expected = (uint32_t)below(a, 4);
	return true;
}

/* -- notifications -------------------------------------------------------------------------- */

/* All that take bits or a mask have the one word. */
static bool with_bits(struct actor *a, struct request *q, unsigned kind, uint16_t method)
{
	if (!call_on(a, q, kind, method))
		return false;
	notification_signal_params_set_bits(notification_signal_params_build(&q->b),
	                                    (next(a) & next(a)) | 1);
	return true;
}

static bool op_signal(struct actor *a, struct request *q)
{
	return with_bits(a, q, K_NOTIFICATION, NOTIFICATION_SIGNAL);
}

static bool op_signal_by(struct actor *a, struct request *q)
{
	return with_bits(a, q, K_SIGNALLER, SIGNALLER_SIGNAL);
}

static bool op_wait_bits(struct actor *a, struct request *q)
{
	return with_bits(a, q, K_NOTIFICATION, NOTIFICATION_WAIT);
}

static bool op_poll(struct actor *a, struct request *q)
{
	return with_bits(a, q, K_NOTIFICATION, NOTIFICATION_POLL);
}

static bool op_bind_bits(struct actor *a, struct request *q)
{
	if (!call_chosen(a, q, K_NOTIFICATION, NOTIFICATION_BIND,
	                 pick_with(a, K_NOTIFICATION, one_in(a, 16))))
		return false;
	notification_bind_params_set_user_data(notification_bind_params_build(&q->b), next(a));
	return true;
}

static void bound_bits(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	set_info(a, K_NOTIFICATION, slot->used[0].held.cap, 1);
}

static bool op_unbind_bits(struct actor *a, struct request *q)
{
	return call_chosen(a, q, K_NOTIFICATION, NOTIFICATION_UNBIND,
	                   pick_with(a, K_NOTIFICATION, !one_in(a, 16)));
}

static void unbound_bits(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	set_info(a, K_NOTIFICATION, slot->used[0].held.cap, 0);
}

/* -- leases ---------------------------------------------------------------------------------- */

static bool op_lease(struct actor *a, struct request *q)
{
	unsigned kind = some_kind(a);
	if (!call_on(a, q, K_REVOKER, REVOKER_LEASE) || kind == K_NONE || kind == K_REVOKER)
		return false;
	const struct held *h = pick(a, kind);
	revoker_lease_params_set_object(revoker_lease_params_build(&q->b),
	                                attach_held(q, kind, h, false));
	q->slot->gives[0] = (uint8_t)kind;
	q->slot->info = h->info;
	return true;
}

/* -- time, chance, messages, looking ----------------------------------------------------------- */

static bool op_now(struct actor *a, struct request *q)
{
	return call_on(a, q, K_TIMER, TIMER_NOW);
}

static void told_time(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)cqe;
	struct timer_now_results_reader r;

	if (timer_now_results_read(slot->results, 24, &r) == STATUS_OK)
		a->now = timer_now_results_get_monotonic(r);
}

static bool op_sleep(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_TIMER, TIMER_SLEEP))
		return false;
	timer_sleep_params_set_until(timer_sleep_params_build(&q->b),
	                             one_in(a, 4) ? next(a) : a->now + below(a, 2000000));
	return true;
}

static bool op_entropy(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_ENTROPY, ENTROPY_READ))
		return false;
	entropy_read_params_set_count(entropy_read_params_build(&q->b), (uint32_t)below(a, 500));
	return true;
}

static bool op_look(struct actor *a, struct request *q)
{
	if (!call_on(a, q, K_INSPECTOR, (uint16_t)below(a, 5)))
		return false;
	inspector_page_params_set_address(inspector_page_params_build(&q->b),
	                                  q->e.method == INSPECTOR_PAGE ? some_address(a)
	                                                                : below(a, 20));
	return true;
}

static bool op_send(struct actor *a, struct request *q)
{
	static const char *const ids[] = { "NONE", "chaos-aa", "chaos-ba", "chaos-m0" };
	if (!call_on(a, q, K_MESSAGES, MESSAGE_BUFFER_SEND))
		return false;
	struct message_buffer_send_params_builder p = message_buffer_send_params_build(&q->b);
	message_buffer_send_params_set_to(p, capnp_text_from(ids[one_in(a, 4) ? below(a, 4) : 0]));
	message_buffer_send_params_set_data(p, capnp_data_from(words, below(a, sizeof words)));
	return true;
}
