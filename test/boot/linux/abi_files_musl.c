/* abi_files_musl.c: the same with musl. */
#include "test/boot/linux/abi_files.c"
