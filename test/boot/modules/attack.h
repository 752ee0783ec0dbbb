/* attack.h: what the attacks are, for those who make them and those who judge.
 *
 * A *code attack* is a few instructions that the processor or the page tables
 * must stop, and the vector (and for page faults the address) that it must come
 * to. The same bytes, position independent, are run in ring 1 as a module, in
 * ring 3 under a module and in ring 3 as a native program:
 *
 *   ring 1    page faults come to the module's trap entry, which exits with
 *             TRAPPED + 14; any other vector ends the process as faulted
 *   ring 3    every vector comes to the module's trap entry
 *   native    every vector ends the process as faulted
 *
 * What goes through all the same exits with SURVIVED. A *deed* is an attack
 * written in C in the module (attack.c), which must be harmless or refused; it
 * exits with HARMLESS or says where it was not. */
#pragma once

#include "abi/module.h"
#include "kernel/arch/x86_64/layout.h"

#include <stdint.h>

/* The argument a process of the module gets: what, which, and with what. */
enum attack_kind {
	KIND_CANARY,   /* behave well, in both rings, and exit with CANARY */
	KIND_RING1,    /* code attack `index` */
	KIND_RING3,
	KIND_INT1,     /* int `index` */
	KIND_INT3,
	KIND_GATE,     /* jump to byte `index` of the gate, registers as `extra` */
	KIND_DEED,
};

#define ATTACK_ARGUMENT(kind, index, extra) \
	((uint64_t)(kind) << 56 | (uint64_t)(index) << 32 | (uint32_t)(extra))

/* Exit codes. */
enum {
	CANARY = 42,
	HARMLESS = 0x6000,
	REFUSED_NOT = 0x7000,  /* + line: something was not as it must be */
	TRAPPED = 0x100000,    /* + vector */
	ASTRAY = 0x200000,     /* + vector: a trap, but not at the right address */
	ASKED_STATUS = 0x5100, /* + status: what its program asked for got that */
	CALLED = 0x300000,     /* the module's system call entry was entered */
};

#define SURVIVED 0x5001

/* 0x5100 + a status: what a program was answered by the exokernel. */
#define ATTACK_ANSWERED(status) (0x5100 + (status))

/* What the second stage of a program is started with. */
#define ATTACK_STAGE 0x57a6e00000000000

/* A vector: some processors stop this by one, some by another, and QEMU's lets
 * some of it pass; all that counts is that nothing comes of it. */
#define VARIES 255

/* 13; or 14 from ring 3, for QEMU 7.2 applies SMAP to ring 3's own lret and
 * iret: it finds the program's stack out of bounds. */
#define FAR_RETURN 254

#define ATTACK_TEXT_(x) #x
#define ATTACK_TEXT(x) ATTACK_TEXT_(x)

#define LOAD(address) "movabsq $" ATTACK_TEXT(address) ", %rax\n"
#define READ(address) LOAD(address) "movq (%rax), %rcx\n"
#define WRITE(address) LOAD(address) "movb $0x5a, (%rax)\n"
#define JUMP(address) LOAD(address) "jmp *%rax\n"

#define KERNEL_TEXT (KERNEL_BASE + 0x100000)
#define APIC_PAGE (PHYSMAP_BASE + 0xfee00000)
#define MODULE_TEXT (MODULE_BASE + 0x200000)
#define NONCANONICAL 0x0000900000000000
#define STACK_GUARD (ENTRY_STACK - 8)
#define NOWHERE (MODULE_BASE + 0x4000000000)
#define USER_LAST (USER_END - 0x1000)

/* CS, then SS, of a frame for iretq that ends at label 1. */
#define IRETQ(cs, ss, rip_of_1) \
	"movq %rsp, %rdx\n pushq $" #ss "\n pushq %rdx\n pushfq\n pushq $" #cs "\n" \
	rip_of_1 "pushq %rax\n iretq\n1:\n"
#define HERE "leaq 1f(%rip), %rax\n"
#define FLAGS(bits) "pushfq\n orq $" #bits ", (%rsp)\n popfq\n"
#define SEGMENT(register, selector) "movl $" #selector ", %eax\n movl %eax, %" #register "\n"

/* ATTACK(name, vector, address of a page fault, code): same in every ring. */
#define ATTACKS_ANYWHERE(ATTACK) \
	ATTACK(cli, 13, 0, "cli\n") \
	ATTACK(sti, 13, 0, "sti\n") \
	ATTACK(hlt, 13, 0, "hlt\n") \
	ATTACK(in_com1, 13, 0, "movl $0x3f8, %edx\n inb %dx, %al\n") \
	ATTACK(out_com1, 13, 0, "movl $0x3f8, %edx\n movb $'!', %al\n outb %al, %dx\n") \
	ATTACK(in_debug, 13, 0, "inb $0xe9, %al\n") \
	ATTACK(out_debug, 13, 0, "outb %al, $0xe9\n") \
	ATTACK(out_pci, 13, 0, "movl $0xcf8, %edx\n movl $0x80000000, %eax\n outl %eax, %dx\n") \
	ATTACK(in_pci, 13, 0, "movl $0xcfc, %edx\n inl %dx, %eax\n") \
	ATTACK(ins, 13, 0, "movl $0x3f8, %edx\n leaq -64(%rsp), %rdi\n insb\n") \
	ATTACK(outs, 13, 0, "movl $0xe9, %edx\n movq %rsp, %rsi\n outsb\n") \
	ATTACK(in_port_ffff, 13, 0, "movl $0xffff, %edx\n inb %dx, %al\n") \
	ATTACK(in_port_0, 13, 0, "inb $0, %al\n") \
	ATTACK(reset_port, 13, 0, "movb $0xfe, %al\n outb %al, $0x64\n") \
	ATTACK(read_cr0, 13, 0, "movq %cr0, %rax\n") \
	ATTACK(write_cr0, 13, 0, "xorl %eax, %eax\n movq %rax, %cr0\n") \
	ATTACK(read_cr2, 13, 0, "movq %cr2, %rax\n") \
	ATTACK(read_cr3, 13, 0, "movq %cr3, %rax\n") \
	ATTACK(write_cr3, 13, 0, "movl $0x1000, %eax\n movq %rax, %cr3\n") \
	ATTACK(read_cr4, 13, 0, "movq %cr4, %rax\n") \
	ATTACK(write_cr4, 13, 0, "xorl %eax, %eax\n movq %rax, %cr4\n") \
	ATTACK(write_cr8, 13, 0, "xorl %eax, %eax\n movq %rax, %cr8\n") \
	ATTACK(rdmsr_efer, 13, 0, "movl $0xc0000080, %ecx\n rdmsr\n") \
	ATTACK(wrmsr_lstar, 13, 0, "movl $0xc0000082, %ecx\n xorl %eax, %eax\n" \
	       "xorl %edx, %edx\n wrmsr\n") \
	ATTACK(wrmsr_fs, 13, 0, "movl $0xc0000100, %ecx\n xorl %eax, %eax\n" \
	       "xorl %edx, %edx\n wrmsr\n") \
	ATTACK(wrmsr_apic, 13, 0, "movl $0x1b, %ecx\n xorl %eax, %eax\n" \
	       "xorl %edx, %edx\n wrmsr\n") \
	ATTACK(lgdt, 13, 0, "lgdt (%rsp)\n") \
	ATTACK(lidt, 13, 0, "lidt (%rsp)\n") \
	ATTACK(lldt, 13, 0, "xorl %eax, %eax\n lldt %ax\n") \
	ATTACK(ltr, 13, 0, "movl $0x38, %eax\n ltr %ax\n") \
	ATTACK(lmsw, 13, 0, "movl $1, %eax\n lmsw %ax\n") \
	ATTACK(sgdt, 13, 0, "sgdt -16(%rsp)\n") \
	ATTACK(sidt, 13, 0, "sidt -16(%rsp)\n") \
	ATTACK(sldt, 13, 0, "sldt %rax\n") \
	ATTACK(str, 13, 0, "str %rax\n") \
	ATTACK(smsw, 13, 0, "smsw %rax\n") \
	ATTACK(invlpg, 13, 0, "invlpg (%rsp)\n") \
	ATTACK(invd, 13, 0, "invd\n") \
	ATTACK(wbinvd, 13, 0, "wbinvd\n") \
	ATTACK(clts, 13, 0, "clts\n") \
	ATTACK(xsetbv, 13, 0, "xorl %ecx, %ecx\n movl $1, %eax\n xorl %edx, %edx\n xsetbv\n") \
	ATTACK(swapgs, 13, 0, "swapgs\n") \
	ATTACK(write_dr7, 13, 0, "movl $0x401, %eax\n movq %rax, %dr7\n") \
	ATTACK(read_dr7, 13, 0, "movq %dr7, %rax\n") \
	ATTACK(write_dr0, 13, 0, "xorl %eax, %eax\n movq %rax, %dr0\n") \
	ATTACK(rdpmc, 13, 0, "xorl %ecx, %ecx\n rdpmc\n") \
	ATTACK(sysret, 13, 0, HERE "movq %rax, %rcx\n pushfq\n popq %r11\n sysretq\n1:\n") \
	ATTACK(sysexit, VARIES, 0, "movq %rsp, %rcx\n" HERE "movq %rax, %rdx\n .byte 0x48, 0x0f, 0x35\n1:\n") \
	ATTACK(sysenter, VARIES, 0, "sysenter\n") \
	ATTACK(stac, 6, 0, "stac\n") \
	ATTACK(clac, 6, 0, "clac\n") \
	ATTACK(vmcall, 6, 0, "vmcall\n") \
	ATTACK(vmrun, 6, 0, "vmrun\n") \
	ATTACK(clgi, 6, 0, "clgi\n") \
	ATTACK(rsm, 6, 0, "rsm\n") \
	ATTACK(wrpkru, 6, 0, "xorl %eax, %eax\n xorl %ecx, %ecx\n xorl %edx, %edx\n wrpkru\n") \
	ATTACK(ud2, 6, 0, "ud2\n") \
	ATTACK(divide, 0, 0, "xorl %ecx, %ecx\n divl %ecx\n") \
	ATTACK(icebp, VARIES, 0, ".byte 0xf1\n") \
	ATTACK(trap_flag, 1, 0, FLAGS(0x100) "nop\n nop\n") \
	ATTACK(trap_flag_nested_task, 1, 0, FLAGS(0x4100) "nop\n nop\n") \
	ATTACK(int3, 3, 0, "int3\n") \
	ATTACK(x87_error, 16, 0, "fninit\n pushq $0x337b\n fldcw (%rsp)\n fld1\n fldz\n" \
	       "fdivrp\n fwait\n") \
	ATTACK(simd_error, VARIES, 0, "pushq $0x1d80\n ldmxcsr (%rsp)\n xorps %xmm0, %xmm0\n" \
	       "movl $1, %eax\n cvtsi2sdl %eax, %xmm1\n divsd %xmm0, %xmm1\n") \
	ATTACK(mxcsr_reserved, VARIES, 0, "pushq $-1\n ldmxcsr (%rsp)\n") \
	ATTACK(lret_ring0, FAR_RETURN, 0, "pushq $0x08\n" HERE "pushq %rax\n lretq\n1:\n") \
	ATTACK(lret_ring0_kernel, FAR_RETURN, 0, "pushq $0x08\n" LOAD(KERNEL_TEXT) "pushq %rax\n lretq\n") \
	ATTACK(iret_ring0, FAR_RETURN, 0, IRETQ(0x08, 0x10, HERE)) \
	ATTACK(iret_ring0_rpl1, FAR_RETURN, 0, IRETQ(0x09, 0x10, HERE)) \
	ATTACK(iret_ring0_rpl3, FAR_RETURN, 0, IRETQ(0x0b, 0x2b, HERE)) \
	ATTACK(iret_tss, FAR_RETURN, 0, IRETQ(0x38, 0x10, HERE)) \
	ATTACK(iret_data_segment, FAR_RETURN, 0, IRETQ(0x2b, 0x2b, HERE)) \
	ATTACK(iret_null, FAR_RETURN, 0, IRETQ(0, 0, HERE)) \
	ATTACK(iret_past_gdt, FAR_RETURN, 0, IRETQ(0x7f8, 0x2b, HERE)) \
	ATTACK(iret_nested_task, 13, 0, FLAGS(0x4000) IRETQ(0x33, 0x2b, HERE)) \
	ATTACK(iret_kernel_stack_segment, FAR_RETURN, 0, IRETQ(0x33, 0x10, HERE)) \
	ATTACK(iret_ring3_null_ss, FAR_RETURN, 0, IRETQ(0x33, 0, HERE)) \
	ATTACK(iret_ring3_module_ss, FAR_RETURN, 0, IRETQ(0x33, 0x21, HERE)) \
	ATTACK(jump_far_ring0, 13, 0, HERE "subq $16, %rsp\n movq %rax, (%rsp)\n" \
	       "movq $8, 8(%rsp)\n rex64 ljmp *(%rsp)\n1:\n") \
	ATTACK(call_far_tss, 13, 0, HERE "subq $16, %rsp\n movq %rax, (%rsp)\n" \
	       "movq $0x38, 8(%rsp)\n rex64 lcall *(%rsp)\n1:\n") \
	ATTACK(ds_kernel, 13, 0, SEGMENT(ds, 0x10)) \
	ATTACK(es_kernel_code, 13, 0, SEGMENT(es, 0x08)) \
	ATTACK(fs_kernel, 13, 0, SEGMENT(fs, 0x10)) \
	ATTACK(gs_kernel, 13, 0, SEGMENT(gs, 0x10)) \
	ATTACK(gs_tss, 13, 0, SEGMENT(gs, 0x38)) \
	ATTACK(ds_ldt, 13, 0, SEGMENT(ds, 0x04)) \
	ATTACK(ds_past_gdt, 13, 0, SEGMENT(ds, 0x50)) \
	ATTACK(ss_kernel, 13, 0, SEGMENT(ss, 0x10)) \
	ATTACK(fs_base_noncanonical, VARIES, 0, LOAD(NONCANONICAL) "wrfsbase %rax\n") \
	ATTACK(gs_base_kernel, 14, KERNEL_TEXT, LOAD(KERNEL_TEXT) "wrgsbase %rax\n" \
	       "movq %gs:0, %rcx\n") \
	ATTACK(fs_base_kernel, 14, KERNEL_TEXT, LOAD(KERNEL_TEXT) "wrfsbase %rax\n" \
	       "movq %fs:0, %rcx\n") \
	ATTACK(read_noncanonical, 13, 0, READ(NONCANONICAL)) \
	ATTACK(jump_noncanonical, 13, 0, JUMP(NONCANONICAL)) \
	ATTACK(push_noncanonical, VARIES, 0, LOAD(NONCANONICAL) "movq %rax, %rsp\n pushq %rax\n") \
	ATTACK(read_null, 14, 0, "xorl %eax, %eax\n movq (%rax), %rcx\n") \
	ATTACK(read_physmap, 14, PHYSMAP_BASE, READ(PHYSMAP_BASE)) \
	ATTACK(write_physmap, 14, PHYSMAP_BASE, WRITE(PHYSMAP_BASE)) \
	ATTACK(jump_physmap, 14, PHYSMAP_BASE, JUMP(PHYSMAP_BASE)) \
	ATTACK(read_apic, 14, APIC_PAGE, READ(APIC_PAGE)) \
	ATTACK(write_apic, 14, APIC_PAGE, WRITE(APIC_PAGE)) \
	ATTACK(read_kernel, 14, KERNEL_TEXT, READ(KERNEL_TEXT)) \
	ATTACK(write_kernel, 14, KERNEL_TEXT, WRITE(KERNEL_TEXT)) \
	ATTACK(jump_kernel, 14, KERNEL_TEXT, JUMP(KERNEL_TEXT)) \
	ATTACK(read_cpu_area, 14, CPU_AREA, READ(CPU_AREA)) \
	ATTACK(write_cpu_area, 14, CPU_AREA, WRITE(CPU_AREA)) \
	ATTACK(jump_cpu_area, 14, CPU_AREA, JUMP(CPU_AREA)) \
	ATTACK(read_kernel_stack, 14, KERNEL_STACK, READ(KERNEL_STACK)) \
	ATTACK(write_kernel_stack, 14, KERNEL_STACK, WRITE(KERNEL_STACK)) \
	ATTACK(read_stack_guard, 14, STACK_GUARD, READ(STACK_GUARD)) \
	ATTACK(write_stack_guard, 14, STACK_GUARD, WRITE(STACK_GUARD)) \
	ATTACK(read_top, 14, 0xfffffffffffffff0, READ(0xfffffffffffffff0)) \
	ATTACK(write_gate, 14, GATE_ENTRY, WRITE(GATE_ENTRY)) \
	ATTACK(write_idt, 14, WINDOW_IDT, WRITE(WINDOW_IDT)) \
	ATTACK(write_gdt, 14, WINDOW_TABLES, WRITE(WINDOW_TABLES)) \
	ATTACK(write_tss, 14, WINDOW_TABLES + 0x104, WRITE(WINDOW_TABLES + 0x104)) \
	ATTACK(write_cells, 14, WINDOW_CELLS + 16, WRITE(WINDOW_CELLS + 16)) \
	ATTACK(jump_idt, 14, WINDOW_IDT, JUMP(WINDOW_IDT)) \
	ATTACK(jump_gdt, 14, WINDOW_TABLES, JUMP(WINDOW_TABLES)) \
	ATTACK(jump_cells, 14, WINDOW_CELLS, JUMP(WINDOW_CELLS)) \
	ATTACK(jump_entry_stack, 14, ENTRY_STACK, JUMP(ENTRY_STACK)) \
	ATTACK(jump_ist_stack, 14, IST_STACK(1), JUMP(IST_STACK(1)))

/* From ring 3, what ring 1 may. */
#define ATTACKS_RING3(ATTACK) \
	ATTACK(read_gate, 14, GATE_ENTRY, READ(GATE_ENTRY)) \
	ATTACK(jump_gate, 14, GATE_ENTRY, JUMP(GATE_ENTRY)) \
	ATTACK(jump_gate_end, 14, GATE_ENTRY + 0xffe, JUMP(GATE_ENTRY + 0xffe)) \
	ATTACK(read_idt, 14, WINDOW_IDT, READ(WINDOW_IDT)) \
	ATTACK(read_gdt, 14, WINDOW_TABLES, READ(WINDOW_TABLES)) \
	ATTACK(read_cells, 14, WINDOW_CELLS, READ(WINDOW_CELLS)) \
	ATTACK(read_entry_stack, 14, ENTRY_STACK, READ(ENTRY_STACK)) \
	ATTACK(write_entry_stack, 14, ENTRY_STACK_TOP - 8, WRITE(ENTRY_STACK_TOP - 8)) \
	ATTACK(write_ist_stack, 14, IST_STACK(2), WRITE(IST_STACK(2))) \
	ATTACK(stack_in_window, 14, ENTRY_STACK_TOP - 8, \
	       LOAD(ENTRY_STACK_TOP) "movq %rax, %rsp\n pushq %rax\n") \
	ATTACK(read_module, 14, MODULE_TEXT, READ(MODULE_TEXT)) \
	ATTACK(write_module, 14, MODULE_TEXT, WRITE(MODULE_TEXT)) \
	ATTACK(jump_module, 14, MODULE_TEXT, JUMP(MODULE_TEXT)) \
	ATTACK(jump_module_trap, 14, MODULE_TEXT + 32, JUMP(MODULE_TEXT + 32)) \
	ATTACK(read_module_capset, 14, MODULE_CAPSET, READ(MODULE_CAPSET)) \
	ATTACK(read_module_ring, 14, MODULE_FIRST_RING, READ(MODULE_FIRST_RING)) \
	ATTACK(write_module_ring, 14, MODULE_FIRST_RING, WRITE(MODULE_FIRST_RING)) \
	ATTACK(jump_user_end, 14, USER_END, JUMP(USER_END)) \
	ATTACK(read_user_end, 14, USER_END, READ(USER_END)) \
	ATTACK(ds_module, 13, 0, SEGMENT(ds, 0x21)) \
	ATTACK(es_module_code, 13, 0, SEGMENT(es, 0x19)) \
	ATTACK(fs_module, 13, 0, SEGMENT(fs, 0x21)) \
	ATTACK(gs_module, 13, 0, SEGMENT(gs, 0x21)) \
	ATTACK(ss_module, 13, 0, SEGMENT(ss, 0x21)) \
	ATTACK(ss_null, 13, 0, SEGMENT(ss, 0)) \
	ATTACK(iret_module, FAR_RETURN, 0, IRETQ(0x19, 0x21, HERE)) \
	ATTACK(iret_module_rpl3, FAR_RETURN, 0, IRETQ(0x1b, 0x23, HERE)) \
	ATTACK(lret_module, FAR_RETURN, 0, "pushq $0x19\n" HERE "pushq %rax\n lretq\n1:\n")

/* From ring 1 only. */
#define ATTACKS_RING1(ATTACK) \
	ATTACK(ss_user, 13, 0, SEGMENT(ss, 0x2b)) \
	ATTACK(iret_noncanonical, FAR_RETURN, 0, IRETQ(0x19, 0x21, LOAD(NONCANONICAL))) \
	ATTACK(iret_kernel, 14, KERNEL_TEXT, IRETQ(0x19, 0x21, LOAD(KERNEL_TEXT))) \
	ATTACK(iret_ring3_kernel, 14, KERNEL_TEXT, IRETQ(0x33, 0x2b, LOAD(KERNEL_TEXT))) \
	ATTACK(iret_ring3_module, 14, MODULE_TEXT, IRETQ(0x33, 0x2b, LOAD(MODULE_TEXT))) \
	ATTACK(iret_ring3_gate, 14, GATE_ENTRY, IRETQ(0x33, 0x2b, LOAD(GATE_ENTRY))) \
	ATTACK(write_capset, 14, MODULE_CAPSET, WRITE(MODULE_CAPSET)) \
	ATTACK(jump_nowhere, 14, NOWHERE, JUMP(NOWHERE)) \
	ATTACK(syscall_trap_flag, 1, 0, "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n" \
	       FLAGS(0x100) "syscall\n nop\n nop\n") \
	ATTACK(int_trap_flag, 1, 0, "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n" \
	       FLAGS(0x100) "int $0x90\n nop\n nop\n") \
	ATTACK(mov_ss_syscall_trap_flag, 1, 0, "xorl %eax, %eax\n xorl %edi, %edi\n" \
	       "xorl %esi, %esi\n movl %ss, %edx\n" FLAGS(0x100) \
	       "movl %edx, %ss\n syscall\n nop\n nop\n") \
	ATTACK(pop_ss_int_trap_flag, 1, 0, "xorl %eax, %eax\n xorl %edi, %edi\n" \
	       "xorl %esi, %esi\n" FLAGS(0x100) "movl %ss, %edx\n movl %edx, %ss\n" \
	       "int $0x90\n nop\n nop\n")

/* From ring 1, page faults that cannot be delivered: the process is ended. */
#define FAULT_AT(rsp) LOAD(rsp) "movq %rax, %rsp\n" READ(NOWHERE)
#define ATTACKS_UNDELIVERED(ATTACK) \
	ATTACK(stack_module_base, 14, 0, FAULT_AT(MODULE_BASE)) \
	ATTACK(stack_module_base_32, 14, 0, FAULT_AT(MODULE_BASE + 32)) \
	ATTACK(stack_capset, 14, 0, FAULT_AT(MODULE_CAPSET + 0x800)) \
	ATTACK(stack_text, 14, 0, FAULT_AT(MODULE_TEXT + 0x800)) \
	ATTACK(stack_unmapped, 14, 0, FAULT_AT(NOWHERE)) \
	ATTACK(stack_module_end, 14, 0, FAULT_AT(MODULE_END - 16)) \
	ATTACK(stack_past_module, 14, 0, FAULT_AT(MODULE_END)) \
	ATTACK(stack_null, 14, 0, "xorl %esp, %esp\n" READ(NOWHERE)) \
	ATTACK(stack_user, 14, 0, FAULT_AT(0x500800)) \
	ATTACK(stack_entry, 14, 0, FAULT_AT(ENTRY_STACK_TOP)) \
	ATTACK(stack_ist, 14, 0, FAULT_AT(IST_STACK_TOP(1))) \
	ATTACK(stack_cells, 14, 0, FAULT_AT(WINDOW_CELLS + 0x100)) \
	ATTACK(stack_kernel, 14, 0, FAULT_AT(KERNEL_TEXT)) \
	ATTACK(stack_kernel_stack, 14, 0, FAULT_AT(KERNEL_STACK_TOP)) \
	ATTACK(stack_physmap, 14, 0, FAULT_AT(PHYSMAP_BASE + 0x1000)) \
	ATTACK(stack_noncanonical, 14, 0, FAULT_AT(NONCANONICAL)) \
	ATTACK(stack_top, 14, 0, FAULT_AT(0xfffffffffffffff8)) \
	ATTACK(stack_overflow, 14, 0, "1: pushq %rax\n jmp 1b\n")

#define ATTACK_NUMBER(name, ...) ATTACK_##name,
enum attack_number {
	ATTACKS_ANYWHERE(ATTACK_NUMBER)
	ATTACK_ANYWHERE_END,
	ATTACK_RING3_FIRST = ATTACK_ANYWHERE_END,
	ATTACK_RING3_BEFORE = ATTACK_RING3_FIRST - 1,
	ATTACKS_RING3(ATTACK_NUMBER)
	ATTACK_RING1_FIRST,
	ATTACK_RING1_BEFORE = ATTACK_RING1_FIRST - 1,
	ATTACKS_RING1(ATTACK_NUMBER)
	ATTACK_UNDELIVERED_FIRST,
	ATTACK_UNDELIVERED_BEFORE = ATTACK_UNDELIVERED_FIRST - 1,
	ATTACKS_UNDELIVERED(ATTACK_NUMBER)
	ATTACK_END,
};

#define ATTACKS(ATTACK) \
	ATTACKS_ANYWHERE(ATTACK) ATTACKS_RING3(ATTACK) ATTACKS_RING1(ATTACK) \
	ATTACKS_UNDELIVERED(ATTACK)

/* Deeds, in attack.c. */
#define DEEDS(DEED) \
	DEED(flags_popf) \
	DEED(flags_iret) \
	DEED(flags_iret_ring3) \
	DEED(null_stack_segment) \
	DEED(syscall_poisoned) \
	DEED(syscall_garbage) \
	DEED(scribble) \
	DEED(smep) \
	DEED(ring_unmapped) \
	DEED(ring_overwritten) \
	DEED(ring_mapped_over) \
	DEED(capset_made_writable) \
	DEED(capset_mapped_over) \
	DEED(write_and_execute) \
	DEED(outside_its_half) \
	DEED(segments_left) \
	DEED(segments_seen) \
	DEED(module_stack_gone_syscall) \
	DEED(module_stack_gone_trap) \
	DEED(module_stack_gone_debug) \
	DEED(module_stack_text) \
	DEED(syscall_at_user_end) \
	DEED(last_page) \
	DEED(syscall_flags) \
	DEED(trap_flags) \
	DEED(vector_flags) \
	DEED(syscall_stack) \
	DEED(trap_stack) \
	DEED(lazy_ring) \
	DEED(lazy_ring_taken) \
	DEED(lazy_ring_beside) \
	DEED(spawner_refused) \
	DEED(process_thread_refused) \
	DEED(program_looks_at_itself) \
	DEED(program_wants_its_thread) \
	DEED(program_answers) \
	DEED(module_moves) \
	DEED(program_moves) \
	DEED(program_moves_natively) \
	DEED(interrupt_at_page_edge) \
	DEED(reader) \
	DEED(signalled) \
	DEED(calls) \
	DEED(vectors_kept_apart) \
	DEED(vectors_at_start)

enum { SIGNALS = 8 }; /* that `signalled` waits for, one bit after another */

#define DEED_NUMBER(name) DEED_##name,
enum deed_number { DEEDS(DEED_NUMBER) DEED_END };
