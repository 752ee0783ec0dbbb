/* refuse.h: how the initial init system gives up: one line, and the power off. */
#pragma once

#include "rt/native.h"

/* `iis: WHAT: WHY`, then Power.off(1). */
_Noreturn static inline void refuse(struct native *self, const char *what, const char *why)
{
	native_print(self, "iis: %s: %s\n", what, why);
	native_off(self, 1);
}

/* For an answer of the exokernel: `iis: WHAT: TROUBLE: the status in words`. */
static inline void refuse_unless_ok(struct native *self, enum status status, const char *what,
                                    const char *trouble)
{
	if (status == STATUS_OK)
		return;
	native_print(self, "iis: %s: %s: %s\n", what, trouble, native_status(status));
	native_off(self, 1);
}
