/* trampoline.S: where a CPU begins after the start-up IPI: real mode, CS:0 at
 * the page that smp.c copied this to, below 1 MiB.
 *
 * Goes straight to long mode on boot.S's early tables, which map this page
 * where it stands, and on to ap_entry. Reads and writes nothing but its own
 * page, the early GDT and the tables. */
#include "kernel/arch/x86_64/layout.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)

	.section .rodata, "a"
	.code16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl trampoline_gdt - trampoline_start
	movl $0x20, %eax              /* CR4 = PAE */
	movl %eax, %cr4
	movl $PHYS(early_top), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx        /* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl $0x80000011, %eax        /* CR0 = PG, ET, PE: caches on */
	movl %eax, %cr0
	ljmpl $SEL_KERNEL_CODE, $PHYS(ap_entry)

	.balign 8
trampoline_gdt:
	.word 3 * 8 - 1
	.long PHYS(early_gdt)
trampoline_end:

	.section .note.GNU-stack, "", @progbits
