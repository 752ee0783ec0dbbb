/* power.h: the machine's power as a capability. */
#pragma once

#include "kernel/object.h"

struct object *power_object(void);
