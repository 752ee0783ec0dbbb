/* trace.c: see trace.h. A message is built in one buffer and goes out whole. */
#include "kernel/trace.h"

#include "kernel/arch/x86_64/cpu.h"

#include "abi/process.capnp.h"
#include "abi/trace.capnp.h"
#include "core/checksum.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/libos.h"
#include "kernel/process.h"
#include "kernel/reach.h"
#include "kernel/revoker.h"
#include "kernel/string.h"

_Static_assert((int)RING_OP_COUNT == TRACE_EVENT_OP_POST + 1, "abi/trace.capnp, Op");
_Static_assert((int)STATUS_COUNT == TRACE_EVENT_STATUS_BUDGET + 1, "abi/trace.capnp, Status");
_Static_assert((int)RING_MODULE == TRACE_EVENT_RING_MODULE, "abi/trace.capnp, Ring");

enum {
	REST_MAX = 1024,        /* of a message, beside params, results and CapSet */
	IMAGE_PAGES_MAX = 4096, /* to either side of the entry */
	OPEN_MAX = 256,
};

bool trace_on;

static uint64_t events;

/* An entry that was consumed: what its completion is to say of it, now or later. */
struct mark {
	const struct thread *thread; /* NULL: none */
	uint32_t sq;
	uint8_t ring, op;
	uint16_t method;
	uint32_t cap;
	uint64_t interface;
	const struct object *object;
	const struct object_type *type;
	uint64_t results;
	uint64_t time;
};

/* The entry that is being served. */
static struct {
	struct mark mark; /* thread: NULL once something has been written about it */
	struct ring_sqe sqe;
	uint32_t params_size;
	uint8_t params[RING_MESSAGE_MAX] __attribute__((aligned(CAPNP_WORD)));
} now;

/* Those that wait. When there are more, their completions say less. */
static struct mark open[OPEN_MAX];

/* One segment, and the table of segments that stands before it. */
static struct {
	uint32_t segments_less_one, words;
	uint64_t segment[(2 * RING_MESSAGE_MAX + REST_MAX) / CAPNP_WORD];
} message;
_Static_assert(sizeof(struct capset) <= RING_MESSAGE_MAX, "a start fits too");

static struct capnp_builder builder;

void trace_init(void)
{
	trace_on = inb(TRACE_PORT) == TRACE_READBACK;
	for (unsigned i = 0; i < cpu_count; i++)
		cpus[i]->long_way = trace_on ? LONG_WAY_TRACED : 0;
}

static struct trace_event_builder begin(const struct thread *t)
{
	const struct libos *l = t->process->libos;
	struct trace_event_builder event;

	capnp_builder_start(&builder, message.segment, sizeof(message.segment));
	event = trace_event_build(&builder);
	trace_event_set_sequence(event, events++);
	trace_event_set_time(event, clock_now());
	trace_event_set_libos(event, capnp_text_from(l ? l->id : ""));
	trace_event_set_pid(event, t->process->pid);
	trace_event_set_thread(event, t->number);
	return event;
}

static void write(void)
{
	size_t size = capnp_builder_size(&builder);

	KASSERT(size > 0); /* REST_MAX is enough */
	message.words = (uint32_t)(size / CAPNP_WORD);
	outsb(TRACE_PORT, &message, offsetof(__typeof__(message), segment) + size);
}

/* -- marks ------------------------------------------------------------------------ */

static bool is_of(const struct mark *m, const struct thread *t, unsigned ring, uint32_t sq)
{
	return m->thread == t && m->ring == ring && m->sq == sq;
}

static struct mark *find_open(const struct thread *t, unsigned ring, uint32_t sq)
{
	for (unsigned i = 0; i < OPEN_MAX; i++)
		if (is_of(&open[i], t, ring, sq))
			return &open[i];
	return NULL;
}

static void keep_open(const struct mark *m)
{
	for (unsigned i = 0; i < OPEN_MAX; i++)
		if (!open[i].thread) {
			open[i] = *m;
			return;
		}
}

/* The thread's entries will not be answered any more. */
static void forget(const struct thread *t)
{
	for (unsigned i = 0; i < OPEN_MAX; i++)
		if (open[i].thread == t)
			open[i].thread = NULL;
}

/* -- entries and completions ---------------------------------------------------------- */

static bool has_params(uint8_t op)
{
	return op == RING_CALL || op == RING_RETURN || op == RING_SERVE;
}

/* Are cqe->results_size bytes results, and no count? */
static bool has_results(uint8_t op)
{
	return op == RING_CALL || op == RING_RECV || op == RING_SERVE;
}

static const struct object *target_of(const struct thread *t, unsigned ring,
                                      const struct ring_sqe *sqe)
{
	struct domain *d = thread_domain(t, ring);
	struct object *o;

	if (!d || sqe->op == RING_NOP || sqe->op == RING_RETURN || sqe->op == RING_CANCEL ||
	    (sqe->op == RING_CALL && sqe->chained))
		return NULL;
	o = captable_lookup(&d->table, sqe->cap);
	return o ? object_resolve(o) : NULL;
}

void trace_note_entry(const struct thread *t, unsigned ring, uint32_t sq,
                      const struct ring_sqe *sqe)
{
	const struct object *target = target_of(t, ring, sqe);

	now.sqe = *sqe;
	now.params_size = 0;
	now.mark = (struct mark){
		.thread = t, .ring = (uint8_t)ring, .sq = sq, .op = sqe->op,
		.method = sqe->method, .cap = sqe->cap, .interface = sqe->interface,
		.object = target, .type = target ? target->type : NULL,
		.results = sqe->results, .time = clock_now(),
	};
	if (has_params(sqe->op) && sqe->params_size <= RING_MESSAGE_MAX &&
	    reach_in(t, ring, now.params, sqe->params, sqe->params_size) == STATUS_OK)
		now.params_size = sqe->params_size;
}

void trace_note_params(const void *params, uint32_t size)
{
	KASSERT(size <= sizeof(now.params));
	now.params_size = size;
	memcpy(now.params, params, size);
}

static void set_mark(struct trace_event_entry_builder entry, const struct mark *m,
                     uint64_t user_data)
{
	trace_event_entry_set_number(entry, m->sq);
	trace_event_entry_set_ring(entry, (enum trace_event_ring)m->ring);
	trace_event_entry_set_op(entry, (enum trace_event_op)m->op);
	trace_event_entry_set_method(entry, m->method);
	trace_event_entry_set_cap(entry, m->cap);
	trace_event_entry_set_user_data(entry, user_data);
	trace_event_entry_set_interface(entry, m->interface);
	if (!m->type)
		return;
	trace_event_entry_set_type(entry, capnp_text_from(m->type->name));
	trace_event_entry_set_object(entry, virt_to_phys(m->object).v);
}

/* All of the entry that is being served. */
static void set_entry(struct trace_event_entry_builder entry)
{
	const struct ring_sqe *sqe = &now.sqe;
	unsigned count = sqe->caps_count < RING_CAPS ? sqe->caps_count : RING_CAPS;
	struct capnp_list_builder caps;

	set_mark(entry, &now.mark, sqe->user_data);
	trace_event_entry_set_params(entry, capnp_data_from(now.params, now.params_size));
	trace_event_entry_set_params_size(entry, sqe->params_size);
	trace_event_entry_set_results_room(entry, sqe->results_size);
	trace_event_entry_set_params_address(entry, sqe->params);
	trace_event_entry_set_results_address(entry, sqe->results);
	trace_event_entry_set_moved(entry, sqe->caps_move);
	trace_event_entry_set_chained(entry, sqe->chained);
	caps = trace_event_entry_init_caps(entry, count);
	for (unsigned i = 0; i < count; i++)
		capnp_list_set_u32(caps, i, sqe->caps[i]);
}

/* Results go straight to their reader: they are read back from there. */
static void set_results(struct trace_event_completion_builder c, const struct thread *t,
                        const struct mark *m, uint32_t size)
{
	uint8_t *to;

	if (!has_results(m->op) || size == 0 || size > RING_MESSAGE_MAX + sizeof(struct ring_received))
		return;
	to = trace_event_completion_init_results(c, size);
	if (to && reach_in(t, m->ring, to, m->results, size))
		memset(to, 0, size);
}

static void set_completion(struct trace_event_completion_builder c, const struct thread *t,
                           const struct mark *m, const struct ring_cqe *cqe)
{
	unsigned count = RING_CAPS;
	struct capnp_list_builder caps;

	trace_event_completion_set_status(c, (enum trace_event_status)cqe->status);
	trace_event_completion_set_exception(c, cqe->flags & RING_EXCEPTION);
	trace_event_completion_set_posted(c, cqe->flags & RING_POSTED);
	trace_event_completion_set_results_size(c, cqe->results_size);
	set_results(c, t, m, cqe->results_size);
	while (count > 0 && !cqe->caps[count - 1])
		count--;
	caps = trace_event_completion_init_caps(c, count);
	for (unsigned i = 0; i < count; i++)
		capnp_list_set_u32(caps, i, cqe->caps[i]);
	if (m->time)
		trace_event_completion_set_duration(c, clock_now() - m->time);
}

void trace_write_unanswered(const struct thread *t)
{
	struct mark *m = &now.mark;

	if (m->thread != t)
		return;
	if (!find_open(t, m->ring, m->sq)) {
		set_entry(trace_event_init_accepted(begin(t)));
		write();
		keep_open(m);
	}
	m->thread = NULL;
}

void trace_write_answered(const struct thread *t, unsigned ring, uint32_t sq,
                          const struct ring_cqe *cqe)
{
	struct mark unknown = {.thread = t, .ring = (uint8_t)ring, .sq = sq, .op = RING_NOP};
	struct mark *waited = find_open(t, ring, sq);
	struct mark *m = waited ? waited : &unknown;
	bool served = is_of(&now.mark, t, ring, sq);
	struct trace_event_completion_builder c = trace_event_init_completion(begin(t));
	struct trace_event_entry_builder entry = trace_event_completion_init_entry(c);

	if (served) {
		if (waited)
			now.mark.time = waited->time;
		m = &now.mark;
		set_entry(entry);
	} else {
		set_mark(entry, m, cqe->user_data);
	}
	trace_event_completion_set_later(c, waited || !served);
	set_completion(c, t, m, cqe);
	write();
	m->thread = NULL;
	if (waited)
		waited->thread = NULL;
}

void trace_write_posted(const struct thread *t, unsigned ring, const struct ring_cqe *cqe)
{
	struct mark none = {.ring = (uint8_t)ring, .op = RING_NOP};
	struct trace_event_completion_builder c = trace_event_init_completion(begin(t));

	set_mark(trace_event_completion_init_entry(c), &none, cqe->user_data);
	trace_event_completion_set_later(c, true);
	set_completion(c, t, &none, cqe);
	write();
}

/* -- threads ------------------------------------------------------------------------- */

void trace_write_enter(const struct thread *t, unsigned ring, uint64_t least,
                       uint64_t timeout)
{
	struct trace_event_builder event = begin(t);
	struct trace_event_enter_builder enter = trace_event_init_enter(event);
	const struct ring *page = t->rings[ring].page;

	trace_event_enter_set_ring(enter, (enum trace_event_ring)ring);
	trace_event_enter_set_least(enter, least);
	trace_event_enter_set_timeout(enter, timeout);
	if (page)
		trace_event_enter_set_consumed(enter,
		                               __atomic_load_n(&page->cq_head, __ATOMIC_RELAXED));
	write();
}

void trace_write_woken(const struct thread *t, enum status status)
{
	trace_event_set_woken(begin(t), (enum trace_event_status)status);
	write();
}

/* The kernel's pointer to the page, if it is mapped executable. */
static const uint64_t *executable(const struct space *s, uint64_t page)
{
	bool mapped;

	if (!space_range_ok(s, page, 1) || !(space_access(s, page, &mapped) & ACCESS_EXECUTE))
		return NULL;
	return space_reach(s, page, false);
}

static void set_image(struct trace_event_image_builder image, const struct space *s,
                      uint64_t entry)
{
	uint64_t first = page_down(entry), end = first;
	uint64_t sum = CHECKSUM_START;

	while (page_down(entry) - first < IMAGE_PAGES_MAX * PAGE_SIZE &&
	       executable(s, first - PAGE_SIZE))
		first -= PAGE_SIZE;
	for (end = first; end - first < 2 * IMAGE_PAGES_MAX * PAGE_SIZE; end += PAGE_SIZE) {
		const uint64_t *words = executable(s, end);

		if (!words)
			break;
		sum = checksum_words(sum, words, PAGE_SIZE / sizeof(*words));
	}
	trace_event_image_set_address(image, first);
	trace_event_image_set_pages(image, (uint32_t)((end - first) >> PAGE_SHIFT));
	trace_event_image_set_checksum(image, sum);
}

void trace_write_start(const struct thread *t)
{
	const struct process *p = t->process;
	bool native = !p->space->module;
	struct trace_event_start_builder start = trace_event_init_start(begin(t));

	forget(t);
	trace_event_start_set_entry(start, t->regs.rip);
	trace_event_start_set_stack(start, t->regs.rsp);
	trace_event_start_set_argument(start, t->regs.rdi);
	trace_event_start_set_ring(start,
	                           t->rings[native ? RING_PROGRAM : RING_MODULE].address);
	if (native && t->number == 1 && p->domain) {
		const struct capset *capset = p->domain->capset;

		trace_event_start_set_capset(start, capnp_data_from(capset,
			offsetof(struct capset, entries) + capset->count * sizeof(capset->entries[0])));
		trace_event_start_set_space(start, virt_to_phys(p->space).v);
		set_image(trace_event_start_init_image(start), p->space, t->regs.rip);
	}
	write();
}

void trace_write_end(const struct thread *t)
{
	struct trace_event_end_builder end = trace_event_init_end(begin(t));

	forget(t);
	trace_event_end_set_code(end, t->end_code);
	trace_event_end_set_reason(end, t->end_reason);
	if (t->end_reason == END_REASON_FAULTED)
		trace_event_end_set_instruction(end, t->process->fault_instruction);
	write();
}
