/* attack_gate.c: a hostile module jumps to every byte of the gate's code and to
 * some after it, with several settings of its registers. Whatever comes of it,
 * comes of the module alone. */
#define JUDGE_LIMIT_NS 5000000ul /* hundreds go on for ever */
#include "test/boot/native/attack.h"

enum {
	PAGE = 4096,
	PAST_CODE = 97,  /* between jumps to where there is no code */
	ENTRIES = 0x200, /* where system calls come in; rcx means nothing to the rest */
};
_Static_assert(ENTRIES < GATE_CODE && GATE_CODE < PAGE, "the gate");

/* jump_gate()'s in attack.c: bit 0, rcx negative; bits 1 and 2, where rsp points;
 * bit 3, rdi in the exokernel. */
static const struct setting { uint32_t bits, end; } settings[] = {
	{ 0, PAGE }, { 1, ENTRIES }, { 2, PAGE }, { 3, ENTRIES }, { 4, PAGE }, { 8, PAGE },
	{ 9, ENTRIES }, { 10, PAGE },
};

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

static void sweep(struct setting s)
{
	char name[] = { 's', 'e', 't', 't', 'i', 'n', 'g', '_', "0123456789abcdef"[s.bits], '\0' };
	uint64_t before = judge_available(&judge);
	struct ending none = { .hung = false };

	exits = hangs = 0;
	for (unsigned i = 0; i < 256; i++)
		faults[i] = 0;
	for (uint32_t offset = 0; offset < s.end; offset += offset < GATE_CODE ? 1 : PAST_CODE) {
		struct ending end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_GATE, offset, s.bits));

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
