/* brood.h: how an actor makes a process that is an actor itself. One entry after
 * the other: the process, its memory, what it is granted; then it starts. Other
 * operations go on in between, and the end may come at any time. Nobody keeps a name
 * of it: it ends with the ledger that pays for it. */
#pragma once

#define BROOD_ROWS \
	OP(3, K_SPAWNER, op_brood, conceived, TAKEN, TAKEN, TAKEN), \
	OP(2, K_LIBOS, op_brood_under, conceived, TAKEN, TAKEN, TAKEN), \
	OP(60, K_NONE, op_nurse, NULL, 0),

#include "test/boot/chaos/ops_life.h"
#include "test/boot/chaos/ops_memory.h"

extern const uint8_t native_image[], native_image_end[];
_Noreturn void chaos_child(uint64_t seed, struct ring *ring, const struct capset *capset);

enum brood_stage {
	B_NONE, B_TEXT, B_DATA, B_STACK, B_BOARD, B_SELF, B_SPACE, B_LEDGER, B_GIFT,
	B_START, B_STAGES
};
enum { B_BEGUN = 1, B_NURSED }; /* what an entry is for it */
enum { BROOD_BYTES = 110 * 4096, BROOD_STACK_PAGES = 4 };

static void begin_child(struct actor *a, struct thread_start_builder start)
{
	thread_start_set_entry(start, (uintptr_t)chaos_child);
	thread_start_set_stack(start, PROGRAM_STACK_TOP - 8);
	thread_start_set_argument(start, (next(a) & ~UINT64_C(0xff)) | a->cell);
}

static bool may_brood(const struct actor *a)
{
	return a->brood.stage == B_NONE && !a->brood.busy && !a->module && !a->chain_kind &&
	       has(a, K_HERE);
}

/* From the spawner, or under a libOS. */
static bool op_brood(struct actor *a, struct request *q)
{
	if (!may_brood(a) || !call_on(a, q, K_SPAWNER, PROCESS_SPAWNER_CREATE))
		return false;
	struct process_spawner_create_params_builder p = process_spawner_create_params_build(&q->b);
	begin_child(a, process_spawner_create_params_init_start(p));
	process_spawner_create_params_set_bytes(p, BROOD_BYTES);
	if (has(a, K_LEDGER))
		process_spawner_create_params_set_ledger(
			p, attach_held(q, K_LEDGER, pick(a, K_LEDGER), false));
	q->slot->brood = B_BEGUN;
	a->brood.busy = true;
	return true;
}

static bool op_brood_under(struct actor *a, struct request *q)
{
	if (!may_brood(a) || !call_on(a, q, K_LIBOS, LIBOS_SPAWN))
		return false;
	struct libos_spawn_params_builder p = libos_spawn_params_build(&q->b);
	begin_child(a, libos_spawn_params_init_start(p));
	libos_spawn_params_set_pid(p, (uint32_t)below(a, 2));
	q->slot->brood = B_BEGUN;
	a->brood.busy = true;
	return true;
}

static void conceived(struct actor *a, struct slot *slot, const struct ring_cqe *cqe)
{
	(void)slot;
	a->brood = (struct brood){ .stage = B_TEXT, .process = cqe->caps[0],
	                           .space = cqe->caps[1], .thread = cqe->caps[2] };
}

/* It came to nothing: never started, it ends with its thread's capability. */
static void abandon(struct actor *a)
{
	throw_away(a, a->brood.thread);
	throw_away(a, a->brood.space);
	throw_away(a, a->brood.process);
	a->brood = (struct brood){ .stage = B_NONE };
}

/* Of whatever entry: those of the brood go on. */
static void brood_answered(struct actor *a, const struct slot *slot, enum status status)
{
	struct brood *b = &a->brood;
	bool ok = status == STATUS_OK;

	if (slot->brood)
		b->busy = false;
	if (!slot->brood || b->stage == B_NONE || slot->brood != B_NURSED)
		return;
	/* One under a libOS whose domain is another's takes no grants. */
	if (!ok && (b->stage < B_SELF || b->stage == B_START)) {
		abandon(a);
		return;
	}
	if (++b->stage < B_STAGES)
		return;
	__atomic_fetch_add(&board->crumbs, 1, __ATOMIC_SEQ_CST);
	keep(a, K_PROCESS, (struct held){ .cap = b->process });
	keep(a, K_SPACE, (struct held){ .cap = b->space });
	keep(a, K_THREAD, (struct held){ .cap = b->thread, .info = 1 });
	*b = (struct brood){ .stage = B_NONE };
}

static void call_brood(struct request *q, uint32_t cap, uint64_t interface, uint16_t method)
{
	q->e.op = RING_CALL;
	q->e.cap = cap;
	q->e.interface = interface;
	q->e.method = method;
	capnp_builder_start(&q->b, q->slot->params, sizeof q->slot->params);
}

static void brood_share(struct actor *a, struct request *q, uint64_t address, uint64_t pages)
{
	struct address_space_share_params_builder p;

	call_brood(q, a->brood.space, ADDRESS_SPACE_ID, ADDRESS_SPACE_SHARE);
	p = address_space_share_params_build(&q->b);
	address_space_share_params_set_source(p, attach_held(q, K_HERE, pick(a, K_HERE), false));
	address_space_share_params_set_address(p, address);
	address_space_share_params_set_pages(p, pages);
}

static void brood_fresh(struct actor *a, struct request *q, uint64_t address, uint64_t pages)
{
	struct address_space_fresh_params_builder p;

	call_brood(q, a->brood.space, ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH);
	p = address_space_fresh_params_build(&q->b);
	address_space_fresh_params_set_address(p, address);
	address_space_fresh_params_set_pages(p, pages);
	address_space_fresh_params_set_access(p, ACCESS_READ | ACCESS_WRITE);
}

static void brood_grant(struct actor *a, struct request *q, const char *name, unsigned kind,
                        uint32_t cap)
{
	const struct held own = { .cap = cap }, *h = cap ? &own : pick(a, kind);
	struct process_grant_params_builder p;

	call_brood(q, a->brood.process, PROCESS_ID, PROCESS_GRANT);
	p = process_grant_params_build(&q->b);
	process_grant_params_set_name(p, capnp_text_from(name));
	if (h)
		process_grant_params_set_object(p, attach_held(q, kind, h, false));
}

/* The next entry for it, or false. */
static bool op_nurse(struct actor *a, struct request *q)
{
	struct brood *b = &a->brood;
	uint64_t image = (uintptr_t)native_image, data = image + board->data_page * UINT64_C(4096);

	if (b->stage == B_NONE || b->busy || a->chain_kind)
		return false;
	b->busy = true;
	q->slot->brood = B_NURSED;
	switch (b->stage) {
	case B_TEXT:
		brood_share(a, q, image, board->data_page);
		break;
	case B_DATA:
		brood_fresh(a, q, data, ((uintptr_t)native_image_end - data + 4095) / 4096);
		break;
	case B_STACK:
		brood_fresh(a, q, PROGRAM_STACK_TOP - BROOD_STACK_PAGES * 4096, BROOD_STACK_PAGES);
		break;
	case B_BOARD:
		brood_share(a, q, (uintptr_t)BOARD, BOARD_PAGES);
		break;
	case B_SELF:
		brood_grant(a, q, "self", K_PROCESS, b->process);
		break;
	case B_SPACE:
		brood_grant(a, q, "space", K_SPACE, b->space);
		break;
	case B_LEDGER:
		brood_grant(a, q, "ledger", K_LEDGER, 0);
		break;
	case B_GIFT:
		brood_grant(a, q, "gift", some_kind(a), 0);
		break;
	default:
		call_brood(q, b->thread, THREAD_ID, THREAD_START);
	}
	return true;
}
