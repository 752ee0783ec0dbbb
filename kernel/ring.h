/* ring.h: cap_enter: from submission entries to calls, from answers to
 * completions. */
#pragma once

#include "kernel/pending.h"
#include "kernel/thread.h"

/* What answered_at says of an entry that has no completion yet. */
enum { RING_NOT_ANSWERED = 0xff };

/* Serves what is queued on the thread's ring, then returns to it or waits. */
void ring_enter(struct thread *t, unsigned ring, uint64_t least, uint64_t timeout_ns);

/* Serves what is queued on the ring of `t`, which runs, maybe elsewhere. False: there
 * is nothing to be served. */
bool ring_poll(struct thread *t, unsigned ring) MUST_CHECK;

/* A completion that answers no entry. BUSY: there is no place for it. */
enum status ring_post(struct thread *t, unsigned ring, const struct ring_cqe *cqe) MUST_CHECK;

/* The completion of entry `sq`. Its place was kept. */
void ring_post_answer(struct thread *t, unsigned ring, uint32_t sq, const struct ring_cqe *cqe);

/* Results to where they were asked for; a failure there shows in cqe->status. */
void ring_write_results(const struct thread *t, unsigned ring, struct uaddr address,
                        uint32_t room, const void *message, uint32_t size,
                        struct ring_cqe *cqe);

/* The entries chained to `p`, which `cqe` is about to complete, are to be served
 * before the exokernel is left. */
void ring_answer_chained(struct pending *p, const struct ring_cqe *cqe);

/* Serves them, until this has taken long. At every exit (leave.h). */
extern struct pending_queue ring_chained_ready;
void ring_serve_ready(void);

/* For whom an entry is served: the current thread, or whose chained entry it is;
 * NULL: for nobody. */
const struct thread *ring_asker(void);

/* True: what a call asks of that ledger is not so for long, as something ends that is
 * charged to it; the call returns NO_MEMORY, and is made again. */
bool ring_is_to_wait(const struct call *call, const struct ledger *l) MUST_CHECK;

/* An entry that takes long may pause, unless it is served otherwise than where it
 * stands: then others have their turn, and it is served again. What is kept for it is how
 * far it came, 0 at first; that may be another entry's if the program changed the
 * ring meanwhile. ring_pause() is what the method returns. */
bool ring_may_pause(void);
enum status ring_pause(struct thread *t, unsigned ring, uint64_t done) MUST_CHECK;
static inline uint64_t ring_resumed(const struct thread *t, unsigned ring)
{
	const struct thread_ring *r = &t->rings[ring];

	return __builtin_expect(r->paused_at == r->serving, 0) ? r->paused_done : 0;
}

/* True: the entry that is refused NO_MEMORY is made again: it is told nothing yet. */
bool ring_is_made_again(const struct thread_ring *r);

/* True: so many completions wait that cap_enter(least) would return. */
bool ring_has(const struct thread_ring *r, uint32_t least);
