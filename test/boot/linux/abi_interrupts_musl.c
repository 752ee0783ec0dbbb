/* abi_interrupts_musl.c: the same with musl. */
#include "test/boot/linux/abi_interrupts.c"
