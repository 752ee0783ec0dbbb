/* abi_time_musl.c: the same with musl. */
#include "test/boot/linux/abi_time.c"
