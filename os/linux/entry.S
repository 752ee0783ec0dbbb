/* entry.S: the ways into linux.mod and out of it (abi/module.h).
 *
 * A program may put anything into its registers before it comes here; nothing
 * of it is used as an address, save the system call's number once it is
 * bounded. The stack is the thread's own (os/linux/frame.h), and interrupts
 * never use it, so what was pushed stays until iretq takes it back. */
#include "abi/module.h"
#include "os/linux/frame.h"

#define LINUX_ENOSYS 38

	.section .head, "ax", @progbits
	.globl module_head
	.balign 16
module_head:
	jmp	start_entry
	.balign 16
	jmp	syscall_entry
	.balign 16
	jmp	trap_entry
	.balign 16
	.quad	boot_stack + STACK_SIZE - TASK_SIZE

	.text
	.balign 64
syscall_entry:
	pushq	$PROGRAM_DATA_SELECTOR
	pushq	%r11
	pushfq
	andl	$~RFLAGS_AC, (%rsp)
	cld
	pushq	$PROGRAM_CODE_SELECTOR
	pushq	%rcx
	pushq	%rax
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	72(%rsp)		/* r11 comes back as rflags */
	movl	%eax, %eax
	cmpl	$SYSCALL_LIMIT, %eax
	jae	unknown
	leaq	syscall_table(%rip), %r11
	movq	%r10, %rcx
	callq	*(%r11,%rax,8)
syscall_return:
	cmpl	$0, REGS_CALLER + TASK_WORK(%rsp)
	jne	syscall_work
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$8, %rsp
	iretq

unknown:
	movl	$-LINUX_ENOSYS, %eax
	movslq	%eax, %rax
	jmp	syscall_return

	.macro	push_callee
	pushq	%rax
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm

/* Something is to be done before the program goes on: a signal, most often. */
syscall_work:
	push_callee
	subq	$8, %rsp
	leaq	8(%rsp), %rdi
	callq	task_work
	jmp	return_full

/* System calls that see, or set, all of the program's registers. They take
 * the struct regs and return what goes into rax. */
	.macro	full_call name
	.globl	\name\()_entry
\name\()_entry:
	leaq	\name(%rip), %rax
	jmp	syscall_full
	.endm

	full_call sys_fork
	full_call sys_vfork
	full_call sys_clone
	full_call sys_execve
	full_call sys_execveat
	full_call sys_rt_sigreturn

syscall_full:
	addq	$8, %rsp		/* it was called through the table */
	push_callee
	subq	$8, %rsp
	leaq	8(%rsp), %rdi
	callq	*%rax
	movq	%rax, 8 + REGS_RAX(%rsp)
return_check:
	cmpl	$0, 8 + REGS_SIZE + TASK_WORK(%rsp)
	je	return_full
	leaq	8(%rsp), %rdi
	callq	task_work
return_full:
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%rax
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$8, %rsp
	iretq

/* rsp -> struct module_trap, whose first three words stand where the saved
 * rsi, rdi and nr belong. */
	.balign 64
trap_entry:
	xchgq	%rsi, (%rsp)		/* address */
	xchgq	%rdi, 8(%rsp)		/* vector */
	pushq	%rdx
	movq	24(%rsp), %rdx		/* error */
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	push_callee
	cld
	movq	$-1, 120(%rsp)
	movq	%rsp, %rcx
	subq	$8, %rsp
	testb	$2, 8 + REGS_CS(%rsp)
	jz	module_trap
	callq	trap_program
	jmp	return_check
module_trap:
	callq	trap_module
	jmp	return_full

/* The first thread of all. rdi = the argument given to Libos.become. The
 * program's registers will stand at the top of the stack, so leave them room. */
start_entry:
	cld
	subq	$REGS_SIZE + 8, %rsp
	xorl	%ebp, %ebp
	callq	linux_start
	ud2

/* A thread made by fork: rsp = its struct regs - 8. */
	.globl	fork_return
fork_return:
	cld
	callq	fork_begin
	jmp	return_check

/* void regs_enter(struct regs *): leaves the module for good. */
	.globl	regs_enter
regs_enter:
	leaq	-8(%rdi), %rsp
	jmp	return_check

/* A thread that never leaves the module: rdi = its function. */
	.globl	worker_entry
worker_entry:
	cld
	xorl	%ebp, %ebp
	callq	*%rdi
	ud2

/* int user_copy(void *to, const void *from, size_t size): 0, or -EFAULT. */
	.globl	user_copy
user_copy:
	movq	%rdx, %rcx
	shrq	$3, %rcx
1:	rep movsq
	movl	%edx, %ecx
	andl	$7, %ecx
2:	rep movsb
	xorl	%eax, %eax
	retq

/* int user_clear(void *to, size_t size): 0, or -EFAULT. */
	.globl	user_clear
user_clear:
	movq	%rsi, %rcx
	shrq	$3, %rcx
	xorl	%eax, %eax
3:	rep stosq
	movl	%esi, %ecx
	andl	$7, %ecx
4:	rep stosb
	retq

/* int64_t user_string(char *to, const char *from, size_t size): copies up to
 * and with the NUL; its length, `size` if there was no NUL, or -EFAULT. */
	.globl	user_string
user_string:
	xorl	%eax, %eax
5:	cmpq	%rdx, %rax
	jae	7f
6:	movzbl	(%rsi,%rax), %ecx
	movb	%cl, (%rdi,%rax)
	testl	%ecx, %ecx
	jz	7f
	incq	%rax
	jmp	5b
7:	retq

user_fault:
	movq	$-14, %rax		/* EFAULT */
	retq

/* Where module code may fault on program memory, and goes on if so. */
	.section .fixup, "a", @progbits
	.quad	1b, user_fault
	.quad	2b, user_fault
	.quad	3b, user_fault
	.quad	4b, user_fault
	.quad	6b, user_fault

	.section .note.GNU-stack, "", @progbits
