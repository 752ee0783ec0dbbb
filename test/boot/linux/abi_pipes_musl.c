/* abi_pipes_musl.c: the same with musl. */
#include "test/boot/linux/abi_pipes.c"
