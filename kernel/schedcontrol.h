/* schedcontrol.h: the capabilities to processor time: SchedulingControl and
 * SchedulingContext (abi/scheduling.capnp).
 *
 * What always holds of a control with a limit: used <= share, and used is the sum
 * of what its contexts and children take. A context gives share back only when
 * nothing is counted any more that was used with it: else a holder could make one
 * context after another, each with its whole budget. */
#pragma once

#include "kernel/schedctx.h"

extern const struct object_type sched_control_type, sched_context_type;

/* All priorities and no limit. */
struct object *sched_control_object(void);
