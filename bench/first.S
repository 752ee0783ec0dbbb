/* first.S: tells when a program's first instruction ran. run.sh writes it over the
 * entry point of a copy of busybox, so that nothing else about the boot differs.
 * Prints the TSC as 16 letters, `a` for 0 to `p` for 15, and ends. */

	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	$32, %rsp
	xor	%ecx, %ecx
1:	rol	$4, %rax
	mov	%eax, %edx
	and	$15, %edx
	add	$'a', %edx
	mov	%dl, (%rsp,%rcx)
	inc	%ecx
	cmp	$16, %ecx
	jne	1b
	movb	$'\n', 16(%rsp)
	mov	$1, %eax		/* write(1, rsp, 17) */
	mov	$1, %edi
	mov	%rsp, %rsi
	mov	$17, %edx
	syscall
	mov	$231, %eax		/* exit_group(0) */
	xor	%edi, %edi
	syscall

	.section .note.GNU-stack, "", @progbits
