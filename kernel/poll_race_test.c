/* poll_race_test.c: poll_tsan_test.c at full speed, for what two processors really do
 * to each other. */
#define ROUNDS 300000
#include "kernel/poll_tsan_test.c"
