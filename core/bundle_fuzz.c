/* bundle_fuzz.c: libFuzzer on bundle_open(). The input is the directory and
 * where it stands; pages before it are not worth mutating. Its first bytes:
 * pages before the directory, and how many of its bytes the trailer keeps
 * from saying the truth. What passes must keep bundle.h's promises. */
#include "core/bundle_invariant.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 2048)
		return 0;
	size_t body = data[0] % 4 * BUNDLE_PAGE;
	size_t lies = data[1] % 17;
	data += 2, size -= 2;
	if (lies > size)
		return 0;
	struct bundle_trailer trailer = { body, (uint32_t)(size - lies), BUNDLE_MAGIC };
	memcpy(&trailer, data + size - lies, lies);
	if (lies == 16)
		trailer.magic = BUNDLE_MAGIC;
	size_t total = body + (size - lies) + sizeof trailer;
	uint8_t *bytes = malloc(total);
	memset(bytes, 0, body);
	memcpy(bytes + body, data, size - lies);
	memcpy(bytes + body + size - lies, &trailer, sizeof trailer);

	struct bundle bundle;
	enum status status = bundle_open(bytes, total, &bundle);
	if (status == STATUS_OK ? bundle.reason != NULL || !bundle_holds(&bundle, bytes, total)
	                        : status != STATUS_BAD_MESSAGE || bundle.reason == NULL)
		abort();
	free(bytes);
	return 0;
}
