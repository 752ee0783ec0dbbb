/* native_start.S: the first instruction of a native program, and of its further
 * threads (rt/native_spawn.c).
 * rdi = argument, rsi = ring, rdx = CapSet, rsp = top of the stack. */
	.section .text._start, "ax"
	.globl _start
	.type _start, @function
_start:
	xorl %ebp, %ebp
	andq $-16, %rsp
	call native_begin
	ud2
	.size _start, . - _start

	.section .text.native_start_at, "ax"
	.globl native_start_at
	.type native_start_at, @function
native_start_at:
	xorl %ebp, %ebp
	andq $-16, %rsp
	call native_begin_at
	ud2
	.size native_start_at, . - native_start_at

	.section .note.GNU-stack, "", @progbits
