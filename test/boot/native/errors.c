/* errors.c: the three layers of errors, as a program sees them: what the ring
 * itself refuses has no words, what an object refuses has an Exception, and both
 * come with their status however little room there is. The same for a server. */
#include "test/boot/native/memory.h"

#include "abi/console.capnp.h"
#include "abi/endpoint.capnp.h"
#include "abi/exception.capnp.h"
#include "abi/ledger.capnp.h"
#include "rt/module_string.h"

static uint64_t params[64], results[512], received[64];

/* Pushes, enters, and takes `count` completions by their user data (below 4). */
static struct ring_cqe done[4];

static void take(uint32_t count)
{
	const struct ring_cqe *next;

	OK(ring_run(self->ring, count));
	while ((next = ring_done(self->ring)) != NULL)
		if (next->user_data < 4)
			done[next->user_data] = *next;
}

static struct ring_sqe *entry(uint8_t op, uint32_t cap, uint64_t user)
{
	struct ring_sqe *e = ring_next(self->ring);

	*e = (struct ring_sqe){ .op = op, .cap = cap, .user_data = user };
	done[user] = (struct ring_cqe){ .status = STATUS_COUNT };
	return e;
}

/* MemoryObject.read past the end, with that much room for the answer. */
static void read_past_the_end(uint32_t object, uint64_t interface, uint32_t room)
{
	struct capnp_builder b;
	struct ring_sqe *e = entry(RING_CALL, object, 0);

	capnp_builder_start(&b, params, sizeof params);
	struct memory_object_read_params_builder p = memory_object_read_params_build(&b);
	memory_object_read_params_set_offset(p, NATIVE_PAGE);
	memory_object_read_params_set_count(p, 1);
	for (size_t i = 0; i < 512; i++)
		results[i] = ~0ull;
	e->method = MEMORY_OBJECT_READ;
	e->interface = interface;
	e->params = (uintptr_t)params;
	e->params_size = (uint32_t)capnp_builder_size(&b);
	e->results = (uintptr_t)results;
	e->results_size = room;
	ring_push(self->ring);
	take(1);
}

static bool says(const void *message, uint32_t size, const char *words)
{
	struct exception_reader exception;
	struct capnp_text reason;

	return exception_read(message, size, &exception) == STATUS_OK &&
	       exception_get_reason(exception, &reason) == STATUS_OK &&
	       reason.length == strlen(words) && strcmp(reason.bytes, words) == 0;
}

static void an_object_says_why(void)
{
	uint32_t object = allocate(1);

	read_past_the_end(object, MEMORY_OBJECT_ID, sizeof results);
	CHECK(&check, done[0].status == STATUS_INVALID && done[0].flags == RING_EXCEPTION);
	CHECK(&check, says(results, done[0].results_size, "past the object's end"));
	CHECK(&check, done[0].caps[0] == 0);
	release(object);
}

/* Words that do not fit are left out: nothing of them is written. */
static void the_status_comes_without_room(void)
{
	static const uint32_t rooms[] = { 0, 1, 8, 16, 39 }; /* 40 would do */
	uint32_t object = allocate(1);

	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		read_past_the_end(object, MEMORY_OBJECT_ID, rooms[i]);
		CHECK(&check, done[0].status == STATUS_INVALID);
		CHECK(&check, done[0].flags == RING_EXCEPTION);
		CHECK(&check, done[0].results_size == 0 && results[0] == ~0ull);
	}
	read_past_the_end(object, MEMORY_OBJECT_ID, 40);
	CHECK(&check, says(results, done[0].results_size, "past the object's end"));
	CHECK(&check, results[5] == ~0ull);
	release(object);
}

static void the_ring_has_no_words(void)
{
	uint32_t object = allocate(1);
	struct ring_sqe *e;

	read_past_the_end(object, CONSOLE_ID, sizeof results);
	CHECK(&check, done[0].status == STATUS_NO_METHOD && done[0].flags == 0);
	CHECK(&check, done[0].results_size == 0 && results[0] == ~0ull);
	release(object);
	read_past_the_end(object, MEMORY_OBJECT_ID, sizeof results);
	CHECK(&check, done[0].status == STATUS_NO_CAP && done[0].flags == 0);
	e = entry(RING_OP_COUNT, 0, 0);
	(void)e;
	ring_push(self->ring);
	take(1);
	CHECK(&check, done[0].status == STATUS_INVALID && done[0].flags == 0);
	e = entry(RING_CALL, pool, 0);
	e->interface = MEMORY_POOL_ID;
	e->params = 0x123450000;
	e->params_size = 16;
	ring_push(self->ring);
	take(1);
	CHECK(&check, done[0].status == STATUS_FAULT && done[0].flags == 0);
}

static enum status console_read(struct native_call *call, uint32_t most)
{
	native_call(call, self, self->console, CONSOLE_ID, CONSOLE_READ);
	console_read_params_set_most(console_read_params_build(&call->params), most);
	return native_send(call);
}

#define SAYS(call, words) CHECK(&check, strcmp(native_reason(call), words) == 0)

static void the_words_are_those_of_the_case(void)
{
	struct native_call call;
	struct ring_sqe *e;
	uint32_t object = allocate(1);

	REFUSED(INVALID, console_read(&call, 0));
	SAYS(&call, "a read of no bytes");
	native_call(&call, self, pool, MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE);
	(void)memory_pool_allocate_params_build(&call.params);
	REFUSED(NO_MEMORY, native_send(&call));
	SAYS(&call, "no pages, more than 524288, or more than the ledger has");
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_CHILD);
	memory_object_child_params_set_pages(memory_object_child_params_build(&call.params), 2);
	REFUSED(INVALID, native_send(&call));
	SAYS(&call, "no such range of pages, or more than 65536");
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE);
	OK(native_send(&call)); /* results are no reason */
	SAYS(&call, "");
	native_call(&call, self, object, MEMORY_OBJECT_ID, 99);
	REFUSED(NO_METHOD, native_send(&call)); /* self-evident: no words */
	SAYS(&call, "");

	/* A reader that waits, once what was typed is read; then one that must not. */
	params[0] = (uint64_t)1 << 32;
	params[1] = 16;
	do {
		e = entry(RING_CALL, self->console, 1);
		e->interface = CONSOLE_ID;
		e->method = CONSOLE_READ;
		e->params = (uintptr_t)params;
		e->params_size = 16;
		e->results = (uintptr_t)received;
		e->results_size = sizeof received;
		ring_push(self->ring);
		take(0);
	} while (done[1].status == STATUS_OK);
	REFUSED(BUSY, console_read(&call, 1));
	SAYS(&call, "somebody else is reading");
	entry(RING_CANCEL, 0, 2)->target = 1;
	ring_push(self->ring);
	take(2);
	CHECK(&check, done[2].status == STATUS_OK && done[1].status == STATUS_CANCELLED);
	CHECK(&check, done[1].flags == 0);
	release(object);
}

/* A call to a server of one's own, answered with a status and `size` bytes. */
static void serve_one(uint32_t facet, uint32_t endpoint, uint64_t interface, uint16_t status,
                      uint32_t size, uint32_t room)
{
	struct ring_sqe *e = entry(RING_CALL, facet, 1);

	for (size_t i = 0; i < 512; i++)
		results[i] = ~0ull;
	e->interface = interface;
	e->results = (uintptr_t)results;
	e->results_size = room;
	ring_push(self->ring);
	e = entry(RING_RECV, endpoint, 2);
	e->results = (uintptr_t)received;
	e->results_size = sizeof received;
	ring_push(self->ring);
	take(1);
	CHECK(&check, done[2].status == STATUS_OK && done[1].status == STATUS_COUNT);
	e = entry(RING_RETURN, 0, 3);
	e->token = received[0];
	e->status = status;
	e->params = (uintptr_t)params;
	e->params_size = size;
	ring_push(self->ring);
	take(2);
	CHECK(&check, done[3].status == STATUS_OK);
}

static void a_server_refuses_in_the_same_way(void)
{
	static const uint64_t interface = 0xa123456789abcdef;
	struct native_call call;
	struct capnp_builder b;
	uint32_t endpoint, facet, size;

	native_call(&call, self, native_find(self, "ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	OK(native_send(&call));
	endpoint = call.caps[0];
	native_call(&call, self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	endpoint_facet_params_set_interface(endpoint_facet_params_build(&call.params), interface);
	OK(native_send(&call));
	facet = call.caps[0];

	capnp_builder_start(&b, params, sizeof params);
	exception_set_reason(exception_build(&b), capnp_text_from("not on a Sunday"));
	size = (uint32_t)capnp_builder_size(&b);
	serve_one(facet, endpoint, interface, STATUS_DENIED, size, sizeof results);
	CHECK(&check, done[1].status == STATUS_DENIED && done[1].flags == RING_EXCEPTION);
	CHECK(&check, says(results, done[1].results_size, "not on a Sunday"));
	serve_one(facet, endpoint, interface, STATUS_DENIED, 0, sizeof results);
	CHECK(&check, done[1].status == STATUS_DENIED && done[1].flags == RING_EXCEPTION);
	CHECK(&check, done[1].results_size == 0);
	serve_one(facet, endpoint, interface, STATUS_BUSY, size, 0);
	CHECK(&check, done[1].status == STATUS_BUSY && done[1].flags == RING_EXCEPTION);
	serve_one(facet, endpoint, interface, STATUS_BUSY, size, 16);
	CHECK(&check, done[1].status == STATUS_BUSY && done[1].flags == RING_EXCEPTION);
	CHECK(&check, done[1].results_size == 0 && results[0] == ~0ull);
	serve_one(facet, endpoint, interface, STATUS_OK, size, sizeof results);
	CHECK(&check, done[1].status == STATUS_OK && done[1].flags == 0);
	release(facet);
	release(endpoint);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		an_object_says_why, the_status_comes_without_room, the_ring_has_no_words,
		the_words_are_those_of_the_case, a_server_refuses_in_the_same_way,
	};
	start(given, "errors");
	run(steps, sizeof steps / sizeof steps[0]);
}
