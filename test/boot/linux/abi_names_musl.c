/* abi_names_musl.c: the same with musl. */
#include "test/boot/linux/abi_names.c"
