/* messages.c: the message buffers between libOSes: order, sizes, who it is from,
 * waiting, and what a sender that floods, an isolated one or a dead one can do. */
#include "test/boot/native/stages.h"

#include "abi/messages.capnp.h"

enum {
	STAGE_FLOODS = 1, STAGE_ANSWERS, STAGE_IS_ISOLATED, STAGE_HANDS_ON, STAGE_INHERITS,
	MESSAGE_MAX = 256, SENDER_MOST = 5, SHARED = 16, ROOM = 384,
	FLOODERS = SHARED / (SENDER_MOST - 1),
};

struct got {
	char from[40];
	size_t size;
	uint8_t data[MESSAGE_MAX];
};

MUST_CHECK static enum status send_by(struct native *me, uint32_t buffer, const char *to,
                                      const void *data, size_t size)
{
	struct native_call call;
	native_call(&call, me, buffer, MESSAGE_BUFFER_ID, MESSAGE_BUFFER_SEND);
	struct message_buffer_send_params_builder params =
	        message_buffer_send_params_build(&call.params);
	message_buffer_send_params_set_to(params, capnp_text_from(to));
	message_buffer_send_params_set_data(params, capnp_data_from(data, size));
	return native_send(&call);
}

MUST_CHECK static enum status receive_by(struct native *me, uint32_t buffer, struct got *got)
{
	struct native_call call;
	struct message_buffer_receive_results_reader results;
	struct capnp_text from;
	struct capnp_data data;
	native_call(&call, me, buffer, MESSAGE_BUFFER_ID, MESSAGE_BUFFER_RECEIVE);
	(void)message_buffer_receive_params_build(&call.params);
	enum status status = native_send(&call);
	if (status == STATUS_OK)
		status = message_buffer_receive_results_read(call.results, call.results_size,
		                                             &results);
	if (status == STATUS_OK)
		status = message_buffer_receive_results_get_from(results, &from);
	if (status == STATUS_OK)
		status = message_buffer_receive_results_get_data(results, &data);
	if (status != STATUS_OK)
		return status;
	got->size = data.size;
	__builtin_memcpy(got->data, data.bytes, data.size <= MESSAGE_MAX ? data.size : 0);
	__builtin_memcpy(got->from, from.bytes, from.length + 1);
	return STATUS_OK;
}

static uint32_t mine(void)
{
	return native_find(self, "modules");
}

static enum status send_to(const char *to, const void *data, size_t size)
{
	return send_by(self, mine(), to, data, size);
}

static uint32_t waiting(void)
{
	struct native_call call;
	struct message_buffer_waiting_results_reader results;
	native_call(&call, self, mine(), MESSAGE_BUFFER_ID, MESSAGE_BUFFER_WAITING);
	(void)message_buffer_waiting_params_build(&call.params);
	OK(native_send(&call));
	OK(message_buffer_waiting_results_read(call.results, call.results_size, &results));
	return message_buffer_waiting_results_get_messages(results);
}

/* The next one, which must be that. */
static void expect(const char *from, const void *data, size_t size)
{
	struct got got = { "", 0, { 0 } };
	OK(receive_by(self, mine(), &got));
	CHECK(&check, __builtin_strcmp(got.from, from) == 0);
	CHECK(&check, got.size == size);
	CHECK(&check, __builtin_memcmp(got.data, data, size) == 0);
}

/* -- stages ----------------------------------------------------------------------- */

static int stage_floods(void)
{
	uint32_t sent = 0;
	while (sent < 100 && send_to("NONE", &sent, 4) == STATUS_OK)
		sent++;
	__atomic_fetch_add(&BOARD->number[0], sent, __ATOMIC_SEQ_CST);
	BOARD->status[0] = send_to("NONE", &sent, 4);
	__atomic_fetch_add(&BOARD->number[1], 1, __ATOMIC_SEQ_CST);
	BOARD->done = 1;
	until_set(&BOARD->go);
	return 0;
}

static int stage_answers(void)
{
	struct got got;
	for (;;) {
		if (receive_by(self, mine(), &got) != STATUS_OK)
			return 1;
		if (got.size == 4 && __builtin_memcmp(got.data, "stop", 4) == 0)
			return 0;
		if (send_to(got.from, got.data, got.size) != STATUS_OK)
			return 2;
	}
}

static int stage_is_isolated(void)
{
	uint32_t theirs = native_find(self, "theirs");
	struct got got;
	BOARD->number[0] = mine();
	BOARD->status[0] = send_by(self, theirs, "NONE", "x", 1);
	BOARD->status[1] = receive_by(self, theirs, &got);
	BOARD->status[2] = plain_call(theirs, MESSAGE_BUFFER_ID, MESSAGE_BUFFER_WAITING);
	BOARD->done = 1;
	return 0;
}

/* Goes on as another libOS, which has this one's buffer. */
static int stage_hands_on(uint64_t size)
{
	struct load l = { .id = "next", .pages = 128, .count = 2, .names = { "board", "theirs" },
		          .caps = { native_find(self, "board"), mine() } };
	uint32_t libos;
	BOARD->status[0] = load_by(self, &l, &libos);
	BOARD->status[1] = become(self, libos, STAGE(STAGE_INHERITS, 0), 0,
	                          native_find(self, "program"), size);
	BOARD->done = 1;
	return 0;
}

static int stage_inherits(void)
{
	struct got got;
	uint32_t theirs = native_find(self, "theirs");
	BOARD->status[2] = send_by(self, theirs, "NONE", "x", 1);
	BOARD->status[3] = receive_by(self, theirs, &got);
	BOARD->done = 1;
	return 0;
}

static int stage(struct native *me)
{
	stage_start(me);
	switch (STAGE_NUMBER(me->argument)) {
	case STAGE_FLOODS:
		return stage_floods();
	case STAGE_ANSWERS:
		return stage_answers();
	case STAGE_IS_ISOLATED:
		return stage_is_isolated();
	case STAGE_HANDS_ON:
		return stage_hands_on(STAGE_VALUE(me->argument));
	default:
		return stage_inherits();
	}
}

/* -- steps ------------------------------------------------------------------------ */

static void messages_come_in_order(void)
{
	uint8_t data[MESSAGE_MAX + 1];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + 1);
	for (unsigned i = 0; i < SENDER_MOST; i++)
		OK(send_to("NONE", data + i, i * (MESSAGE_MAX / (SENDER_MOST - 1))));
	CHECK(&check, waiting() == SENDER_MOST);
	REFUSED(BUSY, send_to("NONE", data, 1));
	for (unsigned i = 0; i < SENDER_MOST; i++) {
		expect("NONE", data + i, i * (MESSAGE_MAX / (SENDER_MOST - 1)));
		OK(send_to("NONE", data, 1)); /* its place is free */
	}
	for (unsigned i = 0; i < SENDER_MOST; i++)
		expect("NONE", data, 1);
	CHECK(&check, waiting() == 0);
	REFUSED(INVALID, send_to("NONE", data, MESSAGE_MAX + 1));
	REFUSED(NOT_FOUND, send_to("nobody", data, 1));
	REFUSED(NOT_FOUND, send_to("", data, 1));
	REFUSED(NOT_FOUND, send_to("NONE ", data, 1));
	REFUSED(NO_METHOD, plain_call(mine(), MESSAGE_BUFFER_ID, MESSAGE_BUFFER_WAITING + 1));
	CHECK(&check, waiting() == 0);
}

/* A receiver without room is refused, and the message stays. */
static void a_receiver_has_room(void)
{
	static uint64_t results[ROOM / 8], params;
	struct ring_call call = {
		.cap = mine(), .method = MESSAGE_BUFFER_RECEIVE, .interface = MESSAGE_BUFFER_ID,
		.params = &params, .params_size = 8, .results = results,
	};
	OK(send_to("NONE", "abc", 3));
	for (uint32_t size = 0; size < ROOM; size += 8) {
		call.results_size = size;
		call.results = size ? results : NULL;
		REFUSED(TOO_SMALL, ring_call(self->ring, &call));
		call.caps_count = 0;
	}
	CHECK(&check, waiting() == 1);
	call.results_size = ROOM;
	call.results = results;
	OK(ring_call(self->ring, &call));
	CHECK(&check, waiting() == 0);
}

static void liboses_talk(void)
{
	struct load l = { .id = "alpha" };
	board_clear();
	uint32_t libos = stage_under(&l, STAGE_ANSWERS);
	for (unsigned i = 0; i < 20; i++) {
		OK(send_to("alpha", &i, sizeof i));
		expect("alpha", &i, sizeof i);
	}
	OK(send_to("alpha", "stop", 4));
	until_gone("alpha");
	REFUSED(NOT_FOUND, send_to("alpha", "stop", 4));
	release(libos);
}

/* However much others send, everybody can say one thing. */
static void a_flood_drowns_nobody(void)
{
	uint32_t liboses[FLOODERS + 1];
	board_clear();
	for (unsigned i = 0; i < FLOODERS + 1; i++) {
		char id[] = { 'f', (char)('0' + i), '\0' };
		struct load l = { .id = id };
		liboses[i] = stage_under(&l, STAGE_FLOODS);
	}
	while (BOARD->number[1] < FLOODERS + 1)
		nap(1000000);
	CHECK(&check, BOARD->status[0] == STATUS_BUSY);
	CHECK(&check, BOARD->number[0] == FLOODERS + 1 + SHARED);
	CHECK(&check, waiting() == FLOODERS + 1 + SHARED);
	OK(send_to("NONE", "me", 2)); /* one of ours, too */
	REFUSED(BUSY, send_to("NONE", "me", 2));
	/* What the dead have said is gone with their names. */
	struct got got;
	OK(receive_by(self, mine(), &got));
	BOARD->go = 1;
	for (unsigned i = 0; i < FLOODERS + 1; i++) {
		char id[] = { 'f', (char)('0' + i), '\0' };
		until_gone(id);
		release(liboses[i]);
	}
	CHECK(&check, waiting() == 1);
	for (unsigned i = 1; i < SENDER_MOST; i++)
		OK(send_to("NONE", "me", 2));
	REFUSED(BUSY, send_to("NONE", "me", 2));
	for (unsigned i = 0; i < SENDER_MOST; i++)
		expect("NONE", "me", 2);
	CHECK(&check, waiting() == 0);
}

static void an_isolated_one_has_none(void)
{
	struct load l = { .id = "alone", .isolated = true, .count = 1, .names = { "theirs" },
		          .caps = { mine() } };
	uint32_t other = 0;
	board_clear();
	uint32_t libos = stage_under(&l, STAGE_IS_ISOLATED);
	until_set(&BOARD->done);
	CHECK(&check, BOARD->number[0] == 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK(&check, BOARD->status[i] == STATUS_DENIED);
	until_gone("alone");
	release(libos);
	struct load silent = { .id = "silent", .isolated = true, .timeout = 50000000 };
	OK(load_by(self, &silent, &other));
	REFUSED(NOT_FOUND, send_to("silent", "x", 1));
	until_gone("silent");
	release(other);
}

/* A buffer whose libOS has ended is nobody's voice. */
static void a_dead_one_is_silent(void)
{
	struct load l = { .id = "first", .pages = 400, .liboses = 1, .count = 2,
		          .names = { "libos-table", "program" },
		          .caps = { native_find(self, "libos"), native_find(self, "bundle") } };
	board_clear();
	uint32_t libos = stage_under(&l, STAGE_HANDS_ON);
	until_set(&BOARD->done);
	CHECK(&check, BOARD->status[0] == STATUS_OK && BOARD->status[1] == STATUS_OK);
	CHECK(&check, BOARD->status[2] == STATUS_GONE && BOARD->status[3] == STATUS_GONE);
	until_gone("first");
	until_gone("next");
	release(libos);
}

/* One that waits, and is killed, waits no more. */
static int child_receives(struct native *me)
{
	struct got got;
	return (int)receive_by(me, native_find(me, "modules"), &got);
}

static void a_receiver_is_killed(void)
{
	struct native_child child = spawned(child_receives, 0);
	OK(native_grant(self, child.process, "modules", mine()));
	OK(native_start(self, child.thread));
	for (unsigned tries = 0; thread_state(child.thread) != THREAD_STATE_WAITING && tries < 10000;
	     tries++)
		nap(100000);
	OK(native_kill(self, child.process, 3));
	ended(&child, END_REASON_KILLED, 3);
	OK(send_to("NONE", "x", 1));
	CHECK(&check, waiting() == 1);
	expect("NONE", "x", 1);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		messages_come_in_order, a_receiver_has_room, liboses_talk, a_flood_drowns_nobody,
		an_isolated_one_has_none, a_dead_one_is_silent, a_receiver_is_killed,
	};
	if (IS_STAGE(given->argument))
		return stage(given);
	start(given, "messages");
	board_start();
	run(steps, sizeof steps / sizeof steps[0]);
}
