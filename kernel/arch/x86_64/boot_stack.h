/* boot_stack.h: sizes of the stacks that CPUs boot on. Shared by C and
 * assembly. */
#pragma once

#define BOOT_STACK_SIZE 16384
#define SMP_STACK_SIZE 8192
