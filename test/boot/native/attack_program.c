/* attack_program.c: what a hostile program tries in ring 3 under a module that
 * behaves well, and what a native program does: the same instructions, but in an
 * address space that has the exokernel in it. */
#include "test/boot/native/attack.h"
#include "test/boot/modules/attack_code.h"

#define CODE_AT 0x400000ul
#define STACK_AT 0x600000ul

struct code_attack { const char *name; uint32_t vector; uint64_t address; };

#define CODE_ATTACK(name, vector, address, code) { #name, vector, address },
static const struct code_attack attacks[] = { ATTACKS(CODE_ATTACK) };

static struct judge judge;
static uint32_t code_object;

static void under_module(uint32_t number)
{
	const struct code_attack *a = &attacks[number];
	uint64_t before = judge_available(&judge);
	struct ending end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_RING3, number, 0));

	judge_say(&judge, "ring3", a->name, judge_stopped(&end, a->vector, true), &end);
	judge_after(&judge, "ring3", a->name, before);
}

static const char *int_name(uint32_t n)
{
	static char name[] = "int_00";

	name[4] = "0123456789abcdef"[n >> 4];
	name[5] = "0123456789abcdef"[n & 15];
	return name;
}

static bool int_passed(const struct ending *end, uint32_t n, bool delivered)
{
	bool open = n == 3 || n == 4 || n == 0x80;

	return n == 0x90 ? judge_exited(end, HARMLESS) :
	                   judge_stopped(end, open ? n : 13, delivered);
}

static void interrupts_under_module(void)
{
	uint64_t before = judge_available(&judge);

	for (uint32_t n = 0; n < 256; n++) {
		struct ending end = judge_attack(&judge, ATTACK_ARGUMENT(KIND_INT3, n, 0));

		if (!int_passed(&end, n, true) || n % 16 == 0)
			judge_say(&judge, "ring3", int_name(n), int_passed(&end, n, true), &end);
	}
	judge_after(&judge, "ring3", "int", before);
}

/* A native process that runs the code at `offset` of the attack pages. */
static struct ending native_attack(uint64_t offset)
{
	uint64_t pages = (uint64_t)(attack_code_end - attack_code) / NATIVE_PAGE;
	struct ending end = { .hung = true };
	struct victim v;
	uint32_t libos, stack;
	struct check *check = &judge.check;

	CHECK_STATUS(check, STATUS_OK,
	             judge_load_sized(&judge, "native", 0, 0, 100, false, &libos));
	CHECK_STATUS(check, STATUS_OK,
	             judge_spawn(&judge, libos,
	                         (struct judge_start){ .entry = CODE_AT + offset,
	                                               .stack = STACK_AT + 0xff0 }, 0, &v));
	CHECK_STATUS(check, STATUS_OK, native_allocate(judge.self, judge.memory, 1, &stack));
	CHECK_STATUS(check, STATUS_OK,
	             native_map(judge.self, v.space, code_object, 0, (void *)CODE_AT, pages,
	                        ACCESS_READ | ACCESS_EXECUTE));
	CHECK_STATUS(check, STATUS_OK,
	             native_map(judge.self, v.space, stack, 0, (void *)STACK_AT, 1,
	                        ACCESS_READ | ACCESS_WRITE));
	CHECK_STATUS(check, STATUS_OK, judge_thread_start(&judge, v.thread));
	end = judge_wait(&judge, v.process);
	judge_forget(&judge, &v);
	judge_release(&judge, stack);
	judge_release(&judge, libos);
	return end;
}

static void copy_code(void)
{
	uint64_t pages = (uint64_t)(attack_code_end - attack_code) / NATIVE_PAGE;
	uint8_t *to = (uint8_t *)0x10000000;

	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_allocate(judge.self, judge.memory, pages, &code_object));
	CHECK_STATUS(&judge.check, STATUS_OK,
	             native_map(judge.self, judge.space, code_object, 0, to, pages,
	                        ACCESS_READ | ACCESS_WRITE));
	memcpy(to, attack_code, pages * NATIVE_PAGE);
	CHECK_STATUS(&judge.check, STATUS_OK, native_unmap(judge.self, judge.space, to, pages));
}

static void as_native(uint32_t number)
{
	const struct code_attack *a = &attacks[number];
	uint64_t before = judge_available(&judge);
	struct ending end = native_attack(attack_offsets[number]);
	bool passed = judge_stopped(&end, a->vector, false) &&
	              (a->vector != 14 || end.address == a->address);

	judge_say(&judge, "native", a->name, passed, &end);
	judge_after(&judge, "native", a->name, before);
}

static void interrupts_as_native(void)
{
	uint64_t before = judge_available(&judge);

	for (uint32_t n = 0; n < 256; n++) {
		struct ending end = native_attack((uint64_t)(attack_int - attack_code) +
		                                  n * ATTACK_INT_SIZE);

		if (!int_passed(&end, n, false) || n % 16 == 0)
			judge_say(&judge, "native", int_name(n), int_passed(&end, n, false), &end);
	}
	judge_after(&judge, "native", "int", before);
}

int native_main(struct native *self)
{
	judge_start(&judge, self, "attack_program");
	copy_code();
	judge_canary(&judge);
	native_attack(attack_offsets[0]);
	for (uint32_t i = 0; i < ATTACK_RING1_FIRST; i++)
		under_module(i);
	interrupts_under_module();
	for (uint32_t i = 0; i < ATTACK_RING1_FIRST; i++)
		as_native(i);
	interrupts_as_native();
	judge_end(&judge);
}
