/* capslot_race_test.c: capslot_tsan_test.c at full speed, for what two processors
 * really do to each other. */
#define ROUNDS 1000000
#include "core/capslot_tsan_test.c"
