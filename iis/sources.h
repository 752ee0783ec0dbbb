/* sources.h: the capabilities of the initial init system that a manifest may
 * grant; for the IIS and for the build's check of a manifest. Its own process
 * and address space are not among them: they end when PID 1 goes over. */
#pragma once

#include <stddef.h>

static const char *const iis_sources[] = {
	"console", "timer", "memory", "power", "libos", "bundle", "entropy", NULL,
};
