/* random.c: one generator (core/chacha.h), seeded by the exokernel's Entropy.
 *
 * It asks the exokernel for a new seed after RESEED_BYTES, so that almost all
 * requests cost no call. Where the exokernel has nothing yet (BUSY) it asks again
 * at every batch and begins with what ring 1 can find by itself. A libOS that was
 * not granted an Entropy has no more than that, ever. */
#include "os/linux/random.h"

#include "core/chacha.h"
#include "lib/posix/errno.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/time.h"
#include "rt/module_string.h"

#include <stdint.h>

enum {
	RESEED_BYTES = 1 << 20,
	CPUID_RDRAND = 1 << 30,
	OWN_WORDS = 8,
	WAIT_NS = 2 * 1000 * 1000,
};

static struct chacha_rng generator;
static bool seeded; /* as well as it ever will be */

static bool has_rdrand(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return (ecx & CPUID_RDRAND) != 0;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* The clock, and what the processor gives without leave. */
static void mix_own(void)
{
	uint64_t words[OWN_WORDS];
	bool rdrand = has_rdrand();

	for (unsigned i = 0; i < OWN_WORDS; i++) {
		uint64_t word = 0;
		if (rdrand)
			__asm__ volatile("rdrand %0" : "=r"(word) : : "cc");
		words[i] = word ^ tsc();
	}
	chacha_rng_mix(&generator, words, sizeof words);
}

static void seed(void)
{
	uint8_t bytes[EXO_ENTROPY_SIZE];
	enum status status = exo_entropy(bytes);

	if (status == STATUS_OK)
		chacha_rng_mix(&generator, bytes, sizeof bytes);
	else
		mix_own();
	if (status != STATUS_BUSY)
		seeded = true;
	memset(bytes, 0, sizeof bytes);
}

void random_start(void)
{
	mix_own();
	seed();
}

void random_bytes(void *to, size_t size)
{
	if (!seeded || generator.given >= RESEED_BYTES)
		seed();
	chacha_rng_bytes(&generator, to, size);
}

int random_wait(bool wait)
{
	while (!seeded) {
		struct wait_event event = { 0 };
		int result;

		seed();
		if (seeded)
			break;
		if (!wait)
			return -EAGAIN;
		/* Each of these sleeps ends with an interrupt, which is what is missing. */
		result = lock_sleep(&event, event.sequence, time_deadline(WAIT_NS));
		if (result != -ETIMEDOUT)
			return -ERESTARTSYS;
	}
	return 0;
}
