/* readers_fuzz.c: libFuzzer on the readers that capnpc-tess makes, of every struct in every
 * schema: abi/tours.h calls all that there are. The input is a message; what is left over
 * after its last whole word says as which struct it is read, and which bits change once it
 * passed, as a sender in shared memory could change them. */
#include "tools/capnpc/tour.h"

#include "abi/tours.h"

enum { MOST = 400 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_size);

static enum status tour_as(size_t which, struct tour *t)
{
	t->left = MOST;
	return tour_roots[which](t);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_size)
{
	size_t size = input_size / CAPNP_WORD * CAPNP_WORD, which = input_size % CAPNP_WORD;
	uint64_t *message = malloc(size ? size : 1);
	struct tour t = {.bytes = (const uint8_t *)message, .size = size};

	memcpy(message, input, size);
	for (size_t i = size; i < input_size && i < size + 2; i++)
		which = which << 8 | input[i];
	which %= sizeof tour_roots / sizeof *tour_roots;
	if (!tour_as(which, &t) && size) {
		t.changed = true;
		for (size_t i = size + 2; i < input_size; i++)
			message[input[i] / 2 % (size / CAPNP_WORD)] ^= (uint64_t)1 << (input[i] * 29 % 64);
		(void)tour_as(which, &t);
	}
	free(message);
	return 0;
}
