/* linux_stages.h: what the stages of native/linux_stages.c and the Linux programs that
 * go over to them have in common. */
#pragma once

#include <stdint.h>

enum { STAGE_TARGETS = 6, STAGE_CODE = 7 };

enum stage_kind {
	STAGE_ENDS = 1, /* with STAGE_CODE */
	STAGE_STAYS,    /* until it is told to go */
	STAGE_ATTACKS,  /* what it has come from, and dies of it */
};

/* One page, which a stage maps and a Linux program reads and writes by calls. */
struct stage_board {
	uint32_t go[STAGE_TARGETS];
	uint32_t arrived[STAGE_TARGETS]; /* how many have */
	uint32_t pid[STAGE_TARGETS];     /* the last one's */
	uint32_t found[STAGE_TARGETS];   /* by it: more capabilities than it was given */
};

/* A stage's argument: which one, under which target, and the size of its program. */
#define STAGE_ARGUMENT(kind, target, size) \
	((uint64_t)0x57 << 56 | (uint64_t)((kind) << 4 | (target)) << 48 | (uint64_t)(size))
