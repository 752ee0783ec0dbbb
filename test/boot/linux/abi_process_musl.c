/* abi_process_musl.c: the same with musl. */
#include "test/boot/linux/abi_process.c"
