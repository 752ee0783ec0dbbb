/* random.c: see random.h. RDSEED where there is one, else RDRAND: Intel SDM,
 * volume 1, chapter 7.3.17. Some AMD processors answer all ones for ever after
 * a resume, and say that it is random. */
#include "kernel/arch/x86_64/random.h"

#include "kernel/arch/x86_64/x86.h"

enum {
	CPUID_1_ECX_RDRAND = 1 << 30,
	CPUID_7_EBX_RDSEED = 1 << 18,
	TRIES = 100, /* Intel: ten in a row fail only if it is broken; RDSEED runs dry */
};

enum source { SOURCE_NONE, SOURCE_RDRAND, SOURCE_RDSEED };

static enum source source(void)
{
	if (cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & CPUID_7_EBX_RDSEED)
		return SOURCE_RDSEED;
	return cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND ? SOURCE_RDRAND : SOURCE_NONE;
}

const char *random_source(void)
{
	static const char *const names[] = {NULL, "RDRAND", "RDSEED"};

	return names[source()];
}

static bool rdrand(uint64_t *word)
{
	bool done;

	__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(done));
	return done;
}

static bool rdseed(uint64_t *word)
{
	bool done;

	__asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(done));
	return done;
}

bool random_word(uint64_t *word)
{
	static uint64_t last = UINT64_MAX;
	enum source from = source();

	for (unsigned i = 0; from != SOURCE_NONE && i < TRIES; i++) {
		if (!(from == SOURCE_RDSEED ? rdseed(word) : rdrand(word))) {
			pause();
			continue;
		}
		if (*word == last)
			return false;
		last = *word;
		return true;
	}
	return false;
}
