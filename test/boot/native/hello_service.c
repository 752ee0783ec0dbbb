/* hello_service.c: a service and its clients in as few lines as they take
 * (doc/design/ipc.md quotes it), and what rt/native_serve.h promises: the service
 * is another process, and is called through facets. */
#include "test/boot/native/check.h"

#include "abi/inspector.capnp.h"
#include "abi/ledger.capnp.h"
#include "abi/notification.capnp.h"
#include "abi/process.capnp.h"
#include "rt/native_serve.h"
#include "rt/native_spawn.h"
#include "rt/ring.h"
#include "test/boot/native/hello.capnp.h"

/* -- the service ------------------------------------------------------------------ */

enum { CLIENTS = 3 };

struct hello {
	uint32_t times[CLIENTS]; /* by badge */
	uint32_t gone;           /* facets that nobody holds any more */
	uint32_t kept;           /* a capability of some client's; 0: none */
};

static enum status greet(struct native_request *r, struct hello *h)
{
	struct hello_greet_params_reader params = {r->params};
	struct hello_greet_results_builder results;
	struct capnp_text name;
	char greeting[64] = "hello, ";
	if (hello_greet_params_get_name(params, &name) != STATUS_OK || name.length == 0 ||
	    name.length > 40)
		return native_refuse(r, STATUS_INVALID, "a name of 1 to 40 bytes");
	__builtin_memcpy(greeting + 7, name.bytes, name.length);
	results = hello_greet_results_build(&r->results);
	hello_greet_results_set_greeting(results, capnp_text_from(greeting));
	hello_greet_results_set_times(results, ++h->times[r->badge]);
	return STATUS_OK;
}

static enum status keep(struct native_request *r, struct hello *h)
{
	struct hello_keep_params_reader params = {r->params};
	uint32_t index;
	if (hello_keep_params_get_thing(params, &index) != STATUS_OK)
		return native_refuse(r, STATUS_INVALID, "nothing came");
	if (h->kept != 0)
		return native_refuse(r, STATUS_BUSY, "something is kept already");
	h->kept = native_take(r, index);
	return h->kept != 0 ? STATUS_OK : STATUS_NO_CAP;
}

static enum status give_back(struct native_request *r, struct hello *h)
{
	struct hello_give_back_results_builder results;
	if (h->kept == 0)
		return native_refuse(r, STATUS_NOT_FOUND, "nothing is kept");
	results = hello_give_back_results_build(&r->results);
	hello_give_back_results_set_thing(results, native_answer_move(r, h->kept));
	h->kept = 0;
	return STATUS_OK;
}

/* A service that asks others before it answers: the results come last. */
static enum status holds(struct native_request *r)
{
	struct inspector_process_results_reader seen;
	struct process_description_reader process;
	struct native_call call;
	native_call(&call, r->self, native_find(r->self, "inspector"), INSPECTOR_ID,
	            INSPECTOR_PROCESS);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = inspector_process_results_read(call.results, call.results_size, &seen);
	if (status == STATUS_OK)
		status = inspector_process_results_get_process(seen, &process);
	if (status == STATUS_OK)
		hello_holds_results_set_capabilities(
			hello_holds_results_build(&r->results),
			process_description_get_capabilities(process));
	return status;
}

static enum status serve(struct native_request *r)
{
	struct hello *h = r->state;
	if (r->interface == 0) {
		r->stop = ++h->gone == CLIENTS;
		return STATUS_OK;
	}
	switch (r->method) {
	case HELLO_GREET:
		return greet(r, h);
	case HELLO_KEEP:
		return keep(r, h);
	case HELLO_GIVE_BACK:
		return give_back(r, h);
	case HELLO_HOLDS:
		return holds(r);
	default:
		return STATUS_NO_METHOD;
	}
}

static int service(struct native *self)
{
	struct hello hello = {0};
	return (int)native_serve(self, native_find(self, "endpoint"), serve, &hello);
}

/* -- a client ---------------------------------------------------------------------- */

static struct check check;
static struct native *self;

#define OK(call) CHECK_STATUS(&check, STATUS_OK, call)

static enum status ask(uint32_t facet, const char *name, struct native_call *call)
{
	native_call(call, self, facet, HELLO_ID, HELLO_GREET);
	hello_greet_params_set_name(hello_greet_params_build(&call->params), capnp_text_from(name));
	return native_send(call);
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void is_greeted(uint32_t facet, uint32_t times)
{
	struct hello_greet_results_reader results;
	struct capnp_text greeting;
	struct native_call call;
	OK(ask(facet, "world", &call));
	OK(hello_greet_results_read(call.results, call.results_size, &results));
	OK(hello_greet_results_get_greeting(results, &greeting));
	CHECK(&check, equal(greeting.bytes, "hello, world"));
	CHECK(&check, hello_greet_results_get_times(results) == times);
}

static enum status give(uint32_t facet, uint32_t thing)
{
	struct native_call call;
	native_call(&call, self, facet, HELLO_ID, HELLO_KEEP);
	struct hello_keep_params_builder params = hello_keep_params_build(&call.params);
	if (thing != 0)
		hello_keep_params_set_thing(params, native_attach(&call, thing));
	return native_send(&call);
}

static enum status take_back(uint32_t facet, uint32_t *thing)
{
	struct native_call call;
	native_call(&call, self, facet, HELLO_ID, HELLO_GIVE_BACK);
	enum status status = native_send(&call);
	*thing = call.caps[0];
	return status;
}

static uint32_t held(uint32_t facet)
{
	struct hello_holds_results_reader results;
	struct native_call call;
	native_call(&call, self, facet, HELLO_ID, HELLO_HOLDS);
	OK(native_send(&call));
	OK(hello_holds_results_read(call.results, call.results_size, &results));
	return hello_holds_results_get_capabilities(results);
}

/* -- what holds ---------------------------------------------------------------------- */

static void refusals(uint32_t facet)
{
	struct native_call call;
	uint32_t thing;
	CHECK_STATUS(&check, STATUS_INVALID, ask(facet, "", &call));
	CHECK(&check, equal(native_reason(&call), "a name of 1 to 40 bytes"));
	CHECK_STATUS(&check, STATUS_INVALID, give(facet, 0));
	CHECK_STATUS(&check, STATUS_NOT_FOUND, take_back(facet, &thing));
	native_call(&call, self, facet, HELLO_ID, 99);
	CHECK_STATUS(&check, STATUS_NO_METHOD, native_send(&call));
	native_call(&call, self, facet, LEDGER_ID, 0); /* it is asked by its own name only */
	CHECK_STATUS(&check, STATUS_NO_METHOD, native_send(&call));
	native_call(&call, self, facet, HELLO_ID, HELLO_GREET);
	(void)capnp_init_root(&call.params, 1, 1);
	call.params.bytes[0] = 0xff; /* a root pointer that leads nowhere */
	call.params.bytes[1] = 0xff;
	CHECK_STATUS(&check, STATUS_BAD_MESSAGE, native_send(&call));
}

static uint32_t notification(void)
{
	struct native_call call;
	native_call(&call, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_NOTIFICATION);
	OK(native_send(&call));
	return call.caps[0];
}

static uint64_t poll(uint32_t notification)
{
	struct notification_poll_results_reader results;
	struct native_call call;
	native_call(&call, self, notification, NOTIFICATION_ID, NOTIFICATION_POLL);
	notification_poll_params_set_mask(notification_poll_params_build(&call.params), ~0ull);
	OK(native_send(&call));
	OK(notification_poll_results_read(call.results, call.results_size, &results));
	return notification_poll_results_get_bits(results);
}

static void set(uint32_t notification, uint64_t bits)
{
	struct native_call call;
	native_call(&call, self, notification, NOTIFICATION_ID, NOTIFICATION_SIGNAL);
	notification_signal_params_set_bits(notification_signal_params_build(&call.params), bits);
	OK(native_send(&call));
}

/* Ours is copied there and moved back: the same object, by another id; and the
 * service keeps only what it took. */
static void capabilities_travel(uint32_t facet)
{
	uint32_t sent = notification(), back = 0, before = held(facet);
	set(sent, 6);
	OK(give(facet, sent));
	CHECK(&check, held(facet) == before + 1);
	CHECK_STATUS(&check, STATUS_BUSY, give(facet, sent)); /* what came is released */
	CHECK(&check, held(facet) == before + 1);
	OK(ring_release(self->ring, sent));
	OK(take_back(facet, &back));
	CHECK(&check, held(facet) == before);
	CHECK(&check, back != 0 && back != sent && poll(back) == 6);
	CHECK_STATUS(&check, STATUS_NOT_FOUND, take_back(facet, &sent));
	OK(ring_release(self->ring, back));
}

/* A service that answers with what it does not have: the caller is told, and it
 * goes on. It ends with its last facet. */
static enum status promise_nothing(struct native_request *r)
{
	r->stop = r->interface == 0;
	if (r->method == HELLO_GREET)
		(void)native_answer_copy(r, 0xdead0);
	return STATUS_OK;
}

static int wrong_service(struct native *me)
{
	return (int)native_serve(me, native_find(me, "endpoint"), promise_nothing, NULL);
}

static void a_wrong_answer(void)
{
	struct native_child child;
	struct native_end end = {-1, 0};
	struct native_call call;
	uint32_t endpoint, facet;
	OK(native_endpoint(self, &endpoint));
	OK(native_facet(self, endpoint, HELLO_ID, 0, &facet));
	OK(native_spawn_self(self, wrong_service, 0, NATIVE_CHILD_BYTES, &child));
	OK(native_grant(self, child.process, "endpoint", endpoint));
	OK(ring_release(self->ring, endpoint));
	OK(native_start(self, child.thread));
	CHECK_STATUS(&check, STATUS_NO_CAP, ask(facet, "you", &call));
	CHECK_STATUS(&check, STATUS_NO_CAP, ask(facet, "you", &call));
	CHECK_STATUS(&check, STATUS_OK, give(facet, 0));
	OK(ring_release(self->ring, facet));
	OK(native_wait(self, child.process, &end));
	CHECK(&check, end.reason == END_REASON_EXITED && end.code == STATUS_OK);
	native_forget(self, &child);
	CHECK_STATUS(&check, STATUS_NO_CAP, native_serve(self, endpoint, promise_nothing, NULL));
}

int native_main(struct native *me)
{
	struct native_child child;
	struct native_end end = {-1, 0};
	uint32_t endpoint, facets[CLIENTS];
	self = me;
	check = (struct check){.self = me, .name = "hello_service"};
	OK(native_endpoint(self, &endpoint));
	for (uint64_t badge = 0; badge < CLIENTS; badge++)
		OK(native_facet(self, endpoint, HELLO_ID, badge, &facets[badge]));
	OK(native_spawn_self(self, service, 0, NATIVE_CHILD_BYTES, &child));
	OK(native_grant(self, child.process, "endpoint", endpoint));
	OK(ring_release(self->ring, endpoint)); /* the service alone receives */
	OK(native_start(self, child.thread));

	is_greeted(facets[0], 1);
	is_greeted(facets[0], 2);
	is_greeted(facets[2], 1);
	refusals(facets[1]);
	capabilities_travel(facets[1]);
	is_greeted(facets[1], 1);

	for (uint32_t i = 1; i < CLIENTS; i++)
		OK(ring_release(self->ring, facets[i]));
	is_greeted(facets[0], 3);
	OK(ring_release(self->ring, facets[0])); /* the last one: the service ends */
	OK(native_wait(self, child.process, &end));
	CHECK(&check, end.reason == END_REASON_EXITED && end.code == STATUS_OK);
	native_forget(self, &child);
	a_wrong_answer();
	check_end(&check);
}
