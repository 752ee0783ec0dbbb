/* manifest_fuzz.c: libFuzzer on manifest_check(). Whatever passes must keep
 * manifest.h's promises, and every refusal must name a field. */
#include "core/manifest_invariant.h"

#include <stdlib.h>

static const char *const sources[] = { "console", "timer", "memory", "power", NULL };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size, so that a read past it is seen. */
	uint8_t *exact = malloc(size > 0 ? size : 1);
	struct manifest manifest;
	char reason[MANIFEST_REASON_MAX];
	if (size > 0)
		memcpy(exact, data, size);
	memset(reason, '#', sizeof reason);
	const char *const *known = size % 16 == 0 ? sources : NULL;
	enum status status = manifest_check(exact, size, known, &manifest, reason, sizeof reason);
	if (status == STATUS_OK) {
		if (!manifest_holds(&manifest, known))
			abort();
	} else {
		const char *end = memchr(reason, '\0', sizeof reason);
		if (status != STATUS_BAD_MESSAGE || end == NULL || strstr(reason, ": ") == NULL)
			abort();
	}
	free(exact);
	return 0;
}
