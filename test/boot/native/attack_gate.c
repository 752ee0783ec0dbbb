/* attack_gate.c: a hostile module jumps to every byte of the gate, with several
 * settings of its registers. Whatever comes of it, comes of the module alone. */
#define JUDGE_LIMIT_NS 20000000ul
#include "test/boot/native/attack.h"

/* jump_gate()'s in attack.c: bit 0, rcx negative; bits 1 and 2, where rsp points;
 * bit 3, rdi in the exokernel. */
static const uint32_t settings[] = { 0, 1, 2, 3, 4, 8, 9, 10 };

static struct judge judge;
static uint32_t faults[256], exits, hangs;

static void count(const struct ending *end)
{
	if (end->hung)
		hangs++;
	else if (end->reason == END_REASON_FAULTED)
		faults[end->vector & 255]++;
	else
		exits++;
}

static void sweep(uint32_t setting)
{
	char name[] = { 's', 'e', 't', 't', 'i', 'n', 'g', '_', "0123456789abcdef"[setting], '\0' };
	uint64_t before = judge_available(&judge);
	struct ending none = { .hung = false };

	exits = hangs = 0;
	for (unsigned i = 0; i < 256; i++)
		faults[i] = 0;
	for (uint32_t offset = 0; offset < 4096; offset++) {
		struct ending end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_GATE, offset, setting));

		count(&end);
	}
	judge_say(&judge, "gate", name, true, &none);
	native_print(judge.self, "  %u exits, %u loops, faults:", exits, hangs);
	for (unsigned i = 0; i < 256; i++)
		if (faults[i])
			native_print(judge.self, " %u of vector %u", faults[i], i);
	native_print(judge.self, "\n");
	judge_after(&judge, "gate", name, before);
}

int native_main(struct native *self)
{
	judge_start(&judge, self, "attack_gate");
	judge_canary(&judge);
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		sweep(settings[i]);
	judge_end(&judge);
}
