/* chaos.c: a million random operations, by several processes and a module at once,
 * on everything there is; and what must hold all the while:
 *
 *   - a service beside them answers its client, correctly and in time (canary.h);
 *   - every entry gets one completion, and one that is refused brings nothing;
 *   - when the ledgers that they live on are ended, which is all that ends most of
 *     them, every ledger has what it had before; and at the end the exokernel finds
 *     its accounts exact.
 *
 * What they do: play.h. Every process is started again when it has ended, and the
 * whole several times (rounds). The file /chaos of the initrd may say "SEED STEPS";
 * without it the seed comes from the time stamp counter. The seed is printed first.
 * With one processor and counted instructions a seed always does the same; else it
 * decides what is tried, but not who meets whom. */
#include "test/boot/chaos/brood.h"
#include "test/boot/chaos/canary.h"
#include "test/boot/chaos/play.h"

#include "test/boot/native/ledger.h"

#include "core/bundle.h"
#include "lib/cpio/cpio.h"
#include "rt/native_spawn.h"

#include "test/boot/chaos/director.h"

/* -- those who make it ------------------------------------------------------------------------ */

static struct actor actors[ACTORS];
static uint8_t actor_stacks[ACTORS][ACTOR_STACK] __attribute__((aligned(64)));

/* `argument`: the seed, but for the number of the actor and its cell. */
_Noreturn static void begin(uint64_t argument, struct ring *ring, const struct capset *capset)
{
	struct actor *a = &actors[argument >> 8 & 0xff];

	board = BOARD;
	a->ring = ring;
	a->capset = capset;
	a->random = chaos_mix(argument);
	a->cell = argument & 0xff;
	play(a);
}

_Noreturn void chaos_child(uint64_t seed, struct ring *ring, const struct capset *capset)
{
	recruited = 1;
	begin(seed & ~UINT64_C(0xff00), ring, capset);
}

static void start_of_actor(const struct actor *a, struct thread_start_builder start,
                           unsigned number, uint64_t seed)
{
	thread_start_set_entry(start, (uintptr_t)begin);
	thread_start_set_stack(start, (uintptr_t)actor_stacks[number] + ACTOR_STACK - 8);
	thread_start_set_argument(start, (seed & ~UINT64_C(0xffff)) | number << 8 | a->cell);
}

static int chaos_main(struct native *me)
{
	chaos_child(me->argument, me->ring, me->capset);
}

int native_main(struct native *given)
{
	start(given, "chaos");
	direct(chaos_main);
	check_end(&check);
}
