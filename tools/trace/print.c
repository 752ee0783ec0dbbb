/* print.c: see print.h. */
#include "tools/trace/print.h"

#include "abi/exception.capnp.h"
#include "abi/ring.h"
#include "tools/trace/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_SHOWN = 48, DEPTH_MAX = 4, LISTED_MAX = 8 };

static const char *const ops[] = {
	"NOP", "CALL", "RELEASE", "PARK", "WAKE", "RECV", "RETURN", "SERVE", "CANCEL", "POST",
};
_Static_assert(sizeof ops / sizeof ops[0] == RING_OP_COUNT, "one name each");

const char *print_status(unsigned status)
{
	static const char *const names[] = {
		"ok", "invalid argument", "no such capability", "no such method", "out of memory",
		"no free slot", "exists already", "not found", "denied", "busy", "timed out",
		"bad buffer", "does not fit", "gone", "malformed", "interrupted", "changed meanwhile",
		"cancelled", "out of CPU time",
	};
	_Static_assert(sizeof names / sizeof names[0] == STATUS_COUNT, "one name each");
	return status < STATUS_COUNT ? names[status] : "unknown status";
}

void print_bytes(FILE *out, const void *bytes, size_t size)
{
	const unsigned char *c = bytes;

	putc('"', out);
	for (size_t i = 0; i < size && i < BYTES_SHOWN; i++) {
		if (c[i] == '\n')
			fputs("\\n", out);
		else if (c[i] < ' ' || c[i] > '~' || c[i] == '"' || c[i] == '\\')
			fprintf(out, "\\x%02x", c[i]);
		else
			putc(c[i], out);
	}
	putc('"', out);
	if (size > BYTES_SHOWN)
		fprintf(out, "... %zu bytes", size);
}

/* The libOS's id and the like: as they are where they are plain. */
static void print_name(FILE *out, struct capnp_text text)
{
	for (size_t i = 0; i < text.length && i < BYTES_SHOWN; i++)
		putc(text.bytes[i] >= ' ' && text.bytes[i] <= '~' ? text.bytes[i] : '?', out);
}

/* The ids that a message's capability pointers count in. */
struct ids {
	unsigned count;
	uint32_t id[8];
};

static void read_ids(struct capnp_list list, struct ids *ids)
{
	ids->count = list.count < LISTED_MAX ? list.count : LISTED_MAX;
	for (unsigned i = 0; i < ids->count; i++)
		ids->id[i] = capnp_list_u32(list, i);
}

bool asked_read(struct trace_event_entry_reader e, struct asked *a)
{
	struct capnp_list caps;
	struct ids ids;

	*a = (struct asked){
		.op = (uint8_t)trace_event_entry_get_op(e),
		.method = trace_event_entry_get_method(e),
		.cap = trace_event_entry_get_cap(e),
		.interface = trace_event_entry_get_interface(e),
		.address = trace_event_entry_get_params_address(e),
		.second = trace_event_entry_get_results_address(e),
		.room = trace_event_entry_get_results_room(e),
		.params_size = trace_event_entry_get_params_size(e),
		.moved = trace_event_entry_get_moved(e),
		.chained = trace_event_entry_get_chained(e),
	};
	if (trace_event_entry_get_params(e, &a->params) || trace_event_entry_get_type(e, &a->type) ||
	    trace_event_entry_get_caps(e, &caps))
		return false;
	read_ids(caps, &ids);
	a->caps_count = ids.count;
	memcpy(a->caps, ids.id, sizeof a->caps);
	return true;
}

static void print_fields(FILE *out, struct capnp_struct s, uint64_t type, const struct ids *ids,
                         unsigned depth);

static void print_number(FILE *out, struct capnp_struct s, const struct names_field *f)
{
	uint64_t bits = f->value;

	switch (f->kind) {
	case NAMES_BOOL:
		fputs(capnp_get_bool(s, f->offset, bits) ? "true" : "false", out);
		return;
	case NAMES_I8:
		fprintf(out, "%d", (int8_t)capnp_get_u8(s, f->offset, (uint8_t)bits));
		return;
	case NAMES_I16:
		fprintf(out, "%d", (int16_t)capnp_get_u16(s, f->offset, (uint16_t)bits));
		return;
	case NAMES_I32:
		fprintf(out, "%" PRId32, (int32_t)capnp_get_u32(s, f->offset, (uint32_t)bits));
		return;
	case NAMES_I64:
		fprintf(out, "%" PRId64, (int64_t)capnp_get_u64(s, f->offset, bits));
		return;
	case NAMES_U8:
		bits = capnp_get_u8(s, f->offset, (uint8_t)bits);
		break;
	case NAMES_U16:
		bits = capnp_get_u16(s, f->offset, (uint16_t)bits);
		break;
	case NAMES_U32:
		bits = capnp_get_u32(s, f->offset, (uint32_t)bits);
		break;
	default:
		bits = capnp_get_u64(s, f->offset, bits);
	}
	/* Large numbers are addresses and ids. */
	fprintf(out, bits < 1ull << 32 ? "%" PRIu64 : "0x%" PRIx64, bits);
}

static void print_capability(FILE *out, struct capnp_struct s, uint32_t offset,
                             const struct ids *ids)
{
	uint32_t index;

	if (capnp_get_capability(&s, offset, &index))
		fputs("null", out);
	else if (index < ids->count)
		fprintf(out, "cap %x", ids->id[index]);
	else
		fprintf(out, "cap #%" PRIu32, index);
}

static void print_field(FILE *out, struct capnp_struct s, const struct names_field *f,
                        const struct ids *ids, unsigned depth)
{
	struct capnp_struct inner;
	struct capnp_text text;
	struct capnp_data data;
	struct capnp_list list;

	switch (f->kind) {
	case NAMES_VOID:
		fputs("void", out);
		break;
	case NAMES_TEXT:
		if (!capnp_get_text(&s, f->offset, &text))
			print_bytes(out, text.bytes, text.length);
		break;
	case NAMES_DATA:
		if (!capnp_get_data(&s, f->offset, &data))
			print_bytes(out, data.bytes, data.size);
		break;
	case NAMES_LIST:
		/* Only how many: any list but one of bits can be read as one of voids. */
		if (!capnp_get_list(&s, f->offset, CAPNP_VOID, &list))
			fprintf(out, "[%" PRIu32 "]", list.count);
		else
			fputs("[...]", out);
		break;
	case NAMES_STRUCT:
		if (depth < DEPTH_MAX && !capnp_get_struct(&s, f->offset, &inner))
			print_fields(out, inner, f->of, ids, depth + 1);
		break;
	case NAMES_CAPABILITY:
		print_capability(out, s, f->offset, ids);
		break;
	default:
		print_number(out, s, f);
	}
}

static void print_fields(FILE *out, struct capnp_struct s, uint64_t type, const struct ids *ids,
                         unsigned depth)
{
	const struct names_struct *names = names_struct(type);
	const char *between = "";

	putc('(', out);
	for (const struct names_field *f = names ? names->fields : NULL; f && f->name; f++) {
		fprintf(out, "%s%s = ", between, f->name);
		print_field(out, s, f, ids, depth);
		between = ", ";
	}
	putc(')', out);
}

/* A message, as the struct it should be. Its bytes stand in another message and
 * so are 8-aligned. */
static void print_message(FILE *out, struct capnp_data message, uint64_t type,
                          const struct ids *ids)
{
	struct capnp_struct root;

	if (capnp_read_root(message.bytes, message.size, &root))
		fprintf(out, "(malformed, %zu bytes)", message.size);
	else if (!names_struct(type))
		fprintf(out, "(%zu bytes)", message.size);
	else
		print_fields(out, root, type, ids, 0);
}

static void print_call(FILE *out, const struct asked *a)
{
	const struct names_interface *interface = names_interface(a->interface);
	const struct names_method *method = names_method(a->interface, a->method);
	struct ids ids = { .count = a->caps_count };

	memcpy(ids.id, a->caps, sizeof ids.id);
	if (interface)
		fprintf(out, "%s.", interface->name);
	else
		fprintf(out, "%" PRIx64 ".", a->interface);
	if (method)
		fputs(method->name, out);
	else
		fprintf(out, "%u", a->method);
	print_message(out, a->params, method ? method->params : 0, &ids);
	if (a->params.size == 0 && a->params_size)
		fprintf(out, ", %" PRIu32 " bytes of params", a->params_size);
	fprintf(out, " on cap %x", a->cap);
	for (unsigned i = 0; i < a->caps_count; i++)
		fprintf(out, "%s %x", i ? "," : a->moved ? ", passing and moving" : ", passing", a->caps[i]);
}

void print_asked(FILE *out, const struct asked *a)
{
	if (a->op == RING_CALL) {
		print_call(out, a);
		return;
	}
	if (a->op < RING_OP_COUNT)
		fputs(ops[a->op], out);
	else
		fprintf(out, "operation %u", a->op);
	switch (a->op) {
	case RING_PARK:
		fprintf(out, " at %" PRIx64 " while %" PRIu32, a->address, a->room);
		if (a->second != RING_FOREVER)
			fprintf(out, ", at most %" PRIu64 " ns", a->second);
		break;
	case RING_WAKE:
		fprintf(out, " %" PRIu32 " at %" PRIx64, a->room, a->address);
		break;
	case RING_RELEASE:
	case RING_RECV:
		fprintf(out, " cap %x", a->cap);
		if (a->type.length) {
			fputs(", ", out);
			print_name(out, a->type);
		}
		break;
	case RING_RETURN:
	case RING_SERVE:
		fprintf(out, " %" PRIx64 ": %s, %" PRIu32 " bytes", a->interface, print_status(a->method),
		        a->params_size);
		break;
	case RING_CANCEL:
	case RING_POST:
		fprintf(out, " %" PRIx64, a->interface);
		break;
	}
}

static void print_exception(FILE *out, struct capnp_data results)
{
	struct exception_reader exception;
	struct capnp_text reason;

	if (exception_read(results.bytes, results.size, &exception) ||
	    exception_get_reason(exception, &reason) || reason.length == 0)
		return;
	fputs(": ", out);
	print_bytes(out, reason.bytes, reason.length);
}

void print_answer(FILE *out, struct trace_event_completion_reader c, uint64_t interface,
                  uint16_t method)
{
	const struct names_method *names = names_method(interface, method);
	struct trace_event_entry_reader entry;
	struct capnp_data results;
	struct capnp_list caps;
	struct ids ids;

	fputs(print_status(trace_event_completion_get_status(c)), out);
	if (trace_event_completion_get_results(c, &results) ||
	    trace_event_completion_get_caps(c, &caps) ||
	    trace_event_completion_get_entry(c, &entry))
		return;
	read_ids(caps, &ids);
	if (trace_event_completion_get_exception(c)) {
		print_exception(out, results);
	} else if (results.size > 0 && trace_event_entry_get_op(entry) == TRACE_EVENT_OP_CALL) {
		putc(' ', out);
		print_message(out, results, names ? names->results : 0, &ids);
	} else if (trace_event_completion_get_results_size(c)) {
		fprintf(out, " %" PRIu32, trace_event_completion_get_results_size(c));
	}
}

static void print_duration(FILE *out, uint64_t ns)
{
	if (ns < 10000000)
		fprintf(out, "  %.1f us", (double)ns / 1e3);
	else
		fprintf(out, "  %.1f ms", (double)ns / 1e6);
}

/* What was asked, where `accepted` has told the rest. */
static void print_later(FILE *out, const struct asked *a, uint32_t number)
{
	const struct names_interface *interface = names_interface(a->interface);
	const struct names_method *method = names_method(a->interface, a->method);

	if (a->op == RING_CALL && method)
		fprintf(out, "%s.%s", interface->name, method->name);
	else
		fputs(a->op < RING_OP_COUNT ? ops[a->op] : "operation", out);
	fprintf(out, ", asked in #%" PRIu32, number);
}

static void print_completion(FILE *out, struct trace_event_completion_reader c)
{
	struct trace_event_entry_reader entry;
	struct asked a;

	if (trace_event_completion_get_entry(c, &entry) || !asked_read(entry, &a)) {
		fputs("malformed\n", out);
		return;
	}
	if (trace_event_completion_get_posted(c)) {
		fprintf(out, "posted, user data %" PRIx64 "\n", trace_event_entry_get_user_data(entry));
		return;
	}
	if (trace_event_completion_get_later(c))
		print_later(out, &a, trace_event_entry_get_number(entry));
	else
		print_asked(out, &a);
	fputs(" -> ", out);
	print_answer(out, c, a.interface, a.method);
	print_duration(out, trace_event_completion_get_duration(c));
	putc('\n', out);
}

static void print_accepted(FILE *out, struct trace_event_entry_reader entry)
{
	struct asked a;

	if (asked_read(entry, &a))
		print_asked(out, &a);
	fprintf(out, " -> not yet (#%" PRIu32 ")\n", trace_event_entry_get_number(entry));
}

static void print_start(FILE *out, struct trace_event_start_reader start)
{
	struct trace_event_image_reader image;

	fprintf(out, "starts at %" PRIx64, trace_event_start_get_entry(start));
	if (!trace_event_start_get_image(start, &image) && trace_event_image_get_pages(image))
		fprintf(out, ", image %016" PRIx64, trace_event_image_get_checksum(image));
	putc('\n', out);
}

static void print_end(FILE *out, struct trace_event_end_reader end)
{
	static const char *const reasons[] = { "exits", "is killed", "faults", "has moved",
	                                       "ends with its ledger" };
	uint32_t reason = trace_event_end_get_reason(end);

	fprintf(out, "%s, code %" PRId32,
	        reason < sizeof reasons / sizeof *reasons ? reasons[reason] : "ends",
	        trace_event_end_get_code(end));
	if (trace_event_end_get_instruction(end))
		fprintf(out, ", at %" PRIx64, trace_event_end_get_instruction(end));
	putc('\n', out);
}

static void print_enter(FILE *out, struct trace_event_enter_reader enter)
{
	fprintf(out, "cap_enter(%" PRIu64, trace_event_enter_get_least(enter));
	if (trace_event_enter_get_timeout(enter) == RING_FOREVER)
		fputs(")\n", out);
	else
		fprintf(out, ", %" PRIu64 " ns)\n", trace_event_enter_get_timeout(enter));
}

void print_event(FILE *out, struct trace_event_reader event, bool all)
{
	struct trace_event_completion_reader completion;
	struct trace_event_entry_reader accepted;
	struct trace_event_enter_reader enter;
	struct trace_event_start_reader start;
	struct trace_event_end_reader end;
	struct capnp_text libos;

	if (trace_event_which(event) == TRACE_EVENT_IS_ENTER && !all)
		return;
	fprintf(out, "%10.3f ms  ", (double)trace_event_get_time(event) / 1e6);
	if (!trace_event_get_libos(event, &libos))
		print_name(out, libos);
	fprintf(out, " pid %" PRIu32 " thread %" PRIu32 "  ", trace_event_get_pid(event),
	        trace_event_get_thread(event));
	if (!trace_event_get_completion(event, &completion) &&
	    trace_event_which(event) == TRACE_EVENT_IS_COMPLETION)
		print_completion(out, completion);
	else if (!trace_event_get_accepted(event, &accepted) &&
	         trace_event_which(event) == TRACE_EVENT_IS_ACCEPTED)
		print_accepted(out, accepted);
	else if (!trace_event_get_enter(event, &enter) &&
	         trace_event_which(event) == TRACE_EVENT_IS_ENTER)
		print_enter(out, enter);
	else if (!trace_event_get_start(event, &start) &&
	         trace_event_which(event) == TRACE_EVENT_IS_START)
		print_start(out, start);
	else if (!trace_event_get_end(event, &end) &&
	         trace_event_which(event) == TRACE_EVENT_IS_END)
		print_end(out, end);
	else if (trace_event_which(event) == TRACE_EVENT_IS_WOKEN)
		fprintf(out, "wait ends: %s\n", print_status(trace_event_get_woken(event)));
	else
		fputs("an event that this tool does not know\n", out);
}
