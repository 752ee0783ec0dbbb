/* fail.h: the plugin's one way out when a schema cannot be turned into C. */
#pragma once

/* Prints "capnpc-tess: ..." on stderr and exits with 1, as `capnp compile`
 * expects of a plugin. No header of the failing file is written. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
