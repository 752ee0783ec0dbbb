/* stream_test.c: what a reader of recordings relies on. */
#include "tools/trace/recording.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 4096 };

/* A recording being put together. */
struct made {
	_Alignas(8) uint8_t bytes[ROOM];
	size_t size;
	uint64_t events;
};

typedef void fill(struct trace_event_builder event);

static void add(struct made *m, uint32_t pid, uint32_t thread, fill *what)
{
	struct capnp_builder b;
	struct trace_event_builder event;
	uint32_t frame[2] = { 0 };

	capnp_builder_start(&b, m->bytes + m->size + sizeof frame, ROOM - m->size - sizeof frame);
	event = trace_event_build(&b);
	trace_event_set_sequence(event, m->events++);
	trace_event_set_libos(event, capnp_text_from("NONE"));
	trace_event_set_pid(event, pid);
	trace_event_set_thread(event, thread);
	what(event);
	assert_int_equal(b.status, STATUS_OK);
	frame[1] = (uint32_t)(capnp_builder_size(&b) / 8);
	memcpy(m->bytes + m->size, frame, sizeof frame);
	m->size += sizeof frame + capnp_builder_size(&b);
}

static void start(struct trace_event_builder event)
{
	static const struct capset capset = { .count = 1, .entries = { { .cap = 5, .name = "x" } } };
	struct trace_event_start_builder s = trace_event_init_start(event);

	trace_event_start_set_capset(s, capnp_data_from(&capset, 128));
}

static void become(struct trace_event_builder event)
{
	trace_event_init_start(event);
}

static void enter(struct trace_event_builder event)
{
	trace_event_enter_set_least(trace_event_init_enter(event), 3);
}

static void end(struct trace_event_builder event)
{
	trace_event_end_set_code(trace_event_init_end(event), 9);
}

static size_t count(const struct made *m, char error[120])
{
	struct trace_event_reader event;
	struct stream s;
	size_t n = 0;

	stream_start(&s, m->bytes, m->size);
	while (stream_next(&s, &event))
		n++;
	memcpy(error, s.error, 120);
	return n;
}

static void test_reads_to_the_end(void **state)
{
	static struct made m;
	char error[120];
	(void)state;

	add(&m, 1, 1, start);
	add(&m, 1, 1, enter);
	add(&m, 1, 1, end);
	assert_int_equal(count(&m, error), 3);
	assert_string_equal(error, "");
}

static void test_every_cut_is_noticed(void **state)
{
	static struct made m;
	size_t whole[3], n = 0;
	char error[120];
	(void)state;

	whole[n++] = 0;
	add(&m, 1, 1, enter);
	whole[n++] = m.size;
	add(&m, 1, 1, end);
	whole[n++] = m.size;
	for (size_t size = whole[2]; size-- > 0;) {
		bool between = size == whole[0] || size == whole[1];

		m.size = size;
		assert_int_equal(count(&m, error), size >= whole[1]);
		assert_int_equal(error[0] == '\0', between);
	}
}

static void test_gaps_are_noticed(void **state)
{
	static struct made m;
	char error[120];
	(void)state;

	add(&m, 1, 1, enter);
	m.events++;
	add(&m, 1, 1, end);
	assert_int_equal(count(&m, error), 1);
	assert_non_null(strstr(error, "missing"));
}

static void test_wrong_frames_are_refused(void **state)
{
	static const uint32_t frames[][2] = {
		{ 1, 4 }, { 0, 0 }, { 0, UINT32_MAX }, { UINT32_MAX, 4 }, { 0, 8193 },
	};
	char error[120];
	(void)state;

	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
		static struct made m;

		memset(&m, 0, sizeof m);
		memcpy(m.bytes, frames[i], 8);
		m.size = ROOM;
		assert_int_equal(count(&m, error), 0);
		assert_non_null(strstr(error, "no recording"));
	}
}

static void test_finds_one_process(void **state)
{
	static struct made m;
	struct recording r;
	(void)state;

	add(&m, 2, 1, enter); /* of somebody else */
	add(&m, 1, 1, start);
	add(&m, 1, 1, enter);
	add(&m, 2, 1, enter);
	add(&m, 1, 1, end);
	add(&m, 1, 1, enter); /* of the next one of that PID */
	assert_true(recording_find(&r, m.bytes, m.size, 1));
	assert_int_equal(r.count, 2);
	assert_int_equal(r.capset.count, 1);
	assert_int_equal(r.capset.entries[0].cap, 5);
	assert_int_equal(trace_event_which(r.events[1]), TRACE_EVENT_IS_END);
	recording_free(&r);
	assert_false(recording_find(&r, m.bytes, m.size, 2));
	assert_non_null(strstr(r.error, "no native program"));
	recording_free(&r);
}

static void test_what_it_becomes_is_not_its(void **state)
{
	static struct made m;
	struct recording r;
	(void)state;

	add(&m, 1, 1, start);
	add(&m, 1, 1, enter);
	add(&m, 1, 1, become);
	add(&m, 1, 1, enter);
	assert_true(recording_find(&r, m.bytes, m.size, 1));
	assert_int_equal(r.count, 1);
	recording_free(&r);
}

static void test_several_threads_are_refused(void **state)
{
	static struct made m;
	struct recording r;
	(void)state;

	add(&m, 1, 1, start);
	add(&m, 1, 2, enter);
	assert_false(recording_find(&r, m.bytes, m.size, 1));
	assert_non_null(strstr(r.error, "several threads"));
	recording_free(&r);
}

static void test_damage_after_the_end_counts(void **state)
{
	static struct made m;
	struct recording r;
	(void)state;

	add(&m, 1, 1, start);
	add(&m, 1, 1, end);
	add(&m, 1, 1, enter);
	m.size -= 8;
	assert_false(recording_find(&r, m.bytes, m.size, 1));
	assert_non_null(strstr(r.error, "cut short"));
	recording_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_to_the_end),
		cmocka_unit_test(test_every_cut_is_noticed),
		cmocka_unit_test(test_gaps_are_noticed),
		cmocka_unit_test(test_wrong_frames_are_refused),
		cmocka_unit_test(test_finds_one_process),
		cmocka_unit_test(test_what_it_becomes_is_not_its),
		cmocka_unit_test(test_several_threads_are_refused),
		cmocka_unit_test(test_damage_after_the_end_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
