/* console.c: see console.h. What arrives is kept until somebody reads; when the
 * buffer is full the newest bytes are lost, as on any serial line. */
#include "kernel/console.h"

#include "abi/console.capnp.h"
#include "kernel/arch/x86_64/uart.h"
#include "kernel/panic.h"
#include "kernel/ring.h"

enum { INPUT_SIZE = 4096, READ_MOST = 2048 };

static uint8_t input[INPUT_SIZE];
static uint32_t input_head, input_tail; /* run freely */
static struct pending *reader;
static uint32_t reader_most;

static uint32_t fill_data(uint8_t *to, uint32_t most)
{
	uint32_t count = 0;

	while (count < most && input_head != input_tail)
		to[count++] = input[input_head++ % INPUT_SIZE];
	return count;
}

static uint32_t waiting_bytes(uint32_t most)
{
	uint32_t there = input_tail - input_head;

	return there < most ? there : most;
}

static void build_read(struct capnp_builder *b, uint32_t most)
{
	struct console_read_results_builder results = console_read_results_build(b);
	uint32_t count = waiting_bytes(most);
	uint8_t *to = console_read_results_init_data(results, count);

	if (to)
		fill_data(to, count);
}

static void answer_reader(void)
{
	static uint64_t message[READ_MOST / 8 + 8];
	struct capnp_builder b;
	struct pending *p = reader;

	reader = NULL;
	capnp_builder_start(&b, message, sizeof(message));
	build_read(&b, reader_most);
	pending_answer(p, b.status, message, (uint32_t)capnp_builder_size(&b));
}

void console_input(void)
{
	uint8_t bytes[64];
	size_t count;

	while ((count = uart_read(bytes, sizeof(bytes))) > 0)
		for (size_t i = 0; i < count; i++)
			if (input_tail - input_head < INPUT_SIZE)
				input[input_tail++ % INPUT_SIZE] = bytes[i];
	if (reader && input_head != input_tail)
		answer_reader();
}

static void cancel_read(struct pending *p)
{
	KASSERT(p == reader);
	reader = NULL;
	pending_free(p);
}

static enum status call_read(struct call *call)
{
	struct console_read_params_reader params = {call->params};
	uint32_t most = console_read_params_get_most(params);
	uint32_t overhead = CONSOLE_READ_RESULTS_MESSAGE_BYTES + 8;

	if (reader)
		return call_refuse(call, STATUS_BUSY, "somebody else is reading");
	if (most == 0)
		return call_refuse(call, STATUS_INVALID, "a read of no bytes");
	if (call->results_size <= overhead)
		return call_refuse(call, STATUS_TOO_SMALL, "no room for one byte");
	if (most > call->results_size - overhead)
		most = call->results_size - overhead;
	if (most > READ_MOST)
		most = READ_MOST;
	if (input_head != input_tail) {
		build_read(&call->results, most);
		return STATUS_OK;
	}
	reader = pending_create(call, cancel_read);
	if (!reader)
		return STATUS_NO_MEMORY;
	reader_most = most;
	return CALL_PENDING;
}

static enum status call_write(struct call *call)
{
	struct console_write_params_reader params = {call->params};
	struct capnp_data data;
	enum status status = console_write_params_get_data(params, &data);

	if (!status)
		uart_write(data.bytes, data.size);
	return status;
}

static enum status console_call(struct object *o, struct call *call)
{
	(void)o;
	switch (call->method) {
	case CONSOLE_WRITE:
		return call_write(call);
	case CONSOLE_READ:
		return call_read(call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void console_destroy(struct object *o)
{
	(void)o;
	panic("the console lost its last reference");
}

static const struct object_type console_type = {
	.name = "console",
	.interface = CONSOLE_ID,
	.call = console_call,
	.destroy = console_destroy,
};

struct object *console_object(void)
{
	static struct object object = {.type = &console_type, .refs = 1};

	object_hold(&object);
	return &object;
}
