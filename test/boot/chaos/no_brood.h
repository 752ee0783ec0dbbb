/* no_brood.h: in place of brood.h, for an actor that makes no processes. */
#pragma once

#include "test/boot/chaos/actor.h"

#define BROOD_ROWS

static void brood_answered(struct actor *a, const struct slot *slot, enum status status)
{
	(void)a;
	(void)slot;
	(void)status;
}
