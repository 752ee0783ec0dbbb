/* board.h: the page or two that all who take part in the chaos test see: what they
 * are to do, how far they are, and what they saw that must not be. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BOARD ((struct board *)0x200000000)
#define BOARD_MODULE_AT 0xffffc07f80000000 /* where a module shows it */

enum {
	BOARD_PAGES = 5,
	BOARD_CELLS = 16,    /* processes and modules at once */
	BOARD_OPS = 160,
	BOARD_FAILURES = 16,
};

/* What must not be; the words are of `what`. */
struct failure {
	char what[48];
	uint64_t seed;
	uint32_t op, status;
	uint64_t extra;
};

struct board {
	uint32_t data_page;           /* of the image: the first that is written to */
	uint64_t seed;
	uint64_t most;                /* steps */
	uint64_t steps;
	uint64_t spoiled, crumbs;     /* steps made wrong on purpose; processes that were made */
	uint64_t cell[BOARD_CELLS];   /* steps of each */
	uint64_t canary_calls, canary_worst; /* answered; nanoseconds */
	uint32_t failures;
	struct failure failure[BOARD_FAILURES];
	struct { uint32_t asked, ok; } op[BOARD_OPS];
	uint32_t status[BOARD_OPS][20]; /* of those that were meant to succeed */
};
_Static_assert(sizeof(struct board) <= BOARD_PAGES * 4096, "it has its place");
