/* ipc.c: what endpoints and notifications promise, seen by one thread that is
 * both sides: it receives, calls itself, answers and takes the answer. */
#include "test/boot/native/check.h"

#include "abi/endpoint.capnp.h"
#include "abi/exception.capnp.h"
#include "abi/ledger.capnp.h"
#include "abi/notification.capnp.h"
#include "rt/ring.h"

#define SOME_INTERFACE 0x1234567890abcdefull
enum { BADGE = 77, METHOD = 3, BUFFER = 512 };

static struct check check;
static uint32_t ledger, endpoint, facet;
static uint64_t inbox[BUFFER / 8], answer[BUFFER / 8], params[BUFFER / 8];

/* -- entries ------------------------------------------------------------------ */

static struct ring_sqe *next(enum ring_op op, uint64_t user_data)
{
	struct ring_sqe *e = ring_next(check.self->ring);

	*e = (struct ring_sqe){.op = (uint8_t)op, .user_data = user_data};
	return e;
}

static void push(void)
{
	ring_push(check.self->ring);
}

static void recv(uint64_t user_data)
{
	struct ring_sqe *e = next(RING_RECV, user_data);
	e->cap = endpoint;
	e->results = (uintptr_t)inbox;
	e->results_size = sizeof inbox;
	push();
}

static struct ring_sqe *call(uint64_t user_data, uint32_t cap)
{
	struct ring_sqe *e = next(RING_CALL, user_data);
	e->cap = cap;
	e->interface = SOME_INTERFACE;
	e->method = METHOD;
	e->params = (uintptr_t)params;
	e->params_size = 16;
	e->results = (uintptr_t)answer;
	e->results_size = sizeof answer;
	return e;
}

static struct ring_sqe *give(uint64_t user_data, uint64_t token)
{
	struct ring_sqe *e = next(RING_RETURN, user_data);
	e->token = token;
	e->params = (uintptr_t)params;
	e->params_size = 24;
	return e;
}

static uint32_t enter(void)
{
	(void)!ring_enter(0, 0);
	return *(volatile uint32_t *)&check.self->ring->cq_tail - check.self->ring->cq_head;
}

/* The next completion, which must be of that entry. */
static struct ring_cqe done(uint64_t user_data, enum status status, uint32_t line)
{
	const struct ring_cqe *cqe = ring_done(check.self->ring);

	if (cqe == NULL || cqe->user_data != user_data) {
		native_print(check.self, "completion %lu, not %lu\n",
		             cqe ? (unsigned long)cqe->user_data : 0ul, (unsigned long)user_data);
		check_failed(&check, "a completion is missing", line);
		check_end(&check);
	}
	check_status(&check, (enum status)cqe->status, status, "completion", line);
	return *cqe;
}
#define DONE(user_data, status) done(user_data, status, __LINE__)

static const struct ring_received *received(void)
{
	return (const struct ring_received *)inbox;
}

/* -- objects ------------------------------------------------------------------- */

static uint32_t make(uint16_t method)
{
	struct native_call call;

	native_call(&call, check.self, ledger, LEDGER_ID, method);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	return call.caps[0];
}

static enum status make_facet(uint64_t interface, uint64_t badge, uint32_t *cap)
{
	struct native_call call;
	struct endpoint_facet_params_builder p;
	enum status status;

	native_call(&call, check.self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	p = endpoint_facet_params_build(&call.params);
	endpoint_facet_params_set_interface(p, interface);
	endpoint_facet_params_set_badge(p, badge);
	status = native_send(&call);
	*cap = call.caps[0];
	return status;
}

static uint64_t used(void)
{
	struct native_call call;
	struct ledger_query_results_reader r;

	native_call(&call, check.self, ledger, LEDGER_ID, LEDGER_QUERY);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	CHECK_STATUS(&check, STATUS_OK,
	             ledger_query_results_read(call.results, call.results_size, &r));
	return ledger_query_results_get_used(r);
}

/* -- what holds ------------------------------------------------------------------ */

static void there_and_back(void)
{
	struct ring_cqe cqe;

	params[0] = 0x1111, params[1] = 0x2222, params[2] = 0x3333;
	recv(1);
	CHECK(&check, enter() == 0);
	(void)call(2, facet);
	push();
	CHECK(&check, enter() == 1);
	cqe = DONE(1, STATUS_OK);
	CHECK(&check, cqe.results_size == 32 + 16);
	CHECK(&check, received()->badge == BADGE && received()->interface == SOME_INTERFACE);
	CHECK(&check, received()->method == METHOD && received()->params_size == 16);
	CHECK(&check, inbox[4] == 0x1111 && inbox[5] == 0x2222);
	(void)give(3, received()->token);
	push();
	CHECK(&check, enter() == 2);
	cqe = DONE(2, STATUS_OK);
	CHECK(&check, cqe.results_size == 24 && cqe.flags == 0 && answer[2] == 0x3333);
	DONE(3, STATUS_OK);
	(void)give(4, received()->token); /* twice */
	push();
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_NOT_FOUND);
}

static void queued_first(void)
{
	(void)call(1, facet);
	push();
	(void)call(2, facet);
	push();
	CHECK(&check, enter() == 0);
	recv(3);
	CHECK(&check, enter() == 1);
	DONE(3, STATUS_OK);
	struct ring_sqe *e = give(4, received()->token);
	e->op = RING_SERVE;
	e->cap = endpoint;
	e->status = STATUS_DENIED;
	e->params_size = 0;
	e->results = (uintptr_t)inbox;
	e->results_size = sizeof inbox;
	push();
	CHECK(&check, enter() == 2);
	CHECK(&check, DONE(1, STATUS_DENIED).flags == RING_EXCEPTION);
	DONE(4, STATUS_OK);
	(void)give(5, received()->token);
	push();
	CHECK(&check, enter() == 2);
	DONE(2, STATUS_OK);
	DONE(5, STATUS_OK);
}

static bool works(uint32_t cap)
{
	return native_find(check.self, "timer") && ring_release(check.self->ring, cap) == STATUS_OK;
}

static void caps_travel(void)
{
	uint32_t copied, moved;
	struct ring_sqe *e;
	struct ring_cqe cqe;

	CHECK_STATUS(&check, STATUS_OK, make_facet(5, 5, &copied));
	CHECK_STATUS(&check, STATUS_OK, make_facet(6, 6, &moved));
	e = call(1, facet);
	e->caps_count = 2;
	e->caps_move = 2;
	e->caps[0] = copied;
	e->caps[1] = moved;
	push();
	CHECK(&check, enter() == 0);
	CHECK_STATUS(&check, STATUS_NO_CAP, ring_release(check.self->ring, moved)); /* on its way */
	recv(2);
	CHECK(&check, enter() == 1);
	cqe = DONE(2, STATUS_OK);
	CHECK(&check, received()->caps_count == 2 && cqe.caps[0] && cqe.caps[1] && !cqe.caps[2]);
	CHECK(&check, cqe.caps[0] != copied);
	CHECK_STATUS(&check, STATUS_NO_CAP, ring_release(check.self->ring, moved));
	CHECK(&check, works(copied));
	e = give(3, received()->token);
	e->caps_count = 2;
	e->caps_move = 3;
	e->caps[0] = cqe.caps[0];
	e->caps[1] = cqe.caps[1];
	push();
	CHECK(&check, enter() == 2);
	cqe = DONE(1, STATUS_OK);
	DONE(3, STATUS_OK);
	CHECK(&check, works(cqe.caps[0]) && works(cqe.caps[1]));
	recv(4); /* both facets are gone */
	recv(5);
	CHECK(&check, enter() == 2);
	DONE(4, STATUS_OK);
	DONE(5, STATUS_OK);
	CHECK(&check, received()->interface == 0 && received()->token == 0);
}

static void taken_back(void)
{
	uint32_t moved;
	struct ring_sqe *e;

	CHECK_STATUS(&check, STATUS_OK, make_facet(6, 6, &moved));
	e = call(1, facet);
	e->caps_count = 1;
	e->caps_move = 1;
	e->caps[0] = moved;
	push();
	e = next(RING_CANCEL, 2);
	e->target = 1;
	push();
	CHECK(&check, enter() == 2);
	DONE(1, STATUS_CANCELLED);
	DONE(2, STATUS_OK);
	CHECK(&check, works(moved)); /* it is here again */
	e = next(RING_CANCEL, 2);
	e->target = 1;
	push();
	CHECK(&check, enter() == 1);
	DONE(2, STATUS_NOT_FOUND);
	recv(3);
	CHECK(&check, enter() == 1);
	DONE(3, STATUS_OK); /* the facet that was released */
	/* Received, then taken back: the answer comes to nobody. */
	recv(3);
	(void)call(4, facet);
	push();
	CHECK(&check, enter() == 1);
	DONE(3, STATUS_OK);
	e = next(RING_CANCEL, 5);
	e->target = 4;
	push();
	(void)give(6, received()->token);
	push();
	CHECK(&check, enter() == 3);
	DONE(4, STATUS_CANCELLED);
	DONE(5, STATUS_OK);
	DONE(6, STATUS_GONE);
}

/* What an answer brings stays where it was if its message has no room. */
static void answered_in_vain(void)
{
	uint32_t moved;
	struct ring_sqe *e;

	CHECK_STATUS(&check, STATUS_OK, make_facet(6, 6, &moved));
	recv(1);
	e = call(2, facet);
	e->results_size = 8;
	push();
	CHECK(&check, enter() == 1);
	DONE(1, STATUS_OK);
	e = give(3, received()->token);
	e->caps_count = 1;
	e->caps_move = 1;
	e->caps[0] = moved;
	push();
	CHECK(&check, enter() == 2);
	DONE(2, STATUS_TOO_SMALL);
	DONE(3, STATUS_OK);
	CHECK(&check, works(moved));
	recv(4); /* that facet is gone */
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_OK);
}

/* A call on what an unfinished answer will bring. */
static void chained(void)
{
	struct capnp_builder b;
	struct capnp_struct_builder root;
	struct ring_sqe *e;
	struct ring_cqe cqe;
	uint32_t inner;

	CHECK_STATUS(&check, STATUS_OK, make_facet(SOME_INTERFACE, 99, &inner));
	(void)call(1, facet);
	push();
	e = call(2, RING_CHAIN(1, 0));
	e->chained = 1;
	push();
	e = call(3, RING_CHAIN(2, 1)); /* no such field in the answer */
	e->chained = 1;
	push();
	recv(4);
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_OK);
	capnp_builder_start(&b, params, sizeof params);
	root = capnp_init_root(&b, 0, 1);
	capnp_set_capability(&root, 0, 0);
	recv(5);
	e = give(6, received()->token);
	e->params_size = (uint32_t)capnp_builder_size(&b);
	e->caps_count = 1;
	e->caps_move = 1;
	e->caps[0] = inner;
	push();
	CHECK(&check, enter() == 4);
	cqe = DONE(1, STATUS_OK);
	DONE(6, STATUS_OK);
	DONE(5, STATUS_OK);
	CHECK(&check, received()->badge == 99);
	DONE(3, STATUS_NO_CAP);
	(void)give(7, received()->token);
	push();
	CHECK(&check, enter() == 2);
	DONE(2, STATUS_OK);
	DONE(7, STATUS_OK);
	CHECK(&check, works(cqe.caps[0]));
	recv(8);
	CHECK(&check, enter() == 1);
	DONE(8, STATUS_OK);
	/* The answer fails: so does what hangs on it, and what hangs on that. */
	(void)call(1, facet);
	push();
	for (uint64_t i = 2; i <= 3; i++) {
		e = call(i, RING_CHAIN(1, 0));
		e->chained = 1;
		push();
	}
	recv(4);
	CHECK(&check, enter() == 1);
	DONE(4, STATUS_OK);
	e = give(5, received()->token);
	e->status = STATUS_BUSY;
	push();
	CHECK(&check, enter() == 4);
	DONE(1, STATUS_BUSY);
	DONE(5, STATUS_OK);
	DONE(2, STATUS_BUSY);
	DONE(3, STATUS_BUSY);
}

static void refusals(void)
{
	struct ring_sqe *e;
	uint32_t none;

	CHECK_STATUS(&check, STATUS_INVALID, make_facet(0, 0, &none));
	e = call(1, facet);
	e->interface = 1;
	push();
	e = call(2, facet);
	e->params_size = 12;
	push();
	e = call(3, facet);
	e->params_size = RING_MESSAGE_MAX + 8;
	push();
	e = call(4, facet);
	e->caps_count = 1;
	e->caps[0] = 0xdeadbeef;
	push();
	e = call(5, facet);
	e->caps_move = 1; /* of no capability */
	push();
	CHECK(&check, enter() == 5);
	DONE(1, STATUS_NO_METHOD);
	DONE(2, STATUS_INVALID);
	DONE(3, STATUS_INVALID);
	DONE(4, STATUS_NO_CAP);
	DONE(5, STATUS_INVALID);
	recv(1);
	(void)next(RING_RECV, 2);
	push();
	e = next(RING_RECV, 3);
	e->cap = facet;
	push();
	e = next(RING_RECV, 4);
	e->cap = endpoint;
	e->results_size = 31;
	push();
	CHECK(&check, enter() == 3);
	DONE(2, STATUS_NO_CAP);
	DONE(3, STATUS_NO_METHOD);
	DONE(4, STATUS_TOO_SMALL);
	for (uint64_t token = 0; token < 64; token++) {
		(void)give(5, token); /* one that is reserved, too */
		push();
		CHECK(&check, enter() == 1);
		DONE(5, STATUS_NOT_FOUND);
	}
	e = call(6, facet); /* too large for the receiver */
	e->params_size = BUFFER - 24;
	push();
	e = call(7, facet);
	e->params = 0x1000;
	push();
	CHECK(&check, enter() == 2);
	DONE(6, STATUS_TOO_SMALL);
	DONE(7, STATUS_FAULT);
	e = call(8, facet);
	e->results_size = 8;
	push();
	CHECK(&check, enter() == 1);
	DONE(1, STATUS_OK);
	e = give(9, received()->token);
	e->status = STATUS_COUNT;
	push();
	e = give(10, received()->token);
	e->params = 0x1000;
	e->params_size = 8;
	push();
	e = give(11, received()->token);
	e->caps_count = 1;
	push();
	(void)give(12, received()->token);
	push();
	CHECK(&check, enter() == 5);
	DONE(9, STATUS_INVALID);
	DONE(10, STATUS_FAULT);
	DONE(11, STATUS_NO_CAP);
	DONE(8, STATUS_TOO_SMALL);
	DONE(12, STATUS_OK);
	e = next(RING_POST, 13);
	e->target = 4711;
	e->expected = 5;
	push();
	CHECK(&check, enter() == 2);
	CHECK(&check, DONE(4711, STATUS_OK).flags == RING_POSTED);
	DONE(13, STATUS_OK);
}

/* A post does not take the place of the entry that it came with. */
static void last_place(void)
{
	for (uint64_t i = 1; i < RING_CQ_ENTRIES; i++) {
		(void)next(RING_NOP, i);
		push();
		if (i % 8 == 0)
			CHECK(&check, enter() == i);
	}
	CHECK(&check, enter() == RING_CQ_ENTRIES - 1);
	next(RING_POST, 100)->target = 4711;
	push();
	CHECK(&check, enter() == RING_CQ_ENTRIES);
	for (uint64_t i = 1; i < RING_CQ_ENTRIES; i++)
		DONE(i, STATUS_OK);
	DONE(100, STATUS_BUSY);
}

/* As many entries wait as there are places: none more is consumed, also not when one
 * of them is answered; but when that answer is taken. */
static void places(void)
{
	static uint32_t words[RING_CQ_ENTRIES];
	const struct ring *ring = check.self->ring;
	struct ring_sqe *e;

	for (uint64_t i = 0; i < RING_CQ_ENTRIES; i++) {
		e = next(RING_PARK, 100 + i);
		e->word = (uintptr_t)&words[i];
		e->timeout = i == 7 ? 1000000 : RING_FOREVER;
		push();
		if (i % 8 == 7)
			(void)enter();
	}
	(void)next(RING_NOP, 1);
	push();
	CHECK_STATUS(&check, STATUS_OK, ring_enter(1, RING_FOREVER));
	CHECK(&check, enter() == 1 && ring->sq_tail - ring->sq_head == 1);
	DONE(107, STATUS_TIMEOUT);
	CHECK(&check, enter() == 1 && ring->sq_tail == ring->sq_head);
	DONE(1, STATUS_OK);
	for (uint64_t i = 0; i < RING_CQ_ENTRIES; i++) {
		if (i == 7)
			continue;
		e = next(RING_WAKE, 2);
		e->word = (uintptr_t)&words[i];
		e->expected = 1;
		push();
		CHECK(&check, enter() == 2);
		DONE(100 + i, STATUS_OK);
		DONE(2, STATUS_OK);
	}
}

/* Seventeen receives: one too many. And a receive taken back leaves its place. */
static void slots(void)
{
	struct ring_sqe *e;

	for (uint64_t i = 0; i < RING_SERVED; i++)
		recv(100 + i);
	CHECK(&check, enter() == 0);
	recv(1);
	CHECK(&check, enter() == 1);
	DONE(1, STATUS_BUSY);
	for (uint64_t i = 0; i < RING_SERVED; i += 4) {
		for (uint64_t j = i; j < i + 4; j++) {
			e = next(RING_CANCEL, 2);
			e->target = 100 + j;
			push();
		}
		CHECK(&check, enter() == 8);
		for (uint64_t j = i; j < i + 4; j++) {
			DONE(100 + j, STATUS_CANCELLED);
			DONE(2, STATUS_OK);
		}
	}
}

/* -- notifications --------------------------------------------------------------- */

static enum status bits_call(uint32_t cap, uint64_t interface, uint16_t method, uint64_t bits,
                             uint64_t *out)
{
	struct native_call call;
	struct notification_poll_results_reader r;
	enum status status;

	native_call(&call, check.self, cap, interface, method);
	notification_poll_params_set_mask(notification_poll_params_build(&call.params), bits);
	status = native_send(&call);
	if (out && !status &&
	    notification_poll_results_read(call.results, call.results_size, &r) == STATUS_OK)
		*out = notification_poll_results_get_bits(r);
	return status;
}
#define NOTIFY(method, bits, out) bits_call(notification, NOTIFICATION_ID, method, bits, out)

static void notifications(void)
{
	uint32_t notification = make(LEDGER_NOTIFICATION);
	struct native_call call;
	uint64_t bits = 0;

	CHECK_STATUS(&check, STATUS_INVALID, NOTIFY(NOTIFICATION_WAIT, 0, NULL));
	CHECK_STATUS(&check, STATUS_OK, NOTIFY(NOTIFICATION_SIGNAL, 5, NULL));
	CHECK_STATUS(&check, STATUS_OK, NOTIFY(NOTIFICATION_POLL, 2, &bits));
	CHECK(&check, bits == 0);
	CHECK_STATUS(&check, STATUS_OK, NOTIFY(NOTIFICATION_WAIT, 6, &bits));
	CHECK(&check, bits == 4);
	CHECK_STATUS(&check, STATUS_OK, NOTIFY(NOTIFICATION_POLL, ~0ull, &bits));
	CHECK(&check, bits == 1);
	CHECK_STATUS(&check, STATUS_OK, NOTIFY(NOTIFICATION_BIND, 55, NULL));
	CHECK_STATUS(&check, STATUS_BUSY, NOTIFY(NOTIFICATION_BIND, 55, NULL));
	native_call(&call, check.self, notification, NOTIFICATION_ID, NOTIFICATION_SIGNALLER);
	CHECK_STATUS(&check, STATUS_OK, native_send(&call));
	struct ring_sqe *e = next(RING_CALL, 1);
	uint64_t message[3] = {1ull << 32, 8, 0};
	e->cap = call.caps[0];
	e->interface = SIGNALLER_ID;
	e->method = SIGNALLER_SIGNAL;
	e->params = (uintptr_t)message;
	e->params_size = 16;
	push();
	CHECK(&check, enter() == 2);
	CHECK(&check, DONE(55, STATUS_OK).flags == RING_POSTED);
	DONE(1, STATUS_OK);
	CHECK_STATUS(&check, STATUS_NO_METHOD,
	             bits_call(call.caps[0], SIGNALLER_ID, 1, 0, NULL));
	CHECK_STATUS(&check, STATUS_NO_METHOD,
	             bits_call(call.caps[0], NOTIFICATION_ID, NOTIFICATION_POLL, 0, NULL));
	CHECK_STATUS(&check, STATUS_OK, NOTIFY(NOTIFICATION_POLL, ~0ull, &bits));
	CHECK(&check, bits == 8);
	CHECK_STATUS(&check, STATUS_OK, NOTIFY(NOTIFICATION_UNBIND, 0, NULL));
	CHECK_STATUS(&check, STATUS_NOT_FOUND, NOTIFY(NOTIFICATION_UNBIND, 0, NULL));
	CHECK(&check, works(call.caps[0]) && works(notification));
}

int native_main(struct native *self)
{
	uint64_t before;

	check = (struct check){.self = self, .name = "ipc"};
	ledger = native_find(self, "ledger");
	before = used();
	for (int round = 0; round < 3; round++) {
		endpoint = make(LEDGER_ENDPOINT);
		CHECK_STATUS(&check, STATUS_OK, make_facet(SOME_INTERFACE, BADGE, &facet));
		there_and_back();
		queued_first();
		caps_travel();
		taken_back();
		answered_in_vain();
		chained();
		refusals();
		last_place();
		places();
		slots();
		notifications();
		(void)call(1, facet);
		push();
		next(RING_RELEASE, 2)->cap = endpoint;
		push();
		CHECK(&check, enter() == 2);
		DONE(1, STATUS_GONE);
		DONE(2, STATUS_OK);
		for (unsigned bad = 0; bad < 2; bad++) { /* before what it brings is looked at */
			call(3, facet)->caps_count = bad;
			push();
			CHECK(&check, enter() == 1);
			DONE(3, STATUS_GONE);
		}
		CHECK_STATUS(&check, STATUS_OK, ring_release(self->ring, facet));
	}
	CHECK(&check, used() == before);
	check_end(&check);
}
