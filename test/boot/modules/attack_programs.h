/* attack_programs.h: the programs that the module runs in ring 3, as bytes that it
 * copies there. Part of attack.c: it says what MUST hold and how traps come in. */
#pragma once

_Noreturn static void go_program(uint64_t rip, uint64_t rsp, uint64_t flags, uint64_t rdi)
{
	__asm__ volatile("pushq $0x2b\n pushq %1\n pushq %2\n pushq $0x33\n pushq %0\n"
	                 "xorl %%eax, %%eax\n xorl %%edx, %%edx\n xorl %%esi, %%esi\n iretq"
	                 : : "r"(rip), "r"(rsp), "r"(flags), "D"(rdi) : "memory");
	__builtin_unreachable();
}

static void map_program(void)
{
	uint64_t pages = (uint64_t)(attack_code_end - attack_code) / 4096;

	MUST(fresh("space", PROGRAM, pages, READ_WRITE) == STATUS_OK);
	MUST(fresh("space", PROGRAM_STACK, 2, READ_WRITE) == STATUS_OK);
	memcpy((void *)PROGRAM, attack_code, pages * 4096);
	MUST(protect("space", PROGRAM, pages, READ_EXECUTE) == STATUS_OK);
}

static uint64_t program(const uint8_t *code)
{
	return PROGRAM + (uint64_t)(code - attack_code);
}

_Noreturn static void run_program(const uint8_t *code)
{
	map_program();
	go_program(program(code), PROGRAM_STACK + 0xff0, 0x202, argument);
}

_Noreturn void module_call(struct program_call *call)
{
	MUST(!(call->flags & (FLAG_TF | FLAG_NT | FLAG_IOPL)));
	MUST(call->flags & FLAG_IF && call->flags & FLAG_AC);
	switch (call->rax) {
	case SYS_EXIT:
		ring_exit((int32_t)call->rdi);
	case CALL_CHECK_FLAGS:
		MUST((call->flags & FLAG_DF) == call->rdi);
		go_program(call->rip, call->rsp, 0x202, 0);
	case CALL_RETURN:
		go_program(call->rip, call->rsp, call->rdi, 0);
	case CALL_STACK:
		MUST(call->rsp == call->rdi);
		go_program(call->rip, call->rsp, 0x202, 0);
	default:
		ring_exit(CALLED);
	}
}

/* Programs of the deeds: in the pages that are copied. */
#define PROGRAM_CODE(name, code) \
	__asm__(".section .text.attack, \"ax\", @progbits\n .balign 8\n" #name ":\n" code ".text\n"); \
	extern const uint8_t name[]
#define EXIT_WITH(code) "movl $1, %eax\n movl $" #code ", %edi\n syscall\n"
#define UNLESS(condition) condition " 9f\n" EXIT_WITH(0x7fff) "9:\n"

PROGRAM_CODE(program_canary, "movl $0x7002, %eax\n movl $0x202, %edi\n syscall\n"
             "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
             "testl %eax, %eax\n" UNLESS("jz") EXIT_WITH(42));

PROGRAM_CODE(program_flags, "pushfq\n popq %rax\n movl %eax, %ecx\n andl $0x3000, %ecx\n"
             UNLESS("jz") "testl $0x200, %eax\n" UNLESS("jnz")
             /* And by popf. */
             "pushq $0x3000\n popfq\n pushfq\n popq %rax\n movl %eax, %ecx\n"
             "andl $0x3000, %ecx\n" UNLESS("jz") "testl $0x200, %eax\n" UNLESS("jnz")
             EXIT_WITH(0x6000));

PROGRAM_CODE(program_syscall, "syscall\n ud2\n");
PROGRAM_CODE(program_trap, "ud2\n");
PROGRAM_CODE(program_debug, FLAGS(0x100) "nop\n nop\n");
PROGRAM_CODE(program_spin, "1: jmp 1b\n");

#define CHECK_FLAGS(bits, df) FLAGS(bits) "movl $0x7001, %eax\n movl $" #df ", %edi\n syscall\n"
#define CHECK_FLAGS_TF(bits, df) "movl $0x7001, %eax\n movl $" #df ", %edi\n" FLAGS(bits) "syscall\n"
PROGRAM_CODE(program_syscall_flags,
             CHECK_FLAGS(0x4000, 0) CHECK_FLAGS(0x40000, 0) CHECK_FLAGS(0x3000, 0)
             CHECK_FLAGS_TF(0x100, 0) CHECK_FLAGS_TF(0x4100, 0) CHECK_FLAGS_TF(0x44100, 0)
             CHECK_FLAGS(0x8d5, 0) EXIT_WITH(0x6000));

#define TRAP_FLAGS(bits) FLAGS(bits) "int $0x80\n"
#define FLAGS_STAY(bits) FLAGS(bits) "xorl %eax, %eax\n int $0x90\n pushfq\n popq %rax\n cld\n" \
	"andl $" #bits ", %eax\n cmpl $" #bits ", %eax\n" UNLESS("je") "pushq $0x202\n popfq\n"
PROGRAM_CODE(program_trap_flags,
             TRAP_FLAGS(0x4000) TRAP_FLAGS(0x40000) TRAP_FLAGS(0x400) TRAP_FLAGS(0x44400)
             "pushq $0x202\n popfq\n" EXIT_WITH(0x6000));
PROGRAM_CODE(program_vector_flags,
             "xorl %edi, %edi\n xorl %esi, %esi\n" FLAGS_STAY(0x4000) FLAGS_STAY(0x40000)
             FLAGS_STAY(0x400) FLAGS_STAY(0x44400) FLAGS_STAY(0x200000) EXIT_WITH(0x6000));

#define STACK_IS(address) LOAD(address) "movq %rax, %rsp\n movq %rax, %rdi\n" \
	"movl $0x7003, %eax\n syscall\n movq %rbx, %rsp\n"
#define STACK_AT_TRAP(address) LOAD(address) "movq %rax, %rsp\n int $0x80\n movq %rsp, %rcx\n" \
	"movq %rbx, %rsp\n movabsq $" ATTACK_TEXT(address) ", %rax\n cmpq %rax, %rcx\n" UNLESS("je")
PROGRAM_CODE(program_syscall_stack, "movq %rsp, %rbx\n"
             STACK_IS(NONCANONICAL) STACK_IS(KERNEL_TEXT) STACK_IS(ENTRY_STACK_TOP)
             STACK_IS(KERNEL_STACK_TOP) STACK_IS(MODULE_TEXT) STACK_IS(MODULE_BASE) STACK_IS(0)
             STACK_IS(0xffffffffffffffff) EXIT_WITH(0x6000));
PROGRAM_CODE(program_trap_stack, "movq %rsp, %rbx\n"
             STACK_AT_TRAP(NONCANONICAL) STACK_AT_TRAP(KERNEL_TEXT)
             STACK_AT_TRAP(ENTRY_STACK_TOP) STACK_AT_TRAP(MODULE_TEXT) STACK_AT_TRAP(0)
             STACK_AT_TRAP(0xffffffffffffffff) EXIT_WITH(0x6000));

/* A ring comes at the first int 0x90; then it is filled with garbage. */
PROGRAM_CODE(program_lazy_ring,
             "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
             "testl %eax, %eax\n" UNLESS("jz")
             "movq %rdx, %rbx\n\n"
             "movl $256, %r12d\n movl $0x9e3779b9, %r13d\n"
             "2: movq %rbx, %rdi\n movl $1024, %ecx\n"
             "3: imull $1664525, %r13d\n addl $1013904223, %r13d\n movl %r13d, (%rdi)\n"
             "addq $4, %rdi\n decl %ecx\n jnz 3b\n"
             /* Sometimes a believable tail, so that entries are consumed. */
             "testl $1, %r12d\n jz 4f\n movl 0(%rbx), %eax\n movl $0, 8(%rbx)\n"
             "movl %r12d, 4(%rbx)\n"
             "4: xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
             "decl %r12d\n jnz 2b\n" EXIT_WITH(0x6000));
PROGRAM_CODE(program_lazy_ring_taken, "movl $200, %r12d\n"
             "2: xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
             "cmpl $6, %eax\n" UNLESS("je") "decl %r12d\n jnz 2b\n" EXIT_WITH(0x6000));
PROGRAM_CODE(program_lazy_ring_beside,
             "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
             "testl %eax, %eax\n" UNLESS("jz")
             "movabsq $0x00007ffff0002000, %rax\n cmpq %rax, %rdx\n" UNLESS("je")
             "cmpq $0x5a5a, -4096(%rdx)\n" UNLESS("je") EXIT_WITH(0x6000));

/* rdi: a pattern. Fills all vector, x87 and control registers, and looks at
 * them again and again for 0.15 s or so. */
#define FILL(n) "vmovdqu (%rsp), %ymm" #n "\n"
#define SEE(n) "vpcmpeqb (%rsp), %ymm" #n ", %ymm0\n vpmovmskb %ymm0, %eax\n cmpl $-1, %eax\n jne 8f\n"
PROGRAM_CODE(program_vectors,
             "andl $0xff, %edi\n orl $1, %edi\n movl $0x01010101, %eax\n imull %edi, %eax\n"
             "subq $64, %rsp\n xorl %ecx, %ecx\n"
             "1: movl %eax, (%rsp,%rcx,4)\n incl %ecx\n cmpl $16, %ecx\n jne 1b\n"
             FILL(0) FILL(1) FILL(2) FILL(3) FILL(4) FILL(5) FILL(6) FILL(7) FILL(8) FILL(9)
             FILL(10) FILL(11) FILL(12) FILL(13) FILL(14) FILL(15)
             /* Rounding by the pattern: mxcsr and the x87 control word. */
             "movl %edi, %ebx\n andl $3, %ebx\n movl %ebx, %eax\n shll $13, %eax\n"
             "orl $0x1f80, %eax\n movl %eax, %r12d\n pushq %rax\n ldmxcsr (%rsp)\n popq %rax\n"
             "movl %ebx, %eax\n shll $10, %eax\n orl $0x037f, %eax\n movl %eax, %r13d\n"
             "fninit\n pushq %rax\n fldcw (%rsp)\n popq %rax\n"
             "movl %edi, %r14d\n pushq %rdi\n fildl (%rsp)\n popq %rax\n"
             "movq %rdi, %r15\n shlq $32, %r15\n movabsq $0x100000000000, %rax\n addq %rax, %r15\n"
             "wrfsbase %r15\n leaq 64(%r15), %rax\n wrgsbase %rax\n"
             "rdtsc\n shlq $32, %rdx\n orq %rdx, %rax\n movq %rax, %rbp\n"
             "2:\n"
             SEE(1) SEE(2) SEE(3) SEE(4) SEE(5) SEE(6) SEE(7) SEE(8) SEE(9) SEE(10) SEE(11)
             SEE(12) SEE(13) SEE(14) SEE(15)
             "pushq $0\n stmxcsr (%rsp)\n popq %rax\n cmpl %eax, %r12d\n jne 8f\n"
             "pushq $0\n fnstcw (%rsp)\n popq %rax\n cmpl %eax, %r13d\n jne 8f\n"
             "pushq $0\n fistl (%rsp)\n popq %rax\n cmpl %eax, %r14d\n jne 8f\n"
             "rdfsbase %rax\n cmpq %rax, %r15\n jne 8f\n"
             "rdgsbase %rax\n subq $64, %rax\n cmpq %rax, %r15\n jne 8f\n"
             "rdtsc\n shlq $32, %rdx\n orq %rdx, %rax\n subq %rbp, %rax\n"
             "cmpq $300000000, %rax\n jb 2b\n"
             EXIT_WITH(0x6000) "8:\n" EXIT_WITH(0x7ffe));
