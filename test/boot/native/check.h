/* check.h: how a native test program reports. It runs as its own IIS, prints
 * what is wrong, one line each, and ends the machine with status 0 or 1. */
#pragma once

#include "rt/native.h"

struct check {
	struct native *self;
	const char *name;
	uint32_t failures;
};

enum { CHECK_LINES_MAX = 20 };

static inline void check_failed(struct check *check, const char *what, uint32_t line)
{
	if (check->failures++ < CHECK_LINES_MAX)
		native_print(check->self, "%s:%u: %s\n", check->name, line, what);
}

#define CHECK(check, condition) \
	((condition) ? (void)0 : check_failed((check), #condition, __LINE__))

/* A status that is not the one expected is shown in words. */
static inline void check_status(struct check *check, enum status got, enum status wanted,
                                const char *what, uint32_t line)
{
	if (got == wanted)
		return;
	if (check->failures++ < CHECK_LINES_MAX)
		native_print(check->self, "%s:%u: %s: %s, not %s\n", check->name, line, what,
		             native_status(got), native_status(wanted));
}

#define CHECK_STATUS(check, wanted, call) \
	check_status((check), (call), (wanted), #call, __LINE__)

_Noreturn static inline void check_end(struct check *check)
{
	native_print(check->self, "%s: %s\n", check->name, check->failures == 0 ? "ok" : "FAILED");
	native_off(check->self, check->failures != 0);
}
