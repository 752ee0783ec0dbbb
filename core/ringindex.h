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

#ifdef __FRAMAC__ /* knows no builtins; proofs are about one thread */
#define __atomic_load_n(word, order)      (*(word))
#define __atomic_store_n(word, to, order) (*(word) = (to))
#endif

/*@ // Indices that are fewer apart than there are entries have places of their own,
    // also where they wrap around.
    lemma sq_places: \forall integer at, i, j; 0 <= at && 0 <= i < j < RING_SQ_ENTRIES ==>
      ((at + i) % 0x100000000) % RING_SQ_ENTRIES != ((at + j) % 0x100000000) % RING_SQ_ENTRIES;
    lemma cq_places: \forall integer at, i, j; 0 <= at && 0 <= i < j < RING_CQ_ENTRIES ==>
      ((at + i) % 0x100000000) % RING_CQ_ENTRIES != ((at + j) % 0x100000000) % RING_CQ_ENTRIES;
*/

/*@ requires \valid_read(page);
    assigns \nothing;
    ensures \result == (uint32_t)(page->sq_tail - sq_head);
*/
/* Entries that the thread has pushed; more than the queue holds: nonsense. */
static inline uint32_t ringindex_queued(const struct ring *page, uint32_t sq_head)
{
	return __atomic_load_n(&page->sq_tail, __ATOMIC_ACQUIRE) - sq_head;
}

/*@ requires \valid_read(page);
    assigns \nothing;
    ensures \result == (uint32_t)(cq_tail - page->cq_head);
*/
/* Completions that the thread has not consumed; more than the queue holds: nonsense. */
static inline uint32_t ringindex_unconsumed(const struct ring *page, uint32_t cq_tail)
{
	return cq_tail - __atomic_load_n(&page->cq_head, __ATOMIC_ACQUIRE);
}

/*@ requires \valid(page);
    assigns page->sq_head;
    ensures page->sq_head == sq_head;
*/
/* The entries before `sq_head` have been copied. */
static inline void ringindex_consumed(struct ring *page, uint32_t sq_head)
{
	__atomic_store_n(&page->sq_head, sq_head, __ATOMIC_RELEASE);
}

/*@ requires \valid(page);
    assigns page->cq_tail;
    ensures page->cq_tail == cq_tail;
*/
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
