/* fastpath.c: see fastpath.h.
 *
 * Shared, other CPUs may be here too. A thread other than the current one is
 * touched once it is claimed: from WAITING to RUNNING, by one bit (fast.h).
 * All that decides whether a path is taken comes before the first change.
 *
 * Functions here are inlined into the few that are not: a call costs as much as many
 * of them do. Registers are what is scarce: what one instruction can make again is not
 * kept. */
#include "kernel/fastpath.h"

#include "abi/notification.capnp.h"
#include "core/captable_slots.h"
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

/* in_area, and where it is stands in one register from here on. */
HOT bool message_at(const struct thread_ring *r, struct ring *page, uint64_t address,
                    uint32_t size, word **out)
{
	bool good = in_area(r, page, address, size, out);

	__asm__("" : "+r"(*out));
	return good;
}

/* Of a message's size, a number of words; a large one if it is none. */
HOT uint64_t words_of(uint64_t size)
{
	__asm__("" : "+r"(size)); /* or gcc sees that half of it is 0, and no rotation */
	return size >> 3 | size << 61;
}

/* Most messages are a few words long: those are copied from the last to the first. */
HOT void copy_words(word *to, const word *from, uint64_t words)
{
	const volatile word *in = from;

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

/* This CPU's, in a register: its address is long. */
HOT struct cpu *here(void)
{
	struct cpu *cpu = this_cpu;

	__asm__("" : "+r"(cpu));
	return cpu;
}

/* -- from caller to server and back ------------------------------------------------------ */

/* The record that the thread waits for, on that ring, is answered, with a capability if
 * `cap` is not 0. */
HOT void answered(struct thread *t, const struct pending *p, struct thread_ring *r,
                  uint32_t size, uint32_t cap)
{
	struct ring *page = r->page;
	uint32_t cq = r->cq_tail;

	write_completion(page, r, cq, p->sq % RING_SQ_ENTRIES, p->user_data, done_with(size), cap);
	show_completions(page, r, cq + 1);
	t->direct = NULL;
}

/* The current thread, which has no record, will wait for that entry of its program's
 * ring, at `sq`, and nothing else. */
HOT struct pending *wait_for(struct thread *t, struct ring *page, uint32_t sq,
                             const struct ring_sqe *sqe, void (*cancel)(struct pending *))
{
	struct pending *p = &t->own[0];

	p->sq = sq;
	p->user_data = ONCE(sqe->user_data);
	p->results_address = (struct uaddr){ONCE(sqe->results)};
	p->results_size = ONCE(sqe->results_size);
	p->cancel = cancel;
	t->direct = p;
	show_consumed(page, &t->rings[RING_PROGRAM], sq + 1);
	return p;
}

/* The current thread, a native one, goes on: its cap_enter ended well. */
_Noreturn HOT void leave(struct cpu *cpu, struct thread *t)
{
	unlock_shared_of(cpu);
	__asm__ volatile("jmp native_resume" ::"D"(t) : "memory");
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

/* The rest of hand_over, where `to` has waited on its module's ring. */
__attribute__((noinline, cold)) _Noreturn static void resume_in_module(struct thread *to,
                                                                       const struct thread_ring *on)
{
	struct cpu *cpu = here();

	end_wait(to, on->address);
	switch_to(cpu, to);
	unlock_shared_of(cpu);
	((void (*)(struct thread *))gate_address(gate_resume))(to);
	__builtin_unreachable();
}

/* `to`, which is claimed, runs on in the current thread's place and on the same
 * context. Once `from` can be seen to wait, another CPU may claim it: its registers
 * come first. */
_Noreturn HOT void hand_over(struct cpu *cpu, struct thread *from, struct thread *to,
                             const struct thread_ring *on)
{
	struct space *space = to->process->space;
	unsigned index = cpu->index;

	switch_from(from);
	switch_registers(cpu, to);
	cpu->current = to;
	to->cpu = (uint8_t)index;
	__atomic_store_n(&from->state, THREAD_WAITING, __ATOMIC_RELEASE);
	cpu->running = space;
	if (!LIKELY(!space->module))
		resume_in_module(to, on);
	/* From native to native: native_resume knows it all. */
	if (cpu->loaded != space) {
		cpu->loaded = space;
		write_cr3(space->top[index]);
	}
	leave(cpu, to);
}

/* -- a capability that is copied along ------------------------------------------------- */

/* The object that `id` names there, and its epoch, with the table of `to` ours and with
 * room. NULL: not here. Nothing else has changed. */
HOT struct object *copy_begin(const struct domain *from, uint32_t id, struct domain *to,
                              uint32_t *epoch)
{
	const struct capslot *slot = captable_slot(&from->table, id);
	struct object *o = slot ? capslot_read(slot, id) : NULL;

	if (!o || !to || !flag_take(&to->flag))
		return NULL;
	*epoch = o->epoch;
	if (LIKELY(captable_has_room(&to->table)))
		return o;
	flag_drop(&to->flag);
	return NULL;
}

/* Gives its id there. */
HOT uint32_t copy_end(struct object *o, uint32_t epoch, struct domain *to)
{
	uint32_t id;

	object_hold_shared(o);
	id = captable_fill(&to->table, o, epoch);
	flag_drop(&to->flag);
	return id;
}

/* Bytes that a call with so many words comes to. */
HOT uint32_t whole(uint64_t words)
{
	__asm__("" : "+r"(words)); /* it is cheaper to make it than to keep it */
	return (uint32_t)(8 * words + sizeof(struct ring_received));
}

/* CALL of a facet whose server waits for it. Does not return if it goes this way.
 * `brings`: a capability; known where this is inlined. Then registers are few: `cpu` and
 * `sq` are looked for when they are needed. */
HOT void call_server(struct cpu *cpu, struct thread *t, struct ring *page, uint32_t sq,
                     const struct ring_sqe *sqe, const struct facet *f, bool brings)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM], *on;
	struct endpoint *e = f->endpoint;
	uint64_t words = ONCE(sqe->params_size);
	struct pending *receiver, *c;
	struct thread *server;
	struct object *o = NULL;
	struct served *served;
	struct ring_received *received;
	word *params, *to;
	uint32_t cap = 0, epoch = 0;

	__asm__("" : "=r"(params)); /* none, if there are no words */
	if (f->interface != ONCE(sqe->interface))
		return;
	if (words) {
		words = words_of(words);
		if (words > MESSAGE_MOST / 8 ||
		    !message_at(r, page, ONCE(sqe->params), MESSAGE_MOST, &params))
			return;
	}
	if (!flag_take(&e->flag))
		return;
	receiver = e->receivers.head;
	if (!receiver)
		goto slowly;
	server = receiver->thread;
	on = receiver->on;
	if (!message_at(on, on->page, receiver->results_address.v,
	             MESSAGE_MOST + sizeof(struct ring_received), &to) ||
	    8 * words + sizeof(struct ring_received) > receiver->results_size || e->server != server ||
	    (uintptr_t)server->lender | (uintptr_t)receiver->next)
		goto slowly;
	if (brings) {
		o = copy_begin(r->domain, ONCE(sqe->caps[0]), on->domain, &epoch);
		if (!o)
			goto slowly;
	}
	if (!claim(server, receiver)) {
		if (brings)
			flag_drop(&on->domain->flag);
		goto slowly;
	}
	e->receivers.head = e->receivers.tail = NULL;
	flag_drop(&e->flag);
	if (brings) {
		cap = copy_end(o, epoch, on->domain);
		cpu = here();
		page = r->page;
		sq = r->sq_head;
	}

	served = receiver->receive.served;
	served->token += RING_SERVED;
	received = (struct ring_received *)to;
	received->token = served->token;
	received->badge = f->badge;
	received->interface = f->interface;
	received->method = ONCE(sqe->method);
	received->caps_count = brings;
	received->params_size = (uint32_t)(8 * words);
	if (words)
		copy_words(to + sizeof(*received) / 8, params, words);
	answered(server, receiver, on, whole(words), cap);
	c = wait_for(t, page, sq, sqe, endpoint_cancel_call);
	c->call.server = server;
	c->call.served = served;
	served->call = c;
	sched_hand_context(t, server, c);
	hand_over(cpu, t, server, on);
slowly:
	flag_drop(&e->flag);
}

/* It is not as frequent that the others should save registers for it. */
__attribute__((noinline, flatten)) static void call_server_with_cap(struct thread *t)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	const struct ring_sqe *sqe = entry_at(r->page, r->sq_head);
	uint64_t head = head_of(sqe);
	const struct object *o = look_up(r, head);

	if (op_and_caps(head) == (RING_CALL | ONE_CAP) && o && o->type == &facet_type &&
	    !t->pending)
		call_server(NULL, t, r->page, 0, sqe, (const struct facet *)o, true);
}

/* SERVE with status OK, when the caller waits for this answer and nobody else waits for
 * `t`, which might lend (sched_help): it has received no other call, and no other endpoint
 * looks to it. Does not return if it goes this way. */
HOT void serve_caller(struct cpu *cpu, struct thread *t, struct ring *page, uint32_t sq,
                      const struct ring_sqe *sqe, uint64_t head)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM], *on;
	uint64_t token = ONCE(sqe->token);
	struct served *served = &t->served[0];
	struct pending *c = served->call, *receiver;
	uint64_t words = ONCE(sqe->params_size);
	struct endpoint *e;
	struct thread *caller;
	word *answer, *to;
	struct object *o;

	__asm__("" : "=r"(answer), "=r"(to)); /* none, if there are no words */
	if (served->token != token || !c || c == SERVED_GONE ||
	    t->slots_used != 1 || t->pending || ONCE(sqe->results) % 8 ||
	    ONCE(sqe->results_size) < sizeof(struct ring_received))
		return;
	if (words) {
		on = c->on;
		words = words_of(words);
		if (words > MESSAGE_MOST / 8 || c->results_size < 8 * words)
			return;
		if (!message_at(r, page, ONCE(sqe->params), MESSAGE_MOST, &answer) ||
		    !message_at(on, on->page, c->results_address.v, MESSAGE_MOST, &to))
			return;
	}
	o = look_up(r, head);
	if (!o || o->type != &endpoint_type)
		return;
	e = (struct endpoint *)o;
	caller = c->thread;
	if (t->lender != caller || caller->lent_for != c || !flag_take(&e->flag))
		return;
	if ((uintptr_t)e->calls.head | (uintptr_t)e->gone | (uintptr_t)e->receivers.head ||
	    t->serves.next != &e->served || t->serves.prev != &e->served || !claim(caller, c)) {
		flag_drop(&e->flag);
		return;
	}
	if (words)
		copy_words(to, answer, words);
	on = c->on;
	answered(caller, c, on, (uint32_t)(8 * words), 0);
	served->call = NULL;
	sched_hand_back(t, caller);
	receiver = wait_for(t, page, sq, sqe, endpoint_cancel_receive);
	receiver->receive.endpoint = e;
	receiver->receive.served = served;
	e->receivers.head = e->receivers.tail = receiver;
	flag_drop(&e->flag);
	hand_over(cpu, t, caller, on);
}

/* -- one call on an object of the exokernel -------------------------------------------- */

/* Gives the bytes of the results; 0: not here. As quick.c's serve(), but that what is
 * known of a batch beforehand is here had from the method again: 7 instructions less. */
HOT uint32_t call_quickly(struct cpu *cpu, const struct thread_ring *r, struct ring *page,
                          const struct ring_sqe *sqe, struct object *o,
                          const struct quick_method *q)
{
	uint64_t *params = cpu->message;
	word *results;

	if (!quick_sizes_fit(q, ONCE(sqe->params_size), ONCE(sqe->results_size)))
		return 0;
	if (q->params && !quick_params(r, sqe, q->params, params))
		return 0;
	if (!message_at(r, page, ONCE(sqe->results), QUICK_MESSAGE, &results) ||
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
	    (size && !message_at(p->on, p->on->page, p->results_address.v, size, &to)) ||
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
	answered(t, p, p->on, size, 0); /* on its ring, which may be its module's */
	end_wait(t, p->on->address);
	__atomic_store_n(&t->state, THREAD_READY, __ATOMIC_RELEASE);
	sched_enqueue_here(t);
	return true;
}

/* The entry at `sq`, sq_head, is done. */
HOT void complete(struct ring *page, struct thread_ring *r, uint32_t sq,
                  const struct ring_sqe *sqe, uint32_t size)
{
	uint32_t cq = r->cq_tail;

	write_completion(page, r, cq, sq % RING_SQ_ENTRIES, ONCE(sqe->user_data), done_with(size), 0);
	show_consumed(page, r, sq + 1);
	show_completions(page, r, cq + 1);
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
	complete(r->page, r, r->sq_head, sqe, 0);
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

/* One completion more than there are is what the thread waits for. */
_Noreturn HOT void enter_slowly(struct thread *t)
{
	const struct thread_ring *r = &t->rings[RING_PROGRAM];

	trap_enter((uint64_t)ringindex_unconsumed(r->page, r->cq_tail) + 1, RING_FOREVER, t);
}

/* The one entry that is left is a RELEASE. */
__attribute__((noinline)) _Noreturn static void release_last(struct thread *t)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	uint32_t sq = r->sq_head;

	releases(r, r->page);
	if (r->sq_head != sq)
		leave(here(), t);
	enter_slowly(t);
}

/* The one entry, which the thread will wait for. True: it is done already. */
HOT bool serve_one(struct cpu *cpu, struct thread *t, struct ring *page, uint32_t sq)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	const struct ring_sqe *sqe = entry_at(page, sq);
	uint64_t head = head_of(sqe);
	const struct quick_method *q;
	struct object *o;
	uint32_t size;

	if (op_and_caps(head) != RING_CALL) {
		if ((uint32_t)head == RING_SERVE) /* with status OK, and no capabilities */
			serve_caller(cpu, t, page, sq, sqe, head);
		else if (op_and_caps(head) == (RING_CALL | ONE_CAP))
			call_server_with_cap(t);
		else if ((uint8_t)head == RING_RELEASE)
			release_last(t);
		return false;
	}
	o = look_up(r, head);
	if (!o)
		return false;
	if (o->type == &facet_type) {
		if (!t->pending)
			call_server(cpu, t, page, sq, sqe, (const struct facet *)o, false);
		return false;
	}
	if (r->pending >= RING_CQ_ENTRIES)
		return false;
	q = quick_method_of(sqe, head, o);
	if (!q)
		return o->type == &notification_type &&
		       signal(cpu, t, sqe, (struct notification *)o);
	size = call_quickly(cpu, r, page, sqe, o, q);
	if (!size)
		return false;
	complete(page, r, sq, sqe, size);
	return true;
}

/* What is left is for ring_enter. Nothing is half done. */
__attribute__((flatten))
void fast_enter(uint64_t least, uint64_t timeout_ns, uint64_t rdx, uint64_t rcx,
                struct cpu *cpu, struct thread *t)
{
	struct thread_ring *r = &t->rings[RING_PROGRAM];
	struct ring *page;
	uint32_t sq;

	(void)rdx;
	(void)rcx;
	if (lock_shared_of(cpu))
		switch_to_native(cpu, t->process->space);
	if (t->attention || cpu->attention)
		trap_enter(least, timeout_ns, t);
	page = r->page;
	sq = r->sq_head;
	if (!LIKELY(ONCE(page->sq_tail) == sq + 1 && ONCE(page->cq_head) == r->cq_tail &&
	            least == 1 && timeout_ns == RING_FOREVER)) {
		enum quick done = several(least, timeout_ns, r, page);
		if (done == QUICK_ALL)
			leave(cpu, t);
		if (done == QUICK_NOT)
			trap_enter(least, timeout_ns, t);
		sq = r->sq_head;
	}
	if (serve_one(cpu, t, page, sq))
		leave(cpu, t);
	enter_slowly(t);
}
