/* boot.S: the first instructions, from the PVH entry to boot_main.
 *
 * The loader enters in 32-bit protected mode with paging off, flat segments
 * and EBX = the physical address of the start info (Xen's PVH boot ABI). The
 * early tables are assembled, not built: the first GiB stands at 0 (to get
 * across), at PHYSMAP_BASE and at KERNEL_BASE. boot_main replaces them; only
 * CPUs that start later pass through them again. */
#include "kernel/arch/x86_64/boot_stack.h"
#include "kernel/arch/x86_64/layout.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)
#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.quad PHYS(pvh_entry)

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
	.type pvh_entry, @function
pvh_entry:
	cli
	cld
	rdtsc
	movl %eax, PHYS(boot_entry_tsc)
	movl %edx, PHYS(boot_entry_tsc) + 4
	movl %ebx, %ebp

	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc no_long_mode

	movl $PHYS(early_gdt_low), %eax
	lgdt (%eax)
	movl $0x20, %eax              /* CR4 = PAE */
	movl %eax, %cr4
	movl $PHYS(early_top), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx        /* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl $0x80000011, %eax        /* CR0 = PG, ET, PE */
	movl %eax, %cr0
	ljmp $SEL_KERNEL_CODE, $PHYS(pvh_entry64)

no_long_mode:
	movl $PHYS(no_long_mode_text), %esi
	movl $(no_long_mode_end - no_long_mode_text), %ecx
	movl $0xe9, %edx
	rep outsb
1:	hlt
	jmp 1b

	.code64
pvh_entry64:
	movabsq $1f, %rax
	jmp *%rax
1:	leaq boot_stack + BOOT_STACK_SIZE(%rip), %rsp
	call enter_high_half
	movl %ebp, %edi               /* the start info; clears bits 63:32 */
	xorl %ebp, %ebp
	pushq $0                      /* ends backtraces */
	call boot_main
	ud2

/* A CPU that the trampoline has brought to long mode. Its stack is found by its
 * initial APIC id. */
	.globl ap_entry
	.type ap_entry, @function
ap_entry:
	movabsq $1f, %rax
	jmp *%rax
1:	movl $1, %eax
	cpuid
	shrl $24, %ebx
	movzbl smp_cpu_of_apic(%rbx), %edi
	leal 1(%rdi), %eax
	imull $SMP_STACK_SIZE, %eax
	leaq smp_stacks(%rax), %rsp
	call enter_high_half
	xorl %ebp, %ebp
	pushq $0
	call smp_ap_main              /* EDI = index */
	ud2

/* The GDT by its high address, known segments, RFLAGS all clear. */
	.type enter_high_half, @function
enter_high_half:
	lgdt early_gdt_high(%rip)
	movl $SEL_KERNEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	lldt %ax
	pushq $2
	popfq
	ret

	.section .rodata, "a"
no_long_mode_text:
	.ascii "tessera: panic: this CPU has no 64-bit mode\n"
no_long_mode_end:

	.globl early_gdt
	.balign 8
early_gdt:
	.quad 0
	.quad 0x00af9b000000ffff      /* SEL_KERNEL_CODE: 64-bit, accessed */
	.quad 0x00cf93000000ffff      /* SEL_KERNEL_DATA */
early_gdt_end:

	.balign 8
early_gdt_low:
	.word early_gdt_end - early_gdt - 1
	.long PHYS(early_gdt)
	.balign 8
early_gdt_high:
	.word early_gdt_end - early_gdt - 1
	.quad early_gdt

/* Present, writable; the last level 2 MiB pages, accessed and dirty. */
	.data
	.balign 4096
	.globl early_top
early_top:
	.quad PHYS(early_1g) + 3
	.fill SLOT_PHYSMAP - 1, 8, 0
	.quad PHYS(early_1g) + 3
	.fill SLOT_KERNEL - SLOT_PHYSMAP - 1, 8, 0
	.quad PHYS(early_1g) + 3
early_1g:
	.quad PHYS(early_2m) + 3
	.fill 509, 8, 0
	.quad PHYS(early_2m) + 3      /* KERNEL_BASE: the last GiB but one */
	.quad 0
early_2m:
	.set page, 0
	.rept 512
	.quad page + 0xe3
	.set page, page + 0x200000
	.endr

	.globl boot_entry_tsc
boot_entry_tsc:
	.quad 0

	.section .bss.stacks, "aw", @nobits
	.balign 4096
	.globl boot_stack, smp_stacks
boot_stack:
	.skip BOOT_STACK_SIZE
smp_stacks:
	.skip MAX_CPUS * SMP_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
