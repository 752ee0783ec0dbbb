/* abi_mmap_musl.c: the same with musl. */
#include "test/boot/linux/abi_mmap.c"
