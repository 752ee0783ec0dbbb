/* timer.h: time as a capability. */
#pragma once

#include "kernel/object.h"

struct object *timer_object(void);
