/* attack_code.h: the bytes of the code attacks (attack.h), in whole pages of
 * their own, to be run where they are or copied to where they are to run.
 * Included once by each program that has them. */
#pragma once

#include "test/boot/modules/attack.h"

#include <stdint.h>

enum { ATTACK_INT_SIZE = 8 };

#define ATTACK_CODE(name, vector, address, code) \
	".balign 8\n attack_code_" #name ":\n" code "jmp attack_survived\n"
#define ATTACK_OFFSET(name, ...) ".long attack_code_" #name " - attack_code\n"

/* rax = SYS_EXIT: to the exokernel, or to the module that understands it. */
__asm__(".section .text.attack, \"ax\", @progbits\n"
        ".balign 4096\n"
        "attack_code:\n"
        "attack_survived:\n"
        "movl $1, %eax\n movl $" ATTACK_TEXT(SURVIVED) ", %edi\n syscall\n ud2\n"
        "attack_int_returned:\n"
        "movl $1, %eax\n movl $0x6000, %edi\n syscall\n ud2\n"
        ".balign 8\n"
        "attack_int:\n"
        ".set vector, 0\n"
        ".rept 256\n"
        ".balign 8\n .byte 0xcd, vector\n jmp attack_int_returned\n"
        ".set vector, vector + 1\n"
        ".endr\n"
        ATTACKS(ATTACK_CODE)
        ".subsection 1\n" /* more may be added before the end */
        ".balign 4096\n"
        "attack_code_end:\n"
        ".section .rodata.attack, \"a\", @progbits\n"
        ".balign 4\n"
        "attack_offsets:\n"
        ATTACKS(ATTACK_OFFSET)
        ".text\n");

extern const uint8_t attack_code[], attack_code_end[], attack_int[];
extern const uint32_t attack_offsets[ATTACK_END];
