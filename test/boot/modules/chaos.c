/* chaos.c: the chaos test's hostile module (test/boot/native/chaos.c starts it): the
 * same actors as there, in ring 1, with a ring and the authority of a libOS each; now
 * and then one runs a program in ring 3 that does something wild, and comes back by
 * whichever way that takes. */
#include "test/boot/chaos/no_brood.h"
#include "test/boot/chaos/play.h"

#include "abi/module.h"
#include "rt/capset.h"

#define PROGRAM_AT UINT64_C(0x400000)
#define RING_AT(number) (UINT64_C(0xffffc07f90000000) + (number) * UINT64_C(4096))

enum { LEVEL_STACK = 4096 };

/* -- ways in ------------------------------------------------------------------------------------ */

__asm__(".section .head, \"ax\", @progbits\n"
        ".globl module_head\n"
        ".balign 16\n"
        "module_head:\n"
        "jmp start_entry\n .balign 16\n"
        "jmp syscall_entry\n .balign 16\n"
        "jmp trap_entry\n .balign 16\n"
        ".quad trip_stacks + 4096\n"
        ".text\n"
        "start_entry: leaq actor_stacks + 8192(%rip), %rsp\n"
        "xorl %ebp, %ebp\n call module_start\n ud2\n"
        "syscall_entry: movq %rsp, %rdi\n cld\n call module_called\n ud2\n"
        "trap_entry: movq %rsp, %rdi\n cld\n call module_trapped\n ud2\n"
        /* trip(rip, flags, &saved): to ring 3, and back here by trip_end. */
        ".globl trip\n"
        "trip: pushq %rbx\n pushq %rbp\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdx)\n"
        "pushq $0x2b\n pushq $0x500ff0\n pushq %rsi\n pushq $0x33\n pushq %rdi\n iretq\n"
        "trip_end: movq %rdi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbp\n popq %rbx\n ret\n");

void trip(uint64_t rip, uint64_t flags, uint64_t *saved);
_Noreturn void trip_end(uint64_t saved);
_Noreturn void module_start(uint64_t argument);
_Noreturn void module_called(uint64_t rsp);
_Noreturn void module_trapped(const struct module_trap *trap);

/* What programs are entered from, and what their traps come to: by number. */
uint8_t actor_stacks[ACTORS][ACTOR_STACK] __attribute__((aligned(64)));
uint8_t trip_stacks[ACTORS][LEVEL_STACK] __attribute__((aligned(4096)));
static struct actor actors[ACTORS];
static uint64_t saved[ACTORS];

/* A trip ends: `rsp` stands on the stack of whoever made it. */
_Noreturn static void come_back(uint64_t rsp)
{
	uint64_t number = (rsp - 1 - (uintptr_t)trip_stacks) / LEVEL_STACK;

	if (number >= ACTORS || saved[number] == 0) {
		chaos_failed("a program came back on no stack of ours", 0, 0, 0, rsp);
		ring_exit(1);
	}
	trip_end(saved[number]);
}

_Noreturn void module_called(uint64_t rsp)
{
	come_back(rsp);
}

/* A fault of the module itself: somebody took its pages. */
_Noreturn void module_trapped(const struct module_trap *trap)
{
	if ((trap->cs & 3) != 3)
		ring_exit(2);
	come_back((uintptr_t)trap + sizeof *trap);
}

/* -- programs ------------------------------------------------------------------------------------ */

__asm__(".section .rodata\n .balign 4096\n"
        ".globl programs\n programs:\n"
        "movl $1, %eax\n syscall\n ud2\n .balign 64\n"
        "ud2\n .balign 64\n"
        "int $0x80\n ud2\n .balign 64\n"
        "movabsq $0xffffffff80100000, %rax\n movq (%rax), %rax\n ud2\n .balign 64\n"
        "movabsq $0xffffc00000200000, %rax\n movq %rax, (%rax)\n ud2\n .balign 64\n"
        "movabsq $0x8000000000000000, %rsp\n push %rax\n syscall\n ud2\n .balign 64\n"
        "cli\n hlt\n ud2\n .balign 64\n"
        "xorl %ecx, %ecx\n 1: incl %ecx\n cmpl $100000, %ecx\n jne 1b\n syscall\n ud2\n .balign 64\n"
        /* A ring of its own, filled with garbage; then a call of the module. */
        "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
        "testl %eax, %eax\n jnz 4f\n movq %rdx, %rbx\n movl $1000, %ecx\n movl %edx, %r13d\n"
        "3: imull $1664525, %r13d\n addl $1013904223, %r13d\n movl %r13d, (%rbx)\n"
        "addq $4, %rbx\n loop 3b\n 4: syscall\n ud2\n .balign 64\n"
        ".balign 128\n"
        "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
        "testl %eax, %eax\n jnz 6f\n movl 0(%rdx), %eax\n addl $15, %eax\n movl %eax, 4(%rdx)\n"
        "movl $0, 8(%rdx)\n leaq 64(%rdx), %rbx\n movl $256, %ecx\n movl %eax, %r13d\n"
        "5: imull $1664525, %r13d\n addl $1013904223, %r13d\n movl %r13d, (%rbx)\n"
        "addq $4, %rbx\n loop 5b\n xorl %eax, %eax\n int $0x90\n 6: syscall\n ud2\n"
        ".balign 4096\n .text\n");
extern const uint8_t programs[];
static const uint16_t program_at[] = { 0, 64, 128, 192, 256, 320, 384, 448, 512, 640 };

static enum status call(struct capnp_builder *b, uint32_t cap, uint64_t interface,
                        uint16_t method, uint32_t with)
{
	struct ring *ring = (struct ring *)MODULE_FIRST_RING;
	struct ring_call c = {
		.cap = cap, .method = method, .interface = interface, .params = ring->area,
		.params_size = (uint32_t)capnp_builder_size(b), .caps_count = with != 0,
		.caps = { with },
	};

	return ring_call(ring, &c);
}

static uint32_t find(const char *name)
{
	return capset_find((const struct capset *)MODULE_CAPSET, name);
}

static enum status show_board(void)
{
	struct capnp_builder b;
	struct address_space_map_params_builder p;

	capnp_builder_start(&b, ((struct ring *)MODULE_FIRST_RING)->area, 256);
	p = address_space_map_params_build(&b);
	address_space_map_params_set_object(p, 0);
	address_space_map_params_set_address(p, BOARD_MODULE_AT);
	address_space_map_params_set_pages(p, BOARD_PAGES);
	address_space_map_params_set_access(p, ACCESS_READ | ACCESS_WRITE);
	return call(&b, find("module"), ADDRESS_SPACE_ID, ADDRESS_SPACE_MAP, find("board"));
}

static enum status fresh(uint64_t address, uint64_t pages)
{
	struct capnp_builder b;
	struct address_space_fresh_params_builder p;

	capnp_builder_start(&b, ((struct ring *)MODULE_FIRST_RING)->area, 256);
	p = address_space_fresh_params_build(&b);
	address_space_fresh_params_set_address(p, address);
	address_space_fresh_params_set_pages(p, pages);
	address_space_fresh_params_set_access(p, ACCESS_READ | ACCESS_WRITE);
	return call(&b, find("space"), ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH, 0);
}

static enum status show_programs(void)
{
	struct capnp_builder b;
	struct address_space_protect_params_builder p;
	enum status status = fresh(PROGRAM_AT, 1);

	if (!status)
		status = fresh(0x500000, 1);
	if (status)
		return status;
	for (unsigned i = 0; i < 4096 / 8; i++)
		((volatile uint64_t *)PROGRAM_AT)[i] = ((const uint64_t *)programs)[i];
	capnp_builder_start(&b, ((struct ring *)MODULE_FIRST_RING)->area, 256);
	p = address_space_protect_params_build(&b);
	address_space_protect_params_set_address(p, PROGRAM_AT);
	address_space_protect_params_set_pages(p, 1);
	address_space_protect_params_set_access(p, ACCESS_READ | ACCESS_EXECUTE);
	return call(&b, find("space"), ADDRESS_SPACE_ID, ADDRESS_SPACE_PROTECT, 0);
}

/* With whichever flags a module may give a program. */
static void excursion(struct actor *a)
{
	static const uint32_t some_flags[] = { 0x202, 0x202, 0x202, 0x302, 0x40202, 0x4202, 0x602, 0x3202 };
	uint64_t number = (uint64_t)(a - actors);
	uint64_t at = program_at[below(a, sizeof program_at / sizeof program_at[0])];

	trip(PROGRAM_AT + at, some_flags[below(a, sizeof some_flags / sizeof some_flags[0])],
	     &saved[number]);
	saved[number] = 0;
}

/* -- actors --------------------------------------------------------------------------------------- */

_Noreturn static void begin(uint64_t argument)
{
	uint64_t number = argument >> 8 & 0xff;
	struct actor *a = &actors[number];

	a->ring = (struct ring *)(number ? RING_AT(number) : MODULE_FIRST_RING);
	a->capset = (const struct capset *)MODULE_CAPSET;
	a->random = chaos_mix(argument);
	a->cell = argument & 0xff;
	a->module = true;
	a->beside = excursion;
	play(a);
}

static void start_of_actor(const struct actor *a, struct thread_start_builder start,
                           unsigned number, uint64_t seed)
{
	thread_start_set_entry(start, (uintptr_t)begin);
	thread_start_set_stack(start, (uintptr_t)actor_stacks[number] + ACTOR_STACK - 8);
	thread_start_set_module_stack(start, (uintptr_t)trip_stacks[number] + LEVEL_STACK);
	thread_start_set_ring(start, RING_AT(number));
	thread_start_set_argument(start, (seed & ~UINT64_C(0xffff)) | number << 8 | a->cell);
}

_Noreturn void module_start(uint64_t argument)
{
	if (show_board() != STATUS_OK || show_programs() != STATUS_OK)
		ring_exit(99);
	board = (volatile struct board *)BOARD_MODULE_AT;
	recruited = 1;
	begin(argument & ~UINT64_C(0xff00));
}
