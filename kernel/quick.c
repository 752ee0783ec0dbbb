/* quick.c: a batch of entries, as long as they are simple (fastpath.h). */
#include "kernel/fast.h"
#include "kernel/fastpath.h"

/* What the entry before asked, of whom, with room for what: most batches ask the same
 * again and again. In memory: registers are few. */
struct batch {
	uint64_t head, interface, sizes;
	struct object *object;
	enum status (*serve)(struct object *, const uint64_t *params, uint64_t *results);
	unsigned params;
	uint64_t root, done; /* what the results begin with; the completion's second word */
	uint32_t tail;
	uint32_t ahead;      /* of an entry's number: its completion's */
};

/* params_size and results_size. */
HOT uint64_t sizes_of(const struct ring_sqe *sqe)
{
	return *(const volatile word *)&sqe->params_size;
}

/* False: it is not a CALL of a quick method with messages of its sizes. */
static bool find(struct thread_ring *r, const struct ring_sqe *sqe, struct batch *b)
{
	uint64_t head = head_of(sqe), sizes = sizes_of(sqe);
	const struct quick_method *q;
	struct object *o;

	if (op_and_caps(head) != RING_CALL)
		return false;
	o = look_up(r, head);
	if (!o)
		return false;
	q = quick_method_of(sqe, head, o);
	if (!q || !quick_sizes_fit(q, (uint32_t)sizes, (uint32_t)(sizes >> 32)))
		return false;
	b->head = head;
	b->interface = o->type->interface;
	b->sizes = sizes;
	b->object = o;
	b->serve = q->serve;
	b->params = q->params;
	b->root = root_of(q->results);
	b->done = done_with(quick_size(q));
	return true;
}

HOT bool is_same(const struct ring_sqe *sqe, const struct batch *b)
{
	return LIKELY(head_of(sqe) == b->head) && LIKELY(ONCE(sqe->interface) == b->interface) &&
	       LIKELY(sizes_of(sqe) == b->sizes);
}

/* Of one that is found. If it is left to others, nothing was written: its params may be
 * where its results are. */
HOT bool serve(struct thread_ring *r, struct ring *page, const struct ring_sqe *sqe,
               const struct batch *b)
{
	uint64_t params[QUICK_WORDS];
	word *results;

	if (!in_area(r, page, ONCE(sqe->results), QUICK_MESSAGE, &results))
		return false;
	if (!LIKELY(b->params == 0) && !quick_params(r, sqe, b->params, params))
		return false;
	if (!LIKELY(b->serve(b->object, params, results + 1) == STATUS_OK))
		return false;
	results[0] = b->root;
	return true;
}

/* CALLs up to `tail`. Gives how far it came. */
static uint32_t serve_calls(struct thread_ring *r, uint32_t sq, uint32_t tail, uint32_t ahead)
{
	struct ring *page = r->page;
	struct batch b;

	b.tail = tail;
	b.ahead = ahead;
	if (!find(r, entry_at(page, sq), &b))
		return sq;
	do {
		uint64_t place = sq % RING_SQ_ENTRIES;
		const struct ring_sqe *sqe = entry_in(page, place);

		if (!is_same(sqe, &b) && !find(r, sqe, &b))
			break;
		if (!serve(r, page, sqe, &b))
			break;
		write_completion(page, r, sq + b.ahead, place, ONCE(sqe->user_data), b.done, 0);
	} while (++sq != b.tail);
	return sq;
}

enum quick quick_enter(uint64_t least, uint64_t timeout_ns, struct thread_ring *r)
{
	struct ring *page = r->page;
	uint32_t sq = r->sq_head, ahead = r->cq_tail - sq, count = ringindex_queued(page, sq);
	uint32_t tail = sq + count, used = ringindex_unconsumed(page, sq + ahead);

	if (count - 1 >= RING_SQ_ENTRIES || !ringindex_has_places(used, r->pending, count) ||
	    least > used + count)
		return QUICK_NOT;
	sq = serve_calls(r, sq, tail, ahead);
	show_consumed(page, r, sq);
	show_completions(page, r, sq + ahead);
	if (sq == tail)
		return QUICK_ALL;
	return sq + 1 == tail && least == used + count && timeout_ns == RING_FOREVER ?
	               QUICK_BUT_LAST : QUICK_NOT;
}
