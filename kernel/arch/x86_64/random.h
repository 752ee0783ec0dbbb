/* random.h: the processor's own random numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The instruction they come from, for the log; NULL: it has none. */
const char *random_source(void);

/* 64 random bits. False: the processor has none, has none to give now, or gave
 * the same ones twice, as broken ones do. */
bool random_word(uint64_t *word);
