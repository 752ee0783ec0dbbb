/* spawner.h: the maker of native processes. */
#pragma once

#include "kernel/object.h"

extern const struct object_type spawner_type;

/* The capability to it. It has no power but what its caller pays for. */
struct object *spawner_object(void);
