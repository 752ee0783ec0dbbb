/* native_string.c: the memory functions that compilers call on their own; a
 * native program's are a module's. */
#include "rt/module_string.c"
