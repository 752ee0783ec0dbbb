/* module_visibility.h: included before every file of a module. A module is one
 * static image: every symbol, declared or defined, is its own, so no address goes
 * through a table that a loader would have to fill. */
#pragma GCC visibility push(hidden)
