/* fastpath.c: see fastpath.h.
 *
 * What is in an entry is read once, for the program's other threads may be writing
 * to it. Messages that lie in a ring's area are used where they are: what the
 * exokernel writes there it never reads back.
 *
 * Shared, other CPUs may be here too. A thread other than the current one is
 * touched once it is claimed: from WAITING to RUNNING, by compare and exchange.
 * All that decides whether a path is taken comes before the first change.
 *
 * Functions here are inlined into the two at the end: a call costs as much as many
 * of them do. */
#include "kernel/fastpath.h"

#include "kernel/arch/x86_64/switch.h"
#include "kernel/arch/x86_64/trap.h"
#include "kernel/domain.h"
#include "kernel/endpoint.h"
#include "kernel/lock.h"
#include "kernel/ring.h"
#include "kernel/sched.h"

#define HOT static inline __attribute__((always_inline))
#define ONCE(field) (*(const volatile __typeof__(field) *)&(field))
#define LIKELY(x) __builtin_expect(!!(x), 1)

enum { MESSAGE_MOST = 512 };

extern const char gate_resume[];

typedef uint64_t __attribute__((may_alias)) word;

/* The first word of an entry: op, caps_how, method, cap. */
HOT uint64_t head_of(const struct ring_sqe *sqe)
{
	return *(const volatile word *)sqe;
}

HOT uint16_t op_and_caps(uint64_t head)
{
	return (uint16_t)head;
}

HOT const struct ring_sqe *entry_at(const struct thread_ring *r, uint32_t sq)
{
	return &r->page->sq[sq % RING_SQ_ENTRIES];
}

/* `size` bytes, at most MESSAGE_MOST, at `address`, if they lie in the ring's area,
 * 8-aligned; or NULL. */
HOT word *in_area(const struct thread_ring *r, uint64_t address, uint32_t size)
{
	uint64_t offset = address - r->address - offsetof(struct ring, area);

	if (offset > RING_AREA_SIZE - size || offset % 8)
		return NULL;
	return (word *)(r->page->area + offset);
}

/* captable_lookup while others may change the table: a slot that has the id after
 * its object has been read had it all the time, for ids do not come back. A thread
 * asks the same again and again: where an id's slot is does not change. */
HOT struct object *look_up(struct thread_ring *r, uint32_t id)
{
	const struct capslot *slot = r->found;
	struct object *o;

	if (!LIKELY(r->found_id == id)) {
		slot = captable_slot(&r->domain->table, id);
		if (!slot)
			return NULL;
		r->found = slot;
		r->found_id = id;
	}
	o = ONCE(slot->object);
	if (!o || ONCE(slot->epoch) != ONCE(o->epoch) || ONCE(slot->id) != id)
		return NULL;
	return o;
}

/* A completion without capabilities, at `cq`; not shown yet. */
HOT void write_completion(struct thread_ring *r, uint32_t cq, uint32_t sq, uint64_t user_data,
                          uint32_t results_size)
{
	uint32_t at = cq % RING_CQ_ENTRIES;
	word *cqe = (word *)&r->page->cq[at];

	cqe[0] = user_data;
	cqe[1] = STATUS_OK | (uint64_t)results_size << 32;
	cqe[2] = 0;
	cqe[3] = 0;
	r->answered_at[sq % RING_SQ_ENTRIES] = (uint8_t)at;
}

HOT void show_completions(struct thread_ring *r, uint32_t cq)
{
	r->cq_tail = cq;
	__atomic_store_n(&r->page->cq_tail, cq, __ATOMIC_RELEASE);
}

HOT void show_consumed(struct thread_ring *r, uint32_t sq)
{
	r->sq_head = sq;
	__atomic_store_n(&r->page->sq_head, sq, __ATOMIC_RELEASE);
}

/* Most messages are a few words long. */
HOT void copy_words(word *to, const word *from, uint32_t size)
{
	const volatile word *in = from;

	for (; size >= 32; size -= 32, to += 4, in += 4) {
		to[0] = in[0];
		to[1] = in[1];
		to[2] = in[2];
		to[3] = in[3];
	}
	if (size & 16) {
		to[0] = in[0];
		to[1] = in[1];
		to += 2;
		in += 2;
	}
	if (size & 8)
		to[0] = in[0];
}

/* -- calls on objects of the exokernel ------------------------------------------------ */

/* The word in front of a struct of `words` words of data and nothing else. */
HOT uint64_t root_of(unsigned words)
{
	return (uint64_t)words << 32;
}

/* CALL of a quick method, with messages of its shape, in the area. Gives the bytes
 * of the results; -1: not here. */
HOT int64_t call_quickly(const struct thread_ring *r, const struct ring_sqe *sqe, uint64_t head,
                         struct object *o)
{
	unsigned method = (uint16_t)(head >> 16);
	const struct object_type *type = o->type;
	const struct quick_method *q = &type->quick[method];
	uint64_t params[QUICK_WORDS];
	word *from, *results;

	if (method >= type->quick_count || type->interface != ONCE(sqe->interface) || !q->serve)
		return -1;
	if (q->params) {
		if (ONCE(sqe->params_size) != 8u + 8u * q->params)
			return -1;
		from = in_area(r, ONCE(sqe->params), 8u + 8u * QUICK_WORDS);
		if (!from || *(volatile word *)from != root_of(q->params))
			return -1;
		for (unsigned i = 0; i < q->params; i++)
			params[i] = ((volatile word *)from)[1 + i];
	} else if (ONCE(sqe->params_size) > 8) {
		return -1;
	}
	if (ONCE(sqe->results_size) < 8u + 8u * q->results)
		return -1;
	results = in_area(r, ONCE(sqe->results), 8u + 8u * QUICK_WORDS);
	if (!results || q->serve(o, params, results + 1))
		return -1;
	results[0] = root_of(q->results);
	return 8 + 8 * q->results;
}

/* Serves entries as long as they are simple. True: all up to `tail`. */
HOT bool serve_simple(struct thread_ring *r, uint32_t tail)
{
	uint32_t sq = r->sq_head, cq = r->cq_tail, id = 0;
	struct object *o = NULL;

	do {
		const struct ring_sqe *sqe = entry_at(r, sq);
		uint64_t head = head_of(sqe);
		int64_t size = 0;

		if (LIKELY(op_and_caps(head) == RING_CALL)) {
			if (id != head >> 32) {
				id = (uint32_t)(head >> 32);
				o = look_up(r, id);
			}
			size = o ? call_quickly(r, sqe, head, o) : -1;
			if (size < 0)
				break;
		} else if ((uint8_t)head != RING_NOP) {
			break;
		}
		write_completion(r, cq++, sq++, ONCE(sqe->user_data), (uint32_t)size);
	} while (sq != tail);
	show_consumed(r, sq);
	show_completions(r, cq);
	return sq == tail;
}

/* -- from caller to server and back ------------------------------------------------------ */

/* Makes a waiting thread this CPU's own, if `p` is all that it waits for. */
HOT bool claim(struct thread *t, const struct pending *p)
{
	enum thread_state waiting = THREAD_WAITING;

	if (!__atomic_compare_exchange_n(&t->state, &waiting, THREAD_RUNNING, false,
	                                 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	if (LIKELY(t->direct == p && !t->attention))
		return true;
	__atomic_store_n(&t->state, THREAD_WAITING, __ATOMIC_RELEASE);
	return false;
}

/* The record that the thread waits for is answered. */
HOT void answered(struct thread *t, const struct pending *p, uint32_t size)
{
	struct thread_ring *r = p->on;
	uint32_t cq = r->cq_tail;

	write_completion(r, cq, p->sq, p->user_data, size);
	show_completions(r, cq + 1);
	t->pending = NULL;
	t->own_used = 0;
	r->pending = 0;
}

/* The current thread will wait for the entry at sq_head and nothing else. */
HOT struct pending *wait_for(struct thread *t, unsigned ring, const struct ring_sqe *sqe,
                             void (*cancel)(struct pending *))
{
	struct thread_ring *r = &t->rings[ring];
	struct pending *p = &t->own[0];
	uint32_t sq = r->sq_head;

	p->on = r;
	p->ring = (uint8_t)ring;
	p->sq = sq;
	p->user_data = ONCE(sqe->user_data);
	p->results_address = (struct uaddr){ONCE(sqe->results)};
	p->results_size = ONCE(sqe->results_size);
	p->cancel = cancel;
	t->pending = p;
	t->direct = p;
	t->own_used = 1;
	r->pending = 1;
	show_consumed(r, sq + 1);
	t->wait_ring = ring;
	t->wait_count = 1;
	return p;
}

/* The gate's way out for a native thread at a system call. */
_Noreturn HOT void resume_native(struct thread *t, uint64_t rdx)
{
	__asm__ volatile("movabsq $window_resume_native, %%rax; jmp *%%rax" ::"D"(t), "d"(rdx)
	                 : "memory");
	__builtin_unreachable();
}

/* `to`, which is claimed, runs on in the current thread's place and on the same
 * context. Once `from` can be seen to wait, another CPU may claim it: its registers
 * come first. */
_Noreturn HOT void hand_over(struct cpu *cpu, struct thread *from, struct thread *to,
                             unsigned ring, uint64_t to_ring)
{
	struct space *space = to->process->space;

	switch_from(from);
	cpu->current = to;
	to->cpu = (uint8_t)cpu->index;
	__atomic_store_n(&from->state, THREAD_WAITING, __ATOMIC_RELEASE);
	switch_registers(cpu, to);
	cpu->running = space;
	if (ring == RING_PROGRAM && LIKELY(!space->module)) {
		/* From native to native: the gate knows it all. */
		if (cpu->loaded != space) {
			cpu->loaded = space;
			write_cr3(space_top(space, cpu->index));
		}
		unlock_shared_of(cpu);
		resume_native(to, to_ring);
	}
	to->regs.rax = STATUS_OK;
	to->regs.rdx = to_ring;
	switch_to(cpu, to);
	unlock_shared_of(cpu);
	((void (*)(struct thread *))gate_address(gate_resume))(to);
	__builtin_unreachable();
}

/* CALL of a facet whose server waits for it. Does not return if it goes this way. */
HOT void call_server(struct cpu *cpu, struct thread *t, unsigned ring,
                     const struct ring_sqe *sqe, uint64_t head, const struct facet *f)
{
	struct thread_ring *r = &t->rings[ring];
	struct endpoint *e = f->endpoint;
	uint32_t size = ONCE(sqe->params_size), whole = size + (uint32_t)sizeof(struct ring_received);
	struct pending *receiver, *c;
	struct thread *server;
	struct served *served;
	const word *params = NULL;
	word *to;

	if (f->interface != ONCE(sqe->interface) || size > MESSAGE_MOST || size % 8)
		return;
	if (size) {
		params = in_area(r, ONCE(sqe->params), size);
		if (!params)
			return;
	}
	if (!flag_take(&e->flag))
		return;
	receiver = e->receivers.head;
	if (!receiver)
		goto slowly;
	server = receiver->thread;
	to = in_area(receiver->on, receiver->results_address.v,
	             MESSAGE_MOST + sizeof(struct ring_received));
	if (!to || whole > receiver->results_size || e->server != server || server->lender ||
	    receiver->next || !claim(server, receiver))
		goto slowly;
	e->receivers.head = e->receivers.tail = NULL;
	flag_drop(&e->flag);

	served = &server->served[receiver->receive.slot];
	served->token += RING_SERVED;
	to[0] = served->token;
	to[1] = f->badge;
	to[2] = f->interface;
	to[3] = (uint16_t)(head >> 16) | (uint64_t)size << 32;
	if (size)
		copy_words(to + 4, params, size);
	answered(server, receiver, whole);
	c = wait_for(t, ring, sqe, endpoint_cancel_call);
	c->call.server = server;
	c->call.slot = receiver->receive.slot;
	served->call = c;
	sched_hand_context(t, server, c);
	hand_over(cpu, t, server, ring, receiver->on->address);
slowly:
	flag_drop(&e->flag);
}

/* SERVE, when the caller waits for this answer and nobody else calls. Does not
 * return if it goes this way. */
HOT void serve_caller(struct cpu *cpu, struct thread *t, unsigned ring,
                      const struct ring_sqe *sqe, uint64_t head)
{
	struct thread_ring *r = &t->rings[ring];
	uint64_t token = ONCE(sqe->token);
	struct served *served = &t->served[token % RING_SERVED];
	struct pending *c = served->call, *receiver;
	uint32_t size = ONCE(sqe->params_size);
	struct endpoint *e;
	struct thread *caller;
	const word *answer = NULL;
	struct object *o;
	word *to = NULL;

	if (served->token != token || !c || c == SERVED_GONE ||
	    t->pending || (uint16_t)(head >> 16) || ONCE(sqe->results) % 8 ||
	    ONCE(sqe->results_size) < sizeof(struct ring_received))
		return;
	if (size) {
		if (size > MESSAGE_MOST || size % 8 || c->results_size < size)
			return;
		answer = in_area(r, ONCE(sqe->params), size);
		to = in_area(c->on, c->results_address.v, size);
		if (!answer || !to)
			return;
	}
	o = look_up(r, (uint32_t)(head >> 32));
	if (!o || o->type != &endpoint_type)
		return;
	e = (struct endpoint *)o;
	caller = c->thread;
	if (t->lender != caller || caller->lent_for != c || !flag_take(&e->flag))
		return;
	if (e->calls.head || e->gone || e->receivers.head || !claim(caller, c)) {
		flag_drop(&e->flag);
		return;
	}
	if (size)
		copy_words(to, answer, size);
	answered(caller, c, size);
	served->call = NULL;
	sched_hand_back(t, caller);
	receiver = wait_for(t, ring, sqe, endpoint_cancel_receive);
	receiver->receive.endpoint = e;
	receiver->receive.slot = token % RING_SERVED;
	receiver->next = receiver->prev = NULL;
	e->receivers.head = e->receivers.tail = receiver;
	flag_drop(&e->flag);
	hand_over(cpu, t, caller, ring, c->on->address);
}

/* -- cap_enter ------------------------------------------------------------------------------ */

/* The one entry, which the thread will wait for. True: it is done already. Modules
 * go to servers by the long way: what they ask most is the exokernel's own. */
HOT bool serve_one(struct cpu *cpu, struct thread *t, unsigned ring)
{
	struct thread_ring *r = &t->rings[ring];
	const struct ring_sqe *sqe = entry_at(r, r->sq_head);
	uint64_t head = head_of(sqe);
	struct object *o;
	int64_t size;
	uint32_t cq;

	if (ring == RING_PROGRAM && op_and_caps(head) == RING_SERVE)
		serve_caller(cpu, t, ring, sqe, head);
	if (op_and_caps(head) != RING_CALL)
		return false;
	o = look_up(r, (uint32_t)(head >> 32));
	if (!o)
		return false;
	if (o->type == &facet_type) {
		if (ring == RING_PROGRAM && !t->pending)
			call_server(cpu, t, ring, sqe, head, (const struct facet *)o);
		return false;
	}
	size = r->pending < RING_CQ_ENTRIES ? call_quickly(r, sqe, head, o) : -1;
	if (size < 0)
		return false;
	cq = r->cq_tail;
	write_completion(r, cq, r->sq_head, ONCE(sqe->user_data), (uint32_t)size);
	show_consumed(r, r->sq_head + 1);
	show_completions(r, cq + 1);
	return true;
}

/* True: all that was queued is done, and the thread goes on. False: the rest is for
 * ring_enter; nothing is half done. */
HOT bool enter(struct cpu *cpu, struct thread *t, unsigned ring, uint64_t least,
               uint64_t timeout_ns)
{
	struct thread_ring *r = &t->rings[ring];
	uint32_t count, used;

	if (t->attention || cpu->attention)
		return false;
	if (LIKELY(ONCE(r->page->sq_tail) == r->sq_head + 1 &&
	           ONCE(r->page->cq_head) == r->cq_tail && least == 1 &&
	           timeout_ns == RING_FOREVER))
		return serve_one(cpu, t, ring);
	count = __atomic_load_n(&r->page->sq_tail, __ATOMIC_ACQUIRE) - r->sq_head;
	used = r->cq_tail - ONCE(r->page->cq_head);
	if (count - 1 >= RING_SQ_ENTRIES || used > RING_CQ_ENTRIES ||
	    used + r->pending + count > RING_CQ_ENTRIES || least > used + count)
		return false;
	return serve_simple(r, r->sq_head + count);
}

/* This CPU's, in a register: its address is long. */
HOT struct cpu *here(void)
{
	struct cpu *cpu = this_cpu;

	__asm__("" : "+r"(cpu));
	return cpu;
}

struct syscall_result fast_syscall(uint64_t first, uint64_t second, uint64_t number)
{
	struct cpu *cpu = here();
	struct thread *t = cpu->current;

	if (lock_shared_of(cpu))
		switch_to_native(cpu, t->process->space);
	if (number != SYS_CAP_ENTER || !enter(cpu, t, RING_PROGRAM, first, second))
		trap_syscall(t, RING_PROGRAM, number, first, second);
	unlock_shared_of(cpu);
	return (struct syscall_result){STATUS_OK, t->rings[RING_PROGRAM].address};
}

void fast_syscall_module(uint64_t first, uint64_t second, uint64_t number)
{
	struct cpu *cpu = here();
	struct thread *t = cpu->current;

	(void)lock_shared_of(cpu); /* switch_to comes after */
	if (number != SYS_CAP_ENTER || !enter(cpu, t, RING_MODULE, first, second))
		trap_syscall(t, RING_MODULE, number, first, second);
	t->regs.rax = STATUS_OK;
	t->regs.rdx = t->rings[RING_MODULE].address;
	switch_to(cpu, t);
	unlock_shared_of(cpu);
	((void (*)(struct thread *))gate_address(gate_resume))(t);
	__builtin_unreachable();
}
