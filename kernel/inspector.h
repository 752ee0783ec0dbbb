/* inspector.h: what a process may see of its own libOS: abi/inspector.capnp. */
#pragma once

#include "kernel/object.h"

struct object *inspector_object(void);
