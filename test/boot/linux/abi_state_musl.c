/* abi_state_musl.c: the same with musl. */
#include "test/boot/linux/abi_state.c"
