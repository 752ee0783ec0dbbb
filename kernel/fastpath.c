/* fastpath.c: see fastpath.h.
 *
 * Shared, other CPUs may be here too. A thread other than the current one is
 * touched once it is claimed: from WAITING to RUNNING, by compare and exchange.
 * All that decides whether a path is taken comes before the first change.
 *
 * Functions here are inlined into the two at the end: a call costs as much as many
 * of them do. */
#include "kernel/fastpath.h"

#include "abi/notification.capnp.h"
#include "kernel/arch/x86_64/switch.h"
#include "kernel/arch/x86_64/trap.h"
#include "kernel/endpoint.h"
#include "kernel/fast.h"
#include "kernel/lock.h"
#include "kernel/notification.h"
#include "kernel/sched.h"

enum {
	MESSAGE_MOST = 256,
	ONE_CAP = 1 << 8, /* in an entry's head: one travels, by copy */
};

extern const char gate_resume[];

/* `size` is a multiple of 8. Most messages are a few words long: those are copied
 * from the last word to the first. */
HOT void copy_words(word *to, const word *from, uint64_t size)
{
	const volatile word *in = from;
	uint64_t words = size / 8;

	switch (words) {
	case 8: to[7] = in[7]; /* fall through */
	case 7: to[6] = in[6]; /* fall through */
	case 6: to[5] = in[5]; /* fall through */
	case 5: to[4] = in[4]; /* fall through */
	case 4: to[3] = in[3]; /* fall through */
	case 3: to[2] = in[2]; /* fall through */
	case 2: to[1] = in[1]; /* fall through */
	case 1: to[0] = in[0]; /* fall through */
	case 0: break;
	default:
		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	}
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

/* The record that the thread waits for is answered, with a capability if `cap` is not 0. */
HOT void answered(struct thread *t, const struct pending *p, uint32_t size, uint32_t cap)
{
	struct thread_ring *r = p->on;
	uint32_t cq = r->cq_tail;

	write_completion(r->page, r, cq, p->sq, p->user_data, done_with(size), cap);
	show_completions(r, cq + 1);
	t->direct = NULL;
}

/* The current thread, which has no record, will wait for the entry at sq_head of its
 * program's ring and nothing else. */
HOT struct pending *wait_for(struct thread *t, const struct ring_sqe *sqe,
                             void (*cancel)(struct pending *))
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	struct pending *p = &t->own[0];
	uint32_t sq = r->sq_head;

	p->sq = sq;
	p->user_data = ONCE(sqe->user_data);
	p->results_address = (struct uaddr){ONCE(sqe->results)};
	p->results_size = ONCE(sqe->results_size);
	p->cancel = cancel;
	t->direct = p;
	show_consumed(r, sq + 1);
	return p;
}

/* The gate's way out for a native thread at a system call. */
_Noreturn HOT void resume_native(struct thread *t, uint64_t rdx)
{
	__asm__ volatile("movabsq $window_resume_native, %%rax; jmp *%%rax" ::"D"(t), "d"(rdx)
	                 : "memory");
	__builtin_unreachable();
}

/* It leaves as one that was woken; and may have waited on its module's ring. */
HOT void end_wait(struct thread *t, uint64_t ring)
{
	t->own[0].ring = RING_PROGRAM;
	t->own[0].on = &t->rings[RING_PROGRAM];
	t->wait_ring = RING_PROGRAM;
	t->regs.rax = STATUS_OK;
	t->regs.rdx = ring;
}

/* `to`, which is claimed, runs on in the current thread's place and on the same
 * context. Once `from` can be seen to wait, another CPU may claim it: its registers
 * come first. */
_Noreturn HOT void hand_over(struct cpu *cpu, struct thread *from, struct thread *to,
                             uint64_t to_ring)
{
	struct space *space = to->process->space;

	switch_from(from);
	cpu->current = to;
	to->cpu = (uint8_t)cpu->index;
	__atomic_store_n(&from->state, THREAD_WAITING, __ATOMIC_RELEASE);
	switch_registers(cpu, to);
	cpu->running = space;
	if (LIKELY(!space->module)) {
		/* From native to native: the gate knows it all. */
		if (cpu->loaded != space) {
			cpu->loaded = space;
			write_cr3(space_top(space, cpu->index));
		}
		unlock_shared_of(cpu);
		resume_native(to, to_ring);
	}
	end_wait(to, to_ring);
	switch_to(cpu, to);
	unlock_shared_of(cpu);
	((void (*)(struct thread *))gate_address(gate_resume))(to);
	__builtin_unreachable();
}

/* -- a capability that is copied along ------------------------------------------------- */

/* What is about to stand in another table. */
struct copied {
	struct object *object;
	uint32_t epoch;
	struct domain *to;
};

/* False: not here. True: nothing can go wrong any more, and nothing has changed but that
 * the table of `to` is ours. */
__attribute__((noinline)) static bool copy_begin(struct copied *c, const struct domain *from,
                                                 uint32_t id, struct domain *to)
{
	const struct capslot *slot = captable_slot(&from->table, id);

	c->object = slot ? capslot_read(slot, id) : NULL;
	if (!c->object || !to || !flag_take(&to->flag))
		return false;
	c->epoch = c->object->epoch;
	c->to = to;
	if (captable_has_room(&to->table))
		return true;
	flag_drop(&to->flag);
	return false;
}

/* Gives its id there. */
__attribute__((noinline)) static uint32_t copy_end(const struct copied *c)
{
	uint32_t id;
	enum status status;

	object_hold_shared(c->object);
	status = captable_insert_at(&c->to->table, c->object, c->epoch, &id);
	KASSERT(!status);
	flag_drop(&c->to->flag);
	return id;
}

/* CALL of a facet whose server waits for it. Does not return if it goes this way.
 * `brings`: a capability; known where this is inlined. */
HOT void call_server(struct cpu *cpu, struct thread *t, const struct ring_sqe *sqe,
                     uint64_t head, const struct facet *f, bool brings)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	struct endpoint *e = f->endpoint;
	uint32_t size = ONCE(sqe->params_size), whole = size + (uint32_t)sizeof(struct ring_received);
	struct pending *receiver, *c;
	struct thread *server;
	struct copied copied = {0};
	struct served *served;
	word *params = NULL, *to;
	uint32_t cap = 0;

	if (f->interface != ONCE(sqe->interface) || size > MESSAGE_MOST || size % 8)
		return;
	if (size && !in_area(r, r->page, ONCE(sqe->params), MESSAGE_MOST, &params))
		return;
	if (!flag_take(&e->flag))
		return;
	receiver = e->receivers.head;
	if (!receiver)
		goto slowly;
	server = receiver->thread;
	if (!in_area(receiver->on, receiver->on->page, receiver->results_address.v,
	             MESSAGE_MOST + sizeof(struct ring_received), &to) ||
	    whole > receiver->results_size || e->server != server || server->lender ||
	    receiver->next)
		goto slowly;
	if (brings &&
	    !copy_begin(&copied, r->domain, ONCE(sqe->caps[0]), receiver->on->domain))
		goto slowly;
	if (!claim(server, receiver)) {
		if (brings)
			flag_drop(&copied.to->flag);
		goto slowly;
	}
	e->receivers.head = e->receivers.tail = NULL;
	flag_drop(&e->flag);
	if (brings)
		cap = copy_end(&copied);

	served = &server->served[receiver->receive.slot];
	served->token += RING_SERVED;
	to[0] = served->token;
	to[1] = f->badge;
	to[2] = f->interface;
	to[3] = (uint16_t)(head >> 16) | (uint64_t)brings << 16 | (uint64_t)size << 32;
	if (size)
		copy_words(to + 4, params, size);
	answered(server, receiver, whole, cap);
	c = wait_for(t, sqe, endpoint_cancel_call);
	c->call.server = server;
	c->call.slot = receiver->receive.slot;
	served->call = c;
	sched_hand_context(t, server, c);
	hand_over(cpu, t, server, receiver->on->address);
slowly:
	flag_drop(&e->flag);
}

/* It is not as frequent that the others should save registers for it. */
__attribute__((noinline)) static void call_server_with_cap(struct cpu *cpu, struct thread *t,
                                                           const struct ring_sqe *sqe,
                                                           uint64_t head)
{
	const struct object *o = look_up(&t->rings[RING_PROGRAM], (uint32_t)(head >> 32));

	if (o && o->type == &facet_type && !t->pending)
		call_server(cpu, t, sqe, head, (const struct facet *)o, true);
}

/* SERVE, when the caller waits for this answer and nobody else waits for `t`, which
 * might lend (sched_help): it has received no other call, and no other endpoint looks
 * to it. Does not return if it goes this way. */
HOT void serve_caller(struct cpu *cpu, struct thread *t, const struct ring_sqe *sqe,
                      uint64_t head)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	uint64_t token = ONCE(sqe->token);
	struct served *served = &t->served[0];
	struct pending *c = served->call, *receiver;
	uint32_t size = ONCE(sqe->params_size);
	struct endpoint *e;
	struct thread *caller;
	word *answer = NULL, *to = NULL;
	struct object *o;

	if (served->token != token || !c || c == SERVED_GONE ||
	    t->slots_used != 1 || t->pending || (uint16_t)(head >> 16) || ONCE(sqe->results) % 8 ||
	    ONCE(sqe->results_size) < sizeof(struct ring_received))
		return;
	if (size) {
		if (size > MESSAGE_MOST || size % 8 || c->results_size < size)
			return;
		if (!in_area(r, r->page, ONCE(sqe->params), MESSAGE_MOST, &answer) ||
		    !in_area(c->on, c->on->page, c->results_address.v, MESSAGE_MOST, &to))
			return;
	}
	o = look_up(r, (uint32_t)(head >> 32));
	if (!o || o->type != &endpoint_type)
		return;
	e = (struct endpoint *)o;
	caller = c->thread;
	if (t->lender != caller || caller->lent_for != c || !flag_take(&e->flag))
		return;
	if (e->calls.head || e->gone || e->receivers.head || t->serves.next != &e->served ||
	    t->serves.prev != &e->served || !claim(caller, c)) {
		flag_drop(&e->flag);
		return;
	}
	if (size)
		copy_words(to, answer, size);
	answered(caller, c, size, 0);
	served->call = NULL;
	sched_hand_back(t, caller);
	receiver = wait_for(t, sqe, endpoint_cancel_receive);
	receiver->receive.endpoint = e;
	receiver->receive.slot = 0;
	e->receivers.head = e->receivers.tail = receiver;
	flag_drop(&e->flag);
	hand_over(cpu, t, caller, c->on->address);
}

/* -- one call on an object of the exokernel -------------------------------------------- */

/* Gives the bytes of the results; 0: not here. As quick.c's serve(), but that what is
 * known of a batch beforehand is here had from the method again: 7 instructions less. */
HOT uint32_t call_quickly(const struct thread_ring *r, const struct ring_sqe *sqe,
                          struct object *o, const struct quick_method *q)
{
	uint64_t params[QUICK_WORDS];
	word *results;

	if (!quick_sizes_fit(q, ONCE(sqe->params_size), ONCE(sqe->results_size)))
		return 0;
	if (q->params && !quick_params(r, sqe, q->params, params))
		return 0;
	if (!in_area(r, r->page, ONCE(sqe->results), QUICK_MESSAGE, &results) ||
	    q->serve(o, params, results + 1))
		return 0;
	results[0] = root_of(q->results);
	return quick_size(q);
}

/* -- signals --------------------------------------------------------------------------- */

/* The bits that a CALL of signal() brings; 0: none, or it is not for here. */
HOT uint64_t signal_bits(const struct thread_ring *r, const struct ring_sqe *sqe, uint64_t head)
{
	uint64_t bits;

	if ((uint16_t)(head >> 16) != NOTIFICATION_SIGNAL ||
	    ONCE(sqe->interface) != NOTIFICATION_ID || ONCE(sqe->results_size) ||
	    ONCE(sqe->params_size) != 16 || !quick_params(r, sqe, 1, &bits))
		return 0;
	return bits;
}

/* Gives the only one who waits what it waits for. False: that is not so, or it is not
 * to run here. */
HOT bool wake_waiter(struct notification *n, uint64_t bits)
{
	struct pending *p = n->waiting.head;
	uint64_t all = n->bits | bits, taken = all & p->key;
	struct thread *t = p->thread;
	uint32_t size = p->results_size ? 16 : 0;
	word *to = NULL;

	if (p->next || !taken || p->results_size < size || !sched_has_time(t) ||
	    (size && !in_area(p->on, p->on->page, p->results_address.v, size, &to)) ||
	    !sched_wants_here(t) || !object_drop_shared(&n->object))
		return false;
	if (!claim(t, p)) {
		object_hold_shared(&n->object);
		return false;
	}
	n->waiting.head = n->waiting.tail = NULL;
	n->bits = all & ~taken;
	if (size) {
		to[0] = root_of(1);
		to[1] = taken;
	}
	answered(t, p, size, 0); /* on its ring, which may be its module's */
	end_wait(t, p->on->address);
	__atomic_store_n(&t->state, THREAD_READY, __ATOMIC_RELEASE);
	sched_enqueue_here(t);
	return true;
}

/* The entry at sq_head is done. */
HOT void complete(struct thread_ring *r, const struct ring_sqe *sqe, uint32_t size)
{
	uint32_t sq = r->sq_head, cq = r->cq_tail;

	write_completion(r->page, r, cq, sq, ONCE(sqe->user_data), done_with(size), 0);
	show_consumed(r, sq + 1);
	show_completions(r, cq + 1);
}

/* CALL of signal(). False: not here. Does not return if somebody else is to run. Not
 * inlined: other calls would need more registers saved. */
__attribute__((noinline)) static bool signal(struct cpu *cpu, struct thread *t,
                                             const struct ring_sqe *sqe, struct notification *n)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	uint64_t bits = signal_bits(r, sqe, head_of(sqe));
	bool good = true;

	if (!bits || n->bound || !flag_take(&n->flag))
		return false;
	if (n->waiting.head)
		good = wake_waiter(n, bits);
	else
		n->bits |= bits;
	flag_drop(&n->flag);
	if (!good)
		return false;
	complete(r, sqe, 0);
	/* Somebody above us was woken; or an equal, who is to have a turn. */
	if (cpu->reschedule || cpu->stop_at < cpu->armed) {
		t->regs.rax = STATUS_OK;
		t->regs.rdx = r->address;
		lock_upgrade();
		sched_leave();
	}
	return true;
}

/* -- cap_enter ------------------------------------------------------------------------------ */

/* The one entry, which the thread will wait for. True: it is done already. */
HOT bool serve_one(struct cpu *cpu, struct thread *t)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	const struct ring_sqe *sqe = entry_at(r, r->sq_head);
	uint64_t head = head_of(sqe);
	const struct quick_method *q;
	struct object *o;
	uint32_t size;

	if (op_and_caps(head) != RING_CALL) {
		if (op_and_caps(head) == RING_SERVE)
			serve_caller(cpu, t, sqe, head);
		else if (op_and_caps(head) == (RING_CALL | ONE_CAP))
			call_server_with_cap(cpu, t, sqe, head);
		return false;
	}
	o = look_up(r, (uint32_t)(head >> 32));
	if (!o)
		return false;
	if (o->type == &facet_type) {
		if (!t->pending)
			call_server(cpu, t, sqe, head, (const struct facet *)o, false);
		return false;
	}
	if (r->pending >= RING_CQ_ENTRIES)
		return false;
	q = quick_method_of(sqe, head, o);
	if (!q)
		return o->type == &notification_type &&
		       signal(cpu, t, sqe, (struct notification *)o);
	size = call_quickly(r, sqe, o, q);
	if (!size)
		return false;
	complete(r, sqe, size);
	return true;
}

/* True: all that was queued is done, and the thread goes on. False: the rest is for
 * ring_enter; nothing is half done. */
HOT bool enter(struct cpu *cpu, struct thread *t, uint64_t least, uint64_t timeout_ns)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];

	if (t->attention || cpu->attention)
		return false;
	if (!LIKELY(ONCE(r->page->sq_tail) == r->sq_head + 1 &&
	            ONCE(r->page->cq_head) == r->cq_tail && least == 1 &&
	            timeout_ns == RING_FOREVER)) {
		enum quick done = quick_enter(r, least, timeout_ns);

		if (done != QUICK_BUT_LAST)
			return done == QUICK_ALL;
	}
	return serve_one(cpu, t);
}

/* This CPU's, in a register: its address is long. */
HOT struct cpu *here(void)
{
	struct cpu *cpu = this_cpu;

	__asm__("" : "+r"(cpu));
	return cpu;
}

struct syscall_result fast_enter(uint64_t least, uint64_t timeout_ns, struct thread *t)
{
	struct cpu *cpu = here();

	if (lock_shared_of(cpu))
		switch_to_native(cpu, t->process->space);
	if (!enter(cpu, t, least, timeout_ns))
		trap_enter(t, least, timeout_ns);
	unlock_shared_of(cpu);
	return (struct syscall_result){STATUS_OK, t->rings[RING_PROGRAM].address};
}
