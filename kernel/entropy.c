/* entropy.c: see entropy.h. One ChaCha20 generator (core/chacha.h), under the
 * kernel lock.
 *
 * Its key is mixed from the processor's random numbers and from the times at
 * which interrupts came. It answers only when one of the two is enough: eight
 * words of the processor's, or ENOUGH interrupts whose times say a bit each. From
 * then on it never stops, and takes in anew what there is after RESEED_BYTES or
 * RESEED_NS, so a state that leaked is of no use for long.
 *
 * Times are gathered apart from the key and taken in many at once: who knows the
 * state must not be able to try out a few bits after each answer. */
#include "kernel/entropy.h"

#include "abi/entropy.capnp.h"
#include "core/chacha.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/random.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/panic.h"

enum {
	READ_MOST = 2048,
	SEED_WORDS = 8,
	ENOUGH = 256,
	JITTER_WORDS = 16,
	RESEED_BYTES = 1 << 20,
};
static const uint64_t RESEED_NS = 60000000000;

/* What a CPU's interrupts brought since they were last taken in. */
struct jitter {
	uint32_t words[JITTER_WORDS];
	uint32_t count; /* interrupts in all */
	uint32_t bits;  /* those that could not be foretold from the three before */
	uint64_t last, delta, change;
};

static struct jitter jitter[MAX_CPUS];
static struct chacha_rng generator;
static bool seeded;
static uint64_t seeded_at; /* ns; when it was last tried */

/* Cheap: every interrupt comes here. A time that lies as far from the last as
 * that did from the one before, or whose distance grew by as much, is worth
 * nothing; any other is worth one bit. */
void entropy_note(void)
{
	struct jitter *j = &jitter[this_cpu->index];
	uint64_t now = rdtsc();
	uint64_t delta = now - j->last;
	uint64_t change = delta - j->delta;
	uint32_t *word = &j->words[j->count++ % JITTER_WORDS];

	*word = (*word << 7 | *word >> 25) ^ (uint32_t)now;
	j->bits += change != 0 && change != j->change;
	j->last = now;
	j->delta = delta;
	j->change = change;
}

static uint32_t gathered(void)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		bits += jitter[i].bits;
	return bits;
}

/* True: there was enough of it. */
static bool take_jitter(void)
{
	if (gathered() < ENOUGH)
		return false;
	for (unsigned i = 0; i < cpu_count; i++) {
		chacha_rng_mix(&generator, jitter[i].words, sizeof(jitter[i].words));
		jitter[i].bits = 0;
	}
	return true;
}

/* True: the processor gave all that was asked of it. */
static bool take_processor(void)
{
	uint64_t words[SEED_WORDS];
	bool whole = true;

	for (unsigned i = 0; i < SEED_WORDS; i++) {
		words[i] = rdtsc();
		whole &= random_word(&words[i]);
	}
	chacha_rng_mix(&generator, words, sizeof(words));
	return whole;
}

static void note_seeded(const char *from)
{
	if (!seeded)
		log_line("entropy: seeded from %s", from);
	seeded = true;
}

void entropy_init(void)
{
	uint64_t wall;

	chacha_rng_mix(&generator, &boot_info.entry_tsc, sizeof(boot_info.entry_tsc));
	if (take_processor()) {
		note_seeded(random_source());
		return;
	}
	wall = clock_wall_at_boot();
	chacha_rng_mix(&generator, &wall, sizeof(wall));
	log_line("entropy: %s: nothing is given out before %u interrupts",
	         random_source() ? "the processor's random numbers are broken" :
	                           "the processor has no random numbers",
	         (unsigned)ENOUGH);
}

static bool is_due(void)
{
	return generator.given >= RESEED_BYTES || clock_now() - seeded_at >= RESEED_NS;
}

/* Sees to the key. False: it could be guessed. */
static bool ready(void)
{
	if (seeded && !is_due())
		return true;
	if (take_processor())
		note_seeded(random_source());
	if (take_jitter())
		note_seeded("interrupts");
	seeded_at = clock_now(); /* tried, at least: not again at every call */
	return seeded;
}

static enum status call_read(struct call *call)
{
	struct entropy_read_params_reader params = {call->params};
	uint32_t count = entropy_read_params_get_count(params);
	uint8_t *to;

	if (count > READ_MOST)
		return call_refuse(call, STATUS_INVALID, "more than 2048 bytes at once");
	if (!ready())
		return call_refuse(call, STATUS_BUSY,
		                   "not enough interrupts yet, and no RDRAND");
	to = entropy_read_results_init_data(entropy_read_results_build(&call->results), count);
	if (to)
		chacha_rng_bytes(&generator, to, count);
	return STATUS_OK;
}

static enum status entropy_call(struct object *o, struct call *call)
{
	(void)o;
	return call->method == ENTROPY_READ ? call_read(call) : STATUS_NO_METHOD;
}

static void entropy_destroy(struct object *o)
{
	(void)o;
	panic("the entropy lost its last reference");
}

static const struct object_type entropy_type = {
	.name = "entropy",
	.interface = ENTROPY_ID,
	.call = entropy_call,
	.destroy = entropy_destroy,
};

struct object *entropy_object(void)
{
	static struct object object = {.type = &entropy_type, .refs = 1};

	object_hold(&object);
	return &object;
}
