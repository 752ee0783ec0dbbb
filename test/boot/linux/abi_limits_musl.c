/* abi_limits_musl.c: the same with musl. */
#include "test/boot/linux/abi_limits.c"
