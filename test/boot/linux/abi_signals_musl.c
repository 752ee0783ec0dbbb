/* abi_signals_musl.c: the same with musl. */
#include "test/boot/linux/abi_signals.c"
