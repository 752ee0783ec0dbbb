/* message.h: a framed, many-segment message made into a flat one. */
#pragma once

#include "core/capnp.h"

#include <stdio.h>

/* Reads one message in the standard stream framing (segment count, segment
 * sizes, segments) to the end of `in`, and returns its root. Far pointers are
 * made near. The bytes live as long as the process. Fails on bad input. */
struct capnp_struct message_read(FILE *in);
