/* ring_writes.h: what the threads of ring_fuzz.c write to their pages. Part of it. */
#pragma once

static uint64_t some_address(uint8_t b)
{
	if (b < 128)
		return RING_ADDRESS + (b & 1) * PAGE_SIZE + offsetof(struct ring, area) + b / 2 * 8u;
	if (b < 192)
		return MEMORY_ADDRESS + (b - 128u) * 68;
	return b < 240 ? RING_ADDRESS + PAGE_SIZE - (b - 192u) * 4 : (uint64_t)b << 56;
}

static void write_entry(struct ring_sqe *sqe)
{
	static const uint8_t ops[] = {RING_CALL, RING_CALL, RING_CALL, RING_NOP, RING_RELEASE, RING_PARK,
	                              RING_WAKE, RING_RECV, RING_SERVE, RING_CANCEL, RING_POST, 200};
	uint8_t op = next(), cap = next(), rest = next();

	memset(sqe, 0, sizeof(*sqe));
	sqe->op = op < 160 ? ops[op % ARRAY_SIZE(ops)] : RING_CALL;
	sqe->user_data = rest % 8;
	sqe->target = sqe->op == RING_CALL ? QUICK_ID : rest / 8 % 8;
	sqe->method = cap / 16 % 4;
	sqe->cap = (uint32_t)(1 + (cap >= 192)) << CAPTABLE_INDEX_BITS | (cap < 128 ? 0 : cap % 16);
	if (op >= 160) {
		sqe->chained = 1;
		sqe->cap = RING_CHAIN(cap < 240 ? 1 + cap % 3 : cap % 16, cap >= 224);
	}
	if (sqe->op == RING_POST && cap % 4 == 0)
		sqe->cap = 0;
	sqe->params = some_address(rest % 64 ? rest : 80);
	sqe->params_size = sqe->method == 3 ? 40 : sqe->method == 1 ? 24 : 0;
	sqe->results = some_address(rest / 2);
	sqe->results_size = op % 3 ? 64 : op % 9;
}

static void write_some(uint8_t *bytes, size_t size, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		size_t at = (next() | (size_t)next() << 8) % size;

		bytes[at] = next();
	}
}

/* The thread, or another of its program, writes to the page. In quick_enter, indices
 * and entries may be about to be written: it is looked at afterwards. */
static bool in_quick;

static void write_page(struct view *v)
{
	struct thread_ring *r = &v->thread->rings[v->kind];
	struct ring *page = r->page;
	uint32_t unconsumed, n;
	uint8_t b = next();

	if (!page)
		return;
	if (in_quick) { /* what stands in entries and completions is compared there */
		write_some(page->area, RING_AREA_SIZE, b % 4);
		page->sq_tail += b / 64;
		return;
	}
	look(v);
	switch (b % 8) {
	case 0: case 1: case 2: /* as it should be */
		for (n = 0; n <= b / 8u % 8 && page->sq_tail - r->sq_head < RING_SQ_ENTRIES; n++)
			write_entry(&page->sq[page->sq_tail++ % RING_SQ_ENTRIES]);
		break;
	case 3: case 4:
		unconsumed = r->cq_tail - page->cq_head;
		if (unconsumed <= RING_CQ_ENTRIES)
			page->cq_head += b >= 128 || b / 8u > unconsumed ? unconsumed : b / 8u;
		else
			page->cq_head = r->cq_tail;
		break;
	case 5: /* nonsense, mostly not far from sense */
		if (b & 8)
			page->sq_tail = r->sq_head + (b & 16 ? 13 + b / 32u : (uint32_t)next() << 24);
		else {
			page->cq_head = r->cq_tail - (b & 16 ? next() / 4u : (uint32_t)next() << 24);
			v->fits = false;
		}
		break;
	case 6:
		write_entry(&page->sq[b / 8 % RING_SQ_ENTRIES]);
		write_some((uint8_t *)page->sq, sizeof(page->sq), b / 128);
		break;
	case 7:
		write_some((uint8_t *)page->cq, sizeof(page->cq) + sizeof(page->area), b / 8 % 4);
		page->sq_head ^= b / 32;
		page->cq_tail ^= b / 64;
		break;
	}
}
