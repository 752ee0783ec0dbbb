/* kmalloc.h: small memory, of any size, for the module itself.
 * lib/'s env_alloc() and env_free() are implemented here, too. */
#pragma once

#include <stddef.h>

/* Not zeroed, 16-aligned; NULL: no memory. */
void *kmalloc(size_t bytes);
void kfree(void *memory);
