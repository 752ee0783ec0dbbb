/* names.h: C names from schema names. Strings live as long as the process. */
#pragma once

/* Formats into a fresh string. */
char *names_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "isReadOnly" -> "is_read_only", "MACAddress" -> "mac_address",
 * "Console.write$Params" -> "console_write_params". */
char *names_snake(const char *name);

/* "abi/x.capnp:Outer.Inner" -> "outer_inner"; its file -> "abi/x.capnp". */
char *names_prefix(const char *display_name);
char *names_file(const char *display_name);

/* "is_read_only" -> "IS_READ_ONLY". */
char *names_upper(const char *name);
