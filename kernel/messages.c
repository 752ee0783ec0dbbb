/* messages.c: see messages.h and abi/messages.capnp. */
#include "kernel/messages.h"

#include "abi/messages.capnp.h"
#include "kernel/domain.h"
#include "kernel/libos.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/ring.h"
#include "kernel/string.h"

enum {
	MESSAGE_MAX = 256,
	SHARED = 16,      /* places beside the one that each sender has */
	SENDER_MOST = 5,  /* of one sender's at a time, that one included */
	PLACES = LIBOS_MAX + SHARED,
	BUFFER_PAGES = 4,
	PAGE_PLACES = PLACES / BUFFER_PAGES,
	ANSWER_ROOM = 384, /* the largest answer: LIBOS_NAME and MESSAGE_MAX in it */
};

struct message {
	uint64_t sender; /* its serial number */
	struct message *next;
	uint32_t size;
	char from[LIBOS_NAME];
	uint8_t data[MESSAGE_MAX];
};
_Static_assert(PLACES % BUFFER_PAGES == 0 &&
               sizeof(struct message) * PAGE_PLACES <= PAGE_SIZE, "places fill the pages");

struct message_buffer {
	struct object object;
	struct libos *owner; /* NULL: closed */
	struct ledger *ledger;
	uint64_t serial; /* the owner's, as a sender: never used again */
	void *pages[BUFFER_PAGES];
	struct message *head, **tail, *free;
	uint32_t count;
	uint32_t shared; /* places taken beyond each sender's own */
	struct pending_queue receivers;
	struct message_buffer *next_open;
};

static struct message_buffer *open_buffers;

static void put_free(struct message_buffer *b, struct message *m)
{
	m->next = b->free;
	b->free = m;
}

static void free_pages(struct message_buffer *b)
{
	for (unsigned i = 0; i < BUFFER_PAGES && b->pages[i]; i++)
		page_free(b->pages[i]);
}

struct message_buffer *message_buffer_create(struct libos *owner)
{
	static uint64_t serials;
	struct ledger *ledger = owner->domain->ledger;
	struct message_buffer *b = block_alloc(ledger, sizeof(*b));

	if (!b)
		return NULL;
	for (unsigned i = 0; i < BUFFER_PAGES; i++) {
		b->pages[i] = page_alloc(ledger);
		if (!b->pages[i]) {
			free_pages(b);
			block_free(b, sizeof(*b), ledger);
			return NULL;
		}
		for (unsigned j = 0; j < PAGE_PLACES; j++)
			put_free(b, (struct message *)b->pages[i] + j);
	}
	object_init(&b->object, &message_buffer_type);
	b->owner = owner;
	b->ledger = ledger;
	b->serial = ++serials;
	b->tail = &b->head;
	b->next_open = open_buffers;
	open_buffers = b;
	return b;
}

struct object *message_buffer_object(struct message_buffer *b)
{
	return &b->object;
}

/* What that sender left: its name may soon be another's. */
static void forget_sender(struct message_buffer *b, uint64_t sender)
{
	struct message **link = &b->head;
	struct message *m;
	uint32_t found = 0;

	while ((m = *link)) {
		if (m->sender != sender) {
			link = &m->next;
			continue;
		}
		*link = m->next;
		put_free(b, m);
		found++;
	}
	b->tail = link;
	b->count -= found;
	b->shared -= found > 1 ? found - 1 : 0;
}

static void leave_open(struct message_buffer *b)
{
	struct message_buffer **link = &open_buffers;

	while (*link != b)
		link = &(*link)->next_open;
	*link = b->next_open;
	for (struct message_buffer *other = open_buffers; other; other = other->next_open)
		forget_sender(other, b->serial);
}

void message_buffer_close(struct message_buffer *b)
{
	leave_open(b);
	b->owner = NULL;
	while (b->receivers.head) {
		struct pending *waiter = b->receivers.head;

		pending_unlink(&b->receivers, waiter);
		pending_answer(waiter, STATUS_GONE, NULL, 0);
	}
	free_pages(b);
	b->head = NULL;
	object_drop(&b->object);
}

static void buffer_destroy(struct object *o)
{
	struct message_buffer *b = (struct message_buffer *)o;

	KASSERT(!b->owner && !b->receivers.head);
	block_free(b, sizeof(*b), b->ledger);
}

static uint32_t count_from(const struct message_buffer *b, uint64_t sender)
{
	uint32_t count = 0;

	for (const struct message *m = b->head; m; m = m->next)
		count += m->sender == sender;
	return count;
}

/* A place for one more of that sender's, or NULL. */
static struct message *take_place(struct message_buffer *b, uint64_t sender)
{
	uint32_t has = count_from(b, sender);
	struct message *m = b->free;

	if (has > 0 && (has == SENDER_MOST || b->shared == SHARED))
		return NULL;
	KASSERT(m); /* there are no more senders than libOSes: message_buffer_close */
	b->free = m->next;
	b->shared += has > 0;
	b->count++;
	return m;
}

static void append(struct message_buffer *b, struct message *m)
{
	m->next = NULL;
	*b->tail = m;
	b->tail = &m->next;
}

/* The sender's others move up: if there are any, one of them has its own place
 * now. */
static void release_first(struct message_buffer *b)
{
	struct message *m = b->head;

	b->head = m->next;
	if (!b->head)
		b->tail = &b->head;
	b->count--;
	b->shared -= count_from(b, m->sender) > 0;
	put_free(b, m);
}

static void build_answer(struct capnp_builder *b, const char *from, struct capnp_data data)
{
	struct message_buffer_receive_results_builder results =
		message_buffer_receive_results_build(b);

	message_buffer_receive_results_set_from(results, capnp_text_from(from));
	message_buffer_receive_results_set_data(results, data);
}

static void answer_receiver(struct message_buffer *b, const struct message_buffer *from,
                            struct capnp_data data)
{
	struct pending *waiter = b->receivers.head;
	uint64_t message[ANSWER_ROOM / 8];
	struct capnp_builder builder;

	pending_unlink(&b->receivers, waiter);
	capnp_builder_start(&builder, message, sizeof(message));
	build_answer(&builder, from->owner->id, data);
	KASSERT(!builder.status);
	pending_answer(waiter, STATUS_OK, message, (uint32_t)capnp_builder_size(&builder));
}

static enum status call_send(struct message_buffer *from, struct call *call)
{
	struct message_buffer_send_params_reader params = {call->params};
	struct capnp_text name;
	struct capnp_data data;
	struct message *m;
	struct libos *to;
	enum status status = message_buffer_send_params_get_to(params, &name);

	if (!status)
		status = message_buffer_send_params_get_data(params, &data);
	if (status)
		return status;
	if (data.size > MESSAGE_MAX)
		return call_refuse(call, STATUS_INVALID, "a message is 256 bytes at most");
	to = libos_find(name.bytes, name.length);
	if (!to || !to->messages)
		return call_refuse(call, STATUS_NOT_FOUND, "nobody of that name can be sent to");
	if (to->messages->receivers.head) {
		answer_receiver(to->messages, from, data);
		return STATUS_OK;
	}
	m = take_place(to->messages, from->serial);
	if (!m)
		return call_refuse(call, STATUS_BUSY, "it has not taken what was sent before");
	m->sender = from->serial;
	m->size = (uint32_t)data.size;
	memcpy(m->from, from->owner->id, sizeof(m->from));
	memcpy(m->data, data.bytes, data.size);
	append(to->messages, m);
	return STATUS_OK;
}

static void cancel_receive(struct pending *waiter)
{
	struct message_buffer *b = (struct message_buffer *)waiter->argument;

	pending_unlink(&b->receivers, waiter);
	pending_free(waiter);
}

static enum status call_receive(struct message_buffer *b, struct call *call)
{
	struct message *m = b->head;
	struct pending *waiter;

	if (call->results_size < ANSWER_ROOM)
		return call_refuse(call, STATUS_TOO_SMALL, "the largest message would not fit");
	if (m) {
		build_answer(&call->results, m->from, capnp_data_from(m->data, m->size));
		release_first(b);
		return STATUS_OK;
	}
	if (pending_count(&b->receivers) == PENDING_QUEUE_MOST)
		return call_refuse(call, STATUS_BUSY, "1,024 wait already");
	waiter = pending_create(call, cancel_receive);
	if (!waiter)
		return STATUS_NO_MEMORY;
	waiter->argument = (uint64_t)b; /* closed before it goes, with all that wait */
	pending_append(&b->receivers, waiter);
	return CALL_PENDING;
}

static enum status buffer_call(struct object *o, struct call *call)
{
	struct message_buffer *b = (struct message_buffer *)o;

	if (call->thread->process->libos->isolated)
		return call_refuse(call, STATUS_DENIED, "an isolated libOS reaches no other");
	if (!b->owner)
		return STATUS_GONE;
	switch (call->method) {
	case MESSAGE_BUFFER_SEND:
		return call_send(b, call);
	case MESSAGE_BUFFER_RECEIVE:
		return call_receive(b, call);
	case MESSAGE_BUFFER_WAITING:
		message_buffer_waiting_results_set_messages(
			message_buffer_waiting_results_build(&call->results), b->count);
		return STATUS_OK;
	default:
		return STATUS_NO_METHOD;
	}
}

const struct object_type message_buffer_type = {
	.name = "message buffer",
	.interface = MESSAGE_BUFFER_ID,
	.call = buffer_call,
	.destroy = buffer_destroy,
};
