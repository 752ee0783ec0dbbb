/* native_start.S: the first instruction of a native program.
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

	.section .note.GNU-stack, "", @progbits
