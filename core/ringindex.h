/* ringindex.h: the indices of a ring (abi/ring.h), from the exokernel's side; the
 * thread's side is rt/ring.h.
 *
 * Each index has one writer, who keeps a value of its own: the exokernel never
 * believes what stands in the page for an index that is its. What the thread wrote
 * to its indices may be any number, so a count from them is looked at before it is
 * used.
 *
 * Every index is written last, with release, and read first, with acquire:
 *   sq_tail  ring_push           ->  ringindex_queued      the entry is whole
 *   sq_head  ringindex_consumed  ->  the thread            the entry may be reused
 *   cq_tail  ringindex_posted    ->  ring_first            the completion is whole
 *   cq_head  ring_consume        ->  ringindex_unconsumed  its place may be reused
 * On x86 none of this is an instruction; it tells the compiler. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/ring.h"

/* Entries that the thread has pushed; more than the queue holds: nonsense. */
static inline uint32_t ringindex_queued(const struct ring *page, uint32_t sq_head)
{
	return __atomic_load_n(&page->sq_tail, __ATOMIC_ACQUIRE) - sq_head;
}

/* Completions that the thread has not consumed; more than the queue holds: nonsense. */
static inline uint32_t ringindex_unconsumed(const struct ring *page, uint32_t cq_tail)
{
	return cq_tail - __atomic_load_n(&page->cq_head, __ATOMIC_ACQUIRE);
}

/* The entries before `sq_head` have been copied. */
static inline void ringindex_consumed(struct ring *page, uint32_t sq_head)
{
	__atomic_store_n(&page->sq_head, sq_head, __ATOMIC_RELEASE);
}

/* The completions before `cq_tail` have been written. */
static inline void ringindex_posted(struct ring *page, uint32_t cq_tail)
{
	__atomic_store_n(&page->cq_tail, cq_tail, __ATOMIC_RELEASE);
}

/*@ requires pending <= RING_CQ_ENTRIES && count <= RING_CQ_ENTRIES;
    assigns \nothing;
    ensures \result <==> unconsumed + pending + count <= RING_CQ_ENTRIES;
*/
/* True: `count` more completions have places, beside those that the thread has not
 * consumed and those that are still to come. */
static inline bool ringindex_has_places(uint32_t unconsumed, uint32_t pending, uint32_t count)
{
	return unconsumed <= RING_CQ_ENTRIES && unconsumed + pending + count <= RING_CQ_ENTRIES;
}
