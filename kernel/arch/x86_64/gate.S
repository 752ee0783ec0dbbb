/* gate.S: the way between rings 3, 1 and 0. The most security-critical code
 * there is.
 *
 * This page is mapped, read-only, in the window of every address space at the
 * same address (layout.h), and runs only there: WIN(a) is the window address
 * `a` seen from it. In a module space the rest of the exokernel is not mapped
 * until CR3 has been loaded. What native threads come in and leave by is at the
 * end, and not in this page.
 *
 * What an attacker in ring 1 controls:
 *   - all of its registers at `syscall` and at traps, but not RIP's half: only
 *     module pages are executable for it, so a return address in the upper half
 *     tells a module from a program, and the program cannot run up there;
 *   - the content of the entry and IST stacks of its own CPU, while it runs;
 *     nothing is read from there that this page has not just written or the
 *     processor has not just pushed (interrupts are off, no other CPU maps it);
 *   - its module stack pointer: kept in the cells, which it can read but not
 *     write, and checked by the exokernel when the thread was made; below it
 *     gate_deliver writes, and a fault there, in ring 0 with its RIP in this
 *     page, ends the libOS;
 *   - for a page fault in ring 1, its RSP: `reflect` refuses one outside the
 *     module region before anything is written.
 *   - it may jump anywhere into this page: in ring 1, each path here ends in a
 *     load of CR3, which faults, or in an iretq, which cannot raise privilege.
 * What a program in ring 3 controls: its registers; RIP below USER_END. */

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/regs.h"
#include "abi/module.h"

#define WIN(a) ((a) - GATE_ENTRY + gate_start)(%rip)
#define CELL(c) WIN(WINDOW_CELLS + (c))

/* Flags a module is entered with: arithmetic ones, IF, DF and ID as they were,
 * AC on so that it reaches program memory, TF and NT off. */
#define FLAGS_KEPT 0x200ed5
#define FLAGS_SET 0x40202

	.section .text.gate, "ax", @progbits
	.balign 4096
	.globl gate_start
gate_start:

/* What a call keeps of its thread. REGS_FULL is 0 whenever a thread runs. Then rdi and rsi
 * are the call's two arguments. */
	.macro save_at_syscall thread
	movq %rcx, REGS_RIP(\thread)
	movq %r11, REGS_RFLAGS(\thread)
	movq %rsp, REGS_RSP(\thread)
	movq %rbx, REGS_RBX(\thread)
	movq %rbp, REGS_RBP(\thread)
	movq %r12, REGS_R12(\thread)
	movq %r13, REGS_R13(\thread)
	movq %r14, REGS_R14(\thread)
	movq %r15, REGS_R15(\thread)
	movabsq $KERNEL_STACK_TOP, %rsp
	xorl %ebp, %ebp
	.endm

/* Leaves for the native thread rdi, with rax and rdx. Nothing of ours stays in the
 * registers that a call does not keep. `syscall` left RIP in the lower half, below the
 * hole: sysret cannot fault. */
	.macro leave_at_syscall
	movq REGS_RIP(%rdi), %rcx
	movq REGS_RFLAGS(%rdi), %r11
	movq REGS_RSP(%rdi), %rsp
	movq REGS_RBX(%rdi), %rbx
	movq REGS_RBP(%rdi), %rbp
	movq REGS_R12(%rdi), %r12
	movq REGS_R13(%rdi), %r13
	movq REGS_R14(%rdi), %r14
	movq REGS_R15(%rdi), %r15
	xorl %esi, %esi
	xorl %edi, %edi
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	sysretq
	.endm

/* LSTAR. Interrupts are off, DF, TF, NT and AC clear (FMASK). */
	.globl gate_syscall
gate_syscall:
	jmp *CELL(CELL_SYSCALL)

/* A module space: `syscall` by the program or by its module. */
	.globl gate_syscall_module
gate_syscall_module:
	testq %rcx, %rcx
	js 1f
	movq %rsp, WIN(ENTRY_STACK)
	leaq WIN(ENTRY_STACK_TOP), %rsp
	pushq $SEL_MODULE_DATA
	pushq CELL(CELL_MODULE_STACK)
	andl $FLAGS_KEPT, %r11d
	orl $FLAGS_SET, %r11d
	pushq %r11
	pushq $SEL_MODULE_CODE
	pushq CELL(CELL_MODULE_SYSCALL)
	movq WIN(ENTRY_STACK), %r11
	iretq
1:	movq CELL(CELL_KERNEL_TOP), %rdx
	movq %rdx, %cr3
	movq WIN(CPU_AREA + CPU_CURRENT), %rdx
	movq $SEL_MODULE_CODE, REGS_CS(%rdx)
	movq $SEL_MODULE_DATA, REGS_SS(%rdx)
	save_at_syscall %rdx
	movq %rax, %rcx
	movabsq $trap_syscall, %rax
	call *%rax
	ud2

/* Leaves for ring 1 or 3. rdi: the thread. Called at its window address, with
 * the exokernel mapped; interrupts off. The thread's registers were checked
 * when they were taken. */
	.globl gate_resume
gate_resume:
	movq REGS_CS(%rdi), %rax
	subq $SEL_USER_CODE, %rax
	orq REGS_FULL(%rdi), %rax
	orq WIN(CPU_AREA + CPU_NEXT_TOP), %rax
	jnz 1f
	/* A native thread at a system call. */
	movq REGS_RAX(%rdi), %rax
	movq REGS_RDX(%rdi), %rdx
	leave_at_syscall
1:	leaq WIN(ENTRY_STACK_TOP), %rsp
	/* Ring 1 reads this page: nothing stays of who trapped here last. */
	movq $0, -56(%rsp)
	movq $0, -64(%rsp)
	movq $0, -72(%rsp)
	movq $0, WIN(ENTRY_STACK)
	pushq REGS_SS(%rdi)
	pushq REGS_RSP(%rdi)
	pushq REGS_RFLAGS(%rdi)
	pushq REGS_CS(%rdi)
	pushq REGS_RIP(%rdi)
	pushq REGS_RAX(%rdi)
	movq REGS_RBX(%rdi), %rbx
	movq REGS_RDX(%rdi), %rdx
	movq REGS_RBP(%rdi), %rbp
	movq REGS_R12(%rdi), %r12
	movq REGS_R13(%rdi), %r13
	movq REGS_R14(%rdi), %r14
	movq REGS_R15(%rdi), %r15
	cmpq $0, REGS_FULL(%rdi)
	je 1f
	movq $0, REGS_FULL(%rdi)
	movq REGS_RCX(%rdi), %rcx
	movq REGS_RSI(%rdi), %rsi
	movq REGS_R8(%rdi), %r8
	movq REGS_R9(%rdi), %r9
	movq REGS_R10(%rdi), %r10
	movq REGS_R11(%rdi), %r11
	movq REGS_RDI(%rdi), %rdi
	jmp 2f
1:	xorl %ecx, %ecx
	xorl %esi, %esi
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	xorl %edi, %edi
2:	movq WIN(CPU_AREA + CPU_NEXT_TOP), %rax
	testq %rax, %rax
	jz 3f
	movq %rax, %cr3
3:	popq %rax
	iretq

/* A trap on its way to the exokernel. The stack: vector, error, and what the
 * processor pushed. */
trap_module:
	pushq %rax
	movq CELL(CELL_KERNEL_TOP), %rax
	movq %rax, %cr3
	jmp trap_save
trap_native:
	pushq %rax
trap_save:
	testb $3, 32(%rsp)
	jz trap_inside
	movq WIN(CPU_AREA + CPU_CURRENT), %rax
	movq %rbx, REGS_RBX(%rax)
	movq %rcx, REGS_RCX(%rax)
	movq %rdx, REGS_RDX(%rax)
	movq %rsi, REGS_RSI(%rax)
	movq %rdi, REGS_RDI(%rax)
	movq %rbp, REGS_RBP(%rax)
	movq %r8, REGS_R8(%rax)
	movq %r9, REGS_R9(%rax)
	movq %r10, REGS_R10(%rax)
	movq %r11, REGS_R11(%rax)
	movq %r12, REGS_R12(%rax)
	movq %r13, REGS_R13(%rax)
	movq %r14, REGS_R14(%rax)
	movq %r15, REGS_R15(%rax)
	popq REGS_RAX(%rax)
	popq %rdi
	popq %rsi
	popq REGS_RIP(%rax)
	popq REGS_CS(%rax)
	popq REGS_RFLAGS(%rax)
	popq REGS_RSP(%rax)
	popq REGS_SS(%rax)
	movq $1, REGS_FULL(%rax)
	cld
	clac
	leaq WIN(KERNEL_STACK_TOP), %rsp
	xorl %ebp, %ebp
	movabsq $trap_outside, %rax
	call *%rax
	ud2

/* From ring 0: an interrupt in the idle loop, which returns; a fault in this
 * page or in the exokernel, which does not. rdi: struct trap_inside_frame. */
trap_inside:
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbp
	movq %rsp, %rdi
	cld
	clac
	movq %rsp, %rbp
	/* A fault in this page came in on a small stack that ring 1 may read, and
	 * never goes back: the C code gets the kernel's own stack. */
	leaq gate_start(%rip), %rax
	xorq 96(%rsp), %rax
	shrq $12, %rax
	jnz 1f
	leaq WIN(KERNEL_STACK_TOP), %rsp
1:	andq $-16, %rsp
	movabsq $trap_inside_handle, %rax
	call *%rax
	movq %rbp, %rsp
	popq %rbp
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

/* A module space: an exception on its way to the module. */
reflect:
	pushq %rax
	pushq %rcx
	/* 0 rcx, 8 rax, 16 vector, 24 error, 32 rip, 40 cs, 48 rflags, 56 rsp, 64 ss */
	movl 40(%rsp), %eax
	andl $3, %eax
	movq CELL(CELL_MODULE_STACK), %rcx
	cmpl $3, %eax
	je gate_deliver
	/* Of ring 1's own, only page faults; of ring 0's, none. */
	cmpl $1, %eax
	jne 1f
	cmpl $14, 16(%rsp)
	jne 1f
	movq 56(%rsp), %rcx
	andq $-16, %rcx
	movq %rcx, %rax
	shrq $39, %rax
	cmpl $(MODULE_BASE >> 39), %eax
	jne 1f
gate_deliver:
	movq 64(%rsp), %rax
	movq %rax, -8(%rcx)
	movq 56(%rsp), %rax
	movq %rax, -16(%rcx)
	movq 48(%rsp), %rax
	movq %rax, -24(%rcx)
	movq 40(%rsp), %rax
	movq %rax, -32(%rcx)
	movq 32(%rsp), %rax
	movq %rax, -40(%rcx)
	movq 24(%rsp), %rax
	movq %rax, -48(%rcx)
	movq 16(%rsp), %rax
	movq %rax, -56(%rcx)
	xorl %eax, %eax
	cmpl $14, 16(%rsp)
	jne 2f
	movq %cr2, %rax
2:	movq %rax, -64(%rcx)
	subq $64, %rcx
	movq $SEL_MODULE_DATA, 64(%rsp)
	movq %rcx, 56(%rsp)
	andl $FLAGS_KEPT, 48(%rsp)
	orl $FLAGS_SET, 48(%rsp)
	movq $SEL_MODULE_CODE, 40(%rsp)
	movq CELL(CELL_MODULE_TRAP), %rax
	movq %rax, 32(%rsp)
	popq %rcx
	popq %rax
	movq $0, -16(%rsp)
	movq $0, -8(%rsp)
	addq $16, %rsp
	iretq
1:	popq %rcx
	popq %rax
	jmp trap_module

/* One 16-byte stub a vector and view, in the order of gate_vectors. */
	.macro stub vector, error, to
	.balign 16
	.if !\error
	pushq $0
	.endif
	pushq $\vector
	jmp \to
	.endm

	.macro stubs exception, interrupt
	stub 0, 0, \exception
	stub 1, 0, \exception
	stub 2, 0, \interrupt
	stub 3, 0, \exception
	stub 4, 0, \exception
	stub 5, 0, \exception
	stub 6, 0, \exception
	stub 7, 0, \exception
	stub 8, 1, \interrupt
	stub 10, 1, \exception
	stub 11, 1, \exception
	stub 12, 1, \exception
	stub 13, 1, \exception
	stub 14, 1, \exception
	stub 16, 0, \exception
	stub 17, 1, \exception
	stub 18, 0, \interrupt
	stub 19, 0, \exception
	stub 21, 1, \exception
	stub VECTOR_LINUX32, 0, \exception
	stub VECTOR_EXOKERNEL, 0, \interrupt
	stub VECTOR_TIMER, 0, \interrupt
	stub VECTOR_UART, 0, \interrupt
	stub VECTOR_KICK, 0, \interrupt
	stub VECTOR_SHOOTDOWN, 0, \interrupt
	stub VECTOR_HALT, 0, \interrupt
	stub VECTOR_SPURIOUS, 0, \interrupt
	.endm

	.balign 16
	.globl gate_stubs_native
gate_stubs_native:
	stubs trap_native, trap_native
	.balign 16
	.globl gate_stubs_module
gate_stubs_module:
	stubs reflect, trap_module

	.org gate_start + GATE_CODE, 0xcc /* no code past that */
	.balign 4096, 0xcc
	.globl gate_end
gate_end:

/* -- a native space: the exokernel is mapped, and this runs where it was linked ------- */

	.section .text.hot, "ax", @progbits

/* CS and SS are what they always were. r8, r9: who we are, and the thread. */
	.globl native_syscall
native_syscall:
	movabsq $CPU_AREA, %r8
	movq CPU_CURRENT(%r8), %r9
	save_at_syscall %r9
	testq %rax, %rax /* SYS_CAP_ENTER */
	jz fast_enter
	movq %r9, %rdx
	movq %rax, %rcx
	jmp trap_syscall

/* Goes on with the native thread rdi, whose cap_enter ended well; rdx tells its ring. */
	.globl native_resume
native_resume:
	movq THREAD_RING(%rdi), %rdx
	xorl %eax, %eax
	leave_at_syscall

	.section .rodata
	.globl gate_vectors
gate_vectors:
	.byte 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 21
	.byte VECTOR_LINUX32, VECTOR_EXOKERNEL, VECTOR_TIMER, VECTOR_UART
	.byte VECTOR_KICK, VECTOR_SHOOTDOWN, VECTOR_HALT, VECTOR_SPURIOUS
	.globl gate_vectors_end
gate_vectors_end:
	.section .note.GNU-stack, "", @progbits
