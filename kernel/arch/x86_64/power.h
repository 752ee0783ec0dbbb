/* power.h: the way out. */
#pragma once

#include <stdint.h>

/* Logs "tessera: power off, status N" (the host's runner reads it) and ends the
 * machine: ACPI S5, else QEMU's isa-debug-exit, else this CPU halts. */
_Noreturn void power_off(uint32_t status);
