/* random.h: random bytes, for getrandom, /dev/urandom and new programs. */
#pragma once

#include <stddef.h>

void random_start(void);
/* Under the lock. */
void random_bytes(void *to, size_t size);
