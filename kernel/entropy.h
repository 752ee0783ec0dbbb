/* entropy.h: the machine's random bytes: abi/entropy.capnp. */
#pragma once

#include "kernel/object.h"

/* Seeds the generator, if the processor has random numbers. After clock_init. */
void entropy_init(void);

/* An interrupt has come: when, is something that nobody outside can know well. */
void entropy_note(void);

struct object *entropy_object(void);
