/* tlb.h: keeping every CPU's translations true. Under the kernel lock. */
#pragma once

#include "kernel/space.h"

/* The page's entry has changed so that old translations are wrong. */
void tlb_forget(struct space *s, uint64_t address);

/* Returns when no CPU has a forgotten translation of `s` any more. */
void tlb_sync(struct space *s);

/* Nobody runs in the space any more: whose last thread has just ended on this CPU. No CPU
 * has its tables loaded when this returns. */
void tlb_leave(const struct space *s);

/* This CPU does what another one waits for. Without the kernel lock. */
void tlb_answer(void);
