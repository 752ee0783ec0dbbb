/* abi_known_musl.c: the same with musl. */
#include "test/boot/linux/abi_known.c"
