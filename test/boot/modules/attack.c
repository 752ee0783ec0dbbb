/* attack.c: a libOS module that attacks, as its argument says (attack.h).
 *
 * Every process runs one attack on its first thread and ends: by the attack, or
 * by SYS_EXIT with a code that says what was seen. Program code is part of the
 * image (attack_code.h) and is copied to PROGRAM for ring 3. */
#include "test/boot/modules/attack.h"

#include "abi/endpoint.capnp.h"
#include "abi/ledger.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/notification.capnp.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"
#include "abi/spawner.capnp.h"
#include "rt/capset.h"
#include "rt/module_string.h"
#include "rt/ring.h"
#include "test/boot/modules/attack_code.h"
#include "test/boot/modules/calls.h"

#define PROGRAM 0x400000ul
#define PROGRAM_STACK 0x500000ul
#define PROGRAM_DATA 0x501000ul

enum {
	STACK_SIZE = 16384,
	FLAG_TF = 1 << 8, FLAG_IF = 1 << 9, FLAG_DF = 1 << 10, FLAG_IOPL = 3 << 12,
	FLAG_NT = 1 << 14, FLAG_AC = 1 << 18,
	READ_WRITE = ACCESS_READ | ACCESS_WRITE,
	READ_EXECUTE = ACCESS_READ | ACCESS_EXECUTE,
	/* Calls of our programs, beside SYS_EXIT. */
	CALL_CHECK_FLAGS = 0x7001, /* rdi: the DF it had; returns */
	CALL_RETURN,               /* rdi: with these flags */
	CALL_STACK,                /* rdi: the rsp it had; returns to label in rsi */
};

__asm__(".section .head, \"ax\", @progbits\n"
        ".globl module_head\n"
        ".balign 16\n"
        "module_head:\n"
        "jmp start_entry\n .balign 16\n"
        "jmp syscall_entry\n .balign 16\n"
        "jmp trap_entry\n .balign 16\n"
        ".quad module_stack + 16384\n"
        ".text\n"
        "start_entry:\n"
        "xorl %ebp, %ebp\n call module_start\n ud2\n"
        "syscall_entry:\n"
        "pushfq\n pushq %rcx\n pushq %r11\n pushq %rsi\n pushq %rdi\n pushq %rax\n"
        "movq %rsp, %rdi\n cld\n call module_call\n ud2\n"
        "trap_entry:\n"
        "pushfq\n pushq %rcx\n movq %rsp, %rdi\n cld\n call module_trap\n"
        "addq $40, %rsp\n iretq\n");

struct program_call { uint64_t rax, rdi, rsi, rsp, rip, flags; };
struct trap { uint64_t rcx, flags; struct module_trap its; };

uint8_t module_stack[STACK_SIZE] __attribute__((aligned(4096), section(".bss.stack")));
static uint8_t other_stack[STACK_SIZE] __attribute__((aligned(4096)));

/* What module code that may fault expects: where it goes on, and what it saw. */
static struct { uint64_t rip, rsp, address, error; uint32_t vector; } caught;
static uint64_t argument;
static uint64_t expected_address;
static bool expected_trap;       /* of a program, which goes on */
static bool left_is_busy;        /* when its program has left, it does not end */
static void (*on_interrupt)(struct module_trap *);

_Noreturn void module_start(uint64_t given);
_Noreturn void module_call(struct program_call *call);
void module_trap(struct trap *trap);

#define MUST(condition) \
	((condition) ? (void)0 : ring_exit(REFUSED_NOT + __LINE__))

#include "test/boot/modules/attack_calls.h"

/* --- faults of our own ------------------------------------------------------- */

/* Runs one instruction that may fault; true if it did. */
#define TRY(instruction, operand) ({ \
	caught.vector = 0; \
	__asm__ volatile("leaq 1f(%%rip), %%rax\n movq %%rax, %0\n movq %%rsp, %1\n" \
	                 instruction "\n1:\n movq $0, %0\n" \
	                 : "+m"(caught.rip), "=m"(caught.rsp) : "r"(operand) \
	                 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory"); \
	__asm__ volatile("" ::: "memory"); \
	caught.vector != 0; })

static bool write_faults(uint64_t address)
{
	return TRY("movb $0x5a, (%2)", address) && caught.vector == 14 && caught.address == address;
}

static bool read_faults(uint64_t address)
{
	return TRY("movb (%2), %%al", address) && caught.vector == 14 && caught.address == address;
}

static bool call_faults(uint64_t address)
{
	return TRY("call *%2", address) && caught.vector == 14 && caught.address == address;
}

void module_trap(struct trap *trap)
{
	struct module_trap *its = &trap->its;
	bool astray = its->vector == 14 && its->address != expected_address;

	if (trap->flags & (FLAG_TF | FLAG_NT | FLAG_IOPL) || !(trap->flags & FLAG_IF) ||
	    !(trap->flags & FLAG_AC))
		ring_exit(REFUSED_NOT + __LINE__);
	if ((its->cs & 3) == 1 && caught.rip) {
		caught.vector = (uint32_t)its->vector;
		caught.address = its->address;
		caught.error = its->error;
		its->rip = caught.rip;
		its->rsp = caught.rsp;
		caught.rip = 0;
		return;
	}
	if (expected_trap && (its->cs & 3) == 3) {
		return;
	}
	if (its->vector == MODULE_VECTOR_LEFT && left_is_busy)
		spin(UINT64_MAX);
	if (its->vector == MODULE_VECTOR_LEFT)
		ring_exit((int32_t)its->address);
	if (its->vector == MODULE_VECTOR_INTERRUPT && on_interrupt)
		on_interrupt(its);
	ring_exit((astray ? ASTRAY : TRAPPED) + (int32_t)its->vector);
}

#include "test/boot/modules/attack_programs.h"
#include "test/boot/modules/attack_asks.h"

/* --- deeds ------------------------------------------------------------------- */

static uint64_t flags(void)
{
	uint64_t f;

	__asm__ volatile("pushfq\n popq %0" : "=r"(f));
	return f;
}

static void flags_popf(void)
{
	__asm__ volatile("pushq $0x3002\n popfq" : : : "memory", "cc");
	MUST(flags() & FLAG_IF);
	MUST(!(flags() & FLAG_IOPL));
}

static void flags_iret(void)
{
	__asm__ volatile("movq %%rsp, %%rax\n pushq $0x21\n pushq %%rax\n pushq $0x23002\n"
	                 "pushq $0x19\n leaq 1f(%%rip), %%rax\n pushq %%rax\n iretq\n1:"
	                 : : : "rax", "memory", "cc");
	MUST(flags() & FLAG_IF);
	MUST(!(flags() & FLAG_IOPL));
	spin(1000000);
	check_ring();
}

static void flags_iret_ring3(void)
{
	map_program();
	go_program(program(program_flags), PROGRAM_STACK + 0xff0, 0x3002, 0);
}

static void null_stack_segment(void)
{
	__asm__ volatile("movl $1, %%eax\n movl %%eax, %%ss" : : : "rax", "memory");
	check_ring();
	__asm__ volatile("movl $1, %%eax\n movl %%eax, %%ss" : : : "rax", "memory");
	spin(30000000);
	check_ring();
	__asm__ volatile("movl $1, %%eax\n movl %%eax, %%ss" : : : "rax", "memory");
	MUST(write_faults(NOWHERE));
	check_ring();
}

static void syscall_with_stack(uint64_t stack)
{
	static uint64_t given, own, after;
	uint64_t status = SYS_CAP_ENTER;

	given = stack;
	__asm__ volatile("movq %%rsp, %1\n movq %3, %%rsp\n"
	                 "movq $-1, %%rbx\n movq %%rbx, %%r12\n movabsq $0x8000000000000000, %%r13\n"
	                 "movq %%rbx, %%rdx\n movq %%rbx, %%r8\n movq %%r13, %%r9\n"
	                 "movq %%r13, %%r10\n movq %%r13, %%r11\n"
	                 "xorl %%edi, %%edi\n xorl %%esi, %%esi\n syscall\n"
	                 "movq %%rsp, %2\n movq %1, %%rsp\n"
	                 "cmpq $-1, %%rbx\n jne 1f\n cmpq $-1, %%r12\n je 2f\n"
	                 "1: movq $-1, %%rax\n2:\n"
	                 : "+a"(status), "=m"(own), "=m"(after) : "m"(given)
	                 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
	                   "r13", "memory", "cc");
	MUST(status == STATUS_OK);
	MUST(after == stack);
}

static void syscall_poisoned(void)
{
	static const uint64_t stacks[] = {
		0, 8, 0x1000, PROGRAM_STACK, NONCANONICAL, PHYSMAP_BASE, KERNEL_TEXT, CPU_AREA,
		KERNEL_STACK_TOP, ENTRY_STACK, ENTRY_STACK_TOP, ENTRY_STACK + 8, IST_STACK_TOP(1),
		WINDOW_CELLS, WINDOW_IDT, GATE_ENTRY, MODULE_BASE, MODULE_CAPSET, MODULE_END,
		UINT64_MAX, 1ul << 63,
	};

	for (unsigned round = 0; round < 100; round++)
		for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++)
			syscall_with_stack(stacks[i]);
	check_ring();
}

static void syscall_garbage(void)
{
	MUST(enter(2, 0, 0, NULL) == STATUS_INVALID);
	MUST(enter(UINT64_MAX, 0, 0, NULL) == STATUS_INVALID);
	MUST(enter(1ul << 32, 0, 0, NULL) == STATUS_INVALID);
	MUST(enter((1ul << 32) + 1, 0, 0, NULL) == STATUS_INVALID);
	MUST(enter(SYS_CAP_ENTER, RING_CQ_ENTRIES + 1, 0, NULL) == STATUS_INVALID);
	MUST(enter(SYS_CAP_ENTER, 1ul << 32, 0, NULL) == STATUS_INVALID);
	MUST(enter(SYS_CAP_ENTER, UINT64_MAX, RING_FOREVER, NULL) == STATUS_INVALID);
	MUST(enter(SYS_CAP_ENTER, 1, 0, NULL) == STATUS_TIMEOUT);
	MUST(enter(SYS_CAP_ENTER, 1, 1000000, NULL) == STATUS_TIMEOUT);
	check_ring();
}

static uint64_t random;

static uint64_t next_random(void)
{
	random = random * 6364136223846793005 + 1442695040888963407;
	return random >> 20;
}

/* Words that would be worth something, were they believed. */
static uint64_t believable(void)
{
	static const uint64_t words[] = {
		0x08, 0x10, 0x3002, 0x2, KERNEL_TEXT, KERNEL_STACK_TOP, GATE_ENTRY, CPU_AREA,
		ENTRY_STACK_TOP, PHYSMAP_BASE, NONCANONICAL, UINT64_MAX, 0, 14, 0x90, 0x1000,
	};

	return words[next_random() % (sizeof words / sizeof words[0])];
}

static void scribble_on(uint64_t page)
{
	for (uint64_t at = page; at < page + 4096; at += 8)
		*(volatile uint64_t *)at = believable();
}

static void scribble(void)
{
	random = argument | 1;
	for (uint64_t start = now(), round = 0; now() - start < 400000000; round++) {
		scribble_on(ENTRY_STACK);
		if (round % 8 == 0)
			for (unsigned i = 1; i <= 4; i++)
				scribble_on(IST_STACK(i));
		switch (round % 4) {
		case 0:
			check_ring();
			break;
		case 1:
			MUST(write_faults(NOWHERE + (next_random() & 0xfff000)));
			break;
		case 2:
			syscall_with_stack(ENTRY_STACK + (next_random() & 0xff8));
			break;
		case 3:
			for (uint64_t at = ENTRY_STACK_TOP - 256; at < ENTRY_STACK_TOP; at += 8)
				*(volatile uint64_t *)at = believable();
			__asm__ volatile("int $0x90" : : "a"(SYS_CAP_ENTER), "D"(0), "S"(0)
			                 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
		}
	}
	check_ring();
}

static void smep(void)
{
	map_program();
	MUST(call_faults(program(attack_code)));
	MUST(caught.error == 0x11);
	MUST(fresh("space", PROGRAM_DATA + 0x1000, 1, READ_WRITE | ACCESS_EXECUTE) == STATUS_OK);
	*(uint8_t *)(PROGRAM_DATA + 0x1000) = 0xc3;
	MUST(call_faults(PROGRAM_DATA + 0x1000));
}

static void ring_unmapped(void)
{
	struct ring *was = ring;

	/* The answer is written where the page was: nobody reads it. */
	struct capnp_builder b;
	struct address_space_unmap_params_builder p;
	begin(&b);
	p = address_space_unmap_params_build(&b);
	address_space_unmap_params_set_address(p, (uint64_t)was);
	address_space_unmap_params_set_pages(p, 1);
	*ring_next(ring) = (struct ring_sqe){
		.op = RING_CALL, .cap = find("module"), .interface = ADDRESS_SPACE_ID,
		.method = ADDRESS_SPACE_UNMAP, .params = (uint64_t)ring->area,
		.params_size = (uint32_t)capnp_builder_size(&b),
	};
	ring_push(ring);
	MUST(enter(SYS_CAP_ENTER, 1, RING_FOREVER, NULL) == STATUS_OK);
	MUST(read_faults((uint64_t)was));
	for (unsigned i = 0; i < 100; i++)
		enter(SYS_CAP_ENTER, i % 40, 0, NULL);
}

static void ring_overwritten(void)
{
	random = now();
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned i = 0; i < 512; i++)
			((uint64_t *)ring)[i] = round % 2 ? next_random() * next_random() : believable();
		if (round % 3 == 0)
			ring->cq_head = round;
		enter(SYS_CAP_ENTER, next_random() % 34, 0, NULL);
	}
}

static void ring_mapped_over(void)
{
	uint32_t object;
	enum status status;

	MUST(allocate(1, &object) == STATUS_OK);
	status = map("module", object, (uint64_t)ring & ~4095ul, 1, READ_WRITE);
	/* It is gone, or was refused; if gone, no answer was seen: not here. */
	MUST(status != STATUS_OK);
}

static void capset_made_writable(void)
{
	(void)!protect("module", MODULE_CAPSET, 1, READ_WRITE);
	MUST(write_faults(MODULE_CAPSET));
	MUST(resolve("module", MODULE_CAPSET) != STATUS_OK);
	MUST(write_faults(MODULE_CAPSET));
	(void)!protect("module", MODULE_CAPSET, 1, READ_WRITE | ACCESS_PRIVATE);
	(void)!resolve("module", MODULE_CAPSET);
	MUST(write_faults(MODULE_CAPSET));
	check_ring();
}

static void capset_mapped_over(void)
{
	uint32_t object, region = find("module");
	struct capnp_builder b;
	struct address_space_map_params_builder p;

	MUST(allocate(1, &object) == STATUS_OK);
	begin(&b);
	p = address_space_map_params_build(&b);
	address_space_map_params_set_object(p, 0);
	address_space_map_params_set_address(p, MODULE_CAPSET);
	address_space_map_params_set_pages(p, 1);
	address_space_map_params_set_access(p, READ_WRITE);
	(void)!send(&b, region, ADDRESS_SPACE_ID, ADDRESS_SPACE_MAP, object, NULL);
	/* Whatever it shows now is ours alone: the table behind it still counts. */
	(void)write_faults(MODULE_CAPSET);
	check_ring();
}

static void write_and_execute(void)
{
	uint64_t text = (uint64_t)attack_code;
	uint32_t object, all = READ_WRITE | ACCESS_EXECUTE;

	MUST(allocate(1, &object) == STATUS_OK);
	MUST(map("module", object, NOWHERE, 1, all) == STATUS_INVALID);
	MUST(map("module", object, NOWHERE, 1, all | ACCESS_PRIVATE) == STATUS_INVALID);
	MUST(fresh("module", NOWHERE, 1, all) == STATUS_INVALID);
	MUST(protect("module", text & ~4095ul, 1, all) == STATUS_INVALID);
	MUST(map("module", object, NOWHERE, 1, ACCESS_WRITE) == STATUS_INVALID);
	MUST(map("module", object, NOWHERE, 1, 16 | ACCESS_READ) == STATUS_INVALID);
	MUST(read_faults(NOWHERE));
	MUST(write_faults(text));
}

static void refused_at(const char *space, uint32_t object, uint64_t address, uint64_t pages)
{
	MUST(map(space, object, address, pages, ACCESS_READ) != STATUS_OK);
	MUST(fresh(space, address, pages, READ_WRITE) != STATUS_OK);
	MUST(unmap(space, address, pages) != STATUS_OK);
	MUST(protect(space, address, pages, READ_WRITE) != STATUS_OK);
	if (pages == 1)
		MUST(resolve(space, address) != STATUS_OK);
}

static void outside_its_half(void)
{
	static const uint64_t everywhere[] = {
		PHYSMAP_BASE, KERNEL_BASE, KERNEL_TEXT, GATE_ENTRY, WINDOW_IDT, WINDOW_CELLS,
		ENTRY_STACK, CPU_AREA, KERNEL_STACK, MODULE_END, MODULE_BASE - 4096, NONCANONICAL,
		USER_END, USER_END + 4096, -4096ul, 0xffff800000001000,
	};
	uint32_t object;

	MUST(allocate(4, &object) == STATUS_OK);
	for (unsigned i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++) {
		refused_at("module", object, everywhere[i], 1);
		refused_at("space", object, everywhere[i], 1);
	}
	refused_at("module", object, 0, 1);
	refused_at("module", object, PROGRAM, 1);
	refused_at("space", object, MODULE_BASE, 1);
	refused_at("space", object, MODULE_TEXT, 1);
	refused_at("module", object, MODULE_END - 4096, 2);
	refused_at("space", object, USER_END - 4096, 2);
	refused_at("module", object, MODULE_BASE, 0);
	refused_at("module", object, MODULE_BASE, UINT64_MAX);
	refused_at("module", object, MODULE_BASE, 1ul << 52);
	refused_at("space", object, 0, 1ul << 52);
	refused_at("space", object, PROGRAM, UINT64_MAX >> 12);
	MUST(map("module", object, NOWHERE + 8, 1, ACCESS_READ) == STATUS_INVALID);
	MUST(map("module", object, NOWHERE, 5, ACCESS_READ) == STATUS_INVALID);
	check_ring();
}

/* Selectors that another process must not find in its registers. */
PROGRAM_CODE(program_segments, SEGMENT(ds, 0x2b) SEGMENT(es, 0x2b) SEGMENT(fs, 0x2b)
             SEGMENT(gs, 0x2b) EXIT_WITH(0x6000));

static void segments_left(void) { run_program(program_segments); }

static void segments_seen(void)
{
	uint32_t ds, es, fs, gs;

	__asm__ volatile("movl %%ds, %0\n movl %%es, %1\n movl %%fs, %2\n movl %%gs, %3"
	                 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	MUST(ds == 0);
	MUST(es == 0);
	MUST(fs == 0);
	MUST(gs == 0);
}

/* The stack that the program's calls and traps come in on goes; `program` then
 * makes one. */
_Noreturn static void without_stack(const uint8_t *code, bool readable)
{
	static const uint8_t *then;
	static bool read;

	then = code;
	read = readable;
	map_program();
	__asm__ volatile("movq %0, %%rsp" : : "r"(other_stack + STACK_SIZE - 256) : "memory");
	if (read)
		MUST(protect("module", (uint64_t)module_stack, STACK_SIZE / 4096, ACCESS_READ) ==
		     STATUS_OK);
	else
		MUST(unmap("module", (uint64_t)module_stack, STACK_SIZE / 4096) == STATUS_OK);
	go_program(program(then), PROGRAM_STACK + 0xff0, 0x202, 0);
}

static void module_stack_gone_syscall(void) { without_stack(program_syscall, false); }
static void module_stack_gone_trap(void) { without_stack(program_trap, false); }
static void module_stack_gone_debug(void) { without_stack(program_debug, false); }
static void module_stack_text(void) { without_stack(program_trap, true); }

/* The very last instruction that a program can have is a system call. */
static void syscall_at_user_end(void)
{
	map_program();
	MUST(fresh("space", USER_LAST, 1, READ_WRITE) == STATUS_OK);
	memcpy((void *)(USER_END - 2), "\x0f\x05", 2);
	MUST(protect("space", USER_LAST, 1, READ_EXECUTE) == STATUS_OK);
	expected_address = USER_END;
	__asm__ volatile("pushq $0x2b\n pushq %1\n pushq $0x202\n pushq $0x33\n pushq %0\n"
	                 "movl $0x7002, %%eax\n iretq"
	                 : : "r"(USER_END - 2), "r"(PROGRAM_STACK + 0xff0), "D"(0x202) : "rax");
}

static void last_page(void)
{
	uint32_t object;

	MUST(allocate(1, &object) == STATUS_OK);
	MUST(map("space", object, USER_END, 1, ACCESS_READ) == STATUS_INVALID);
	MUST(fresh("space", USER_END, 1, ACCESS_READ) == STATUS_INVALID);
	MUST(fresh("space", USER_LAST, 2, ACCESS_READ) == STATUS_INVALID);
	MUST(fresh("space", USER_LAST, 1, ACCESS_READ) == STATUS_OK);
}

static void syscall_flags(void) { run_program(program_syscall_flags); }
static void vector_flags(void) { run_program(program_vector_flags); }
static void syscall_stack(void) { run_program(program_syscall_stack); }
static void lazy_ring(void) { run_program(program_lazy_ring); }

static void trap_flags(void)
{
	expected_trap = true;
	run_program(program_trap_flags);
}

static void trap_stack(void)
{
	expected_trap = true;
	run_program(program_trap_stack);
}

/* Where the CapSet is to appear, something is. */
static void lazy_ring_taken(void)
{
	MUST(fresh("space", PROGRAM_CAPSET, 1, READ_WRITE) == STATUS_OK);
	run_program(program_lazy_ring_taken);
}

/* The same of the first place for a ring: it appears at the next. */
static void lazy_ring_beside(void)
{
	MUST(fresh("space", PROGRAM_RINGS, 1, READ_WRITE) == STATUS_OK);
	*(uint64_t *)PROGRAM_RINGS = 0x5a5a;
	run_program(program_lazy_ring_beside);
}

/* Its stack's top is such that a struct module_trap lies on two pages. The
 * harness has Thread.interrupt called. */
static void interrupted(struct module_trap *trap)
{
	MUST(trap->vector == MODULE_VECTOR_INTERRUPT);
	MUST(trap->rip == program(program_spin));
	MUST(trap->cs == PROGRAM_CODE_SELECTOR && trap->ss == PROGRAM_DATA_SELECTOR);
	MUST(trap->rsp == PROGRAM_STACK + 0xff0);
	ring_exit(HARMLESS);
}

static void interrupt_at_page_edge(void)
{
	on_interrupt = interrupted;
	run_program(program_spin);
}

/* Reads a page until somebody takes it away. */
static void reader(void)
{
	MUST(fresh("module", NOWHERE, 1, READ_WRITE) == STATUS_OK);
	expected_address = NOWHERE;
	for (;;)
		__asm__ volatile("movq (%0), %%rax" : : "r"(NOWHERE) : "rax", "memory");
}

/* Waits for signals, for ever, and answers each by the same bits. */
static void signalled(void)
{
	struct notification_wait_results_reader r;
	struct capnp_builder b;

	for (uint64_t turn = 0; turn < SIGNALS; turn++) {
		struct ring_call call = {
			.cap = find("signalled"), .method = NOTIFICATION_WAIT,
			.interface = NOTIFICATION_ID, .params = ring->area,
			.results = ring->area + 512, .results_size = 64,
		};

		begin(&b);
		notification_wait_params_set_mask(notification_wait_params_build(&b), 1ul << turn);
		call.params_size = (uint32_t)capnp_builder_size(&b);
		MUST(ring_call(ring, &call) == STATUS_OK);
		MUST(notification_wait_results_read(call.results, call.results_size, &r) ==
		     STATUS_OK);
		MUST(notification_wait_results_get_bits(r) == 1ul << turn);
		check_ring();
	}
}

/* What calls cost a module: fast as it can. */
static void calls(void)
{
	uint64_t server = calls_of_server(ring, find("facet"));

	ring_exit(calls_told(server, calls_of_timer(ring, find("timer"))));
}

static void vectors_kept_apart(void) { run_program(program_vectors); }

static void vectors_at_start(void)
{
	static uint32_t area[8];
	uint32_t mxcsr;
	uint64_t fs, gs;
	uint16_t control;

	__asm__ volatile("stmxcsr %0\n fnstcw %1\n rdfsbase %2\n rdgsbase %3"
	                 : "=m"(mxcsr), "=m"(control), "=r"(fs), "=r"(gs));
	MUST(mxcsr == 0x1f80);
	MUST(control == 0x37f);
	MUST(fs == 0 && gs == 0);
#define ZERO(n) \
	__asm__ volatile("vmovdqu %%ymm" #n ", %0" : "=m"(area)); \
	for (unsigned i = 0; i < 8; i++) \
		MUST(area[i] == 0)
	ZERO(0); ZERO(1); ZERO(2); ZERO(3); ZERO(4); ZERO(5); ZERO(6); ZERO(7);
	ZERO(8); ZERO(9); ZERO(10); ZERO(11); ZERO(12); ZERO(13); ZERO(14); ZERO(15);
}

/* --- the start ---------------------------------------------------------------- */

#define ATTACK_ADDRESS(name, vector, address, code) address,
static const uint64_t addresses[] = { ATTACKS(ATTACK_ADDRESS) };
#define DEED_FUNCTION(name) name,
static void (*const deeds[])(void) = { DEEDS(DEED_FUNCTION) };

static void jump(uint64_t to)
{
	__asm__ volatile("xorl %%eax, %%eax\n xorl %%edi, %%edi\n xorl %%esi, %%esi\n jmp *%0"
	                 : : "r"(to) : "rax", "rdi", "rsi", "memory");
}

/* `extra`: bit 0: rcx negative; bits 1, 2: where rsp points; bit 3: rdi. */
static void jump_gate(uint32_t offset, uint32_t extra)
{
	static const uint64_t stacks[] = {
		(uint64_t)other_stack + STACK_SIZE - 512, ENTRY_STACK_TOP - 256, NOWHERE, PROGRAM_STACK,
	};
	uint64_t rcx = extra & 1 ? KERNEL_TEXT : PROGRAM;

	random = argument;
	for (uint64_t *word = (uint64_t *)other_stack; word < (uint64_t *)(other_stack + STACK_SIZE);)
		*word++ = believable();
	for (uint64_t at = ENTRY_STACK; at < ENTRY_STACK_TOP; at += 8)
		*(volatile uint64_t *)at = believable();
	__asm__ volatile("movq %1, %%rsp\n movq %3, %%rdi\n movq %%rdi, %%r10\n movq %%rdi, %%rax\n"
	                 "jmp *%0"
	                 : : "r"(GATE_ENTRY + offset), "r"(stacks[extra >> 1 & 3]), "c"(rcx),
	                     "d"(extra & 8 ? CPU_AREA : (uint64_t)other_stack + 4096)
	                 : "rax", "rdi", "r10", "memory");
}

_Noreturn void module_start(uint64_t given)
{
	uint32_t index = given >> 32 & 0xffffff, extra = (uint32_t)given;

	argument = given;
	ring = ring_self();
	switch (given >> 56) {
	case KIND_CANARY:
		check_ring();
		MUST(write_faults(NOWHERE));
		run_program(program_canary);
	case KIND_RING1:
		expected_address = addresses[index];
		jump((uint64_t)attack_code + attack_offsets[index]);
		break;
	case KIND_RING3:
		expected_address = addresses[index];
		run_program(attack_code + attack_offsets[index]);
	case KIND_INT1:
		jump((uint64_t)attack_int + index * ATTACK_INT_SIZE);
		break;
	case KIND_INT3:
		run_program(attack_int + index * ATTACK_INT_SIZE);
	case KIND_GATE:
		jump_gate(index, extra);
		break;
	case KIND_DEED:
		deeds[index]();
		ring_exit(HARMLESS);
	}
	ring_exit(REFUSED_NOT);
}
