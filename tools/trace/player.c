/* player.c: see player.h. */
#include "tools/trace/player.h"

#include "abi/libos.capnp.h"
#include "abi/power.capnp.h"
#include "abi/process.capnp.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct ring, field)

static void finish(struct player *p, enum player_state state, const char *format,
                   va_list arguments)
{
	if (p->state != PLAYER_RUNS)
		return;
	p->state = state;
	vsnprintf(p->how, sizeof p->how, format, arguments);
}

void player_stop(struct player *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	finish(p, PLAYER_IMPOSSIBLE, format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void ended(struct player *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	finish(p, PLAYER_ENDED, format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void differs(struct player *p, const char *format,
                                                          ...)
{
	va_list arguments;

	va_start(arguments, format);
	finish(p, PLAYER_DIFFERS, format, arguments);
	va_end(arguments);
}

/* A line of text about something, for free(). */
static char *line_of(void print(FILE *out, const void *what), const void *what)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	print(out, what);
	fclose(out);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void print_asked_line(FILE *out, const void *what)
{
	print_asked(out, what);
}

static void print_event_line(FILE *out, const void *what)
{
	print_event(out, *(const struct trace_event_reader *)what, true);
}

/* -- the recording ------------------------------------------------------------ */

static const struct trace_event_reader *event_at(const struct player *p, size_t index)
{
	return index < p->recording->count ? &p->recording->events[index] : NULL;
}

/* An event as the player sees it. */
enum kind { KIND_NONE, KIND_ENTRY, KIND_LATER, KIND_ENTER, KIND_WOKEN, KIND_END, KIND_BAD };

struct seen {
	enum kind kind;
	bool answered; /* ENTRY: at once */
	struct trace_event_entry_reader entry;
	struct trace_event_completion_reader completion;
	struct trace_event_enter_reader enter;
	struct trace_event_end_reader end;
	enum status status; /* WOKEN */
};

static enum kind look_completion(struct trace_event_reader event, struct seen *s)
{
	if (trace_event_get_completion(event, &s->completion) ||
	    trace_event_completion_get_entry(s->completion, &s->entry))
		return KIND_BAD;
	s->answered = true;
	return trace_event_completion_get_later(s->completion) ? KIND_LATER : KIND_ENTRY;
}

static struct seen look(const struct player *p, size_t index)
{
	const struct trace_event_reader *event = event_at(p, index);
	struct seen s = { .kind = KIND_NONE };

	if (!event)
		return s;
	s.kind = KIND_BAD;
	switch (trace_event_which(*event)) {
	case TRACE_EVENT_IS_COMPLETION:
		s.kind = look_completion(*event, &s);
		break;
	case TRACE_EVENT_IS_ACCEPTED:
		if (!trace_event_get_accepted(*event, &s.entry))
			s.kind = KIND_ENTRY;
		break;
	case TRACE_EVENT_IS_ENTER:
		if (!trace_event_get_enter(*event, &s.enter))
			s.kind = KIND_ENTER;
		break;
	case TRACE_EVENT_IS_WOKEN:
		s.status = (enum status)trace_event_get_woken(*event);
		s.kind = KIND_WOKEN;
		break;
	case TRACE_EVENT_IS_END:
		if (!trace_event_get_end(*event, &s.end))
			s.kind = KIND_END;
		break;
	default:
		break;
	}
	return s;
}

static void show_recorded(struct player *p)
{
	const struct trace_event_reader *event = event_at(p, p->at);

	if (event)
		p->recorded = line_of(print_event_line, event);
}

/* -- the ring ------------------------------------------------------------------- */

static uint32_t read_index(struct player *p, size_t offset)
{
	uint32_t value = 0;

	if (!child_read(p->child, p->ring + offset, &value, sizeof value))
		player_stop(p, "the ring's page is not there any more");
	return value;
}

static void write_ring(struct player *p, size_t offset, const void *bytes, size_t size)
{
	if (!child_write(p->child, p->ring + offset, bytes, size))
		player_stop(p, "the ring's page is not there any more");
}

static uint32_t unconsumed(struct player *p)
{
	return p->cq_tail - read_index(p, AT(cq_head));
}

static struct player_pending *find_pending(struct player *p, bool used, uint32_t number)
{
	for (unsigned i = 0; i < RING_CQ_ENTRIES; i++)
		if (p->pending[i].used == used && (!used || p->pending[i].number == number))
			return &p->pending[i];
	return NULL;
}

static bool has_place(struct player *p)
{
	uint32_t used = unconsumed(p);

	for (unsigned i = 0; i < RING_CQ_ENTRIES; i++)
		used += p->pending[i].used;
	return used < RING_CQ_ENTRIES;
}

/* Posts the recorded completion: results where they were asked for, then the
 * entry of the completion queue. */
static void deliver(struct player *p, struct trace_event_completion_reader c,
                    const struct player_pending *asked)
{
	struct trace_event_entry_reader entry;
	struct ring_cqe cqe = {
		.status = (uint16_t)trace_event_completion_get_status(c),
		.flags = (trace_event_completion_get_exception(c) ? RING_EXCEPTION : 0) |
		         (trace_event_completion_get_posted(c) ? RING_POSTED : 0),
		.results_size = trace_event_completion_get_results_size(c),
	};
	struct capnp_data results;
	struct capnp_list caps;

	if (trace_event_completion_get_results(c, &results) ||
	    trace_event_completion_get_caps(c, &caps) ||
	    trace_event_completion_get_entry(c, &entry)) {
		player_stop(p, "the recording is malformed");
		return;
	}
	if (results.size > asked->room ||
	    (results.size && !child_write(p->child, asked->address, results.bytes, results.size))) {
		player_stop(p, "recorded results do not fit the buffer they were for");
		return;
	}
	for (unsigned i = 0; i < RING_CAPS && i < caps.count; i++)
		cqe.caps[i] = capnp_list_u32(caps, i);
	if (asked->asked.op == RING_CALL && cqe.status == STATUS_OK &&
	    !memory_follow(p->memory, &asked->asked, asked->object, results, cqe.caps, RING_CAPS)) {
		player_stop(p, "%s", p->memory->error);
		return;
	}
	cqe.user_data = trace_event_entry_get_user_data(entry);
	write_ring(p, AT(cq) + p->cq_tail % RING_CQ_ENTRIES * sizeof cqe, &cqe, sizeof cqe);
	p->cq_tail++;
	write_ring(p, AT(cq_tail), &p->cq_tail, sizeof p->cq_tail);
}

static void deliver_later(struct player *p, const struct seen *s)
{
	static const struct player_pending nothing = { .asked = { .op = RING_NOP } };
	uint32_t number = trace_event_entry_get_number(s->entry);
	bool posted = trace_event_completion_get_posted(s->completion);
	struct player_pending *pending = posted ? NULL : find_pending(p, true, number);
	struct asked served;

	p->at++;
	if (!pending && !posted) {
		player_stop(p, "the recording answers entry #%u, which it has not told of", number);
		return;
	}
	/* A chained call is all there only when it is served. */
	if (pending && pending->asked.chained && asked_read(s->entry, &served)) {
		pending->asked = served;
		pending->object = trace_event_entry_get_object(s->entry);
	}
	deliver(p, s->completion, pending ? pending : &nothing);
	if (pending)
		pending->used = false;
}

/* -- entries --------------------------------------------------------------------- */

/* The params that the program's entry has; false: they cannot be read, or are
 * no message. */
static bool read_params(struct player *p, const struct ring_sqe *sqe, uint8_t *buffer,
                        struct capnp_data *params)
{
	*params = (struct capnp_data){ buffer, sqe->params_size };
	return sqe->params_size <= RING_MESSAGE_MAX &&
	       child_read(p->child, sqe->params, buffer, sqe->params_size);
}

static bool has_params(uint8_t op)
{
	return op == RING_CALL || op == RING_RETURN || op == RING_SERVE;
}

static void read_asked(struct player *p, const struct ring_sqe *sqe, uint8_t *buffer,
                       struct asked *a)
{
	*a = (struct asked){
		.op = sqe->op, .method = sqe->method, .cap = sqe->cap, .interface = sqe->interface,
		.address = sqe->params, .second = sqe->results, .room = sqe->results_size,
		.params_size = sqe->params_size, .moved = sqe->caps_move, .chained = sqe->chained,
		.caps_count = sqe->caps_count < RING_CAPS ? sqe->caps_count : RING_CAPS,
	};
	memcpy(a->caps, sqe->caps, sizeof sqe->caps);
	if (!has_params(sqe->op) || !read_params(p, sqe, buffer, &a->params))
		a->params = (struct capnp_data){ NULL, 0 };
}

static bool same_target(const struct asked *a, const struct asked *b)
{
	switch (a->op) {
	case RING_RELEASE:
		return a->cap == b->cap;
	case RING_PARK:
		return a->cap == b->cap && a->address == b->address && a->room == b->room &&
		       a->second == b->second;
	case RING_WAKE:
		return a->cap == b->cap && a->address == b->address && a->room == b->room;
	case RING_CANCEL:
		return a->interface == b->interface;
	case RING_POST:
		return a->cap == b->cap && a->interface == b->interface && a->room == b->room;
	case RING_RECV:
		return a->cap == b->cap && a->room == b->room;
	case RING_CALL:
		return a->cap == b->cap && a->interface == b->interface && a->method == b->method &&
		       a->room == b->room && a->chained == b->chained;
	case RING_RETURN:
	case RING_SERVE:
		return a->cap == b->cap && a->interface == b->interface && a->method == b->method;
	default:
		return true;
	}
}

/* Recorded params that the exokernel did not read are not compared. */
static bool same_params(const struct asked *recorded, const struct asked *replayed)
{
	if (!has_params(recorded->op))
		return true;
	if (recorded->params_size != replayed->params_size)
		return false;
	return recorded->params.size == 0 ||
	       (recorded->params.size == replayed->params.size &&
	        memcmp(recorded->params.bytes, replayed->params.bytes, recorded->params.size) == 0);
}

static bool same_asked(const struct asked *recorded, const struct asked *replayed)
{
	if (recorded->op != replayed->op || !same_target(recorded, replayed) ||
	    !same_params(recorded, replayed))
		return false;
	return !has_params(recorded->op) ||
	       (recorded->caps_count == replayed->caps_count && recorded->moved == replayed->moved &&
	        memcmp(recorded->caps, replayed->caps,
	               recorded->caps_count * sizeof recorded->caps[0]) == 0);
}

static void keep_pending(struct player *p, const struct player_pending *asked)
{
	struct player_pending *free = find_pending(p, false, 0);

	if (!free || find_pending(p, true, asked->number))
		player_stop(p, "the recording has more calls under way than can be");
	else
		*free = *asked;
}

/* Takes the program's next entry, which must be the recorded one. */
static void take_entry(struct player *p, const struct seen *s, uint32_t tail)
{
	_Alignas(8) uint8_t buffer[RING_MESSAGE_MAX];
	struct player_pending recorded = {
		.used = true,
		.number = trace_event_entry_get_number(s->entry),
		.object = trace_event_entry_get_object(s->entry),
	};
	struct asked replayed;
	struct ring_sqe sqe;

	if (!asked_read(s->entry, &recorded.asked)) {
		player_stop(p, "the recording is malformed");
		return;
	}
	if (recorded.number != p->sq_head) {
		player_stop(p, "the recording leaves out an entry before #%u", recorded.number);
		return;
	}
	if (p->sq_head == tail) {
		show_recorded(p);
		differs(p, "the program has queued fewer entries");
		return;
	}
	if (!child_read(p->child, p->ring + AT(sq) + p->sq_head % RING_SQ_ENTRIES * sizeof sqe, &sqe,
	                sizeof sqe)) {
		player_stop(p, "the ring's page is not there any more");
		return;
	}
	read_asked(p, &sqe, buffer, &replayed);
	if (!same_asked(&recorded.asked, &replayed) ||
	    trace_event_entry_get_user_data(s->entry) != sqe.user_data) {
		show_recorded(p);
		p->replayed = line_of(print_asked_line, &replayed);
		differs(p, "the program asks for something else");
		return;
	}
	p->at++;
	p->calls++;
	p->sq_head++;
	write_ring(p, AT(sq_head), &p->sq_head, sizeof p->sq_head);
	recorded.address = sqe.results;
	recorded.room = sqe.results_size;
	if (sqe.op == RING_RELEASE)
		memory_forget(p->memory, sqe.cap);
	if (s->answered)
		deliver(p, s->completion, &recorded);
	else
		keep_pending(p, &recorded);
}

/* -- cap_enter --------------------------------------------------------------------- */

/* The event after the last entry that this cap_enter consumed. */
static size_t entries_end(const struct player *p)
{
	size_t end = p->at;

	for (size_t i = p->at;; i++) {
		enum kind kind = look(p, i).kind;

		if (kind == KIND_ENTRY)
			end = i + 1;
		else if (kind != KIND_LATER)
			return end;
	}
}

static void consume(struct player *p, uint32_t tail)
{
	size_t end = entries_end(p);
	struct ring_sqe sqe;

	while (p->state == PLAYER_RUNS && p->at < end) {
		struct seen s = look(p, p->at);

		if (s.kind == KIND_ENTRY)
			take_entry(p, &s, tail);
		else
			deliver_later(p, &s);
	}
	if (p->state != PLAYER_RUNS || p->sq_head == tail || !has_place(p))
		return;
	/* There is one more, and nothing keeps it from being consumed. */
	if (end > 0 && !look(p, end - 1).answered && look(p, end - 1).kind == KIND_ENTRY &&
	    look(p, end).kind == KIND_NONE)
		return; /* but the last one ended it all */
	if (child_read(p->child, p->ring + AT(sq) + p->sq_head % RING_SQ_ENTRIES * sizeof sqe, &sqe,
	               sizeof sqe)) {
		_Alignas(8) uint8_t buffer[RING_MESSAGE_MAX];
		struct asked replayed;

		read_asked(p, &sqe, buffer, &replayed);
		p->replayed = line_of(print_asked_line, &replayed);
	}
	if (look(p, end).kind == KIND_NONE) {
		player_stop(p, "the recording ends here; the program goes on");
		return;
	}
	show_recorded(p);
	differs(p, "the program has queued more entries");
}

/* The thread does not come back. */
static void stops_here(struct player *p, const struct seen *s)
{
	struct seen last = look(p, p->at - 1);

	if (last.kind == KIND_ENTRY && !last.answered) {
		uint64_t interface = trace_event_entry_get_interface(last.entry);
		uint16_t method = trace_event_entry_get_method(last.entry);
		struct capnp_data params;
		struct capnp_struct root;

		if (interface == POWER_ID && method == POWER_OFF &&
		    !trace_event_entry_get_params(last.entry, &params) &&
		    !capnp_read_root(params.bytes, params.size, &root)) {
			ended(p, "it turns the machine off, status %u", power_off_params_get_status(
				(struct power_off_params_reader){ root }));
			return;
		}
		if (interface == LIBOS_ID && method == LIBOS_BECOME) {
			ended(p, "it becomes a process of another libOS");
			return;
		}
	}
	if (s->kind == KIND_END)
		ended(p, "it is ended from outside, code %d", trace_event_end_get_code(s->end));
	else
		ended(p, "the recording ends while it waits");
}

/* Waits as the thread did. What had come by the time when it called again was
 * there for it to see, so it is there now: the program took its completions
 * without asking anybody. */
static enum status wait(struct player *p, uint64_t least, uint64_t timeout)
{
	enum status status = STATUS_OK;
	struct seen s;

	while (p->state == PLAYER_RUNS && unconsumed(p) < least) {
		s = look(p, p->at);
		if (timeout == 0) {
			status = STATUS_TIMEOUT;
			break;
		}
		if (s.kind == KIND_WOKEN) {
			p->at++;
			status = s.status;
			break;
		}
		if (s.kind != KIND_LATER) {
			stops_here(p, &s);
			return status;
		}
		deliver_later(p, &s);
	}
	for (size_t i = p->at; p->state == PLAYER_RUNS; i++) {
		s = look(p, i);
		if (s.kind == KIND_LATER)
			continue;
		while (s.kind == KIND_ENTER && p->at < i && p->state == PLAYER_RUNS &&
		       (int32_t)(trace_event_enter_get_consumed(s.enter) - p->cq_tail) > 0) {
			struct seen later = look(p, p->at);
			deliver_later(p, &later);
		}
		break;
	}
	return status;
}

/* The recorded cap_enter must be the program's. */
static bool same_enter(struct player *p, uint64_t least, uint64_t timeout)
{
	struct seen s = look(p, p->at);

	if (s.kind == KIND_NONE) {
		player_stop(p, "the recording ends here; the program goes on");
		return false;
	}
	if (s.kind == KIND_END && trace_event_end_get_reason(s.end) != END_REASON_EXITED) {
		ended(p, "it is ended from outside, code %d", trace_event_end_get_code(s.end));
		return false;
	}
	if (s.kind == KIND_ENTER && trace_event_enter_get_ring(s.enter) == TRACE_EVENT_RING_PROGRAM &&
	    trace_event_enter_get_least(s.enter) == least &&
	    trace_event_enter_get_timeout(s.enter) == timeout &&
	    trace_event_enter_get_consumed(s.enter) == read_index(p, AT(cq_head))) {
		p->at++;
		return p->state == PLAYER_RUNS;
	}
	show_recorded(p);
	differs(p, "the program calls cap_enter(%llu, %llu), %u completions consumed",
	        (unsigned long long)least, (unsigned long long)timeout, read_index(p, AT(cq_head)));
	return false;
}

enum status player_enter(struct player *p, uint64_t least, uint64_t timeout)
{
	uint32_t tail = read_index(p, AT(sq_tail));
	struct seen s;

	/* What came after the last cap_enter had returned. */
	while (p->state == PLAYER_RUNS && (s = look(p, p->at)).kind == KIND_LATER)
		deliver_later(p, &s);
	if (p->state != PLAYER_RUNS || !same_enter(p, least, timeout))
		return STATUS_OK;
	if (least > RING_CQ_ENTRIES || tail - p->sq_head > RING_SQ_ENTRIES)
		return STATUS_INVALID;
	consume(p, tail);
	if (p->state != PLAYER_RUNS)
		return STATUS_OK;
	s = look(p, p->at - 1);
	if (s.kind == KIND_ENTRY && !s.answered && look(p, p->at).kind == KIND_NONE &&
	    unconsumed(p) < least) {
		stops_here(p, &(struct seen){ .kind = KIND_NONE });
		return STATUS_OK;
	}
	return wait(p, least, timeout);
}

void player_exit(struct player *p, int32_t code)
{
	struct seen s = look(p, p->at);

	while (p->state == PLAYER_RUNS && s.kind == KIND_LATER) {
		deliver_later(p, &s);
		s = look(p, p->at);
	}
	if (s.kind == KIND_NONE) {
		player_stop(p, "the recording ends here; the program exits with %d", code);
	} else if (s.kind == KIND_END && trace_event_end_get_reason(s.end) == END_REASON_EXITED &&
	           trace_event_end_get_code(s.end) == code) {
		ended(p, "it exits, code %d", code);
	} else {
		show_recorded(p);
		differs(p, "the program exits with code %d", code);
	}
}

void player_fault(struct player *p, uint64_t instruction)
{
	struct seen s = look(p, p->at);

	while (p->state == PLAYER_RUNS && s.kind == KIND_LATER) {
		deliver_later(p, &s);
		s = look(p, p->at);
	}
	if (s.kind == KIND_END && trace_event_end_get_reason(s.end) == END_REASON_FAULTED &&
	    trace_event_end_get_instruction(s.end) == instruction) {
		ended(p, "it faults at %llx", (unsigned long long)instruction);
		return;
	}
	show_recorded(p);
	differs(p, "the program faults at %llx", (unsigned long long)instruction);
}
