/* attack_module.c: what a hostile module tries in ring 1 (test/boot/modules/
 * attack.h), and that it does not get there. */
#include "test/boot/native/attack.h"

struct code_attack { const char *name; uint32_t vector; uint64_t address; };

#define CODE_ATTACK(name, vector, address, code) { #name, vector, address },
static const struct code_attack attacks[] = { ATTACKS(CODE_ATTACK) };
#define DEED_NAME(name) #name,
static const char *const deeds[] = { DEEDS(DEED_NAME) };

static struct judge judge;

/* The module's own page faults are its own affair. */
static void code_attack(uint32_t number, bool delivered)
{
	const struct code_attack *a = &attacks[number];
	uint64_t before = judge_available(&judge);
	struct ending end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_RING1, number, 0));
	bool passed = judge_stopped(&end, a->vector, a->vector == 14 && delivered);

	judge_say(&judge, "ring1", a->name, passed, &end);
	judge_after(&judge, "ring1", a->name, before);
}

static void deed(uint32_t number)
{
	uint64_t before = judge_available(&judge);
	struct ending end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_DEED, number, 0));
	bool passed;

	switch (number) {
	case DEED_module_stack_gone_syscall:
	case DEED_module_stack_gone_trap:
	case DEED_module_stack_gone_debug:
	case DEED_module_stack_text:
		passed = judge_faulted(&end, 14, UINT64_MAX);
		break;
	case DEED_ring_mapped_over:
		/* It waits for an answer that is in nobody's page. */
		passed = end.hung || judge_exited(&end, HARMLESS) || end.reason == END_REASON_EXITED;
		break;
	case DEED_program_looks_at_itself:
		passed = judge_exited(&end, ATTACK_ANSWERED(STATUS_OK));
		break;
	case DEED_program_wants_its_thread:
		passed = judge_exited(&end, ATTACK_ANSWERED(STATUS_DENIED));
		break;
	case DEED_program_answers:
		passed = judge_exited(&end, ATTACK_ANSWERED(STATUS_NOT_FOUND));
		break;
	case DEED_syscall_at_user_end:
		passed = judge_exited(&end, TRAPPED + 14);
		break;
	default:
		passed = judge_exited(&end, HARMLESS);
	}
	judge_say(&judge, "deed", deeds[number], passed, &end);
	judge_after(&judge, "deed", deeds[number], before);
}

/* QEMU's own processor takes a null SS in ring 1 for ring 0 (a fault of
 * helper_load_seg(): no processor does): nothing can hold a module there. */
static bool emulated(void)
{
	uint32_t a = 0x40000000, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return b == 0x54474354 && c == 0x43544743 && d == 0x47435447; /* "TCGTCGTCGTCG" */
}

/* int n, from ring 1. */
static void interrupts(void)
{
	uint64_t before = judge_available(&judge);

	for (uint32_t n = 0; n < 256; n++) {
		struct ending end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_INT1, n, 0));
		bool open = n == 3 || n == 4 || n == 0x80;
		bool passed = n == 0x90 ? judge_exited(&end, HARMLESS) :
		                          judge_faulted(&end, open ? n : 13, 0);
		char name[] = { 'i', 'n', 't', '_', "0123456789abcdef"[n >> 4],
		                "0123456789abcdef"[n & 15], '\0' };

		if (!passed || n % 16 == 0)
			judge_say(&judge, "ring1", name, passed, &end);
	}
	judge_after(&judge, "ring1", "int", before);
}

int native_main(struct native *self)
{
	judge_start(&judge, self, "attack_module");
	judge_after(&judge, "canary", "warm-up", (judge_canary(&judge), judge_available(&judge)));
	for (uint32_t i = 0; i < ATTACK_ANYWHERE_END; i++)
		code_attack(i, true);
	for (uint32_t i = ATTACK_RING1_FIRST; i < ATTACK_UNDELIVERED_FIRST; i++)
		code_attack(i, true);
	for (uint32_t i = ATTACK_UNDELIVERED_FIRST; i < ATTACK_END; i++)
		code_attack(i, false);
	interrupts();
	for (uint32_t i = 0; i < DEED_END; i++) {
		if (i == DEED_interrupt_at_page_edge || i == DEED_reader ||
		    i == DEED_signalled || i == DEED_calls || i == DEED_module_moves ||
		    i == DEED_program_moves || i == DEED_program_moves_natively)
			continue; /* attack_system.c's, fast_module.c's */
		if (i == DEED_null_stack_segment && emulated())
			native_print(self, "skipped deed/null_stack_segment: QEMU lets it through\n");
		else
			deed(i);
	}
	judge_end(&judge);
}
