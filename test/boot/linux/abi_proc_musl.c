/* abi_proc_musl.c: the same with musl. */
#include "test/boot/linux/abi_proc.c"
