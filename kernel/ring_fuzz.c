/* ring_fuzz.c: two threads with two rings each, as hostile as the input says, and an
 * exokernel behind the rings that answers as the input says: at once, later, while it is
 * being asked, or never, for the thread has ended. Every time that it is asked it
 * may first write to the shared pages, post, complete, wake and end others.
 * ring.c, pending.c, quick.c, reach.c and captable.c as shipped.
 *
 * Beside them stands a model that watches the indices alone: each entry that was consumed
 * is owed one completion with its user_data, gets it, and no other; there is always a
 * place for it, if the thread moves its indices as it should; records are there for
 * what is owed, and for nothing else. */
#define CAPTABLE_PAGE_BITS       3
#define CAPTABLE_INDEX_BITS      4
#define CAPTABLE_GENERATION_BITS 4

#include "kernel/arch/x86_64/cpu.h"

static struct cpu cpu;
#undef this_cpu
#define this_cpu (&cpu)

#include "core/captable.c"
#include "kernel/pending.c"
#include "kernel/quick.c"
#include "kernel/reach.c"
#define serve ring_serve
#include "kernel/ring.c"
#undef serve
#include "kernel/ring_invariant.h"
#include "kernel/ring_fakes.h"

#include <sanitizer/asan_interface.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { THREADS = 2, INPUT_MOST = 192, QUICK_ID = 77, WORK = 4 };
#define RING_ADDRESS   0x700000000000u

static struct thread *threads[THREADS];
static struct view views[THREADS][RING_KINDS];
static struct domain domains[THREADS];
static struct process process;
static struct space space;
/* Each page stands between two that nobody may touch, and so do those that are free. */
static uint8_t pages[THREADS * RING_KINDS + 1][2 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct pending_queue held; /* what is to be answered later */
static unsigned depth;            /* of being asked */

static const uint8_t *input;
static size_t left;

static uint8_t next(void)
{
	return left ? left--, *input++ : 0;
}

static void *take_page(unsigned i)
{
	__asan_unpoison_memory_region(pages[i], PAGE_SIZE);
	return memset(pages[i], 0, PAGE_SIZE);
}

static void leave_page(void *page)
{
	__asan_poison_memory_region(page, PAGE_SIZE);
}

/* -- threads --------------------------------------------------------------- */

static const struct capslot nothing; /* as thread.c's */

UNTRACED static void give_ring(struct thread *t, unsigned kind)
{
	struct thread_ring *r = &t->rings[kind];
	struct ring *page = take_page(RING_KINDS * (t == threads[1]) + kind);
	uint64_t *area = (uint64_t *)page->area;
	uint8_t few = next();

	for (unsigned i = 0; i + 1 < RING_AREA_SIZE / 8; i += 2) {
		area[i] = (uint64_t)1 << 48;           /* a struct with one pointer: */
		area[i + 1] = 3 | (uint64_t)(i / 2 % 5) << 32; /* a capability */
	}
	area[40] = (uint64_t)2 << 32; /* what quick methods take */
	area[50] = (uint64_t)4 << 32;
	*r = (struct thread_ring){
		.page = page, .address = RING_ADDRESS + kind * PAGE_SIZE,
		.area = RING_ADDRESS + kind * PAGE_SIZE + offsetof(struct ring, area), .found = &nothing};
	r->domain = kind == RING_PROGRAM && next() >= 224 ? NULL : &domains[t == threads[1]];
	/* Indices wrap soon, and there may be few places. */
	r->sq_head = r->cq_tail = page->sq_head = page->sq_tail = page->cq_tail = (uint32_t)-20;
	page->cq_head = r->cq_tail - (few >= 128 ? few % 32 : 0);
	forget(&views[t == threads[1]][kind]);
	views[t == threads[1]][kind].sq_seen = views[t == threads[1]][kind].cq_seen = (uint32_t)-20;
}

static void start_thread(struct thread *t)
{
	uint32_t refs = t->object.refs;

	memset(t, 0, sizeof(*t));
	object_init(&t->object, &thread_type);
	t->object.refs = refs;
	t->process = &process;
	t->state = THREAD_RUNNING;
	for (unsigned i = 0; i < PENDING_OWN; i++)
		t->own[i] = (struct pending){.thread = t, .on = t->rings, .place = (uint8_t)i};
	t->wait_more = 1;
	give_ring(t, RING_MODULE);
	if (t == threads[0])
		give_ring(t, RING_PROGRAM);
}

/* thread.c's. */
static void end_thread(struct thread *t)
{
	timeout_cancel(&t->wait_timeout);
	t->state = THREAD_ENDED;
	pending_cancel_all(t);
	expect(!t->own_used && !t->pending && !t->direct, "a record survives its thread");
	for (unsigned kind = 0; kind < RING_KINDS; kind++) {
		if (t->rings[kind].page)
			leave_page(t->rings[kind].page);
		t->rings[kind] = (struct thread_ring){0};
		forget(&views[t == threads[1]][kind]);
	}
	t->process = NULL;
}

static void kill(struct thread *t, bool at_once)
{
	if (t->state == THREAD_ENDED || t->dying)
		return;
	if (t->state == THREAD_RUNNING && !at_once)
		t->dying = true;
	else
		end_thread(t);
}

void thread_wake(struct thread *t, enum status status)
{
	expect(t->state == THREAD_WAITING, "a thread is woken that does not wait");
	timeout_cancel(&t->wait_timeout);
	t->regs.rax = status;
	t->wait_ring = RING_PROGRAM;
	t->wait_more = 1;
	pending_settle(t);
	t->state = THREAD_READY;
}

enum status thread_add_program_ring(struct thread *t)
{
	if (next() % 4 == 0)
		return STATUS_NO_MEMORY;
	give_ring(t, RING_PROGRAM);
	return STATUS_OK;
}

struct domain *thread_domain(const struct thread *t, unsigned ring)
{
	return t->rings[ring].domain;
}

/* -- objects --------------------------------------------------------------- */

static struct object thing, quick_thing;

static void object_end(struct object *o)
{
	(void)o;
	expect(false, "an object ends that is held");
}

static void meddle(void);
static unsigned quickly_served;

static enum status quick_serve(struct object *o, const uint64_t *params, uint64_t *results)
{
	uint8_t b = next();

	expect(o == &quick_thing, "a method of another object");
	(void)params;
	results[0] = b;
	if (b >= 248)
		return STATUS_BUSY;
	if (b % 4 == 0)
		meddle();
	quickly_served++;
	return STATUS_OK;
}

static const struct quick_method quick_methods[] = {
	{quick_serve, 0, 1}, {quick_serve, 2, 0}, {0}, {quick_serve, 4, 4}};
static const struct object_type thing_type = {.destroy = object_end};
static const struct object_type quick_type = {
	.interface = QUICK_ID, .destroy = object_end,
	.quick = quick_methods, .quick_count = ARRAY_SIZE(quick_methods)};
const struct object_type thread_type = {.destroy = object_end};
const struct object_type lease_type = {.destroy = object_end};

struct object *lease_target(const struct object *o)
{
	(void)o;
	abort();
}

static void insert(uint8_t b)
{
	struct object *const all[] = {&quick_thing, &thing, &threads[0]->object, &threads[1]->object};
	struct object *o = all[b % 4];
	uint32_t id;

	if (captable_insert(&domains[b / 4 % THREADS].table, o, &id) == STATUS_OK)
		object_hold(o);
}

#include "kernel/ring_writes.h"

/* -- the rest of the exokernel --------------------------------------------- */

static void complete_one(void)
{
	static const uint64_t message[] = {(uint64_t)1 << 48, 3};
	uint8_t b = next();
	struct pending *p = held.head;
	struct ring_cqe cqe = {.status = b % 2 ? b % 16 : STATUS_OK, .caps = {b, 2},
	                       .results_size = b == 64 ? RING_MESSAGE_MAX + 8 : b & 8 ? 0 : 16};

	for (unsigned i = b / 32; i && p && p->next; i--)
		p = p->next;
	if (!p)
		return;
	pending_unlink(&held, p);
	if (b & 16)
		pending_answer(p, b & 8 ? STATUS_BUSY : STATUS_OK, message, sizeof(message));
	else
		pending_complete(p, &cqe);
}

static void post_one(void)
{
	uint8_t b = next();
	struct view *v = &views[b % THREADS][b / 2 % RING_KINDS];
	struct thread_ring *r = &v->thread->rings[v->kind];
	struct ring_cqe cqe = {.user_data = b, .flags = RING_POSTED, .results_size = b};
	uint32_t tail = r->cq_tail, unconsumed = r->page ? tail - r->page->cq_head : 0;
	bool fits;

	if (in_quick) /* which is a fast path, and posts nothing */
		return;
	look(v);
	fits = r->page && unconsumed <= RING_CQ_ENTRIES &&
	       unconsumed + v->owed_count < RING_CQ_ENTRIES;
	if (ring_post(v->thread, v->kind, &cqe)) {
		expect(r->cq_tail == tail, "a post that is refused");
		return;
	}
	expect(fits, "a post without a place");
	expect(r->cq_tail == tail + 1 && r->page->cq[tail % RING_CQ_ENTRIES].user_data == b,
	       "a post is not there");
}

/* Anything may happen while somebody is asked. */
static void meddle(void)
{
	uint8_t b = next();
	struct thread *t = threads[b / 16 % THREADS];

	switch (b % 16) {
	case 0: case 1: case 2: case 3:
		write_page(&views[b / 16 % THREADS][b / 32 % RING_KINDS]);
		break;
	case 4: case 5: case 6:
		if (!in_quick)
			complete_one();
		break;
	case 7: case 8:
		post_one();
		break;
	case 9: case 14:
		if (!in_quick && b >= 128)
			kill(t, b & 32);
		break;
	case 10:
		if (t->state == THREAD_WAITING)
			thread_wake(t, STATUS_INTERRUPTED);
		break;
	case 11:
		insert(next());
		break;
	case 12:
		t->interrupted = b & 32;
		t->asleep = b & 64 && t->rings[0].page;
		break;
	case 13:
		write_some(memory, PAGE_SIZE, 2);
		break;
	}
}

static void held_cancel(struct pending *p)
{
	pending_unlink(&held, p);
	pending_free(p);
}

static enum status answer_later(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                                bool now)
{
	struct pending *p;
	uint8_t b = next();
	struct ring_cqe cqe = {.status = b % 2 ? b % STATUS_COUNT : STATUS_OK, .results_size = 16};

	p = thread_domain(t, ring) ? pending_create_for(t, ring, sqe, held_cancel) : NULL;
	if (!p)
		return STATUS_NO_MEMORY;
	pending_append(&held, p);
	if (now) {
		pending_unlink(&held, p);
		pending_complete(p, &cqe);
	}
	return CALL_PENDING;
}

/* It is to be made again: it has more to do, or waits for what something has that ends. What
 * it is told of how far it came is so. */
static enum status made_again(struct thread *t, unsigned ring)
{
	struct view *v = &views[t == threads[1]][ring];
	uint64_t done = ring_resumed(t, ring);
	uint8_t b = next();

	check_pause(v, done);
	if (b % 2 && ring_may_pause()) {
		v->paused_at = t->rings[ring].serving;
		v->paused_done = done + 1;
		return ring_pause(t, ring, done + 1);
	}
	ending_awaited = b / 2 % 2 ? ENDING_HERE : ENDING_ELSEWHERE;
	return STATUS_NO_MEMORY;
}

/* What every entry that is not ring.c's own comes to. */
static enum status asked(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                         struct ring_cqe *cqe)
{
	static const uint64_t message[] = {(uint64_t)1 << 48, 3};
	uint8_t how = next();

	ending_left -= how / 64; /* so long it takes */
	depth++;
	if (how & 1)
		meddle();
	depth--;
	if (t->state == THREAD_ENDED || !t->rings[ring].page)
		return STATUS_GONE;
	switch (how / 2 % 8) {
	case 0: case 1: case 2:
		return answer_later(t, ring, sqe, false);
	case 3:
		return answer_later(t, ring, sqe, true);
	case 4: case 5:
		*cqe = (struct ring_cqe){.user_data = cqe->user_data, .caps = {how, how / 2, 17, 18}};
		ring_write_results(t, ring, (struct uaddr){sqe->results}, sqe->results_size,
		                   message, sizeof(message), cqe);
		return (enum status)cqe->status;
	case 6:
		return made_again(t, ring);
	default:
		return how / 16 % STATUS_COUNT;
	}
}

enum status call_serve(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                       struct ring_cqe *cqe)
{
	return asked(t, ring, sqe, cqe);
}

enum status park(struct thread *t, unsigned ring, const struct ring_sqe *sqe)
{
	struct ring_cqe cqe = {0};

	return asked(t, ring, sqe, &cqe);
}

enum status endpoint_serve(struct thread *t, unsigned ring, const struct ring_sqe *sqe)
{
	struct ring_cqe cqe = {0};

	return asked(t, ring, sqe, &cqe);
}

enum status park_wake(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                      uint32_t *woken)
{
	(void)t;
	(void)ring;
	*woken = sqe->expected;
	depth++;
	meddle();
	depth--;
	return next() % STATUS_COUNT;
}

/* Whenever the exokernel is left. */
UNTRACED static void check(void)
{
	struct sums sums = {0};
	uint32_t refs = thing.refs + quick_thing.refs - 2;

	for (unsigned n = 0; n < THREADS; n++) {
		for (unsigned kind = 0; kind < RING_KINDS; kind++)
			look(&views[n][kind]);
		check_thread(threads[n], views[n], &sums);
		refs += threads[n]->object.refs - 1;
		refs -= domains[n].table.used;
		expect(!domains[n].flag, "a table's flag is kept");
	}
	expect(!refs, "references are lost");
	expect(!in_place && (!ring_chained_ready.head || (leave_chores && ending_left <= 0)),
	       "something was not served");
	expect(sums.chains + length_of(&ring_chained_ready) == sums.chained,
	       "a chained entry waits for nothing");
	expect(sums.records == sums.chained + length_of(&held), "a record is lost");
	expect(blocks == sums.heap + sums.chained, "memory is lost");
}

/* -- steps ----------------------------------------------------------------- */

/* Out of the exokernel. */
static void leave(void)
{
	for (unsigned i = 0; i < THREADS * RING_KINDS; i++)
		look(&views[i / RING_KINDS][i % RING_KINDS]);
	leave_chores = false;
	ring_serve_ready();
	for (unsigned n = 0; n < THREADS; n++) {
		for (unsigned kind = 0; kind < RING_KINDS; kind++)
			expect(!threads[n]->rings[kind].page ||
			       threads[n]->rings[kind].sq_head == views[n][kind].sq_seen,
			       "sq_head is not where it was");
		if (threads[n]->dying && threads[n]->state != THREAD_ENDED)
			end_thread(threads[n]);
	}
	cpu.current = NULL;
	check();
}

/* Each that was consumed has its completion, in their order. Entries and completions
 * are left alone meanwhile. */
static enum quick enter_quickly(struct view *v, uint64_t least, uint64_t timeout)
{
	struct thread_ring *r = &v->thread->rings[v->kind];
	uint32_t sq = r->sq_head, cq = r->cq_tail, queued = r->page->sq_tail - sq;
	unsigned served = 0;
	enum quick done;

	in_quick = true;
	quickly_served = 0;
	done = several(least, timeout, r, r->page);
	in_quick = false;
	expect(r->sq_head - sq == r->cq_tail - cq, "as many completions as entries");
	expect(queued <= RING_SQ_ENTRIES || r->sq_head == sq, "nonsense is served");
	for (; sq != r->sq_head; sq++, cq++) {
		const struct ring_cqe *cqe = &r->page->cq[cq % RING_CQ_ENTRIES];

		expect(cqe->user_data == r->page->sq[sq % RING_SQ_ENTRIES].user_data && !cqe->flags &&
		       cqe->status == STATUS_OK, "a quick completion");
		served += r->page->sq[sq % RING_SQ_ENTRIES].op == RING_CALL;
		expect(r->answered_at[sq % RING_SQ_ENTRIES] == cq % RING_CQ_ENTRIES, "where it went");
	}
	expect(served == quickly_served, "a call that nobody served");
	expect(done != QUICK_ALL || r->cq_tail - r->page->cq_head >= least, "it had to wait");
	return done;
}

static void enter_slowly(struct view *v, uint64_t least, uint64_t timeout)
{
	struct thread *t = v->thread;
	struct thread_ring *r = &t->rings[v->kind];
	const struct ring *page = r->page;
	uint32_t tail = page ? page->sq_tail : 0, sq = r->sq_head, unconsumed;
	bool nonsense = least > RING_CQ_ENTRIES || tail - sq > RING_SQ_ENTRIES;

	t->regs.rip = 2;
	ring_enter(t, v->kind, least, timeout);
	if (t->regs.rip != 2) { /* once more */
		check_shown(r, sq);
		check_again(t, r, least, timeout);
		return;
	}
	v->wait_until = r->cq_tail + t->wait_more;
	expect(!page || !nonsense || (t->regs.rax == STATUS_INVALID && r->sq_head == sq),
	       "nonsense is served");
	if (!page || t->dying || r->page != page || t->regs.rax == STATUS_INVALID)
		return;
	look(v);
	check_shown(r, sq);
	expect(!r->again, "what has returned is not made again");
	unconsumed = r->cq_tail - page->cq_head;
	expect(t->state == THREAD_WAITING || t->regs.rax != STATUS_OK || unconsumed >= least,
	       "it had to wait");
	expect(t->state != THREAD_WAITING || t->wait_more == least - unconsumed, "waits for how many");
	expect(r->sq_head == tail || unconsumed > RING_CQ_ENTRIES ||
	       unconsumed + v->owed_count >= RING_CQ_ENTRIES, "an entry with a place is left");
}

static void enter(struct view *v)
{
	struct thread *t = v->thread;
	uint8_t b = next();
	uint64_t least = b % 64 < 60 ? b % 4 : b;
	uint64_t timeout = b / 64 == 0 ? 0 : b / 64 == 1 ? 5 : RING_FOREVER;

	if (t->state == THREAD_READY)
		t->state = THREAD_RUNNING;
	if (t->state != THREAD_RUNNING)
		return;
	if (b % 8 == 5 && t->rings[v->kind].page)
		least = t->rings[v->kind].cq_tail - t->rings[v->kind].page->cq_head + 1;
	cpu.current = t;
	t->regs.full = 0;
	if (t->rings[v->kind].page && t->rings[v->kind].domain && !t->attention && b % 8 != 7 &&
	    enter_quickly(v, least, timeout) == QUICK_ALL)
		return;
	look(v);
	enter_slowly(v, least, timeout);
}

static void poll(struct view *v)
{
	struct thread_ring *r = &v->thread->rings[v->kind];
	uint32_t sq = r->sq_head, again = r->again, tail = r->page->sq_tail;
	bool found;

	found = ring_poll(v->thread, v->kind);
	expect(r->again <= again && (tail - sq <= RING_SQ_ENTRIES || (!found && r->sq_head == sq)),
	       "nonsense is served");
	expect(found || r->sq_head == sq, "what was found is not told");
	if (!v->thread->dying)
		check_shown(r, sq);
}

static void step(void)
{
	uint8_t b = next();
	unsigned n = b / 16 % THREADS, kind = b / 32 % RING_KINDS;
	struct view *v = &views[n][kind];
	struct thread *t = threads[n];

	for (unsigned i = 0; i < THREADS * RING_KINDS; i++)
		look_at_head(&views[i / RING_KINDS][i % RING_KINDS]);
	ending_left = WORK;
	switch (b % 16) {
	case 0: case 1: case 2: case 3: case 4:
		write_page(v);
		break;
	case 5: case 6: case 7: case 8: case 9:
		enter(v);
		break;
	case 10:
		if (t->state == THREAD_RUNNING && t->rings[kind].page)
			poll(v);
		break;
	case 11:
		if (timeout_is_set(&t->wait_timeout)) {
			timeout_remove(&t->wait_timeout);
			t->wait_timeout.expire(&t->wait_timeout);
		}
		break;
	case 12:
		if (t->state == THREAD_ENDED)
			start_thread(t);
		break;
	default:
		meddle();
	}
	leave();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capslot *slots[THREADS];

	input = data;
	left = size < INPUT_MOST ? size : INPUT_MOST;
	__asan_poison_memory_region(pages, sizeof(pages));
	memory = take_page(THREADS * RING_KINDS);
	process.space = &space;
	object_init(&thing, &thing_type);
	object_init(&quick_thing, &quick_type);
	for (unsigned n = 0; n < THREADS; n++) {
		threads[n] = aligned_alloc(64, (sizeof(struct thread) + 63) / 64 * 64);
		threads[n]->object.refs = 1;
		slots[n] = calloc(CAPTABLE_PAGE_SLOTS, sizeof(struct capslot));
		domains[n] = (struct domain){.object.refs = 1};
		captable_init(&domains[n].table);
		expect(!captable_grow(&domains[n].table, slots[n]), "a table's first page");
		for (unsigned kind = 0; kind < RING_KINDS; kind++)
			views[n][kind] = (struct view){.thread = threads[n], .kind = kind};
	}
	for (unsigned n = 0; n < THREADS; n++)
		start_thread(threads[n]);
	for (uint8_t b = 0; b < 16; b++)
		insert(b);
	while (left)
		step();
	for (unsigned n = 0; n < THREADS; n++) {
		if (threads[n]->state != THREAD_ENDED)
			end_thread(threads[n]);
	}
	check();
	expect(!blocks && !held.head, "something is left at the end");
	for (unsigned n = 0; n < THREADS; n++) {
		expect(!captable_check(&domains[n].table), "a table is broken");
		free(threads[n]);
		free(slots[n]);
	}
	return 0;
}
