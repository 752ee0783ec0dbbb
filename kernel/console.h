/* console.h: the machine's console as a capability. */
#pragma once

#include "kernel/object.h"

struct object *console_object(void);

/* Bytes may have arrived: the UART's interrupt. */
void console_input(void);
