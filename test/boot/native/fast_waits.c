/* fast_waits.c: threads that wait for one thing only, so that their record is listed
 * nowhere (kernel/pending.h), and all that may happen to them meanwhile, besides what
 * they wait for: a caller's answer, a server's call. What they wait for comes after all,
 * or they hear why not; and nothing is left of it. */
#include "test/boot/native/fast_ask.h"
#include "test/boot/native/stages.h"

#define ELSEWHERE ((uint64_t *)0x740000000) /* mapped by us */

enum { STAGE_ENDS = 1, GIVEN = 3 * MS };

enum happening {
	NOTHING, ENDED, SUSPENDED, INTERRUPTED, POSTED, CANCELLED, TIMED_OUT, UNBOUND, MOVED,
	ELSE, /* it waits for something else, too */
	INTERRUPTED_SECOND, HAPPENINGS
};

static uint32_t endpoint, facet;

static void open_endpoint(void)
{
	endpoint = new_endpoint();
	facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	posted = 0;
	for (unsigned i = 0; i < STATUS_COUNT; i++)
		roused[i] = 0;
	for (unsigned i = 0; i < WORKERS; i++)
		actors[i] = (struct actor){ .endpoint = 0 };
}

static void close_endpoint(void)
{
	release(facet);
	release(endpoint);
}

/* We are not alone, so we stay. */
static void try_to_move(void)
{
	struct load l = { .id = "elsewhere", .ledger = child(native_find(self, "ledger"), 4 << 20) };
	uint32_t libos = 0;

	OK(load_by(self, &l, &libos));
	REFUSED(BUSY, become(self, libos, 0, 0, native_find(self, "bundle"), self->argument));
	OK(ledger_end_all(self, l.ledger)); /* unloads it */
	CHECK(&check, !row_of("elsewhere").found);
	release(l.ledger);
	release(libos);
}

static void happen(enum happening what, struct worker *w)
{
	switch (what) {
	case ENDED:
		OK(kill(w->thread));
		break;
	case SUSPENDED:
		OK(plain_call(w->thread, THREAD_ID, THREAD_SUSPEND));
		break;
	case INTERRUPTED:
	case INTERRUPTED_SECOND:
	case CANCELLED:
		OK(plain_call(w->thread, THREAD_ID, THREAD_INTERRUPT));
		CHECK(&check, until(&roused[STATUS_INTERRUPTED], 1));
		break;
	case POSTED:
		post_to(w->thread);
		CHECK(&check, until(&posted, 1));
		break;
	case TIMED_OUT:
		CHECK(&check, until(&roused[STATUS_TIMEOUT], 1));
		break;
	case UNBOUND:
		OK(unbind(w->context));
		break;
	case MOVED:
		try_to_move();
		break;
	default:
		break;
	}
	nap(3 * MS); /* what it does about it is over, and it waits as before */
}

/* It has what it waited for, or has been told, and does not run before it may. */
static void let_go_on(enum happening what, struct worker *w, volatile uint32_t *done)
{
	if (what != SUSPENDED && what != UNBOUND)
		return;
	until_state(w, what == SUSPENDED ? THREAD_STATE_SUSPENDED : THREAD_STATE_READY);
	nap(5 * MS);
	CHECK(&check, *done == 0);
	if (what == SUSPENDED)
		OK(plain_call(w->thread, THREAD_ID, THREAD_RESUME));
	else
		OK(bind(w->context, w->thread));
}

/* -- a caller that waits for its answer, from us ------------------------------------------ */

/* The bell rings after the answer has been given by SERVE: we come back from that. */
static void answer_by_serve(void)
{
	start_asker(BELL, facet);
	OK(receive(endpoint, RING_SERVE, token));
	OK(give_back(token));
	CHECK(&check, until(&actors[BELL].served, 1));
	end_worker(&workers[BELL]);
}

static void become_its_server(void)
{
	start_asker(1, facet);
	OK(receive(endpoint, RING_RECV, 0));
	OK(give_back(token));
	CHECK(&check, until(&actors[1].served, 1));
	end_worker(&workers[1]);
}

static void to_a_caller(enum happening what, bool by_serve)
{
	struct actor *a = &actors[0];

	open_endpoint();
	become_its_server();
	a->cancels = what == CANCELLED;
	a->timeout = what == TIMED_OUT ? 5 * MS : 0;
	a->hold = what == ELSE ? BESIDE : what == INTERRUPTED_SECOND ? SECOND : 0;
	start_asker(0, facet);
	OK(receive(endpoint, RING_RECV, 0));
	until_state(&workers[0], THREAD_STATE_WAITING);
	if (what == INTERRUPTED_SECOND)
		nap(5 * MS); /* the first is free */
	happen(what, &workers[0]);
	if (what == CANCELLED)
		CHECK(&check, until(&a->served, 1));
	else
		until_state(&workers[0], what == ENDED ? THREAD_STATE_ENDED : THREAD_STATE_WAITING);
	if (what == ENDED || what == CANCELLED)
		REFUSED(GONE, give_back(token));
	else if (by_serve)
		answer_by_serve();
	else
		OK(give_back(token));
	let_go_on(what, &workers[0], &a->answers);
	if (what != ENDED) {
		CHECK(&check, until(&a->served, 1));
		CHECK(&check, a->answers == 1 && a->who[0] == 1);
		CHECK_STATUS(&check, what == CANCELLED ? STATUS_CANCELLED : STATUS_OK, a->status);
	}
	CHECK(&check, posted == (what == POSTED) && roused[STATUS_TIMEOUT] == (what == TIMED_OUT));
	CHECK(&check, roused[STATUS_INTERRUPTED] == (what == INTERRUPTED ||
	                                             what == INTERRUPTED_SECOND || what == CANCELLED));
	end_worker(&workers[0]);
	close_endpoint();
}

static void things_happen_to_callers(void)
{
	for (unsigned what = 0; what < HAPPENINGS; what++) {
		to_a_caller(what, false);
		to_a_caller(what, true);
	}
}

/* -- a caller whose server is another ------------------------------------------------------- */

/* Works on the call for as long as it is told to; no more urgent than we are. */
static struct worker *start_its_server(void)
{
	start_active_server(2, endpoint, 0, 31);
	return &workers[2];
}

static void its_server_ends(void)
{
	struct worker *s;

	open_endpoint();
	s = start_its_server();
	start_asker(0, facet);
	until_state(&workers[0], THREAD_STATE_WAITING);
	CHECK(&check, until_moves(s)); /* it works on the call */
	end_worker(s);
	CHECK(&check, until(&actors[0].served, 1));
	CHECK(&check, actors[0].answers == 1);
	CHECK_STATUS(&check, STATUS_GONE, actors[0].status);
	end_worker(&workers[0]);
	close_endpoint();
}

/* What it lent is used up, and no more will come: it waits no more, and when it has time
 * again it waits again. The server goes on with its own. */
static void its_time_is_used_up(void)
{
	struct worker *s;

	open_endpoint();
	s = start_its_server();
	start_asker_with(0, ask_stubbornly, facet, GIVEN);
	for (unsigned i = 0; i < 5000 && !query(workers[0].context).exhausted; i++)
		nap(MS);
	CHECK(&check, query(workers[0].context).exhausted == 1);
	until_state(&workers[0], THREAD_STATE_READY);
	CHECK(&check, until_moves(s) && roused[STATUS_BUDGET] == 0);
	OK(configure(workers[0].context, SCHEDULING_INFINITE, 0, 31));
	CHECK(&check, until(&roused[STATUS_BUDGET], 1));
	until_state(&workers[0], THREAD_STATE_WAITING);
	actors[2].hold = 0;
	CHECK(&check, until(&actors[0].served, 1));
	CHECK(&check, actors[0].answers == 1);
	CHECK_STATUS(&check, STATUS_OK, actors[0].status);
	end_worker(&workers[0]);
	end_worker(s);
	close_endpoint();
}

/* -- a server that waits for a call ----------------------------------------------------------- */

/* Receives once, whatever comes before that, and answers. */
_Noreturn static void serve_stubbornly(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_received *in = (struct ring_received *)(ring->area + 512);
	uint64_t timeout = a->timeout ? a->timeout : RING_FOREVER;
	bool receives = false;
	const struct ring_cqe *cqe;

	if (a->hold)
		wait_beside(ring);
	while (!a->answers) {
		enum status status;

		if (!receives) {
			struct ring_sqe *e = entry(ring, RING_RECV, a->endpoint);

			e->user_data = 1;
			e->results = (uintptr_t)in;
			e->results_size = 512;
			ring_push(ring);
			receives = true;
		}
		status = ring_enter(1, timeout);
		timeout = RING_FOREVER;
		if (status != STATUS_OK && a->cancels)
			cancel_call(ring, 1);
		else if (status != STATUS_OK)
			park_for(ring, MS);
		if (status != STATUS_OK)
			roused[status]++;
		while ((cqe = ring_done(ring)) != NULL) {
			posted += (cqe->flags & RING_POSTED) != 0;
			if (cqe->user_data != 1)
				continue;
			receives = false;
			a->gave_up += cqe->status == STATUS_CANCELLED;
			a->status = (enum status)cqe->status;
			a->answers += cqe->status != STATUS_CANCELLED;
		}
	}
	entry(ring, RING_RETURN, 0)->token = in->token;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	a->who[1] = take(ring);
	if (a->hold)
		take_records(ring);
	ring_exit(0);
}

static struct worker *start_stubborn_server(unsigned i)
{
	struct worker *w = act(i, serve_stubbornly);

	actors[i].endpoint = endpoint;
	OK(create_context(control, SCHEDULING_INFINITE, 0, PRIORITY, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	return w;
}

static void to_a_server(enum happening what)
{
	struct actor *s = &actors[2], *a = &actors[0];
	struct worker *w;

	open_endpoint();
	s->cancels = what == CANCELLED;
	s->timeout = what == TIMED_OUT ? 5 * MS : 0;
	s->hold = what == ELSE;
	w = start_stubborn_server(2);
	until_state(w, THREAD_STATE_WAITING);
	happen(what, w);
	if (what == CANCELLED)
		CHECK(&check, until(&s->gave_up, 1));
	if (what != ENDED)
		until_state(w, THREAD_STATE_WAITING);
	start_asker(0, facet);
	if (what == SUSPENDED)
		let_go_on(what, w, &s->answers);
	if (what == ENDED) { /* the next one gets it */
		until_state(&workers[0], THREAD_STATE_WAITING);
		end_worker(w);
		w = start_stubborn_server(3);
		s = &actors[3];
	}
	CHECK(&check, until(&a->served, 1));
	CHECK(&check, a->answers == 1 && s->answers == 1 && posted == (what == POSTED));
	CHECK_STATUS(&check, STATUS_OK, a->status);
	CHECK_STATUS(&check, STATUS_OK, s->status);
	if (what == UNBOUND)
		OK(bind(w->context, w->thread)); /* it answered with what it was lent */
	until_state(w, THREAD_STATE_ENDED);
	CHECK(&check, s->who[1] == STATUS_OK);
	end_worker(&workers[0]);
	end_worker(w);
	close_endpoint();
}

static void things_happen_to_servers(void)
{
	for (unsigned what = 0; what < HAPPENINGS; what++)
		to_a_server(what);
}

/* Says what its only wait came to. */
_Noreturn static void receive_once(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_sqe *e = entry(ring, RING_RECV, a->endpoint);

	e->results = (uintptr_t)(ring->area + 512);
	e->results_size = 512;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	a->status = take(ring);
	(void)!ring_enter(1, 20 * MS); /* a second one would be seen */
	a->served = 1 + (ring_done(ring) != NULL);
	ring_exit(0);
}

static void its_endpoint_goes(void)
{
	struct worker *w;

	open_endpoint();
	w = act(0, receive_once);
	actors[0].endpoint = endpoint;
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
	release(endpoint);
	CHECK(&check, until(&actors[0].served, 1) && actors[0].served == 1);
	CHECK_STATUS(&check, STATUS_GONE, actors[0].status);
	end_worker(w);
	release(facet);
}

/* -- who wait for each other in a circle ------------------------------------------------------ */

/* Receives a call, answers it if it is the first of the circle, then asks the next one,
 * whom that waits for: it waits for a while, or for ever. */
_Noreturn static void ask_in_a_circle(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_received *in = (struct ring_received *)(ring->area + 512);
	struct ring_sqe *e = entry(ring, RING_RECV, a->endpoint);

	e->results = (uintptr_t)in;
	e->results_size = 256;
	ring_push(ring);
	(void)!ring_enter(1, RING_FOREVER);
	(void)ring_done(ring);
	if (a->timeout) {
		entry(ring, RING_RETURN, 0)->token = in->token;
		ring_push(ring);
		(void)!ring_enter(1, RING_FOREVER);
		(void)ring_done(ring);
	}
	entry(ring, RING_CALL, a->facet)->interface = INTERFACE;
	ring_push(ring);
	a->status = ring_enter(1, a->timeout ? a->timeout : RING_FOREVER);
	a->served = 1;
	ring_exit(0);
}

static void start_in_circle(unsigned i, uint32_t at, uint32_t next, uint32_t priority)
{
	struct worker *w = act(i, ask_in_a_circle);

	actors[i].endpoint = at;
	actors[i].facet = next;
	OK(create_context(control, SCHEDULING_INFINITE, 0, priority, &w->context));
	OK(bind(w->context, w->thread));
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
}

static void one_gives_up(uint32_t first, uint32_t second)
{
	uint32_t other = new_endpoint(), next = made(other, ENDPOINT_ID, ENDPOINT_FACET);

	open_endpoint();
	actors[0].timeout = 30 * MS;
	start_in_circle(2, other, facet, second);
	start_in_circle(0, endpoint, next, first);
	start_asker(1, facet); /* makes the first one its endpoint's server */
	CHECK(&check, until(&actors[0].served, 1));
	CHECK_STATUS(&check, STATUS_TIMEOUT, actors[0].status);
	until_state(&workers[0], THREAD_STATE_ENDED);
	CHECK(&check, actors[2].served == 0);
	CHECK(&check, thread_state(workers[2].thread) == THREAD_STATE_WAITING);
	for (unsigned i = 0; i < 3; i++)
		end_worker(&workers[i]);
	release(next);
	release(other);
	close_endpoint();
}

static void circles_are_left(void)
{
	one_gives_up(31, PRIORITY);
	one_gives_up(PRIORITY, 31);
	one_gives_up(31, 31);
}

/* -- who has no place left for anything else --------------------------------------------------- */

/* Waits for an answer with all else in the queue of completions, not consumed. */
_Noreturn static void ask_with_all_full(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_sqe *e;

	for (unsigned i = 1; i < RING_CQ_ENTRIES; i++) {
		entry(ring, RING_NOP, 0)->user_data = PARKED;
		ring_push(ring);
		(void)!ring_enter(0, 0);
	}
	e = entry(ring, RING_CALL, a->facet);
	e->interface = INTERFACE;
	e->user_data = 1;
	ring_push(ring);
	a->status = ring_enter(RING_CQ_ENTRIES, RING_FOREVER);
	for (const struct ring_cqe *cqe; (cqe = ring_done(ring)) != NULL;) {
		a->answers += cqe->user_data == 1;
		a->gave_up += cqe->user_data == PARKED;
	}
	a->served = 1;
	ring_exit(0);
}

static void nobody_takes_its_place(bool by_serve)
{
	open_endpoint();
	become_its_server();
	start_asker_with(0, ask_with_all_full, facet, SCHEDULING_INFINITE);
	OK(receive(endpoint, RING_RECV, 0));
	until_state(&workers[0], THREAD_STATE_WAITING);
	(void)entry(self->ring, RING_POST, workers[0].thread);
	ring_push(self->ring);
	(void)!ring_enter(1, RING_FOREVER);
	REFUSED(BUSY, take(self->ring));
	if (by_serve)
		answer_by_serve();
	else
		OK(give_back(token));
	CHECK(&check, until(&actors[0].served, 1));
	CHECK(&check, actors[0].answers == 1 && actors[0].gave_up == RING_CQ_ENTRIES - 1);
	CHECK_STATUS(&check, STATUS_OK, actors[0].status);
	end_worker(&workers[0]);
	close_endpoint();
}

static void its_place_is_kept(void)
{
	nobody_takes_its_place(false);
	nobody_takes_its_place(true);
}

/* -- whose ring is not where it was ---------------------------------------------------------- */

/* Does not look at its ring afterwards. */
_Noreturn static void wait_blindly(uint64_t which, struct ring *ring)
{
	struct actor *a = &actors[which];
	struct ring_sqe *e = entry(ring, a->endpoint ? RING_RECV : RING_CALL,
	                           a->endpoint ? a->endpoint : a->facet);

	e->interface = INTERFACE;
	e->params = (uintptr_t)ring->area;
	e->params_size = a->endpoint ? 0 : 32;
	e->results = (uintptr_t)(ring->area + 512);
	e->results_size = 256;
	a->who[0] = (uintptr_t)ring;
	ring_push(ring);
	a->status = ring_enter(1, RING_FOREVER);
	a->served = 1;
	ring_exit(0);
}

/* Something else stands in its place, which neither what comes nor its end touches. */
static void take_its_place(uint64_t ring, uint32_t memory)
{
	OK(native_unmap(self, here, (void *)ring, 1));
	OK(native_map(self, here, memory, 0, (void *)ring, 1, RW));
}

static void still_untouched(uint64_t ring)
{
	uint32_t access = 0;

	for (unsigned i = 0; i < WORDS; i++)
		CHECK(&check, ELSEWHERE[i] == i * 3);
	OK(native_query(self, here, ring, &access));
	CHECK(&check, access == RW);
	OK(native_unmap(self, here, (void *)ring, 1));
}

static uint32_t something_else(void)
{
	uint32_t memory = allocate(1);

	OK(native_map(self, here, memory, 0, ELSEWHERE, 1, RW));
	for (unsigned i = 0; i < WORDS; i++)
		ELSEWHERE[i] = i * 3;
	return memory;
}

static void callers_ring_goes(bool by_serve)
{
	uint32_t memory = something_else();

	open_endpoint();
	become_its_server();
	start_asker_with(0, wait_blindly, facet, SCHEDULING_INFINITE);
	OK(receive(endpoint, RING_RECV, 0));
	until_state(&workers[0], THREAD_STATE_WAITING);
	take_its_place(actors[0].who[0], memory);
	if (by_serve)
		answer_by_serve();
	else
		OK(give_back(token));
	CHECK(&check, until(&actors[0].served, 1));
	CHECK_STATUS(&check, STATUS_OK, actors[0].status);
	end_worker(&workers[0]);
	still_untouched(actors[0].who[0]);
	OK(native_unmap(self, here, ELSEWHERE, 1));
	release(memory);
	close_endpoint();
}

static void servers_ring_goes(void)
{
	uint32_t memory = something_else();
	struct worker *w;

	open_endpoint();
	w = act(2, wait_blindly);
	actors[2].endpoint = endpoint;
	OK(native_start(self, w->thread));
	until_state(w, THREAD_STATE_WAITING);
	take_its_place(actors[2].who[0], memory);
	start_asker(0, facet);
	CHECK(&check, until(&actors[2].served, 1));
	CHECK_STATUS(&check, STATUS_OK, actors[2].status);
	until_state(w, THREAD_STATE_ENDED);
	CHECK(&check, until(&actors[0].served, 1)); /* it ended without an answer */
	CHECK_STATUS(&check, STATUS_GONE, actors[0].status);
	end_worker(&workers[0]);
	end_worker(w);
	still_untouched(actors[2].who[0]);
	OK(native_unmap(self, here, ELSEWHERE, 1));
	release(memory);
	close_endpoint();
}

static void rings_go(void)
{
	callers_ring_goes(false);
	callers_ring_goes(true);
	servers_ring_goes();
}

/* -- who moves to another libOS, or ends itself, while it waits ------------------------------ */

static void chain_the_end(struct ring_sqe *e, struct capnp_builder *b)
{
	e->interface = PROCESS_ID;
	e->method = PROCESS_KILL;
	process_kill_params_set_code(process_kill_params_build(b), 5);
}

static void chain_the_move(struct native *me, struct ring_sqe *e, struct capnp_builder *b)
{
	struct libos_become_params_builder params = libos_become_params_build(b);

	e->interface = LIBOS_ID;
	e->method = LIBOS_BECOME;
	e->caps[0] = native_find(me, "program");
	e->caps_count = 1;
	libos_become_params_set_argument(params, STAGE(STAGE_ENDS, 0));
	libos_become_params_set_size(params, me->argument);
	libos_become_params_set_program(params, 0);
}

/* Asks for the libOS, or for itself; goes there, or ends, as soon as it is answered; and
 * asks once more. */
static int goes_while_it_waits(struct native *me)
{
	struct ring *ring = me->ring;
	uint32_t ask = native_find(me, "facet");
	struct ring_sqe *e;
	struct capnp_builder b;

	e = entry(ring, RING_CALL, ask);
	e->interface = INTERFACE;
	e->results = (uintptr_t)ring->area;
	e->results_size = 64;
	ring_push(ring);
	e = entry(ring, RING_CALL, RING_CHAIN(1, 0));
	e->chained = 1;
	capnp_builder_start(&b, ring->area + 128, 128);
	if (me->argument)
		chain_the_move(me, e, &b);
	else
		chain_the_end(e, &b);
	e->params = (uintptr_t)ring->area + 128;
	e->params_size = (uint32_t)capnp_builder_size(&b);
	ring_push(ring);
	e = entry(ring, RING_CALL, ask);
	e->interface = INTERFACE;
	ring_push(ring);
	(void)!ring_enter(3, RING_FOREVER);
	return 1;
}

static void it_goes_while_it_waits(bool moves)
{
	struct load l = { .id = "second" };
	uint64_t first, *answer = (uint64_t *)self->ring->area;
	uint32_t libos = 0;
	struct ring_sqe *e;

	open_endpoint();
	struct native_child child = spawned(goes_while_it_waits, moves ? self->argument : 0);
	if (moves)
		OK(load_by(self, &l, &libos));
	OK(native_grant(self, child.process, "facet", facet));
	OK(native_grant(self, child.process, "program", native_find(self, "bundle")));
	OK(native_start(self, child.thread));
	OK(receive(endpoint, RING_RECV, 0));
	first = token;
	OK(receive(endpoint, RING_RECV, 0));
	for (unsigned i = 0; i < 5000 && thread_state(child.thread) != THREAD_STATE_WAITING; i++)
		nap(MS);
	answer[0] = 1ull << 48;
	answer[1] = 3; /* the first capability beside it */
	e = entry(self->ring, RING_RETURN, 0);
	e->token = first;
	e->params = (uintptr_t)answer;
	e->params_size = 16;
	e->caps[0] = moves ? libos : child.process;
	e->caps_count = 1;
	ring_push(self->ring);
	(void)!ring_enter(1, RING_FOREVER);
	OK(take(self->ring));
	ended(&child, moves ? END_REASON_MOVED : END_REASON_KILLED, moves ? 0 : 5);
	REFUSED(GONE, give_back(token)); /* what it was waits no more */
	if (moves) {
		until_gone("second");
		release(libos);
	}
	close_endpoint();
}

static void processes_go(void)
{
	it_goes_while_it_waits(true);
	it_goes_while_it_waits(false);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		things_happen_to_callers, its_server_ends, its_time_is_used_up,
		things_happen_to_servers, its_endpoint_goes, circles_are_left,
		its_place_is_kept, rings_go, processes_go,
	};

	if (IS_STAGE(given->argument))
		return 0;
	start_sched(given, "fast_waits");
	run(steps, sizeof steps / sizeof steps[0]);
}
