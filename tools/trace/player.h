/* player.h: the exokernel's side of one thread's ring, played from a recording.
 *
 * For each entry that the program queues the recorded one says what it must be
 * and what is answered; for each cap_enter, which completions are there when it
 * returns. */
#pragma once

#include "abi/ring.h"
#include "tools/trace/memory.h"
#include "tools/trace/recording.h"

enum player_state {
	PLAYER_RUNS,
	PLAYER_ENDED,     /* as recorded: `how` says how */
	PLAYER_DIFFERS,   /* `how` says from what; two lines of `recorded` and `replayed` */
	PLAYER_IMPOSSIBLE, /* `how` says why it cannot be replayed (further) */
};

struct player_pending {
	bool used;
	uint32_t number;
	uint64_t address;
	uint32_t room;
	uint64_t object;
	struct asked asked;
};

struct player {
	struct child *child;
	struct memory *memory;
	const struct recording *recording;
	uint64_t ring; /* its address */
	size_t at;     /* the next event */
	uint32_t sq_head, cq_tail;
	struct player_pending pending[RING_CQ_ENTRIES];
	uint64_t calls; /* entries that were the same */
	enum player_state state;
	char how[240];
	char *recorded, *replayed; /* for free() */
};

/* The program called cap_enter or exit, or faulted; afterwards see p->state. */
enum status player_enter(struct player *p, uint64_t least, uint64_t timeout);
void player_exit(struct player *p, int32_t code);
void player_fault(struct player *p, uint64_t instruction);

/* The replay cannot go on. */
__attribute__((format(printf, 2, 3))) void player_stop(struct player *p, const char *format, ...);
