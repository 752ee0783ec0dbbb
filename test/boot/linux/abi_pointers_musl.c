/* abi_pointers_musl.c: the same with musl. */
#include "test/boot/linux/abi_pointers.c"
