/* abi_open_musl.c: the same with musl. */
#include "test/boot/linux/abi_open.c"
