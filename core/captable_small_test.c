/* captable_small_test.c: captable_test.c on a table of four pages with four slots
 * and seven generations, so that every counter wraps and every limit is met. */
#define CAPTABLE_PAGE_BITS       2
#define CAPTABLE_INDEX_BITS      4
#define CAPTABLE_GENERATION_BITS 3

#include "core/captable.c"
#include "core/captable_test.c"
