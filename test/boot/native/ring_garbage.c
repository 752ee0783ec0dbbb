/* ring_garbage.c: a native program that fills its ring with garbage.
 *
 * Entries are random bytes, made wrong in one chosen way each (ring_attacks.h),
 * in batches of up to a whole queue, interleaved with correct calls and with
 * both indices of the ring overwritten. Every completion must be there once,
 * carry the user_data it was asked with, and be a refusal of the kind that fits,
 * or correct. At the end no memory is missing, the CapSet is untouched, and the
 * console works.
 *
 * The random numbers come from the time stamp counter: the seed is printed, and
 * is always the same under `tess run --icount`. */
#include "test/boot/native/ring_attacks.h"

enum {
	STEPS = 100000,
	WARM_UP = 5000, /* until the exokernel's own caches have settled */
};

static struct garbage all;

/* -- submitting and checking ------------------------------------------------ */

/* The raw system call, by both ways in. */
static enum status enter(struct garbage *g, uint64_t call, uint64_t least, uint64_t timeout)
{
	uint64_t rax = call;
	if (below(g, 2))
		__asm__ volatile("syscall"
		                 : "+a"(rax), "+D"(least), "+S"(timeout)
		                 :
		                 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
	else
		__asm__ volatile("int $0x90"
		                 : "+a"(rax), "+D"(least), "+S"(timeout)
		                 :
		                 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
	return (enum status)rax;
}

static void random_entry(struct garbage *g, struct ring_sqe *e)
{
	uint64_t *words = (uint64_t *)e;
	for (size_t i = 0; i < sizeof *e / 8; i++)
		words[i] = next(g);
}

static void submit(struct garbage *g, bool message)
{
	struct ring_sqe e;
	random_entry(g, &e);
	uint32_t slot = g->next_slot++ % SLOTS;
	uint32_t may = message ? with_message[below(g, sizeof with_message / sizeof(void *))](g, &e)
	                       : without_message[below(g, sizeof without_message / sizeof(void *))](g, &e);
	e.user_data = (next(g) & ~(uint64_t)(SLOTS - 1)) | slot;
	g->slots[slot].user_data = e.user_data;
	g->slots[slot].may = may;
	g->slots[slot].waiting = true;
	g->waiting++;
	g->ring->sq[g->sq++ % RING_SQ_ENTRIES] = e;
	g->ring->sq_tail = g->sq;
}

static void release_soon(struct garbage *g, uint32_t cap)
{
	g->stale = cap;
	uint32_t slot = g->next_slot++ % SLOTS;
	g->slots[slot].user_data = slot;
	g->slots[slot].may = MAY(STATUS_OK);
	g->slots[slot].waiting = true;
	g->waiting++;
	g->ring->sq[g->sq++ % RING_SQ_ENTRIES] = (struct ring_sqe){
		.op = RING_RELEASE, .cap = cap, .user_data = slot,
	};
	g->ring->sq_tail = g->sq;
}

/* The ring is in use: what is wrong is kept for later. */
static void judge(struct garbage *g, const struct ring_cqe *done)
{
	uint32_t slot = done->user_data % SLOTS, may = g->slots[slot].may;
	const char *what = NULL;
	if (!g->slots[slot].waiting || g->slots[slot].user_data != done->user_data)
		what = "a completion that nobody asked for";
	else if ((uint32_t)done->status >= STATUS_COUNT || !(may & MAY(done->status)))
		what = "an answer that is neither a fitting refusal nor correct";
	if (what != NULL) {
		g->trouble.what = what;
		g->trouble.status = done->status;
		g->trouble.may = may;
	}
	if (g->slots[slot].waiting)
		g->waiting--;
	g->slots[slot].waiting = false;
	g->refused += done->status != STATUS_OK;
	g->answered++;
	for (uint32_t i = 0; i < RING_CAPS; i++)
		if (done->caps[i] != 0)
			release_soon(g, done->caps[i]);
}

/* After somebody else used the ring. */
static void resume(struct garbage *g)
{
	g->sq = g->ring->sq_tail;
	g->cq = g->ring->cq_head;
}

/* Takes every completion that is owed. */
static void drain(struct garbage *g)
{
	while (g->waiting > 0) {
		enum status status = enter(g, SYS_CAP_ENTER, 1, 1000000000);
		uint32_t tail = *(volatile uint32_t *)&g->ring->cq_tail;
		if (status != STATUS_OK || tail == g->cq || tail - g->cq > RING_CQ_ENTRIES) {
			native_print(g->self, "%s: %d of %u completions came\n", native_status(status),
			             (int32_t)(tail - g->cq), g->waiting);
			check_failed(&g->check, "completions are missing", __LINE__);
			check_end(&g->check);
		}
		while (g->cq != tail) {
			struct ring_cqe done = g->ring->cq[g->cq++ % RING_CQ_ENTRIES];
			g->ring->cq_head = g->cq;
			judge(g, &done);
		}
	}
}

/* -- the steps -------------------------------------------------------------- */

static void batch(struct garbage *g)
{
	uint64_t count = 1 + below(g, 12);
	bool message = below(g, 2);
	for (uint64_t i = 1; i <= count; i++)
		submit(g, message && i == count);
	drain(g);
	if (g->trouble.what == NULL)
		return;
	native_print(g->self, "answer %d, allowed %x\n", g->trouble.status, g->trouble.may);
	check_failed(&g->check, g->trouble.what, __LINE__);
	g->trouble.what = NULL;
	resume(g);
}

/* Overwrites the indices with what cannot be, and puts them right again. */
static void wrong_indices(struct garbage *g)
{
	struct ring *ring = g->ring;
	uint32_t cq_tail = ring->cq_tail;
	ring->sq_head = (uint32_t)next(g);
	ring->cq_tail = (uint32_t)next(g);
	if (below(g, 2))
		ring->cq_head = (uint32_t)next(g);
	if (below(g, 2))
		ring->sq_tail = g->sq + RING_SQ_ENTRIES + 1 + (uint32_t)below(g, UINT32_MAX / 2);
	ring->flags = (uint32_t)next(g);
	for (size_t i = 0; i < sizeof ring->reserved / sizeof ring->reserved[0]; i++)
		ring->reserved[i] = (uint32_t)next(g);
	(void)enter(g, SYS_CAP_ENTER, next(g) >> below(g, 64), below(g, 1000));
	ring->sq_tail = g->sq;
	ring->cq_head = g->cq;
	ring->cq_tail = cq_tail;
}

static void wrong_system_call(struct garbage *g)
{
	uint64_t call = 2 + (next(g) >> below(g, 64));
	if (call == SYS_CAP_ENTER || call == SYS_EXIT)
		call = 2;
	CHECK(&g->check, enter(g, call, next(g), next(g)) != STATUS_OK);
}

/* Results onto the queues themselves: nonsense there, and only there. */
static void results_over_ring(struct garbage *g)
{
	struct ring_sqe e;
	random_entry(g, &e);
	harmless(g, &e);
	e.results = (uintptr_t)g->ring + 64 + 8 * below(g, 250);
	e.results_size = 64;
	g->ring->sq[g->sq++ % RING_SQ_ENTRIES] = e;
	g->ring->sq_tail = g->sq;
	CHECK_STATUS(&g->check, STATUS_OK, enter(g, SYS_CAP_ENTER, 1, 1000000000));
	g->ring->cq_head = ++g->cq;
}

/* More answers than the queue holds: the exokernel keeps the rest for later. */
static void overrun(struct garbage *g)
{
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < RING_SQ_ENTRIES; i++) {
			g->ring->sq[(g->sq + i) % RING_SQ_ENTRIES] = (struct ring_sqe){ .op = RING_NOP };
		}
		g->sq += RING_SQ_ENTRIES;
		g->ring->sq_tail = g->sq;
		(void)enter(g, SYS_CAP_ENTER, 0, 0);
	}
	CHECK(&g->check, g->ring->cq_tail - g->cq == RING_CQ_ENTRIES);
	g->cq = g->ring->cq_tail;
	g->ring->cq_head = g->cq;
	(void)enter(g, SYS_CAP_ENTER, 0, 0);
	CHECK(&g->check, g->ring->cq_tail - g->cq == RING_SQ_ENTRIES);
	g->cq = g->ring->cq_tail;
	g->ring->cq_head = g->cq;
}

/* What was written is what is read, through the call and through the mapping. */
static void correct_calls(struct garbage *g)
{
	uint64_t value = next(g), offset = 8 * below(g, OBJECT_PAGES * NATIVE_PAGE / 8);
	struct native_call call;
	struct memory_object_read_results_reader results;
	struct capnp_data data = { NULL, 0 };

	native_call(&call, g->self, g->object, MEMORY_OBJECT_ID, MEMORY_OBJECT_WRITE);
	struct memory_object_write_params_builder write =
	        memory_object_write_params_build(&call.params);
	memory_object_write_params_set_offset(write, offset);
	memory_object_write_params_set_data(write, capnp_data_from(&value, 8));
	CHECK_STATUS(&g->check, STATUS_OK, native_send(&call));
	CHECK(&g->check, *(uint64_t *)(SCRATCH + offset) == value);

	native_call(&call, g->self, g->object, MEMORY_OBJECT_ID, MEMORY_OBJECT_READ);
	struct memory_object_read_params_builder read =
	        memory_object_read_params_build(&call.params);
	memory_object_read_params_set_offset(read, offset);
	memory_object_read_params_set_count(read, 8);
	CHECK_STATUS(&g->check, STATUS_OK, native_send(&call));
	if (memory_object_read_results_read(call.results, call.results_size, &results) != STATUS_OK ||
	    memory_object_read_results_get_data(results, &data) != STATUS_OK || data.size != 8 ||
	    *(const uint64_t *)data.bytes != value)
		check_failed(&g->check, "read gave other bytes than write took", __LINE__);
	resume(g);
}

static void step(struct garbage *g)
{
	switch (below(g, 16)) {
	case 0:
		wrong_indices(g);
		break;
	case 1:
		wrong_system_call(g);
		break;
	case 2:
		results_over_ring(g);
		break;
	case 3:
		overrun(g);
		break;
	case 4:
		correct_calls(g);
		break;
	default:
		batch(g);
	}
}

static void steps(struct garbage *g, uint32_t count)
{
	for (uint32_t i = 0; i < count && g->check.failures < CHECK_LINES_MAX; i++)
		step(g);
}

static uint64_t available(struct garbage *g)
{
	uint64_t pages = 0;
	CHECK_STATUS(&g->check, STATUS_OK, native_available(g->self, g->pool, &pages));
	resume(g);
	return pages;
}

static uint64_t capset_sum(const struct capset *capset)
{
	const uint64_t *words = (const uint64_t *)capset;
	uint64_t sum = 0;
	for (size_t i = 0; i < sizeof *capset / 8; i++)
		sum = sum * 31 + words[i];
	return sum;
}

static void set_up(struct garbage *g, struct native *self)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	g->random = ((uint64_t)high << 32 | low) * 2 + 1;
	g->self = self;
	g->ring = self->ring;
	g->check = (struct check){ self, "ring_garbage", 0 };
	g->pool = native_find(self, "memory");
	g->space = native_find(self, "space");
	g->timer = native_find(self, "timer");
	native_print(self, "ring_garbage: seed 0x%lx\n", g->random);
	CHECK_STATUS(&g->check, STATUS_OK,
	             native_allocate(self, g->pool, OBJECT_PAGES, &g->object));
	CHECK_STATUS(&g->check, STATUS_OK,
	             native_map(self, g->space, g->object, 0, SCRATCH, OBJECT_PAGES,
	                        ACCESS_READ | ACCESS_WRITE));
	resume(g);
}

int native_main(struct native *self)
{
	struct garbage *g = &all;
	set_up(g, self);
	if (g->check.failures > 0)
		check_end(&g->check);

	uint64_t capset = capset_sum(self->capset);
	steps(g, WARM_UP);
	uint64_t before = available(g);
	steps(g, STEPS);
	uint64_t after = available(g);
	native_print(self, "ring_garbage: %lu answers, %lu of them refusals; %lu pages, then %lu\n",
	             g->answered, g->refused, before, after);
	CHECK(&g->check, before == after);
	CHECK(&g->check, capset_sum(self->capset) == capset);
	check_end(&g->check);
}
