/* random.h: random bytes, for getrandom, /dev/urandom and new programs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void random_start(void);
/* Under the lock. Never waits: before the machine has random numbers of its own
 * they are as good as the clock is. */
void random_bytes(void *to, size_t size);
/* Under the lock: until random_bytes() cannot be guessed. 0; -EAGAIN if that
 * takes `wait`ing, -ERESTARTSYS if a signal comes first. */
int random_wait(bool wait);
