/* abi_faults_musl.c: the same with musl. */
#include "test/boot/linux/abi_faults.c"
