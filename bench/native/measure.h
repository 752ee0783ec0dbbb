/* measure.h: how the programs here time what they do.
 *
 * A batch is a loop that makes `count` operations, inlined into it, between two
 * reads of the time-stamp counter; under QEMU's -icount shift=0 a tick is an
 * executed instruction, whoever executes it: user code, exokernel or the process
 * at the other end. A row is the median of SAMPLES batches less the median of as
 * many batches of nothing (so neither the loop nor the reading counts), over the
 * operations in one. */
#pragma once

#include "rt/native.h"
#include "rt/ring.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define ON_ITS_OWN __attribute__((noinline)) /* a symbol to profile by */

enum { SAMPLES = 51, BATCH = 64 };

ALWAYS_INLINE uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* Below this, no operation said that it failed. */
#define FAILED (UINT64_MAX / 2)

/* Ticks that `count` calls of `once` take. What is constant over them is handed
 * in, to stay in registers. */
ALWAYS_INLINE uint64_t timed(bool (*once)(struct ring *, uint32_t), struct ring *ring,
                             uint32_t cap, unsigned count)
{
	bool good = true;
	uint64_t start = rdtsc();

	do
		good &= once(ring, cap);
	while (--count > 0);
	return good ? rdtsc() - start : FAILED;
}

typedef uint64_t batch(struct ring *ring, uint32_t cap, unsigned count);

/* The middle one of an odd number; sorts them. */
static inline uint64_t median(uint64_t *values, unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		for (unsigned j = i; j > 0 && values[j - 1] > values[j]; j--) {
			uint64_t v = values[j];

			values[j] = values[j - 1];
			values[j - 1] = v;
		}
	return values[count / 2];
}
