/* elf_fuzz.c: libFuzzer on elf_check(). Whatever passes must keep elf.h's
 * promises. The first byte picks the memory allowed; half of the inputs get a
 * proper file header, so that the fuzzer spends itself on program headers. */
#include "core/elf_invariant.h"

#include <stdlib.h>
#include <string.h>

static const struct { uint64_t low, high; } ranges[] = {
	{ 0x1000, 0x00007ffffffff000 },
	{ 0x400000, 0x800000 },
	{ 0xffffc00000000000, 0xffffc08000000000 },
	{ 0, 0xfffffffffffff000 },
};

static const uint8_t header[64] = {
	0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, [18] = 62, [20] = 1, [32] = 64, [52] = 64, [54] = 56,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	uint8_t choice = data[0];
	data++, size--;
	uint8_t file[4096];
	if (size > sizeof file)
		return 0;
	memcpy(file, data, size);
	if ((choice & 4) && size >= sizeof header) {
		for (size_t i = 0; i < sizeof header; i++)
			if (i < 24 || (i >= 32 && i < 40) || (i >= 52 && i < 56))
				file[i] = header[i];
		file[16] = 2 + (choice >> 3 & 1);
		file[57] = 0;
	}
	/* A copy of exactly this size, so that a read past it is seen. */
	uint8_t *exact = malloc(size > 0 ? size : 1);
	memcpy(exact, file, size);
	uint64_t low = ranges[choice & 3].low, high = ranges[choice & 3].high;
	size_t whole = choice & 16 ? size + 100000 : size;
	struct elf_image image;
	enum status status = elf_check(exact, size, whole, low, high, &image);
	if (status == STATUS_OK ? image.reason != NULL || !elf_image_holds(&image, whole, low, high)
	                        : status != STATUS_BAD_MESSAGE || image.reason == NULL)
		abort();
	free(exact);
	return 0;
}
